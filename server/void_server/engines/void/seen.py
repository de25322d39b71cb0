"""What VOID is shown of a unit at one size: plates and labels, the unit's own and those that another delivers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from void_server.engines import KEEP, Frames
from void_server.engines.void.options import OVERLAP_FRAMES
from void_server.tiles import Box

Pictures = NDArray[np.float32]
"""(frames, H, W, 3) in 0..1."""


@dataclass(frozen=True)
class Seen:
    """The frames of one clip before they are padded; read once, when they are first asked for."""

    frames: Frames
    numbers: tuple[int, ...]
    """The frames shown, those that another unit delivers first."""
    lead: int
    """How many another unit delivers."""
    known: Pictures | None
    """These as that unit has left them, with nothing to remove; None where no unit is continued."""
    stop: Callable[[], None]
    """Called before every frame that is read; raises to stop."""

    @cached_property
    def plates(self) -> Pictures:
        """All frames, the known ones as they were left."""
        plates = np.stack([self._read(number) for number in self.numbers])
        if self.known is not None:
            plates[: self.lead] = self.known
        return plates

    @cached_property
    def labels(self) -> NDArray[np.uint8]:
        """(frames, H, W) quadmasks."""
        labels = np.stack([self.frames.labels(number, self._whole) for number in self.numbers])
        if self.known is not None:
            labels[: self.lead] = KEEP
        return labels

    def left(self, result: Pictures) -> Pictures:
        """The last frames as a unit that goes on from a result has to see them: the plate where nothing changes."""
        last = slice(-OVERLAP_FRAMES, None)
        changed = (self.labels[last] != KEEP)[..., None]
        return np.where(changed, result[last], self.plates[last])

    def _read(self, number: int) -> Pictures:
        self.stop()
        return self.frames.plate(number, self._whole)

    @property
    def _whole(self) -> Box:
        height, width = self.frames.size
        return Box(0, 0, width, height)
