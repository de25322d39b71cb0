"""How well pictures match as one plane or another, and what the neighbours of a pixel make of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from void_server.engines import Mask
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

ROUNDS = 8
"""Rounds of agreement with the neighbours: news travels a neighbourhood in each, some 50 proxy pixels in all."""


def pair_costs(luma: Floats, seen: Mask) -> dict[tuple[int, int], Floats]:
    """Local mean difference of every two pictures, infinite where they do not both show a place."""
    costs = {}
    for first in range(len(luma)):
        for second in range(first):
            both = (seen[first] & seen[second]).astype(np.float32)
            if not both.any():
                continue
            weight = soften(both, PATCH_SIGMA)
            difference = soften(both * np.minimum(np.abs(luma[first] - luma[second]), WORST), PATCH_SIGMA)
            # A tenth of the patch: less is a rim of a matte, where neighbours decide.
            mean = difference / np.maximum(weight, 0.1)
            costs[first, second] = np.where(weight > 0.1, mean, np.inf).astype(np.float32)
    return costs


def best_two(costs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    """Mean of the two lowest: a true match is confirmed by two frames, others may be covered. Where only two frames
    show a place their one cost counts; where fewer do it is infinite."""
    lowest = second = np.full(shape, np.inf, np.float32)
    for cost in costs:
        second = np.minimum(second, np.maximum(lowest, cost))
        lowest = np.minimum(lowest, cost)
    return np.where(np.isfinite(second), 0.5 * (lowest + second), lowest).astype(np.float32)


def undecided(costs: Floats) -> Floats:
    """The costs per plane, where a plane that was never compared (infinite) is neither for nor against: it ties."""
    best = costs.min(axis=0)
    best[~np.isfinite(best)] = 0.0
    return np.where(np.isfinite(costs), costs, best).astype(np.float32)


def agree(costs: Floats, sigma: float) -> Floats:
    """Per plane the share of belief in it, from matching costs and the belief of the neighbours."""
    belief = _softmax(-costs / TEMPERATURE)
    size = belief.shape[1], belief.shape[2]
    # Neighbourhoods are smooth, so a quarter of the pixels carries them as well.
    small = max(2, size[0] // COARSER), max(2, size[1] // COARSER)
    for _ in range(ROUNDS):
        around = np.stack([enlarge(soften(reduce(share, small), sigma / COARSER), size) for share in belief])
        belief = _softmax((SMOOTHNESS * around - costs) / TEMPERATURE)
    return belief


def _softmax(values: Floats) -> Floats:
    powers = np.exp(values - values.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0), np.float32)
