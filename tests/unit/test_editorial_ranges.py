"""Which frames of its media a clip needs: handles, context, retimes, transitions, rates, midnight."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import edits
import opentimelineio as otio
import pytest
from edits import RATE, Range, Time

from void_plugin.editorial.media import media_of
from void_plugin.editorial.ranges import SourceRange, file_at, source_range
from void_plugin.editorial.walk import Cut
from void_plugin.errors import RequestError
from void_plugin.frames import FrameRange


def needed(item: Any, handles: int = 0, context: int | None = 0, at: int = 0, around: Any = None) -> SourceRange:
    cut = Cut(around if around is not None else edits.timeline([item]))
    place = cut.place((0, at))
    assert place is not None
    return source_range(cut, place, media_of(item, "/edit"), handles, context)


def test_handles_are_delivered_and_context_is_not() -> None:
    found = needed(edits.clip("a", 100, 20), handles=8, context=30)
    assert found.used == FrameRange(1101, 1120)
    assert found.delivered == FrameRange(1093, 1128)
    assert found.looked_at == FrameRange(1063, 1158)
    assert found.short == (0, 0)


def test_all_of_the_media_can_be_looked_at() -> None:
    assert needed(edits.clip("a", 100, 20), context=None).looked_at == FrameRange(1001, 2000)


def test_everything_ends_where_the_media_ends_and_says_what_is_missing() -> None:
    found = needed(edits.clip("a", 3, 95, media=100), handles=8, context=30)
    assert (found.delivered, found.looked_at) == (FrameRange(1001, 1100), FrameRange(1001, 1100))
    assert found.short == (5, 6) and found.beyond == 0


def test_a_cut_that_shows_more_than_there_is_says_how_much() -> None:
    found = needed(edits.clip("a", 90, 20, media=100))
    assert found.used == FrameRange(1091, 1100) and found.beyond == 10


def test_a_clip_outside_of_its_media_is_an_error_that_names_the_timecode() -> None:
    with pytest.raises(RequestError, match="timecode or rate is not that of the media"):
        needed(edits.clip("a", 5000, 20))


# The same figures as a Resolve export of each kind gives in production: 1005, 1040-1061, 1020-1060.


def test_an_in_point_in_another_rate_with_embedded_timecode() -> None:
    item = edits.clip("a", 0, 1, media=101, origin=87399)
    item.media_reference.start_frame = 1000
    item.source_range = Range(Time(91046.625, 25), Time(10, 25))
    found = needed(item, around=edits.timeline([item]))
    assert found.used.first == 1005


def test_twice_the_speed_takes_twice_the_frames_and_twice_the_handles() -> None:
    found = needed(edits.clip("a", 39, 11, speed=2, media=99), handles=5)
    assert found.used == FrameRange(1040, 1061) and found.delivered == FrameRange(1030, 1071)


def test_backwards_takes_the_frames_from_the_in_point_up() -> None:
    item = edits.clip("a", 20.000000000000004, 41, speed=-1, media=100)
    item.media_reference.start_frame = 1000
    found = needed(item)
    assert found.used == FrameRange(1020, 1060) and found.speed == -1


def test_half_the_speed_takes_part_frames_whole() -> None:
    assert needed(edits.clip("a", 10.5, 5, speed=0.5)).used == FrameRange(1011, 1013)


def test_a_freeze_frame_is_one_frame_with_something_around_it_to_look_at() -> None:
    found = needed(edits.clip("a", 50, 40, speed=0), handles=8, context=0)
    assert found.used == found.delivered == FrameRange(1051, 1051)
    assert found.looked_at == FrameRange(1039, 1063)


@pytest.mark.parametrize(("speed", "used"), [(1, (1097, 1126)), (2, (1093, 1152)), (-1, (1095, 1124))])
def test_transitions_at_both_ends_are_needed_too(speed: float, used: tuple[int, int]) -> None:
    item = edits.clip("a", 100, 20, speed=speed)
    items = [edits.clip("x", 50, 30), edits.dissolve(4, 3), item, edits.dissolve(2, 6), edits.clip("y", 50, 30)]
    assert needed(item, at=2, around=edits.timeline(items)).used == FrameRange(*used)


def test_a_ramp_is_refused_with_what_to_do() -> None:
    ramp = edits.clip("a", 100, 20)
    keys = {"Parameters": [{"Key Frames": {"0": {}, "9": {}}}], "Effect Name": "Retime and Scaling", "Enabled": True}
    ramp.effects.append(otio.schema.Effect("", "Resolve Effect", {"Resolve_OTIO": keys}))
    with pytest.raises(RequestError, match="speed ramp; bake it"):
        needed(ramp)


def test_two_speeds_on_top_of_each_other_are_refused() -> None:
    item = edits.clip("a", 100, 20, speed=2)
    item.effects.append(otio.schema.LinearTimeWarp(time_scalar=0.5))
    with pytest.raises(RequestError, match="on top of each other"):
        needed(item)


def test_a_speed_change_of_another_kind_is_refused() -> None:
    item = edits.clip("a", 100, 20)
    item.effects.append(otio.schema.TimeEffect(effect_name="Ramp"))
    with pytest.raises(RequestError, match="kind Ramp"):
        needed(item)


@pytest.mark.parametrize(("rate", "day"), [(24, 2073600), (29.97, 2589408), (29.97, 2592000)])
def test_timecode_past_midnight_may_have_started_again(rate: float, day: int) -> None:
    item = edits.clip("a", 0, 1)
    item.media_reference.rate = rate
    item.media_reference.available_range = Range(Time(day - 100, rate), Time(300, rate))
    item.source_range = Range(Time(50, rate), Time(20, rate))
    made = edits.timeline([item])
    made.global_start_time = Time(0, rate)
    assert needed(item, around=made).used == FrameRange(1151, 1170)


def test_media_of_another_rate_keeps_its_own_frames() -> None:
    item = edits.clip("a", 48, 24)
    item.media_reference.available_range = Range(Time(0, 48), Time(1000, 48))
    assert needed(item).used == FrameRange(1097, 1144)
    item.media_reference.available_range = Range(Time(0, 23.976), Time(1000, 23.976))
    assert needed(item).used.first == 1048  # 47.95 of its own frames


def test_a_nest_that_shows_a_part_needs_a_part() -> None:
    inside = edits.clip("a", 100, 30)
    cut = Cut(edits.timeline([edits.nest("n", [inside], 10, 12)]))
    place = cut.place((0, 0, 0, 0))
    assert place is not None
    assert source_range(cut, place, media_of(inside, "/edit"), 0, 0).used == FrameRange(1111, 1122)


@pytest.mark.parametrize(
    ("speed", "files"), [(1, (1101, 1120)), (-1, (1120, 1101)), (2, (1101, 1139)), (0, (1101, 1101))]
)
def test_the_file_at_a_frame_of_the_cut(speed: float, files: tuple[int, int]) -> None:
    item = edits.clip("a", 100, 20, speed=speed)
    cut = Cut(edits.timeline([edits.gap(7), item]))
    place = cut.place((0, 1))
    assert place is not None
    media = media_of(item, "/edit")
    assert tuple(file_at(cut, place, media, Fraction(at)) for at in (7, 26)) == files


def test_a_range_is_the_same_whatever_spelling_the_rate_has() -> None:
    item = edits.clip("a", 0, 1)
    item.media_reference.available_range = Range(Time(86400, 23.976), Time(1000, 23.976))
    item.source_range = Range(Time(86500, 24000 / 1001), Time(20, 23.98))
    made = edits.timeline([item])
    made.global_start_time = Time(0, 23.976023976)
    assert needed(item, around=made).used == FrameRange(1101, 1120)
    assert RATE == 24
