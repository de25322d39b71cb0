"""Noise that moves with the picture."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from void_plugin.errors import Cancelled
from void_server.engines.void.flow import DisFlow
from void_server.engines.void.warp import Carried, warped_noise

Floats = NDArray[np.float32]
RASTERS = [(384, 672), (240, 416), (128, 224)]


def moving(count: int, size: tuple[int, int], step: tuple[float, float]) -> Floats:
    """A texture that moves by so many pixels a frame, to the right and down."""
    height, width = size
    margin = 16 + round(max(abs(step[0]), abs(step[1])) * count)
    world = np.random.default_rng(3).random((height + 2 * margin, width + 2 * margin, 3), np.float32)
    world = cv2.GaussianBlur(world, (0, 0), 2.0)
    world = (world - world.min()) / (world.max() - world.min())
    frames = []
    for index in range(count):
        shift = np.float32([[1, 0, index * step[0] - margin], [0, 1, index * step[1] - margin]])
        frames.append(cv2.warpAffine(world, shift, (width, height), flags=cv2.INTER_CUBIC))
    return np.clip(np.stack(frames), 0, 1)


class Exact:
    """Flow that is known: the same for every pixel, or given as an array."""

    def __init__(self, motion: tuple[float, float] | Floats) -> None:
        self.motion = motion

    def __call__(self, before: Floats, after: Floats) -> Floats:
        return np.broadcast_to(np.asarray(self.motion, np.float32), (*before.shape[:2], 2))


def correlation(before: Floats, after: Floats, x: int, y: int) -> float:
    """Of two latents of noise, the second shifted back by so many of their pixels."""
    height, width = before.shape[1:]
    here = before[:, max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)]
    there = after[:, max(0, y) : height - max(0, -y), max(0, x) : width - max(0, -x)]
    return float(np.corrcoef(here.ravel(), there.ravel())[0, 1])


def noise(frames: Floats, flow: object = None, seed: int = 1) -> Floats:
    return warped_noise(frames, flow or DisFlow(), np.random.default_rng(seed))  # type: ignore[arg-type]


def is_unit(latents: Floats) -> bool:
    """What the model was trained to start from, in every frame."""
    means, deviations = latents.mean(axis=(1, 2, 3)), latents.std(axis=(1, 2, 3))
    return bool((abs(means) < 0.02).all() and (abs(deviations - 1) < 0.03).all())


def neighbours(latent: Floats) -> float:
    """The larger correlation of neighbours in a row and in a column."""
    across = np.corrcoef(latent[:, :, 1:].ravel(), latent[:, :, :-1].ravel())[0, 1]
    down = np.corrcoef(latent[:, 1:].ravel(), latent[:, :-1].ravel())[0, 1]
    return float(max(abs(across), abs(down)))


@pytest.mark.parametrize("size", RASTERS)
@pytest.mark.parametrize("step", [(2.0, 0.0), (-4.0, 2.0)])
def test_noise_moves_with_the_picture(size: tuple[int, int], step: tuple[float, float]) -> None:
    latents = noise(moving(13, size, step))
    assert latents.shape == (4, 16, size[0] // 8, size[1] // 8) and latents.dtype == np.float32
    for before, after in pairwise(latents[1:]):
        x, y = round(step[0] * 4 / 8), round(step[1] * 4 / 8)
        assert correlation(before, after, x, y) >= 0.9
        assert abs(correlation(before, after, 0, 0)) < 0.1
    assert is_unit(latents) and max(neighbours(latent) for latent in latents) < 0.05


@pytest.mark.parametrize("size", RASTERS)
def test_a_static_clip_keeps_its_noise_to_the_bit(size: tuple[int, int]) -> None:
    latents = noise(np.repeat(moving(1, size, (0, 0)), 9, axis=0))
    assert (latents == latents[:1]).all() and is_unit(latents)


def test_a_latent_takes_the_noise_of_its_own_first_frame() -> None:
    latents = noise(np.zeros((13, 64, 96, 3), np.float32), Exact((8.0, 0.0)))
    assert len(latents) == 4  # frames 0, 1, 5 and 9
    assert correlation(latents[0], latents[1], 1, 0) > 0.99
    assert correlation(latents[1], latents[2], 4, 0) > 0.99 and correlation(latents[2], latents[3], 4, 0) > 0.99


def test_motion_slower_than_a_pixel_is_not_lost() -> None:
    latents = noise(np.zeros((33, 64, 96, 3), np.float32), Exact((0.25, 0.0)))
    assert correlation(latents[0], latents[-1], 1, 0) > 0.85  # 29 frames later: 7.25 pixels
    assert correlation(latents[0], latents[-1], 0, 0) < 0.2


@pytest.mark.parametrize("zoom", [1.03, 0.97])
def test_zooming_keeps_unit_variance_and_independence(zoom: float) -> None:
    size = (192, 320)
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    motion = np.stack([(x - 160) * (zoom - 1), (y - 96) * (zoom - 1)], axis=-1)
    latents = noise(np.zeros((21, *size, 3), np.float32), Exact(motion))
    assert is_unit(latents) and neighbours(latents[-1]) < 0.05


def test_pixels_that_meet_stay_unit_gaussian() -> None:
    random = np.random.default_rng(0)
    state = Carried.fresh(random, 16, (64, 64))
    motion = np.zeros((64, 64, 2), np.float32)
    motion[:, :32, 0] = 16  # the left half slides over the right one
    for _ in range(3):
        state = state.moved(motion, random)
    assert abs(float(state.noise.std()) - 1) < 0.03 and abs(float(state.noise.mean())) < 0.02
    assert state.weight.mean() == pytest.approx(1, abs=1e-3) and (state.weight > 0).all()


def test_copies_of_one_pixel_are_independent() -> None:
    random = np.random.default_rng(0)
    state = Carried.fresh(random, 400, (8, 8))
    motion = np.zeros((8, 8, 2), np.float32)
    motion[:, 4:, 0] = 4  # the right half leaves, and copies of the left one fill its place
    moved = state.moved(motion, random).noise.reshape(8, 8, 400)
    left, right = moved[:, :4].ravel(), moved[:, 4:].ravel()
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.05
    before = state.noise.reshape(8, 8, 400)[:, :4].ravel()
    assert np.corrcoef(left, before)[0, 1] == pytest.approx(0.5**0.5, abs=0.05)
    assert abs(float(moved.std()) - 1) < 0.03


def test_the_same_seed_gives_the_same_noise_and_another_another() -> None:
    frames = moving(9, (64, 96), (3.0, -1.0))
    assert (noise(frames) == noise(frames)).all()
    assert abs(correlation(noise(frames)[0], noise(frames, seed=2)[0], 0, 0)) < 0.1


@pytest.mark.parametrize("threads", [2, 7])
def test_threads_do_not_change_the_noise(threads: int) -> None:
    frames = moving(5, (128, 224), (3.3, -1.7))
    one = noise(frames)
    cv2.setNumThreads(threads)
    assert (noise(frames) == one).all()


@pytest.mark.parametrize("count", [1, 5, 197])
def test_any_legal_length_has_its_latents(count: int) -> None:
    told: list[float] = []
    frames = moving(count, (32, 48), (1.0, 0.0))
    latents = warped_noise(frames, DisFlow(), np.random.default_rng(1), progress=told.append)
    assert len(latents) == (count - 1) // 4 + 1 and is_unit(latents)
    assert told == sorted(told) and (count == 1 or told[-1] == 1)


def test_any_number_of_workers_gives_the_same_noise() -> None:
    frames = moving(13, (64, 96), (3.3, -1.7))
    random = np.random.default_rng
    one, many = (warped_noise(frames, DisFlow(), random(1), workers=workers) for workers in (1, 5))
    assert (one == many).all()


def test_a_stop_is_heeded() -> None:
    with pytest.raises(Cancelled):
        warped_noise(moving(9, (32, 48), (1, 0)), DisFlow(), np.random.default_rng(1), cancelled=lambda: True)
