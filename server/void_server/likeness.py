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

from void_server.agreement import agreement
from void_server.engines import Mask, Picture
from void_server.pixelmath import NumpyMath
from void_server.registration import displaced, displacement

COLOUR_BLUR, CHANGE_BLUR, NOISE_BLUR = 2.0, 1.5, 1.0
"""Gaussian sigmas in raster pixels: colour is compared without detail, changes with little, noise is what is left."""
BANDS = (0.7, 1.5)
"""Gaussian sigmas in raster pixels below which detail counts as the finest, and as fine."""
MOST_SHARPNESS = 1.5
"""More is not softness any more, but detail that is not there."""
LEAST_NOISE = 1e-4
"""Noise below this many code values is left alone."""
LOW_FLOOR, HIGH_FLOOR = 0.02, 0.04
"""Differences in code values below which nothing counts as changed, however clean the model is (image.md 3.3)."""
FAINT_BLUR, FAINT_SURROUNDINGS = 5.0, 20.0
"""Gaussian sigmas in raster pixels of what is faint but wide, such as a shadow at night, and of what it stands out
from: slower differences are drift of the model, which the membrane takes away."""
FAINT_LOW, FAINT_HIGH = 0.006, 0.012
"""The floors of faint differences, a third of the others': that much less noise is left in them."""
LOW_SPREADS, HIGH_SPREADS = 3.0, 6.0
"""Deviations above the usual difference from which a change is possible, and certain."""
GAINS, OFFSETS = (0.8, 1.25), (-0.1, 0.1)
"""A correction beyond these is not one of colour."""
STILL, LEAST_STILL = 0.7, 0.3
"""Agreement of detail above which it is in its place, at most and at least. Where nothing was asked it is in its place,
so what four fifths of that agree by decides: in a dark or soft shot noise alone parts the two."""
STILL_SHARE = 0.2
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
    faint_low: float = FAINT_LOW
    faint_high: float = FAINT_HIGH
    """The same for differences that are faint but wide."""
    still: float = STILL
    """Agreement of detail from which structure counts as being in its place."""
    noise: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Deviation of the model's own noise after `NOISE_BLUR` is taken away."""
    shift: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Raster pixels in x and y by which the picture must be sampled farther on, over a grid; empty for none."""
    sharpness: tuple[float, float] = (0.0, 0.0)
    """How much more detail of the two `BANDS` the plate has than the cleaned picture."""
    known: bool = False
    """False where there was too little to learn from: everything above is then a default."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Likeness:
        """The likeness that `values` made."""
        lists = {name: tuple(values[name]) for name in ("gain", "offset", "noise", "sharpness")}
        shift = tuple(tuple((float(x), float(y)) for x, y in row) for row in values["shift"])
        return cls(**{**values, **lists, "shift": shift})

    def values(self) -> dict[str, Any]:
        """Numbers and lists for JSON."""
        return asdict(self)

    def corrected(self, picture: Picture, scale: int = 1) -> Picture:
        """A generated picture in the plate's colours, without the model's noise and as sharp as the plate.

        `scale` is how much finer than the raster the picture is.
        """
        coloured = picture * np.array(self.gain, np.float32) + np.array(self.offset, np.float32)
        placed = displaced(coloured, np.array(self.shift, np.float32), scale) if self.shift else coloured
        clean = _denoised(placed, np.array(self.noise, np.float32), scale)
        found = clean
        for amount, band in zip(self.sharpness, _bands(clean, scale), strict=True):
            found = found + np.float32(amount) * band
        return found


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
    plates = [pair.plate for pair in pairs]
    coloured = [np.asarray(pair.picture * gain + offset, np.float32) for pair in pairs]
    shift = displacement(coloured, plates, inner)
    placed = [displaced(picture, shift) for picture in coloured]
    noises = [_noise(*each) for each in zip(placed, plates, inner, strict=True)]
    noise = np.median(np.stack(noises), axis=0)
    cleaned = [_denoised(picture, noise, 1) for picture in placed]
    thin = [_thinned(mask) for mask in inner]
    usual = np.concatenate([
        difference(picture, plate, CHANGE_BLUR)[mask]
        for picture, plate, mask in zip(cleaned, plates, thin, strict=True)
    ])  # fmt: skip
    sharpness = _sharpness(cleaned, plates, thin)
    faint = np.concatenate([
        standing_out(picture - plate)[mask] for picture, plate, mask in zip(cleaned, plates, thin, strict=True)
    ])  # fmt: skip
    maths = NumpyMath()
    alike = np.concatenate([
        agreement(maths, picture, plate, 1.0)[mask][:, 0]
        for picture, plate, mask in zip(cleaned, plates, thin, strict=True)
    ])  # fmt: skip
    low, high = _thresholds(usual, LOW_FLOOR, HIGH_FLOOR)
    faint_low, faint_high = _thresholds(faint, FAINT_LOW, FAINT_HIGH)
    return Likeness(
        gain=(float(gain[0]), float(gain[1]), float(gain[2])),
        offset=(float(offset[0]), float(offset[1]), float(offset[2])),
        low=low,
        high=high,
        faint_low=faint_low,
        faint_high=faint_high,
        still=float(np.clip(np.quantile(alike, STILL_SHARE), LEAST_STILL, STILL)),
        noise=(float(noise[0]), float(noise[1]), float(noise[2])),
        shift=tuple(tuple((float(x), float(y)) for x, y in row) for row in shift) if shift.any() else (),
        sharpness=sharpness,
        known=True,
    )


def difference(picture: Picture, plate: Picture, blur: float) -> NDArray[np.float32]:
    """By how much two pictures differ in the channel that differs most, (height, width), without fine detail."""
    found: NDArray[np.float32] = np.abs(_blurred(picture - plate, blur)).max(axis=-1)
    return found


def standing_out(difference: Picture) -> NDArray[np.float32]:
    """What is faint but wide in a difference of two pictures, in the channel where it is most."""
    around = _blurred(difference, FAINT_SURROUNDINGS)
    found: NDArray[np.float32] = np.abs(_blurred(difference, FAINT_BLUR) - around).max(axis=-1)
    return found


def _thresholds(usual: NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    """From which difference on a change is possible, and certain, where none was asked for."""
    middle = float(np.median(usual))
    spread = _SPREAD * float(np.median(np.abs(usual - middle)))
    return max(low, middle + LOW_SPREADS * spread), max(high, middle + HIGH_SPREADS * spread)


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


def _noise(picture: Picture, plate: Picture, mask: Mask) -> NDArray[np.float32]:
    """Deviation of the fine detail of a picture that its plate does not have, where both are flattest."""
    grey = _blurred(picture, 2.0).mean(axis=-1)
    slope = np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    flat = mask & (slope <= np.quantile(slope[mask], FLAT_SHARE))
    fine, wanted = ((each - _blurred(each, NOISE_BLUR))[flat] for each in (picture, plate))
    spread = np.median(np.abs(fine), axis=0)
    usual = (np.abs(fine) <= 4 * _SPREAD * spread).all(axis=-1)
    # What both have is structure; noise is what they do not share.
    shared = np.maximum((fine * wanted)[usual].mean(axis=0), 0)
    alone = np.maximum((fine * fine)[usual].mean(axis=0) - shared, 0)
    return np.asarray(np.sqrt(alone), np.float32)


def _denoised(picture: Picture, noise: NDArray[np.float32], scale: int) -> Picture:
    """A picture without what is as weak as the model's noise and as fine."""
    if not (noise > LEAST_NOISE).any():
        return picture
    smooth = _blurred(picture, NOISE_BLUR * scale)
    return np.asarray(smooth + above_noise(picture - smooth, noise, NOISE_BLUR * scale), np.float32)


def above_noise(fine: Picture, deviation: NDArray[np.float32], blur: float) -> Picture:
    """What of the detail finer than a blur is more than noise of a deviation (a local Wiener filter)."""
    return np.asarray((1 - noise_share(fine, deviation, blur)) * fine, np.float32)


def noise_share(fine: Picture, deviation: NDArray[np.float32], blur: float) -> Picture:
    """How much of the energy of detail finer than a blur noise of a deviation accounts for, 0..1."""
    energy = _blurred(fine * fine, 2 * blur)
    return np.asarray(np.clip(deviation * deviation / np.maximum(energy, 1e-12), 0, 1), np.float32)


def _bands(picture: Picture, scale: int) -> tuple[Picture, Picture]:
    """Detail of the two finest bands."""
    smooth = [_blurred(picture, sigma * scale) for sigma in BANDS]
    return picture - smooth[0], smooth[0] - smooth[1]


def _sharpness(pictures: Sequence[Picture], plates: Sequence[Picture], masks: Sequence[Mask]) -> tuple[float, float]:
    """By how much each band is to be added so that the plates are met best, in the mean of squares."""
    bands, lacking = [], []
    for picture, plate, mask in zip(pictures, plates, masks, strict=True):
        bands.append(np.stack([band[mask].ravel() for band in _bands(picture, 1)]).astype(np.float64))
        lacking.append((plate - picture - _blurred(plate - picture, 2 * BANDS[1]))[mask].ravel())
    rows, wanted = np.concatenate(bands, axis=1), np.concatenate(lacking).astype(np.float64)
    # A little of the bands' own energy on the diagonal keeps a flat shot from asking for anything.
    energy = rows @ rows.T / rows.shape[1] + np.eye(2) * 1e-7
    amounts = np.clip(np.linalg.solve(energy, rows @ wanted / rows.shape[1]), 0, MOST_SHARPNESS)
    return float(amounts[0]), float(amounts[1])


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
