"""Boxes of the networks' own size over a picture that is larger than they know, and how their answers are mixed.

The mean of what overlapping tiles say, taken at every step, is one picture (Bar-Tal et al., "MultiDiffusion", ICML
2023); weights that fall towards the edges let narrow overlaps do (Jiménez, "Mixture of Diffusers", 2023).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from void_server.engines.void.latents import PIXELS_A_LATENT
from void_server.tiles import Box

LEAST_OVERLAP = 0.25
"""Share of its side that a tile has at least in common with the next (image.md 3.3)."""
EDGE_WEIGHT = 0.02
"""Weight at a tile's edge, of 1 in its middle: small enough not to show, large enough to divide by."""

Weights = NDArray[np.float32]


def tiles_over(size: tuple[int, int], tile: tuple[int, int]) -> list[Box]:
    """Boxes of `tile` pixels that cover `size` pixels evenly, in reading order, each on whole latents.

    Both are (height, width) in multiples of 8, and no side of the tile is longer. Neighbours share at least a quarter
    of their side.
    """
    rows, columns = (_starts(whole, part) for whole, part in zip(size, tile, strict=True))
    return [Box(x, y, x + tile[1], y + tile[0]) for y in rows for x in columns]


def latent_box(box: Box) -> Box:
    """The latents of a box of pixels that lies on whole ones."""
    edges = box.x0, box.y0, box.x1, box.y1
    return Box(*(edge // PIXELS_A_LATENT for edge in edges))


def tile_weights(size: tuple[int, int]) -> Weights:
    """(height, width): how much a tile says about each of its samples, from 1 in the middle to little at the edges.

    A raised cosine: where tiles overlap by half, their weights add up to the same everywhere.
    """
    rows, columns = (_hill(length) for length in size)
    return (rows[:, None] * columns[None, :]).astype(np.float32)


def _starts(whole: int, part: int) -> list[int]:
    whole, part = whole // PIXELS_A_LATENT, part // PIXELS_A_LATENT
    steps = -(-(whole - part) // int(part * (1 - LEAST_OVERLAP)))
    return [round(index * (whole - part) / max(1, steps)) * PIXELS_A_LATENT for index in range(steps + 1)]


def _hill(length: int) -> NDArray[np.float64]:
    rise = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    return np.asarray(EDGE_WEIGHT + (1 - EDGE_WEIGHT) * rise)
