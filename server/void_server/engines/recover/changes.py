"""What changed for good while it was hidden: a locked-off shot's sources from the other side of it are out of date.

A mean over many frames shows what is there most of the time, which is right for whatever only passes. But where
something was moved and stays there, or the light of a place drifts, it is the frames around the target that are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from void_server.engines import Mask, Picture
from void_server.engines.recover.order import sort_rows
from void_server.engines.recover.pyramid import Floats

Indices = NDArray[np.intp]

CELL = 4
"""Pixels a side that change together; the mean of the four in its middle has half of their grain."""

HALF_OF_NORMAL = 0.6745
"""Deviations within which half of a normal distribution lies."""

CLEARLY = 3.0
"""Deviations past which two sources show different things; a wrong guess only costs one sample of many."""

FEWEST_STEPS = 8
"""Pairs of successive sources that tell the usual difference from a change."""


@dataclass(frozen=True)
class Cells:
    """The cells in which some pixels of a box lie."""

    of: Indices
    """Cell of each pixel."""
    middles: Indices
    """(4, cells): the pixels whose mean stands for a cell."""

    @classmethod
    def around(cls, places: Indices, size: tuple[int, int]) -> Cells:
        """Those of pixels of a (height, width) box, both as they lie one after the other in it."""
        height, width = size
        across = -(-width // CELL)
        row, column = np.divmod(places, width)
        wanted = row // CELL * across + column // CELL
        used = np.zeros(-(-height // CELL) * across, bool)
        used[wanted] = True
        row, column = (CELL * part + CELL // 2 for part in np.divmod(np.flatnonzero(used), across))
        rows = [np.minimum(line, height - 1) for line in (row - 1, row)]
        columns = [np.minimum(line, width - 1) for line in (column - 1, column)]
        middles = np.stack([width * line + part for line in rows for part in columns])
        return cls((np.cumsum(used) - 1)[wanted], middles)

    def means(self, light: Picture, usable: Mask) -> Floats:
        """(3, cells) of a picture and what may be used of it, pixel after pixel; infinite where nothing may."""
        total = light.take(self.middles[0], axis=0)
        known = usable.take(self.middles[0])
        for middle in self.middles[1:]:
            total += light.take(middle, axis=0)
            known &= usable.take(middle)
        mean = np.multiply(total.T, np.float32(1 / len(self.middles)), order="C")
        mean[:, ~known] = np.inf
        return np.asarray(mean, np.float32)


def out_of_date(light: Floats, sources: Sequence[int], target: int) -> Mask:
    """Which sources show a cell otherwise than the source nearest to the target, if it stays changed: (source, cell).

    `light` is (sources, 3, cells), infinite where a source shows nothing.
    """
    seen = np.isfinite(light[:, 0])
    stale = np.zeros(seen.shape, bool)
    if len(sources) <= FEWEST_STEPS:
        return stale
    in_time = np.argsort(sources, kind="stable")
    limit = CLEARLY * _usual_step(light[in_time], seen[in_time])
    # What looks the same at either end of the time that is looked at has not changed for good.
    ends = _shown(light, seen, in_time), _shown(light, seen, in_time[::-1])
    lasting = np.flatnonzero(_distance(*ends) > limit)
    if len(lasting):
        nearest = np.argsort(np.abs(np.asarray(sources) - target), kind="stable")
        now = _shown(light[:, :, lasting], seen[:, lasting], nearest)
        stale[:, lasting] = seen[:, lasting] & (_distance(light[:, :, lasting], now) > limit[lasting])
    return stale


def _usual_step(light: Floats, seen: Mask) -> Floats:
    """Deviation of the difference of two sources, by the median of those that follow each other: no change moves it."""
    steps = _distance(light[1:], light[:-1])
    both = seen[1:] & seen[:-1]
    steps[~both] = np.inf
    count = both.sum(axis=0)
    middle = np.take_along_axis(sort_rows(steps), count[None] // 2, axis=0)[0]
    return np.where(count < FEWEST_STEPS, np.inf, middle / np.float32(HALF_OF_NORMAL)).astype(np.float32)


def _shown(light: Floats, seen: Mask, order: Indices) -> Floats:
    """(3, cells) as the first source in an order that sees them shows them."""
    first = order[np.argmax(seen[order], axis=0)]
    return np.asarray(np.take_along_axis(light, first[None, None], axis=0)[0], np.float32)


def _distance(first: Floats, second: Floats) -> Floats:
    """The largest difference of the three channels; not a number where neither shows anything."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(first - second)
    red, green, blue = (apart[..., channel, :] for channel in range(3))
    return np.asarray(np.maximum(np.maximum(red, green), blue), np.float32)
