"""Every item of a timeline with its place: on which track, in which nest, from which frame of the cut to which."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from void_plugin.editorial.times import can_drop, day_of, exact_rate, frames_of, tidy
from void_plugin.errors import RequestError

RESULTS_KEY = "void"
"""Where our own facts stand in the metadata of tracks, clips and timelines."""
ZERO = Fraction(0)


@dataclass(frozen=True)
class Lane:
    """One track, at top level or in a nest, and where its own time 0 lies in the cut."""

    track: Any
    path: tuple[int, ...]
    """Which child of which child it is, from the timeline's stack down."""
    offset: Fraction
    window: tuple[Fraction, Fraction] | None
    """What of the cut the nests around it let through; None for all."""
    problem: str = ""
    """Why nothing can be taken from it, as a sentence; empty where something can."""
    shown: bool = True
    """False where it, or a nest around it, is switched off."""

    @property
    def nested(self) -> bool:
        """True where it lies in a nest."""
        return len(self.path) > 1


@dataclass(frozen=True)
class Place:
    """One item of a track; positions are frames of the cut, counted from the start of the timeline."""

    lane: Lane = field(repr=False)
    index: int
    item: Any
    start: Fraction
    duration: Fraction

    @property
    def path(self) -> tuple[int, ...]:
        """Which child of which child it is, from the timeline's stack down."""
        return (*self.lane.path, self.index)

    @property
    def end(self) -> Fraction:
        """The frame after its last."""
        return self.start + self.duration

    @property
    def visible(self) -> tuple[Fraction, Fraction]:
        """What of it the nests around it let through, as first frame and the frame after the last."""
        if self.lane.window is None:
            return self.start, self.end
        return max(self.start, self.lane.window[0]), min(self.end, self.lane.window[1])

    @property
    def name(self) -> str:
        """The name of the item, or what it is."""
        return str(self.item.name or type(self.item).__name__)


class Cut:
    """The picture side of a timeline, as it was when it was first looked at."""

    def __init__(self, timeline: Any) -> None:
        self.timeline = timeline
        self.written_rate = _rate_of(timeline)
        self.rate = exact_rate(self.written_rate)
        self.lanes = list(_lanes(timeline.tracks, self.rate))
        # Every shot asks what lies over it, and OpenTimelineIO is slow to say how long a thousand clips are.
        self._places: dict[tuple[int, ...], list[Place]] = {}

    @property
    def start(self) -> Fraction:
        """The first frame of the timeline, counted from midnight."""
        begin = self.timeline.global_start_time
        return ZERO if begin is None else frames_of(begin, self.rate)

    @property
    def drops(self) -> bool:
        """False where its timecode cannot drop numbers: it begins at a whole hour that was counted without."""
        hour = day_of(self.rate, False) // 24
        return can_drop(self.rate) and (self.start == 0 or self.start % hour != 0)

    def places(self, lane: Lane) -> list[Place]:
        """The items of a track in order, transitions among them with no length of their own."""
        if lane.path in self._places:
            return self._places[lane.path]
        found, at = [], lane.offset
        for index, child in enumerate(lane.track):
            duration = ZERO if isinstance(child, otio.schema.Transition) else duration_of(child, self.rate)
            found.append(Place(lane, index, child, at, duration))
            at += duration
        self._places[lane.path] = found
        return found

    def clips(self) -> Iterator[Place]:
        """All clips, from the lowest track up."""
        for lane in self.lanes:
            yield from (place for place in self.places(lane) if isinstance(place.item, otio.schema.Clip))

    def place(self, path: tuple[int, ...]) -> Place | None:
        """The item at a path; None where there is none."""
        for lane in self.lanes:
            if lane.path == path[:-1]:
                return next((place for place in self.places(lane) if place.index == path[-1]), None)
        return None


def offsets(transition: Any, rate: Fraction) -> tuple[Fraction, Fraction]:
    """How far a transition reaches before and after its cut, in frames of a rate."""
    return frames_of(transition.in_offset, rate), frames_of(transition.out_offset, rate)


def through(window: tuple[Fraction, Fraction], edge: Fraction, reach: tuple[Fraction, Fraction]) -> bool | None:
    """Whether a window shows a transition at `edge` that reaches so far before and after it; None where in part."""
    first, end = edge - reach[0], edge + reach[1]
    if end <= window[0] or first >= window[1]:
        return False
    return True if window[0] <= first and end <= window[1] and window[0] < edge < window[1] else None


def duration_of(item: Any, rate: Fraction) -> Fraction:
    """How long an item of a track is, in frames of a rate. Raises RequestError where nothing says it."""
    try:
        return frames_of(item.trimmed_range().duration, rate)
    except (otio.exceptions.OTIOError, ValueError) as error:
        raise RequestError(
            f"Nothing says how long {item.name or type(item).__name__!r} is: it has neither a source range nor media "
            "of known length; correct it in the editor."
        ) from error


def is_results(track: Any) -> bool:
    """True for a track that a conform has made."""
    return bool(_facts(track).get("results"))


def _facts(item: Any) -> Any:
    found = item.metadata.get(RESULTS_KEY)
    return found if hasattr(found, "get") else {}


def base_path(timeline: Any, path: Sequence[int]) -> tuple[int, ...]:
    """A path counted without the tracks of results, so that it stays when such a track is added or removed."""
    results = sum(is_results(track) for track in timeline.tracks[: path[0]])
    return (path[0] - results, *path[1:])


def real_path(timeline: Any, path: Sequence[int]) -> tuple[int, ...]:
    """The path in a timeline behind one that was counted without the tracks of results."""
    base = [at for at, track in enumerate(timeline.tracks) if not is_results(track)]
    return (base[path[0]] if 0 <= path[0] < len(base) else len(timeline.tracks), *path[1:])


def facts_of(item: Any) -> dict[str, Any]:
    """What a conform has noted on an item; empty where it noted nothing."""
    return {str(key): value for key, value in _facts(item).items()}


def retimes(item: Any) -> list[Any]:
    """The effects of an item that change its time."""
    return [effect for effect in item.effects if isinstance(effect, otio.schema.TimeEffect)]


def _rate_of(timeline: Any) -> float:
    if timeline.global_start_time is not None:
        return float(timeline.global_start_time.rate)
    # Pictures only: what is heard may be counted in samples.
    clips = [clip for track in timeline.video_tracks() for clip in track.find_clips()] or timeline.find_clips()
    for clip in clips:
        if clip.source_range is not None:
            return float(clip.source_range.duration.rate)
    for clip in clips:
        if clip.media_reference.available_range is not None:
            return float(clip.media_reference.available_range.duration.rate)
    raise RequestError("The timeline holds no clip of known length; export it again with its clips.")


def _lanes(stack: Any, rate: Fraction) -> Iterator[Lane]:
    yield from _stacked(stack, rate, (), ZERO, None, "", True)


def _stacked(
    stack: Any,
    rate: Fraction,
    path: tuple[int, ...],
    offset: Fraction,
    window: tuple[Fraction, Fraction] | None,
    problem: str,
    shown: bool,
) -> Iterator[Lane]:
    """The tracks of a stack whose first shown frame lies at `offset`, and those of the nests in them."""
    offset, window = _trimmed(stack, rate, offset, window)
    for index, child in enumerate(stack):
        here = (*path, index)
        if isinstance(child, otio.schema.Stack):
            why = problem or _why_not(child)
            yield from _stacked(child, rate, here, offset, window, why, shown and child.enabled)
        if not isinstance(child, otio.schema.Track) or child.kind != otio.schema.TrackKind.Video:
            continue
        yield from _tracked(child, rate, here, offset, window, problem or _why_not(child), shown and child.enabled)


def _trimmed(
    item: Any, rate: Fraction, offset: Fraction, window: tuple[Fraction, Fraction] | None
) -> tuple[Fraction, tuple[Fraction, Fraction] | None]:
    """Where the first frame of a stack or track lies of which `offset` shows the first of its source range, and what
    the window shows of it."""
    if item.source_range is None:
        return offset, window
    length = frames_of(item.source_range.duration, rate)
    return offset - frames_of(item.source_range.start_time, rate), _narrowed(window, offset, offset + length)


def _tracked(
    track: Any,
    rate: Fraction,
    path: tuple[int, ...],
    offset: Fraction,
    window: tuple[Fraction, Fraction] | None,
    problem: str,
    shown: bool,
) -> Iterator[Lane]:
    offset, window = _trimmed(track, rate, offset, window)
    lane = Lane(track, path, tidy(offset), window, problem, shown)
    yield lane
    at = lane.offset
    for index, child in enumerate(track):
        if isinstance(child, otio.schema.Transition):
            continue
        length = duration_of(child, rate)
        if isinstance(child, otio.schema.Stack | otio.schema.Track):
            inner = _narrowed(window, at, at + length)
            why = problem or _why_not(child) or _why_not_here(track, index)
            visit = _stacked if isinstance(child, otio.schema.Stack) else _tracked
            yield from visit(child, rate, (*path, index), at, inner, why, shown and child.enabled)
        at += length


def _narrowed(window: tuple[Fraction, Fraction] | None, first: Fraction, end: Fraction) -> tuple[Fraction, Fraction]:
    return (first, end) if window is None else (max(window[0], first), min(window[1], end))


def _why_not(nest: Any) -> str:
    if retimes(nest):
        return f"it lies in {nest.name or 'a nest'!r}, which is retimed; decompose that in place"
    return ""


def _why_not_here(track: Any, index: int) -> str:
    beside = [track[at] for at in (index - 1, index + 1) if 0 <= at < len(track)]
    if any(isinstance(item, otio.schema.Transition) for item in beside):
        name = track[index].name or "a nest"
        return f"it lies in {name!r}, which begins or ends in a transition; decompose that in place"
    return ""
