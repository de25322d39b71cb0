"""Noise that moves with the picture, from which the second pass starts.

After Burgert et al., "Go-with-the-Flow" (CVPR 2025), whose warping Netflix/void-model takes for its second pass
(void_model.md 7). Where pixels come together their noise is added up so that it stays unit Gaussian; where the picture
spreads, a pixel's noise is divided among its copies, which get fresh noise that makes them independent. Unlike
upstream's, the noise is made at the size of the clip itself, for all of its frames, and has unit variance.

The state has one value a channel for every pixel of the raster, that is 64 for every pixel of a latent. Whole pixels
move; what rounding leaves over is carried along, so that slow motion is not lost. All of it is numpy on the CPU: the
same noise on every device, and no sum whose order is left to chance.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import Cancelled
from void_server.engines import IsCancelled
from void_server.engines.void.flow import Flow, Motion
from void_server.engines.void.latents import FRAMES_A_LATENT, PIXELS_A_LATENT

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


def warped_noise(
    frames: Floats,
    flow: Flow,
    random: np.random.Generator,
    channels: int = 16,
    progress: Callable[[float], None] = lambda done: None,
    cancelled: IsCancelled = lambda: False,
    workers: int = 1,
) -> Floats:
    """Noise (k+1, channels, H/8, W/8), each frame unit Gaussian, that moves as frames (4k+1, H, W, 3) in 0..1 do.

    A latent's noise is that of its first frame: 0, 1, 5, 9, and so on. The flow of so many pairs of frames is estimated
    at a time. Raises Cancelled.
    """
    count, height, width, _ = frames.shape
    state = Carried.fresh(random, channels, (height, width))
    found = [_latent(state.noise, (height, width))]
    moves = count - FRAMES_A_LATENT if count > 1 else 0
    with ThreadPoolExecutor(workers) as pool:
        motions = deque(pool.submit(flow, frames[index], frames[index + 1]) for index in range(moves))
        for index in range(1, moves + 1):
            if cancelled():
                pool.shutdown(cancel_futures=True)
                raise Cancelled
            state = state.moved(motions.popleft().result(), random)
            if index % FRAMES_A_LATENT == 1:
                found.append(_latent(state.noise, (height, width)))
            progress(index / moves)
    return np.stack(found)


@dataclass(frozen=True)
class Carried:
    """Noise on a raster, and what goes with each of its pixels; rows are pixels in reading order."""

    size: tuple[int, int]
    noise: Floats
    """(pixels, channels), unit Gaussian."""
    weight: Floats
    """(pixels,): how much picture has come together in a pixel, 1 on average."""
    rest: Floats
    """(pixels, 2): motion in x and y that rounding has left over so far."""

    @classmethod
    def fresh(cls, random: np.random.Generator, channels: int, size: tuple[int, int]) -> Carried:
        """Independent noise."""
        pixels = size[0] * size[1]
        noise = random.standard_normal((pixels, channels), np.float32)
        return cls(size, noise, np.ones(pixels, np.float32), np.zeros((pixels, 2), np.float32))

    def moved(self, motion: Motion, random: np.random.Generator) -> Carried:
        """The noise after every pixel has moved; `motion` is (H, W, 2) pixels."""
        pixels = len(self.weight)
        there = np.arange(pixels, dtype=np.int64)
        wanted = motion.reshape(pixels, 2) + self.rest
        steps = np.rint(wanted).astype(np.int64)
        rest = wanted - steps
        if not steps.any():
            return Carried(self.size, self.noise, self.weight, rest)
        landing = self._at(there, steps)
        sources = there[landing >= 0]
        targets = landing[sources]
        # What nothing lands on takes a copy from where its own motion, followed backwards, leads.
        bare = np.ones(pixels, bool)
        bare[targets] = False
        empty = there[bare]
        behind = self._at(empty, -steps[empty])
        sources = np.concatenate([sources, behind[behind >= 0]])
        targets = np.concatenate([targets, empty[behind >= 0]])
        values, weights = self._copies(sources, random)
        new = empty[behind < 0]
        noise, weight = self._met(targets, values, weights)
        noise[new] = random.standard_normal((len(new), noise.shape[1]), np.float32)
        weight[new] = 1
        kept = np.zeros_like(rest)
        kept[targets] = rest[sources]
        return Carried(self.size, noise, weight / weight.mean(dtype=np.float64).astype(np.float32), kept)

    def _at(self, pixels: Indices, steps: NDArray[np.int64]) -> Indices:
        """The pixels that lie some steps away; -1 outside of the picture."""
        height, width = self.size
        x, y = pixels % width + steps[:, 0], pixels // width + steps[:, 1]
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        return np.where(inside, y * width + x, -1)

    def _copies(self, sources: Indices, random: np.random.Generator) -> tuple[Floats, Floats]:
        """Noise and weight of every copy of the source pixels, independent of each other and of unit variance.

        Of c copies each is n / sqrt(c) + z - mean(z) with fresh z: variance 1/c + (1 - 1/c), covariance 1/c - 1/c.
        """
        counts = np.bincount(sources, minlength=len(self.weight))
        values, weights = self.noise[sources], self.weight[sources]
        many = np.flatnonzero(counts[sources] > 1)
        if len(many):
            _, group = np.unique(sources[many], return_inverse=True)
            share = counts[sources[many]].astype(np.float32)
            fresh = random.standard_normal((len(many), values.shape[1]), np.float32)
            fresh -= _sums(group, fresh)[group] / share[:, None]
            values[many] = values[many] / np.sqrt(share)[:, None] + fresh
            weights[many] /= share
        return values, weights

    def _met(self, targets: Indices, values: Floats, weights: Floats) -> tuple[Floats, Floats]:
        """Noise and weight of the pixels where copies arrive: sum(w n) / sqrt(sum(w^2)) and sum(w)."""
        pixels = len(self.weight)
        noise, weight = np.zeros((pixels, values.shape[1]), np.float32), np.zeros(pixels, np.float32)
        noise[targets], weight[targets] = values, weights  # right wherever one arrives alone
        many = np.flatnonzero(np.bincount(targets, minlength=pixels)[targets] > 1)
        if len(many):
            places, group = np.unique(targets[many], return_inverse=True)
            share = weights[many][:, None]
            noise[places] = _sums(group, values[many] * share) / np.sqrt(_sums(group, share * share))
            weight[places] = _sums(group, share)[:, 0]
        return noise, weight


def _sums(group: Indices, rows: Floats) -> Floats:
    """Sums of the rows of each group, in their order."""
    columns = [np.bincount(group, weights=rows[:, column]) for column in range(rows.shape[1])]
    return np.stack(columns, axis=1).astype(np.float32)


def _latent(noise: Floats, size: tuple[int, int]) -> Floats:
    """The noise (channels, H/8, W/8) of a latent frame: 64 pixels each, added up to unit variance.

    Mean and deviation of the frame are made exact, as those of so few numbers would waver with the raster.
    """
    height, width = size[0] // PIXELS_A_LATENT, size[1] // PIXELS_A_LATENT
    blocks = noise.reshape(height, PIXELS_A_LATENT, width, PIXELS_A_LATENT, -1)
    latent = blocks.sum(axis=(1, 3), dtype=np.float64).transpose(2, 0, 1)
    even: Floats = ((latent - latent.mean()) / latent.std()).astype(np.float32)
    return even
