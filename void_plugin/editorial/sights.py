"""What a timeline tells of the item at one place: speed, transitions, nest, and the file it shows first."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from void_plugin.editorial.adapters import open_timeline
from void_plugin.editorial.media import media_of
from void_plugin.editorial.ranges import file_at, speed_of
from void_plugin.editorial.walk import Cut, Place, offsets
from void_plugin.errors import RequestError


@dataclass(frozen=True)
class Sight:
    """One item of a timeline as an OTIO file shows it."""

    speed: Fraction | None
    """None where no one number says it."""
    text: str = ""
    """Why there is no one speed, as a sentence."""
    dissolves: tuple[int, int] = (0, 0)
    """How many frames of it lie in a transition, at its begin and at its end."""
    first_file: int | None = None
    """Number of the file that it shows first, by its timecode; None for what is no sequence."""


def sights_of(path: str, wanted: Sequence[tuple[int, int, int]]) -> list[Sight | None]:
    """What a file shows at some places, each a video track counted from 1, a first frame and the frame after the last.

    Frames count the timeline's own start in. None where nothing lies exactly there. Raises RequestError.
    """
    cut = Cut(open_timeline(path).timeline)
    video = [at for at, track in enumerate(cut.timeline.tracks) if track.kind == otio.schema.TrackKind.Video]
    lanes = {video.index(lane.path[0]) + 1: lane for lane in cut.lanes if not lane.nested and lane.path[0] in video}
    found: list[Sight | None] = []
    for track, first, end in wanted:
        places = cut.places(lanes[track]) if track in lanes else []
        here = [one for one in places if cut.start + one.start == first and cut.start + one.end == end]
        found.append(_sight(cut, here[0]) if here else None)
    return found


def _sight(cut: Cut, place: Place) -> Sight:
    track, index = place.lane.track, place.index
    before = track[index - 1] if index else None
    after = track[index + 1] if index + 1 < len(track) else None
    # Of the transition before it, what lies in it is what comes after the cut, and the other way round.
    head = offsets(before, cut.rate)[1] if isinstance(before, otio.schema.Transition) else 0
    tail = offsets(after, cut.rate)[0] if isinstance(after, otio.schema.Transition) else 0
    dissolves = int(head), int(tail)
    if not isinstance(place.item, otio.schema.Clip):
        return Sight(None, f"{place.name!r} is a compound clip", dissolves)
    try:
        speed = speed_of(place.item)
    except RequestError as error:
        return Sight(None, error.message.rstrip("."), dissolves)
    return Sight(speed, "", dissolves, _first_file(cut, place))


def _first_file(cut: Cut, place: Place) -> int | None:
    item: Any = place.item
    try:
        media = media_of(item, "")
        return file_at(cut, place, media, place.start) if media.kind == "sequence" else None
    except RequestError:  # offline, or a generator, which is said elsewhere
        return None
