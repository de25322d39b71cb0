"""Timecode and rates as Resolve writes them: pure arithmetic."""

import re
from typing import NamedTuple, Optional

_TIMECODE = re.compile(r"(\d{1,3}):(\d\d):(\d\d)([:;.,])(\d{2,3})")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Rate(NamedTuple):
    """A frame rate: its text without any word, its frames a second, and whether timecode drops numbers."""

    text: str
    fps: float
    drop: bool

    @property
    def nominal(self) -> int:
        """Frame numbers that timecode counts a second: 24 for 23.976."""
        return int(self.fps + 0.5)


def rate_of(text: str, drop: bool = False) -> Optional[Rate]:
    """The rate of a setting such as `23.976`, `24.0` or `29.97 DF`; None for what is none."""
    found = _NUMBER.match(text.strip())
    if found is None or float(found.group()) <= 0:
        return None
    number = found.group()
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    fps = float(number)
    may_drop = round(fps, 2) in (29.97, 59.94, 119.88)
    return Rate(number, fps, may_drop and (drop or "DF" in text.upper()))


def frame_of(timecode: str, rate: Rate) -> Optional[int]:
    """The absolute frame of a timecode, None for what is none; it is not wrapped at midnight."""
    found = _TIMECODE.fullmatch(timecode.strip())
    if found is None:
        return None
    hours, minutes, seconds, frames = (int(found.group(number)) for number in (1, 2, 3, 5))
    total = (hours * 3600 + minutes * 60 + seconds) * rate.nominal + frames
    if rate.drop or found.group(4) in ";,":
        # Two numbers (four at 59.94) are left out at each minute but the tenth.
        passed = hours * 60 + minutes
        total -= (rate.nominal // 15) * (passed - passed // 10)
    return total
