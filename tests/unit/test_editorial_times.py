"""Rates, positions and timecode of a timeline."""

from fractions import Fraction

import opentimelineio as otio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin.editorial.times import can_drop, day_of, exact_rate, frames_of, timecode
from void_plugin.errors import RequestError

RATES = (23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60)


@pytest.mark.parametrize("written", [23.976, 23.98, 23.976023976, 24000 / 1001])
def test_every_spelling_of_a_television_rate_is_one_rate(written: float) -> None:
    assert exact_rate(written) == Fraction(24000, 1001)


@pytest.mark.parametrize(("written", "rate"), [(24, 24), (25.0, 25), (29.97, Fraction(30000, 1001)), (12.5, 12.5)])
def test_a_whole_rate_stays_whole(written: float, rate: Fraction) -> None:
    assert exact_rate(written) == rate


@pytest.mark.parametrize("written", [0, -24, float("nan"), float("inf")])
def test_no_rate_at_all_is_an_error(written: float) -> None:
    with pytest.raises(RequestError, match="no number of frames a second"):
        exact_rate(written)


@given(st.integers(0, 2_500_000), st.sampled_from(RATES), st.booleans())
def test_timecode_is_that_of_opentimelineio(frame: int, written: float, drop: bool) -> None:
    rate = exact_rate(written)
    drop = drop and can_drop(rate)
    frame %= day_of(rate, drop)
    known = otio.opentime.to_timecode(otio.opentime.RationalTime(frame, written), written, drop)
    assert timecode(frame, rate, drop) == known


@pytest.mark.parametrize(("written", "drop"), [(24, False), (29.97, True), (29.97, False), (59.94, True)])
def test_timecode_starts_again_at_midnight(written: float, drop: bool) -> None:
    rate = exact_rate(written)
    last = timecode(day_of(rate, drop) - 1, rate, drop)
    assert last.startswith("23:59:59") and last[-2:] == str(round(rate) - 1)
    assert timecode(day_of(rate, drop), rate, drop) == timecode(0, rate, drop)


def test_drop_frame_skips_two_numbers_a_minute_but_not_in_the_tenth() -> None:
    rate = exact_rate(29.97)
    assert [timecode(frame, rate, True) for frame in (1799, 1800, 17981, 17982)] == [
        "00:00:59;29",
        "00:01:00;02",
        "00:09:59;29",
        "00:10:00;00",
    ]


def test_a_time_in_another_rate_is_exact() -> None:
    assert frames_of(otio.opentime.RationalTime(91046.625, 25), Fraction(24)) == Fraction(8740476, 100)
    assert frames_of(otio.opentime.RationalTime(20.000000000000004, 24), Fraction(24)) == 20
