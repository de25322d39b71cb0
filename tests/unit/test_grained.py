"""Grain that is left in averaged pixels, and taking it away."""

from __future__ import annotations

import numpy as np
import pytest

from void_server.grain import Curve, GrainModel
from void_server.grained import calmed, degrained

SIZE = (64, 96)
SIGMA = 0.02


def model() -> GrainModel:
    light = np.linspace(0.05, 1, 8).astype(np.float32)
    curve = Curve(light, np.full(8, SIGMA**2, np.float32))
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    for channel in range(3):
        kernel[channel, channel, 1, 1] = 1
    return GrainModel((curve, curve, curve), kernel)


def test_what_is_left_of_the_grain_is_taken_away_and_edges_stay() -> None:
    noise = np.random.default_rng(1).normal(0, 0.4 * SIGMA, (*SIZE, 3)).astype(np.float32)
    clean = np.full((*SIZE, 3), 0.3, np.float32)
    clean[:, 48:] = 0.7
    where = np.ones(SIZE, bool)
    found = degrained(clean + noise, model(), where, 0.4)
    flat = np.s_[8:-8, 8:36]
    assert (found - clean)[flat].std() < 0.6 * noise[flat].std()
    edge = np.s_[:, 46:50]
    assert np.abs(found - clean)[edge].mean() < 0.02


@pytest.mark.parametrize(("kept", "share"), [(0.0, 1), (0.5, 0)])
def test_where_nothing_is_left_or_nothing_recovered_pixels_stay(kept: float, share: int) -> None:
    picture = np.random.default_rng(2).random((*SIZE, 3)).astype(np.float32)
    where = np.full(SIZE, bool(share))
    assert (degrained(picture, model(), where, kept) == picture).all()


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
