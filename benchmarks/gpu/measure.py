"""Timing, memory and the work that a forward pass is counted as."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from benching.figures import Figure
from benching.tables import Cell, Table, Verdict


@dataclass(frozen=True)
class Size:
    """How large everything is."""

    name: str
    raster: tuple[int, int]
    width: int
    """Of the transformer: heads x head dim."""
    blocks: int
    short: int
    """Frames of one window."""
    long: int
    steps: tuple[int, int]
    """Denoising steps of the passes."""
    warm_ups: int
    repeats: int


FULL = Size("full", (384, 672), 3072, 42, 85, 197, (30, 50), 2, 5)
TINY = Size("tiny", (32, 48), 32, 2, 85, 101, (2, 2), 1, 2)


@dataclass(frozen=True)
class Rates:
    """What the device multiplies large matrices at, in TFLOP/s; 0 where that was not measured."""

    burst: float = 0.0
    """For some milliseconds."""
    steady: float = 0.0
    """For seconds on end, when heat and power have their say: what a clip can have at most."""


@dataclass
class Row:
    """One figure, and what it is to be compared with."""

    name: str
    seconds: float = 0.0
    tflop: float = 0.0
    peak_gib: float = 0.0
    against: float = 0.0
    """How many times sooner than upstream."""
    error: float = 0.0
    """Largest difference from the eager output, relative to its largest value."""
    note: str = ""
    verdicts: tuple[Verdict, ...] = ()

    @property
    def rate(self) -> float:
        """TFLOP/s; 0 where work or time is not known."""
        return self.tflop / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        return f"{self.name}: {1000 * self.seconds:,.1f} ms, {self.peak_gib:.1f} GiB {self.note}"


def tflop(size: Size, latents: int, batch: int) -> float:
    """Work of one forward pass: 24 d^2 N + 4 N^2 d a block, in 10^12 operations (performance.md 1.2)."""
    tokens = latents // 2 * (size.raster[0] // 16) * (size.raster[1] // 16) + 226
    return batch * size.blocks * (24 * size.width**2 * tokens + 4 * tokens**2 * size.width) / 1e12


def wait(device: torch.device) -> None:
    """Until the device has done everything that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def median_seconds(work: Callable[[], Any], device: torch.device, size: Size) -> float:
    """Median time of a call after some to warm up; by device events on a GPU."""
    for _ in range(size.warm_ups):
        work()
    wait(device)
    found = []
    for _ in range(size.repeats):
        if device.type == "cuda":
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            work()
            end.record()
            torch.cuda.synchronize(device)
            found.append(begin.elapsed_time(end) / 1000)
        else:
            begun = time.perf_counter()
            work()
            found.append(time.perf_counter() - begun)
    return statistics.median(found)


def once(work: Callable[[], Any], device: torch.device) -> tuple[float, float]:
    """Seconds of one call by the clock, and the most memory that it had, in GiB; 0 on a CPU."""
    gc.collect()  # a network that nobody has any more may still hold a third of what is to be measured
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    wait(device)
    begun = time.perf_counter()
    work()
    wait(device)
    seconds = time.perf_counter() - begun
    return seconds, torch.cuda.max_memory_reserved(device) / 2**30 if device.type == "cuda" else 0.0


def judged(what: str, value: float, limit: float, *, least: bool = False) -> tuple[Verdict, ...]:
    """The verdict on a figure; none where it was not measured."""
    return (Verdict(what, Figure((value,)), limit, least=least),) if value else ()


def as_table(stage: str, title: str, rows: list[Row], rates: Rates, size: str) -> Table:
    """The rows of a stage, without columns that none of them fills; floors are the counted work at either rate."""
    found: dict[str, list[Cell]] = {
        "what": [row.name for row in rows],
        "ms": [1000 * row.seconds or "" for row in rows],
        "TFLOP/s": [row.rate or "" for row in rows],
        "of burst rate": [f"{row.rate / rates.burst:.0%}" if row.rate and rates.burst else "" for row in rows],
        "x floor": [rates.burst / row.rate if row.rate and rates.burst else "" for row in rows],
        "x steady floor": [rates.steady / row.rate if row.rate and rates.steady else "" for row in rows],
        "x upstream": [row.against or "" for row in rows],
        "GiB": [row.peak_gib or "" for row in rows],
        "differs by": [f"{row.error:.1e}" if row.error else "" for row in rows],
        "note": [row.note for row in rows],
    }
    filled = {name: cells for name, cells in found.items() if any(cell != "" for cell in cells)}
    made = Table(f"gpu_void.{size}.{stage}", f"VOID on a GPU, {size} size: {title}", list(filled))
    for cells in zip(*filled.values(), strict=True):
        made.add(*cells)
    made.verdicts += [verdict for row in rows for verdict in row.verdicts]
    return made
