"""What really changed, and what stayed where it was."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server import changes
from void_server.likeness import Likeness
from void_server.pixelmath import NumpyMath

Floats = NDArray[np.float32]
MATHS = NumpyMath()
SIZE = (80, 120)


def texture(seed: int = 1) -> Floats:
    noise = np.random.default_rng(seed).random((*SIZE, 3)).astype(np.float32)
    return np.asarray(0.3 + 0.5 * (cv2.GaussianBlur(noise, (0, 0), 1.2) - 0.5), np.float32)


def shadow(depth: float) -> Floats:
    soft = np.zeros(SIZE, np.float32)
    soft[30:50, 40:80] = depth
    return cv2.GaussianBlur(soft, (0, 0), 3.0)[..., None]


def test_a_lifted_shadow_is_a_change_and_noise_is_none() -> None:
    picture = texture()
    noise = np.random.default_rng(3).normal(0, 0.006, picture.shape).astype(np.float32)
    found = changes.changed(MATHS, picture + noise, picture - shadow(0.1), Likeness(), 1.0)[..., 0]
    assert found[32:48, 43:77].min() > 0.95
    assert found[:15].max() < 0.01 and found[:, :20].max() < 0.01


def test_what_is_faint_counts_only_where_it_hangs_together_with_what_is_sure() -> None:
    apart = np.zeros(SIZE, np.float32)
    apart[10:20, 10:40] = 0.03  # possible
    apart[12:16, 36:44] = 0.06  # certain, and touching it
    apart[50:60, 10:40] = 0.03  # possible, alone
    found = changes.linked(apart, 0.02, 0.04)
    assert found[10:20, 10:40].all() and not found[50:60].any()


def test_a_gap_between_two_changes_closes_and_an_end_stays_open() -> None:
    on, off = (np.full((4, 4, 1), value, np.float32) for value in (1.0, 0.0))
    assert (changes.closed([off, on], off, [on, off], MATHS) == 1).all()
    assert (changes.closed([on, on], off, [off, off], MATHS) == 0).all()
    assert (changes.closed([], off, [on], MATHS) == 0).all()
    assert (changes.closed([off], on, [off], MATHS) == 1).all()


def test_structure_in_place_is_still_under_any_light() -> None:
    plate = texture()
    found = changes.still(MATHS, plate + shadow(0.08), plate, Likeness(), 1.0)[..., 0]
    assert found.min() > 0.9


def test_structure_that_moved_is_not_still() -> None:
    plate = texture()
    found = changes.still(MATHS, np.roll(plate, 9, axis=1), plate, Likeness(), 1.0)[..., 0]
    assert np.median(found) < 0.1


def test_a_flat_wall_counts_as_still() -> None:
    flat = np.full((*SIZE, 3), 0.4, np.float32)
    assert changes.still(MATHS, flat + np.float32(0.05), flat, Likeness(), 1.0).min() > 0.99
