"""The synthetic scenes: streamable, reproducible, and true to what they claim."""

from __future__ import annotations

import numpy as np
import pytest

from void_server.engines import AFFECTED, KEEP, OVERLAP, REMOVE
from void_server.scenes import CAMERAS, FIRST_FRAME, Camera, MemoryFrames, Scene, quadmask
from void_server.tiles import Box

SMALL = (144, 256)


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_frame_is_the_same_whenever_it_is_asked_for(camera: Camera) -> None:
    first = Scene(camera, SMALL, 6).frame(FIRST_FRAME + 4)
    scene = Scene(camera, SMALL, 6)
    scene.frame(FIRST_FRAME)
    again = scene.frame(FIRST_FRAME + 4)
    assert np.array_equal(first.plate, again.plate) and np.array_equal(first.truth, again.truth)


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_plate_is_the_truth_with_grain_outside_the_mattes(camera: Camera) -> None:
    frame = Scene(camera, SMALL, 6).frame(FIRST_FRAME + 3)
    outside = (frame.object_matte == 0) & (frame.affected_matte == 0)
    assert outside.any() and not outside.all()
    assert np.allclose(frame.plate[outside], frame.grainy_truth[outside], atol=1e-6)
    assert not np.allclose(frame.plate[~outside], frame.grainy_truth[~outside], atol=1e-2)


def test_a_scene_has_shadow_motion_blur_grain_and_highlights() -> None:
    frame = Scene("pan", SMALL, 12).frame(FIRST_FRAME + 5)
    soft = (frame.object_matte > 0.02) & (frame.object_matte < 0.98)
    assert float(soft.mean()) > 0.01
    assert float((frame.affected_matte > 0.3).mean()) > 0.001
    assert float(frame.truth.max()) > 1.0
    grain = np.abs(frame.grainy_truth - frame.truth)
    bright, dark = frame.truth > 0.3, frame.truth < 0.05
    assert float(grain[bright].mean()) > 1.3 * float(grain[dark].mean())


@pytest.mark.parametrize("camera", [camera for camera in CAMERAS if camera != "static"])
def test_the_camera_moves(camera: Camera) -> None:
    scene = Scene(camera, SMALL, 6)
    assert float(np.abs(scene.frame(FIRST_FRAME).truth - scene.frame(FIRST_FRAME + 5).truth).mean()) > 0.005


def test_frames_outside_the_shot_are_refused() -> None:
    with pytest.raises(IndexError):
        Scene("pan", SMALL, 6).frame(FIRST_FRAME + 6)


def test_labels_follow_the_mattes() -> None:
    figure, shadow = np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32)
    figure[2:4, 2:4], shadow[3:6, 3:6] = 0.5, 0.2
    labels = quadmask(figure, shadow)
    assert (labels[2, 2], labels[3, 3], labels[5, 5], labels[0, 0]) == (REMOVE, OVERLAP, AFFECTED, KEEP)
    assert int((quadmask(figure, None, grow=1) == REMOVE).sum()) > int((labels != KEEP).sum()) - 9


def test_memory_frames_reduce_by_blocks_and_know_what_may_be_sampled() -> None:
    plate = np.random.default_rng(0).random((5, 7, 3), np.float32)
    plate[0, 0] = np.nan
    labels = np.full((5, 7), KEEP, np.uint8)
    labels[2, 3] = REMOVE
    frames = MemoryFrames([plate], [labels])
    picture, usable = frames.reduced(FIRST_FRAME, 2)
    assert picture.shape == (3, 4, 3) and usable.shape == (3, 4)
    assert np.allclose(picture[1, 2], plate[2:4, 4:6].mean(axis=(0, 1)), atol=1e-6)
    assert not usable[0, 0] and not usable[1, 1] and usable[2, 3]
    assert frames.hole(FIRST_FRAME) == Box(3, 2, 4, 3)
    assert np.isfinite(frames.plate(FIRST_FRAME, Box(0, 0, 7, 5))).all()


def test_frames_in_memory_can_stand_for_a_finer_plate() -> None:
    plate, labels = np.random.default_rng(1).random((8, 12, 3), np.float32), np.full((8, 12), KEEP, np.uint8)
    labels[2, 3] = 0
    coarse = MemoryFrames([plate], [labels], enlargement=2.5)
    fine = coarse.enlarged(2)
    assert fine.size == (16, 24) and fine.enlargement == 1.25 and fine.numbers == coarse.numbers
    assert fine.hole(fine.numbers[0]) == Box(6, 4, 8, 6)
    with pytest.raises(ValueError, match="3 times"):
        coarse.enlarged(3)
