"""Where the mattes of a shot are: named in its note, on a track called VOID MATTE, or in a folder of mattes."""

import os
from collections.abc import Iterator

from void_plugin.editorial.media import Media, media_of
from void_plugin.editorial.notes import MATTES
from void_plugin.editorial.picks import MATTE_TRACK, Pick
from void_plugin.editorial.ranges import file_at
from void_plugin.editorial.walk import Cut, Place
from void_plugin.errors import RequestError
from void_plugin.frames import ImageSequence, contiguous
from void_plugin.patterns import to_pattern


def mattes_of(cut: Cut, pick: Pick, name: str, plate: Media, folder: str, root: str) -> dict[str, str]:
    """The matte patterns of a shot, by input of the request.

    `folder` is that of the timeline, `root` one of mattes or empty. Raises RequestError where there is no object
    matte, or its numbers are not those of the plate.
    """
    if pick.note.mattes:
        return {field: to_pattern(os.path.join(folder, pattern)) for field, pattern in pick.note.mattes}
    found = _on_track(cut, pick, plate, folder)
    if found:
        return {"object_matte": found}
    if root:
        found_in = _in_folder(root, [name, *_names(pick.place)])
        if "object_matte" in found_in:
            return found_in
    where = f" or as {root}/{name}/{name}.####.exr" if root else ", with --matte-root"
    raise RequestError(
        f"{name} has no matte; give one in the note of its marker (matte: PATTERN), on a track {MATTE_TRACK}{where}."
    )


def sequence_at(root: str, names: list[str], ending: str = "") -> str:
    """The EXR sequence of one of some names below a folder, as `<name>/<name>.####.exr` or `<name>.####.exr`."""
    for name in names:
        for folder in (os.path.join(root, name), root):
            for pattern in _patterns(folder, name + ending):
                if contiguous(ImageSequence(pattern).on_disk())[0] is not None:
                    return pattern.replace("\\", "/")
    return ""


def _names(place: Place) -> list[str]:
    whole = str(place.item.name or "")
    stem = whole.split(".")[0]
    return [name for name in dict.fromkeys((whole, stem)) if name and os.sep not in name]


def _in_folder(root: str, names: list[str]) -> dict[str, str]:
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


def _on_track(cut: Cut, shot: Pick, plate: Media, folder: str) -> str:
    first, end = shot.place.visible
    for place in cut.clips():
        if (place.lane.track.name or "").casefold() != MATTE_TRACK.casefold() or not place.item.enabled:
            continue
        if place.visible[0] > first or place.visible[1] < end:
            continue
        media = media_of(place.item, folder)
        if media.kind != "sequence" or not media.pattern.lower().endswith(".exr"):
            raise RequestError(f"The matte {place.name!r} is no EXR sequence; render it as one.")
        for at in (shot.place.visible[0], shot.place.visible[1] - 1):
            shown, wanted = file_at(cut, place, media, at), file_at(cut, shot.place, plate, at)
            if shown != wanted:
                raise RequestError(
                    f"The matte {place.name!r} shows its file {shown} where the plate shows {wanted}; number and time "
                    "the matte as the plate."
                )
        return media.pattern
    return ""
