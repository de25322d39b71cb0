"""The prototype and `recover` over the same shots in turn: frames a second by the clock and by the processor, and PSNR.

Both go from plates and mattes in memory to finished frames in memory, with two workers and OpenCV on one thread in
each. Other work on the machine slows the clock and little else, so the processor's seconds of all threads stand beside
it. Rounds alternate, and every round gives a ratio of its own.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import Any

from recovering.methods import WORKERS, finished, judge, recover_engine, solved
from recovering.shots import Shot
from void_server.engines import Picture
from void_server.scenes import MemoryFrames

GRAINS = ("clean", "source")
LEAST_RATIO = 1.5
"""Frames a second of `recover` over those of the prototype."""
PSNR_SLACK = 0.2
"""dB by which `recover` may fall below the prototype."""


@dataclass(frozen=True)
class Lap:
    """Seconds a frame of one method in one round."""

    wall: float
    processor: float


def timed(frames: int, work: Callable[[], list[Picture]]) -> tuple[list[Picture], Lap]:
    """What the work gives and what it took."""
    wall, processor = time.perf_counter(), time.process_time()
    results = work()
    return results, Lap((time.perf_counter() - wall) / frames, (time.process_time() - processor) / frames)


def by_recover(shot: Shot, grain: str) -> list[Picture]:
    """Finished frames of `recover`."""
    engine = recover_engine(grain)
    frames = MemoryFrames(shot.plates, shot.labels, fills=engine.fills())
    return finished(engine, frames, solved(engine, frames), shot)


def by_prototype(shot: Shot, prototype: ModuleType) -> list[Picture]:
    """Finished frames of the prototype with its own defaults."""
    results: list[Picture] = prototype.Draft(prototype.Cfg(workers=WORKERS)).run(shot.plates, shot.mattes)
    return results


def race(shot: Shot, prototype: ModuleType, rounds: int) -> dict[str, Any]:
    """Run all methods in turn, print a line each, and give the figures."""
    runs: dict[str, Callable[[], list[Picture]]] = {"prototype": lambda: by_prototype(shot, prototype)}
    for grain in GRAINS:
        runs[grain] = lambda grain=grain: by_recover(shot, grain)  # type: ignore[misc]
    laps: dict[str, list[Lap]] = {name: [] for name in runs}
    psnr: dict[str, float] = {}
    for number in range(rounds):
        for name, run in runs.items():
            results, lap = timed(len(shot.plates), run)
            laps[name].append(lap)
            if number == 0:
                psnr[name] = judge(shot, results, 0.0).psnr
    figures: dict[str, Any] = {}
    for name in runs:
        wall, processor = ratios(laps["prototype"], laps[name])
        figures[name] = {
            "psnr": psnr[name],
            "laps": [asdict(lap) for lap in laps[name]],
            "wall_ratio": wall,
            "processor_ratio": processor,
        }
        print(f"{shot.name:12s} {name:10s} {psnr[name]:6.2f} dB   "
              f"clock {statistics.median(lap.wall for lap in laps[name]):.3f} s a frame, x {_with_spread(wall)}   "
              f"processor {statistics.median(lap.processor for lap in laps[name]):.3f} s, x {_with_spread(processor)}",
              flush=True)  # fmt: skip
    return figures


def ratios(first: Sequence[Lap], second: Sequence[Lap]) -> tuple[list[float], list[float]]:
    """How many times faster the second is in each round, by the clock and by the processor."""
    pairs = list(zip(first, second, strict=True))
    return [a.wall / b.wall for a, b in pairs], [a.processor / b.processor for a, b in pairs]


def _with_spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}..{max(values):.2f})"


def verdict(table: dict[str, dict[str, Any]]) -> list[str]:
    """What does not hold, a sentence each."""
    wrong = []
    for shot, figures in table.items():
        clean, least = figures["clean"], figures["prototype"]["psnr"] - PSNR_SLACK
        if clean["psnr"] < least:
            wrong.append(f"{shot}: {clean['psnr']:.2f} dB, {least:.2f} are asked for")
        for kind in ("wall_ratio", "processor_ratio"):
            ratio = statistics.median(clean[kind])
            if ratio < LEAST_RATIO:
                wrong.append(f"{shot}: {kind.removesuffix('_ratio')} ratio {ratio:.2f}, {LEAST_RATIO} is asked for")
    return wrong
