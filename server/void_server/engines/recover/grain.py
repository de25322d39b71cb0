"""How the grain of a fill compares with the plate's."""

from __future__ import annotations

import cv2
import numpy as np

from void_server.engines import Mask, Picture
from void_server.engines.recover.pyramid import reduce
from void_server.tiles import whole_blocks

BLOCK = 8
"""Plate pixels a side of the blocks in which grain is measured."""

QUIET_SHARE = 0.25
"""The blocks with the least detail: in them a high-pass shows grain and little else."""

FEWEST_BLOCKS = 8
"""Blocks below which a quartile says nothing."""


def noise_ratio(encoded: Picture, fill: Mask, ring: Mask) -> float:
    """Noise in the fill over noise of the plate around it: 1 where grain matches, 0 where one cannot be measured."""
    luma = np.asarray(encoded[..., 1], np.float32)
    # The difference of two second derivatives: blind to flat tone and to straight slopes and edges.
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    high = np.abs(np.asarray(cv2.filter2D(luma, -1, kernel, borderType=cv2.BORDER_REFLECT_101), np.float32))
    inside, outside = _quiet_level(high, fill), _quiet_level(high, ring)
    return inside / outside if outside > 1e-9 else 0.0


def _quiet_level(high: Picture, where: Mask) -> float:
    rows, columns = high.shape[0] // BLOCK, high.shape[1] // BLOCK
    if not rows or not columns:
        return 0.0
    area = slice(0, rows * BLOCK), slice(0, columns * BLOCK)
    inner = cv2.erode(where.view(np.uint8), np.ones((3, 3), np.uint8))[area]
    levels = reduce(high[area], (rows, columns))[whole_blocks(inner > 0, BLOCK)]
    return float(np.quantile(levels, QUIET_SHARE)) if len(levels) >= FEWEST_BLOCKS else 0.0
