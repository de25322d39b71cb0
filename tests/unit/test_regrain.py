"""New grain: the same wherever it is cut, of unit variance, and added only where it is missing."""

from __future__ import annotations

import numpy as np
import pytest
from grainshots import AREA, SIZE, correlation, deviation, grain_field, measured, ramp, shot
from hypothesis import given, settings
from hypothesis import strategies as st

from void_server import regrain
from void_server.engines import KEEP
from void_server.grain import GrainModel, silent
from void_server.regrain import add, synthesise
from void_server.scatter import can_scatter, cells, scatter
from void_server.scenes import MemoryFrames
from void_server.tiles import Box


@pytest.fixture(scope="module")
def model() -> GrainModel:
    return measured(shot(3))


# -- making --------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    st.integers(-(2**63), 2**64), st.integers(-2000, 2_000_000),
    st.integers(-5000, 5000), st.integers(-5000, 5000), st.integers(1, 40), st.integers(1, 40),
    st.integers(0, 30), st.integers(0, 30), st.sampled_from([1, 5, 13]),
)  # fmt: skip
def test_any_box_is_cut_from_the_same_field(
    seed: int, frame: int, x: int, y: int, wide: int, high: int, left: int, top: int, size: int
) -> None:
    kernel = np.random.default_rng(size).standard_normal((3, 3, size, size)).astype(np.float32)
    kernel /= np.sqrt(np.square(kernel).sum(axis=(1, 2, 3), keepdims=True))
    model = GrainModel(silent().curves, kernel)
    box = Box(x, y, x + wide, y + high)
    whole = synthesise(model, seed, frame, Box(x - left, y - top, x + wide + 7, y + high + 3))
    cut = whole[top : top + high, left : left + wide]
    assert np.array_equal(synthesise(model, seed, frame, box).view(np.uint32), cut.view(np.uint32))


@pytest.mark.parametrize("size", [11, 15])
def test_sums_are_exact(size: int) -> None:
    # Against whole-number arithmetic: equal to the last bit, so no order of summation can matter.
    kernel = np.random.default_rng(1).standard_normal((3, 3, size, size)).astype(np.float32)
    kernel /= np.sqrt(np.square(kernel).sum(axis=(1, 2, 3), keepdims=True))
    taps = np.rint(kernel * np.float32(regrain.TAP_STEPS))
    table = regrain.normal_table()
    white = regrain.white_noise(table, 1, 2, Box(0, 0, 20 + size - 1, 10 + size - 1))
    views = [np.lib.stride_tricks.sliding_window_view(plane.astype(np.int64), (size, size)) for plane in white]
    exact = sum(np.einsum("yxij,ij->yx", view, taps[0, i].astype(np.int64)) for i, view in enumerate(views))
    assert np.array_equal(regrain.filtered(white, taps[0], (10, 20)), np.asarray(exact))
    assert float(np.abs(table).max() * np.abs(taps).sum(axis=(1, 2, 3)).max()) < 2**24


def test_white_noise_is_normal_and_unrelated() -> None:
    table = regrain.normal_table()
    planes = [plane / regrain.WHITE_STEPS for plane in regrain.white_noise(table, 3, 1001, Box(-300, -200, 300, 200))]
    next_frame = [
        plane / regrain.WHITE_STEPS for plane in regrain.white_noise(table, 3, 1002, Box(-300, -200, 300, 200))
    ]
    next_seed = regrain.white_noise(table, 4, 1001, Box(-300, -200, 300, 200))
    for i, plane in enumerate(planes):
        assert abs(float(plane.mean())) < 0.01 and abs(float(plane.std()) - 1) < 0.01
        assert abs(float((plane**3).mean())) < 0.03 and abs(float((plane**4).mean()) - 3) < 0.06
        # 0.0094 is 4.6 deviations of a correlation over 240 000 pairs.
        for other in (planes[i - 1], next_frame[i], next_seed[i], np.roll(plane, 1, 0), np.roll(plane, 1, 1)):
            assert abs(float(np.corrcoef(plane.ravel(), other.ravel())[0, 1])) < 0.0094


def test_grain_of_two_frames_is_unrelated(model: GrainModel) -> None:
    first, second = (synthesise(model, 1, number, Box(0, 0, 400, 300)) for number in (1001, 1002))
    assert not np.array_equal(first, second)
    assert all(abs(np.corrcoef(first[..., i].ravel(), second[..., i].ravel())[0, 1]) < 0.02 for i in range(3))


def test_two_runs_give_the_same_grain(model: GrainModel) -> None:
    box = Box(-40, 7, 60, 90)
    assert np.array_equal(synthesise(model, 9, 1001, box), synthesise(model, 9, 1001, box))


# -- adding --------------------------------------------------------------------------------------------------


def test_what_is_grained_already_gets_the_rest_only(model: GrainModel) -> None:
    light = np.full((300, 400, 3), 0.4, np.float32)
    sigma = float(deviation(light)[0, 0, 1])
    first, second = (synthesise(model, seed, 1001, Box(0, 0, 400, 300)) for seed in (1, 2))
    everywhere = np.ones((300, 400), np.float32)
    half = add(light, model, first, everywhere * np.float32(0.6))
    full = add(half, model, second, everywhere, 0.6)
    assert abs(float((half - light)[..., 1].std()) / sigma - 0.6) < 0.06
    assert abs(float((full - light)[..., 1].std()) / sigma - 1) < 0.1


def test_a_share_of_nothing_changes_nothing(model: GrainModel) -> None:
    plate = shot(1).plate(1001, AREA)
    share = np.zeros(SIZE, np.float32)
    share[:, 256:] = 1
    grained = add(plate, model, synthesise(model, 1, 1001, AREA), share)
    assert np.array_equal(grained[:, :256], plate[:, :256])
    assert not np.array_equal(grained[:, 256:], plate[:, 256:])


def test_black_and_negative_light_take_grain_of_the_floor(model: GrainModel) -> None:
    dark = np.full((40, 50, 3), -0.05, np.float32)
    grained = add(dark, model, synthesise(model, 1, 1001, Box(0, 0, 50, 40)), np.ones((40, 50), np.float32))
    assert np.isfinite(grained).all()
    assert float(np.abs(grained - dark).max()) < 0.05


# -- scattering ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_shot() -> MemoryFrames:
    plates = [ramp((420, 640)) + grain_field(n, size=(420, 640)) * deviation(ramp((420, 640))) for n in range(5)]
    return MemoryFrames([plate.astype(np.float32) for plate in plates], [np.full((420, 640), KEEP, np.uint8)] * 5)


def test_scattered_grain_has_the_statistics_of_the_plate(long_shot: MemoryFrames, model: GrainModel) -> None:
    area = Box(0, 0, 640, 420)
    made = scatter(model, long_shot, area, 1, 1003, Box(-10, -20, 490, 380))
    truth = grain_field(77, size=(512, 768))
    assert np.allclose(made.std(axis=(0, 1)), 1, atol=0.05)
    for lag in (0, 1), (1, 1):
        assert np.allclose(correlation(made, *lag), correlation(truth, *lag), atol=0.05)
    other = scatter(model, long_shot, area, 1, 1004, Box(-10, -20, 490, 380))
    assert abs(np.corrcoef(made[..., 0].ravel(), other[..., 0].ravel())[0, 1]) < 0.02


@settings(max_examples=8, deadline=None)
@given(st.integers(-3000, 3000), st.integers(-3000, 3000), st.integers(0, 40), st.integers(0, 40))
def test_scattered_grain_is_cut_from_the_same_field(x: int, y: int, left: int, top: int) -> None:
    near, far, share = cells(3, 1001, Box(x, y, x + 30, y + 25), 4)
    whole = cells(3, 1001, Box(x - left, y - top, x + 33, y + 41), 4)
    area = slice(top, top + 25), slice(left, left + 30)
    assert np.array_equal(near, whole[0][area]) and np.array_equal(
        share.view(np.uint32), whole[2][area].view(np.uint32)
    )
    assert np.array_equal(far[share > 0], whole[1][area][share > 0])


def test_scattering_asks_for_frames_and_clean_area(long_shot: MemoryFrames) -> None:
    assert can_scatter(long_shot, 1003, Box(0, 0, 640, 420))
    assert not can_scatter(long_shot, 1003, Box(0, 0, 300, 300))
    assert not can_scatter(shot(3), 1001, AREA)
    with pytest.raises(ValueError, match="clean area"):
        scatter(measured(shot(3)), long_shot, Box(0, 0, 300, 300), 1, 1003, Box(0, 0, 9, 9))
