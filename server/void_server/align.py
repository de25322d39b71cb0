"""Brings a window of another frame to where the scene lies in this one, knowing what that does to its grain.

Whole pixels are tried first, for they leave grain untouched. An affine warp follows only where it matches clearly
better, and its loss of fine grain is returned with it, so that whoever measures can undo it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import Frames, Mask, Picture
from void_server.tiles import Box

Floats = NDArray[np.float32]
Affine = NDArray[np.float64]
"""(2, 3): pixels of the window to pixels of the box read from the other frame."""

BINS = 64
"""Frequencies a side at which power is known, in the order of `numpy.fft.fftfreq`."""
CALM = 1.5
"""Sigma in pixels of the blur before matching: below it lies grain, which differs from frame to frame."""
COARSE = 5.0
"""Sigma in pixels of the further blur under which the affine search begins, for motions of several pixels."""
THIN = 3
"""Every how many pixels blurred pictures are compared: their neighbours say nearly the same."""
MARGIN = 12
"""Pixels read around a moved window, for its corners under rotation and for the filter's reach."""
FILTER_REACH = 4
"""Pixels on each side that the Lanczos filter looks at."""
ROUNDS = 8
"""Most Gauss-Newton steps; three or four are usual."""
SETTLED = 0.004
"""Share by which a step must promise to lower the squared mismatch; eight parameters fitted to grain promise 0.003."""
SETTLED_PIXELS = 0.005
"""Pixels that a last step moves the farthest corner by; a match that is off by ten times as much does no harm."""
WORTH = 0.02
"""Share by which a warp must lower the mismatch: eight free parameters alone lower it by 0.3 %."""
TRIM = 0.9
"""Share of pixels, best first, that the mismatch is taken over: what moves by itself must not decide."""
LOOSE = 2.0
"""Prior deviation in pixels (and in gain) of a step: keeps windows without texture where they are."""


@dataclass(frozen=True)
class Neighbour:
    """Another frame as seen through a window of this one."""

    picture: Picture
    """Linear light, (height, width, 3)."""
    known: Mask
    """Where it is real and may be sampled."""
    power: Floats
    """(BINS, BINS): the share of its grain's power that was kept, by frequency; 1 where no pixel was interpolated."""
    mismatch: float
    """Mean difference of the blurred square roots of light, over the better part of the window."""


def bring(frames: Frames, other: int, window: Box, picture: Picture, usable: Mask) -> Neighbour:
    """The frame `other` brought onto `picture`, which lies at `window` in picture coordinates.

    Follows a motion that is affine across the window; where nothing fits better, the other frame stays in place.
    """
    here = calm_light(picture)
    best, there = _whole(frames, other, window, (0, 0), here, usable)
    shift = 0, 0
    # A second look from the moved place corrects what a large motion left of too little common ground.
    for _ in range(2):
        step = _whole_shift(here, there)
        if step == (0, 0):
            break
        moved, moved_there = _whole(frames, other, window, (shift[0] + step[0], shift[1] + step[1]), here, usable)
        if moved.mismatch >= best.mismatch * (1 - WORTH):
            break
        best, there, shift = moved, moved_there, (shift[0] + step[0], shift[1] + step[1])
    warped = _warped(frames, other, window, shift, here, usable)
    if warped is not None and warped.mismatch < best.mismatch * (1 - WORTH):
        return warped
    return best


def calm_light(picture: Picture) -> Floats:
    """The blurred square root of light: grain is about equally strong at every level of it."""
    mean = np.maximum((picture[..., 0] + picture[..., 1] + picture[..., 2]) * np.float32(1 / 3), 0)
    return np.asarray(cv2.GaussianBlur(np.sqrt(mean), (0, 0), CALM), np.float32)


def mismatch(here: Floats, there: Floats, known: Mask) -> float:
    """Mean absolute difference over the better part of the known pixels; infinite where hardly any are known.

    The median difference is taken off first, so that a change of exposure does not look like a change of place.
    """
    known = known[::THIN, ::THIN]
    gaps = (here[::THIN, ::THIN] - there[::THIN, ::THIN])[known]
    if gaps.size < known.size // 10:
        return float("inf")
    gaps = np.abs(gaps - np.median(gaps))
    kept = int(TRIM * gaps.size)
    return float(np.partition(gaps, kept)[:kept].mean(dtype=np.float64))


def _read(frames: Frames, other: int, wanted: Box) -> tuple[Picture, Mask]:
    """A box that may reach beyond the picture: edge pixels go on there, and are not usable."""
    height, width = frames.size
    rows = np.clip(np.arange(wanted.y0, wanted.y1), 0, height - 1)
    columns = np.clip(np.arange(wanted.x0, wanted.x1), 0, width - 1)
    inside = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    picture, usable = frames.plate(other, inside), frames.usable(other, inside)
    if inside == wanted:
        return picture, usable
    rows, columns = rows - inside.y0, columns - inside.x0
    beyond_rows = (np.arange(wanted.y0, wanted.y1) < 0) | (np.arange(wanted.y0, wanted.y1) >= height)
    beyond_columns = (np.arange(wanted.x0, wanted.x1) < 0) | (np.arange(wanted.x0, wanted.x1) >= width)
    known = usable[rows][:, columns] & ~beyond_rows[:, None] & ~beyond_columns[None]
    return np.ascontiguousarray(picture[rows][:, columns]), known


def _whole(
    frames: Frames, other: int, window: Box, shift: tuple[int, int], here: Floats, usable: Mask
) -> tuple[Neighbour, Floats]:
    picture, known = _read(frames, other, window.moved(*shift))
    there = calm_light(picture)
    gap = mismatch(here, there, usable & known)
    return Neighbour(picture, known, np.ones((BINS, BINS), np.float32), gap), there


def _whole_shift(here: Floats, there: Floats) -> tuple[int, int]:
    """(dx, dy) by which the scene lies further in the other window, by phase correlation."""
    ease = np.outer(np.hanning(here.shape[0]), np.hanning(here.shape[1])).astype(np.float32)
    (dx, dy), _ = cv2.phaseCorrelate(here - here.mean(), there - there.mean(), ease)
    return round(dx), round(dy)


def _warped(
    frames: Frames, other: int, window: Box, shift: tuple[int, int], here: Floats, usable: Mask
) -> Neighbour | None:
    """The affine match found from a whole shift on; None where there is nothing to win or the search runs away."""
    read = window.moved(*shift).grown(MARGIN)
    picture, known = _read(frames, other, read)
    there = calm_light(picture)
    still = np.array([[1.0, 0, MARGIN], [0, 1.0, MARGIN]])
    affine = still
    for blur in COARSE, 0.0:
        nearer = _affine(_softer(here, blur), _softer(there, blur), usable, affine)
        if nearer is None:
            return None
        affine = nearer
    if np.array_equal(affine, still):
        return None
    size = window.width, window.height
    found = cv2.warpAffine(picture, affine, size, flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP)
    lost = cv2.dilate((~known).astype(np.uint8), np.ones((2 * FILTER_REACH + 1,) * 2, np.uint8))
    gone = cv2.warpAffine(
        lost, affine, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT,
        borderValue=(1,),
    )  # fmt: skip
    brought, clear = np.asarray(found, np.float32), gone == 0
    gap = mismatch(here, calm_light(brought), usable & clear)
    return Neighbour(brought, clear, _kept_power(affine, window.size), gap)


def _softer(calm: Floats, blur: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(calm, (0, 0), blur), np.float32) if blur else calm


def _affine(here: Floats, there: Floats, usable: Mask, start: Affine) -> Affine | None:
    """Gauss-Newton over motion, gain and offset (Lucas and Kanade 1981), with the worst pixels left out.

    None where it runs away.
    """
    height, width = here.shape
    affine = start.copy()
    y, x = (axis[::THIN, ::THIN] for axis in np.mgrid[0:height, 0:width])
    half = max(height, width) / 2
    u, v = (x - width / 2) / half, (y - height / 2) / half
    for _ in range(ROUNDS):
        seen = cv2.warpAffine(
            there, affine, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        across = cv2.Scharr(seen, cv2.CV_32F, 1, 0, scale=1 / 32)[::THIN, ::THIN]
        down = cv2.Scharr(seen, cv2.CV_32F, 0, 1, scale=1 / 32)[::THIN, ::THIN]
        gap = (here - seen)[::THIN, ::THIN]
        spread = float(np.median(np.abs(gap))) * 1.4826
        kept = usable[::THIN, ::THIN] & (np.abs(gap) < 3 * spread + 1e-12)
        terms = (across * u, across * v, across, down * u, down * v, down, seen[::THIN, ::THIN], np.ones_like(gap))
        slopes = np.stack([term[kept] for term in terms]).astype(np.float64)
        error = gap[kept].astype(np.float64)
        if error.size < kept.size // 10:
            return None
        normal = slopes @ slopes.T + np.eye(8) * (spread / LOOSE) ** 2
        pull = slopes @ error
        step = np.linalg.solve(normal, pull)
        if float(step @ pull) < SETTLED * float(error @ error):
            break
        bend = step[:6].reshape(2, 3) / np.array([half, half, 1.0])
        affine[:, :2] += bend[:, :2]
        affine[:, 2] += bend[:, 2] - bend[:, :2] @ np.array([width / 2, height / 2])
        moved = affine - start
        if np.abs(moved[:, :2]).max() * half > MARGIN or np.abs(moved @ [width / 2, height / 2, 1]).max() > MARGIN:
            return None
        # Gain and offset are fitted anew each time, so their promise alone would never end.
        if max(np.abs(step[:3]).sum(), np.abs(step[3:6]).sum()) < SETTLED_PIXELS:
            break
    return affine


def _kept_power(affine: Affine, size: tuple[int, int]) -> Floats:
    """Mean power response of Lanczos interpolation over the sub-pixel phases that a warp meets."""
    y, x = (axis.ravel() for axis in np.mgrid[0 : size[0] : 12j, 0 : size[1] : 12j])
    places = affine @ np.stack([x, y, np.ones_like(x)])
    taps = np.arange(1 - FILTER_REACH, FILTER_REACH + 1)
    waves = np.exp(-2j * np.pi * np.fft.fftfreq(BINS)[:, None] * taps)
    powers = []
    for phases in (places % 1.0)[..., None] - taps:
        weights = np.sinc(phases) * np.sinc(phases / FILTER_REACH)
        weights /= weights.sum(axis=1, keepdims=True)
        powers.append(np.abs(np.einsum("ft,pt->pf", waves, weights)) ** 2)
    return np.asarray(np.einsum("pi,pj->ij", powers[1], powers[0]) / x.size, np.float32)
