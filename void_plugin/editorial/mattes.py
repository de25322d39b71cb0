"""Where the mattes of a shot are: named in its note, on a track called VOID MATTE, or in a folder of mattes."""

import os
from dataclasses import dataclass

import opentimelineio as otio

from void_plugin.editorial.folders import mattes_in
from void_plugin.editorial.footage import media_of_movie
from void_plugin.editorial.media import MOVIES, Media, media_of
from void_plugin.editorial.movies import FIRST, Movie, Movies
from void_plugin.editorial.picks import MATTE_TRACK, Pick
from void_plugin.editorial.ranges import file_at
from void_plugin.editorial.scans import ENDINGS, is_scan
from void_plugin.editorial.walk import Cut, Place
from void_plugin.errors import RequestError
from void_plugin.frames import ImageSequence
from void_plugin.patterns import to_pattern


@dataclass(frozen=True)
class Matte:
    """One matte of a shot: files that are numbered as its plate, or a movie whose frames are to be numbered so."""

    pattern: str
    """Of the files; empty for a movie that is not decoded yet."""
    movie: Movie | None = None
    shift: int = 0
    """What is added to the number of a frame of the movie, for that of the plate."""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.pattern or (self.movie.path if self.movie else "")

    def frames(self) -> set[int]:
        """Numbers that it has, as those of the plate."""
        if self.movie is not None:
            return set(range(FIRST + self.shift, FIRST + self.shift + self.movie.count))
        return set(ImageSequence(self.pattern).on_disk())


def mattes_of(
    cut: Cut, pick: Pick, name: str, plate: Media, folder: str, root: str, movies: Movies
) -> dict[str, Matte]:
    """The mattes of a shot, by input of the request.

    `folder` is that of the timeline, `root` one of mattes or empty. Raises RequestError where there is no object
    matte, or its numbers are not those of the plate.
    """
    if pick.note.mattes:
        return {field: _named(os.path.join(folder, path), plate, movies) for field, path in pick.note.mattes}
    found = _on_track(cut, pick, plate, folder, movies)
    if found is not None:
        return {"object_matte": found}
    if root:
        found_in = mattes_in(root, [name, *_names(pick.place)], (".exr", *ENDINGS))
        if "object_matte" in found_in:
            return {field: Matte(pattern) for field, pattern in found_in.items()}
    where = f" or as {root}/{name}/{name}.####.exr" if root else ", with --matte-root"
    raise RequestError(
        f"{name} has no matte; give one in the note of its marker (matte: PATTERN), on a track {MATTE_TRACK}{where}."
    )


def _named(path: str, plate: Media, movies: Movies) -> Matte:
    if os.path.splitext(path)[1].lower() not in MOVIES:
        return Matte(to_pattern(path))
    return Matte("", movies.open(path), plate.first - FIRST)  # its first frame is for the first of the plate


def _names(place: Place) -> list[str]:
    whole = str(place.item.name or "")
    stem = whole.split(".")[0]
    return [name for name in dict.fromkeys((whole, stem)) if name and os.sep not in name]


def _on_track(cut: Cut, shot: Pick, plate: Media, folder: str, movies: Movies) -> Matte | None:
    first, end = shot.place.visible
    lanes = [lane for lane in cut.lanes if (lane.track.name or "").casefold() == MATTE_TRACK.casefold()]
    for place in (place for lane in lanes for place in cut.places(lane)):
        if not isinstance(place.item, otio.schema.Clip) or not place.item.enabled:
            continue
        if place.visible[0] > first or place.visible[1] < end:
            continue
        media, movie = media_of(place.item, folder), None
        if media.kind == "movie":
            movie = movies.open(media.pattern)
            media, _ = media_of_movie(media, place.item, movie)
        elif media.kind != "sequence" or not (media.pattern.lower().endswith(".exr") or is_scan(media.pattern)):
            raise RequestError(f"The matte {place.name!r} is neither an image sequence nor a movie; render it as one.")
        pairs = [
            (file_at(cut, place, media, at), file_at(cut, shot.place, plate, at))
            for at in (shot.place.visible[0], shot.place.visible[1] - 1)
        ]
        shift = pairs[0][1] - pairs[0][0] if movie is not None else 0
        for shown, wanted in pairs:
            if shown + shift != wanted:
                raise RequestError(
                    f"The matte {place.name!r} shows its file {shown} where the plate shows {wanted - shift}; number "
                    "and time the matte as the plate."
                )
        return Matte(media.pattern) if movie is None else Matte("", movie, shift)
    return None
