"""How a generated picture compares with the plate where nothing was asked of it: once a shot, from labels 255.

The model returns the whole picture, so its untouched parts say what it does to colour, how noisy it is, and from which
difference on something really changed (image.md 3.3, step 7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import Mask, Picture

COLOUR_BLUR, CHANGE_BLUR, NOISE_BLUR = 2.0, 1.5, 1.0
"""Gaussian sigmas in raster pixels: colour is compared without detail, changes with little, noise is what is left."""
LOW_FLOOR, HIGH_FLOOR = 0.02, 0.04
"""Differences in code values below which nothing counts as changed, however clean the model is (image.md 3.3)."""
LOW_SPREADS, HIGH_SPREADS = 3.0, 6.0
"""Deviations above the usual difference from which a change is possible, and certain."""
GAINS, OFFSETS = (0.8, 1.25), (-0.1, 0.1)
"""A correction beyond these is not one of colour."""
LEAST_SHARE = 0.02
"""Untouched share of the raster below which nothing can be learned from it."""
EDGE = 8
"""Raster pixels next to a label that are left out: the model's changes reach a little beyond it."""
SAMPLES = 20_000
"""Pixels of a frame that are looked at, evenly spaced."""
FLAT_SHARE = 0.25
"""Share of the untouched pixels with the least structure, in which noise is measured."""
_SPREAD = 1.4826
"""Deviation of normal numbers over their median absolute deviation."""


@dataclass(frozen=True)
class Likeness:
    """What untouched areas tell of one generated clip, all in code values of 0..1."""

    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """`gain * picture + offset` has the plate's colours."""
    low: float = LOW_FLOOR
    high: float = HIGH_FLOOR
    """Differences from which a change is possible, and certain."""
    noise: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Deviation of the model's own noise after `NOISE_BLUR` is taken away."""
    known: bool = False
    """False where there was too little to learn from: everything above is then a default."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Likeness:
        """The likeness that `values` made."""
        lists = {name: tuple(values[name]) for name in ("gain", "offset", "noise")}
        return cls(**{**values, **lists})

    def values(self) -> dict[str, Any]:
        """Numbers and lists for JSON."""
        return asdict(self)

    def corrected(self, picture: Picture) -> Picture:
        """A generated picture in the plate's colours."""
        return picture * np.array(self.gain, np.float32) + np.array(self.offset, np.float32)


@dataclass(frozen=True)
class Pair:
    """A generated frame and its plate at the same size, and where nothing was asked."""

    picture: Picture
    plate: Picture
    keep: Mask


def compare(pairs: Sequence[Pair]) -> Likeness:
    """What some frames of a clip tell together; the defaults where they hold too little that is untouched."""
    inner = [_inside(pair.keep) for pair in pairs]
    if not pairs or sum(float(mask.mean()) for mask in inner) < LEAST_SHARE * len(pairs):
        return Likeness()
    seen = [
        (_blurred(pair.picture, COLOUR_BLUR)[mask], _blurred(pair.plate, COLOUR_BLUR)[mask])
        for pair, mask in zip(pairs, (_thinned(mask) for mask in inner), strict=True)
    ]
    found, wanted = (np.concatenate([pair[index] for pair in seen]) for index in (0, 1))
    lines = [_line(found[:, channel], wanted[:, channel]) for channel in range(3)]
    gain, offset = (np.array([line[index] for line in lines], np.float32) for index in (0, 1))
    apart, noises = [], []
    for pair, mask in zip(pairs, inner, strict=True):
        corrected = pair.picture * gain + offset
        apart.append(difference(corrected, pair.plate, CHANGE_BLUR)[_thinned(mask)])
        noises.append(_noise(pair.picture, mask))
    usual = np.concatenate(apart)
    middle = float(np.median(usual))
    spread = _SPREAD * float(np.median(np.abs(usual - middle)))
    noise = np.median(np.stack(noises), axis=0)
    return Likeness(
        gain=(float(gain[0]), float(gain[1]), float(gain[2])),
        offset=(float(offset[0]), float(offset[1]), float(offset[2])),
        low=max(LOW_FLOOR, middle + LOW_SPREADS * spread),
        high=max(HIGH_FLOOR, middle + HIGH_SPREADS * spread),
        noise=(float(noise[0]), float(noise[1]), float(noise[2])),
        known=True,
    )


def difference(picture: Picture, plate: Picture, blur: float) -> NDArray[np.float32]:
    """By how much two pictures differ in the channel that differs most, (height, width), without fine detail."""
    found: NDArray[np.float32] = np.abs(_blurred(picture - plate, blur)).max(axis=-1)
    return found


def _line(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> tuple[float, float]:
    """Gain and offset that take most of `found` to `wanted`; what does not follow is left out by and by."""
    gain, offset = 1.0, float(np.median(wanted - found))
    kept = np.ones(found.shape, bool)
    for _ in range(5):
        apart = np.abs(wanted - (gain * found + offset))
        kept = apart <= max(0.004, 2.5 * _SPREAD * float(np.median(apart)))
        x, y = found[kept].astype(np.float64), wanted[kept].astype(np.float64)
        spread = float(x.var())
        # A flat picture says nothing of gain.
        gain = float(((x - x.mean()) * (y - y.mean())).mean()) / spread if spread > 1e-4 else 1.0
        gain = float(np.clip(gain, *GAINS))
        offset = float(np.clip(y.mean() - gain * x.mean(), *OFFSETS))
    return gain, offset


def _noise(picture: Picture, mask: Mask) -> NDArray[np.float32]:
    """Deviation of what is finer than `NOISE_BLUR` where the picture is flattest."""
    smooth = _blurred(picture, 2.0)
    grey = smooth.mean(axis=-1)
    slope = np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    flat = mask & (slope <= np.quantile(slope[mask], FLAT_SHARE))
    fine = (picture - _blurred(picture, NOISE_BLUR))[flat]
    found: NDArray[np.float32] = (_SPREAD * np.median(np.abs(fine), axis=0)).astype(np.float32)
    return found


def _inside(keep: Mask) -> Mask:
    side = 2 * EDGE + 1
    return np.asarray(cv2.erode(keep.astype(np.uint8), np.ones((side, side), np.uint8)), bool)


def _thinned(mask: Mask) -> Mask:
    stride = max(1, int(mask.sum()) // SAMPLES)
    chosen = np.flatnonzero(mask)[::stride]
    thin = np.zeros(mask.size, bool)
    thin[chosen] = True
    return thin.reshape(mask.shape)


def _blurred(picture: Picture, sigma: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32)
