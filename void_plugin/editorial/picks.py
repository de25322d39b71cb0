"""Which clips of a timeline are wanted, and why: by marker, colour, clip name, track name, or all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from void_plugin.editorial import notes
from void_plugin.editorial.times import frames_of
from void_plugin.editorial.walk import Cut, Place, is_results, offsets, retimes, through
from void_plugin.errors import RequestError

WORD = "VOID"
"""What markers begin with and tracks are called where nothing else is said."""
MATTE_TRACK = "VOID MATTE"
"""A track of this name holds mattes, not shots."""


@dataclass(frozen=True)
class Wanted:
    """What picks a clip; any of them is enough. Names are compared without regard to case, `*` stands for anything."""

    markers: Sequence[str] = ()
    """Beginnings of a marker's name, keyword or text."""
    colours: Sequence[str] = ()
    """Colours of a marker."""
    clips: Sequence[str] = ()
    tracks: Sequence[str] = ()
    everything: bool = False

    @classmethod
    def usual(cls) -> "Wanted":
        """What is picked where nothing else is said."""
        return cls(markers=(WORD,), tracks=(WORD,))


@dataclass
class Pick:
    """A clip that is wanted, why, and what was written beside it."""

    place: Place
    reasons: list[str] = field(default_factory=list)
    note: notes.Note = field(default_factory=notes.Note)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Skipped:
    """Something that was pointed at and cannot be a shot."""

    name: str
    start: Fraction
    reason: str


def pick(cut: Cut, wanted: Wanted) -> tuple[list[Pick], list[Skipped]]:
    """The clips that are wanted, from the lowest track up, each once; and what was pointed at in vain."""
    picks: dict[tuple[int, ...], Pick] = {}
    skipped: list[Skipped] = []
    for place in cut.clips():
        root = cut.timeline.tracks[place.path[0]]
        if is_results(root) or _named(place.lane.track.name, (MATTE_TRACK,)):
            continue
        found = Pick(place)
        _by_name(found, wanted)
        _by_marker(cut, found, wanted)
        if found.reasons:
            why = _why_not(place, cut.rate)
            if why:
                skipped.append(Skipped(place.name, place.start, why))
            else:
                picks[place.path] = found
    skipped += _no_clips(cut, wanted)
    _by_timeline_marker(cut, wanted, picks, skipped)
    return [picks[path] for path in sorted(picks)], skipped


def topmost(cut: Cut, frame: Fraction) -> Place | None:
    """The clip that a frame of the cut shows: the highest one that is switched on."""
    shown = None
    for place in cut.clips():
        first, end = place.visible
        root = cut.timeline.tracks[place.path[0]]
        if is_results(root) or _named(place.lane.track.name, (MATTE_TRACK,)):
            continue
        if first <= frame < end and place.lane.shown and place.item.enabled:
            shown = place
    return shown


def _why_not(place: Place, rate: Fraction) -> str:
    first, end = place.visible
    if not place.item.enabled or not place.lane.shown:
        return "it is switched off"
    if first >= end:
        return "the nest around it does not show it"
    return place.lane.problem or _cut_in_dissolve(place, rate)


def _cut_in_dissolve(place: Place, rate: Fraction) -> str:
    """Why a clip cannot be laid over a nest that ends within a transition of it; empty where it can."""
    track, window = place.lane.track, place.lane.window
    for at, edge in ((place.index - 1, place.start), (place.index + 1, place.end)):
        if window is None or not 0 <= at < len(track) or not isinstance(track[at], otio.schema.Transition):
            continue
        if through(window, edge, offsets(track[at], rate)) is None:
            return "the nest around it is cut within a dissolve; decompose that in place"
    return ""


def _by_name(found: Pick, wanted: Wanted) -> None:
    name = found.place.item.name or ""
    if wanted.everything:
        found.reasons.append("all clips")
    if _named(name, wanted.clips):
        found.reasons.append("clip name")
    if _named(found.place.lane.track.name or "", wanted.tracks):
        found.reasons.append(f"track {found.place.lane.track.name}")


def _named(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase((name or "").casefold(), pattern.casefold()) for pattern in patterns)


def _by_marker(cut: Cut, found: Pick, wanted: Wanted) -> None:
    for marker in found.place.item.markers:
        why = _reason(marker, wanted)
        if why and _inside(cut, marker, found.place):
            _take(found, marker, why)


def _take(found: Pick, marker: Any, why: str) -> None:
    found.reasons.append(why)
    try:
        found.note = found.note.over(notes.parse(notes.note_of(marker)))
    except RequestError as error:
        found.problems.append(error.message)


def _reason(marker: Any, wanted: Wanted) -> str:
    words = [marker.name or "", notes.note_of(marker), *notes.keywords_of(marker)]
    for beginning in wanted.markers:
        if any(word.casefold().startswith(beginning.casefold()) for word in words):
            return f"marker {(marker.name or beginning)!r}"
    colour = str(marker.color or "")
    if colour and colour.casefold() in {one.casefold() for one in wanted.colours}:
        return f"marker colour {colour.lower()}"
    return ""


def _inside(cut: Cut, marker: Any, place: Place) -> bool:
    """True where a clip shows the frame of its marker; a cut leaves copies of it on the pieces beside."""
    at = frames_of(marker.marked_range.start_time, cut.rate)
    begin = frames_of(place.item.trimmed_range().start_time, cut.rate)
    length = place.duration
    for effect in retimes(place.item):
        if isinstance(effect, otio.schema.LinearTimeWarp):
            length = max(length, length * Fraction(abs(effect.time_scalar)))
    # Some programs count from the start of the media, others from the start of the clip.
    return begin - 1 <= at <= begin + length or 0 <= at < place.duration


def _no_clips(cut: Cut, wanted: Wanted) -> Iterator[Skipped]:
    """What is marked or named as a shot and is no clip."""
    for lane in cut.lanes:
        if is_results(cut.timeline.tracks[lane.path[0]]):
            continue
        for place in cut.places(lane):
            item = place.item
            if isinstance(item, otio.schema.Clip | otio.schema.Transition):
                continue
            nest = isinstance(item, otio.schema.Stack | otio.schema.Track)
            if any(_reason(marker, wanted) for marker in item.markers) or (nest and _named(item.name, wanted.clips)):
                what = "it is a nest; mark the clips in it" if nest else "no clip lies there"
                yield Skipped(place.name, place.start, what)


def _by_timeline_marker(cut: Cut, wanted: Wanted, picks: dict[tuple[int, ...], Pick], skipped: list[Skipped]) -> None:
    for marker in cut.timeline.tracks.markers:
        why = _reason(marker, wanted)
        if not why:
            continue
        at = frames_of(marker.marked_range.start_time, cut.rate)
        if cut.start and at >= cut.start:
            at -= cut.start  # written as timecode, not counted from the start
        place = topmost(cut, at)
        if place is None:
            skipped.append(Skipped(marker.name or "a marker", at, "no clip lies under it"))
            continue
        problem = _why_not(place, cut.rate)
        if problem:
            skipped.append(Skipped(place.name, place.start, problem))
            continue
        _take(picks.setdefault(place.path, Pick(place)), marker, f"timeline {why}")
