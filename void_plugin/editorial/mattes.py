"""Where the mattes of a shot are: named in its note, on a track called VOID MATTE, or in a folder of mattes."""

import os

from void_plugin.editorial.folders import mattes_in
from void_plugin.editorial.media import Media, media_of
from void_plugin.editorial.picks import MATTE_TRACK, Pick
from void_plugin.editorial.ranges import file_at
from void_plugin.editorial.walk import Cut, Place
from void_plugin.errors import RequestError
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
        found_in = mattes_in(root, [name, *_names(pick.place)])
        if "object_matte" in found_in:
            return found_in
    where = f" or as {root}/{name}/{name}.####.exr" if root else ", with --matte-root"
    raise RequestError(
        f"{name} has no matte; give one in the note of its marker (matte: PATTERN), on a track {MATTE_TRACK}{where}."
    )


def _names(place: Place) -> list[str]:
    whole = str(place.item.name or "")
    stem = whole.split(".")[0]
    return [name for name in dict.fromkeys((whole, stem)) if name and os.sep not in name]


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
