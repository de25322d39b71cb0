"""Draws what an engine is told over a picture: the labels of the quadmask as tints, the holdout, and the ROI."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from void_server.engines import AFFECTED, OVERLAP, REMOVE, Mask, Picture
from void_server.tiles import Box

TINTS = {REMOVE: (1.0, 0.0, 0.0), OVERLAP: (1.0, 1.0, 0.0), AFFECTED: (0.0, 1.0, 0.0)}
"""Red for what is removed, green for what is affected, yellow for both; what is kept has no tint."""
HOLDOUT_TINT = (0.0, 0.0, 1.0)
OUTLINE = (1.0, 1.0, 1.0)
MIX = 0.5
"""Share of the tint; the rest is the picture."""
OUTLINE_SHARE = 1 / 960
"""Width of the outline against that of the picture, so that it is seen on a small view of a large plate."""


def tint(picture: Picture, labels: NDArray[np.uint8], holdout: Mask) -> None:
    """Mix the tints into a picture (height, width, 3), in place; labels and holdout are (height, width)."""
    for label, colour in TINTS.items():
        _mix(picture, labels == label, colour)
    _mix(picture, holdout, HOLDOUT_TINT)


def outline(picture: Picture, box: Box) -> None:
    """Draw a line just inside a box, in place; the box is in the coordinates of the picture and may hang over it."""
    line = max(1, round(OUTLINE_SHARE * picture.shape[1]))
    whole = Box(0, 0, picture.shape[1], picture.shape[0])
    for side in (
        Box(box.x0, box.y0, box.x1, box.y0 + line),
        Box(box.x0, box.y1 - line, box.x1, box.y1),
        Box(box.x0, box.y0, box.x0 + line, box.y1),
        Box(box.x1 - line, box.y0, box.x1, box.y1),
    ):
        seen = side.within(whole)
        if seen is not None:
            picture[seen.rows, seen.columns] = OUTLINE


def enlarged(labels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Labels at another (height, width): that of the raster pixel in which the middle of each pixel lies."""
    rows, columns = ((2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip(size, labels.shape, strict=True))
    return np.asarray(labels[rows][:, columns])


def _mix(picture: Picture, where: Mask, colour: tuple[float, float, float]) -> None:
    picture[where] = picture[where] * np.float32(1 - MIX) + np.array(colour, np.float32) * np.float32(MIX)
