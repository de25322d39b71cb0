"""What a mean of frames leaves of their grain, and taking it away."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from void_server.grain import Curve, GrainModel
from void_server.leavings import band_power, degrained
from void_server.regrain import add, synthesise
from void_server.tiles import Box

SIZE = (160, 240)
SIGMA = 0.01
MEAN_OF = 10
KEPT = MEAN_OF**-0.5

Picture = NDArray[np.float32]


def model() -> GrainModel:
    """Grain as a debayer makes it, as strong in all light."""
    curve = Curve(np.array([0, 1], np.float32), np.full(2, SIGMA**2, np.float32))
    column = np.array([0.2, 0.9, 0.2], np.float32)
    taps = np.outer(column, column)
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    for channel in range(3):
        kernel[channel, channel] = taps / np.sqrt((taps * taps).sum())
    return GrainModel((curve, curve, curve), kernel)


def grain(index: int, size: tuple[int, int] = SIZE) -> Picture:
    return synthesise(model(), 3, index, Box(0, 0, size[1], size[0])) * np.float32(SIGMA)


def leavings() -> Picture:
    return np.asarray(np.mean([grain(index) for index in range(MEAN_OF)], axis=0), np.float32)


def dots() -> Picture:
    """Light that changes slowly, with hard dots on it."""
    random = np.random.default_rng(1)
    light = 0.3 + 0.2 * cv2.resize(random.random((5, 7, 3), np.float32), SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    for y, x in random.integers(2, np.array(SIZE) - 2, (SIZE[0] * SIZE[1] // 500, 2)):
        light[y - 1 : y + 2, x - 1 : x + 2] *= 1.8
    return np.asarray(light, np.float32)


def test_grain_of_two_frames_made_from_the_same_mean_is_not_related() -> None:
    clean, where = dots(), np.ones(SIZE, bool)
    pixels, left = degrained(clean + leavings(), model(), where, KEPT)
    share = np.ones(SIZE, np.float32)
    one, other = (
        add(pixels, model(), synthesise(model(), 9, frame, Box(0, 0, SIZE[1], SIZE[0])), share, left * KEPT) - clean
        for frame in (1, 2)
    )
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] < 0.02
    assert one.std() / SIGMA == pytest.approx(1, abs=0.03)
    plain = np.corrcoef((grain(21) + leavings()).ravel(), (grain(22) + leavings()).ravel())[0, 1]
    assert plain > 0.08, "without degraining a tenth of the power repeats"


def test_the_picture_is_nearer_to_the_truth_than_the_mean_was() -> None:
    clean, noise = dots(), leavings()
    found, _ = degrained(clean + noise, model(), np.ones(SIZE, bool), KEPT)
    assert (found - clean).std() < 0.5 * noise.std()


def test_edges_stay_and_slopes_are_cleaned() -> None:
    clean = np.repeat(np.linspace(0.2, 0.8, SIZE[1], dtype=np.float32)[None], SIZE[0], axis=0)[..., None].repeat(3, 2)
    clean[:, 120:] += 0.5
    noise = leavings()
    found, _ = degrained(clean + noise, model(), np.ones(SIZE, bool), KEPT)
    slope, edge = np.s_[8:-8, 8:100], np.s_[:, 118:122]
    assert (found - clean)[slope].std() < 0.4 * noise[slope].std()
    assert np.abs(found - clean)[edge].max() < 5 * noise.std()


def test_texture_stronger_than_the_leavings_stays() -> None:
    texture = 0.1 * np.random.default_rng(4).standard_normal((*SIZE, 3)).astype(np.float32)
    clean = 0.5 + texture
    found, left = degrained(clean + leavings(), model(), np.ones(SIZE, bool), KEPT)
    assert np.abs(found - clean - leavings()).max() < 0.05 * texture.std()
    assert left.mean() > 0.95, "the grain under texture counts as still there"


@pytest.mark.parametrize("peak", [100.0, 60000.0])
def test_a_light_in_the_picture_changes_nothing_far_from_it(peak: float) -> None:
    plain = dots() + leavings()
    lit = plain.copy()
    lit[20:30, 20:30] = peak
    where = np.ones(SIZE, bool)
    one, other = (degrained(picture, model(), where, KEPT)[0] for picture in (plain, lit))
    assert np.isfinite(other).all()
    assert np.abs(one - other)[:, 80:].max() < 0.05 * SIGMA
    assert (other[22:28, 22:28] == peak).all()


@pytest.mark.parametrize(("kept", "recovered"), [(0.0, True), (0.5, False)])
def test_where_nothing_is_left_or_nothing_recovered_pixels_stay(kept: float, recovered: bool) -> None:
    picture = np.random.default_rng(2).random((*SIZE, 3)).astype(np.float32)
    found, left = degrained(picture, model(), np.full(SIZE, recovered), kept)
    assert (found == picture).all() and not left.any()


def test_only_recovered_pixels_change_and_a_single_one_does_too() -> None:
    picture, where = dots() + leavings(), np.zeros(SIZE, bool)
    where[50:90, 60:130] = True
    found, left = degrained(picture, model(), where, KEPT)
    assert (found[~where] == picture[~where]).all() and not left[~where].any()
    tiny = picture[:1, :1]
    assert np.isfinite(degrained(tiny, model(), np.ones((1, 1), bool), KEPT)[0]).all()


def test_the_power_of_bands_is_that_of_made_grain() -> None:
    made = grain(1, (512, 512)) / SIGMA
    fine = made - cv2.sepFilter2D(made, -1, *2 * [np.array([1, 4, 6, 4, 1], np.float32) / 16])
    assert band_power(model().kernel)[0] == pytest.approx(np.square(fine).mean(axis=(0, 1)), rel=0.02)
