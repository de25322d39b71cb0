"""Whole pictures at once, where NumPy would walk them three channels at a time.

An expression such as `picture * weight[..., None]` makes its innermost loop three numbers long; OpenCV's masks and
channels do the same several times faster, and as exactly.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import Mask, Picture
from void_server.pixelmath import per_channel

Floats = NDArray[np.float32]


def put(onto: Floats, picture: Floats, where: Mask) -> None:
    """Write a picture over another under a mask, in place."""
    cv2.copyTo(picture, where.view(np.uint8), onto)


def put_few(onto: Picture, pixels: Floats, where: Mask) -> None:
    """Write pixels, (n, 3), where a mask is true, in its order and in place; as one item each, not as three numbers."""
    item = f"V{3 * onto.itemsize}"
    onto.view(item)[..., 0][where] = pixels.view(item)[..., 0]


def put_number(onto: Floats, number: float, where: Mask) -> None:
    """Write a number under a mask of the same shape, in place."""
    rows = onto.reshape(len(onto), -1)
    put(rows, np.full_like(rows, number), where.reshape(rows.shape))


def pasted(picture: Floats, where: Mask, other: Floats) -> Floats:
    """The picture under a mask and another one elsewhere, as a new picture."""
    result = other.copy()
    put(result, picture, where)
    return result


def times(picture: Floats, weight: Floats) -> Floats:
    """Each pixel, of one number or of several channels, times its weight."""
    if picture.ndim == 2:
        return picture * weight
    return np.asarray(cv2.multiply(picture, per_channel(weight, picture.shape[2])), np.float32).reshape(picture.shape)


def difference(first: Picture, second: Picture, offset: Floats) -> Picture:
    """The first picture less the second, less a constant for each of the three channels."""
    constant = (float(offset[0]), float(offset[1]), float(offset[2]), 0.0)
    return np.asarray(cv2.subtract(cv2.subtract(first, second), constant), np.float32)  # type: ignore[call-overload]


def brighten(light: Picture, gains: Floats) -> None:
    """Multiply each of the three channels by its gain, in place."""
    red, green, blue = map(float, gains)
    cv2.multiply(light, (red, green, blue, 0.0), light)  # type: ignore[call-overload]
