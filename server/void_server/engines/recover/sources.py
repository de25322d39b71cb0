"""Which frames to look at: a greedy cover of the hole by frames in which its background is visible."""

from __future__ import annotations

import math

import numpy as np

from void_server.engines.recover.shot import Shot

DECAY_FRAMES = 10.0
"""Frames after which a source counts 1/e: light, grain and registration all worsen with distance in time."""

FAR_WEIGHT = 0.02
"""What a source counts at any distance, so that the only frame showing a pixel is always found."""

REACH_FRAMES = 40
"""Four decays: beyond it a nearer frame is practically always as good, and 4K memory stays bounded."""

MOST_SOURCES = 6
"""Past six the noise of a mean falls by less than 8 % a source, at the same cost."""

WANTED_SOURCES = 3
"""Three frames tell which of them is wrong; two do not."""

LOCKED_SOURCES, LOCKED_GRAIN_SOURCES = 24, 12
"""For a locked-off camera a sample costs no resampling; a mean of 24 has a fifth of the plate's noise. Where
one source lends its grain the mean only has to tell which are wrong."""

GRAIN_CYCLE = 3
"""Targets share a preferred source only every third frame, so grain never stands still in the fill."""


def candidates(shot: Shot, target: int) -> list[int]:
    """Positions of the same segment near enough to serve, then every fourth of the rest."""
    return [other for other in shot.peers(target) if abs(other - target) <= REACH_FRAMES or (other - target) % 4 == 0]


def nearness(target: int, source: int) -> float:
    """How much a source counts for its distance in time, above 0 to about 1."""
    return math.exp(-abs(source - target) / DECAY_FRAMES) + FAR_WEIGHT


def in_turn(target: int, source: int) -> bool:
    """True for the sources whose turn it is to lend this target their grain."""
    return (source - target) % GRAIN_CYCLE == 0


def choose_sources(shot: Shot, target: int, turns: bool, wanted: int = WANTED_SOURCES) -> list[int]:
    """Sources for a target, best first.

    `turns` prefers those whose grain is due, for fills that take each pixel from one frame.
    """
    hole = shot.coarse_hole[target] > 0
    if not hole.any():
        return []
    # Which plane a hidden cell shows is not known yet, so in a deep scene it is to be seen along both.
    planes = (False, True) if shot.deep else (False,)
    visible = {
        other: np.concatenate([
            shot.seen_from(target, other, shot.coarse_seen[other], second)[hole] for second in planes
        ]).astype(np.float32)
        for other in candidates(shot, target)
    }  # fmt: skip
    # A second look is free where nothing moves, so a locked-off shot takes as many as it may.
    most = MOST_SOURCES
    if shot.locked[target]:
        most = wanted = LOCKED_GRAIN_SOURCES if turns else LOCKED_SOURCES
    chosen: list[int] = []
    need = np.full(len(planes) * int(hole.sum()), float(wanted), np.float32)
    while len(chosen) < most and (need > 0).any():
        # A cell that nobody shows yet counts three times one that lacks a second look.
        worth = np.where(need >= wanted, 3.0, np.minimum(need, 1.0)).astype(np.float32)
        rest = [other for other in visible if other not in chosen]
        if not rest:
            break
        # A due source may be about seven frames further away before another is taken instead.
        best = max(
            rest,
            key=lambda other: (
                float(visible[other] @ worth)
                * nearness(target, other)
                * (1.0 if not turns or chosen or in_turn(target, other) else 0.5)
            ),
        )
        # Under 0.2 % of the hole a source is not worth its registration.
        if float(visible[best] @ (need > 0)) < max(1.0, 0.002 * len(need)):
            break
        need = np.maximum(0, need - visible[best])
        chosen.append(best)
    return chosen
