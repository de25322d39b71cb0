"""Resolve's colour settings and a movie's numbers become ids that the server knows, or unknown."""

from __future__ import annotations

import OpenImageIO as oiio
import pytest

from void_plugin.editorial import colourtags
from void_plugin.editorial.colourtags import DELIVER, SOURCE, UNKNOWN, interop_id, movie_id, movie_tags, plate_tag
from void_server.colour import PINNED_CONFIG, Config

RCM = {"colorScienceMode": "davinciYRGBColorManagedv2", "isAutoColorManage": "0", "separateColorSpaceAndGamma": "0"}
APART = {**RCM, "separateColorSpaceAndGamma": "1"}
REC2020 = {**APART, "colorSpaceOutput": "Rec.2020"}
CCT = {"colorScienceMode": "acescct"}


@pytest.mark.parametrize(
    ("route", "project", "clip", "due"),
    [
        # unmanaged: the file, or the code values of the timeline, whatever they are
        (SOURCE, {"colorScienceMode": "davinciYRGB"}, ("Rec.709 Gamma 2.4",), UNKNOWN),
        (DELIVER, {"colorScienceMode": "davinciYRGB", "colorSpaceOutput": "Rec.709 Gamma 2.4"}, (), UNKNOWN),
        (SOURCE, {}, (), UNKNOWN),
        (DELIVER, {"colorScienceMode": "something new"}, (), UNKNOWN),
        # managed, source files: the clip, else the project
        (SOURCE, RCM, ("ARRI LogC4",), "ocio:arrilogc4_awg4_scene"),
        (SOURCE, RCM, ("Rec.709 Gamma 2.4",), "g24_rec709_display"),
        (SOURCE, RCM, ("Rec.709 (Scene)",), "ocio:itu709_rec709_scene"),
        (SOURCE, RCM, ("Bypass",), UNKNOWN),
        (SOURCE, RCM, ("ARRI LogC3",), UNKNOWN),
        (SOURCE, {**RCM, "colorSpaceInput": "ACEScg"}, (), "lin_ap1_scene"),
        (SOURCE, {**RCM, "colorSpaceInput": "ACEScg"}, ("Project",), "lin_ap1_scene"),
        (SOURCE, {**RCM, "isAutoColorManage": "1", "colorSpaceInput": "Rec.709 Gamma 2.4"}, (), UNKNOWN),
        (SOURCE, {**RCM, "isAutoColorManage": "1"}, ("ARRI LogC4",), "ocio:arrilogc4_awg4_scene"),
        (SOURCE, APART, ("ACES (AP1)", "Linear"), "lin_ap1_scene"),
        (SOURCE, APART, ("Sony S-Gamut3.Cine", "S-Log3"), "ocio:slog3_sgamut3cine_scene"),
        (
            SOURCE,
            {**APART, "colorSpaceInput": "ACES (AP0)", "colorSpaceInputGamma": "Linear"},
            (),
            "lin_ap0_scene",
        ),
        # managed, rendered: the output colour space, whatever the clip was
        (DELIVER, {**RCM, "colorSpaceOutput": "Rec.709 Gamma 2.4"}, ("ARRI LogC4",), "g24_rec709_display"),
        (DELIVER, {**RCM, "colorSpaceOutput": "Rec.709-A"}, (), UNKNOWN),
        (DELIVER, RCM, (), UNKNOWN),
        (DELIVER, {**APART, "colorSpaceOutput": "ACES (AP1)", "colorSpaceOutputGamma": "Linear"}, (), "lin_ap1_scene"),
        (
            DELIVER,
            {**REC2020, "colorSpaceOutputGamma": "ST2084"},
            (),
            "pq_rec2020_display",
        ),
        (DELIVER, {**REC2020, "colorSpaceOutputGamma": "Gamma 2.4"}, (), UNKNOWN),
        (
            DELIVER,
            {**RCM, "colorSpaceOutput": "Same as Timeline", "colorSpaceTimeline": "DaVinci WG/Intermediate"},
            (),
            "ocio:davinci_dwg_scene",
        ),
        # a gamma that stands there although the project does not keep the two apart says nothing
        (
            DELIVER,
            {**RCM, "colorSpaceOutput": "Rec.709 Gamma 2.4", "colorSpaceOutputGamma": "Linear"},
            (),
            "g24_rec709_display",
        ),
        # ACES
        (SOURCE, CCT, ("ACEScg",), "lin_ap1_scene"),
        (SOURCE, {**CCT, "colorAcesIDT": "ACEScct"}, (), "ocio:acescct_ap1_scene"),
        (SOURCE, {**CCT, "colorAcesIDT": "No Input Transform"}, (), UNKNOWN),
        (DELIVER, {**CCT, "colorAcesODT": "No Output Transform"}, (), "lin_ap0_scene"),
        (DELIVER, {"colorScienceMode": "acescc", "colorAcesODT": "No Output Transform"}, (), "lin_ap0_scene"),
        (DELIVER, {**CCT, "colorAcesODT": "Rec.709"}, (), "g24_rec709_display"),
        (DELIVER, {**CCT, "colorAcesODT": "Rec.709 (D60 sim.)"}, (), UNKNOWN),
        (DELIVER, {**CCT, "colorSpaceOutput": "ACEScg"}, (), UNKNOWN),
    ],
)
def test_settings_of_resolve_have_one_id(route: str, project: dict[str, str], clip: tuple[str, ...], due: str) -> None:
    found = plate_tag(route, project, *clip)
    assert found.id == due
    assert found.known == (due != UNKNOWN)
    assert found.text.endswith(".")


@pytest.mark.parametrize(
    ("space", "gamma", "due"),
    [
        ("Rec.709", "Gamma 2.4", "g24_rec709_display"),
        ("ACES (AP1)", "Linear", "lin_ap1_scene"),
        ("ACES (AP0)", "Linear", "lin_ap0_scene"),
        ("Rec.709", "Linear", "lin_rec709_scene"),
        ("Rec.2020", "Linear", "lin_rec2020_scene"),
        ("sRGB", "sRGB", "srgb_rec709_display"),
        ("rec.709  gamma 2.4", "", "g24_rec709_display"),
        ("Rec.709", "", UNKNOWN),
        ("", "", UNKNOWN),
        ("", "Linear", UNKNOWN),
        ("My Show Space", "Linear", UNKNOWN),
    ],
)
def test_pairs_and_single_names_are_looked_up(space: str, gamma: str, due: str) -> None:
    assert interop_id(space, gamma) == due


def test_a_rendered_display_picture_is_warned_of_and_a_linear_one_is_not() -> None:
    assert "highlights" in plate_tag(DELIVER, {**RCM, "colorSpaceOutput": "Rec.709 Gamma 2.4"}).warning
    assert not plate_tag(DELIVER, {**CCT, "colorAcesODT": "No Output Transform"}).warning
    assert not plate_tag(SOURCE, RCM, "Rec.709 Gamma 2.4").warning


def test_no_other_route_exists() -> None:
    with pytest.raises(ValueError, match="P2"):
        plate_tag("P2", RCM)


def test_the_server_knows_every_id() -> None:
    tables = (colourtags._PAIRS, colourtags._SINGLE, colourtags._ODT, colourtags._CICP)
    config = Config(PINNED_CONFIG)
    for identity in {one for table in tables for one in table.values()}:
        assert config.resolve(identity)


def test_numbers_of_movies_mean_what_openimageio_says() -> None:
    theirs = oiio.ColorConfig(PINNED_CONFIG)
    for numbers, identity in colourtags._CICP.items():
        said = theirs.get_color_interop_id([*numbers, 0, 1])
        # For a picture file gamma 2.2 and sRGB are scene-referred; a movie is made to be shown.
        assert identity in (said, said.replace("_scene", "_display"))


@pytest.mark.parametrize(
    ("primaries", "transfer", "due"),
    [(1, 1, "g24_rec709_display"), (1, 6, "g24_rec709_display"), (9, 14, UNKNOWN), (9, 16, "pq_rec2020_display")],
)
def test_equal_curves_with_other_numbers_are_one(primaries: int, transfer: int, due: str) -> None:
    assert movie_id(primaries, transfer) == due


@pytest.mark.parametrize("numbers", [(2, 2), (1, 2), (6, 6), (5, 1), (9, 1), (1, 11)])
def test_numbers_without_a_meaning_stay_unknown(numbers: tuple[int, int]) -> None:
    assert movie_id(*numbers) == UNKNOWN


def test_tags_for_a_movie_read_back_as_the_id() -> None:
    for identity in ("g24_rec709_display", "srgb_rec709_display", "pq_rec2020_display", "lin_rec709_scene"):
        assert movie_id(*movie_tags(identity)) == identity
    assert movie_tags(UNKNOWN) == (2, 2)
    assert movie_tags("ocio:arrilogc4_awg4_scene") == (2, 2)
