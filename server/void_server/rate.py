"""How many frames a second a shot has, for engines that look only at some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from void_plugin.request import RemovalRequest
from void_plugin.settings import RANGES
from void_server.engines import ASSUMED_FPS
from void_server.footage import Footage

ATTRIBUTE = "framespersecond"
"""The standard attribute of an EXR, in small letters: OpenImageIO and those who write it disagree about capitals."""


def with_rate(request: RemovalRequest, footage: Footage) -> tuple[RemovalRequest, bool]:
    """The request with its frames a second filled in where its rate is `physics`, and whether they are assumed.

    The setting comes first, then the first frame of the shot range, whichever frames are asked for. `request` has its
    ranges resolved. Raises FrameError where that frame cannot be read.
    """
    settings, shot = request.settings, request.shot_range
    if settings.rate != "physics" or settings.fps > 0 or shot is None:
        return request, False
    if footage.sequence("plate").missing([shot.first]):
        return request, False  # the plan refuses it, and names whatever else is missing
    attributes = footage.plate_part(shot.first)[0].attributes
    said = next((frames_a_second(value) for name, _, value in attributes if name.lower() == ATTRIBUTE), 0.0)
    return replace(request, settings=replace(settings, fps=said or ASSUMED_FPS)), not said


def frames_a_second(value: Any) -> float:
    """Frames a second behind an attribute: a number or a rational; 0 where it is neither or cannot be."""
    numbers = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value, 1]
    if len(numbers) != 2 or any(isinstance(number, bool) or not isinstance(number, (int, float)) for number in numbers):
        return 0.0
    over, under = numbers
    fps = float(over) / float(under) if under else 0.0
    return fps if 0 < fps <= RANGES["fps"][1] else 0.0
