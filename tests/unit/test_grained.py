"""Grain that is too strong, and calming it."""

from __future__ import annotations

import numpy as np

from void_server.grain import Curve, GrainModel
from void_server.grained import calmed

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
