"""Shots at the rate that VOID knows: what it is shown, what lies between, what a unit delivers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from voidruns import count_encodes, same, solve, unit_of
from voidshots import RASTER, MakeEngine, moving_square

from void_server import windows
from void_server.engines.void.flow import DisFlow
from void_server.engines.void.options import stride_of
from void_server.engines.void.retime import between, shown
from void_server.scenes import MemoryShelf
from void_server.windows import ClipLengths

PHYSICS: dict[str, Any] = {"rate": "physics", "fps": 24.0}


# -- which frames are shown ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fps", "stride"),
    [(8, 1), (12, 1), (15, 1), (23.976, 2), (24, 2), (25, 2), (29.97, 2), (30, 2), (48, 4), (50, 4), (60, 5), (0, 2)],
)
def test_about_twelve_frames_a_second_are_shown(fps: float, stride: int) -> None:
    assert stride_of(fps) == stride


@given(st.integers(1, 1500), st.integers(1, 6), st.integers(-5, 2000))
def test_units_of_a_shot_are_shown_one_phase_of_it(count: int, stride: int, first: int) -> None:
    numbers = range(first, first + count)
    longest, overlap = (197 - 1) * stride + 1, (17 - 1) * stride + 1
    runs = windows.segments(numbers, longest, overlap, stride)
    assert [number for run in runs for number in run.frames] == list(numbers)
    everything: set[int] = set()
    for run in runs:
        seen = shown((*run.lead, *run.frames), first, stride)
        assert len(seen) <= 197
        assert sum(number in run.lead for number in seen) == (17 if run.lead else 0)
        assert all(other - one == stride for one, other in pairwise(seen[:-1]))
        # Every frame that is delivered is shown, or lies between two that are.
        assert all(seen[0] <= number <= seen[-1] for number in run.frames)
        everything |= set(seen)
    phase = set(range(first, first + count, stride))
    assert everything == phase | {numbers[-1]}


def test_a_unit_that_is_not_cut_on_the_phase_is_shown_its_ends_all_the_same() -> None:
    assert shown(range(1003, 1011), 1000, 4) == (1003, 1004, 1008, 1010)


# -- what lies between --------------------------------------------------------------------------------------------


def texture(seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    blurred = cv2.GaussianBlur(rng.random((128, 192, 3), np.float32), (0, 0), 1.5)
    return np.asarray((blurred - blurred.min()) / (blurred.max() - blurred.min()), np.float32)


def seen_from(picture: NDArray[np.float32], x: float, y: float) -> NDArray[np.float32]:
    matrix = np.array([[1, 0, -x], [0, 1, -y]], np.float64)
    moved = cv2.warpAffine(picture, matrix, (192, 128), flags=cv2.INTER_CUBIC)
    return np.asarray(np.clip(moved[32:80, 48:120], 0, 1), np.float32)


def psnr(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(-10 * np.log10(np.mean((one - other) ** 2)))


@pytest.mark.parametrize("step", [1.0, 2.0, 4.0])
def test_a_moving_texture_is_far_closer_to_the_truth_than_the_nearest_frame(step: float) -> None:
    world = texture(1)
    before, after = seen_from(world, 0, 0), seen_from(world, step, step / 2)
    times = [0.25, 0.5, 0.75]
    for time, picture in zip(times, between(before, after, times, DisFlow()), strict=True):
        truth = seen_from(world, time * step, time * step / 2)
        nearest = max(psnr(before, truth), psnr(after, truth))
        mixed = psnr(np.asarray((1 - time) * before + time * after, np.float32), truth)
        assert psnr(picture, truth) > max(nearest + 12, mixed + 6)
        assert picture.dtype == np.float32 and picture.min() >= 0 and picture.max() <= 1


def test_what_does_not_move_stays_to_the_bit() -> None:
    still = seen_from(texture(2), 0, 0)
    (picture,) = between(still, still, [0.5], DisFlow())
    np.testing.assert_allclose(picture, still, rtol=0, atol=1e-6)


def test_what_one_picture_hides_is_taken_from_the_other() -> None:
    world, thing = texture(3), texture(4)

    def at(x: int) -> NDArray[np.float32]:
        picture = world.copy()
        picture[32:80, x : x + 48] = thing[:48, :48]
        return picture

    def exact(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
        motion = np.zeros((*one.shape[:2], 2), np.float32)
        x, moves = (64, 6) if one is before else (70, -6)
        motion[32:80, x : x + 48, 0] = moves
        return motion

    before, truth, after = at(64), at(67), at(70)
    (picture,) = between(before, after, [0.5], exact)
    # What the thing has left shows in `after` alone, what it will cover in `before` alone.
    for rim in (slice(64, 67), slice(115, 118)):
        np.testing.assert_allclose(picture[34:78, rim], truth[34:78, rim], rtol=0, atol=0.02)
    (estimated,) = between(before, after, [0.5], DisFlow())
    assert psnr(estimated, truth) > psnr(np.asarray(0.5 * before + 0.5 * after, np.float32), truth) + 3


# -- what the engine does with it ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "fps", "frames"), [(1, 24, 5), (2, 24, 5), (9, 24, 5), (10, 24, 13), (14, 60, 5)])
def test_as_many_frames_come_out_as_went_in(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, count: int, fps: float, frames: int
) -> None:
    encoded = count_encodes(monkeypatch)
    shot, stride = moving_square(count), stride_of(fps)
    fills = solve(make_engine(rate="physics", fps=float(fps)), shot)
    assert list(fills) == list(shot.numbers) and encoded[-1] == frames
    for at, fill in enumerate(fills.values()):
        between_two = at % stride != 0 and at != count - 1
        assert fill.facts == {"coverage": 0.0, "interpolated": float(between_two)}
        assert fill.pixels.shape == (*RASTER, 3) and fill.pixels.dtype == np.float32
        assert fill.pixels.min() >= 0 and fill.pixels.max() <= 1


def test_frames_without_a_matte_get_no_fill(make_engine: MakeEngine) -> None:
    shot = moving_square(9, empty=(2, 3, 7))
    fills = solve(make_engine(**PHYSICS), shot)
    assert list(fills) == [number for at, number in enumerate(shot.numbers) if at not in (2, 3, 7)]


def test_native_shows_every_frame(make_engine: MakeEngine) -> None:
    shot = moving_square(5)
    fills = solve(make_engine(fps=60.0), shot)
    assert all(fill.facts["interpolated"] == 0 for fill in fills.values())
    assert same(fills, solve(make_engine(), shot))
    assert same(fills, solve(make_engine(rate="physics", fps=12.0), shot))


def test_it_asks_for_units_in_frames_of_the_shot(make_engine: MakeEngine) -> None:
    limits = make_engine(**PHYSICS).limits()
    assert limits.stride == 2 and limits.overlap == 33
    assert limits.lengths == ClipLengths(minimum=9, step=16, maximum=393)
    assert make_engine(fps=24.0).limits().stride == 1


def test_a_segment_goes_on_from_the_last_picture_of_the_one_before(make_engine: MakeEngine) -> None:
    shot = moving_square(40)
    numbers, engine = tuple(shot.numbers), make_engine(**PHYSICS)
    first = MemoryShelf()
    one = solve(engine, shot, unit_of(shot, frames=numbers[:35]), first)
    assert first.left["frames"].shape == (17, *RASTER, 3)
    assert (first.left["last"] == one[numbers[34]].pixels).all()
    unit = unit_of(shot, index=1, frames=numbers[35:], lead=numbers[2:35], follows="k" * 32)
    second = solve(engine, shot, unit, MemoryShelf(before=first.left))
    assert list(second) == list(numbers[35:])
    assert [fill.facts["interpolated"] for fill in second.values()] == [1, 0, 1, 0, 0]
    # The first lies between the last picture of the unit before and the first of this one, and nowhere else.
    (expected,) = between(one[numbers[34]].pixels, second[numbers[36]].pixels, [0.5], DisFlow())
    assert (second[numbers[35]].pixels == expected).all()


def test_the_same_request_gives_the_same_bytes(make_engine: MakeEngine) -> None:
    shot = moving_square(9)
    assert same(solve(make_engine(**PHYSICS), shot), solve(make_engine(**PHYSICS, fresh=True), shot))


def test_what_lies_between_is_as_fine_as_its_neighbours(make_engine: MakeEngine) -> None:
    fills = solve(make_engine(**PHYSICS, detail="tiled"), moving_square(5, enlargement=3))
    assert {fill.pixels.shape for fill in fills.values()} == {(64, 96, 3)}
    assert [fill.facts["interpolated"] for fill in fills.values()] == [0, 1, 0, 1, 0]
