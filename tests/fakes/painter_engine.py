"""An engine for tests of stitching and of real pixels: it generates a picture that is easy to recognise.

Everything labelled becomes grey, the rest is the plate, and all of it has a colour cast, as a model would return it.
Every solve is counted by a line in the file that the prompt names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from void_server.engines import KEEP, Engine, EngineLimits, Fill, Frames, IsCancelled, Progress, Shelf, Unit
from void_server.tiles import Box
from void_server.windows import ClipLengths

RASTER = (64, 112)
GREY = 0.5
CAST = (0.03, 0.0, -0.02)


class PainterEngine(Engine):
    """Paints what is to go in grey."""

    name = "painter"

    def limits(self) -> EngineLimits:
        return EngineLimits(
            raster=RASTER, lengths=ClipLengths(1, 1, 8), overlap=2, generates=True, encoding="encoded", snaps_grid=True
        )

    def solve(
        self, unit: Unit, frames: Frames, progress: Progress, cancelled: IsCancelled, shelf: Shelf
    ) -> Iterator[Fill]:
        if self.setup.prompt:
            with Path(self.setup.prompt).open("a", encoding="utf-8") as stream:
                stream.write(f"{unit.index}\n")
        whole = Box(0, 0, frames.size[1], frames.size[0])
        for done, frame in enumerate(unit.frames):
            if frames.hole(frame) is not None:
                labels = frames.labels(frame, whole)[..., None]
                shown = np.where(labels == KEEP, frames.plate(frame, whole), np.float32(GREY))
                picture = (shown + np.float32(CAST)).astype(np.float32)
                yield Fill(frame, whole, np.clip(picture, 0, 1), np.zeros(whole.size, np.float32), {"coverage": 0.0})
            progress((done + 1) / len(unit.frames), "")
