"""Where a generated picture really differs from its plate, and where the plate's structure has stayed in place.

Both are judged at half of the plate's size, at which a raster picture has no detail left to lose. `pixel` is the size
of one raster pixel there, so that every radius means the same for a 2K and an 8K plate.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.agreement import agreement
from void_server.likeness import CHANGE_BLUR, FAINT_BLUR, Likeness
from void_server.pixelmath import Field, PixelMath

CHANGE_REACH = 3.0
"""Raster pixels by which what changed is widened and softened: a difference is faint at its edge."""
LEANING = 0.2
"""Agreement over which places turn from moved to still."""
SOFTEN = 2.0
"""Raster pixels over which still places blend into the others: about 12 plate pixels (image.md 3.3, step 9)."""


def changed(maths: PixelMath, picture: Field, plate: Field, likeness: Likeness, pixel: float) -> Field:
    """1 where the picture shows something else than the plate, 0 where not, soft in between; one channel.

    A difference counts from the likeness' lower threshold on where it belongs to one above the upper; one that is wide,
    such as a shadow at night, from fainter ones.
    """
    apart = picture - plate
    clear = _level(maths, apart, CHANGE_BLUR * pixel)
    wide = _level(maths, apart, FAINT_BLUR * pixel)
    found = linked(clear, likeness.low, likeness.high) | linked(wide, likeness.faint_low, likeness.faint_high)
    return spread(maths, found, pixel)


def _level(maths: PixelMath, apart: Field, blur: float) -> NDArray[np.float32]:
    return maths.give(maths.peak(abs(maths.gaussian(apart, blur))))[..., 0]


def linked(apart: NDArray[np.float32], low: float, high: float) -> NDArray[np.bool_]:
    """What lies above `low` and hangs together with something above `high`."""
    count, labels = cv2.connectedComponents((apart > low).astype(np.uint8), connectivity=8)
    sure = np.zeros(count, bool)
    sure[np.unique(labels[apart > high])] = True
    sure[0] = False
    return np.asarray(sure[labels], bool)


def spread(maths: PixelMath, mask: NDArray[np.bool_], pixel: float) -> Field:
    """A mask widened by `CHANGE_REACH` raster pixels, with an edge as soft."""
    side = 2 * max(1, round(CHANGE_REACH * pixel)) + 1
    wide = cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return maths.gaussian(maths.take(wide), CHANGE_REACH * pixel / 2)


def closed(before: Sequence[Field], own: Field, after: Sequence[Field], maths: PixelMath) -> Field:
    """A change map in time: what has changed before and after has changed in between, so that nothing flickers."""
    if not before or not after:
        return own
    return _either(maths, own, _both(maths, _any(maths, before), _any(maths, after)))


def still(maths: PixelMath, picture: Field, plate: Field, likeness: Likeness, pixel: float) -> Field:
    """1 where both show the same detail in the same place, 0 where it has moved; one channel."""
    alike = agreement(maths, picture, plate, pixel)
    sure = maths.clipped((alike - likeness.still) / LEANING + 1, 0.0, 1.0)
    return maths.gaussian(sure, SOFTEN * pixel / 2)


def _any(maths: PixelMath, fields: Sequence[Field]) -> Field:
    found = fields[0]
    for field in fields[1:]:
        found = _either(maths, found, field)
    return found


def _either(maths: PixelMath, one: Field, other: Field) -> Field:
    return maths.where(one > other, one, other)


def _both(maths: PixelMath, one: Field, other: Field) -> Field:
    return maths.where(one < other, one, other)
