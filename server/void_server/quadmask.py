"""From mattes to what may change: the quadmask (0, 63, 127, 255) and the weight a result is blended with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import AFFECTED, KEEP, OVERLAP, REMOVE
from void_server.tiles import Box, box_of

OBJECT_THRESHOLD = 0.1
"""Alpha above which a raster pixel counts as removed: low, so that soft and motion-blurred edges are inside."""
AFFECTED_THRESHOLD = 0.5
"""Alpha above which a pixel counts as affected."""
STITCH_THRESHOLD = 0.003
"""Alpha above which a plate pixel holds some of the object and must be replaced (below 1/255, above noise)."""
RASTER_GROW = 3
"""Raster pixels by which the object is grown: artists' edges are tighter than training masks (void_model.md 9)."""
GRID_CELLS = 8
"""Cells on the shorter side of VOID's training grid; the longer side has round(8 * aspect)."""
QUADMASK_EDGES = (31, 95, 191)
"""Upper ends of 0, 63 and 127 in an 8-bit quadmask (Netflix/void-model loader)."""
FARTHEST = np.float32(4096)
"""Pixels whose square float32 still holds to the unit."""

FloatMask = NDArray[np.float32]


@dataclass(frozen=True)
class Reach:
    """How far from the matte pixels may change, in plate pixels."""

    grow: float
    """Fully replaced up to this distance: roto hugs the object, and its rim would stay."""
    feather: float
    """Blended back into the plate over this further distance."""

    @property
    def total(self) -> float:
        """The farthest a changed pixel lies from the matte."""
        return self.grow + self.feather

    @property
    def pixels(self) -> int:
        """Whole pixels by which a box must be grown to hold every change."""
        return int(np.ceil(self.total)) + 1

    @classmethod
    def for_width(cls, width: int) -> Reach:
        """4 + 6 pixels at 1920 wide and in proportion: inside the 12 that "outside" begins at."""
        return cls(grow=4.0 * width / 1920, feather=6.0 * width / 1920)


def weights(core: NDArray[np.bool_], holdout: NDArray[Any] | None, reach: Reach) -> FloatMask:
    """How much of each plate pixel is replaced, 0..1: 1 on the core and `grow` around, 0 beyond `feather`.

    Of several cores the largest weight counts. Everything under the holdout is exactly 0. Arrays are (height, width);
    the border must hold no core that reaches in from outside.
    """
    weight: FloatMask = core.astype(np.float32)
    box = box_of(core)
    if box is None:
        return weight
    near = box.grown(reach.pixels).within(Box(0, 0, core.shape[1], core.shape[0]))
    assert near is not None
    outside = (~core[near.rows, near.columns]).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    around = np.flatnonzero((distance > 0) & (distance < reach.total))  # few of all pixels
    # Distances run between pixel centres, so the first pixel outside is at 1, not at 0.
    past = np.clip((exact(distance.ravel()[around]) - reach.grow) / max(reach.feather, 1e-6), 0, 1).astype(np.float32)
    within = weight[near.rows, near.columns]
    within[np.unravel_index(around, distance.shape)] = 1 - past * past * (3 - 2 * past)
    if holdout is not None:
        weight[holdout > 0] = 0
    return weight


def distances_in(mask: NDArray[np.uint8]) -> FloatMask:
    """How far each pixel of a mask is from the nearest one outside it, in pixels; 0 outside."""
    return exact(cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def exact(distances: NDArray[Any]) -> FloatMask:
    """Distances between pixels as the roots of whole numbers that they are; what is farther than 4096 is that far.

    OpenCV's are off by some millionths, and not always by the same: it depends on how its threads share the picture.
    """
    return np.asarray(np.sqrt(np.rint(np.square(np.minimum(distances, FARTHEST)))), np.float32)


def combine(remove: NDArray[np.bool_], affected: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The four labels from two masks."""
    named = np.full(256, KEEP, np.uint8)
    named[:4] = KEEP, AFFECTED, REMOVE, OVERLAP
    return np.asarray(cv2.LUT(2 * remove.view(np.uint8) + affected.view(np.uint8), named), np.uint8)


def raster_labels(
    object_matte: FloatMask, affected_matte: FloatMask, holdout: FloatMask, *, snaps_grid: bool
) -> NDArray[np.uint8]:
    """The quadmask on an engine's raster from mattes already fitted to it, each thresholded apart.

    Fitting the finished labels instead would make rims of levels that mean something else (void_model.md 4).
    """
    remove = object_matte > OBJECT_THRESHOLD
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RASTER_GROW + 1, 2 * RASTER_GROW + 1))
    remove = cv2.dilate(remove.astype(np.uint8), kernel) > 0
    remove &= holdout <= AFFECTED_THRESHOLD
    return combine(remove, raster_affected(affected_matte, snaps_grid=snaps_grid))


def raster_affected(affected_matte: FloatMask, *, snaps_grid: bool) -> NDArray[np.bool_]:
    """Where the quadmask on an engine's raster is 63 or 127, from the affected matte fitted to it."""
    affected: NDArray[np.bool_] = affected_matte > AFFECTED_THRESHOLD
    return snapped(affected) if snaps_grid else affected


def snapped(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Every grid cell that holds a true pixel, whole. Cell r spans int(r h / n) to int((r + 1) h / n)."""
    high, wide = mask.shape
    short = min(high, wide)
    rows = GRID_CELLS if high == short else round(GRID_CELLS * high / wide)
    columns = GRID_CELLS if wide == short else round(GRID_CELLS * wide / high)
    row_edges = [row * high // rows for row in range(rows)]
    column_edges = [column * wide // columns for column in range(columns)]
    cells = np.add.reduceat(np.add.reduceat(mask.astype(np.int32), row_edges, axis=0), column_edges, axis=1) > 0
    heights = np.diff([*row_edges, high])
    widths = np.diff([*column_edges, wide])
    return np.repeat(np.repeat(cells, heights, axis=0), widths, axis=1)


def split_quadmask(values: FloatMask) -> tuple[FloatMask, FloatMask]:
    """A ready quadmask as an object and an affected matte, each 0 or 1. Values are 0..1 or 0..255."""
    # Rounded, because 31 / 255 in float comes back a hair above 31.
    codes = np.rint(values * 255 if values.max(initial=0.0) <= 1.0 else values)
    low, middle, high = QUADMASK_EDGES
    return (codes <= middle).astype(np.float32), ((codes > low) & (codes <= high)).astype(np.float32)
