"""What tests of VOID build on: small frames with their quadmask, and settings that fit them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from void_plugin.settings import RenderSettings
from void_server.engines import AFFECTED, KEEP, REMOVE
from void_server.engines.void import VoidEngine
from void_server.scenes import MemoryFrames

RASTER = (32, 48)
SMALL = RenderSettings(void_raster="48x32", void_steps=3, void_pass2_steps=2, void_short_clips="short", seed=7)
MakeEngine = Callable[..., VoidEngine]
"""Makes an engine; changes of settings are given by name."""


def moving_square(
    count: int, *, empty: tuple[int, ...] = (), affected: bool = True, enlargement: float = 1.0
) -> MemoryFrames:
    """Frames of a drifting texture that a square crosses, with its quadmask; `empty` ones have no matte."""
    rng = np.random.default_rng(4)
    height, width = RASTER
    texture = rng.random((height, 4 * width, 3), np.float32)
    plates, labels = [], []
    for index in range(count):
        plate = texture[:, index % (3 * width) :][:, :width].copy()
        label = np.full(RASTER, KEEP, np.uint8)
        if index not in empty:
            x = 2 + index % (width - 18)
            plate[8:20, x : x + 12] = 0.9
            if affected:
                label[20:28, x : x + 12] = AFFECTED
            label[8:20, x : x + 12] = REMOVE
        plates.append(plate)
        labels.append(label)
    return MemoryFrames(plates, labels, fills=(REMOVE, AFFECTED), enlargement=enlargement)
