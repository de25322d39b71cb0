"""The tone space in which frames are compared and blended: a signed logarithm of scene-linear light.

It tames highlights so that resampling does not ring around them, keeps negative values, and turns an
exposure change into nearly a constant offset.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import Mask, Picture
from void_server.engines.recover.pixels import brighten

KNEE_SHARE = 0.5
"""The knee as a share of the shot's median light: below it the curve is nearly linear, so noise in the
shadows is not stretched; above it nearly logarithmic, so a highlight weighs little more than a midtone."""

SMALLEST_KNEE = 1e-4
"""Linear light. Keeps a black plate finite; far below one code value of any camera."""

LARGEST_GAIN = 4.0
"""Two stops. A larger ratio between two frames of one shot is a wrong match, not exposure."""

MANY = 20_000
"""Values from which it is worth asking few of them first where the median lies."""

FEW_MARGIN = 1.5
"""Around the median of few out of many, in roots of how many these are: three standard deviations of its rank."""

GAIN_TOLERANCE = 0.002
"""Gains nearer to one than this are left out: 0.2 % of light is below one 8-bit step at display white."""


def knee_of(light: float) -> float:
    """The knee for a median light, in linear light."""
    return max(SMALLEST_KNEE, KNEE_SHARE * abs(light))


def encode(linear: Picture, knee: float) -> Picture:
    """Signed log of linear light; zero stays zero."""
    # One buffer all the way: this runs on every source crop at plate size.
    values = np.abs(linear, order="C")  # OpenCV writes into plain layouts only
    values *= np.float32(1.0 / knee)
    values += np.float32(1.0)
    cv2.log(values, values)
    if linear.size and float(linear.min()) < 0:
        np.copysign(values, linear, out=values)
    return values


def decode(encoded: Picture, knee: float) -> Picture:
    """Linear light of encoded values; the inverse of `encode`."""
    values = np.abs(encoded, order="C")
    cv2.exp(values, values)
    values -= np.float32(1.0)
    values *= np.float32(knee)
    if encoded.size and float(encoded.min()) < 0:
        np.copysign(values, encoded, out=values)
    return values


def median(values: NDArray[np.float32]) -> float:
    """The median of at least one finite number. Looks for no NaN, as NumPy's own does, and at little more than once.

    Few out of many tell where it is nearly sure to lie, counts prove it, and only what lies there is parted, as Floyd
    and Rivest do it (Expected time bounds for selection, 1975).
    """
    values = np.ascontiguousarray(values)
    count, below = len(values), 0
    lower, upper = (count - 1) // 2, count // 2
    if count > MANY:
        # An odd step, as the rows of a picture have an even length: an even one would ask a few of its columns only.
        few = values[:: int(count ** (1 / 3)) | 1]
        margin = int(FEW_MARGIN * len(few) ** 0.5)
        low, high = _ranked(few, len(few) // 2 - margin, len(few) // 2 + margin)
        under, over = np.count_nonzero(values < low), np.count_nonzero(values > high)
        if under <= lower and over <= lower:
            if low == high:
                return float(low)
            values, below = values.take(np.flatnonzero((values >= low) & (values <= high))), int(under)
    low, high = _ranked(values, lower - below, upper - below)
    return float((low + high) * np.float32(0.5)) if lower < upper else float(low)


def _ranked(values: NDArray[np.float32], first: int, last: int) -> tuple[np.float32, np.float32]:
    """The values of two ranks."""
    # Two ranks even where they are the same: for a single one NumPy may take a kernel of AVX-512 that needs twice the
    # time, and twenty times as much where half the values are the same.
    ordered = np.partition(values, (first, last))
    return ordered[first], ordered[last]


def medians(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The median of each column."""
    return np.array([median(column) for column in values.T], np.float32)


def gain_between(target: Picture, source: Picture, knee: float) -> NDArray[np.float32]:
    """Per-channel factor that brings source light to target light, from (n, 3) linear pixels of the same places.

    Uses the sign only through the product of both, so blacks and negatives neither divide nor floor anything.
    """
    gains = np.ones(3, np.float32)
    for channel in range(3):
        there, here = np.ascontiguousarray(source[:, channel]), np.ascontiguousarray(target[:, channel])
        # Half the knee is a quarter of the median: darker pixels are mostly noise and would bias the ratio.
        bright = (np.abs(there) > 0.5 * knee) & (there * here > 0)
        if np.count_nonzero(bright) < 32:
            continue
        there, here = there[bright], here[bright]
        # A mean over ratios lets each pixel count alike, so one lamp does not decide the gain.
        ratios = here / there
        error = np.abs(ratios - median(ratios))
        gains[channel] = float(ratios[error <= 3.0 * median(error) + 1e-6].mean())
    return np.asarray(np.clip(gains, 1.0 / LARGEST_GAIN, LARGEST_GAIN), np.float32)


def with_gain(encoded: Picture, gains: NDArray[np.float32], knee: float) -> Picture:
    """Encoded pixels after a gain in linear light."""
    if float(np.abs(gains - 1.0).max()) < GAIN_TOLERANCE:
        return encoded
    light = decode(encoded, knee)
    brighten(light, gains)
    return encode(light, knee)


def pixels_under(mask: Mask, most: int = 6000) -> NDArray[np.int64]:
    """Flat indices of at most about `most` pixels of a mask, evenly spread.

    Six thousand pixels put the error of a median of 10 % grain at 0.16 %: less than `GAIN_TOLERANCE`.
    """
    found = np.flatnonzero(mask)
    return found[:: max(1, len(found) // most)]
