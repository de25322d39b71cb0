"""Timecode and rates of Resolve against plain counting."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from void_plugin.hosts.resolve_timecode import frame_of, rate_of


def counted(nominal: int, minutes: int, drop: bool) -> Iterator[str]:
    """Every timecode in order from midnight on, by the definition of drop frame: numbers left out, no frames."""
    left_out = nominal // 15 if drop else 0
    for minute, second, frame in itertools.product(range(minutes), range(60), range(nominal)):
        if second == 0 and frame < left_out and minute % 10:
            continue
        yield f"{minute // 60:02d}:{minute % 60:02d}:{second:02d}{';' if drop else ':'}{frame:02d}"


@pytest.mark.parametrize(
    ("text", "nominal", "drop"), [("29.97", 30, True), ("59.94", 60, True), ("23.976", 24, False), ("25", 25, False)]
)
def test_every_timecode_of_seventy_minutes_is_the_frame_that_counting_gives(
    text: str, nominal: int, drop: bool
) -> None:
    rate = rate_of(text, drop)
    assert [frame_of(one, rate) for one in counted(nominal, 70, drop)] == list(
        range(sum(1 for _ in counted(nominal, 70, drop)))
    )


def test_the_hour_that_timelines_start_at_is_86400_at_24_and_107892_at_29_97_drop() -> None:
    assert frame_of("01:00:00:00", rate_of("24")) == 86400
    assert frame_of("01:00:00;00", rate_of("29.97 DF")) == 107892


def test_timecode_past_midnight_goes_on_counting() -> None:
    assert frame_of("25:00:00:00", rate_of("24")) == 25 * 3600 * 24


def test_a_semicolon_means_drop_frame_whatever_the_setting_says() -> None:
    assert frame_of("01:00:00;00", rate_of("29.97")) == 107892


@pytest.mark.parametrize(
    ("text", "expected"),
    [("24.0", "24"), ("23.976", "23.976"), ("29.97 DF", "29.97"), ("30", "30"), ("100", "100"), ("60.000", "60")],
)
def test_the_text_of_a_rate_has_no_word_and_no_needless_zero(text: str, expected: Any) -> None:
    assert rate_of(text).text == expected


def test_only_rates_of_television_drop_frames() -> None:
    assert rate_of("29.97", drop=True).drop
    assert rate_of("59.94 DF").drop
    assert not rate_of("24", drop=True).drop
    assert not rate_of("23.976 DF").drop


@pytest.mark.parametrize("text", ["", "fast", "0", "-24"])
def test_what_is_no_rate_is_none(text: str) -> None:
    assert rate_of(text) is None


@pytest.mark.parametrize("text", ["", "01:00:00", "a:b:c:d", "01:00:00:00:00"])
def test_what_is_no_timecode_is_no_frame(text: str) -> None:
    assert frame_of(text, rate_of("24")) is None
