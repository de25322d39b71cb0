"""Residual flow: what moves between a target and a source beyond one homography, where it is worth following."""

from __future__ import annotations

import cv2
import numpy as np

from void_server.engines import Mask
from void_server.engines.recover.motion import Bytes, Homography
from void_server.engines.recover.pyramid import Floats, reduce, soften, spread
from void_server.engines.recover.shot import Shot
from void_server.engines.recover.tone import median
from void_server.tiles import Box

FINE_LEVELS = 3.0
"""Levels of 255 of mean difference up to which a registration is as good as grain lets one tell."""

FINE_SHARE = 0.02
"""Share of the surroundings that may differ by more before flow is tried: twigs, a moving leaf."""

FLOW_WORTH = 0.85
"""Flow must bring the mean difference of the surroundings down to this share: what it cannot explain is light or
noise, not motion, and following that bends straight edges inside the hole."""

MOST_LEVELS = 14.0
"""Levels above which flow has matched two different things."""

MOST_FLOW = 0.04
"""Share of the width; larger residues are another plane or an error, not the bend of a surface."""

WORST_ERROR = 60.0
"""Levels; weights are nothing long before, and larger values would only spread further into the hole."""

BEND_SHIFT, BEND_SHIFT_COARSE = 0.18, 0.3
"""Shares of what differs, near and at a quarter of the size, that small shifts of its parts must explain before flow
is worth its price. Where it was worth it they explained 0.21 of it near or more; light and noise alone 0.1."""

BEND_CELL, BEND_COARSER = 16, 4
"""Pixels a side of the parts, and proxy pixels per pixel of the second look, for shifts of several of them."""

SLOPE_NOISE = 0.05
"""Squared levels a pixel added to the slopes of a part: in a flat one grain explains nothing."""


def residual_flow(
    shot: Shot, target: int, source: int, homography: Homography, context: Box
) -> tuple[Floats | None, Floats]:
    """Proxy flow that a homography leaves over, or None where it explains all; and what differs after it."""
    place = homography @ np.array([[1, 0, context.x0], [0, 1, context.y0], [0, 0, 1.0]])
    size = context.width, context.height
    there = np.asarray(cv2.warpPerspective(
        shot.luma[source], place, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    ), np.uint8)  # fmt: skip
    shown = cv2.warpPerspective(shot.usable(source), place, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    here = shot.luma[target][context.rows, context.columns]
    known = (shot.usable(target)[context.rows, context.columns] > 0) & (np.asarray(shown) > 0)
    if np.count_nonzero(known) < 50:
        return None, constant(0.0)
    difference = here.astype(np.float32) - there
    offset = median(difference[known])
    difference -= np.float32(offset)
    before = _mean_difference(difference, known)
    missed = before[known]
    unbent = None, constant(float(missed.mean()))
    if float((missed > FINE_LEVELS).mean()) < FINE_SHARE or min(size) < 24 or not bends(here, there, offset, known):
        return unbent
    # Holes of either frame get the same picture in both, so that flow finds nothing to move there.
    there = np.clip(there + offset, 0, 255).astype(np.uint8)
    common = np.clip(spread(here.astype(np.float32), known.astype(np.float32)), 0, 255).astype(np.uint8)
    first, second = np.where(known, here, common), np.where(known, there, common)
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    finder.setFinestScale(1)
    flow = np.asarray(finder.calc(first, second, np.zeros((*first.shape, 2), np.float32)), np.float32)
    x, y = np.meshgrid(np.arange(size[0], dtype=np.float32), np.arange(size[1], dtype=np.float32))
    laid = cv2.remap(second, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    after = _mean_difference(first.astype(np.float32) - laid, known)
    good = (
        known & (after < MOST_LEVELS) & (np.maximum(*np.moveaxis(np.abs(flow), -1, 0)) < MOST_FLOW * shot.proxy_size[1])
    )
    # Where flow gains less than 0.6 levels it only follows grain, and the homography is the steadier guess.
    flow[before <= after + 0.6] *= 0.25
    explains = float(after[known].mean()) < FLOW_WORTH * float(missed.mean())
    if np.count_nonzero(good) < 20 or not explains:
        return unbent
    flow = soften(spread(flow, good.astype(np.float32)), 1.5)
    return flow, spread(np.minimum(after, WORST_ERROR), known.astype(np.float32))


def constant(error: float) -> Floats:
    """The same error everywhere."""
    return np.full((1, 1), error, np.float32)


def bends(here: Bytes, there: Bytes, offset: float, known: Mask) -> bool:
    """Whether shifts of parts of a picture explain enough of what differs, at either of two sizes."""
    first, second = here.astype(np.float32), there.astype(np.float32) + np.float32(offset)
    if _shift_share(first, second, known) >= BEND_SHIFT:
        return True
    size = max(2, here.shape[0] // BEND_COARSER), max(2, here.shape[1] // BEND_COARSER)
    whole = reduce(known, size) > 0.9
    return _shift_share(reduce(first, size), reduce(second, size), whole) >= BEND_SHIFT_COARSE


def _shift_share(first: Floats, second: Floats, known: Mask) -> float:
    """Share of the squared difference that the best small shift of each part of the picture explains."""
    first, second, weight = soften(first, 1.0), soften(second, 1.0), known.astype(np.float32)
    difference, middle = (first - second) * weight, 0.5 * (first + second)
    across = cv2.Sobel(middle, cv2.CV_32F, 1, 0, scale=1 / 8) * weight
    down = cv2.Sobel(middle, cv2.CV_32F, 0, 1, scale=1 / 8) * weight
    size = max(2, known.shape[0] // BEND_CELL), max(2, known.shape[1] // BEND_CELL)
    xx, xy, yy, xd, yd, dd = (
        reduce(one * other, size)
        for one, other in ((across, across), (across, down), (down, down), (across, difference), (down, difference),
                           (difference, difference))
    )  # fmt: skip
    xx, yy = xx + SLOPE_NOISE, yy + SLOPE_NOISE
    explained = (yy * xd * xd - 2 * xy * xd * yd + xx * yd * yd) / (xx * yy - xy * xy)
    return float(explained.sum()) / max(1e-6, float(dd.sum()))


def _mean_difference(difference: Floats, known: Mask) -> Floats:
    weight = soften(known.astype(np.float32), 2.0)
    return np.asarray(soften(np.abs(difference) * known, 2.0) / np.maximum(weight, 0.05), np.float32)
