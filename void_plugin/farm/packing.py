"""Which units share a task, and how long tasks take.

Units that continue one another run in one task, in order: no queue manager knows dependencies between two tasks of a
step in the same way. Packing joins more, so that loading the model stays a small part of a task.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from void_plugin.farm.planning import Unit
from void_plugin.farm.site import Rates
from void_plugin.frames import FrameRange, spans
from void_plugin.request import RemovalRequest
from void_plugin.settings import raster_of

LOADS = 5
"""A task is at least this many model loads long where the model is not kept between tasks."""
SHORTEST_SECONDS = 30.0
"""A task without a model is at least about this long: starting void-server and opening the plan takes seconds."""
MOST_TASKS = 1000
"""Tasks of one step: more are joined. OpenJD lists hold 1024 values."""

WINDOW, STEP = 85, 69
"""Frames of a window, and from the start of one to that of the next (void_model.md)."""
COUNTED_AREA = 384 * 672
"""Pixels of the raster that the rates are for."""
DETAIL_TILES, DETAIL_STRENGTH = 9, 0.35
"""Tiles of the detail stage, and the share of the steps that each runs."""


@dataclass(frozen=True)
class Packed:
    """The tasks of a step, each as its units in order."""

    tasks: tuple[tuple[Unit, ...], ...]
    seconds: float
    """All that is not solved yet, one after the other, without loading the model."""

    @property
    def loads(self) -> int:
        """Tasks that have something left to solve: the others end without loading a model."""
        return sum(not all(unit.solved for unit in task) for task in self.tasks)

    @property
    def most(self) -> int:
        """Units of the fullest task."""
        return max((len(task) for task in self.tasks), default=0)


def pack(units: Sequence[Unit], request: RemovalRequest, rates: Rates, per_task: int, loads_each: bool) -> Packed:
    """Join units into tasks.

    `per_task` is the number of units a task has, 0 for as many as make it long enough; chains are never broken for
    it. `loads_each` says that each task loads the model anew.
    """
    least = 0.0 if per_task else SHORTEST_SECONDS
    if loads_each and not per_task and any(unit.device != "cpu" for unit in units):
        least = LOADS * rates.load
    fewest = max(per_task or 1, math.ceil(len(units) / MOST_TASKS))
    tasks: list[list[Unit]] = []
    task: list[Unit] = []
    for chain in chained(units):
        if task and per_task and len(task) + len(chain) > fewest:
            tasks.append(task)
            task = []
        task = [*task, *chain]
        if len(task) >= fewest and sum(seconds_of(unit, request, rates) for unit in task) >= least:
            tasks.append(task)
            task = []
    if task:
        tasks.append(task)
    left = sum(seconds_of(unit, request, rates) for unit in units if not unit.solved)
    return Packed(tuple(tuple(sorted(task, key=_index)) for task in tasks), left)


def chained(units: Sequence[Unit]) -> list[tuple[Unit, ...]]:
    """The units in groups that share nothing: each unit stands with all it needs of these units, in order."""
    group: dict[int, int] = {}
    groups: list[list[Unit]] = []
    for unit in units:
        joined = sorted({group[index] for index in unit.needs if index in group})
        if not joined:
            groups.append([])
            joined = [len(groups) - 1]
        first = joined[0]
        for other in joined[1:]:
            groups[first] += groups[other]
            groups[other] = []
        groups[first].append(unit)
        group.update({member.index: first for member in groups[first]})
    return [tuple(sorted(found, key=_index)) for found in groups if found]


def chunks(frames: FrameRange, size: int) -> list[FrameRange]:
    """Frames in contiguous chunks of at most `size`: those that OpenJD makes of the same range.

    They are as even as can be, and the longer ones are spread.
    """
    count = math.ceil(len(frames) / size)
    short, left = divmod(len(frames), count)
    lengths = [short] * count
    for index in range(left):
        lengths[index * count // left] += 1
    found, first = [], frames.first
    for length in lengths:
        found.append(FrameRange(first, first + length - 1))
        first += length
    return found


def numbers(indices: Sequence[int]) -> str:
    """Numbers as void-server reads them: `0-3,7`."""
    return ",".join(str(run) for run in spans(indices))


def seconds_of(unit: Unit, request: RemovalRequest, rates: Rates) -> float:
    """About how long a unit takes on one worker."""
    if unit.device == "cpu":
        return unit.count * rates.recover_frame
    settings = request.settings
    windows = 1 + max(0, math.ceil((unit.count - WINDOW) / STEP))
    steps = float(settings.void_steps)
    if settings.void_passes == 2:
        # Guidance runs the model twice a step; without a prompt there is nothing to guide to.
        steps += settings.void_pass2_steps * (2 if request.prompt and settings.void_guidance > 1 else 1)
    if settings.detail == "tiled":
        steps += DETAIL_TILES * DETAIL_STRENGTH * settings.void_steps
    height, width = raster_of(settings.void_raster)
    return windows * steps * rates.step * height * width / COUNTED_AREA


def _index(unit: Unit) -> int:
    return unit.index
