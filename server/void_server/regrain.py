"""New grain from a model: one endless field a frame, of which any box can be cut.

Every white value is a pure function of (seed, frame, x, y, channel). White values and kernel taps are whole numbers
so small that their sums are exact in float32: neither the box, the order of summation nor the processor changes a bit.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.align import Floats
from void_server.engines import Picture
from void_server.grain import GrainModel
from void_server.pixelmath import per_channel
from void_server.tiles import Box, strips

Words = NDArray[np.uint64]

WHITE_STEPS = 64
"""Steps to one deviation of white noise: rounding adds 2e-5 of its power."""
TAP_STEPS = 2048
"""Steps to 1 of a kernel's taps. No tap of 3 x 15 x 15 of unit power lets a sum pass 4.2 * 64 * 2048 * 26 < 2 ** 24,
where float32 stops holding every whole number."""
DIRECT_TAPS = 120
"""Taps that OpenCV still sums one by one; from 130 on it takes a Fourier transform, which rounds by the box."""
ROWS = 32
"""Rows hashed at once: their words stay in the processor's cache."""
LUMA_BLUR = 1.0
"""Sigma in pixels of the blur under which new pixels are asked for their luma: noise left in them must not steer it."""


def synthesise(model: GrainModel, seed: int, frame: int, box: Box) -> Picture:
    """Grain of unit variance for the plate pixels of a box in EXR coordinates, (height, width, 3) float32.

    Equal arguments give equal bits; a box gives the same bits as the same pixels of a larger one.
    """
    size = model.kernel.shape[-1]
    taps = np.rint(model.kernel * np.float32(TAP_STEPS)).astype(np.float32)
    table = normal_table()
    white = white_noise(table, seed, frame, box.grown(size // 2))
    scale = np.float32(1.0) / np.sqrt(
        (taps.astype(np.float64) ** 2).sum(axis=(1, 2, 3)) * np.mean(table.astype(np.float64) ** 2)
    )
    out = np.empty((*box.size, 3), np.float32)
    for i in range(3):
        out[..., i] = filtered(white, taps[i], box.size) * np.float32(scale[i])
    return out


def white_noise(table: Floats, seed: int, frame: int, box: Box) -> list[Floats]:
    """Whole numbers of WHITE_STEPS deviation for three channels, each (height, width)."""
    planes = [np.empty(box.size, np.float32) for _ in range(3)]
    key = np.uint64(field_key(seed, frame))
    x = np.arange(box.x0, box.x1, dtype=np.int64).astype(np.uint64) & np.uint64(0xFFFFFFFF)
    y = np.arange(box.y0, box.y1, dtype=np.int64).astype(np.uint64) << np.uint64(32)
    for top in range(0, box.height, ROWS):
        rows = slice(top, min(top + ROWS, box.height))
        words = mixed((y[rows, None] | x) * np.uint64(0x9E3779B97F4A7C15) + key)
        # Sixteen bits a channel; the last sixteen are not used.
        parts = words.astype("<u8", copy=False).view("<u2").reshape(*words.shape, 4)
        for channel, plane in enumerate(planes):
            np.take(table, parts[..., channel], mode="clip", out=plane[rows])
    return planes


def field_key(seed: int, frame: int) -> int:
    """Where in the 64-bit sequence the field of one frame begins; any whole numbers, negative ones too."""
    key = 0
    for number in (seed, frame):
        key = int(mixed(np.array([(key + number + 1) & 0xFFFFFFFFFFFFFFFF], np.uint64))[0])
    return key


def mixed(words: Words) -> Words:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014; Stafford's variant 13), in place."""
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
    return words


def normal_table() -> Floats:
    """Sixteen uniform bits to a normal deviate in whole steps: the inverse of the distribution function."""
    most = int(4.5 * WHITE_STEPS)
    edges = [0.5 * (1 + math.erf((n + 0.5) / WHITE_STEPS / math.sqrt(2))) for n in range(-most, most)]
    uniform = (np.arange(1 << 16) + 0.5) / (1 << 16)
    return (np.searchsorted(edges, uniform) - most).astype(np.float32)


def filtered(white: list[Floats], taps: Floats, size: tuple[int, int]) -> Floats:
    """Sum over channels of correlations, where the kernel lies wholly inside the white noise."""
    # Direct summation beats a Fourier transform here: 11 x 11 taps over 600 x 1000 px take 3 ms against 8 ms.
    k = taps.shape[-1]
    height, width = size
    band = max(1, DIRECT_TAPS // k)
    total = np.zeros(size, np.float32)
    for plane, kernel in zip(white, taps, strict=True):
        if not kernel.any():
            continue
        for top in range(0, k, band):
            part = np.ascontiguousarray(kernel[top : top + band])
            full = cv2.filter2D(plane, cv2.CV_32F, part, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT)
            total += full[top : top + height, :width]
    return total


def add(
    linear: Picture, model: GrainModel, unit_grain: Picture, share: Floats, residual: Picture | float = 0.0
) -> Picture:
    """The picture with grain: linear + sigma(luma) * unit_grain * share * sqrt(1 - residual ** 2).

    `linear` (height, width, 3) is scene-linear and may be negative; `unit_grain` has unit variance. `share` (height,
    width), 0..1, is how much of the plate's deviation each pixel lacks: 0 where the pixel is the plate's own.
    `residual`, one number or (height, width, 3), is the grain still in `linear` as a fraction of sigma: what is added
    makes up the rest. Returns a new array.
    """
    if model.is_silent:
        return linear.copy()
    luma = np.asarray(cv2.GaussianBlur(linear, (0, 0), LUMA_BLUR), np.float32)
    left = np.broadcast_to(np.asarray(residual, np.float32), linear.shape)
    out = np.empty(linear.shape, np.float32)
    for rows in strips(share.shape):
        missing = np.sqrt(np.maximum(1 - np.square(left[rows]), 0))
        grain = model.sigma(luma[rows]) * unit_grain[rows] * (per_channel(share[rows]) * missing)
        np.add(linear[rows], grain, out=out[rows])
    return out
