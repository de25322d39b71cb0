"""Grain that is too strong, and calming it; grain for a few pixels among many."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from void_plugin.settings import RenderSettings
from void_server.fills import Fills
from void_server.grain import Curve, GrainModel
from void_server.grained import Grainer, calmed
from void_server.plan import GRAIN, Plan
from void_server.stitch import Stitched
from void_server.tiles import Box
from void_server.view import PlateFrames

SIZE = (64, 96)
SIGMA = 0.02


def model() -> GrainModel:
    light = np.linspace(0.05, 1, 8).astype(np.float32)
    curve = Curve(light, np.full(8, SIGMA**2, np.float32))
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    for channel in range(3):
        kernel[channel, channel, 1, 1] = 1
    return GrainModel((curve, curve, curve), kernel)


def test_grain_that_is_too_strong_is_calmed_to_its_due_and_texture_stays() -> None:
    noise = np.random.default_rng(3).normal(0, 1.4 * SIGMA, (*SIZE, 3)).astype(np.float32)
    clean = np.full((*SIZE, 3), 0.3, np.float32)
    texture = 0.2 * np.random.default_rng(4).standard_normal((64, 32, 3)).astype(np.float32)
    clean[:, 64:] += texture
    own = np.full((*SIZE, 3), 1.4, np.float32)
    found = calmed(clean + noise, model(), own, 0.97)
    flat = np.s_[8:-8, 8:52]
    assert 0.9 < (found - clean)[flat].std() / SIGMA < 1.2
    rough = np.s_[8:-8, 72:-8]
    assert np.abs((found - clean - noise)[rough]).max() < 0.02 * np.abs(texture).max()


def test_grain_that_is_not_too_strong_is_left_bit_for_bit() -> None:
    picture = np.random.default_rng(5).random((*SIZE, 3)).astype(np.float32)
    own = np.full((*SIZE, 3), 0.8, np.float32)
    own[:, 40:] = 1.3
    found = calmed(picture, model(), own, 0.97)
    assert (found[:, :40] == picture[:, :40]).all() and (found[:, 40:] != picture[:, 40:]).any()


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_a_few_pixels_get_the_same_grain_alone_as_among_others(kept: float) -> None:
    random = np.random.default_rng(6)
    size = 160, 240
    grainless = np.zeros(size, np.float32)
    grainless[70:78, 100:109] = random.random((8, 9), np.float32)
    alpha = np.ones(size, np.float32)
    alpha[:, :104] = 0.4
    pixels = random.random((*size, 3), np.float32)
    recovered = 1 - 0.5 * (grainless > 0).astype(np.float32)
    recovered[0, 0] = recovered[-1, -1] = 0  # no mean, whose leavings would be looked at from here to there
    few = Stitched(Box(30, -10, 270, 150), pixels, alpha, recovered, alpha, grainless)
    corner = grainless.copy()
    corner[0, 0] = corner[-1, -1] = 1
    many = replace(few, grainless=corner)
    grainer = Grainer(
        cast(Plan, SimpleNamespace(canvas=Box(0, 0, 400, 300))),
        RenderSettings(),
        cast(PlateFrames, SimpleNamespace(footage=SimpleNamespace(has=lambda _: False))),
        cast(Fills, SimpleNamespace(facts=lambda _: {"grain_left": kept})),
        {f"{GRAIN}.{name}": array for name, array in model().to_arrays().items()},
    )
    alone, among = grainer.grained(7, few)[0], grainer.grained(7, many)[0]
    assert (alone[70:78, 100:109] == among[70:78, 100:109]).all()
    assert (alone != pixels).any(axis=-1).sum() == np.count_nonzero(grainless)
