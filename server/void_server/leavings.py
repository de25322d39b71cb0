"""What a mean of frames has left of their grain, and how it is taken away.

With a locked-off camera the same few frames show a pixel to all the others, so what is left of their grain would stand
still under the new one. No comparison of frames can find it: the frames' differences from their mean say nothing of
what the mean itself has. Only the picture can, since grain has no shape. Two filters look for shape, each where the
other is blind: one by size, which keeps slopes and clears all but some pixels around an edge, and one by likeness,
which clears these too. What is as weak as the leavings and as fine goes with them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.align import Floats
from void_server.engines import Mask, Picture
from void_server.grain import GrainModel
from void_server.tiles import Box, box_of

LEVELS = 2
"""Bands of detail, each twice as wide as the one before: grain has next to nothing in those beyond."""
SPLINE = np.array([1, 4, 6, 4, 1], np.float32) / 16
"""The blur between bands (Starck's undecimated wavelets)."""
NEAR = (3, 5)
"""Pixels a side in which the energy of each band is compared with that of grain."""
CERTAIN = 1.3
"""Times the energy that grain alone has from which on some of a band is kept: in so few pixels chance often has more
than its share."""
LIKENESS_SIDE, LIKENESS_REACH = 7, 2.0
"""Pixels a side, and Gaussian sigma, of the neighbours that a pixel is averaged with."""
LIKENESS = 3.5
"""Deviations, summed over channels, by which they may differ from it: two pixels of grain do by 3.4, and by less after
the first filter. More blurs a photograph's faint texture."""
SURROUNDINGS = 3
"""Pixels a side of the cells whose median gives the light around: it follows slopes and takes no notice of dots."""
CONTRAST = 128.0
"""Deviations from the surroundings beyond which nothing is looked at: OpenCV's table of likeness spans all values."""
REACH = 24
"""Pixels around leavings that have a say in them."""


def degrained(linear: Picture, model: GrainModel, where: Mask, kept: float) -> tuple[Picture, Floats]:
    """Pixels without most of the grain that their mean left, and the share of it that is still in them.

    `kept` is the deviation of what was left over that of the plate's grain. The share, (height, width, 3) of
    deviation, is 0 outside of `where`.
    """
    left = np.zeros_like(linear)
    inside = box_of(where) if kept > 0 else None
    if inside is None:
        return linear, left
    area = inside.grown(REACH).within(Box(0, 0, linear.shape[1], linear.shape[0])) or inside
    here, these = linear[area.rows, area.columns], where[area.rows, area.columns][..., None]
    deviation = np.maximum(model.sigma(_surroundings(here)) * np.float32(kept), np.float32(1e-9))
    shaped, still = _by_size(here, model.kernel, deviation)
    result = linear.copy()
    result[area.rows, area.columns] = np.where(these, _by_likeness(shaped, deviation), here)
    left[area.rows, area.columns] = np.where(these, still, 0)
    return result, left


def _by_size(linear: Picture, kernel: Floats, deviation: Floats) -> tuple[Picture, Floats]:
    """Without the bands that hold no more than grain does, and the share of the grain's deviation that stays."""
    grain = band_power(kernel)
    bands, picture = _bands(linear)
    power = np.broadcast_to(grain[-1], linear.shape).copy()
    for side, band, share in zip(NEAR, bands, grain, strict=False):
        energy = cv2.blur(band * band, (side, side), borderType=cv2.BORDER_REPLICATE)
        part = 1 - np.float32(CERTAIN) * share * deviation * deviation / np.maximum(energy, np.float32(1e-20))
        np.maximum(part, 0, out=part)
        picture = picture + part * band
        power += part * part * share
    return np.asarray(picture, np.float32), np.sqrt(power / grain.sum(axis=0))


def _by_likeness(linear: Picture, deviation: Floats) -> Picture:
    """Each pixel averaged with those around it that differ by no more than grain does."""
    apart = np.clip((linear - _surroundings(linear)) / deviation, -CONTRAST, CONTRAST)
    alike = cv2.bilateralFilter(
        apart, LIKENESS_SIDE, LIKENESS, LIKENESS_REACH, borderType=cv2.BORDER_REPLICATE
    )  # fmt: skip
    return np.asarray(linear + (alike - apart) * deviation, np.float32)


def band_power(kernel: Floats) -> NDArray[np.float32]:
    """(LEVELS + 1, 3): the power that grain of unit variance has in each band and in what is wider, by channel."""
    reach = 2 * (2**LEVELS - 1)
    taps = np.pad(kernel, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    found = np.zeros((LEVELS + 1, 3))
    for channel, planes in enumerate(taps):
        for plane in planes:
            bands, rest = _bands(plane)
            found[:, channel] += [np.square(part, dtype=np.float64).sum() for part in (*bands, rest)]
    whole = np.square(kernel, dtype=np.float64).sum(axis=(1, 2, 3))
    return np.asarray(found / whole, np.float32)


def _bands(picture: Floats) -> tuple[list[Floats], Floats]:
    """Detail from fine to coarse, and what is coarser; their sum is the picture."""
    bands = []
    for level in range(LEVELS):
        taps = np.zeros(4 * 2**level + 1, np.float32)
        taps[:: 2**level] = SPLINE
        smooth = np.asarray(cv2.sepFilter2D(picture, -1, taps, taps, borderType=cv2.BORDER_REPLICATE), np.float32)
        bands.append(picture - smooth)
        picture = smooth
    return bands, picture


def _surroundings(linear: Picture) -> Picture:
    """The light around each pixel, as it changes from place to place without what stands out."""
    high, wide = linear.shape[:2]
    size = max(1, wide // SURROUNDINGS), max(1, high // SURROUNDINGS)
    cells = cv2.medianBlur(np.asarray(cv2.resize(linear, size, interpolation=cv2.INTER_AREA), np.float32), 3)
    light = cv2.GaussianBlur(cells, (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(light, (wide, high), interpolation=cv2.INTER_LINEAR), np.float32)
