"""Boxes, the ROI of a shot, and fitting a box of plate pixels to an engine's raster and back."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.resample import Method, Picture, resampled

VOID_RASTER = (384, 672)
"""(height, width) that VOID was trained and is run at (Netflix/void-model, config)."""
ROI_CONTEXT = 1.4
"""ROI side against the side of what changes: VOID needs surroundings to understand the scene (image.md 3.3)."""
ROI_MARGIN = 64
"""At least this many raster pixels of surroundings on each side (image.md 3.3)."""
WHOLE_FRAME_SHARE = 0.7
"""An ROI above this share of the frame becomes the whole frame: little detail is left to win (image.md 3.3)."""
STRIP = 1 << 14
"""Pixels worked on at once: with three channels in float32, 192 KiB for each array."""


@dataclass(frozen=True)
class Box:
    """An integer rectangle, y down; `x1` and `y1` are one past the last pixel. Never empty."""

    x0: int
    y0: int
    x1: int
    y1: int

    def __post_init__(self) -> None:
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise ValueError(f"empty box {self}")

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Pixels down."""
        return self.y1 - self.y0

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def area(self) -> int:
        """Pixels in all."""
        return self.width * self.height

    @property
    def rows(self) -> slice:
        """The rows of this box in an array whose first pixel is (0, 0)."""
        return slice(self.y0, self.y1)

    @property
    def columns(self) -> slice:
        """The columns of this box in an array whose first pixel is (0, 0)."""
        return slice(self.x0, self.x1)

    def moved(self, dx: int, dy: int) -> Box:
        """The same box shifted."""
        return Box(self.x0 + dx, self.y0 + dy, self.x1 + dx, self.y1 + dy)

    def grown(self, pixels: int) -> Box:
        """The box with `pixels` more on every side."""
        return Box(self.x0 - pixels, self.y0 - pixels, self.x1 + pixels, self.y1 + pixels)

    def snapped(self, step: int) -> Box:
        """The smallest box around it whose corners lie at multiples of `step`."""
        x0, y0, x1, y1 = self.x0 // step, self.y0 // step, -(-self.x1 // step), -(-self.y1 // step)
        return Box(x0 * step, y0 * step, x1 * step, y1 * step)

    def within(self, other: Box) -> Box | None:
        """The overlap with another box, or None where there is none."""
        x0, y0 = max(self.x0, other.x0), max(self.y0, other.y0)
        x1, y1 = min(self.x1, other.x1), min(self.y1, other.y1)
        return Box(x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    def joined(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))

    def holds(self, other: Box) -> bool:
        """True where the other box lies inside this one."""
        return self.x0 <= other.x0 and self.y0 <= other.y0 and other.x1 <= self.x1 and other.y1 <= self.y1


def box_of(mask: NDArray[np.bool_], origin: tuple[int, int] = (0, 0)) -> Box | None:
    """The smallest box around the true pixels of a mask whose first pixel is at `origin` (x, y)."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return box.moved(*origin)


def whole_blocks(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Which blocks of `side` by `side` pixels a mask covers entirely; its own sides are multiples of that."""
    rows = mask[::side]
    for row in range(1, side):
        rows = rows & mask[row::side]
    blocks = rows[:, ::side]
    for column in range(1, side):
        blocks = blocks & rows[:, column::side]
    return blocks


def strips(size: tuple[int, int]) -> Iterator[slice]:
    """Runs of rows so few that what is made of them step by step stays in a processor's own cache."""
    rows = max(1, STRIP // max(1, size[1]))
    return (slice(top, min(top + rows, size[0])) for top in range(0, size[0], rows))


def overlap(area: Box, box: Box | None) -> tuple[Box, Box] | None:
    """What two boxes share, counted from the first pixel of the one and of the other; None where nothing."""
    shared = None if box is None else area.within(box)
    if box is None or shared is None:
        return None
    return shared.moved(-area.x0, -area.y0), shared.moved(-box.x0, -box.y0)


def onto(values: NDArray[np.float32], box: Box, area: Box) -> NDArray[np.float32]:
    """Values of a box on an area, 0 where they do not reach."""
    out = np.zeros((*area.size, *values.shape[2:]), np.float32)
    if (both := overlap(area, box)) is not None:
        to, take = both
        out[to.rows, to.columns] = values[take.rows, take.columns]
    return out


def plan_roi(changed: Box, canvas: Box, raster: tuple[int, int], pixel_aspect: float) -> Box:
    """The one box of a shot that a raster engine sees: what changes, with context, at the raster's aspect.

    Grows inside the canvas, so no side is invented where the plate has pixels; snapped to even pixels. Never
    smaller than the raster, so the plate is never enlarged into the model (unless the canvas itself is smaller).
    """
    high, wide = raster
    # Plate pixels are `pixel_aspect` wide: circles stay circles on the raster when the box is that much narrower.
    aspect = wide / high / pixel_aspect
    width, height = changed.width * ROI_CONTEXT, changed.height * ROI_CONTEXT
    # Margin in raster pixels is a share of the box: solve box = changed + 2 * margin * box / raster.
    width = max(width, changed.width / (1 - 2 * ROI_MARGIN / wide))
    height = max(height, changed.height / (1 - 2 * ROI_MARGIN / high))
    width, height = max(width, height * aspect, wide), max(height, width / aspect, high)
    width, height = max(width, height * aspect), max(height, width / aspect)
    if width * height > WHOLE_FRAME_SHARE * canvas.area:
        return canvas
    x0, x1 = _side(changed.x0, changed.x1, math.ceil(width), canvas.x0, canvas.x1)
    y0, y1 = _side(changed.y0, changed.y1, math.ceil(height), canvas.y0, canvas.y1)
    return Box(x0, y0, x1, y1)


def _side(first: int, last: int, length: int, low: int, high: int) -> tuple[int, int]:
    """An even-length run around [first, last) inside [low, high), moved rather than cut where it fits."""
    length = min(length + length % 2, high - low)
    start = (first + last - length) // 2
    start = min(max(start, low), high - length)
    return start, start + length


def fit(picture: Picture, raster: tuple[int, int]) -> Picture:
    """A picture resampled to the raster with half-pixel centres; area mean where it shrinks (as upstream's loader)."""
    high, wide = picture.shape[:2]
    if high >= raster[0] and wide >= raster[1]:
        return np.asarray(cv2.resize(picture, (raster[1], raster[0]), interpolation=cv2.INTER_AREA), np.float32)
    return enlarged(picture, raster, method="cubic")


def unfit(picture: Picture, size: tuple[int, int], box: Box | None = None) -> Picture:
    """The way back from the raster to (height, width) plate pixels, or to a box of them: cubic on the inverse grid."""
    return enlarged(picture, size, box, "cubic")


def enlarged(maps: Picture, size: tuple[int, int], box: Box | None = None, method: Method = "linear") -> Picture:
    """A picture, or any map (height, width[, channels]), at (height, width) pixels; of those only a box where given.

    Equal, bit for bit, to that box of the whole. Where an axis shrinks it is averaged by area. Raises ValueError
    where the box reaches beyond the whole.
    """
    whole = Box(0, 0, size[1], size[0])
    box = box or whole
    if not whole.holds(box):
        raise ValueError(f"{box} reaches beyond {whole}")
    return resampled(maps, size, box.rows, box.columns, method)
