"""What untouched areas tell of a generated clip: its colours, its noise, its softness, its place."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from void_server.likeness import HIGH_FLOOR, LOW_FLOOR, Likeness, Pair, compare
from void_server.registration import displaced, displacement

Floats = NDArray[np.float32]
SIZE = (96, 160)


def plate(seed: int = 1) -> Floats:
    random = np.random.default_rng(seed)
    picture = np.zeros((*SIZE, 3), np.float32)
    for cell, weight in ((3, 0.2), (8, 0.4), (30, 0.6)):
        cells = random.random((SIZE[0] // cell + 2, SIZE[1] // cell + 2, 3), np.float32)
        picture += np.float32(weight) * cv2.resize(cells, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(0.1 + 0.5 * picture, 0, 1).astype(np.float32)


def keep(share: float = 0.7) -> NDArray[np.bool_]:
    mask = np.ones(SIZE, bool)
    mask[:, round(SIZE[1] * share) :] = False
    return mask


def pairs(change: object, share: float = 0.7, count: int = 4) -> list[Pair]:
    made = []
    for seed in range(count):
        original = plate(seed)
        picture = np.clip(change(original, seed), 0, 1).astype(np.float32)  # type: ignore[operator]
        picture[:, round(SIZE[1] * share) :] = 0.9  # what was generated must not count
        made.append(Pair(picture, original, keep(share)))
    return made


def error(found: Likeness, made: list[Pair]) -> float:
    """Mean difference from the plate inside of what is kept."""
    inner = np.s_[12:-12, 12:90]
    return float(np.mean([np.abs(found.corrected(pair.picture) - pair.plate)[inner].mean() for pair in made]))


def test_a_colour_cast_is_found_and_taken_away() -> None:
    gain, offset = np.float32([1.04, 1.0, 0.97]), np.float32([0.01, 0.0, -0.012])
    made = pairs(lambda picture, seed: (picture - offset) / gain)
    found = compare(made)
    assert found.known
    np.testing.assert_allclose(found.gain, gain, atol=0.005)
    np.testing.assert_allclose(found.offset, offset, atol=0.003)
    assert error(found, made) < 0.001


def test_an_exact_picture_is_left_as_it_is() -> None:
    made = pairs(lambda picture, seed: picture)
    found = compare(made)
    assert (found.low, found.high) == (LOW_FLOOR, HIGH_FLOOR) and found.shift == ()
    assert error(found, made) < 2e-4


def test_noise_is_measured_and_smoothed() -> None:
    random = np.random.default_rng(9)
    made = pairs(lambda picture, seed: cv2.GaussianBlur(picture, (0, 0), 2.0) + random.normal(0, 0.01, picture.shape))
    found = compare(made)
    assert all(0.004 < noise < 0.012 for noise in found.noise)
    flat = np.full((*SIZE, 3), 0.5, np.float32) + random.normal(0, 0.01, (*SIZE, 3)).astype(np.float32)
    assert found.corrected(flat).std() < 0.65 * flat.std()


def test_softness_is_measured_and_made_up_for() -> None:
    made = pairs(lambda picture, seed: cv2.GaussianBlur(picture, (0, 0), 0.7))
    found = compare(made)
    assert found.sharpness[0] > 0.2
    assert error(found, made) < 0.6 * error(Likeness(), made)


@pytest.mark.parametrize("shift", [(0.6, 0.0), (-0.3, 0.8)])
def test_a_displacement_is_found_and_undone(shift: tuple[float, float]) -> None:
    moved = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
    made = pairs(
        lambda picture, seed: cv2.warpAffine(
            picture, moved, SIZE[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
    )
    found = compare(made)
    grid = np.array(found.shift)
    np.testing.assert_allclose(grid[:, 1:5].mean(axis=(0, 1)), shift, atol=0.06)
    assert error(found, made) < 0.35 * error(Likeness(), made)


def test_a_displacement_that_wins_nothing_is_not_taken() -> None:
    pictures = [plate(1), plate(2)]
    others = [plate(3), plate(4)]
    assert not displacement(pictures, others, [keep(), keep()]).any()
    assert displaced(pictures[0], np.zeros((6, 10, 2), np.float32)) is pictures[0]


def test_where_nothing_is_untouched_nothing_is_assumed() -> None:
    found = compare(pairs(lambda picture, seed: picture * 0.5, share=0.02))
    assert found == Likeness() and not found.known
    assert compare([]) == Likeness()


def test_a_noisy_model_raises_what_counts_as_a_change() -> None:
    random = np.random.default_rng(5)

    def wavering(picture: Floats, seed: int) -> Floats:
        coarse = random.normal(0, 0.04, (6, 10, 3)).astype(np.float32)
        return picture + cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)

    found = compare(pairs(wavering))
    assert found.low > LOW_FLOOR and found.high > found.low


def test_it_comes_back_from_a_manifest_as_it_was() -> None:
    moved = np.float32([[1, 0, 0.5], [0, 1, 0]])
    found = compare(pairs(lambda picture, seed: cv2.warpAffine(picture * 0.95, moved, SIZE[::-1])))
    assert found.shift and Likeness.of(json.loads(json.dumps(found.values()))) == found
