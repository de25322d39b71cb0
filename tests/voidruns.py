"""What tests of the VOID engine run and count with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from numpy.typing import NDArray
from voidshots import RASTER

from void_server.engines import Fill, Unit
from void_server.engines.void import VoidEngine, vae
from void_server.engines.void.memory import Memory
from void_server.scenes import MemoryFrames, MemoryShelf
from void_server.tiles import Box

WHOLE = Box(0, 0, RASTER[1], RASTER[0])


def unit_of(shot: MemoryFrames, **changes: Any) -> Unit:
    return replace(Unit(0, "k" * 32, tuple(shot.numbers), WHOLE), **changes)


def solve(
    engine: VoidEngine, frames: MemoryFrames, unit: Unit | None = None, shelf: MemoryShelf | None = None
) -> dict[int, Fill]:
    told: list[float] = []

    def progress(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
        told.append(done)

    found = engine.solve(unit or unit_of(frames), frames, progress, lambda: False, shelf or MemoryShelf())
    fills = {fill.frame: fill for fill in found}
    assert told == sorted(told) and abs(told[-1] - 1) < 1e-6
    return fills


def same(one: Mapping[int, Fill], other: Mapping[int, Fill]) -> bool:
    return one.keys() == other.keys() and all((one[key].pixels == other[key].pixels).all() for key in one)


def count_encodes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Frames of every run of the VAE's encoder, as they come."""
    seen: list[int] = []
    encode = vae.encode

    def counted(network: Any, pixels: torch.Tensor) -> torch.Tensor:
        seen.append(pixels.shape[2])
        return encode(network, pixels)

    monkeypatch.setattr(vae, "encode", counted)
    return seen


def count_calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Calls of every network, by name."""
    seen: Counter[str] = Counter()
    run = Memory.run

    def counted(self: Memory, name: str, work: Any, warn: Any) -> Any:
        seen[name] += 1
        return run(self, name, work, warn)

    monkeypatch.setattr(Memory, "run", counted)
    return seen


class Watched(MemoryShelf):
    """A shelf that ends the run at a checkpoint, as a kill would."""

    def __init__(self, kill_at: int) -> None:
        super().__init__()
        self.kill_at, self.count = kill_at, 0

    def save_checkpoint(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        super().save_checkpoint(arrays)
        self.count += 1
        if self.count == self.kill_at:
            raise KeyboardInterrupt
