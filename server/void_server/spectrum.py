"""How grain hangs together, in space and between channels: measured on masked pixels, made into a small kernel.

Covariances are summed over pairs of clean pixels only, so holes and dropped blocks bias nothing and no window
function blurs the spectrum. The kernel is the Cholesky factor of the cross-spectrum at each frequency: channel R needs
one filter, G two, B three.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.align import BINS, Floats
from void_server.engines import Mask, Picture

LAGS = 12
"""Pixels apart at which grain may still be related; a kernel of 15 reaches 14, and little is left there."""
FAR = 3
"""Lags beyond those from which the pedestal is read: what shading and flicker add to every lag alike."""
FLOOR = 1e-4
"""Least power at any frequency against the mean, so that every cross-spectrum has a factor."""
BLIND = 0.15
"""Power below which measuring has left too little to be multiplied up again (image.md 4)."""
NOISE, LEAST = 2.0, 1e-3
"""Correlation is noise below this multiple of its size at far lags, and below this in any case."""
FADE = 1.0
"""Pixels, and half the reach, over which covariances fade."""
SIZES = (3, 5, 7, 9, 11, 13, 15)
"""Sizes of a kernel."""
HELD_POWER = 0.999
"""Share of the grain's power that the kernel must hold."""

Covariance = NDArray[np.float64]
"""(3, 3, 2 * LAGS + 1, 2 * LAGS + 1): of channel i at a pixel with channel j at a lag, centre at lag 0."""


def covariance(windows: Iterable[tuple[Picture, Mask]]) -> Covariance | None:
    """Covariances of zero-mean grain over the true pixels of each mask; None where hardly any pixel is true."""
    total: NDArray[np.complex128] | None = None
    shape = (0, 0)
    for grain, mask in windows:
        high, wide = (cv2.getOptimalDFTSize(side + LAGS + FAR) for side in mask.shape)
        shape = high, wide + wide % 2
        planes = np.stack([grain[..., 0] * mask, grain[..., 1] * mask, grain[..., 2] * mask, mask], dtype=np.float32)
        waves = np.fft.rfft2(planes, shape)
        if total is None:
            total = np.zeros((10, *waves.shape[1:]), np.complex128)
        for i, j in [*itertools.combinations_with_replacement(range(3), 2), (3, 3)]:
            total[3 * i + j if i < 3 else 9] += np.conj(waves[i]) * waves[j]
    if total is None:
        return None
    for i, j in itertools.combinations(range(3), 2):
        total[3 * j + i] = np.conj(total[3 * i + j])
    reach = LAGS + FAR
    sums = np.roll(np.fft.irfft2(total, shape), (reach, reach), axis=(1, 2))[:, : 2 * reach + 1, : 2 * reach + 1]
    pairs = sums[9]
    if pairs[reach, reach] < 1000 or pairs.min() < 100:
        return None
    each = (sums[:9] / pairs).reshape(3, 3, 2 * reach + 1, 2 * reach + 1)
    away = np.maximum(*np.abs(np.mgrid[-reach : reach + 1, -reach : reach + 1]))
    each -= each[..., away > LAGS].mean(axis=-1)[..., None, None]
    return np.asarray(each[..., FAR:-FAR, FAR:-FAR])


def kernel_of(covariances: Covariance, power: Floats) -> tuple[Floats, NDArray[np.float64]]:
    """The colouring kernel (3, 3, k, k) of unit variance, and the variance of each channel against what was measured.

    `power` (BINS, BINS) is what measuring did to the power at each frequency, and is undone.
    """
    lags = np.zeros((3, 3, BINS, BINS))
    lags[..., : 2 * LAGS + 1, : 2 * LAGS + 1] = covariances
    whole = np.fft.ifft2(_undone(_spectrum(np.roll(lags, (-LAGS, -LAGS), axis=(2, 3))), power), axes=(0, 1))
    spectrum = _spectrum(_faded(whole.real.transpose(2, 3, 0, 1)))
    own = np.einsum("yxii->i", spectrum).real / BINS**2
    before = np.maximum(np.diagonal(covariances[..., LAGS, LAGS]), 1e-30)
    strength = np.sqrt(np.maximum(own, 1e-30))
    spectrum /= strength[:, None] * strength
    # A channel without grain has no spectrum: it is given white noise, which its curve then silences.
    for channel in np.flatnonzero(before <= 1e-20):
        spectrum[..., channel, :] = spectrum[..., :, channel] = 0
        spectrum[..., channel, channel] = 1
    values, vectors = np.linalg.eigh(spectrum)
    values = np.maximum(values, FLOOR)
    factor = np.linalg.cholesky(np.einsum("yxik,yxk,yxjk->yxij", vectors, values, np.conj(vectors)))
    taps = np.fft.ifft2(factor, axes=(0, 1)).real.transpose(2, 3, 0, 1)
    return _cut(np.roll(taps, (BINS // 2, BINS // 2), axis=(2, 3))), own / before


def _spectrum(lags: NDArray[np.float64]) -> NDArray[np.complex128]:
    """(BINS, BINS, 3, 3), Hermitian at each frequency, of covariances (3, 3, BINS, BINS) with lag 0 first."""
    spectrum = np.fft.fft2(lags).transpose(2, 3, 0, 1)
    return np.asarray((spectrum + np.conj(np.swapaxes(spectrum, 2, 3))) / 2)


def _faded(lags: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariances faded out where they sink into the noise of far lags: what is noise would only widen the kernel."""
    steps = np.abs(np.fft.fftfreq(BINS, 1 / BINS))
    away = np.maximum(steps[:, None], steps)
    own = np.maximum(np.einsum("iiyx->iyx", lags)[:, 0, 0], 1e-30)
    sizes = (lags**2 / (own[:, None] * own)[..., None, None]).mean(axis=(0, 1))
    heard = [float(np.sqrt(sizes[away == ring].mean())) for ring in range(LAGS + 1)]
    noise = NOISE * min(heard[LAGS - FAR :]) + LEAST
    reach = next((ring for ring, size in enumerate(heard) if size < noise), LAGS)
    fall = np.clip((np.hypot(steps[:, None], steps) - reach) / (FADE + 0.5 * reach), 0, 1)
    return np.asarray(lags * (0.5 + 0.5 * np.cos(np.pi * fall)))


def _undone(spectrum: NDArray[np.complex128], power: Floats) -> NDArray[np.complex128]:
    """The spectrum before measuring; where next to nothing of it was left, what the frequencies around it say.

    A spatial filter eats the lowest frequencies. Grain is a spread of dye clouds or a debayer's blur: its power falls
    as a Gaussian does, so its logarithm is a straight line in squared frequency, and goes on to zero.
    """
    squares = np.fft.fftfreq(BINS)[:, None] ** 2 + np.fft.fftfreq(BINS) ** 2
    blind = power < BLIND
    whole = spectrum / np.maximum(power, BLIND)[..., None, None]
    if not blind.any():
        return whole
    edge = float(squares[blind].max())
    ring = (squares > edge) & (squares < 4 * edge)
    own = np.einsum("yxii->yxi", whole).real
    x = squares[ring] - squares[ring].mean()
    filled = np.empty((int(blind.sum()), 3))
    for channel in range(3):
        heights = np.log(np.maximum(own[ring][:, channel], 1e-12))
        slope = min(0.0, float((x * heights).sum() / (x * x).sum()))
        level = np.log(max(float(own[ring][:, channel].mean()), 1e-12))
        filled[:, channel] = np.exp(level + slope * (squares[blind] - squares[ring].mean()))
    cross = whole[ring].mean(axis=0).real
    spread = np.sqrt(np.maximum(np.diagonal(cross), 1e-30))
    amplitude = np.sqrt(filled)
    whole[blind] = amplitude[:, :, None] * amplitude[:, None] * (cross / (spread[:, None] * spread))
    return whole


def _cut(taps: NDArray[np.float64]) -> Floats:
    """The middle of the taps, as small as holds the power, each channel scaled to unit variance."""
    middle = BINS // 2
    whole = (taps**2).sum(axis=(1, 2, 3))
    for size in SIZES:
        near = slice(middle - size // 2, middle + size // 2 + 1)
        kernel = taps[..., near, near]
        held = (kernel**2).sum(axis=(1, 2, 3))
        if (held >= HELD_POWER * whole).all():
            break
    return np.asarray(kernel / np.sqrt(held)[:, None, None, None], np.float32)
