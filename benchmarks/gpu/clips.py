"""Stages D, E and M: whole clips through the product's engine, and through upstream."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch

from gpu.kernels import NOT_HERE
from gpu.measure import Row, Size, judged, once
from gpu.upstream import Upstream
from void_plugin.config import Config
from void_plugin.settings import RenderSettings
from void_server.engines import AFFECTED, KEEP, REMOVE, Kept, Setup, Unit
from void_server.engines.void import VoidEngine
from void_server.scenes import MemoryFrames, MemoryShelf
from void_server.tiles import Box

PROMPT = "an empty street at dusk"
LEAST = {"as shipped": 1.8, "resident and warm": 1.2}
"""How many times sooner than upstream the first pass is to be."""
MOST_GIB = 20.0
"""What the mode offload may take at most."""
WARM = (2, 2)
"""Steps of what only warms up."""


def clip(size: Size, count: int) -> MemoryFrames:
    """A blurred texture that moves, behind a square that moves otherwise, with something affected below it."""
    height, width = size.raster
    texture = cv2.GaussianBlur(np.random.default_rng(1).random((height, width + count, 3), np.float32), (0, 0), 3)
    texture = (texture - texture.min()) / np.ptp(texture)
    plates = np.stack([texture[:, index : index + width] for index in range(count)])
    labels = np.full((count, height, width), KEEP, np.uint8)
    for index in range(count):
        x = (index * 3) % (width // 2)
        labels[index, height // 4 : height // 2, x : x + width // 4] = REMOVE
        labels[index, height // 2 : height * 3 // 4, x : x + width // 4] = AFFECTED
    return MemoryFrames(plates, labels, fills=(REMOVE, AFFECTED))


def solve(
    size: Size, machine: Config, kept: Kept, frames: MemoryFrames, steps: tuple[int, int], passes: int = 1
) -> Callable[[], Any]:
    """One clip through the engine, from frames in memory to fills in memory."""
    height, width = size.raster
    settings = RenderSettings(
        void_raster=f"{width}x{height}", void_steps=steps[0], void_pass2_steps=steps[1], void_passes=passes
    )
    setup = Setup(settings, prompt=PROMPT, workers=os.cpu_count() or 1, machine=machine, kept=kept)
    unit = Unit(0, "clip", tuple(frames.numbers), Box(0, 0, width, height))

    def progress(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
        """Hears nothing."""

    return lambda: list(VoidEngine(setup).solve(unit, frames, progress, lambda: False, MemoryShelf()))


def whole(count: int, size: Size, machine: Config, upstream: Upstream | None) -> Iterator[Row]:
    """Stage D (one window) or E (a long clip): the first pass, ours against upstream."""
    device, frames = torch.device(machine.device), clip(size, count)
    label = f"{count} frames, pass 1, {size.steps[0]} steps"
    theirs: dict[str, float] = {}
    for name in LEAST if upstream is not None else ():
        try:
            row = _clip_of(upstream, f"{label}, upstream, {name}", size, count, 1, name != "as shipped")
        except (torch.OutOfMemoryError, *NOT_HERE) as error:
            yield Row(f"{label}, upstream, {name}", note=f"failed: {str(error)[:80]}")
        else:
            theirs[name] = row.seconds
            yield row
    kept = Kept()
    cold, _ = once(solve(size, machine, kept, frames, size.steps), device)
    yield Row(f"{label}, ours, with loading", cold)
    seconds, peak = once(solve(size, machine, kept, frames, size.steps), device)
    yield _against(f"{label}, ours", seconds, peak, theirs, size)
    del kept
    kept, quick = Kept(), replace(machine, compile=True)
    first, _ = once(solve(size, quick, kept, frames, WARM), device)
    seconds, peak = once(solve(size, quick, kept, frames, size.steps), device)
    row = _against(f"{label}, ours, compiled", seconds, peak, theirs, size)
    row.note = f"loading, compiling and {WARM[0]} steps {first:.1f} s"
    yield row


def _against(label: str, seconds: float, peak: float, theirs: Mapping[str, float], size: Size) -> Row:
    row = Row(label, seconds, 0, peak, theirs.get("resident and warm", 0.0) / seconds)
    for name, least in LEAST.items() if size.name == "full" else ():
        times = theirs.get(name, 0.0) / seconds
        row.verdicts += judged(f"{label}, times sooner than upstream {name}", times, least, least=True)
    return row


def second(size: Size, machine: Config, upstream: Upstream | None) -> Iterator[Row]:
    """Stage P: what a second pass adds, with guidance. Upstream's is given its noise, and can do one window at most."""
    device, kept = torch.device(machine.device), Kept()
    for count in (size.short, size.long):
        frames, label = clip(size, count), f"{count} frames, pass 2, {size.steps[1]} steps"
        once(solve(size, machine, kept, frames, WARM, 2), device)
        first, _ = once(solve(size, machine, kept, frames, WARM), device)
        both, peak = once(solve(size, machine, kept, frames, (WARM[0], size.steps[1]), 2), device)
        ours = Row(f"{label}, ours", both - first, 0, peak)
        if count == size.short and upstream is not None:
            try:
                theirs = _clip_of(upstream, f"{label}, upstream, resident and warm", size, count, 2, True)
            except (torch.OutOfMemoryError, *NOT_HERE) as error:
                theirs = Row(f"{label}, upstream", note=f"failed: {str(error)[:80]}")
            else:
                ours.against = theirs.seconds / ours.seconds
            yield theirs
        yield ours


def _clip_of(upstream: Upstream, label: str, size: Size, count: int, number: int, resident: bool) -> Row:
    """One clip through upstream; as shipped it loads everything for each, and that counts."""
    made: list[Any] = []
    loading, _ = once(lambda: made.append(upstream.pipeline(number, resident)), upstream.device)
    if resident:
        once(upstream.run(made[0], number, count, size.raster, WARM[0]), upstream.device)
    steps = size.steps[number - 1]
    seconds, peak = once(upstream.run(made[0], number, count, size.raster, steps), upstream.device)
    if resident:
        return Row(label, seconds, 0, peak, note=f"loading {loading:.1f} s")
    return Row(label, seconds + loading, 0, peak, note=f"loading {loading:.1f} s, counted")


def modes(size: Size, machine: Config, names: Sequence[str]) -> Iterator[Row]:
    """Stage M: the most memory that each mode takes, at two steps, which take as much as fifty."""
    device, frames = torch.device(machine.device), clip(size, size.short)
    for mode in names:
        kept = Kept()
        try:
            seconds, peak = once(solve(size, replace(machine, memory=mode), kept, frames, WARM, 2), device)
        except (torch.OutOfMemoryError, *NOT_HERE) as error:
            yield Row(f"memory mode {mode}", note=f"failed: {str(error)[:80]}")
            continue
        row = Row(f"memory mode {mode}", seconds, 0, peak)
        if mode == "offload" and size.name == "full":
            row.verdicts = judged("GiB in the mode offload", peak, MOST_GIB)
        yield row
        del kept
