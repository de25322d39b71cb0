"""Residual flow: what moves between a target and a source beyond one homography, where it is worth following."""

from __future__ import annotations

import cv2
import numpy as np

from void_server.engines import Mask
from void_server.engines.recover.motion import Bytes, Homography
from void_server.engines.recover.pixels import put
from void_server.engines.recover.pyramid import Floats, soften, spread
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

PROMISING = 0.92
"""Share of the mean difference that a glance must leave at most for a closer look at what flow is worth. Where that was
worth it the glance left 0.88 or less; of the other pairs of eight scenes nine in ten were left 0.95 or more."""

SMALLEST = 32
"""Pixels of the shorter side from which flow is tried. OpenCV 5.0 crashes on pictures with a shorter one where they are
more than twice as wide, if the finest level is that of a glance; and so few pixels tell little of how it bends."""

GLANCE = cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST, 2
CLOSELY = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, 1
"""OpenCV's preset for DIS flow and the finest level of its pyramid: seven milliseconds, and one for a glance."""


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
    here = np.ascontiguousarray(shot.luma[target][context.rows, context.columns])  # as DIS flow wants its pictures
    known = (shot.usable(target)[context.rows, context.columns] > 0) & (np.asarray(shown) > 0)
    if np.count_nonzero(known) < 50:
        return None, constant(0.0)
    difference = here.astype(np.float32) - there
    offset = median(difference[known])
    difference -= np.float32(offset)
    before = _mean_difference(difference, known)
    missed = before[known]
    usual = float(missed.mean())
    unbent = None, constant(usual)
    if float((missed > FINE_LEVELS).mean()) < FINE_SHARE or min(size) < SMALLEST:
        return unbent
    # Holes of either frame get the same picture in both, so that flow finds nothing to move there.
    there = np.clip(there + offset, 0, 255).astype(np.uint8)
    _, left = _flow_to(GLANCE, here, np.where(known, there, here), known)
    if float(left[known].mean()) > PROMISING * usual:
        return unbent
    common = np.clip(spread(here.astype(np.float32), known.astype(np.float32)), 0, 255).astype(np.uint8)
    flow, after = _flow_to(CLOSELY, np.where(known, here, common), np.where(known, there, common), known)
    good = (
        known & (after < MOST_LEVELS) & (np.maximum(*np.moveaxis(np.abs(flow), -1, 0)) < MOST_FLOW * shot.proxy_size[1])
    )
    explains = float(after[known].mean()) < FLOW_WORTH * usual
    if np.count_nonzero(good) < 20 or not explains:
        return unbent
    # Where flow gains less than 0.6 levels it only follows grain, and the homography is the steadier guess.
    put(flow, flow * np.float32(0.25), before <= after + 0.6)
    flow = soften(spread(flow, good.astype(np.float32)), 1.5)
    return flow, spread(np.minimum(after, WORST_ERROR), known.astype(np.float32))


def _flow_to(how: tuple[int, int], first: Bytes, second: Bytes, known: Mask) -> tuple[Floats, Floats]:
    """Flow from the first picture to the second, and by how much they differ along it."""
    preset, finest = how
    finder = cv2.DISOpticalFlow.create(preset)
    finder.setFinestScale(finest)
    flow = np.asarray(finder.calc(first, second, np.zeros((*first.shape, 2), np.float32)), np.float32)
    x, y = (np.arange(side, dtype=np.float32) for side in first.shape[::-1])
    laid = cv2.remap(
        second, flow[..., 0] + x, flow[..., 1] + y[:, None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return flow, _mean_difference(first.astype(np.float32) - laid, known)


def constant(error: float) -> Floats:
    """The same error everywhere."""
    return np.full((1, 1), error, np.float32)


def _mean_difference(difference: Floats, known: Mask) -> Floats:
    weight = soften(known.astype(np.float32), 2.0)
    return np.asarray(soften(np.abs(difference) * known, 2.0) / np.maximum(weight, 0.05), np.float32)
