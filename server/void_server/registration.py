"""By how much a generated picture lies beside its plate, smoothly over the raster and the same for a whole take.

Resampling inside a model, or the model itself, can displace everything by part of a pixel, which doubles edges at the
seam. It is measured where nothing was asked, by least squares on gradients summed over wide windows and all frames
(Lucas and Kanade, IJCAI 1981), and carried across what was generated.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CELL = 16
"""Raster pixels of a cell of the grid that a displacement is kept as."""
WINDOWS = (96.0, 24.0, 24.0)
"""Gaussian sigmas in raster pixels of the windows: first one motion for large parts, then what is left in smaller."""
BLUR = 1.0
"""Gaussian sigma in raster pixels before gradients are taken: displacements of a pixel must lie within their reach."""
LEAST_LIGHT = 2e-6
"""Gradient energy, in squared code values, below which a window says nothing; it then keeps what the wider one said."""
LARGEST = 2.0
"""Raster pixels; what lies farther off is other content."""
WORTHWHILE = 0.97
"""Share of the difference that may be left for a displacement to be taken at all."""
OUTLIER = 3.0
"""Times the usual difference beyond which a pixel shows other content."""


def displacement(pictures: Sequence[Floats], plates: Sequence[Floats], masks: Sequence[NDArray[np.bool_]]) -> Floats:
    """The grid (rows, columns, 2) of x and y by which each picture must be sampled farther on to meet its plate.

    Only pixels of the masks count. Zero where nothing is to be won.
    """
    high, wide = pictures[0].shape[:2]
    nothing = np.zeros((-(-high // CELL), -(-wide // CELL), 2), np.float32)
    grid = nothing
    targets = [_grey(plate) for plate in plates]
    for window in WINDOWS:
        grid = grid + _step(pictures, targets, masks, grid, window)
        grid = np.clip(grid, -LARGEST, LARGEST).astype(np.float32)
    before, after = (_left(pictures, targets, masks, each) for each in (nothing, grid))
    return grid if after < WORTHWHILE * before else nothing


def displaced(picture: Floats, grid: Floats, scale: int = 1) -> Floats:
    """A picture sampled as a grid says; `scale` is how much finer than the grid's raster it is."""
    if not grid.any():
        return picture
    high, wide = picture.shape[:2]
    field = _over(grid, (high, wide), scale)
    y, x = np.mgrid[0:high, 0:wide].astype(np.float32)
    moved = cv2.remap(picture, x + field[..., 0], y + field[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def _step(
    pictures: Sequence[Floats],
    targets: Sequence[Floats],
    masks: Sequence[NDArray[np.bool_]],
    grid: Floats,
    window: float,
) -> Floats:
    """What a grid lacks: per window the displacement that explains most of what is left."""
    size = grid.shape[:2]
    sums = np.zeros((*size, 5), np.float64)
    for picture, target, mask in zip(pictures, targets, masks, strict=True):
        source = _grey(displaced(picture, grid))
        left = target - source
        weight = mask * (np.abs(left) <= OUTLIER * max(float(np.abs(left[mask]).mean()), 1e-6))
        across = cv2.Sobel(source, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
        down = cv2.Sobel(source, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
        products = np.dstack([across * across, across * down, down * down, across * left, down * left])
        cells = cv2.resize(np.ascontiguousarray((products * weight[..., None])[..., :4]), size[::-1],
                           interpolation=cv2.INTER_AREA)  # fmt: skip
        last = cv2.resize(products[..., 4] * weight, size[::-1], interpolation=cv2.INTER_AREA)
        sums += np.dstack([cells, last])
    sums /= len(pictures)
    smooth = np.dstack([cv2.GaussianBlur(part, (0, 0), window / CELL) for part in np.moveaxis(sums, -1, 0)])
    xx, xy, yy, x, y = np.moveaxis(smooth, -1, 0)
    xx, yy = xx + LEAST_LIGHT, yy + LEAST_LIGHT
    determinant = xx * yy - xy * xy
    found = np.dstack([yy * x - xy * y, xx * y - xy * x]) / determinant[..., None]
    return np.asarray(found, np.float32)


def _left(
    pictures: Sequence[Floats], targets: Sequence[Floats], masks: Sequence[NDArray[np.bool_]], grid: Floats
) -> float:
    """Mean difference that a grid leaves."""
    parts = [
        float(np.abs(target - _grey(displaced(picture, grid)))[mask].mean())
        for picture, target, mask in zip(pictures, targets, masks, strict=True)
    ]
    return float(np.mean(parts))


def _grey(picture: Floats) -> Floats:
    smooth = cv2.GaussianBlur(picture.mean(axis=-1), (0, 0), BLUR, borderType=cv2.BORDER_REPLICATE)
    # Slow differences are colour, which must not be taken for motion.
    return np.asarray(smooth - cv2.GaussianBlur(smooth, (0, 0), 8 * BLUR, borderType=cv2.BORDER_REPLICATE), np.float32)


def _over(grid: Floats, size: tuple[int, int], scale: int) -> Floats:
    field = cv2.resize(grid, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(field, (0, 0), CELL * scale / 4) * np.float32(scale), np.float32)
