"""Media frames onto a range of a timeline of Resolve, as an item or as a take of one, with everything read back.

Two things differ between versions and are not documented: whether the end that is given is inclusive (Resolve 18) or
exclusive (later), and whether media frames count from 0 or from the first file's number. Neither is assumed: what lies
on the timeline afterwards decides, and one more try of each kind is made.
"""

import math
from typing import Callable, List, NamedTuple, Optional

from void_plugin.hosts.resolve_api import EDIT_FIX, Clip, Item, MediaPool, Timeline, find_item, refused
from void_plugin.hosts.resolve_results import rate_of
from void_plugin.hosts.resolve_tracks import Span, remove_items, showing, span_of
from void_plugin.hosts.resolve_undo import Undo

AGAIN = "see that the track is not locked and that nothing lies there, then collect again"
Put = Callable[[int, int], Optional[Item]]
"""Lays media frames (first, end) somewhere; None where nothing came of it."""


class Aim(NamedTuple):
    """Where a clip is to lie, and which of its frames shows first there."""

    track: int
    span: Span
    offset: int
    media_rate: Optional[float]
    rate: Optional[float]
    """Frames a second of the clip and of the timeline; None where Resolve does not say."""

    def frames(self, length: int) -> int:
        """Media frames for so many record frames; Resolve rounds down on the way back, so this rounds up."""
        if self.media_rate and self.rate and self.media_rate != self.rate:
            return int(math.copysign(math.ceil(abs(length) * self.media_rate / self.rate - 1e-6), length))
        return length

    def shows(self, item: Item) -> bool:
        """True where the first frame is the right one, as far as it can be told: exactly at equal rates only."""
        left = item.left_offset()
        return left is None or self.media_rate != self.rate or left == self.offset

    def lies(self, item: Item) -> bool:
        """True where the range and the track are right."""
        return item.track() == self.track and span_of(item) == self.span and item.duration() == self.span.length


def aim(timeline: Timeline, clip: Clip, track: int, span: Span, offset: int) -> Aim:
    """The aim with the rates that Resolve gives."""
    return Aim(track, span, offset, rate_of(clip.property("FPS")), rate_of(timeline.setting("timelineFrameRate")))


def append(pool: MediaPool, timeline: Timeline, clip: Clip, where: Aim, undo: Undo) -> Item:
    """The clip as a new item of the current timeline. Raises HostError where it cannot be made to lie there."""
    before = {item.id() for item in showing(timeline, clip)}

    def new() -> List[Item]:
        return [item for item in showing(timeline, clip) if item.id() not in before]

    def take_off() -> None:
        remove_items(timeline, new())

    def put(first: int, end: int) -> Optional[Item]:
        pool.append(clip, first, end, where.track, where.span.start)
        found = new()  # the handles that it gives prove nothing: some are of items that are nowhere
        return found[0] if len(found) == 1 else None

    undo.add("the new clip on track {}".format(where.track), take_off)
    return _settle(clip, where, put, take_off, "MediaPool.AppendToTimeline")


def add_take(timeline: Timeline, item: Item, clip: Clip, where: Aim, undo: Undo) -> Item:
    """The clip as the selected take of an item, added where it is none yet. Raises HostError.

    Returns the item as it is then.
    """
    unique, takes, shown = item.id(), item.takes(), item.selected_take()

    def select_again() -> None:
        if item.takes() and not item.select_take(shown or 1):
            raise refused("TimelineItem.SelectTakeByIndex", [shown or 1], "left another take selected", EDIT_FIX)

    def take_off() -> None:
        select_again()
        # The first take that is added makes one of what was there, too.
        for number in range(len(item.takes()), max(len(takes), 1), -1):
            if not item.delete_take(number):
                raise refused("TimelineItem.DeleteTakeByIndex", [number], "left the take there", EDIT_FIX)
        if not takes and item.takes() and not item.end_takes():
            raise refused("TimelineItem.FinalizeTake", [], "left a take to choose", EDIT_FIX)

    def select(number: int) -> Optional[Item]:
        if number and not item.select_take(number):
            raise refused("TimelineItem.SelectTakeByIndex", [number], "left another take selected", EDIT_FIX)
        found = find_item(timeline, unique)
        return found[1] if found is not None and _is_of(found[1].media(), clip) else None

    there = [take.number for take in takes if _is_of(take.clip, clip)]
    if there or _is_of(item.media(), clip):
        undo.add("another take on track {}".format(where.track), select_again)
        found = select(there[0] if there else 0)
        if found is None or not where.lies(found) or not where.shows(found):
            raise refused("TimelineItem.SelectTakeByIndex", there, "did not show the take as it was placed", AGAIN)
        return found
    undo.add("the take on track {}".format(where.track), take_off)

    def put(first: int, end: int) -> Optional[Item]:
        number = item.add_take(clip, first, end)
        return select(number) if number else None

    return _settle(clip, where, put, take_off, "TimelineItem.AddTake")


def _settle(clip: Clip, where: Aim, put: Put, take_off: Callable[[], None], call: str) -> Item:
    """Try until it lies where it should. Raises HostError, with nothing of it left, where it never does."""
    said = "did nothing"
    for first in _firsts(clip, where.offset):
        end = first + where.frames(where.span.length)
        for _ in range(2):
            item = put(first, end)
            if item is None:
                end -= 1  # as an inclusive end it may have been one behind the last frame
                continue
            if where.lies(item) and where.shows(item):
                return item
            said = _where(item)
            missing = where.span.length - item.duration()
            starts_well = where.shows(item) and item.start() == where.span.start
            take_off()
            if not missing or not starts_well:
                break
            end += where.frames(missing)
    fix = AGAIN
    if where.media_rate != where.rate:
        fix = "its {} frames a second do not fit {} here; render the plate in Resolve and send it again".format(
            where.media_rate, where.rate
        )
    raise refused(call, [clip, where.offset, where.track, *where.span], said, fix)


def _firsts(clip: Clip, offset: int) -> List[int]:
    """What the first media frame may be called: counted from 0, or from the number of the first file."""
    number = clip.property("Start")
    return [offset, offset + int(number)] if number.isdigit() and int(number) else [offset]


def _is_of(media: Optional[Clip], clip: Clip) -> bool:
    return media is not None and media.id() == clip.id()


def _where(item: Item) -> str:
    left = item.left_offset()
    return "put it on track {} at {}-{}, from its frame {}".format(item.track(), item.start(), item.end() - 1, left)
