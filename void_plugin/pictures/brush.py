"""The mark that a round brush leaves on its way from one point to the next."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST, LARGEST = 0.5, 512.0
"""Radius in pixels of the plate."""

Point = tuple[float, float]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Brush:
    """A round brush; coordinates are those of pixel corners, so a pixel's middle is at a half."""

    radius: float = 24.0
    hardness: float = 0.8
    """Share of the radius that is full; beyond it the mark falls off to 0 at the radius."""

    def limited(self) -> Brush:
        """The same within what is possible."""
        return Brush(min(LARGEST, max(SMALLEST, self.radius)), min(1.0, max(0.0, self.hardness)))

    def reach(self, begin: Point, end: Point) -> Box:
        """The pixels that a line of this brush can touch."""
        far = self.radius + 1
        return (
            math.floor(min(begin[0], end[0]) - far), math.floor(min(begin[1], end[1]) - far),
            math.ceil(max(begin[0], end[0]) + far), math.ceil(max(begin[1], end[1]) + far),
        )  # fmt: skip

    def mark(self, begin: Point, end: Point, box: Box) -> NDArray[np.float32]:
        """How much of each pixel of a box is covered by a line, 0..1."""
        x0, y0, x1, y1 = box
        # From the middle of each pixel to the nearest point of the line.
        x = np.arange(x0, x1, dtype=np.float32)[None] + np.float32(0.5 - begin[0])
        y = np.arange(y0, y1, dtype=np.float32)[:, None] + np.float32(0.5 - begin[1])
        across, down = np.float32(end[0] - begin[0]), np.float32(end[1] - begin[1])
        length = float(across * across + down * down)
        if length > 0:
            along = np.clip((x * across + y * down) / np.float32(length), 0, 1)
            x, y = x - along * across, y - along * down
        distance = np.sqrt(x * x + y * y)
        # At least one pixel of slope, so that the rim of a hard brush is smooth.
        slope = max(1.0, self.radius * (1 - self.hardness))
        fall = np.clip((np.float32(self.radius + 0.5) - distance) / np.float32(slope), 0, 1)
        return np.asarray(fall * fall * (3 - 2 * fall), np.float32)
