"""Grain that is left in averaged pixels, and taking it away."""

from __future__ import annotations

import numpy as np
import pytest

from void_server.grain import Curve, GrainModel
from void_server.grained import degrained

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
