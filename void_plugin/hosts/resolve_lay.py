"""Media frames onto a range of a timeline of Resolve, as an item or as a take of one, with everything read back.

Two things differ between versions and are not documented: whether the end that is given is inclusive (Resolve 18) or
exclusive (later), and whether media frames count from 0 or from the first file's number. Neither is assumed: what lies
on the timeline afterwards decides, and one more try of each kind is made.
"""

import math
from typing import Callable, List, NamedTuple, Optional, Tuple

from void_plugin.hosts.resolve_api import EDIT_FIX, Clip, Item, MediaPool, Timeline, find_item, refused
from void_plugin.hosts.resolve_results import rate_of
from void_plugin.hosts.resolve_tracks import Span, remove_items, showing, span_of
from void_plugin.hosts.resolve_undo import Undo

AGAIN = "see that the track is not locked and that nothing lies there, then collect again"
Lain = Tuple[int, Item]
"""An item and the number of the track that it lies on."""
Put = Callable[[int, int], Optional[Lain]]
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

    def lies(self, lain: Lain) -> bool:
        """True where the range and the track are right."""
        track, item = lain
        return track == self.track and span_of(item) == self.span and item.duration() == self.span.length


def aim(timeline: Timeline, clip: Clip, track: int, span: Span, offset: int) -> Aim:
    """The aim with the rates that Resolve gives."""
    return Aim(track, span, offset, rate_of(clip.property("FPS")), rate_of(timeline.setting("timelineFrameRate")))


def append(pool: MediaPool, timeline: Timeline, clip: Clip, where: Aim, undo: Undo) -> Item:
    """The clip as a new item of the current timeline. Raises HostError where it cannot be made to lie there."""
    before = {item.id() for _, item in showing(timeline, clip)}

    def new() -> List[Lain]:
        return [(track, item) for track, item in showing(timeline, clip) if item.id() not in before]

    def take_off() -> None:
        remove_items(timeline, [item for _, item in new()])

    def put(first: int, end: int) -> Optional[Lain]:
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

    def now() -> Lain:
        """The item, whose handle and id another take may have changed."""
        there = [one for one in timeline.items(where.track) if span_of(one) == where.span]
        return find_item(timeline, unique) or (where.track, there[0] if there else item)

    def select(number: int) -> None:
        if not now()[1].select_take(number):
            raise refused("TimelineItem.SelectTakeByIndex", [number], "left another take selected", EDIT_FIX)

    def select_again() -> None:
        if now()[1].takes():
            select(shown or 1)

    def take_off() -> None:
        select_again()
        # The first take that is added makes one of what was there, too.
        for number in range(len(now()[1].takes()), max(len(takes), 1), -1):
            if not now()[1].delete_take(number):
                raise refused("TimelineItem.DeleteTakeByIndex", [number], "left the take there", EDIT_FIX)
        if not takes and now()[1].takes() and not now()[1].end_takes():
            raise refused("TimelineItem.FinalizeTake", [], "left a take to choose", EDIT_FIX)

    def put(first: int, end: int) -> Optional[Lain]:
        number = now()[1].add_take(clip, first, end)
        if not number:
            return None
        select(number)
        return now() if _is_of(now()[1].media(), clip) else None

    there = [take.number for take in takes if _is_of(take.clip, clip)]
    if not there and not _is_of(item.media(), clip):
        undo.add("the take on track {}".format(where.track), take_off)
        return _settle(clip, where, put, take_off, "TimelineItem.AddTake")
    undo.add("another take on track {}".format(where.track), select_again)
    if there:
        select(there[0])
    lain = now()
    if not where.lies(lain) or not where.shows(lain[1]) or not _is_of(lain[1].media(), clip):
        raise refused("TimelineItem.SelectTakeByIndex", there, "did not show the take as it was placed", AGAIN)
    return lain[1]


def _settle(clip: Clip, where: Aim, put: Put, take_off: Callable[[], None], call: str) -> Item:
    """Try until it lies where it should. Raises HostError, with nothing of it left, where it never does."""
    said = "did nothing"
    for first in _firsts(clip, where.offset):
        end = first + where.frames(where.span.length)
        for _ in range(2):
            lain = put(first, end)
            if lain is None:
                take_off()
                end -= 1  # as an inclusive end it may have been one behind the last frame
                continue
            item = lain[1]
            if where.lies(lain) and where.shows(item):
                return item
            said = _where(lain)
            missing = where.span.length - item.duration()
            starts_well = where.shows(item) and item.start() == where.span.start
            take_off()
            if not missing or not starts_well:
                break
            end += where.frames(missing)
    fix = AGAIN
    if where.media_rate and where.rate and where.media_rate != where.rate:
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


def _where(lain: Lain) -> str:
    track, item = lain
    text = "put it on track {} at {}-{}, from its frame {}"
    return text.format(track, item.start(), item.end() - 1, item.left_offset())
