"""Optical flow between neighbouring frames, along which the noise of the second pass moves."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from void_plugin.errors import JobError

Picture = NDArray[np.float32]
Motion = NDArray[np.float32]


RAFT_DIGEST = "ff5fadd5"
"""How the SHA-256 of torchvision's file begins, as its name says; nothing else is ever loaded."""


class Flow(Protocol):
    """Estimates motion, from several threads at a time."""

    def __call__(self, before: Picture, after: Picture) -> Motion:
        """How far each pixel of `before` moves until `after`: (H, W, 2), x to the right and y down, in pixels.

        Both frames are (H, W, 3) in 0..1.
        """


class DisFlow:
    """Dense inverse search (Kroeger et al., ECCV 2016), as OpenCV has it: no weights, any CPU."""

    def __init__(self) -> None:
        # OpenCV cuts flow into one stripe per thread and rounds at their borders: with any other count the pixels
        # would depend on the machine.
        cv2.setNumThreads(1)
        self._local = threading.local()

    def __call__(self, before: Picture, after: Picture) -> Motion:
        if not hasattr(self._local, "search"):  # a search keeps buffers, and so serves one thread only
            self._local.search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        start = np.zeros((*before.shape[:2], 2), np.float32)
        return np.asarray(self._local.search.calc(_grey(before), _grey(after), start), np.float32)


class RaftFlow:
    """RAFT (Teed and Deng, ECCV 2020), as upstream uses it: torchvision's `raft_large` with `C_T_SKHT_V2`."""

    def __init__(self, weights: Path, device: str) -> None:
        """Raises JobError where torchvision or the weights are not there."""
        problem = raft_problem(weights)
        if problem is not None:
            raise JobError(problem, "job.weights")
        from torchvision.models.optical_flow import raft_large

        with weights.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if not digest.startswith(RAFT_DIGEST):
            raise JobError(
                f"{weights} is not what torchvision publishes under that name (its SHA-256 begins with {digest[:8]}, "
                f"not {RAFT_DIGEST}); fetch it again, or use --void-flow dis.",
                "job.weights",
            )
        network = raft_large(weights=None)
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self._device = torch.device(device)
        self._network = network.eval().requires_grad_(False).to(self._device)

    def __call__(self, before: Picture, after: Picture) -> Motion:
        with torch.no_grad():
            flows = self._network(self._input(before), self._input(after))
        found: Motion = flows[-1][0].permute(1, 2, 0).float().cpu().numpy()
        return found

    def _input(self, picture: Picture) -> torch.Tensor:
        return torch.from_numpy(picture * 2 - 1).permute(2, 0, 1)[None].to(self._device)


def raft_problem(weights: Path) -> str | None:
    """Why RAFT cannot be used here, as a sentence; None where it can."""
    if importlib.util.find_spec("torchvision") is None:
        return "The setting void_flow is raft, which needs torchvision; install it, or use --void-flow dis."
    if not weights.is_file():
        return (
            f"The setting void_flow is raft, and its weights are not at {weights}; put torchvision's "
            "raft_large C_T_SKHT_V2 there, or use --void-flow dis."
        )
    return None


def _grey(picture: Picture) -> NDArray[np.uint8]:
    levels = cv2.cvtColor(np.ascontiguousarray(picture, np.float32), cv2.COLOR_RGB2GRAY)
    found: NDArray[np.uint8] = np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8)
    return found
