"""Push-pull: a smooth field through scattered values, by a pyramid of weighted means."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines.recover.pixels import Floats as Floats
from void_server.engines.recover.pixels import times

TINY = np.float32(1e-12)
"""Keeps a weight of nothing divisible; small against one pixel's weight on any pyramid level."""


def spread(values: Floats, weights: Floats) -> Floats:
    """The values where weights are 1, and a smooth continuation of them elsewhere; zero where nothing is known.

    `values` is (h, w) or (h, w, channels up to 3); `weights` is (h, w) in 0..1.
    """
    field = times(values, weights)
    levels: list[tuple[Floats, Floats]] = []
    while max(weights.shape) > 1:
        levels.append((field, weights))
        half = (weights.shape[0] + 1) // 2, (weights.shape[1] + 1) // 2
        field, weights = (np.asarray(cv2.pyrDown(level), np.float32) for level in (field, weights))
        # A coarse pixel with a quarter of its area known counts as known: weights must saturate as they climb,
        # or a small island of values would fade away before it reaches the far side of a large hole.
        weights = weights.reshape(half)
        saturated = np.minimum(np.float32(1), np.float32(4) * weights) / np.maximum(weights, TINY)
        field, weights = times(field.reshape(*half, *values.shape[2:]), saturated), weights * saturated
    field = times(field, np.reciprocal(np.maximum(weights, TINY)))
    for level, weight in reversed(levels):
        wide = np.asarray(cv2.pyrUp(field, dstsize=weight.shape[::-1]), np.float32).reshape(level.shape)
        field = level + times(wide, np.float32(1) - weight)
    return field


def reduce(image: NDArray[Any], size: tuple[int, int]) -> Floats:
    """Area mean at a smaller (height, width)."""
    if image.shape[:2] == size:
        return np.asarray(image, np.float32)
    return np.asarray(
        cv2.resize(np.asarray(image, np.float32), (size[1], size[0]), interpolation=cv2.INTER_AREA), np.float32
    )


def enlarge(image: Floats, size: tuple[int, int]) -> Floats:
    """Linear interpolation to another (height, width), pixel centres kept."""
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def soften(image: Floats, sigma: float) -> Floats:
    """Gaussian blur; sigma in pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def carry_into(values: Floats, known: NDArray[np.bool_], coarse: int) -> Floats:
    """A low-frequency version of values that are known only under a mask, continued over the whole picture.

    `coarse` is the cell size in pixels over which values are averaged first.
    """
    return enlarge(carried(values, known, coarse), (known.shape[0], known.shape[1]))


def carried(values: Floats, known: NDArray[np.bool_], coarse: int) -> Floats:
    """That version in cells, before it is enlarged."""
    height, width = known.shape
    size = max(2, height // coarse), max(2, width // coarse)
    share = reduce(known, size)
    total = reduce(np.asarray(cv2.copyTo(values, known.view(np.uint8))), size)
    mean = np.asarray(total / np.maximum(share, 1e-3)[..., None], np.float32)
    # Cells with less than 30 % known pixels are a few pixels at the very edge of the matte: the least reliable.
    trusted = (share > 0.3).astype(np.float32)
    return soften(spread(mean, trusted), 2.0) if float(trusted.sum()) >= 4 else np.zeros_like(mean)
