"""Pixels that hold no numbers: renders have NaN and infinities, and no engine may see them."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from void_server.halves import floats

HALF_MAX = 65504.0
_INFINITY = 0x7C00
"""Its bits as a half: those of the exponent, all set."""


def sanitised(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Finite float32 values: NaN becomes the median of its finite neighbours, +Inf 65504, -Inf 0 (image.md 1.6)."""
    values = floats(pixels)
    if is_finite(pixels):
        return values
    nan = np.isnan(values)
    values = np.where(values == np.inf, HALF_MAX, np.where(values == -np.inf, 0, values)).astype(np.float32)
    for y, x, channel in np.argwhere(nan):
        around = values[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2, channel]
        finite = around[~np.isnan(around)]
        values[y, x, channel] = np.median(finite) if finite.size else 0.0
    return values


def finite_pixels(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    """True where all channels of a pixel are finite; (height, width)."""
    if is_finite(pixels):
        return np.ones(pixels.shape[:2], bool)
    finite = _each(pixels)
    # Reducing over an axis of three is ten times slower than two passes.
    found = finite[..., 0]
    for channel in range(1, pixels.shape[2]):
        found = found & finite[..., channel]
    return found


def is_finite(pixels: NDArray[Any]) -> bool:
    """Whether every value is finite."""
    if pixels.dtype == np.float16:
        # The bits of halves are whole numbers that rise with their size, on either side of zero, and infinities and
        # NaN come last: the largest tells, four times as fast as a look at each.
        bits = pixels.view(np.int16)
        return bool(bits.max(initial=0) < _INFINITY and bits.view(np.uint16).max(initial=0) < _INFINITY + 0x8000)
    return bool(np.isfinite(pixels).all())


def _each(pixels: NDArray[Any]) -> NDArray[np.bool_]:
    if pixels.dtype == np.float16:
        # All exponent bits set means Inf or NaN; testing bits is several times faster than converting.
        return cast(NDArray[np.bool_], (pixels.view(np.uint16) & _INFINITY) != _INFINITY)
    return cast(NDArray[np.bool_], np.isfinite(pixels))
