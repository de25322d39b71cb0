"""Camera motion between two frames: corners, tracks and the homography that explains most of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import Picture
from void_server.engines.recover.pyramid import Floats
from void_server.engines.recover.tone import encode, knee_of, median

Homography = NDArray[np.float64]
Bytes = NDArray[np.uint8]

PROXY_LONG_SIDE = 960
"""Proxy pixels. Corners are found to about 0.1 proxy pixel, so 960 places a 4K source within half a pixel."""

CONTRAST_LEVELS, MIDDLE_LEVEL = 52.0, 118.0
"""8-bit levels per standard deviation and the level of the median: +-2.3 deviations fit into 0..255."""

CORNERS = 700
"""Enough for three planes of a scene with some 200 each; more only costs time."""

CORNER_SPACING = 9
"""Proxy pixels between corners, about 1 % of the width."""

CORNER_CELLS = (7, 12)
"""Rows and columns of cells that get an equal share of the corners: otherwise a sharp foreground takes them all
and a soft background, which is what most holes show, has no motion."""

FAINTEST_CORNER = 5e-4
"""Share of the strongest corner below which there is only grain."""

WINDOW = (16, 17)
"""Columns and rows of proxy pixels of a tracking window: about two corner spacings. OpenCV looks at eight columns at
once and at a seventeenth by itself, which took a twelfth of the time of a deep scene."""

PYRAMID_LEVELS, LEVELS_BACK = 3, 1
"""Halvings. With the window they follow about 70 proxy pixels around the guess; the way back begins where it is to
end, and a track that would end farther off than one halving follows is lost all the same."""

STEPS, SETTLED, SETTLED_BACK = 10, 0.02, 0.1
"""Steps of a track at each level, and the proxy pixels of a step that ends it, there and on the way back, which is only
looked at to within `ROUND_TRIP`. Twice the steps are a sixth slower: those that need them are lost tracks."""

ROUND_TRIP = 0.6
"""Proxy pixels by which a track there and back may miss its start; more is an occlusion or a repeat."""

INLIER_ERROR = 1.2
"""Proxy pixels; MAGSAC treats it as an upper bound of the noise and weighs below it by itself."""

STILL, STILL_MEDIAN = 0.35, 0.06
"""Proxy pixels: single tracks of a locked-off camera jitter by grain up to the first, their median by less
than the second."""

OFF_PLANE = 2.0
"""Proxy pixels from a motion at which a track belongs to another: well past all tracking noise."""

LEAST_PLANE = 0.05
"""Share of all tracks that a motion of its own must have; fewer are people and leaves."""

FEWEST_TRACKS = 12
"""Three times the four points that define a homography."""


@dataclass(frozen=True)
class Proxy:
    """A small picture for motion: luma levels, where it may be used, and its corners."""

    luma: Bytes
    usable: Bytes
    """1 where every plate pixel below shows real background."""
    corners: Floats
    """(n, 1, 2) x, y."""


@dataclass(frozen=True)
class Track:
    """How one proxy moves into another."""

    homography: Homography
    """Takes proxy x, y of the first frame to the second."""
    inliers: int
    error: float
    """Root mean square of the inliers in proxy pixels."""
    start: Floats = field(default_factory=lambda: np.zeros((0, 1, 2), np.float32))
    end: Floats = field(default_factory=lambda: np.zeros((0, 1, 2), np.float32))
    indices: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Which corner of the first frame each track began at."""

    @property
    def found(self) -> bool:
        return self.inliers > 0

    @property
    def still(self) -> bool:
        """True for exact identity: nothing is to be resampled."""
        return np.array_equal(self.homography, np.eye(3))


def make_proxy(picture: Picture, usable: NDArray[np.bool_]) -> tuple[Proxy, float]:
    """The proxy of a reduced picture, and the median light of its usable pixels."""
    luma = np.asarray(picture @ np.array([0.25, 0.5, 0.25], np.float32), np.float32)
    # Without background to look at, the whole picture is the least bad measure of its exposure.
    enough = np.count_nonzero(usable) > 100
    light = median(np.abs(luma[usable] if enough else luma.ravel()))
    # The frame's own median as knee makes the proxy the same at any exposure.
    coded = encode(luma, knee_of(light))
    sample = coded[usable] if enough else coded.ravel()
    middle, deviation = median(sample), float(sample.std()) + 1e-5
    levels = np.clip((coded - middle) / deviation * CONTRAST_LEVELS + MIDDLE_LEVEL, 0, 255).astype(np.uint8)
    # Two proxy pixels away from a matte: a tracking window must not see its edge.
    clear = np.asarray(cv2.erode(usable.astype(np.uint8), np.ones((5, 5), np.uint8)), np.uint8)
    return Proxy(levels, clear, _corners(levels, clear)), light


def _corners(levels: Bytes, clear: Bytes) -> Floats:
    """The strongest corners of every part of a picture, at most `CORNERS`."""
    height, width = levels.shape
    strength = np.asarray(cv2.cornerMinEigenVal(levels, 3), np.float32)
    strength[clear == 0] = 0
    # The tracking window must lie inside the picture.
    strength[:3], strength[-3:], strength[:, :3], strength[:, -3:] = 0, 0, 0, 0
    peak = np.asarray(cv2.dilate(strength, np.ones((CORNER_SPACING, CORNER_SPACING), np.uint8)), np.float32)
    places = np.flatnonzero((strength == peak) & (strength > FAINTEST_CORNER * float(strength.max(initial=0))))
    y, x = np.divmod(places, width)
    rows, columns = CORNER_CELLS
    cell = (y * rows // height) * columns + x * columns // width
    # Strongest first within each cell; equals keep the order of their places.
    order = np.lexsort((-strength.take(places), cell))
    first_of_cell = np.searchsorted(cell[order], np.arange(rows * columns))
    rank = np.arange(len(order)) - first_of_cell[cell[order]]
    kept = order[np.argsort(rank, kind="stable")][:CORNERS]
    return np.stack([x[kept], y[kept]], axis=-1).astype(np.float32).reshape(-1, 1, 2)


def moved(points: Floats, homography: Homography) -> Floats:
    """Points (n, 1, 2) taken through a homography."""
    return np.asarray(cv2.perspectiveTransform(points, homography), np.float32)


def plausible(homography: Homography, size: tuple[int, int]) -> bool:
    """True where a homography keeps the frame convex and within a factor of four in area."""
    height, width = size
    corners = np.array([[[0, 0]], [[width, 0]], [[width, height]], [[0, height]]], np.float32)
    if not np.isfinite(homography).all():
        return False
    shape = moved(corners, homography)
    area = cv2.contourArea(shape)
    return 0.25 * width * height < area < 4.0 * width * height and bool(cv2.isContourConvex(shape))


def fit(start: Floats, end: Floats, size: tuple[int, int]) -> tuple[Homography, NDArray[np.bool_], float] | None:
    """The simplest motion that explains most tracks: (homography, inliers, error), or None where none does."""
    if len(start) < FEWEST_TRACKS:
        return None
    found, chosen = cv2.findHomography(start, end, cv2.USAC_MAGSAC, INLIER_ERROR, None, 2000, 0.999)
    if found is not None and plausible(np.asarray(found, np.float64), size):
        inliers = np.asarray(chosen).ravel() > 0
        # A quarter of the tracks: with three planes of a deep scene the largest still has a third.
        if int(inliers.sum()) >= max(10, 0.25 * len(start)):
            homography = np.asarray(found, np.float64)
            error = _error(start[inliers], end[inliers], homography)
            simple = _similarity(start[inliers], end[inliers])
            # Four unknowns extrapolate into a hole better than eight; eight are kept where they explain more.
            # Measured tracks are good to some hundredths of a pixel, hence 5 % and 0.01.
            simple_error = _error(start[inliers], end[inliers], simple)
            if simple_error <= 1.05 * error + 0.01:
                return simple, inliers, simple_error
            return homography, inliers, error
    affine, chosen = cv2.estimateAffinePartial2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=1.5)
    if affine is None:
        return None
    inliers = np.asarray(chosen).ravel() > 0
    similarity = np.vstack([np.asarray(affine, np.float64), [0.0, 0.0, 1.0]])
    if int(inliers.sum()) < max(8, 0.15 * len(start)) or not plausible(similarity, size):
        return None
    return similarity, inliers, _error(start[inliers], end[inliers], similarity)


def _similarity(start: Floats, end: Floats) -> Homography:
    """Least-squares rotation, zoom and shift."""
    here, there = start.reshape(-1, 2).astype(np.float64), end.reshape(-1, 2).astype(np.float64)
    centre, aim = here.mean(axis=0), there.mean(axis=0)
    here, there = here - centre, there - aim
    scale = float((here**2).sum()) + 1e-12
    cosine = float((here * there).sum()) / scale
    sine = float((here[:, 0] * there[:, 1] - here[:, 1] * there[:, 0]).sum()) / scale
    turn = np.array([[cosine, -sine], [sine, cosine]])
    result = np.eye(3)
    result[:2, :2], result[:2, 2] = turn, aim - turn @ centre
    return result


def _error(start: Floats, end: Floats, homography: Homography) -> float:
    return float(np.sqrt(((moved(start, homography) - end) ** 2).sum(axis=-1).mean()))


def track(first: Proxy, second: Proxy, guess: Homography) -> Track:
    """Motion from the first frame to the second; the guess with zero inliers where it cannot be found."""
    lost = Track(guess, 0, 9.0)
    height, width = second.luma.shape
    if len(first.corners) < FEWEST_TRACKS:
        return lost
    ahead = moved(first.corners, guess)
    x, y = ahead[:, 0, 0], ahead[:, 0, 1]
    indices = np.flatnonzero((x > 4) & (x < width - 4) & (y > 4) & (y < height - 4))
    if len(indices) < FEWEST_TRACKS:
        return lost
    start, ahead = first.corners[indices], ahead[indices]
    end, there = _followed(first.luma, second.luma, start, ahead, PYRAMID_LEVELS, SETTLED)
    column, row = np.round(end[:, 0, 0]).astype(int), np.round(end[:, 0, 1]).astype(int)
    good = (there[:, 0] > 0) & (column >= 0) & (row >= 0) & (column < width) & (row < height)
    good[good] &= second.usable[row[good], column[good]] > 0
    start, end, indices = start[good], end[good], indices[good]
    if len(start) < FEWEST_TRACKS:
        return lost
    back, again = _followed(second.luma, first.luma, end, start, LEVELS_BACK, SETTLED_BACK)
    good = (np.abs(back - start).max(axis=(1, 2)) < ROUND_TRIP) & (again[:, 0] > 0)
    start, end, indices = start[good], end[good], indices[good]
    if len(start) < FEWEST_TRACKS:
        return lost
    still = np.abs(end - start).max(axis=(1, 2)) < STILL
    if still.mean() > 0.6 and float(np.abs(np.median((end - start)[still], axis=0)).max()) < STILL_MEDIAN:
        return Track(np.eye(3), int(still.sum()), 0.0, start, end, indices)
    fitted = fit(start, end, (height, width))
    if fitted is None:
        return lost
    homography, inliers, error = fitted
    return Track(homography, int(inliers.sum()), error, start, end, indices)


def _followed(
    first: Bytes, second: Bytes, start: Floats, guess: Floats, levels: int, settled: float
) -> tuple[Floats, Bytes]:
    """Where points of the first picture lie in the second, (n, 1, 2), and 1 where that was found, (n, 1)."""
    ends = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, STEPS, settled)
    found, there, _ = cv2.calcOpticalFlowPyrLK(
        first, second, start, guess.copy(), None, None, WINDOW, levels, ends, cv2.OPTFLOW_USE_INITIAL_FLOW
    )
    return np.asarray(found, np.float32), np.asarray(there, np.uint8)


def several_motions(found: Track, size: tuple[int, int], most: int) -> list[tuple[Homography, NDArray[np.bool_]]]:
    """The main motion of a track and those of what is left over, each with the tracks that follow it."""
    if not len(found.start):
        return [(found.homography, np.zeros(0, bool))]
    off = np.abs(moved(found.start, found.homography) - found.end).max(axis=(1, 2))
    motions = [(found.homography, off <= OFF_PLANE)]
    left = np.flatnonzero(off > OFF_PLANE)
    while len(motions) < most and len(left) >= max(14, LEAST_PLANE * len(found.start)):
        more = fit(found.start[left], found.end[left], size)
        if more is None or int(more[1].sum()) < max(10, LEAST_PLANE * len(found.start)):
            break
        members = np.zeros(len(found.start), bool)
        members[left[more[1]]] = True
        motions.append((more[0], members))
        left = left[~more[1]]
    return motions


def shifted_guess(first: Proxy, second: Proxy) -> Homography:
    """A pure shift between two frames too far apart to track, from phase correlation of quarter-size proxies."""
    height, width = first.luma.shape
    size = max(8, width // 4), max(8, height // 4)
    small = [np.asarray(cv2.resize(proxy.luma, size, interpolation=cv2.INTER_AREA), np.float32)
             for proxy in (first, second)]  # fmt: skip
    window = cv2.createHanningWindow(size, cv2.CV_32F)
    (x, y), _ = cv2.phaseCorrelate(small[0], small[1], window)
    guess = np.eye(3)
    guess[0, 2], guess[1, 2] = x * width / size[0], y * height / size[1]
    return guess
