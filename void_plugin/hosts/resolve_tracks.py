"""The tracks that hold results on a timeline of Resolve: which is free, a new one, and their end."""

from typing import List, NamedTuple, Optional, Set, Tuple

from void_plugin.errors import HostError
from void_plugin.hosts import resolve_tags as tags
from void_plugin.hosts.resolve_api import EDIT_FIX, Clip, Item, Timeline, items_by_track, refused
from void_plugin.hosts.resolve_results import tag_of
from void_plugin.hosts.resolve_shots import is_matte_track
from void_plugin.hosts.resolve_undo import Undo


class Span(NamedTuple):
    """Record frames of a timeline, absolute; the end is exclusive."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many there are."""
        return self.end - self.start

    def meets(self, other: "Span") -> bool:
        """True where they share a frame."""
        return self.start < other.end and other.start < self.end


def span_of(item: Item) -> Optional[Span]:
    """Where an item lies; None for a ghost."""
    return None if item.is_ghost() else Span(item.start(), item.end())


def showing(timeline: Timeline, clip: Clip) -> List[Tuple[int, Item]]:
    """The items on the video tracks that show a clip, with the numbers of their tracks."""
    wanted, found = clip.id(), []
    for track, item in items_by_track(timeline):
        media = item.media()
        if media is not None and media.id() == wanted:
            found.append((track, item))
    return found


def clips_of(item: Item) -> List[Clip]:
    """What an item shows, and what its takes would."""
    return [clip for clip in [item.media()] + [take.clip for take in item.takes()] if clip is not None]


def result_of(timeline: Timeline, shot: str, span: Span, scratch: bool) -> Optional[Tuple[int, Item]]:
    """Our item over exactly this range for this shot, topmost first, on a track that is not locked."""
    for track in range(timeline.tracks(), 0, -1):
        if not _fits(timeline.track_name(track), scratch) or timeline.is_track_locked(track):
            continue
        for item in timeline.items(track):
            tag = tag_of(item.media()) if span_of(item) == span else None
            if tag is not None and tag.get("shot") == shot:
                return track, item
    return None


def free_track(timeline: Timeline, above: int, span: Span, scratch: bool, undo: Undo) -> int:
    """The topmost track of ours where it lies above a track, is not locked and has room; else a new one above all."""
    names = {track: timeline.track_name(track) for track in range(1, timeline.tracks() + 1)}
    ours = [track for track, name in names.items() if _fits(name, scratch)]
    if ours and ours[-1] > above and not timeline.is_track_locked(ours[-1]):
        taken = [span_of(item) for item in timeline.items(ours[-1])]
        if not any(other is not None and other.meets(span) for other in taken):
            return ours[-1]
    return _new_track(timeline, tags.SCRATCH_TRACK if scratch else _free_name(set(names.values())), undo)


def covering(timeline: Timeline, below: int, above: int, span: Span) -> List[str]:
    """Names of what shows over a range between two tracks and is not ours: a result above it will hide it."""
    found = []
    for track in range(below + 1, above):
        if not timeline.is_track_enabled(track) or is_matte_track(timeline.track_name(track)):
            continue
        for item in timeline.items(track):
            other = span_of(item)
            if other is not None and other.meets(span) and item.is_enabled() and tag_of(item.media()) is None:
                found.append(item.name())
    return [name for name in found if name]


def remove_items(timeline: Timeline, items: List[Item]) -> None:
    """Delete items of the current timeline on the Edit page. Raises HostError where one is still there."""
    if not items:
        return
    # Seen to be refused the first time for no reason.
    if not timeline.delete_items(items) and not timeline.delete_items(items):
        raise refused("Timeline.DeleteClips", [items, False], "left them on the timeline", EDIT_FIX)


def remove_with_track(timeline: Timeline, track: int, items: List[Item]) -> bool:
    """Delete items of a track, and the track where it is named as ours are and empty then; True where it went.

    Raises HostError. Nothing but its items says that a track is ours, so it has to go with them.
    """
    went: List[int] = []

    def drop() -> None:
        if not went and tags.is_our_track(timeline.track_name(track)) and not timeline.items(track):
            _delete_track(timeline, track)
            went.append(track)

    with Undo() as undo:
        undo.add("the empty track {}".format(track), drop)
        remove_items(timeline, items)
        drop()
    return bool(went)


def _fits(name: str, scratch: bool) -> bool:
    return name == tags.SCRATCH_TRACK if scratch else tags.is_result_track(name)


def _new_track(timeline: Timeline, name: str, undo: Undo) -> int:
    before = timeline.tracks()

    def take_back() -> None:
        for track in range(timeline.tracks(), before, -1):
            if not timeline.items(track):
                _delete_track(timeline, track)

    undo.add("a new video track", take_back)
    track = timeline.add_track()
    if not timeline.set_track_name(track, name):
        raise refused("Timeline.SetTrackName", ["video", track, name], "left it named otherwise", EDIT_FIX)
    return track


def _delete_track(timeline: Timeline, track: int) -> None:
    if not timeline.delete_track(track):
        why = "left the track {} there".format(timeline.track_name(track))
        raise refused("Timeline.DeleteTrack", ["video", track], why, EDIT_FIX)


def _free_name(names: Set[str]) -> str:
    number, name = 1, tags.TRACK
    while name in names:
        number += 1
        name = "{} {}".format(tags.TRACK, number)
    return name


def locked(timeline: Timeline, track: int) -> HostError:
    """The error for what lies on a track that the user has locked."""
    text = "The track {} ({}) is locked, so nothing on it is changed; unlock it and try again."
    return HostError(text.format(track, timeline.track_name(track)), "host.resolve")
