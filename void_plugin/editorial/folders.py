"""Sequences that lie in a folder under the name of a clip."""

import os
from collections.abc import Iterator

from void_plugin.editorial.notes import MATTES
from void_plugin.frames import ImageSequence, contiguous


def sequence_at(root: str, names: list[str], ending: str = "") -> str:
    """The EXR sequence of one of some names below a folder, as `<name>/<name>.####.exr` or `<name>.####.exr`."""
    for name in names:
        for folder in (os.path.join(root, name), root):
            for pattern in _patterns(folder, name + ending):
                if contiguous(ImageSequence(pattern).on_disk())[0] is not None:
                    return pattern.replace("\\", "/")
    return ""


def mattes_in(root: str, names: list[str]) -> dict[str, str]:
    """The mattes of one of some names below a folder, by input of the request."""
    found = {}
    for key, field in MATTES.items():
        pattern = sequence_at(root, names, "" if key == "matte" else f"_{key}")
        if pattern:
            found[field] = pattern
    return found


def _patterns(folder: str, stem: str) -> Iterator[str]:
    for digits in (4, 5, 6, 7, 8, 3):
        for joint in (".", "_"):
            yield os.path.join(folder, f"{stem}{joint}%0{digits}d.exr")
