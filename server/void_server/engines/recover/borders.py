"""Borders of planes: the outline of what is in front, found by all frames together.

An outline is part of the plane it bounds, so it moves with that plane and is the same for all frames. Carried along
by the plane's motion they look at one and the same border, each against another part of what is behind: what matches
there by chance in one of them does not in the others. So a few pixels suffice where a single pair needs a patch, and
a patch that reaches across the border is what makes the plane in front too large.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from void_server.engines import Mask
from void_server.engines.recover.costs import lowest_plane
from void_server.engines.recover.motion import Homography
from void_server.engines.recover.pixels import put, put_number
from void_server.engines.recover.pyramid import Floats, soften
from void_server.engines.recover.tone import median, pixels_under
from void_server.tiles import Box, box_of

Across = Callable[[int, int, int], Homography | None]
"""(frame, plane, other): the motion that takes the pixels of a plane to those of another by what the frame shows of
both; None where it does not show one of them."""

REACH = 8
"""Proxy pixels by which the border of two planes may be off: the patches and the neighbourhoods by which planes are
told apart blur it by a sigma of two and of six."""

MOST_MISS = 40.0
"""Levels of 255 at which a pixel misses a plane, however much: what is wrong is wrong."""

DOUBT = 3.0
"""Times a plane's usual miss at which a pixel is not of it, where nothing is known to be behind it."""

PIXEL_SIGMA = 1.0
"""Proxy pixels over which evidence is averaged: the frames average out grain, this only the sampling."""

AROUND = 12
"""Proxy pixels around what is judged that have a say in it: blur (four), median (two), half a border (one), and
room to spare."""

ROUNDS = 2
"""The first shows more of what is behind, the second judges by it."""


def refine(
    scores: Floats, luma: Floats, seen: Mask, order: Sequence[int], across: Across
) -> tuple[Floats, dict[int, Floats], Mask]:
    """The scores of planes with the borders put right, and per frame and plane where another plane covers it.

    `luma` (planes, frames, h, w) and `seen` (frames, planes, h, w) lie on the target's pixels by each plane's motion;
    the first frame is the target. `order` leads from front to back.
    """
    label, _ = lowest_plane(scores)
    inside = {plane: (label == plane).astype(np.float32) for plane in order[:-1]}
    # A patch makes what is in front too large and never too small, so only what was taken for it is judged.
    sure = {plane: _inner(inside[plane]) for plane in inside}
    bands = {plane: (inside[plane] > 0) & ~sure[plane] for plane in inside}
    areas = {plane: _area(bands[plane]) for plane in inside}
    evidence: dict[int, Floats] = {}
    # Nothing covers what is in front of all, so it is looked at once.
    misses = {order[0]: _misses(luma[order[0]], seen[:, order[0]])}
    for _ in range(ROUNDS):
        hidden = covered(inside, order, seen.shape, across, strict=True)
        misses |= {plane: _misses(luma[plane], seen[:, plane] & ~hidden[:, plane]) for plane in order[1:]}
        for rank, plane in enumerate(order[:-1]):
            evidence[plane] = _evidence(plane, order[rank + 1 :], misses, sure[plane], across, areas[plane])
            judged = bands[plane] & (evidence[plane] != 0)
            inside[plane] = np.where(judged, evidence[plane] > 0, inside[plane]).astype(np.float32)
    scores = scores.copy()
    # From back to front, so that each plane is weighed against what is behind it as it now stands.
    for rank in reversed(range(len(order) - 1)):
        plane = order[rank]
        judged = bands[plane] & (evidence[plane] != 0)
        behind = scores[list(order[rank + 1 :])].min(axis=0)
        scores[plane] = np.where(judged, behind - evidence[plane], scores[plane])
    return scores, inside, covered(inside, order, seen.shape, across)


def _inner(inside: Floats) -> Mask:
    """What lies in a mask farther from its border than the border may be off."""
    return np.asarray(cv2.erode(inside, np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)) > 0)


def _area(band: Mask) -> Box | None:
    """The box in which evidence is gathered for a band: as far around it as blur and median reach."""
    tight = box_of(band)
    return None if tight is None else tight.grown(AROUND).within(Box(0, 0, band.shape[1], band.shape[0]))


def covered(
    fronts: Mapping[int, Floats], order: Sequence[int], shape: tuple[int, ...], across: Across, strict: bool = False
) -> Mask:
    """Per frame and plane where the planes in front of it cover it; `shape` is (frames, planes, h, w).

    `strict` also counts what touches their rim, which shows both, and what lies beyond the box, where none is known.
    """
    hidden = np.zeros(shape, bool)
    whole, outside, least = Box(0, 0, shape[3], shape[2]), float(strict), 0.01 if strict else 0.5
    for rank, front in enumerate(order[:-1]):
        cover = (
            np.asarray(cv2.dilate(fronts[front], np.ones((3, 3), np.uint8)), np.float32) if strict else fronts[front]
        )
        for frame in range(shape[0]):
            for plane in order[rank + 1 :]:
                motion = across(frame, plane, front)
                if motion is not None:
                    hidden[frame, plane] |= laid_on(cover, motion, outside, whole) > least
    return hidden


def laid_on(image: Floats, motion: Homography, outside: float, box: Box) -> Floats:
    """A picture on a box of another's pixels, by the motion from these to its own; `outside` is what lies beyond it."""
    if np.array_equal(motion, np.eye(3)):
        return image[box.rows, box.columns]
    place = motion @ np.array([[1, 0, box.x0], [0, 1, box.y0], [0, 0, 1.0]])
    size, flags = (box.width, box.height), cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    return np.asarray(cv2.warpPerspective(image, place, size, flags=flags, borderValue=(outside,)), np.float32)


def _misses(luma: Floats, shown: Mask) -> Floats:
    """Per frame the levels by which it misses what the others show of a plane; infinite where none does."""
    weights = shown.astype(np.float32)
    number = weights.sum(axis=0)
    level = luma * weights
    middle = level.sum(axis=0) / np.maximum(number, 1)
    # Proxies follow the light of what each frame shows, so the same wall differs by a few levels.
    for own, weight, mask in zip(level, weights, shown, strict=True):
        picked = pixels_under(mask)
        if len(picked):
            cv2.scaleAdd(weight, -median(own.take(picked) - middle.take(picked)), own, own)
    others = number - weights
    mean = level.sum(axis=0) - level
    mean /= np.maximum(others, 1)
    level = np.asarray(cv2.absdiff(level, mean), np.float32)
    np.minimum(level, MOST_MISS, out=level)
    put_number(level, np.inf, ~(shown & (others > 0)))
    return level


def _evidence(
    plane: int, behind: Sequence[int], misses: Mapping[int, Floats], sure: Mask, across: Across, area: Box | None
) -> Floats:
    """Levels by which pixels match a plane better than what is behind it, mean of all frames; 0 where none tells.

    Only the area is looked at.
    """
    evidence = np.zeros(misses[plane].shape[1:], np.float32)
    usual = [miss[sure & np.isfinite(miss)] for miss in misses[plane]]
    if area is None or not any(len(values) for values in usual):
        return evidence
    own = misses[plane][:, area.rows, area.columns]
    known = np.isfinite(own)
    doubt = np.float32(DOUBT * np.concatenate(usual).mean())
    # Misses count alike on both sides of a border, or softening would move it.
    most = 2 * doubt
    total, count = np.zeros(area.size, np.float32), np.zeros(area.size, np.float32)
    for frame in range(len(own)):
        best = np.full(area.size, np.inf, np.float32)
        for other in behind:
            motion = across(frame, plane, other)
            if motion is not None:
                miss = misses[other][frame]
                told = laid_on(np.isfinite(miss).astype(np.float32), motion, 0.0, area)
                laid = laid_on(np.minimum(miss, MOST_MISS), motion, MOST_MISS, area)
                put(best, np.minimum(best, np.minimum(laid, most)), told > 0.99)
        put_number(best, float(doubt), np.isinf(best))
        best -= np.minimum(own[frame], most)
        put_number(best, 0.0, ~known[frame])
        total += best
        count += known[frame]
    mean = soften(total, PIXEL_SIGMA) / np.maximum(soften(count, PIXEL_SIGMA), 0.5)
    mean = np.asarray(cv2.medianBlur(mean, 5), np.float32)
    # A pixel on the border shows both and fits neither, so it counted as behind: half of it is the front's.
    evidence[area.rows, area.columns] = 0.5 * (mean + cv2.dilate(mean, np.ones((3, 3), np.uint8)))
    return evidence
