"""What others do to put a generated picture back: hard paste, feather, ring gain and offset, multiband.

All work in the model's encoding at plate size inside the ROI, from the very fill that the product gets, and on the
same region (image.md 3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Mask = NDArray[np.bool_]

FEATHER = 8.0
"""Pixels at 1920 wide over which the feather runs outwards."""
RING = (2, 24)
"""Pixels at 1920 wide between which the plate around the region is compared."""
BANDS, BAND_REACH, BAND_MASK = 6, 64.0, 2.0
"""Levels of the multiband blend, how far outside it is kept, and the blur of its mask, in pixels at 1920 wide."""


TRIANGLE = np.array([0.25, 0.5, 0.25], np.float32)
"""With the resize by half that follows it: an antialiased bilinear filter, two pixels to each side."""


@dataclass(frozen=True)
class Paste:
    """One frame to put together, over the ROI."""

    plate: Picture
    """Encoded."""
    fill: Picture
    """The model's picture at plate size, encoded."""
    region: Mask
    """What is to be replaced."""
    unit: float
    """Pixels to one at 1920 wide."""


Blend = tuple[Picture, NDArray[np.float32]]
"""The encoded picture and its weight, (height, width)."""


def hard(paste: Paste) -> Blend:
    """The picture itself, edge to edge."""
    return paste.fill, paste.region.astype(np.float32)


def feather(paste: Paste) -> Blend:
    """Faded into the plate outside the region."""
    return paste.fill, _outwards(paste.region, FEATHER * paste.unit)


def ring(paste: Paste) -> Blend:
    """One gain and offset per channel and frame, fitted in a ring around the region; feathered."""
    least, most = (max(1, round(side * paste.unit)) for side in RING)
    around = grown(paste.region, most) & ~grown(paste.region, least)
    fill = paste.fill.copy()
    if int(around.sum()) > 16:
        for channel in range(3):
            seen, wanted = fill[..., channel][around], paste.plate[..., channel][around]
            gain, offset = np.polyfit(seen.astype(np.float64), wanted.astype(np.float64), 1)
            fill[..., channel] = fill[..., channel] * np.float32(gain) + np.float32(offset)
    return fill, _outwards(paste.region, FEATHER * paste.unit)


def multiband(paste: Paste) -> Blend:
    """Burt and Adelson's Laplacian blend (1983); its coarse levels reach far outside, where it is cut off."""
    mask = cv2.GaussianBlur(paste.region.astype(np.float32), (0, 0), BAND_MASK * paste.unit)
    blended = _laplacian_blend(paste.fill, paste.plate, np.asarray(mask, np.float32))
    reach = cv2.distanceTransform((~paste.region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return blended, (reach < BAND_REACH * paste.unit).astype(np.float32)


METHODS: Mapping[str, Callable[[Paste], Blend]] = {
    "hard paste": hard,
    "feather": feather,
    "ring gain": ring,
    "multiband": multiband,
}


def grown(mask: Mask, steps: int) -> Mask:
    """A mask grown by whole pixels along rows and columns, a cross at a time."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), cross, iterations=steps)) > 0 if steps else mask


def _outwards(region: Mask, pixels: float) -> NDArray[np.float32]:
    distance = cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    share = np.clip(1 - distance / pixels, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def _laplacian_blend(above: Picture, below: Picture, mask: NDArray[np.float32]) -> Picture:
    bands: list[Picture] = []
    for _ in range(BANDS):
        if min(above.shape[:2]) < 4:
            break
        smaller = [_halved(item) for item in (above, below, mask)]
        detail = [item - _sized(less, item.shape[:2]) for item, less in zip((above, below), smaller[:2], strict=True)]
        bands.append(detail[0] * mask[..., None] + detail[1] * (1 - mask[..., None]))
        above, below, mask = smaller
    picture = above * mask[..., None] + below * (1 - mask[..., None])
    for band in reversed(bands):
        picture = _sized(picture, band.shape[:2]) + band
    return picture


def _halved(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    size = (picture.shape[1] + 1) // 2, (picture.shape[0] + 1) // 2
    soft = cv2.sepFilter2D(picture, -1, TRIANGLE, TRIANGLE, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _sized(picture: Picture, size: tuple[int, ...]) -> Picture:
    return np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.float32)
