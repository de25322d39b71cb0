"""Which channels of a file a request means: names are matched exactly first, then by the field's habits.

Resolution order of a matte knob after image.md 1.4: the exact name, then the name as a layer (`.A .a .alpha
.R .red`), then `A`, then a file's only channel; always without regard to case, never by guessing further.
"""

from __future__ import annotations

from collections.abc import Sequence

from void_plugin.errors import RequestError
from void_server.exr import ImageFile, Part

RGB = (("R", "G", "B"), ("red", "green", "blue"))
MATTE_SUFFIXES = ("A", "alpha", "R", "red")


def plate_channels(parts: Sequence[Part], wanted: Sequence[str], view: str, file: ImageFile) -> tuple[int, list[str]]:
    """The part and the three channel names of a plate.

    `wanted` is empty, one layer name, or three channel names. Raises RequestError listing what exists.
    """
    if len(wanted) not in (0, 1, 3):
        raise RequestError(
            f"A plate needs three channels, but {', '.join(wanted)} were named; give R,G,B or one layer name.",
            "request.channel",
        )
    for part in _by_view(parts, view):
        if len(wanted) == 3:
            found = [_match(part, name) for name in wanted]
        else:
            layer = wanted[0] if wanted else ""
            found = _layer(part, layer, view)
        if found and all(found):
            return part.index, [name for name in found if name]
    asked = ", ".join(wanted) or "R, G, B"
    raise RequestError(_missing(f"{file} has no channels {asked}", parts), "request.channel")


def matte_channel(parts: Sequence[Part], wanted: Sequence[str], view: str, file: ImageFile) -> tuple[int, str]:
    """The part and the one channel of a matte. Raises RequestError listing what exists."""
    if len(wanted) > 1:
        raise RequestError(f"A matte is one channel, but {', '.join(wanted)} were named.", "request.channel")
    for part in _by_view(parts, view):
        name = wanted[0] if wanted else ""
        candidates = [name, *(f"{name}.{suffix}" for suffix in MATTE_SUFFIXES)] if name else ["A", "alpha"]
        for candidate in candidates:
            found = _match(part, candidate)
            if found:
                return part.index, found
    if not wanted and len(parts) == 1 and len(parts[0].channels) == 1:
        return 0, parts[0].names[0]
    if not wanted:
        # A matte rendered as a grey picture: red stands for all three.
        for part in _by_view(parts, view):
            found = _match(part, "R")
            if found:
                return part.index, found
    raise RequestError(_missing(f"{file} has no channel {wanted[0] if wanted else 'A'}", parts), "request.channel")


def _by_view(parts: Sequence[Part], view: str) -> list[Part]:
    if not view:
        return list(parts)
    return [part for part in parts if part.view == view] or list(parts)


def _match(part: Part, wanted: str) -> str | None:
    if wanted in part.names:
        return wanted
    lowered = wanted.lower()
    return next((name for name in part.names if name.lower() == lowered), None)


def _layer(part: Part, layer: str, view: str) -> list[str | None]:
    prefixes = [f"{layer}."] if layer else [f"{view}.", ""] if view and not part.view else [""]
    if layer and part.name.lower() == layer.lower():
        prefixes.append("")
    for prefix in prefixes:
        for names in RGB:
            found = [_match(part, prefix + name) for name in names]
            if all(found):
                return found
    return []


def _missing(what: str, parts: Sequence[Part]) -> str:
    listed = "; ".join((f"part {part.name}: " if len(parts) > 1 else "") + ", ".join(part.names) for part in parts)
    return f"{what}; it has {listed}. Name one of these."
