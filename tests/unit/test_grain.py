"""Grain: measured as it was made, made again as it was measured, and the same wherever it is cut."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from void_plugin.errors import Cancelled
from void_server import regrain
from void_server.align import bring
from void_server.degrain import windows
from void_server.engines import KEEP, Picture
from void_server.grain import Curve, GrainModel, analyse, silent
from void_server.regrain import add, synthesise
from void_server.scatter import can_scatter, cells, scatter
from void_server.scenes import MemoryFrames
from void_server.tiles import Box

SIZE = (256, 512)
AREA = Box(0, 0, SIZE[1], SIZE[0])
SLOPE = np.array([2.5e-4, 2e-4, 4e-4])
FLOOR = 4e-6


def grain_field(seed: int, blur: float = 0.6, size: tuple[int, int] = SIZE) -> Picture:
    """Unit grain whose channels share 0.3 of their power."""
    random = np.random.default_rng(seed)
    white = random.standard_normal((*size, 3)) * np.sqrt(0.7) + random.standard_normal((*size, 1)) * np.sqrt(0.3)
    field = cv2.GaussianBlur(white, (0, 0), blur)
    return np.asarray(field / field.std(axis=(0, 1)), np.float32)


def ramp(size: tuple[int, int] = SIZE) -> Picture:
    across = np.linspace(0.02, 0.8, size[1], dtype=np.float32)
    return np.broadcast_to(across[None, :, None], (*size, 3)).copy()


def texture(shift: float = 0.0) -> Picture:
    """A ramp with smooth texture, moved to the left by a number of pixels."""
    random = np.random.default_rng(5)
    wide = cv2.GaussianBlur(random.standard_normal((SIZE[0], SIZE[1] + 64)), (0, 0), 4)
    wide = ramp((SIZE[0], SIZE[1] + 64))[..., 0] * np.exp(4 * np.asarray(wide))
    move = np.array([[1, 0, 32 + shift], [0, 1, 0]], np.float64)
    moved = cv2.warpAffine(wide, move, SIZE[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return np.repeat(np.asarray(moved, np.float32)[..., None], 3, axis=2)


def deviation(light: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(np.sqrt(FLOOR + SLOPE * np.maximum(light, 0)), np.float32)


def shot(count: int, step: float = 0.0, blur: float = 0.6, grainy: bool = True, flat: bool = False) -> MemoryFrames:
    plates = []
    for index in range(count):
        clean = ramp() if flat else texture(step * index)
        plates.append(clean + grain_field(index, blur) * deviation(clean) * np.float32(grainy))
    labels = np.full(SIZE, KEEP, np.uint8)
    labels[100:150, 200:300] = 0
    return MemoryFrames([plate.astype(np.float32) for plate in plates], [labels] * count)


def measured(frames: MemoryFrames) -> GrainModel:
    return analyse(frames, frames.numbers, AREA, lambda: False)


def correlation(grain: Picture, dy: int, dx: int) -> NDArray[np.floating]:
    high, wide = grain.shape[:2]
    return np.asarray(
        (grain[: high - dy, : wide - dx] * grain[dy:, dx:]).mean(axis=(0, 1)) / (grain**2).mean(axis=(0, 1))
    )


@pytest.fixture(scope="module")
def model() -> GrainModel:
    return measured(shot(3))


# -- measuring -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "step", "blur", "flat"),
    [(3, 0.0, 0.6, False), (3, 0.0, 1.4, True), (3, 2.4, 0.6, False), (1, 0.0, 0.6, True)],
    ids=["locked off", "soft grain", "moving camera", "one frame"],
)
def test_synthesised_grain_has_the_statistics_of_the_plate(count: int, step: float, blur: float, flat: bool) -> None:
    model = measured(shot(count, step, blur, flat=flat))
    truth = grain_field(77, blur, (512, 768))
    made = synthesise(model, 1, 1001, Box(0, 0, 768, 512))
    assert np.allclose(made.std(axis=(0, 1)), 1, atol=0.03)
    for lag in (0, 1), (1, 0), (1, 1):
        assert np.allclose(correlation(made, *lag), correlation(truth, *lag), atol=0.05)
    assert np.allclose(np.corrcoef(made.reshape(-1, 3).T), np.corrcoef(truth.reshape(-1, 3).T), atol=0.05)
    for luma in np.linspace(0.06, 0.7, 6):
        pixel = np.full((1, 1, 3), luma, np.float32)
        assert np.allclose(model.sigma(pixel), deviation(pixel), rtol=0.1)


@pytest.mark.parametrize("blur", [0.6, 1.4])
@pytest.mark.parametrize("count", [1, 3])
def test_the_lowest_frequencies_are_not_lost(count: int, blur: float) -> None:
    made = synthesise(measured(shot(count, blur=blur, flat=True)), 1, 1001, Box(0, 0, 768, 512))
    truth = grain_field(77, blur, (512, 768))
    low = [np.square(cv2.blur(part, (21, 21))[20:-20, 20:-20]).mean() for part in (made, truth)]
    assert abs(np.log2(low[0] / low[1])) < 0.35


@pytest.mark.parametrize("step", [0.0, 2.4])
def test_a_plate_without_grain_gets_none(step: float) -> None:
    frames = shot(3, step, grainy=False)
    model = measured(frames)
    assert model.is_silent
    plate = frames.plate(1001, AREA)
    assert np.array_equal(add(plate, model, grain_field(1), np.ones(SIZE, np.float32)), plate)


def test_a_single_flat_frame_without_grain_gets_none() -> None:
    assert measured(shot(1, grainy=False, flat=True)).is_silent


def test_a_shot_that_repeats_its_frames_is_measured_over_the_repeat() -> None:
    frames = shot(3)
    plates = [frames.plate(number, AREA) for number in frames.numbers for _ in range(2)]
    twos = MemoryFrames(plates, [np.full(SIZE, KEEP, np.uint8)] * 6)
    light = np.full((1, 1, 3), 0.3, np.float32)
    assert np.allclose(measured(twos).sigma(light), deviation(light), rtol=0.1)


def test_a_held_picture_has_no_grain_that_lives() -> None:
    plate = shot(1).plate(1001, AREA)
    assert measured(MemoryFrames([plate] * 3, [np.full(SIZE, KEEP, np.uint8)] * 3)).is_silent


def test_a_change_of_exposure_is_not_grain() -> None:
    frames = shot(3)
    plates = [
        frames.plate(number, AREA) * np.float32(gain) for number, gain in zip(frames.numbers, (1, 1.1, 1), strict=True)
    ]
    flickering = MemoryFrames(plates, [np.full(SIZE, KEEP, np.uint8)] * 3)
    light = np.full((1, 1, 3), 0.3, np.float32)
    assert np.allclose(measured(flickering).sigma(light), deviation(light), rtol=0.12)


def test_clipped_highlights_do_not_quieten_the_curve() -> None:
    frames = shot(3, flat=True)
    plates = [np.minimum(frames.plate(number, AREA), np.float32(0.5)) for number in frames.numbers]
    light = np.full((1, 1, 3), 0.7, np.float32)
    clipped = measured(MemoryFrames(plates, [np.full(SIZE, KEEP, np.uint8)] * 3))
    assert np.allclose(clipped.sigma(light), deviation(light), rtol=0.1)


def test_pixels_that_may_not_be_sampled_are_not_measured(model: GrainModel) -> None:
    frames = shot(3)
    labels = np.full(SIZE, KEEP, np.uint8)
    labels[:, 200:300] = 0
    plates = [frames.plate(number, AREA).copy() for number in frames.numbers]
    for index, plate in enumerate(plates):
        plate[:, 200:300] = 40 * grain_field(index + 50)[:, 200:300]
    light = np.full((1, 1, 3), 0.3, np.float32)
    assert np.allclose(measured(MemoryFrames(plates, [labels] * 3)).sigma(light), model.sigma(light), rtol=0.05)


def test_nothing_to_look_at_is_a_silent_model() -> None:
    frames = MemoryFrames([ramp()], [np.zeros(SIZE, np.uint8)])
    assert measured(frames).is_silent


@pytest.mark.parametrize("area", [Box(0, 0, 1, 1), Box(0, 0, 512, 20), Box(7, 7, 40, 40)])
def test_an_area_too_small_to_measure_is_a_silent_model(area: Box) -> None:
    frames = shot(3)
    assert analyse(frames, frames.numbers, area, lambda: False).is_silent


@pytest.mark.parametrize("level", [0.3, 0.0])
def test_a_plate_of_one_luma_is_measured_at_that_luma(level: float) -> None:
    light = np.full((*SIZE, 3), level, np.float32)
    plates = [light + grain_field(n) * deviation(light) for n in range(3)]
    model = measured(MemoryFrames(plates, [np.full(SIZE, KEEP, np.uint8)] * 3))
    assert np.allclose(model.sigma(light[:1, :1]), deviation(light[:1, :1]), rtol=0.05)
    assert np.isfinite(model.sigma(light[:1, :1] + 3)).all()


def test_two_runs_measure_the_same_model(model: GrainModel) -> None:
    again = measured(shot(3)).to_arrays()
    assert all(np.array_equal(array, again[name]) for name, array in model.to_arrays().items())


def test_measuring_stops_when_cancelled() -> None:
    with pytest.raises(Cancelled):
        analyse(shot(1), (1001,), AREA, lambda: True)


def test_windows_lie_in_the_area_and_are_bounded() -> None:
    area = Box(10, 20, 10 + 7680, 20 + 4320)
    found = windows(area, 12)
    assert 6 <= len(found) <= 12 and all(area.holds(box) for box in found)
    assert windows(Box(0, 0, 90, 40), 12) == [Box(0, 0, 90, 40)]


def test_a_neighbour_at_whole_pixels_keeps_all_its_grain() -> None:
    frames = shot(2, step=3.0)
    window = Box(100, 0, 356, 256)
    found = bring(frames, 1002, window, frames.plate(1001, window), frames.usable(1001, window))
    assert float(found.power.min()) == 1.0
    assert np.array_equal(found.picture, frames.plate(1002, window.moved(-3, 0)))


def test_a_model_survives_its_arrays(model: GrainModel) -> None:
    again = GrainModel.from_arrays(model.to_arrays())
    light = np.linspace(-0.1, 2, 300, dtype=np.float32).reshape(10, 10, 3)
    assert np.array_equal(again.kernel, model.kernel) and np.array_equal(again.sigma(light), model.sigma(light))


def test_a_curve_rises_beyond_its_knots_and_rests_below_them() -> None:
    curve = Curve(np.array([0.1, 0.5, 1.0], np.float32), np.array([1, 2, 4], np.float32))
    found = curve.sigma(np.array([-1, 0.1, 0.75, 2.0], np.float32))
    assert np.allclose(found**2, [1, 1, 3, 8])


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
