"""A correction that meets the plate around a region and is smooth inside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from void_server.membrane import CAP, harmonic, membrane, slope_of
from void_server.pixelmath import NumpyMath

Floats = NDArray[np.float32]
MATHS = NumpyMath()
SIZE = (60, 90)


def disc(x: float = 45, y: float = 30, radius: float = 18) -> Floats:
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    return (np.hypot(columns - x, rows - y) < radius).astype(np.float32)[..., None]


def plane(across: float, down: float, level: float) -> Floats:
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]].astype(np.float32)
    one = level + across * (columns / SIZE[1] - 0.5) + down * (rows / SIZE[0] - 0.5)
    return np.repeat(one[..., None], 3, axis=2).astype(np.float32)


@given(st.floats(-0.03, 0.03), st.floats(-0.03, 0.03), st.floats(-0.02, 0.02))
@settings(max_examples=25, deadline=None)
def test_a_slope_around_a_hole_goes_on_inside_it(across: float, down: float, level: float) -> None:
    truth, hole = plane(across, down, level), disc()
    found = harmonic(MATHS, truth * (1 - hole), 1 - hole)
    assert np.abs(found - truth).max() < 0.06 * max(abs(across), abs(down)) + 1e-6


def test_inside_it_never_leaves_the_range_of_what_is_around() -> None:
    random = np.random.default_rng(1)
    values = random.random((*SIZE, 3)).astype(np.float32)
    hole = disc()
    found = harmonic(MATHS, values, 1 - hole)
    inside = found[hole[..., 0] > 0]
    assert inside.min() >= values.min() and inside.max() <= values.max()
    assert (found[hole[..., 0] == 0] == values[hole[..., 0] == 0]).all()


def test_a_region_that_the_frame_cuts_is_held_by_its_other_sides() -> None:
    truth, region = plane(0.03, 0.0, 0.01), disc(x=2)
    found = membrane(MATHS, truth, 1 - region, region, 1.5)
    assert found.problem == "" and np.abs(found.field - truth).max() < 0.008


@given(st.floats(-0.03, 0.03), st.floats(-0.03, 0.03), st.floats(-0.02, 0.02))
@settings(max_examples=25, deadline=None)
def test_a_slope_goes_on_to_the_cut_of_a_region_that_the_frame_cuts(across: float, down: float, level: float) -> None:
    truth, region = plane(across, down, level), disc(x=4, radius=22)
    found = membrane(MATHS, truth, 1 - region, region, 1.5)
    assert np.abs(found.field - truth).max() < 0.1 * max(abs(across), abs(down)) + 1e-6


def test_one_side_alone_does_not_tilt_what_lies_opposite() -> None:
    ring = np.zeros((*SIZE, 1), np.float32)
    ring[:, -4:] = 1
    values = np.random.default_rng(3).normal(0, 0.01, (*SIZE, 3)).astype(np.float32)
    assert np.abs(slope_of(MATHS, values, ring)).max() < 0.01


def test_a_plane_is_met_by_a_plane_whatever_the_size() -> None:
    for height, width in ((60, 90), (61, 93), (8, 8), (17, 5)):
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        truth = np.repeat((0.01 + 0.001 * columns - 0.0004 * rows)[..., None], 3, axis=2)
        found = slope_of(MATHS, truth, np.ones((height, width, 1), np.float32))
        assert np.abs(found - truth).max() < 0.12 * np.ptp(truth), (height, width)


def test_grain_around_does_not_streak_into_the_region() -> None:
    noise = np.random.default_rng(2).normal(0, 0.01, (*SIZE, 3)).astype(np.float32)
    region = disc()
    found = membrane(MATHS, noise, 1 - region, region, 2.0)
    assert found.field[region[..., 0] > 0].std() < 0.002


def test_no_correction_is_larger_than_the_cap() -> None:
    found = membrane(MATHS, plane(0.2, 0, 0.0), 1 - disc(), disc(), 1.5)
    assert np.abs(found.field).max() <= CAP


def test_other_content_beside_a_region_is_left_out() -> None:
    residual, region = plane(0, 0, 0.02), disc()
    residual[28:33, 66:74] += 0.4  # something that the model did not paint
    found = membrane(MATHS, residual, 1 - region, region, 1.5)
    assert found.problem == ""
    np.testing.assert_allclose(found.field[region[..., 0] > 0], 0.02, atol=0.002)


@pytest.mark.parametrize(
    ("residual", "known", "problem"),
    [
        (plane(0, 0, 0.2), 1 - disc(), "ring_contaminated"),
        (plane(0, 0, 0.01), 0 * disc(), "ring_missing"),
        (plane(0, 0, 0.01), disc(x=-40), "ring_missing"),
    ],
)
def test_without_a_ring_to_trust_there_is_no_correction_and_a_reason(
    residual: Floats, known: Floats, problem: str
) -> None:
    found = membrane(MATHS, residual, known, disc(), 1.5)
    assert found.problem == problem and (found.field == 0).all()
