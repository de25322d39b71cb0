"""Time at the rate that VOID knows: which frames of a shot it is shown, and how those between them are made.

VOID learned how far things move from one frame to the next at 12 frames a second (Netflix/void-model, config and all
samples; image.md 5). At 24 it sees half of that, and lets things fall half as fast. So it is shown every second frame,
always the same ones, and what lies between is moved there along optical flow. Generating the others as well would
give two takes that alternate from frame to frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import Picture
from void_server.engines.void.flow import Flow, Motion

INVERSIONS = 5
"""Times that the way back along a motion is corrected; about a hundredth of a pixel is left over where motion of some
pixels changes by a third of a pixel from one pixel to the next."""
SLACK, SLACK_SHARE = 0.5, 0.01
"""Squared pixels by which the way back may miss: a fixed part and a share of the motion's own square (as motion forth
and back may differ in Sundaram, Brox and Keutzer, "Dense point trajectories", ECCV 2010)."""
LEAST_WEIGHT = 1e-3
"""Weight of what is hidden in one of two pictures, so that where both hide it something is shown."""

Floats = NDArray[np.float32]


def shown(numbers: Sequence[int], first: int, stride: int) -> tuple[int, ...]:
    """Those of a unit's consecutive frames that VOID is shown, in a shot whose first is `first`.

    The unit's own first and last always are, so that every frame is one of them or lies between two.
    """
    ends = {numbers[0], numbers[-1]}
    return tuple(number for number in numbers if (number - first) % stride == 0 or number in ends)


def between(before: Picture, after: Picture, times: Sequence[float], flow: Flow) -> Iterator[Picture]:
    """Pictures between two, (H, W, 3) in 0..1, at times in 0..1 on the way from the first to the second.

    Each is both of them moved along their motion and mixed by time, less of the one in which a pixel is hidden.
    """
    forth, back = flow(before, after), flow(after, before)
    for time in times:
        moved = [_moved(before, forth, time), _moved(after, back, 1 - time)]
        total = np.zeros_like(before)
        share = np.zeros(before.shape[:2], np.float32)
        for (pixels, trust), amount in zip(moved, (1 - time, time), strict=True):
            weight = trust * np.float32(amount)
            total += pixels * weight[..., None]
            share += weight
        yield np.clip(total / share[..., None], 0, 1)


def _moved(picture: Picture, motion: Motion, time: float) -> tuple[Picture, Floats]:
    """A picture moved along a share of its motion, and how far each pixel of it is to be trusted, above 0 to 1.

    Where a pixel comes from is found by going back and back again. What the picture hides has nowhere to come from:
    there the search ends at a place that moves elsewhere.
    """
    height, width = picture.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    place = grid
    for _ in range(INVERSIONS):
        place = grid - np.float32(time) * _sampled(motion, place)
    here = _sampled(motion, place)
    missed = ((place + np.float32(time) * here - grid) ** 2).sum(axis=-1)
    slack = SLACK + SLACK_SHARE * (here**2).sum(axis=-1)
    inside = (place >= -0.5).all(axis=-1) & (place <= (width - 0.5, height - 0.5)).all(axis=-1)
    trust = np.where(inside, 1 / (1 + (missed / slack) ** 2), 0)
    return _sampled(picture, place, cv2.INTER_CUBIC), np.maximum(trust, LEAST_WEIGHT).astype(np.float32)


def _sampled(values: Floats, place: Floats, method: int = cv2.INTER_LINEAR) -> Floats:
    """Values at places (H, W, 2) in x and y; those of the border beyond it."""
    across, down = (np.ascontiguousarray(place[..., axis]) for axis in (0, 1))
    found = cv2.remap(values, across, down, method, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)
