"""Which frames of its media a clip shows, which are delivered with handles, and which are only looked at."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from void_plugin.editorial.media import Media
from void_plugin.editorial.times import can_drop, day_of, frames_of, tidy
from void_plugin.editorial.walk import ZERO, Cut, Place, offsets, retimes
from void_plugin.errors import RequestError
from void_plugin.frames import FrameRange

FREEZE_CONTEXT = 12
"""Frames around a frozen one that are looked at at least: one frame alone shows nothing of what it hides."""


@dataclass(frozen=True)
class SourceRange:
    """File numbers that a clip needs, clamped to its media."""

    used: FrameRange
    """What the cut shows, transitions included."""
    delivered: FrameRange
    """The same with handles."""
    looked_at: FrameRange
    """The same with context."""
    speed: Fraction
    short: tuple[int, int]
    """How many of the handles asked for the media does not have, before and after."""
    beyond: int = 0
    """How many frames the cut shows that the media does not have."""


def speed_of(item: Any) -> Fraction:
    """How fast an item plays, below 0 backwards, 0 a freeze frame. Raises RequestError where no one number says it."""
    name = item.name or "a clip"
    found = retimes(item)
    if _is_ramp(item):
        raise RequestError(f"{name!r} has a speed ramp; bake it in the editor first.")
    if not found:
        return Fraction(1)
    if len(found) > 1:
        raise RequestError(f"{name!r} has several speed changes on top of each other; bake them in the editor first.")
    if not isinstance(found[0], otio.schema.LinearTimeWarp):
        kind = found[0].effect_name or found[0].schema_name()
        raise RequestError(f"{name!r} has a speed change of the kind {kind}, which is no single speed; bake it first.")
    return tidy(Fraction(found[0].time_scalar))


def _is_ramp(item: Any) -> bool:
    """True where Resolve has keys on the speed, which OTIO itself cannot say."""
    for effect in item.effects:
        said = effect.metadata.get("Resolve_OTIO")
        if not hasattr(said, "get") or said.get("Effect Name") != "Retime and Scaling" or said.get("Enabled") is False:
            continue
        keyed = [one for one in said.get("Parameters") or () if hasattr(one, "get") and one.get("Key Frames")]
        if any(len(one["Key Frames"]) > 1 for one in keyed):
            return True
    return False


def source_range(cut: Cut, place: Place, media: Media, handles: int, context: int | None) -> SourceRange:
    """The frames that a clip needs. `handles` are frames of the cut; `context` None looks at all of the media.

    Raises RequestError where the clip shows nothing of its media, or its speed is no one number.
    """
    speed = speed_of(place.item)
    if not media.count:
        raise RequestError(f"Nothing says how many frames {media.pattern} has; is it offline?")
    scale = abs(speed) * media.rate / cut.rate
    first, end = _shown(cut, place, media, scale, speed < 0)
    head, tail = _transitions(cut, place)
    before, after = (tail, head) if speed < 0 else (head, tail)
    if speed == 0:
        low = high = math.floor(first)
        handles = 0  # one picture is shown, and one is given back
    else:
        low, high = math.floor(first - before * scale), math.ceil(end + after * scale) - 1
    high = max(low, high)
    grown = math.ceil(handles * scale)
    last = media.count - 1
    if high < 0 or low > last:
        raise RequestError(
            f"{place.name!r} shows frames {low} to {high} of media that has {media.count}; its timecode or rate is "
            "not that of the media, so relink it."
        )
    beyond = max(0, -low) + max(0, high - last)
    low, high = max(0, low), min(last, high)
    around = context if context is None or speed else max(context, FREEZE_CONTEXT)
    reach = media.count if around is None else grown + around

    def numbers(more: int) -> FrameRange:
        return FrameRange(media.first + max(0, low - more), media.first + min(last, high + more))

    short = (max(0, grown - low), max(0, grown - (last - high)))
    return SourceRange(numbers(0), numbers(grown), numbers(reach), speed, short, beyond)


def file_at(cut: Cut, place: Place, media: Media, at: Fraction) -> int:
    """The number of the file that a clip shows at a frame of the cut."""
    speed = speed_of(place.item)
    scale = abs(speed) * media.rate / cut.rate
    begin = _index(frames_of(place.item.trimmed_range().start_time, media.rate), media)
    played = place.end - at if speed < 0 else at - place.start
    return media.first + math.floor(begin + played * scale) - (speed < 0)


def _shown(cut: Cut, place: Place, media: Media, scale: Fraction, backwards: bool) -> tuple[Fraction, Fraction]:
    """First shown frame of the media and the end of the last, counted from its first, without transitions."""
    trimmed = place.item.trimmed_range()
    begin = _index(frames_of(trimmed.start_time, media.rate), media)
    visible = place.visible
    lost = place.end - visible[1] if backwards else visible[0] - place.start
    begin += lost * scale
    return tidy(begin), tidy(begin + (visible[1] - visible[0]) * scale)


def _index(time: Fraction, media: Media) -> Fraction:
    """Which frame of the media a time is; one past midnight may have been written from 0 again."""
    index = time - media.start
    if 0 <= index < media.count:
        return index
    for drop in (False, True) if can_drop(media.rate) else (False,):
        for days in (1, -1):
            turned = index + days * day_of(media.rate, drop)
            if 0 <= turned < media.count:
                return turned
    return index


def _transitions(cut: Cut, place: Place) -> tuple[Fraction, Fraction]:
    """How far the transitions on both sides make a clip longer, in frames of the cut."""
    track, index = place.lane.track, place.index
    head = tail = ZERO
    if index > 0 and isinstance(track[index - 1], otio.schema.Transition):
        head = offsets(track[index - 1], cut.rate)[0]
    if index + 1 < len(track) and isinstance(track[index + 1], otio.schema.Transition):
        tail = offsets(track[index + 1], cut.rate)[1]
    return head, tail
