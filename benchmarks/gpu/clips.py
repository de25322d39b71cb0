"""Stages D, E and M: whole clips through the product's engine, and through upstream."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from gpu.kernels import NOT_HERE
from gpu.measure import Row, Size, once
from gpu.upstream import Upstream
from void_plugin.config import Config
from void_plugin.settings import RenderSettings
from void_server.engines import AFFECTED, KEEP, REMOVE, Kept, Setup, Unit
from void_server.engines.void import VoidEngine
from void_server.scenes import MemoryFrames, MemoryShelf
from void_server.tiles import Box

PROMPT = "an empty street at dusk"
TARGETS = {"as shipped": 1.8, "resident and warm": 1.2}
"""How many times sooner than upstream the first pass is to be."""
MOST_GIB = 20.0
"""What the mode offload may take at most."""


def clip(size: Size, count: int) -> MemoryFrames:
    """Noise behind a square that moves, with something affected below it."""
    height, width = size.raster
    plates = np.random.default_rng(1).random((count, height, width, 3), np.float32)
    labels = np.full((count, height, width), KEEP, np.uint8)
    for index in range(count):
        x = (index * 3) % (width // 2)
        labels[index, height // 4 : height // 2, x : x + width // 4] = REMOVE
        labels[index, height // 2 : height * 3 // 4, x : x + width // 4] = AFFECTED
    return MemoryFrames(plates, labels, fills=(REMOVE, AFFECTED))


def solve(size: Size, machine: Config, kept: Kept, frames: MemoryFrames, **changes: Any) -> Callable[[], Any]:
    """One clip through the engine, from frames in memory to fills in memory."""
    height, width = size.raster
    steps = {"void_steps": size.steps[0], "void_pass2_steps": size.steps[1]}
    settings = RenderSettings(**{"void_raster": f"{width}x{height}", **steps, **changes.pop("settings", {})})
    setup = Setup(settings, prompt=changes.pop("prompt", PROMPT), machine=replace(machine, **changes), kept=kept)
    unit = Unit(0, "clip", tuple(frames.numbers), Box(0, 0, width, height))

    def progress(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
        """Hears nothing."""

    return lambda: list(VoidEngine(setup).solve(unit, frames, progress, lambda: False, MemoryShelf()))


def whole(stage: str, size: Size, machine: Config, kept: Kept, upstream: Upstream | None) -> list[Row]:
    """Stage D (one window) or E (a long clip): both passes, ours against upstream."""
    count = size.short if stage == "D" else size.long
    device, rows = torch.device(machine.device), []
    frames = clip(size, count)
    theirs = _upstream(stage, size, count, upstream, rows)
    cold, _ = once(solve(size, machine, kept, frames), device)
    rows.append(Row(stage, f"{count} frames, pass 1, ours, with loading", cold))
    seconds, peak = once(solve(size, machine, kept, frames), device)
    for name, target in TARGETS.items():
        against = theirs.get(name, 0.0) / seconds
        met = f"target {target}: {'met' if against >= target else 'MISSED'}" if against and size.name == "full" else ""
        rows.append(Row(stage, f"{count} frames, pass 1, ours against {name}", seconds, 0, peak, against, note=met))
    both = {"settings": {"void_passes": 2}}
    solve(size, machine, kept, frames, **both)()
    for name, prompt in (("with a prompt", PROMPT), ("without a prompt", "")):
        total, peak = once(solve(size, machine, kept, frames, prompt=prompt, **both), device)
        against = theirs.get("pass 2", 0.0) / (total - seconds) if total > seconds else 0.0
        note = f"pass 2 alone {total - seconds:.2f} s"
        rows.append(Row(stage, f"{count} frames, both passes, ours, {name}", total, 0, peak, against, note=note))
    return rows


def _upstream(stage: str, size: Size, count: int, upstream: Upstream | None, rows: list[Row]) -> dict[str, float]:
    """Upstream's seconds by what was run; a second pass beyond one window is more than it can do."""
    found: dict[str, float] = {}
    if upstream is None:
        return found
    cases = [("as shipped", 1, False), ("resident and warm", 1, True)] + ([("pass 2", 2, True)] if stage == "D" else [])
    for name, number, resident in cases:
        label = f"{count} frames, upstream, {name}"
        try:
            rows.append(_clip_of(upstream, label, stage, size, count, number, resident))
        except (torch.OutOfMemoryError, *NOT_HERE) as error:
            rows.append(Row(stage, label, note=f"failed: {str(error)[:80]}"))
            continue
        finally:
            gc.collect()
        found[name] = rows[-1].seconds
    return found


def _clip_of(upstream: Upstream, label: str, stage: str, size: Size, count: int, number: int, resident: bool) -> Row:
    """One clip through upstream; as shipped it loads everything for each, and that counts."""
    made: list[Any] = []
    loading, _ = once(lambda: made.append(upstream.pipeline(number, resident)), upstream.device)
    work = upstream.run(made[0], number, count, size.raster, size.steps[number - 1])
    seconds, peak = once(work, upstream.device)
    if resident:
        seconds, peak = once(work, upstream.device)
        return Row(stage, label, seconds, 0, peak, note=f"loading {loading:.1f} s")
    return Row(stage, label, seconds + loading, 0, peak, note=f"loading {loading:.1f} s, counted")


def modes(size: Size, machine: Config) -> list[Row]:
    """Stage M: the most memory that each mode takes, at two steps, which take as much as fifty."""
    device, rows = torch.device(machine.device), []
    frames = clip(size, size.short)
    few = {"settings": {"void_passes": 2, "void_steps": 2, "void_pass2_steps": 2}}
    for mode in ("full", "swap", "offload", "fp8"):
        kept = Kept()
        try:
            seconds, peak = once(solve(size, machine, kept, frames, memory=mode, **few), device)
        except (torch.OutOfMemoryError, *NOT_HERE) as error:
            rows.append(Row("M", f"memory mode {mode}", note=f"failed: {str(error)[:80]}"))
            continue
        note = ""
        if mode == "offload" and size.name == "full":
            note = f"target {MOST_GIB:.0f} GiB: {'met' if peak <= MOST_GIB else 'MISSED'}"
        rows.append(Row("M", f"memory mode {mode}", seconds, 0, peak, note=note))
        del kept
        gc.collect()
    return rows
