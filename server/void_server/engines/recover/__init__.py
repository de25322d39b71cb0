"""`recover` fills a hole with real pixels of other frames, on any CPU and without weights.

It invents only what no frame shows, and says how much that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import Cancelled
from void_server.engines import (
    AFFECTED,
    OVERLAP,
    REMOVE,
    Engine,
    EngineLimits,
    Fill,
    Frames,
    IsCancelled,
    Mask,
    Progress,
    Shelf,
    Tell,
    Unit,
)
from void_server.engines.recover.grain import noise_ratio
from void_server.engines.recover.invent import invent
from void_server.engines.recover.pixels import pasted
from void_server.engines.recover.reveal import complete, reveal
from void_server.engines.recover.shot import Shot
from void_server.engines.recover.survey import survey
from void_server.engines.recover.tone import decode

LARGEST_LIGHT = 65504.0
"""The largest half float: no file of the trade holds more."""


class RecoverEngine(Engine):
    """Looks behind the object by following the camera through the shot."""

    name = "recover"

    def limits(self) -> EngineLimits:
        return EngineLimits()

    def fills(self) -> tuple[int, ...]:
        if self.settings.recover_affected == "fill":
            return (REMOVE, OVERLAP, AFFECTED)
        return (REMOVE, OVERLAP)

    def analyse(self, frames: Frames, progress: Tell, cancelled: IsCancelled) -> dict[str, NDArray[Any]]:
        _one_thread()
        shot = survey(frames, self.fills(), self.setup.workers, progress, cancelled)
        if not self.setup.invents:
            progress(1.0, "analysed")
            return shot.to_arrays()
        progress(0.6, "looking for what no frame shows")
        shot = invent(
            shot, frames, self.fills(), self._single, self.settings.seed, self.setup.workers,
            lambda share, text: progress(0.6 + 0.4 * share, text), cancelled,
        )  # fmt: skip
        progress(1.0, "analysed")
        return shot.to_arrays()

    def solve(
        self, unit: Unit, frames: Frames, progress: Progress, cancelled: IsCancelled, shelf: Shelf
    ) -> Iterator[Fill]:
        _one_thread()
        shot = Shot.from_arrays(frames.analysis, frames)
        for index, frame in enumerate(unit.frames):
            if cancelled():
                raise Cancelled
            revealed = reveal(shot, frames, shot.position(frame), self.fills(), self._single, cancelled)
            if revealed is not None:
                coded = complete(revealed)
                linear = decode(coded, shot.knee)
                np.clip(linear, -LARGEST_LIGHT, LARGEST_LIGHT, out=linear)
                linear = pasted(linear, revealed.hole, frames.plate(frame, revealed.box))
                facts = {
                    "coverage": revealed.coverage,
                    "sources": float(revealed.sources),
                    "planes": float(revealed.planes),
                    "ring_error": revealed.ring_error,
                    "grain_left": revealed.grain,
                    "noise_ratio": noise_ratio(coded, revealed.real, revealed.ring),
                }
                # Outside the hole nothing is ever used; its plate pixels are as real as can be.
                confidence = _confidence(revealed.hole, revealed.real)
                yield Fill(frame, revealed.box, linear, confidence, facts)
            progress((index + 1) / len(unit.frames), f"frame {frame}")

    @property
    def _single(self) -> bool:
        return self.settings.recover_grain == "source"


def _confidence(hole: Mask, real: Mask) -> NDArray[np.float32]:
    return np.where(hole, real, True).astype(np.float32)


def _one_thread() -> None:
    # OpenCV cuts flow into one stripe per thread and rounds at their borders: with any other count the pixels
    # would depend on the machine. Frames run side by side instead.
    cv2.setNumThreads(1)
