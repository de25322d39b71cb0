"""Timing, memory and the work that a forward pass is counted as."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from benching.tables import Table


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


FULL = Size("full", (384, 672), 3072, 42, 85, 197, (30, 50), 3, 10)
TINY = Size("tiny", (32, 48), 32, 2, 85, 101, (2, 2), 1, 2)


@dataclass
class Row:
    """One figure, and what it is to be compared with."""

    stage: str
    name: str
    seconds: float = 0.0
    tflop: float = 0.0
    peak_gib: float = 0.0
    against: float = 0.0
    """How many times sooner than upstream."""
    error: float = 0.0
    """Largest difference from the eager output, relative to its largest value."""
    note: str = ""


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
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    wait(device)
    begun = time.perf_counter()
    work()
    wait(device)
    seconds = time.perf_counter() - begun
    return seconds, torch.cuda.max_memory_reserved(device) / 2**30 if device.type == "cuda" else 0.0


def as_table(rows: list[Row], gemm: float, size: str) -> Table:
    """Rows of figures; `gemm` is the matrix rate of this run in TFLOP/s, 0 where it was not measured."""
    columns = ("stage, what", "ms", "TFLOP/s", "of GEMM", "x floor", "x upstream", "GiB", "differs by", "note")
    made = Table(f"gpu_void.{size}", f"VOID on a GPU, {size} size", columns)
    for row in rows:
        rate = row.tflop / row.seconds if row.seconds and row.tflop else 0.0
        made.add(
            f"{row.stage} {row.name}".strip(),
            1000 * row.seconds or "",
            rate or "",
            f"{rate / gemm:.0%}" if rate and gemm else "",
            gemm / rate if rate and gemm else "",
            row.against or "",
            row.peak_gib or "",
            f"{row.error:.1e}" if row.error else "",
            row.note,
        )
    return made
