"""Frame rates, positions and timecode, exact: fractions of frames in place of seconds in floating point."""

import re
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from void_plugin.errors import RequestError

NTSC = Fraction(1000, 1001)
"""How much slower than its name a rate of television runs: 29.97 is 30000/1001."""
_NEAR = 0.006
"""How far a written rate may be off, so that 23.98, 23.976 and 23.976024 are one."""
_FINEST = 100_000
"""Finest part of a frame that is kept; what is finer is the noise of somebody's floating point."""
_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d{2,3})\Z")
_DAY_SECONDS = 24 * 60 * 60


def exact_rate(rate: float) -> Fraction:
    """The rate that a written number stands for, in frames a second. Raises RequestError for none above 0."""
    if not 0 < rate < 100_000:  # also false for NaN
        raise RequestError(f"The rate {rate} is no number of frames a second; correct it in the editor.")
    whole = Fraction(round(rate))
    if abs(rate - float(whole)) < 1e-6:
        return whole
    slowed = whole * NTSC
    if abs(rate - float(slowed)) < _NEAR:
        return slowed
    return Fraction(rate).limit_denominator(1001)


def frames_of(time: Any, rate: Fraction) -> Fraction:
    """An OTIO time in frames of a rate, with parts of a frame."""
    return tidy(Fraction(time.value) * rate / exact_rate(time.rate))


def tidy(value: Fraction) -> Fraction:
    """A number of frames without the noise that floating point left in it."""
    return value.limit_denominator(_FINEST)


def time_of(frames: Fraction, rate: float) -> Any:
    """Frames of a rate as an OTIO time of that rate."""
    return otio.opentime.RationalTime(float(frames), rate)


def range_of(start: Fraction, duration: Fraction, rate: float) -> Any:
    """A start and a length in frames of a rate as an OTIO range."""
    return otio.opentime.TimeRange(time_of(start, rate), time_of(duration, rate))


def can_drop(rate: Fraction) -> bool:
    """True for the rates whose timecode may drop numbers to keep up with the clock."""
    return rate in (30 * NTSC, 60 * NTSC)


def day_of(rate: Fraction, drop: bool) -> int:
    """How many frames a day of timecode counts."""
    base = _base(rate)
    return 144 * (base * 600 - 9 * (base // 15)) if drop else base * _DAY_SECONDS


def same_time(one: int | None, other: int | None, rate: Fraction, drop: bool) -> bool:
    """True for two frames counted from midnight that have one timecode; None is a time that nobody says."""
    if one is None or other is None:
        return one is other
    return (one - other) % day_of(rate, drop) == 0


def timecode(frame: int, rate: Fraction, drop: bool) -> str:
    """HH:MM:SS:FF of a frame counted from midnight; `drop` writes HH:MM:SS;FF. Starts again after a day."""
    base = _base(rate)
    drop = drop and can_drop(rate)
    frame %= day_of(rate, drop)
    if drop:
        skipped = base // 15  # numbers at the start of each minute but every tenth
        tens, rest = divmod(frame, base * 600 - 9 * skipped)
        minutes = (rest - base * 60) // (base * 60 - skipped) + 1 if rest >= base * 60 else 0
        frame += skipped * (9 * tens + minutes)
    seconds, part = divmod(frame, base)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    width = max(2, len(str(base - 1)))
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if drop else ':'}{part:0{width}d}"


def frame_of(text: str, rate: Fraction) -> tuple[int, bool]:
    """The frame counted from midnight behind a timecode, and whether it drops numbers: HH:MM:SS;FF does.

    Raises RequestError for what is no timecode at that rate.
    """
    match = _TIMECODE.match(text.strip())
    base = _base(rate)
    if match is None:
        raise RequestError(f"{text!r} is no timecode; write HH:MM:SS:FF.")
    hours, minutes, seconds, part = (int(match.group(index)) for index in (1, 2, 3, 5))
    drop = match.group(4) in ";." and can_drop(rate)
    dropped = drop and minutes % 10 and not seconds and part < base // 15
    if hours > 23 or minutes > 59 or seconds > 59 or part >= base or dropped:
        raise RequestError(f"There is no timecode {text} at {float(rate):.5g} frames a second.")
    whole = 60 * hours + minutes
    frame = (60 * whole + seconds) * base + part
    return frame - (base // 15) * (whole - whole // 10) * drop, drop


def _base(rate: Fraction) -> int:
    """How many frames a second of timecode counts."""
    return round(rate / NTSC if rate % 1 else rate)
