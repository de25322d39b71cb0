"""Optical flow for the noise of the second pass."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from void_plugin.errors import JobError
from void_server.engines.void.flow import DisFlow, RaftFlow, raft_problem
from void_server.engines.void.weights import Weights

HAS_TORCHVISION = importlib.util.find_spec("torchvision") is not None


def texture(height: int, width: int) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(np.random.default_rng(1).random((height, width, 3), np.float32), (0, 0), 2.0)


def test_motion_is_in_pixels_to_the_right_and_down() -> None:
    world = texture(140, 200)
    found = DisFlow()(world[10:110, 20:180], world[7:107, 15:175])
    assert found.shape == (100, 160, 2) and found.dtype == np.float32
    np.testing.assert_allclose(np.median(found, axis=(0, 1)), [5, 3], atol=0.1)


def test_equal_frames_do_not_move() -> None:
    picture = texture(96, 160)
    assert not DisFlow()(picture, picture).any()


def test_what_raft_lacks_is_said(tmp_path: Path) -> None:
    problem = raft_problem(Weights(tmp_path).raft)
    assert problem is not None and "--void-flow dis" in problem
    assert ("torchvision" in problem) and (HAS_TORCHVISION or "install it" in problem)
    with pytest.raises(JobError) as raised:
        RaftFlow(Weights(tmp_path).raft, "cpu")
    assert raised.value.code == "job.weights"


@pytest.mark.skipif(not HAS_TORCHVISION, reason="torchvision is not installed")
def test_a_file_that_is_not_torchvisions_is_refused(tmp_path: Path) -> None:
    Weights(tmp_path).raft.write_bytes(b"another")
    with pytest.raises(JobError, match="SHA-256"):
        RaftFlow(Weights(tmp_path).raft, "cpu")
