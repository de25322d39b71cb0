"""The few operations on pictures that stitching is made of, so that one text of it runs on a CPU and on a GPU.

PixelMath are (height, width, channels), float32. Arithmetic, comparison and slicing are those of the array's own
library; whatever numpy and torch do differently is a method here. Borders continue the nearest pixel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Field = Any
"""A (height, width, channels) array of the library that an `PixelMath` stands for."""


class PixelMath(ABC):
    """What numpy and torch do in different ways."""

    @abstractmethod
    def take(self, pixels: NDArray[Any]) -> Field:
        """The same values as float32 on this device; (height, width) gets one channel."""

    @abstractmethod
    def give(self, field: Field) -> NDArray[np.float32]:
        """The same values in numpy's memory."""

    @abstractmethod
    def gaussian(self, field: Field, sigma: float) -> Field:
        """A Gaussian blur, out to four sigma."""

    @abstractmethod
    def halved(self, field: Field) -> Field:
        """Means of two by two pixels; an odd last row or column counts twice."""

    @abstractmethod
    def doubled(self, field: Field, size: tuple[int, int]) -> Field:
        """The way back to `size`, at most twice as large, by linear interpolation."""

    @abstractmethod
    def beside(self, field: Field) -> Field:
        """Mean of the four neighbours of each pixel."""

    @abstractmethod
    def where(self, condition: Field, chosen: Field, other: Field | float) -> Field:
        """Elements of one where the condition holds, else of the other."""

    @abstractmethod
    def clipped(self, field: Field, low: float, high: float) -> Field:
        """Values between two limits."""

    @abstractmethod
    def peak(self, field: Field) -> Field:
        """The largest channel of each pixel, as one channel."""

    @abstractmethod
    def root(self, field: Field) -> Field:
        """Square roots."""

    @abstractmethod
    def mean(self, field: Field, weight: Field) -> Field:
        """Weighted mean over all pixels, (1, 1, channels); 0 where the weights are."""


class NumpyMath(PixelMath):
    """Numpy and OpenCV: any CPU."""

    def take(self, pixels: NDArray[Any]) -> Field:
        field = np.ascontiguousarray(pixels, np.float32)
        return field[..., None] if field.ndim == 2 else field

    def give(self, field: Field) -> NDArray[np.float32]:
        return np.asarray(field, np.float32)

    def gaussian(self, field: Field, sigma: float) -> Field:
        if sigma <= 0:
            return field
        side = 2 * radius(sigma) + 1
        return _kept(cv2.GaussianBlur(field, (side, side), sigma, borderType=cv2.BORDER_REPLICATE), field)

    def halved(self, field: Field) -> Field:
        high, wide = field.shape[0] % 2, field.shape[1] % 2
        if high or wide:
            field = _kept(cv2.copyMakeBorder(field, 0, high, 0, wide, cv2.BORDER_REPLICATE), field)
        size = field.shape[1] // 2, field.shape[0] // 2
        return _kept(cv2.resize(field, size, interpolation=cv2.INTER_AREA), field)

    def doubled(self, field: Field, size: tuple[int, int]) -> Field:
        larger = cv2.resize(field, (2 * field.shape[1], 2 * field.shape[0]), interpolation=cv2.INTER_LINEAR)
        return _kept(larger, field)[: size[0], : size[1]]

    def beside(self, field: Field) -> Field:
        return _kept(cv2.filter2D(field, -1, _CROSS, borderType=cv2.BORDER_REPLICATE), field)

    def where(self, condition: Field, chosen: Field, other: Field | float) -> Field:
        return np.where(condition, chosen, np.float32(other) if isinstance(other, float) else other)

    def clipped(self, field: Field, low: float, high: float) -> Field:
        return np.clip(field, low, high)

    def peak(self, field: Field) -> Field:
        # Reducing over an axis of three is several times slower than comparing its planes.
        most = field[..., :1]
        for channel in range(1, field.shape[-1]):
            most = np.maximum(most, field[..., channel : channel + 1])
        return most

    def root(self, field: Field) -> Field:
        return np.sqrt(field)

    def mean(self, field: Field, weight: Field) -> Field:
        total = max(float(weight.sum(dtype=np.float64)), 1e-9)
        return ((field * weight).sum(axis=(0, 1), keepdims=True, dtype=np.float64) / total).astype(np.float32)


def per_channel(plane: NDArray[Any], channels: int = 3) -> NDArray[Any]:
    """A (height, width) plane for each channel: numpy is slow at spreading one over so short an axis."""
    if plane.dtype == bool:
        return np.asarray(cv2.merge([plane.view(np.uint8)] * channels)).view(bool)
    return np.asarray(cv2.merge([plane] * channels))


def radius(sigma: float) -> int:
    """Pixels to each side that a Gaussian reaches: beyond four sigma it is below 1/3000."""
    return max(1, round(4 * sigma))


_CROSS = np.array([[0, 0.25, 0], [0.25, 0, 0.25], [0, 0.25, 0]], np.float32)


def _kept(result: Any, like: Field) -> Field:
    # OpenCV drops a last axis of one.
    found = np.asarray(result, np.float32)
    return found[..., None] if found.ndim < like.ndim else found
