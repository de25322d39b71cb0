"""What a clip of Resolve's media pool shows: its files, their numbers, and how they are to be read."""

import re
from typing import Any, Dict, List, Optional

from void_plugin.hosts.resolve_api import Clip

_NUMBERED = re.compile(r"^(?P<head>.*)\[(?P<first>\d+)-(?P<last>\d+)\](?P<tail>[^/]*)$")
_SIZE = re.compile(r"^\s*(\d+)\s*x\s*(\d+)\s*$")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_STILLS = ("png", "jpg", "jpeg", "tif", "tiff", "exr", "dpx", "cin", "tga", "bmp", "psd", "webp")
_OFF = ("", "0", "off", "none", "no")
ALTERING = {
    "Input LUT": _OFF,
    "H-FLIP": _OFF,
    "V-FLIP": _OFF,
    "Super Scale": (*_OFF, "1", "1x", "auto"),
    "Enable Deinterlacing": _OFF,
}
"""Attributes of a clip that change its picture before the timeline does, with what each is where it changes nothing."""


def nothing() -> Dict[str, Any]:
    """The media of what has none: generators, titles, compound clips without a file."""
    return {
        "id": "",
        "kind": "none",
        "pattern": "",
        "first": None,
        "last": None,
        "frames": None,
        "fps": None,
        "start_tc": "",
        "resolution": None,
        "par": "",
        "input_colour": "",
        "data_level": "",
        "alpha_mode": "",
        "reel": "",
        "altered": [],
    }


def media_of(clip: Optional[Clip], properties: Dict[str, str]) -> Dict[str, Any]:
    """The media of an item, from all properties of its clip; values that Resolve leaves out are empty or None."""
    found = nothing()
    if clip is None:
        return found
    path = properties.get("File Path", "").replace("\\", "/")
    found.update(
        id=clip.id(),
        fps=_first_number(properties.get("FPS", "")),
        start_tc=properties.get("Start TC", ""),
        resolution=_size(properties.get("Resolution", "")),
        par=properties.get("PAR", ""),
        input_colour=properties.get("Input Color Space", ""),
        data_level=properties.get("Data Level", ""),
        alpha_mode=properties.get("Alpha mode", ""),
        reel=properties.get("Reel Name", ""),
        frames=_whole(properties.get("Frames", "")),
        altered=[key for key, plain in ALTERING.items() if properties.get(key, "").strip().lower() not in plain],
    )
    pattern = pattern_of(path)
    sequence = _NUMBERED.match(path)
    if sequence is not None:
        found.update(
            kind="sequence", pattern=pattern, first=int(sequence.group("first")), last=int(sequence.group("last"))
        )
    elif path:
        still = properties.get("Type") == "Still" or path.rsplit(".", 1)[-1].lower() in _STILLS
        found.update(kind="still" if still else "movie", pattern=path)
    return found


def pattern_of(path: str) -> str:
    """Resolve's `name.[1001-1048].exr` as `name.%04d.exr`; any other path as it is, with forward slashes."""
    plain = path.replace("\\", "/")
    found = _NUMBERED.match(plain)
    if found is None:
        return plain
    digits = min(len(found.group("first")), len(found.group("last")))
    return "{}%0{}d{}".format(found.group("head"), digits, found.group("tail"))


def is_offline(properties: Dict[str, str]) -> bool:
    """True where Resolve says that the files are not there."""
    return "offline" in properties.get("Online Status", "").lower()


def holes(media: Dict[str, Any]) -> int:
    """How many numbers of a sequence have no file, by Resolve's own count; then files cannot be told by counting."""
    if media["kind"] != "sequence" or media["frames"] is None:
        return 0
    return int(media["last"] - media["first"] + 1 - media["frames"])


def _first_number(text: str) -> Optional[float]:
    found = _NUMBER.match(text.strip())
    return float(found.group()) if found else None


def _whole(text: str) -> Optional[int]:
    return int(text) if text.strip().isdigit() else None


def _size(text: str) -> Optional[List[int]]:
    """[height, width] of such as `1920x1080`."""
    found = _SIZE.match(text)
    return [int(found.group(2)), int(found.group(1))] if found else None
