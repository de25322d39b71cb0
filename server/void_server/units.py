"""Cuts a shot into units: the runs of frames that an engine solves at once."""

from __future__ import annotations

import json
from collections.abc import Mapping

from void_plugin.frames import Digest
from void_server import windows
from void_server.engines import Engine, Unit
from void_server.tiles import Box

UNIT_FRAMES = 4
"""Frames a unit of a plate-resolution engine: few, so that a kill loses seconds and many cores stay busy."""


def units_of(key: str, engine: Engine, boxes: Mapping[int, Box | None], roi: Box, first: int = 0) -> tuple[Unit, ...]:
    """The units of one engine, in order; `first` is the index of the first."""
    limits = engine.limits()
    numbers = sorted(boxes)
    # Plate engines deliver only frames that have a hole; raster engines need the run without gaps.
    if limits.lengths is None:
        parts = [numbers[i : i + UNIT_FRAMES] for i in range(0, len(numbers), UNIT_FRAMES)]
        runs = [windows.Segment((), tuple(frame for frame in part if boxes[frame] is not None)) for part in parts]
    else:
        runs = windows.segments(numbers, limits.lengths.maximum, limits.overlap, limits.stride)
    units: list[Unit] = []
    follows = ""
    for run in runs:
        if not any(boxes[frame] is not None for frame in run.frames):
            follows = ""  # what lies between is the plate itself
            continue
        before = follows if run.lead else ""
        text = json.dumps([key, engine.name, run.lead, run.frames, before, [roi.x0, roi.y0, roi.x1, roi.y1]])
        follows = Digest.of_text(text).sha256[:32]
        units.append(Unit(first + len(units), follows, run.frames, roi, engine.name, run.lead, before))
    return tuple(units)
