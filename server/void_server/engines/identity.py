"""Engines that return what they see: they measure everything around an engine, in tests and benchmarks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from void_plugin.errors import Cancelled
from void_server import windows
from void_server.engines import Engine, EngineLimits, Fill, Frames, IsCancelled, Progress, Shelf, Unit
from void_server.tiles import VOID_RASTER, Box


class IdentityEngine(Engine):
    """Gives the plate back at plate resolution: a patch made with it changes nothing anywhere."""

    name = "identity"

    def limits(self) -> EngineLimits:
        return EngineLimits()

    def solve(
        self, unit: Unit, frames: Frames, progress: Progress, cancelled: IsCancelled, shelf: Shelf
    ) -> Iterator[Fill]:
        for done, frame in enumerate(unit.frames):
            if cancelled():
                raise Cancelled
            box = frames.hole(frame)
            if box is not None:
                pixels = frames.plate(frame, box)
                yield Fill(frame, box, pixels, np.ones(box.size, np.float32), {"coverage": 1.0})
            progress((done + 1) / len(unit.frames), "")


class RasterIdentityEngine(Engine):
    """Gives the plate back through VOID's raster, clip lengths and encoding: shows what those alone cost."""

    name = "identity-raster"

    def limits(self) -> EngineLimits:
        return EngineLimits(raster=VOID_RASTER, lengths=windows.VOID_LENGTHS, encoding="encoded", snaps_grid=True)

    def solve(
        self, unit: Unit, frames: Frames, progress: Progress, cancelled: IsCancelled, shelf: Shelf
    ) -> Iterator[Fill]:
        whole = Box(0, 0, frames.size[1], frames.size[0])
        clip = windows.pad(unit.frames, windows.VOID_LENGTHS)
        # Padding repeats real frames at the end; trimming gives each frame back once.
        for done, frame in enumerate(clip[: len(unit.frames)]):
            if cancelled():
                raise Cancelled
            if frames.hole(frame) is not None:
                pixels = frames.plate(frame, whole)
                yield Fill(frame, whole, pixels, np.zeros(whole.size, np.float32), {"coverage": 0.0})
            progress((done + 1) / len(unit.frames), "")
