"""Small shots whose grain is known, for the tests of grain."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import KEEP, Picture
from void_server.grain import GrainModel, analyse
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
    return analyse(frames, frames.numbers, AREA, 2, lambda: False)


def correlation(grain: Picture, dy: int, dx: int) -> NDArray[np.floating]:
    high, wide = grain.shape[:2]
    return np.asarray(
        (grain[: high - dy, : wide - dx] * grain[dy:, dx:]).mean(axis=(0, 1)) / (grain**2).mean(axis=(0, 1))
    )
