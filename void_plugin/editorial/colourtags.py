"""What the colour settings of a Resolve project, or the numbers in a movie, say about pixels: a `colorInteropID`.

A table and nothing else, standard library only. Ids are those of the Color Interop Forum and, for camera encodings,
those of OpenColorIO's ACES studio configuration with `ocio:` before them. What the table does not hold is `unknown`:
a tag is never guessed, and none of this changes a pixel.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

UNKNOWN = "unknown"
SOURCE, DELIVER = "P0", "P1"
"""Routes of a plate: the clip's own files, or frames that Resolve's Deliver page has rendered."""

_PAIRS: Mapping[tuple[str, str], str] = {
    ("Rec.709", "Gamma 2.4"): "g24_rec709_display",
    ("Rec.709", "Gamma 2.2"): "g22_rec709_display",
    ("Rec.709", "Rec.709 (Scene)"): "ocio:itu709_rec709_scene",
    ("Rec.709", "Linear"): "lin_rec709_scene",
    ("Rec.709", "sRGB"): "srgb_rec709_display",
    ("sRGB", "sRGB"): "srgb_rec709_display",
    ("Rec.2020", "Linear"): "lin_rec2020_scene",
    ("Rec.2020", "ST2084"): "pq_rec2020_display",
    ("Rec.2020", "Rec.2100 ST2084"): "pq_rec2020_display",
    ("Rec.2020", "Rec.2100 HLG"): "hlg_rec2020_display",
    ("P3-D65", "Linear"): "lin_p3d65_scene",
    ("P3-D65", "Gamma 2.6"): "g26_p3d65_display",
    ("P3-D65", "sRGB"): "srgb_p3d65_display",
    ("P3-D65", "ST2084"): "pq_p3d65_display",
    ("ACES (AP0)", "Linear"): "lin_ap0_scene",
    ("ACES (AP1)", "Linear"): "lin_ap1_scene",
    ("ACES (AP1)", "ACEScc"): "ocio:acescc_ap1_scene",
    ("ACES (AP1)", "ACEScct"): "ocio:acescct_ap1_scene",
    ("DaVinci WG", "Linear"): "ocio:lin_dwg_scene",
    ("DaVinci WG", "DaVinci Intermediate"): "ocio:davinci_dwg_scene",
    ("ARRI Wide Gamut 3", "Linear"): "ocio:lin_awg3_scene",
    ("ARRI Wide Gamut 4", "Linear"): "ocio:lin_awg4_scene",
    ("ARRI Wide Gamut 4", "ARRI LogC4"): "ocio:arrilogc4_awg4_scene",
    ("Blackmagic Design Wide Gamut Gen 4/5", "Blackmagic Design Film Gen 5"): "ocio:bmdfilm5_wg5_scene",
    ("Panasonic V-Gamut", "Linear"): "ocio:lin_vgamut_scene",
    ("Panasonic V-Gamut", "Panasonic V-Log"): "ocio:vlog_vgamut_scene",
    ("REDWideGamutRGB", "Linear"): "ocio:lin_rwg_scene",
    ("REDWideGamutRGB", "Log3G10"): "ocio:redlog3g10_rwg_scene",
    ("Sony S-Gamut3", "Linear"): "ocio:lin_sgamut3_scene",
    ("Sony S-Gamut3", "S-Log3"): "ocio:slog3_sgamut3_scene",
    ("Sony S-Gamut3.Cine", "Linear"): "ocio:lin_sgamut3cine_scene",
    ("Sony S-Gamut3.Cine", "S-Log3"): "ocio:slog3_sgamut3cine_scene",
}
"""Colour space and gamma, as Resolve names them. LogC3 is not here: its curve depends on the exposure index."""
_SINGLE: Mapping[str, str] = {
    "sRGB": "srgb_rec709_display",
    "Rec.709 (Scene)": "ocio:itu709_rec709_scene",
    "Rec.2100 ST2084": "pq_rec2020_display",
    "Rec.2100 HLG": "hlg_rec2020_display",
    "ACES": "lin_ap0_scene",
    "ACES2065-1": "lin_ap0_scene",
    "ACEScg": "lin_ap1_scene",
    "ACEScc": "ocio:acescc_ap1_scene",
    "ACEScct": "ocio:acescct_ap1_scene",
    "DaVinci WG/Intermediate": "ocio:davinci_dwg_scene",
    "DaVinci Wide Gamut Intermediate": "ocio:davinci_dwg_scene",
    "ARRI LogC4": "ocio:arrilogc4_awg4_scene",
    "S-Gamut3/S-Log3": "ocio:slog3_sgamut3_scene",
    "S-Gamut3.Cine/S-Log3": "ocio:slog3_sgamut3cine_scene",
    "REDWideGamutRGB/Log3G10": "ocio:redlog3g10_rwg_scene",
    "Panasonic V-Gamut/V-Log": "ocio:vlog_vgamut_scene",
}
"""Names that say space and gamma in one."""
_ODT: Mapping[str, str] = {
    "No Output Transform": "lin_ap0_scene",
    "Rec.709": "g24_rec709_display",
    "sRGB": "srgb_rec709_display",
    "P3-D65": "g26_p3d65_display",
}
"""Output transforms of ACES. Those with another white or brightness have no id of their own."""
_CICP: Mapping[tuple[int, int], str] = {
    (1, 1): "g24_rec709_display",
    (1, 4): "g22_rec709_display",
    (1, 8): "lin_rec709_scene",
    (1, 13): "srgb_rec709_display",
    (9, 8): "lin_rec2020_scene",
    (9, 16): "pq_rec2020_display",
    (9, 18): "hlg_rec2020_display",
    (12, 8): "lin_p3d65_scene",
    (12, 13): "srgb_p3d65_display",
    (12, 16): "pq_p3d65_display",
    (12, 17): "g26_p3d65_display",
}
"""Primaries and transfer of ITU-T H.273, as movies carry them. A camera's Rec.709 picture is what a screen shows."""
_INHERITED = ("", "project", "same as project", "default")
_ACES = ("acescc", "acescct")


@dataclass(frozen=True)
class Tag:
    """The encoding of a plate and what is to be said about it."""

    id: str
    """A colorInteropID; `unknown` where nothing says it."""
    text: str
    """Where that is known from, or why not, as a sentence."""
    warning: str = ""
    """What such a plate loses; empty where it loses nothing."""

    @property
    def known(self) -> bool:
        """False where the user has to say it."""
        return self.id != UNKNOWN


def interop_id(space: str, gamma: str = "") -> str:
    """The id of a colour space as Resolve names it, with its gamma where the project keeps the two apart."""
    wanted = _plain(f"{space} {gamma}") if gamma else _plain(space)
    for pair, known in _PAIRS.items():
        if wanted == _plain(" ".join(pair)):
            return known
    if gamma:
        return UNKNOWN
    return next((known for name, known in _SINGLE.items() if _plain(name) == wanted), UNKNOWN)


def plate_tag(route: str, project: Mapping[str, str], input_colour: str = "", input_gamma: str = "") -> Tag:
    """The encoding of a plate taken by a route, under a project's settings (the keys of `Project.GetSetting`).

    `input_colour` and `input_gamma` are what the clip itself says (`Input Color Space`); empty where it says nothing.
    """
    if route not in (SOURCE, DELIVER):
        raise ValueError(f"{route!r} is no route of a plate")
    mode = str(project.get("colorScienceMode", ""))
    if mode not in _ACES and mode != "davinciYRGBColorManagedv2":
        what = "is not colour managed" if mode == "davinciYRGB" else f"has the colour science {mode!r}"
        return Tag(
            UNKNOWN, f"The project {what}, so that nothing says how the plate is encoded; name its colour space."
        )
    if route == SOURCE:
        return _source(project, mode in _ACES, input_colour, input_gamma)
    return _delivered_aces(project) if mode in _ACES else _delivered(project)


def is_inherited(colour: str) -> bool:
    """True for an Input Color Space of a clip that only points to its project's."""
    return colour.strip().casefold() in _INHERITED


def movie_id(primaries: int, transfer: int) -> str:
    """The id of a movie by the numbers of its colour tags (ITU-T H.273)."""
    # Rec.2020 gives its transfer two numbers more for what Rec.709 calls 1, and so does Rec.601.
    return _CICP.get((primaries, 1 if transfer in (6, 14, 15) else transfer), UNKNOWN)


def movie_tags(identity: str) -> tuple[int, int]:
    """Primaries and transfer for a movie of a known encoding; (2, 2) means that none is said."""
    return next((numbers for numbers, known in _CICP.items() if known == identity), (2, 2))


def is_display(identity: str) -> bool:
    """True for pictures as a screen shows them, whose highlights are clipped or rolled off."""
    return identity.endswith("_display")


def _source(project: Mapping[str, str], aces: bool, colour: str, gamma: str) -> Tag:
    where = "the clip's Input Color Space"
    if is_inherited(colour):
        if not aces and project.get("isAutoColorManage") == "1":
            return Tag(UNKNOWN, "Resolve chooses the input colour space by itself and does not say which; name it.")
        where = "the project's ACES input transform" if aces else "the project's input colour space"
        colour, gamma = _setting(project, "colorAcesIDT") if aces else _setting(project, "colorSpaceInput")
    return _tag(colour, gamma, where)


def _delivered(project: Mapping[str, str]) -> Tag:
    colour, gamma = _setting(project, "colorSpaceOutput")
    if colour.casefold() in ("same as timeline", "timeline"):
        colour, gamma = _setting(project, "colorSpaceTimeline")
    return _warned(_tag(colour, gamma, "the project's output colour space"))


def _delivered_aces(project: Mapping[str, str]) -> Tag:
    transform = str(project.get("colorAcesODT", ""))
    found = next((known for name, known in _ODT.items() if _plain(name) == _plain(transform)), UNKNOWN)
    return _warned(_said(found, transform, "the project's ACES output transform"))


def _setting(project: Mapping[str, str], key: str) -> tuple[str, str]:
    apart = project.get("separateColorSpaceAndGamma") == "1"
    return str(project.get(key, "")), str(project.get(f"{key}Gamma", "")) if apart else ""


def _tag(colour: str, gamma: str, where: str) -> Tag:
    return _said(interop_id(colour, gamma), f"{colour} {gamma}".strip(), where)


def _said(found: str, name: str, where: str) -> Tag:
    if found != UNKNOWN:
        return Tag(found, f"{where[0].upper()}{where[1:]} is {name}.")
    what = f"is {name}, which has no id here" if name else "is not set"
    return Tag(UNKNOWN, f"{where[0].upper()}{where[1:]} {what}; name the colour space of the plate.")


def _warned(tag: Tag) -> Tag:
    if not is_display(tag.id):
        return tag
    lost = "The plate is rendered as a screen shows it, so highlights may be clipped or rolled off."
    return Tag(tag.id, tag.text, lost)


def _plain(name: str) -> str:
    """A name without what versions of Resolve write differently: case, spaces, slashes, hyphens, brackets."""
    return re.sub(r"[\s/()_-]+", "", name).casefold()
