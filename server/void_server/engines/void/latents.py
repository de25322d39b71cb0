"""Latent frames: how they stand to frames, which windows they are denoised in, how windows are blended.

Latent 0 is frame 0 alone; latent k > 0 is the four frames up to 4k. So 4k+1 frames have k+1 latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FRAMES_A_LATENT = 4
"""Temporal compression of CogVideoX's VAE."""
PIXELS_A_LATENT = 8
"""Its spatial compression."""
WINDOW_LATENTS = 22
"""Latents denoised at once: 85 frames (Netflix/void-model, config `temporal_window_size`)."""
OVERLAP_LATENTS = 4
"""Latents that neighbouring windows share (upstream's `temporal_multidiffusion_stride` of 16 frames, by 4)."""


@dataclass(frozen=True)
class Window:
    """A run of latents that the transformer sees at once; `last` is one past the end."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """Latents in it; always even, as tokens are two latents deep."""
        return self.last - self.first


def latent_count(frames: int) -> int:
    """Latents of a clip of 4k+1 frames."""
    return (frames - 1) // FRAMES_A_LATENT + 1


def frames_of(window: Window) -> slice:
    """The frames of a clip that a window's latents hold."""
    first = 0 if window.first == 0 else FRAMES_A_LATENT * window.first - FRAMES_A_LATENT + 1
    return slice(first, FRAMES_A_LATENT * (window.last - 1) + 1)


def latent_windows(
    count: int, *, size: int = WINDOW_LATENTS, overlap: int = OVERLAP_LATENTS, whole_last: bool = False
) -> list[Window]:
    """The windows of a clip of `count` latents.

    Each begins `overlap` before the end of the one before. The last is cut short, as upstream does, or with
    `whole_last` pulled back to full length.
    """
    found = [Window(0, min(size, count))]
    while found[-1].last < count:
        first = found[-1].last - overlap
        last = min(first + size, count)
        found.append(Window(last - size if whole_last else first, last))
    return found


def blend_weights(windows: Sequence[Window]) -> list[NDArray[np.float32]]:
    """How much each window says about each of its latents; where windows overlap they ramp into each other.

    An overlap of 4 ramps by 0.2, 0.4, 0.6, 0.8. Weights of a latent add up to 1 where two windows meet; the caller
    divides by their sum, for a window pulled back may meet two.
    """
    found = []
    for index, window in enumerate(windows):
        weights = np.ones(window.length, np.float32)
        if index > 0:
            shared = windows[index - 1].last - window.first
            weights[:shared] = np.minimum(weights[:shared], _ramp(shared))
        if index + 1 < len(windows):
            shared = window.last - windows[index + 1].first
            weights[-shared:] = np.minimum(weights[-shared:], _ramp(shared)[::-1])
        found.append(weights)
    return found


def _ramp(length: int) -> NDArray[np.float32]:
    return np.linspace(0, 1, length + 2, dtype=np.float32)[1:-1]
