"""The fills of solved units by frame, for whoever composes: generated ones, and real pixels where they come first."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from void_server.engines import Fill, Unit
from void_server.footage import ByteCache
from void_server.jobfolder import JobFolder
from void_server.likeness import Likeness
from void_server.plan import Plan
from void_server.solve import Solved, StoredFill, is_solved, load_fill, solved_unit

FRESH_BYTES = 256 << 20
"""Fills of this process that wait to be composed, in the type of their files."""
FILL_BYTES = 128 << 20
"""Fills that are kept, for all threads together; a frame's neighbours are asked for as well."""
LARGEST_RING_ERROR = 0.25
"""Share of light by which real pixels may differ from the plate around the hole, grain included; beyond, their frames
do not match."""


class Fills:
    """Everything that the solved units of one planned job have; safe to use from many threads."""

    def __init__(self, plan: Plan, folder: JobFolder) -> None:
        self._plan, self._folder = plan, folder
        self._main = {frame: unit for unit in plan.units if unit.engine == plan.engine for frame in unit.frames}
        self._real = {frame: unit for unit in plan.units if unit.engine != plan.engine for frame in unit.frames}
        self._solved: ByteCache[Solved] = ByteCache(1 << 16, lambda _: 1)
        self._fresh = _Fresh(FRESH_BYTES)
        self._loaded: ByteCache[Fill] = ByteCache(FILL_BYTES, lambda fill: fill.pixels.nbytes * 4 // 3)

    def generated(self, frame: int) -> Fill | None:
        """The main engine's fill of a frame; None where it has none, or where real pixels made it needless."""
        return self._fill(self._main.get(frame), frame)

    def recovered(self, frame: int) -> Fill | None:
        """The real pixels of a frame, where they come first and are to be trusted."""
        unit = self._real.get(frame)
        if unit is None or self._of(unit).facts.get(str(frame), {}).get("ring_error", 0.0) > LARGEST_RING_ERROR:
            return None
        return self._fill(unit, frame)

    def keep(self, unit: Unit, kept: StoredFill) -> None:
        """Take a fill that was just written, so that its file need not be read."""
        self._fresh.put((unit.key, kept.frame), kept)

    def likeness(self, frame: int) -> Likeness:
        """What the generated clip of a frame is like."""
        unit = self._main.get(frame)
        return Likeness() if unit is None else self._of(unit).likeness

    def facts(self, frame: int) -> Mapping[str, float]:
        """The engines' numbers about a frame."""
        found: dict[str, float] = {}
        for unit in (self._real.get(frame), self._main.get(frame)):
            found |= {} if unit is None else self._of(unit).facts.get(str(frame), {})
        return found

    def beside(self, frame: int, other: int) -> bool:
        """True where another frame has a fill of the same unit, so that both are always composed from equal pixels."""
        unit = self._main.get(frame)
        if unit is None or self._main.get(other) is not unit:
            return False
        solved = self._of(unit)
        return str(other) in solved.facts or (solved.skipped and other in self._real)

    def _of(self, unit: Unit) -> Solved:
        return self._solved.get(unit.key, lambda _: solved_unit(self._folder, unit))

    def _fill(self, unit: Unit | None, frame: int) -> Fill | None:
        if unit is None or not is_solved(self._folder, unit) or str(frame) not in self._of(unit).facts:
            return None

        def load(_: Fill | None) -> Fill:
            kept = self._fresh.take((unit.key, frame))
            return kept.fill() if kept is not None else load_fill(self._folder, unit, frame)

        return self._loaded.get((unit.key, frame), load)


class _Fresh:
    """Fills as they were written, each until it is taken or as long as there is room."""

    def __init__(self, limit: int) -> None:
        self._limit, self._bytes = limit, 0
        self._kept: dict[tuple[str, int], StoredFill] = {}
        self._lock = threading.Lock()

    def put(self, key: tuple[str, int], kept: StoredFill) -> None:
        """Keep one; where there is no room the ones before stay, which are asked for first."""
        with self._lock:
            if key not in self._kept and self._bytes + kept.samples.nbytes <= self._limit:
                self._kept[key] = kept
                self._bytes += kept.samples.nbytes

    def take(self, key: tuple[str, int]) -> StoredFill | None:
        """One that is there, no longer kept; None where it is not."""
        with self._lock:
            kept = self._kept.pop(key, None)
            self._bytes -= 0 if kept is None else kept.samples.nbytes
            return kept
