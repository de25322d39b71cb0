"""The grain of a plate as a model: how strong it is at each luma, and how it hangs together in space and colour.

Estimated once a shot by `analyse`, kept in the plan, and made into new grain by `regrain`. All of it lives in the
plate's own scene-linear light (reference: image.md 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from void_server.align import Floats
from void_server.degrain import Bare, measured, without_texture
from void_server.engines import Frames, IsCancelled, Mask, Picture
from void_server.spectrum import covariance, kernel_of
from void_server.tiles import Box
from void_server.windows import evenly

Values = NDArray[np.float64]

MOST_FRAMES = 4
"""Frames looked at, each with one neighbour; every other one first, which are all where they show `ENOUGH`."""
ENOUGH = 1 << 19
"""Pixels that show nothing but grain, of which another frame took the scene away: twice what the curve is measured
from. Correlation is then known to 0.002, and the limit of image.md 4 is 0.05."""
MOST_WINDOWS = 12
"""Windows of 256 x 256 a frame: with four frames three million pixels, whatever the size of the plate."""
LUMA_BINS = 24
"""Bins of equal population in which noise is measured (image.md 4)."""
FEWEST_IN_BIN = 300
"""Pixels below which a bin says nothing: its deviation would be off by 5 %."""
MOST_IN_CURVE = 1 << 18
"""Pixels a channel that the curve is measured from; more only cost time."""
BAD_FIT = 0.06
"""A straight line that misses variance by more at one of six lumas gives way to a table: 3 % of deviation. image.md 4
allows 15 %, which leaves less room for all other errors than a table does."""
PLATEAU = 0.02
"""Share of pixels at the very least or greatest value of the plate that makes a bin clipped."""
UNSEEN = 1e-3
"""Deviation over luma that counts as no grain: a quarter of an 8-bit code at mid-grey. Half floats alone round by up
to 3e-4 of the value, and resampling by whoever stabilised the plate leaves 7e-4."""
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
        return np.asarray(np.sqrt(variance), np.float32)


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


def analyse(frames: Frames, picked: Sequence[int], area: Box, workers: int, cancelled: IsCancelled) -> GrainModel:
    """The grain of a shot, from a few of its frames over a box in picture coordinates.

    Looks at two of the `picked` frames and their neighbours, and at two more where those show too little, evenly
    chosen; only at usable, unclipped pixels that show grain and no texture. Where nothing can be measured the model is
    silent. Raises Cancelled.
    """
    bares, masks = _seen(frames, evenly(picked, MOST_FRAMES), area, workers, cancelled)
    measures = [_bins(bares, masks, channel) for channel in range(3)]
    lines = [_curve(light, variance) for light, variance in measures]
    ranges = [(light[0], light[-1]) if light.size else (-np.inf, np.inf) for light, _ in measures]
    unit = [_unit(bare, mask, lines, ranges) for bare, mask in zip(bares, masks, strict=True)]
    covariances = covariance(unit)
    if covariances is None or not any(line.variance.any() for line in lines):
        return silent()
    weights = np.array([mask.sum() for _, mask in unit], np.float64)
    power = np.einsum("n,nyx->yx", weights / weights.sum(), np.stack([bare.power for bare in bares]))
    kernel, strength = kernel_of(covariances, power.astype(np.float32))
    red, green, blue = (
        Curve(line.light, (line.variance * stronger).astype(np.float32))
        for line, stronger in zip(lines, strength, strict=True)
    )
    return GrainModel((red, green, blue), kernel)


def _seen(
    frames: Frames, picked: Sequence[int], area: Box, workers: int, cancelled: IsCancelled
) -> tuple[list[Bare], list[Mask]]:
    """Windows of enough of the frames, and which pixels of each show grain and nothing else."""
    found: list[Bare] = []
    for some in (picked[::2], picked[1::2]):
        found += measured(frames, some, area, MOST_WINDOWS, workers, cancelled)
        temporal = [bare for bare in found if bare.temporal]
        masks = without_texture(temporal)
        if sum(int(mask.sum()) for mask in masks) >= ENOUGH:
            break
    # A blur leaves texture in: it is only asked where frames cannot be compared at all.
    return (temporal, masks) if temporal else (found, without_texture(found))


def _unit(
    bare: Bare, mask: Mask, lines: Sequence[Curve], ranges: Sequence[tuple[float, float]]
) -> tuple[Picture, Mask]:
    """Grain over its deviation, and the pixels of the mask whose luma is neither clipped nor beyond what was seen."""
    unit, inside = np.zeros_like(bare.grain), mask.copy()
    for channel, (line, (low, high)) in enumerate(zip(lines, ranges, strict=True)):
        luma = bare.light[..., channel]
        sigma = line.sigma(luma)
        np.divide(bare.grain[..., channel], sigma, out=unit[..., channel], where=sigma > 0)
        inside &= (luma >= low) & (luma <= high)
    return unit, inside


def _bins(bares: Sequence[Bare], masks: Sequence[Mask], channel: int) -> tuple[Values, Values]:
    """Luma and variance of one channel in bins that are not clipped, luma rising; both empty unless most show grain."""
    none = np.zeros(0)
    count = sum(int(mask.sum()) for mask in masks)
    bins = min(LUMA_BINS, count // FEWEST_IN_BIN)
    if not bins:
        return none, none
    step = max(1, count // MOST_IN_CURVE)
    pairs = list(zip(bares, masks, strict=True))
    light = np.concatenate([bare.light[..., channel][mask][::step] for bare, mask in pairs])
    grain = np.concatenate([bare.grain[..., channel][mask][::step] for bare, mask in pairs])
    plate = np.concatenate([bare.plate[..., channel][mask][::step] for bare, mask in pairs])
    clipped = (plate == plate.min()) | (plate == plate.max())
    found = []
    for part in np.array_split(np.argsort(light, kind="stable"), bins):
        middle, values = float(np.median(light[part])), grain[part]
        deviation = 1.4826 * float(np.median(np.abs(values - np.median(values))))
        seen = deviation > max(UNSEEN * abs(middle), UNSEEN_FLOOR)
        if clipped[part].mean() < PLATEAU:
            found.append((middle, deviation**2 if seen else 0.0))
    if 2 * sum(variance > 0 for _, variance in found) <= len(found):
        return none, none
    lumas, variances = np.array(found, np.float64).T
    return lumas, variances


def _curve(light: Values, variance: Values) -> Curve:
    """A line where one fits, else a table that never falls."""
    if not light.size:
        return Curve(np.array([0, 1], np.float32), np.zeros(2, np.float32))
    floor, slope = _line(light, variance)
    misses = (floor + slope * light) / np.maximum(variance, 1e-30) - 1
    if all(abs(float(part.mean())) <= BAD_FIT for part in np.array_split(misses, min(6, len(misses)))):
        return Curve(np.array([0, 1], np.float32), np.array([floor, floor + slope], np.float32))
    rising = _never_falling(variance)
    # Beyond the brightest bin variance goes on in proportion to light, as that of photons does.
    last = float(light[-1])
    further = (2 * last, 2 * rising[-1]) if last > 0 else (last + 1, rising[-1])
    knots, heights = np.append(light, further[0]), np.append(rising, further[1])
    return Curve(knots.astype(np.float32), heights.astype(np.float32))


def _line(light: Values, variance: Values) -> tuple[float, float]:
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
    # One of both is zero where the best line would make it negative, or where all luma is alike.
    alone = [max(0.0, float(right[i] / normal[i, i])) if normal[i, i] > 0 else 0.0 for i in (0, 1)]
    gaps = [float(((alone[i] * terms[i] - 1) ** 2).sum()) for i in (0, 1)]
    return (alone[0], 0.0) if gaps[0] <= gaps[1] else (0.0, alone[1])


def _never_falling(values: Values) -> Values:
    """The closest sequence that never falls (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for value in values:
        mean, count = float(value), 1
        while pools and pools[-1][0] > mean:
            other, many = pools.pop()
            mean, count = (mean * count + other * many) / (count + many), count + many
        pools.append((mean, count))
    return np.concatenate([np.full(count, mean) for mean, count in pools])
