"""Which pixels of a frame are taken from other frames, where an engine generates the rest."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import KEEP, REMOVE, Fill, Unit
from void_server.fills import Fills
from void_server.plan import Plan
from void_server.quadmask import distances_in
from void_server.tiles import Box, onto
from void_server.view import PlateFrames

Floats = NDArray[np.float32]

SURROUNDINGS, SPECK, JOIN = 24.0, 6.0, 8.0
"""At 1920 wide, in plate pixels: what is looked at around a region, the smallest real patch that is worth a join, and
the width over which real pixels blend into generated ones."""


def surroundings(plan: Plan, box: Box) -> Box:
    """The box of a frame's changes with what lies around it, inside the ROI and on even pixels.

    Even, so that the half-size pixels of all frames lie on one grid.
    """
    grown = box.grown(int(np.ceil(SURROUNDINGS * plan.display.width / 1920)))
    area = grown.within(plan.roi.joined(box)) or box
    return Box(area.x0 - area.x0 % 2, area.y0 - area.y0 % 2, area.x1 + area.x1 % 2, area.y1 + area.y1 % 2)


def share(plan: Plan, fill: Fill | None, labels: NDArray[np.uint8], area: Box) -> Floats:
    """How much of each pixel of an area, in EXR coordinates, comes from a fill of real pixels: 0..1.

    Nothing inside what is affected: what must change with the object is never taken from what was.
    """
    if fill is None:
        return np.zeros(area.size, np.float32)
    scale = plan.display.width / 1920
    known = onto(fill.confidence, fill.box.moved(plan.canvas.x0, plan.canvas.y0), area) > 0.5
    untouched = labels == KEEP
    # Closing the plate around it keeps what is thin only because the region ends there.
    side = 2 * max(1, round(SPECK * scale / 2)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    usable = known & (labels == REMOVE)
    broad = cv2.morphologyEx((usable | untouched).astype(np.uint8), cv2.MORPH_OPEN, disc)
    usable &= broad > 0
    if not usable.any():
        return np.zeros(area.size, np.float32)
    padded = np.pad((usable | untouched).astype(np.uint8), 1, mode="edge")
    distance = distances_in(padded)[1:-1, 1:-1]
    part = np.clip(distance / max(JOIN * scale, 1.0), 0, 1).astype(np.float32)
    return np.where(usable, part * part * (3 - 2 * part), 0).astype(np.float32)


def is_whole(plan: Plan, unit: Unit, frames: PlateFrames, fills: Fills) -> bool:
    """True where real pixels fill every frame of a unit, so that nothing of it has to be generated."""
    for frame in unit.frames:
        found = frames.weights(frame)
        if found is None:
            continue
        box, weights = found
        area = surroundings(plan, box)
        labels = frames.labels(frame, area.moved(-plan.canvas.x0, -plan.canvas.y0))
        parts = onto(share(plan, fills.recovered(frame), labels, area), area, box)
        if (parts[weights > 0] < 1).any():
            return False
    return True
