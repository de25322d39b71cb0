"""The shots of a timeline: what each needs, what stands in its way, and what was pointed at in vain."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import opentimelineio as otio

from void_plugin.editorial.folders import sequence_at
from void_plugin.editorial.footage import media_of_movie
from void_plugin.editorial.mattes import Matte, mattes_of
from void_plugin.editorial.media import Media, media_of
from void_plugin.editorial.movies import ASSUMED, Movie, Movies
from void_plugin.editorial.picks import MATTE_TRACK, Pick, Skipped, Wanted, pick
from void_plugin.editorial.ranges import SourceRange, source_range
from void_plugin.editorial.scans import is_scan
from void_plugin.editorial.times import timecode
from void_plugin.editorial.walk import Cut, Place, is_results
from void_plugin.errors import RequestError, VoidError
from void_plugin.frames import ImageSequence, describe
from void_plugin.patterns import to_pattern

HANDLES, CONTEXT = 8, 48
"""Frames delivered beyond the cut, and frames around those that are looked at, where nothing else is said."""
_RANGE = re.compile(r"[._-]?\[\d+-\d+\]")


@dataclass(frozen=True)
class Wishes:
    """What is wanted of all shots."""

    handles: int = HANDLES
    context: int | None = CONTEXT
    """None looks at all of the media."""
    matte_root: str = ""
    plate_root: str = ""
    """Folder of EXR sequences to take for clips whose media is none."""
    colour: str = ""
    """Colour space of the plates; empty takes what they say."""


@dataclass
class Shot:
    """One clip of the cut and what its removal needs."""

    name: str
    pick: Pick
    media: Media | None = None
    movie: Movie | None = None
    """The movie whose frames are its plate; None where these are files."""
    declared: str = ""
    """Colour space that its frames are taken for where nobody says another; empty for what the files say."""
    range: SourceRange | None = None
    mattes: Mapping[str, Matte] = field(default_factory=dict)
    """By input of the request."""
    problems: list[str] = field(default_factory=list)
    """Why it cannot be sent, as sentences."""
    warnings: list[str] = field(default_factory=list)

    @property
    def place(self) -> Place:
        """Where it lies in the cut."""
        return self.pick.place


def find_shots(cut: Cut, folder: str, wanted: Wanted, wishes: Wishes) -> tuple[list[Shot], list[Skipped]]:
    """The shots that are wanted; relative paths of media are taken from `folder`."""
    picks, skipped = pick(cut, wanted)
    names = _names(picks)
    movies = Movies()
    shots = [_shot(cut, folder, found, name, wishes, movies) for found, name in zip(picks, names, strict=True)]
    return shots, skipped


def position(cut: Cut, place: Place, drop: bool = True) -> str:
    """The timecode at which the cut shows a clip."""
    return timecode(int(cut.start + place.visible[0]), cut.rate, drop and cut.drops)


def _shot(cut: Cut, folder: str, found: Pick, name: str, wishes: Wishes, movies: Movies) -> Shot:
    shot = Shot(name, found, problems=list(found.problems))
    try:
        shot.media = _plate(found, name, folder, wishes, shot.warnings)
        if shot.media.kind == "movie":
            _open(shot, movies)
        if shot.movie is not None or is_scan(shot.media.pattern):
            _declare(shot, found.note.colour or wishes.colour)
        handles = wishes.handles if found.note.handles is None else found.note.handles
        shot.range = source_range(cut, found.place, shot.media, handles, wishes.context)
        shot.mattes = mattes_of(cut, found, name, shot.media, folder, wishes.matte_root, movies)
    except VoidError as error:
        shot.problems.append(error.message)
    if shot.range is not None:
        try:
            _fit_to_disk(shot)
        except VoidError as error:
            shot.problems.append(error.message)
        _warn(cut, shot)
    return shot


def _plate(found: Pick, name: str, folder: str, wishes: Wishes, warnings: list[str]) -> Media:
    """The media of a clip, or the EXR files that stand for it. Raises RequestError where there are none."""
    media = media_of(found.place.item, folder)
    instead = to_pattern(os.path.join(folder, found.note.plate)) if found.note.plate else ""
    if media.kind == "sequence" and media.pattern.lower().endswith(".exr") and not instead:
        return media
    if not instead and wishes.plate_root:
        stem = str(found.place.item.name or "").split(".")[0]
        instead = sequence_at(wishes.plate_root, [one for one in dict.fromkeys((name, stem)) if one])
    if instead:
        taken = media.taken_from(instead)
        if taken.files is None or not ImageSequence(instead).on_disk():
            raise RequestError(f"{name} has no plate at {instead}; render it, or correct the note of its marker.")
        warnings.append(f"its plate is {instead}, file {taken.first} for the first frame of {media.pattern}")
        return taken
    if media.kind == "movie" or (media.kind == "sequence" and is_scan(media.pattern)):
        return media
    what = {"still": "is a single picture"}.get(media.kind, "are of a kind that is not read")
    where = f"--plate-root, as {name}/{name}.####.exr" if not wishes.plate_root else f"{wishes.plate_root}/{name}"
    raise RequestError(
        f"The media of {name}, {media.pattern}, {what}, and the engines take EXR sequences: render the whole of it to "
        f"EXR in its own colour space, and name that with plate: PATTERN in the note of its marker, or with {where}."
    )


def _open(shot: Shot, movies: Movies) -> None:
    """Look into the movie that a shot shows. Raises VoidError where its frames cannot be taken one by one."""
    assert shot.media is not None
    path = shot.media.pattern
    shot.movie = movies.open(path)
    shot.media, remarks = media_of_movie(shot.media, shot.place.item, shot.movie)
    shot.warnings += [f"{os.path.basename(path)}: {text}" for text in (*shot.movie.remarks, *remarks)]


def _declare(shot: Shot, colour: str) -> None:
    """Settle the colour space of what is no EXR, and say where it is assumed."""
    assert shot.media is not None
    shot.declared = shot.movie.declared if shot.movie is not None else ASSUMED
    if not colour and not (shot.movie is not None and shot.movie.tagged):
        shot.warnings.append(
            f"{os.path.basename(shot.media.pattern)}: nothing in it says a colour space that has an id; taken for "
            f"{ASSUMED}, or name another with --colour"
        )


def _fit_to_disk(shot: Shot) -> None:
    """Make sure of the files that the cut shows; handles and context end where a plate or a matte ends.

    Raises RequestError naming what the cut shows and is not there.
    """
    assert shot.media is not None and shot.range is not None
    plate = ImageSequence(shot.media.pattern)
    present = set(plate.on_disk()) if shot.movie is None else set(shot.media.files or ())
    lost = [frame for frame in shot.range.used if frame not in present]
    if lost:
        what = f"lacks frames {describe(lost)}" if present else "is offline"
        raise RequestError(f"The plate {plate.pattern} of {shot.name} {what}; relink or render it.")
    for matte in shot.mattes.values():
        if matte.movie is None and ImageSequence(matte.pattern).is_still:
            continue
        drawn = matte.frames()
        lost = [frame for frame in shot.range.used if frame not in drawn]
        if lost:
            what = f"lacks frames {describe(lost)}" if drawn else "does not exist"
            raise RequestError(f"The matte {matte.name} of {shot.name} {what}; draw and render it for the whole cut.")
        present &= drawn
    delivered = shot.range.used.widened(shot.range.delivered, present)
    before, after = delivered.first - shot.range.delivered.first, shot.range.delivered.last - delivered.last
    short = (shot.range.short[0] + before, shot.range.short[1] + after)
    looked_at = delivered.widened(shot.range.looked_at, present)
    shot.range = replace(shot.range, delivered=delivered, looked_at=looked_at, short=short)


def _warn(cut: Cut, shot: Shot) -> None:
    assert shot.media is not None and shot.range is not None
    found = shot.range
    if any(found.short):
        before, after = found.short
        shot.warnings.append(f"there are fewer handles than asked for: {before} frames missing before, {after} after")
    if found.beyond:
        shot.warnings.append(f"the cut shows {found.beyond} frames that the media does not have")
    if found.speed == 0:
        shot.warnings.append("a freeze frame: one frame is made, without handles")
    elif found.speed != 1:
        shot.warnings.append(f"plays at {float(found.speed):.2%}: frames of the source are made, the retime stays")
    if shot.media.assumed:
        shot.warnings.append("nothing says the timecode of the media, so its first frame is taken to be 0")
    if abs(shot.media.rate - cut.rate) > 0:
        shot.warnings.append(f"the media runs at {shot.media.written_rate:g}, the timeline at {cut.written_rate:g}")
    over = _above(cut, shot.place)
    if over:
        shot.warnings.append(f"{over!r} lies over it, and the result will lie over both")


def _above(cut: Cut, place: Place) -> str:
    """The name of a clip that is switched on and lies over a part of another; empty where there is none."""
    first, end = place.visible
    for lane in cut.lanes:
        if lane.path[0] <= place.path[0] or not lane.shown or is_results(cut.timeline.tracks[lane.path[0]]):
            continue
        if (lane.track.name or "").casefold() == MATTE_TRACK.casefold():
            continue
        for other in cut.places(lane):
            over = other.visible[0] < end and first < other.visible[1]
            if over and isinstance(other.item, otio.schema.Clip) and other.item.enabled:
                return other.name
    return ""


def _names(picks: Sequence[Pick]) -> list[str]:
    """A name for each shot that can be a folder, from that of its clip, each once."""
    taken: dict[str, int] = {}
    names = []
    for found in picks:
        whole = _RANGE.sub("", str(found.place.item.name or ""))
        stem = os.path.splitext(whole)[0] if re.search(r"\.[A-Za-z]\w{1,4}\Z", whole) else whole
        name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_") or "shot"
        taken[name] = taken.get(name, 0) + 1
        count = taken[name]
        while count > 1 and f"{name}_{count}" in taken:
            count += 1
        if count > 1:
            name = f"{name}_{count}"
            taken[name] = 1
        names.append(name)
    return names
