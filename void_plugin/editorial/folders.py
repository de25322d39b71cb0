"""Sequences that lie in a folder under the name of a clip."""

import os
from collections.abc import Iterator, Sequence

from void_plugin.editorial.notes import MATTES
from void_plugin.frames import ImageSequence, contiguous


def sequence_at(root: str, names: list[str], suffix: str = "", endings: Sequence[str] = (".exr",)) -> str:
    """The sequence of one of some names below a folder, as `<name>/<name>.####.exr` or `<name>.####.exr`."""
    for name in names:
        for folder in (os.path.join(root, name), root):
            for pattern in _patterns(folder, name + suffix, endings):
                if contiguous(ImageSequence(pattern).on_disk())[0] is not None:
                    return pattern.replace("\\", "/")
    return ""


def mattes_in(root: str, names: list[str], endings: Sequence[str] = (".exr",)) -> dict[str, str]:
    """The mattes of one of some names below a folder, by input of the request; the first ending that there is."""
    found = {}
    for key, field in MATTES.items():
        pattern = sequence_at(root, names, "" if key == "matte" else f"_{key}", endings)
        if pattern:
            found[field] = pattern
    return found


def _patterns(folder: str, stem: str, endings: Sequence[str]) -> Iterator[str]:
    """What a sequence in a folder may be called, without what cannot be: the folder is looked into once."""
    there = os.listdir(folder) if os.path.isdir(folder) else []
    for ending in endings:
        for joint in (".", "_"):
            if not any(name.startswith(stem + joint) and name.endswith(ending) for name in there):
                continue
            for digits in (4, 5, 6, 7, 8, 3):
                yield os.path.join(folder, f"{stem}{joint}%0{digits}d{ending}")
