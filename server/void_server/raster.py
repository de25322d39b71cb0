"""What an engine with a raster of its own sees of a shot: its ROI, fitted and encoded."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server import quadmask
from void_server.colour import Colour
from void_server.engines import KEEP, Frames, Mask, Picture
from void_server.footage import ByteCache
from void_server.tiles import Box, fit
from void_server.view import PlateFrames

RASTER_CACHE = 256 << 20
"""Bytes of fitted pictures kept: about 80 frames of 384x672; labels have an eighth, which is more frames."""


class RasterFrames(Frames):
    """The ROI of a shot fitted to an engine's raster, in its encoding, clamped to 0..1."""

    def __init__(self, base: PlateFrames, roi: Box, raster: tuple[int, int], colour: Colour, snaps_grid: bool) -> None:
        self.base, self.roi, self.colour = base, roi, colour
        self.numbers = base.numbers
        self.size = raster
        self.enlargement = min(roi.height / raster[0], roi.width / raster[1])
        self.analysis = base.analysis
        self._snaps_grid = snaps_grid
        self._pictures: ByteCache[Picture] = ByteCache(RASTER_CACHE, lambda picture: picture.nbytes)
        self._labels: ByteCache[NDArray[np.uint8]] = ByteCache(RASTER_CACHE // 8, lambda labels: labels.nbytes)

    def plate(self, frame: int, box: Box) -> Picture:
        def make(_: Picture | None) -> Picture:
            return np.clip(fit(self.colour.to_engine(self.base.plate(frame, self.roi)), self.size), 0, 1)

        return self._pictures.get(frame, make)[box.rows, box.columns]

    def labels(self, frame: int, box: Box) -> NDArray[np.uint8]:
        def make(_: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
            return labels_on_raster(self.base, self.roi, self.size, frame, snaps_grid=self._snaps_grid)

        return self._labels.get(frame, make)[box.rows, box.columns]

    def usable(self, frame: int, box: Box) -> Mask:
        return np.asarray(self.labels(frame, box) == KEEP)

    def hole(self, frame: int) -> Box | None:
        # A speck of the plate may vanish at this size; it is composed all the same, and so must be filled.
        return Box(0, 0, self.size[1], self.size[0]) if self.base.hole(frame) is not None else None

    def reduced(self, frame: int, factor: int) -> tuple[Picture, Mask]:
        whole = Box(0, 0, self.size[1], self.size[0])
        high, wide = (-(-side // factor) for side in self.size)
        picture = cv2.resize(self.plate(frame, whole), (wide, high), interpolation=cv2.INTER_AREA)
        usable = cv2.resize(self.usable(frame, whole).astype(np.float32), (wide, high), interpolation=cv2.INTER_AREA)
        return np.asarray(picture, np.float32), usable >= 1

    def clean_plate(self, frame: int, box: Box) -> Picture | None:
        pixels = self.base.clean_plate(frame, self.roi)
        if pixels is None:
            return None
        return np.clip(fit(self.colour.to_engine(pixels), self.size), 0, 1)[box.rows, box.columns]

    def enlarged(self, factor: int) -> RasterFrames:
        if factor > self.enlargement:
            raise ValueError(f"{factor} times {self.size} is more than the plate has in {self.roi}")
        raster = (self.size[0] * factor, self.size[1] * factor)
        return RasterFrames(self.base, self.roi, raster, self.colour, self._snaps_grid)


def labels_on_raster(
    base: PlateFrames, roi: Box, raster: tuple[int, int], frame: int, *, snaps_grid: bool
) -> NDArray[np.uint8]:
    """The quadmask of one frame on a raster of (height, width); the ROI is in picture coordinates."""
    area = roi.moved(base.canvas.x0, base.canvas.y0)
    remove, affected = base.mattes(frame)
    holdout = base.footage.matte("holdout_matte", frame)
    fitted = [fit(matte.within(area), raster) for matte in (remove, affected, holdout)]
    return quadmask.raster_labels(*fitted, snaps_grid=snaps_grid)


def affected_on_raster(base: PlateFrames, roi: Box, raster: tuple[int, int], frame: int, *, snaps_grid: bool) -> float:
    """The share of the raster that is 63 or 127 in one frame; for what else, see `labels_on_raster`."""
    affected = base.mattes(frame)[1]
    if affected.box is None:
        return 0.0
    fitted = fit(affected.within(roi.moved(base.canvas.x0, base.canvas.y0)), raster)
    return float(quadmask.raster_affected(fitted, snaps_grid=snaps_grid).mean())
