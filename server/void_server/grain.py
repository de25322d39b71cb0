"""The grain of a plate as a model: how strong it is at each luma, and how it hangs together in space and colour.

Estimated once a shot by `analyse`, kept in the plan, and made into new grain by `regrain`. All of it lives in the
plate's own scene-linear light (reference: image.md 4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from void_server.align import Floats
from void_server.degrain import Bare, measured, without_texture
from void_server.engines import Frames, Mask, Picture
from void_server.spectrum import covariance, kernel_of
from void_server.tiles import Box

MOST_FRAMES = 4
"""Frames looked at, each with one neighbour."""
MOST_WINDOWS = 12
"""Windows of 256 x 256 a frame: with four frames three million pixels, whatever the size of the plate."""
LUMA_BINS = 24
"""Bins of equal population in which noise is measured (image.md 4)."""
FEWEST_IN_BIN = 300
"""Pixels below which a bin says nothing: its deviation would be off by 5 %."""
MOST_IN_CURVE = 1 << 18
"""Pixels a channel that the curve is measured from; more only cost time."""
BAD_FIT = 0.15
"""A straight line that misses a bin's variance by more gives way to a table (image.md 4)."""
PLATEAU = 0.02
"""Share of pixels at the very least or greatest value of the plate that makes a bin clipped."""
UNSEEN = 5e-4
"""Deviation over luma that counts as no grain: half floats alone round by up to 3e-4 of the value."""
UNSEEN_FLOOR = 1e-6
"""The same near black, in linear light."""


@dataclass(frozen=True)
class Curve:
    """Variance of grain against luma for one channel: straight between knots, and on beyond the last."""

    light: Floats
    """(n,) luma of the knots, rising, n >= 2; two knots are a line."""
    variance: Floats
    """(n,) variance at the knots, never falling."""

    def sigma(self, luma: Floats) -> Floats:
        """Deviation at each luma, same shape; below the first knot as at the first."""
        first, second = self.light[-2:]
        slope = (self.variance[-1] - self.variance[-2]) / (second - first)
        beyond = self.variance[-1] + slope * np.maximum(luma - second, 0)
        if len(self.light) == 2:
            inside = self.variance[0] + slope * (np.clip(luma, first, second) - first)
            variance = np.where(luma > second, beyond, inside)
        else:
            variance = np.where(luma > second, beyond, np.interp(luma, self.light, self.variance))
        return np.sqrt(variance, dtype=np.float32)


@dataclass(frozen=True)
class GrainModel:
    """What new grain is made from; the same for every frame of a shot."""

    curves: tuple[Curve, Curve, Curve]
    """Noise against luma of R, G and B, each against its own channel's luma."""
    kernel: Floats
    """(3 out, 3 in, k, k), k odd: white noise of three channels filtered with it (correlated, centre at k // 2) is
    grain of unit variance with the plate's spectrum and the plate's correlation between channels."""

    @property
    def is_silent(self) -> bool:
        """True where the plate has no measurable grain, so that none is added."""
        return all(not curve.variance.any() for curve in self.curves)

    def sigma(self, linear: Picture) -> Picture:
        """Deviation of grain at each pixel, (height, width, 3), for a grain-free picture in linear light."""
        return np.stack([curve.sigma(linear[..., i]) for i, curve in enumerate(self.curves)], axis=-1)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The model as arrays for the plan."""
        arrays: dict[str, NDArray[Any]] = {"grain_kernel": self.kernel}
        for name, curve in zip("rgb", self.curves, strict=True):
            arrays[f"grain_curve_{name}"] = np.stack([curve.light, curve.variance])
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> GrainModel:
        """The model back from `to_arrays`, bit for bit."""
        red, green, blue = (Curve(*np.asarray(arrays[f"grain_curve_{name}"], np.float32)) for name in "rgb")
        return cls((red, green, blue), np.asarray(arrays["grain_kernel"], np.float32))


def silent() -> GrainModel:
    """The model of a plate without grain."""
    none = Curve(np.array([0, 1], np.float32), np.zeros(2, np.float32))
    return GrainModel((none, none, none), np.eye(3, dtype=np.float32)[..., None, None])


def analyse(frames: Frames, picked: Sequence[int], area: Box, cancelled: Callable[[], bool]) -> GrainModel:
    """The grain of a shot, from a few of its frames over a box in picture coordinates.

    Looks at up to four of the `picked` frames, evenly chosen, and their neighbours; only at usable, unclipped pixels
    that show grain and no texture. Where nothing can be measured the model is silent. Raises Cancelled.
    """
    few = [picked[i] for i in np.unique(np.linspace(0, len(picked) - 1, min(MOST_FRAMES, len(picked))).round().astype(int))]
    bares = measured(frames, few, area, MOST_WINDOWS, cancelled)
    # A surface leaves texture in: it is only asked where frames cannot be compared at all.
    bares = [bare for bare in bares if bare.temporal] or bares
    masks = without_texture(bares)
    measures = [_bins(bares, masks, channel) for channel in range(3)]
    if not any(seen.size for _, seen in measures):
        return silent()
    lines = [_curve(light, seen) for light, seen in measures]
    unit = []
    for bare, mask in zip(bares, masks, strict=True):
        sigma = np.stack([line.sigma(bare.light[..., i]) for i, line in enumerate(lines)], axis=-1)
        whole = mask.copy()
        for channel, (light, _) in enumerate(measures):
            if light.size:
                here = bare.light[..., channel]
                whole &= (here >= light[0]) & (here <= light[-1])
        unit.append((np.where(sigma > 0, bare.grain / np.maximum(sigma, 1e-20), 0).astype(np.float32), whole))
    covariances = covariance(unit)
    if covariances is None:
        return silent()
    weights = np.array([mask.sum() for _, mask in unit], np.float64)
    power = np.einsum("n,nyx->yx", weights / weights.sum(), np.stack([bare.power for bare in bares]))
    kernel, strength = kernel_of(covariances, power)
    curves = tuple(Curve(line.light, (line.variance * s).astype(np.float32)) for line, s in zip(lines, strength))
    return GrainModel(curves, kernel)


def _bins(bares: Sequence[Bare], masks: Sequence[Mask], channel: int) -> tuple[Floats, Floats]:
    """Luma and variance of one channel in bins that are neither clipped nor without grain; both empty where none is."""
    none = np.zeros(0, np.float32)
    count = sum(int(mask.sum()) for mask in masks)
    step = max(1, count // MOST_IN_CURVE)
    light, grain, plate = (
        np.concatenate([getattr(bare, name)[..., channel][mask][::step] for bare, mask in zip(bares, masks, strict=True)])
        for name in ("light", "grain", "plate")
    ) if count else (none, none, none)
    bins = min(LUMA_BINS, light.size // FEWEST_IN_BIN)
    if not bins:
        return none, none
    order = np.argsort(light, kind="stable")
    clipped = (plate == plate.min()) | (plate == plate.max())
    found = []
    for part in np.array_split(order, bins):
        middle, values = float(np.median(light[part])), grain[part]
        deviation = 1.4826 * float(np.median(np.abs(values - np.median(values))))
        seen = deviation > max(UNSEEN * abs(middle), UNSEEN_FLOOR)
        if clipped[part].mean() < PLATEAU:
            found.append((middle, deviation**2 if seen else 0.0))
    if not any(variance for _, variance in found):
        return none, none
    # bins
    pairs = np.array(found, np.float64)
    return pairs[:, 0], pairs[:, 1]


def _curve(light, variance) -> Curve:
    """A line where one fits, else a table that never falls."""
    if not light.size:
        return Curve(np.array([0, 1], np.float32), np.zeros(2, np.float32))
    floor, slope = _line(light, variance)
    misses = (floor + slope * light) / np.maximum(variance, 1e-30) - 1
    if all(abs(float(part.mean())) <= BAD_FIT for part in np.array_split(misses, min(6, len(misses)))):
        return Curve(np.array([0, 1], np.float32), np.array([floor, floor + slope], np.float32))
    rising = _never_falling(variance)
    # Beyond the brightest bin variance goes on in proportion to light, as that of photons does.
    knots, heights = np.append(light, 2 * light[-1]), np.append(rising, 2 * rising[-1])
    return Curve(knots.astype(np.float32), heights.astype(np.float32))


def _line(light, variance) -> tuple[float, float]:
    """Non-negative a and b of variance = a + b * light, by least squares of the relative error."""
    known = variance > 0
    x, v = light[known], variance[known]
    terms = np.stack([1 / v, x / v])
    normal = np.einsum("in,jn->ij", terms, terms)
    right = terms.sum(axis=1)
    spread = np.linalg.det(normal)
    if spread > 1e-9 * normal[0, 0] * normal[1, 1]:
        a, b = np.linalg.solve(normal, right)
        if a >= 0 and b >= 0:
            return float(a), float(b)
    candidates = []
    for i in (0, 1):
        value = max(0.0, float(right[i] / normal[i, i])) if normal[i, i] > 0 else 0.0
        pair = (value, 0.0) if i == 0 else (0.0, value)
        candidates.append((float(((pair[0] * terms[0] + pair[1] * terms[1] - 1) ** 2).sum()), pair))
    return min(candidates)[1]


def _never_falling(values):
    """The closest sequence that never falls (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for value in values:
        mean, count = float(value), 1
        while pools and pools[-1][0] > mean:
            other, many = pools.pop()
            mean, count = (mean * count + other * many) / (count + many), count + many
        pools.append((mean, count))
    return np.concatenate([np.full(count, mean) for mean, count in pools])
