"""Timelines that tests build by hand: clips of EXR sequences, dissolves, gaps, nests."""

from __future__ import annotations

from typing import Any

import opentimelineio as otio

from void_plugin.editorial.conform import Result
from void_plugin.editorial.media import media_of
from void_plugin.frames import FrameRange

Time, Range = otio.opentime.RationalTime, otio.opentime.TimeRange
RATE = 24


def clip(
    name: str,
    start: float,
    length: float,
    speed: float = 1,
    media: int = 1000,
    folder: str = "/plates",
    origin: float = 0,
) -> Any:
    """A clip of `<folder>/<name>/<name>.1001.exr` and on; times at 24 frames a second, `origin` that of the media."""
    reference = otio.schema.ImageSequenceReference(
        target_url_base=f"{folder}/{name}",
        name_prefix=f"{name}.",
        name_suffix=".exr",
        start_frame=1001,
        rate=RATE,
        frame_zero_padding=4,
        available_range=Range(Time(origin, RATE), Time(media, RATE)),
    )
    made = otio.schema.Clip(name, reference, Range(Time(start, RATE), Time(length, RATE)))
    if speed == 0:
        made.effects.append(otio.schema.FreezeFrame())
    elif speed != 1:
        made.effects.append(otio.schema.LinearTimeWarp(time_scalar=speed))
    return made


def gap(length: int) -> Any:
    return otio.schema.Gap(source_range=Range(Time(0, RATE), Time(length, RATE)))


def dissolve(before: int, after: int) -> Any:
    return otio.schema.Transition("dissolve", "SMPTE_Dissolve", Time(before, RATE), Time(after, RATE))


def nest(name: str, items: list[Any], start: int, length: int) -> Any:
    """A stack of one track, of which `length` frames from `start` on are shown."""
    inner = otio.schema.Track("inner", kind="Video")
    inner.extend(items)
    made = otio.schema.Stack(name, source_range=Range(Time(start, RATE), Time(length, RATE)))
    made.append(inner)
    return made


def timeline(*tracks: list[Any], start: int = 86400) -> Any:
    """Tracks from below, called Video 1 and on."""
    made = otio.schema.Timeline("edit", global_start_time=Time(start, RATE))
    for number, items in enumerate(tracks):
        track = otio.schema.Track(f"Video {number + 1}", kind="Video")
        track.extend(items)
        made.tracks.append(track)
    return made


def result_for(item: Any) -> Result:
    """All of the media of a clip, cleaned."""
    return Result(media_of(item, "/edit"), f"/clean/{item.name}/{item.name}.%04d.exr", FrameRange(1001, 2000))
