"""Grain of a plate: measured as it was made, and silent where there is none."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from grainshots import AREA, SIZE, correlation, deviation, grain_field, measured, ramp, shot

from void_plugin.errors import Cancelled
from void_server.align import bring
from void_server.degrain import windows
from void_server.engines import KEEP, Picture
from void_server.grain import Curve, GrainModel, analyse
from void_server.regrain import add, synthesise
from void_server.scenes import MemoryFrames
from void_server.tiles import Box


@pytest.fixture(scope="module")
def model() -> GrainModel:
    return measured(shot(3))


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
    assert analyse(frames, frames.numbers, area, 2, lambda: False).is_silent


@pytest.mark.parametrize("level", [0.3, 0.0])
def test_a_plate_of_one_luma_is_measured_at_that_luma(level: float) -> None:
    light = np.full((*SIZE, 3), level, np.float32)
    plates = [light + grain_field(n) * deviation(light) for n in range(3)]
    model = measured(MemoryFrames(plates, [np.full(SIZE, KEEP, np.uint8)] * 3))
    assert np.allclose(model.sigma(light[:1, :1]), deviation(light[:1, :1]), rtol=0.05)
    assert np.isfinite(model.sigma(light[:1, :1] + 3)).all()


def test_further_frames_are_looked_at_only_where_two_show_too_little() -> None:
    tall = (1280, 512)
    area, kept, hidden = Box(0, 0, 512, 1280), np.full(tall, KEEP, np.uint8), np.zeros(tall, np.uint8)
    hidden[:400] = KEEP
    light = ramp(tall)
    plates = [(light + grain_field(n, size=tall) * deviation(light)).astype(np.float32) for n in range(8)]
    few, all_four = _SeenFrames(plates, [kept] * 8), _SeenFrames(plates, [hidden] * 8)
    for frames in few, all_four:
        model = analyse(frames, frames.numbers, area, 2, lambda: False)
        assert np.allclose(model.sigma(light[:1]), deviation(light[:1]), rtol=0.1)
    # Each frame is compared with the one after it, the last with the one before.
    assert few.seen == {1001, 1002, 1006, 1007}
    assert all_four.seen == {1001, 1002, 1003, 1004, 1006, 1007, 1008}


class _SeenFrames(MemoryFrames):
    """A shot that knows which of its plates were looked at."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: set[int] = set()

    def plate(self, frame: int, box: Box) -> Picture:
        self.seen.add(frame)
        return super().plate(frame, box)


def test_two_runs_measure_the_same_model_with_any_number_of_workers(model: GrainModel) -> None:
    frames = shot(3)
    again = analyse(frames, frames.numbers, AREA, 1, lambda: False).to_arrays()
    assert all(np.array_equal(array, again[name]) for name, array in model.to_arrays().items())


def test_measuring_stops_when_cancelled() -> None:
    with pytest.raises(Cancelled):
        analyse(shot(1), (1001,), AREA, 2, lambda: True)


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
