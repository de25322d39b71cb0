"""How well pictures match as one plane or another, and what the neighbours of a pixel make of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import Mask
from void_server.engines.recover.pixels import put, put_number
from void_server.engines.recover.pyramid import Floats, enlarge, reduce, soften

WORST = 40.0
"""Levels of 255 at which a difference counts as wrong, however wrong: keeps edges from outvoting areas."""

PATCH_SIGMA = 2.0
"""Proxy pixels over which differences are averaged: grain needs a few pixels, layer edges ask for few."""

SMOOTHNESS = 15.0
"""Levels by which a pixel must match better to stand alone against all its neighbours; planes are large."""

NEIGHBOURHOOD = 6.0
"""Proxy pixels (sigma) that count as neighbours, half a percent of the width."""

TEMPERATURE = 3.0
"""Levels of difference that tell one plane from another with odds of e to one: grain alone gives two."""

COARSER = 4
"""Proxy pixels per cell in which neighbours are summed: less than their sigma."""

ROUNDS = 6
"""Rounds of agreement with the neighbours: news travels a neighbourhood in each, some 40 proxy pixels in all. Two more
cost a hundredth of a deep scene and change its PSNR by less than 0.05 dB."""


def pair_costs(luma: Floats, seen: Mask) -> dict[tuple[int, int], Floats]:
    """Local mean difference of every two pictures, infinite where they do not both show a place."""
    costs = {}
    for first in range(len(luma)):
        for second in range(first):
            both = (seen[first] & seen[second]).astype(np.float32)
            if not both.any():
                continue
            weight = soften(both, PATCH_SIGMA)
            difference = np.minimum(cv2.absdiff(luma[first], luma[second]), WORST)
            mean = soften(np.multiply(difference, both, out=difference), PATCH_SIGMA)
            # A tenth of the patch: less is a rim of a matte, where neighbours decide.
            rim = weight <= 0.1
            mean /= np.maximum(weight, 0.1, out=weight)
            put_number(mean, np.inf, rim)
            costs[first, second] = mean
    return costs


def best_two(costs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    """Mean of the two lowest: a true match is confirmed by two frames, others may be covered. Where only two frames
    show a place their one cost counts; where fewer do it is infinite."""
    lowest, second, room = np.full((3, *shape), np.inf, np.float32)
    for cost in costs:
        np.minimum(second, np.maximum(lowest, cost, out=room), out=second)
        np.minimum(lowest, cost, out=lowest)
    put(second, lowest, np.isinf(second))
    second += lowest
    second *= np.float32(0.5)
    return np.asarray(second, np.float32)


def undecided(costs: Floats) -> Floats:
    """The costs per plane, where a plane that was never compared (infinite) is neither for nor against: it ties."""
    best = costs.min(axis=0)
    put_number(best, 0.0, np.isinf(best))
    tied = costs.copy()
    for cost in tied:
        put(cost, best, np.isinf(cost))
    return tied


def lowest_plane(costs: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The plane of the lowest cost, the first of equals, and by how much the second lowest is above it."""
    best, label = costs[0].copy(), np.zeros(costs.shape[1:], np.int64)
    second = np.full(best.shape, np.inf, np.float32)
    for plane in range(1, len(costs)):
        cost = costs[plane]
        label[cost < best] = plane
        np.minimum(second, np.maximum(best, cost), out=second)
        np.minimum(best, cost, out=best)
    return label, second - best


def agree(costs: Floats, sigma: float) -> Floats:
    """Per plane the share of belief in it, from matching costs and the belief of the neighbours."""
    size = costs.shape[1], costs.shape[2]
    # Neighbourhoods are smooth, so a quarter of the pixels carries them as well.
    small = max(2, size[0] // COARSER), max(2, size[1] // COARSER)

    def around(share: Floats) -> Floats:
        return enlarge(soften(reduce(share, small), sigma / COARSER), size)

    odds = costs * np.float32(-1 / TEMPERATURE)
    if len(costs) == 2:
        return _agree_of_two(odds[0] - odds[1], around)
    belief = _softmax(odds.copy())
    for _ in range(ROUNDS):
        near = [around(share) for share in belief]
        belief = _softmax(np.stack([own * np.float32(SMOOTHNESS / TEMPERATURE) for own in near]) + odds)
    return belief


def _agree_of_two(lead: Floats, around: Callable[[Floats], Floats]) -> Floats:
    """The same for two planes, whose shares add up to one: the belief in the first says it all."""
    strength = np.float32(SMOOTHNESS / TEMPERATURE)
    belief, total = _logistic(lead), lead
    for _ in range(ROUNDS):
        total = around(belief)
        total *= 2 * strength
        total += lead - strength
        belief = _logistic(total)
    return np.stack([belief, _logistic(-total)])


def _logistic(lead: Floats) -> Floats:
    powers = np.asarray(cv2.exp(-lead), np.float32)
    powers += np.float32(1)
    return np.asarray(np.divide(np.float32(1), powers, out=powers), np.float32)


def _softmax(values: Floats) -> Floats:
    values -= values.max(axis=0)
    powers = np.exp(values, out=values)
    powers /= powers.sum(axis=0)
    return powers
