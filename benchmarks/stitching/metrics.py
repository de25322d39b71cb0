"""What the benchmark measures, each figure by itself so that a test can hold it to a known answer.

Errors are in encoded values, 1/255 of which is called a code; masks are (height, width). The definitions of seam,
low-frequency error, flicker and the shadow's figures are those of image.md 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.colour import Knee, choose_peak

from .methods import grown

Picture = NDArray[np.float32]
Mask = NDArray[np.bool_]
Curve = Callable[[Picture], Picture]

SEAM_DEPTH, SEAM_SIGMA = 6.0, 4.0
LOW_SIGMA, FLICKER_SIGMA, DETAIL_SIGMA = 12.0, 8.0, 2.0
REGION_GROW, AFFECTED_GROW = 6, 4
"""Pixels at 1920 wide by which object and shadow are grown to the region that is judged and that others replace."""
OBJECT_EDGE = 0.003
SSIM_SIGMA = 1.5
SSIM_MARGIN = 20


def curve_for(peak: float) -> Curve:
    """What codes are counted in: the default encoding of a shot that reaches a peak, sRGB up to its knee at 0.8.

    Mirrored below 0 like the product's: cut off there, the grain of near-black would count as a lift.
    """
    return Knee(choose_peak(peak)).encode


def blurred(picture: Picture, sigma: float) -> Picture:
    """A Gaussian blur out to four sigma, mirrored at the edges."""
    side = 2 * int(4 * sigma + 0.5) + 1
    soft = cv2.GaussianBlur(picture, (side, side), sigma, borderType=cv2.BORDER_REFLECT)
    return np.asarray(soft, np.float32)


def decibel(mean_square: float) -> float:
    """PSNR of a mean square error, against 1."""
    return -10.0 * math.log10(max(mean_square, 1e-12))


def psnr(ours: Picture, truth: Picture, mask: Mask) -> float:
    """In dB against 1, over the pixels of a mask; NaN where it is empty."""
    return decibel(_mean_square(ours - truth, mask)) if mask.any() else math.nan


def ssim(ours: Picture, truth: Picture) -> float:
    """Mean structural similarity (Wang et al. 2004) of two pictures, channel by channel, with a Gaussian window."""
    mean_a, mean_b = blurred(ours, SSIM_SIGMA), blurred(truth, SSIM_SIGMA)
    var_a, var_b = blurred(ours * ours, SSIM_SIGMA) - mean_a**2, blurred(truth * truth, SSIM_SIGMA) - mean_b**2
    both = blurred(ours * truth, SSIM_SIGMA) - mean_a * mean_b
    first, second = 0.01**2, 0.03**2
    share = (2 * mean_a * mean_b + first) * (2 * both + second)
    return float(np.mean(share / ((mean_a**2 + mean_b**2 + first) * (var_a + var_b + second))))


def seam(error: Picture, region: Mask, judged: Mask) -> float:
    """Codes of mean absolute low-passed error within 6 pixels inside the region; NaN where it has no edge."""
    inside = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    rim = (inside > 0) & (inside <= SEAM_DEPTH) & judged
    return float(np.abs(blurred(error, SEAM_SIGMA)[rim]).mean()) * 255 if rim.any() else math.nan


def low_frequency(error: Picture, region: Mask, judged: Mask) -> float:
    """Codes of mean absolute error left by a wide blur of what is inside the region."""
    soft = blurred(error * region[..., None].astype(np.float32), LOW_SIGMA)
    return float(np.abs(soft[region & judged]).mean()) * 255


def flicker(error: Picture, before: Picture, region: Mask) -> float:
    """Codes by which the low-passed error changes from one frame to the next."""
    change = blurred(error, FLICKER_SIGMA) - blurred(before, FLICKER_SIGMA)
    return float(np.abs(change[region]).mean()) * 255


def detail_ratio(ours: Picture, truth: Picture, mask: Mask) -> float:
    """High-frequency energy (deviation) in a mask over that of the truth."""
    fine = [picture - blurred(picture, DETAIL_SIGMA) for picture in (ours, truth)]
    return float(fine[0][mask].std() / max(float(fine[1][mask].std()), 1e-9))


def stops(ours: Picture, plate: Picture, least: float, most: float) -> float:
    """The worst stop from `least` to `most`: mean absolute error in stops of the pixels of that stop."""
    inside = (plate >= least) & (plate <= most)
    seen = np.log2(plate[inside].astype(np.float64))
    error = np.abs(np.log2(np.maximum(ours[inside].astype(np.float64), 1e-9)) - seen)
    places = np.floor(seen - math.log2(least)).astype(int)
    counts, sums = np.bincount(places), np.bincount(places, error)
    return float((sums[counts > 0] / counts[counts > 0]).max())


def same_bits(ours: NDArray[np.float16], plate: NDArray[np.float16], mask: Mask) -> float:
    """The share of a mask's samples that are equal as bit patterns, NaN payloads and signs of zero included."""
    equal = ours.view(np.uint16) == plate.view(np.uint16)
    return float(equal[mask].mean()) if mask.any() else 1.0


def registration(ours: Picture, plate: Picture, cutoff: float = 0.5) -> tuple[float, float]:
    """By how many pixels (x, y) a picture lies to the right of and below another, by phase correlation.

    Only frequencies below `cutoff` cycles a pixel count, softly: what a model's raster cannot hold has no phase.
    The peak is found to 1/1000 pixel by evaluating the correlation's Fourier sum around it.
    """
    window = np.outer(np.hanning(plate.shape[0]), np.hanning(plate.shape[1]))
    spectra = []
    for picture in (ours, plate):
        grey = picture.mean(axis=-1, dtype=np.float64)
        spectra.append(np.fft.fft2((grey - grey.mean()) * window))
    cross = spectra[0] * np.conj(spectra[1])
    down, across = (np.fft.fftfreq(side) for side in plate.shape[:2])
    radius = np.hypot(down[:, None], across[None])
    # Frequencies without energy in either picture have a phase of rounding errors only.
    known = np.abs(cross) > 1e-9 * np.abs(cross).max()
    cross = np.where(known, cross / np.maximum(np.abs(cross), 1e-300), 0) * np.exp(-((2 * radius / cutoff) ** 2))
    coarse = np.real(np.fft.ifft2(cross))
    row, column = (int(at) for at in np.unravel_index(int(coarse.argmax()), coarse.shape))
    y = float(row - plate.shape[0] if row > plate.shape[0] // 2 else row)
    x = float(column - plate.shape[1] if column > plate.shape[1] // 2 else column)
    for step in (0.1, 0.01, 0.001):
        places = np.arange(-10, 11) * step
        rows = np.exp(2j * np.pi * np.outer(y + places, down))
        columns = np.exp(2j * np.pi * np.outer(across, x + places))
        peak = np.real(rows @ cross @ columns)
        at_y, at_x = np.unravel_index(int(peak.argmax()), peak.shape)
        y, x = y + float(places[at_y]), x + float(places[at_x])
    return x, y


def region_of(object_matte: Picture, affected_matte: Picture, unit: float) -> Mask:
    """What is judged: object and shadow, each grown by a few pixels."""
    return grown(object_matte > OBJECT_EDGE, round(REGION_GROW * unit)) | grown(
        affected_matte > 0.5, round(AFFECTED_GROW * unit)
    )


def far_from(object_matte: Picture, affected_matte: Picture, pixels: float) -> Mask:
    """Where nothing may change: farther than so many pixels from both mattes."""
    free = ((object_matte <= 0) & (affected_matte <= 0)).astype(np.uint8)
    if free.all():
        return free > 0
    return np.asarray(cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)) > pixels


@dataclass(frozen=True)
class Seen:
    """One frame to judge against: all pictures in linear light."""

    truth: Picture
    object_matte: Picture
    affected_matte: Picture
    ignored: Mask
    """Pixels inside the region where the content itself is wrong, which no way of putting it back can know."""


@dataclass(frozen=True)
class Score:
    """How good a result is, in dB and codes; NaN where a scene has no such thing."""

    psnr: float
    ssim: float
    seam: float
    low: float
    flicker: float
    shadow_psnr: float
    shadow_detail: float


class Judge:
    """Scores results of one scene; what depends on the truth alone is made once."""

    def __init__(self, frames: Sequence[Seen], unit: float, curve: Curve) -> None:
        self._frames = [_Target(seen, unit, curve) for seen in frames]
        self._curve = curve

    def score(self, results: Sequence[Picture]) -> Score:
        """All frames of a result, linear light."""
        squares: list[float] = []
        shadow_squares: list[float] = []
        rows: dict[str, list[float]] = {name: [] for name in ("ssim", "seam", "low", "flicker", "detail")}
        before: Picture | None = None
        for result, target in zip(results, self._frames, strict=True):
            box, region, judged = target.box, target.region[target.box], target.judged[target.box]
            ours, truth = self._curve(result[box]), target.truth
            error = (ours - truth) * judged[..., None].astype(np.float32)
            squares.append(_mean_square(error, region & judged))
            rows["ssim"].append(ssim(ours, truth))
            rows["seam"].append(seam(error, region, judged))
            rows["low"].append(low_frequency(error, region, judged))
            whole = np.zeros((*target.region.shape, 3), np.float32)
            whole[box] = error
            if before is not None:
                rows["flicker"].append(flicker(error, before[box], region & judged))
            before = whole
            shadow = target.shadow[box]
            if shadow.any():
                shadow_squares.append(_mean_square(ours - truth, shadow))
                rows["detail"].append(detail_ratio(ours, truth, shadow))
        return Score(
            decibel(float(np.mean(squares))),
            _mean(rows["ssim"]),
            _mean(rows["seam"]),
            _mean(rows["low"]),
            _mean(rows["flicker"]),
            decibel(float(np.mean(shadow_squares))) if shadow_squares else math.nan,
            _mean(rows["detail"]),
        )


class _Target:
    """One frame of the truth, cut to what the blurs of the metrics can see."""

    def __init__(self, seen: Seen, unit: float, curve: Curve) -> None:
        self.region = region_of(seen.object_matte, seen.affected_matte, unit)
        self.judged = ~seen.ignored
        rows, columns = np.flatnonzero(self.region.any(axis=1)), np.flatnonzero(self.region.any(axis=0))
        margin = int(4 * LOW_SIGMA)
        self.box = (
            slice(max(0, int(rows[0]) - margin), int(rows[-1]) + 1 + margin),
            slice(max(0, int(columns[0]) - margin), int(columns[-1]) + 1 + margin),
        )
        self.truth = curve(seen.truth[self.box])
        shadow = (seen.affected_matte > 0.5) & (seen.object_matte < 0.002)
        self.shadow = ~grown(~shadow, 2)


def _mean_square(error: Picture, mask: Mask) -> float:
    return float(np.mean(error[mask].astype(np.float64) ** 2))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan
