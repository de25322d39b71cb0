"""Lays the grain of a plate bare: what a window of one frame holds beside the scene.

The neighbouring frame shows the same scene with other grain. Brought to the same place it takes the scene away and
leaves every frequency of the grain, also the low ones that a spatial filter cannot tell from shading. Only where no
frame matches is the scene taken away in space, by a blur: a single textured frame keeps its fine texture, and its
spectrum is measured less exactly than the limits of image.md 4 ask for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import Cancelled
from void_server.align import BINS, Floats, Neighbour, bring, calm_light, mismatch
from void_server.engines import Frames, IsCancelled, Mask, Picture
from void_server.tiles import Box

WINDOW = 256
"""Pixels a side of what is looked at together: one affine motion holds across it, and phase correlation finds it."""
BLOCK = 32
"""Pixels a side of the blocks that are kept or dropped whole; several times as wide as any grain."""
FEWEST_USABLE = 0.3
"""Share of a window that must be usable for it to be looked at."""
SLIP = 0.06
"""Pixels by which a warped neighbour may lie wrong: the scene's slope times this is what it leaves behind."""
REACH = 3
"""Frames away that are tried where nearer ones repeat the very pixels (a shot on twos)."""
HELD = 0.98
"""Share of equal pixels that makes a neighbour a repeat."""
CLEARLY = 1.5
"""A neighbour that matches worse than the frame's own blur by this factor shows another scene; grain alone gives 1.2,
because the blur carries some of it."""
OUTSTANDING = 2.0
"""Share of low frequencies over the quietest quarter's above which a block holds more than grain: chance alone takes
one block of soft grain (sigma 1.4 px) in a hundred there."""
ABOVE_FLOOR = 1.6
"""Power over the quietest tenth's up to which a block is held to be grain; soft grain alone spreads it by 0.13."""
ABOVE_FLOOR_ALONE = 1.3
"""The same where nothing but a blur took the scene away, and fine texture is still in."""
PILE = 0.25
"""Share of blocks that must lie there for it to be grain: leavings of the scene reach 0.2."""
FEWEST_BLOCKS = 12
"""Blocks below which quantiles say nothing."""
ENOUGH_OF_BLOCK = 0.6
"""Share of a block that must be clean."""
SHADE = 2.0
"""Sigma in pixels of the blur that separates light from grain within one frame (image.md 4)."""
SHADE_OF_TWO = 0.8
"""Sigma in pixels of the blur of the mean of two frames."""


@dataclass(frozen=True)
class Bare:
    """The grain of one window. A difference of frames is scaled to the strength of a single frame's grain."""

    grain: Picture
    """Linear light, signed, (height, width, 3)."""
    plate: Picture
    """The pixels as they are."""
    light: Picture
    """The luma that each channel's grain lies on: linear light, blurred, little grain left."""
    clean: Mask
    """Pixels that show grain and, as far as is known, nothing else."""
    power: Floats
    """(BINS, BINS): power of `grain` over the power of one frame's grain, by frequency."""
    temporal: bool
    """Whether another frame took the scene away."""


def windows(area: Box, most: int, side: int = WINDOW) -> list[Box]:
    """At most `most` square windows spread evenly over a box, without overlap; a smaller box is one window."""
    high, wide = min(side, area.height), min(side, area.width)
    down, across = area.height // high, area.width // wide
    while down * across > most:
        # The longer side gives way first, so that what is left stays spread over the whole box.
        if across >= down:
            across -= 1
        else:
            down -= 1
    tops = np.linspace(area.y0, area.y1 - high, down) if down > 1 else [(area.y0 + area.y1 - high) / 2]
    lefts = np.linspace(area.x0, area.x1 - wide, across) if across > 1 else [(area.x0 + area.x1 - wide) / 2]
    return [Box(int(x), int(y), int(x) + wide, int(y) + high) for y in tops for x in lefts]


def lay_bare(frames: Frames, frame: int, window: Box) -> Bare | None:
    """The grain of one frame in a window (picture coordinates), or None where too few pixels may be looked at.

    Where every neighbour repeats the frame's pixels, its grain is zero: nothing there changes from frame to frame.
    """
    if min(window.size) < BLOCK:
        return None
    usable = frames.usable(frame, window)
    if usable.mean() < FEWEST_USABLE:
        return None
    picture = frames.plate(frame, window)
    held = False
    for other in _neighbours(frames.numbers, frame):
        same = frames.plate(other, window)[..., 1] == picture[..., 1]
        if same[usable].mean() > HELD:
            held = True
            continue
        neighbour = bring(frames, other, window, picture, usable)
        if neighbour.mismatch < CLEARLY * np.sqrt(2) * _smooth_mismatch(picture, usable):
            return _between(picture, usable, neighbour)
        return _above_blur(picture, usable)
    if held:
        return Bare(np.zeros_like(picture), picture, _blurred(picture), usable, np.ones((BINS, BINS), np.float32), True)
    return _above_blur(picture, usable)


def _neighbours(numbers: Sequence[int], frame: int) -> Iterator[int]:
    at = numbers.index(frame)
    for away in range(1, REACH + 1):
        yield from (numbers[i] for i in (at + away, at - away) if 0 <= i < len(numbers))


def _between(picture: Picture, usable: Mask, neighbour: Neighbour) -> Bare:
    """Half the difference in power: grain of two frames, each of a single frame's strength once divided."""
    clean = usable & neighbour.known
    # Sum and difference of two frames have unrelated noise, so little blur will do, and luma stays that of the pixel.
    mean = (picture + neighbour.picture) * np.float32(0.5)
    light = np.asarray(cv2.GaussianBlur(mean, (0, 0), SHADE_OF_TWO), np.float32)
    grain = (picture - neighbour.picture) * np.float32(np.sqrt(0.5))
    _take_flicker(grain, light, clean)
    power = (1 + neighbour.power) * np.float32(0.5)
    if neighbour.power.min() < 1:
        clean &= _level(light, grain, clean)
    return Bare(grain, picture, light, clean, power, True)


def _take_flicker(grain: Picture, light: Picture, clean: Mask) -> None:
    """Take away what follows from one gain and one offset per channel: exposure that changes is not grain."""
    for channel in range(3):
        x, y = (part[..., channel][clean].astype(np.float64) for part in (light, grain))
        if not x.size:
            return
        x_mean, y_mean = x.mean(), y.mean()
        spread = np.mean((x - x_mean) ** 2)
        slope = np.mean((x - x_mean) * (y - y_mean)) / spread if spread > 1e-12 else 0.0
        grain[..., channel] -= (y_mean + slope * (light[..., channel] - x_mean)).astype(np.float32)


def _level(light: Picture, grain: Picture, clean: Mask) -> Mask:
    """Pixels so level that a neighbour lying a little wrong leaves less than a twentieth of the grain's power."""
    level = np.ones(clean.shape, bool)
    for channel in range(3):
        plane = light[..., channel]
        across, down = (cv2.Sobel(plane, cv2.CV_32F, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1)))
        slope = across**2 + down**2
        strength = cv2.boxFilter(grain[..., channel] ** 2, -1, (BLOCK, BLOCK))
        level &= SLIP**2 * slope < 0.05 * strength
    return level if level[clean].mean() > 0.1 else np.ones(clean.shape, bool)


def _blurred(picture: Picture) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), SHADE), np.float32)


def _block_means(array: Floats) -> NDArray[np.float64]:
    """(n, channels): the means of the whole blocks of an array."""
    rows, columns = array.shape[0] // BLOCK, array.shape[1] // BLOCK
    cut = array[: rows * BLOCK, : columns * BLOCK]
    means = cv2.resize(cut, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means, np.float64).reshape(rows * columns, -1)


def _over_blocks(kept: Mask, size: tuple[int, int]) -> Mask:
    """A mask of a size from one value a block; what no whole block covers is false."""
    rows, columns = size[0] // BLOCK, size[1] // BLOCK
    out = np.zeros(size, bool)
    across = np.repeat(kept.reshape(rows, columns), BLOCK, axis=1)
    out[: rows * BLOCK, : columns * BLOCK] = np.repeat(across, BLOCK, axis=0)
    return out


def _smooth_mismatch(picture: Picture, usable: Mask) -> float:
    calm = calm_light(picture)
    return mismatch(calm, np.asarray(cv2.GaussianBlur(calm, (0, 0), 2 * SHADE), np.float32), usable)


def _above_blur(picture: Picture, usable: Mask) -> Bare:
    """What a Gaussian does not carry: the lowest frequencies go with the scene, and fine texture stays in."""
    light = _blurred(picture)
    reach = 2 * round(3 * SHADE) + 1
    clean = cv2.erode(usable.astype(np.uint8), np.ones((reach, reach), np.uint8), borderValue=(0,)) > 0
    squares = np.fft.fftfreq(BINS) ** 2
    passed = np.exp(-2 * np.pi**2 * SHADE**2 * (squares[:, None] + squares))
    return Bare(picture - light, picture, light, clean, np.asarray((1 - passed) ** 2, np.float32), False)


def without_texture(bares: Sequence[Bare]) -> list[Mask]:
    """The clean pixels of the blocks that hold nothing but grain; all false where no grain is found.

    Two things tell grain from what the scene leaves behind. Grain has the same share of low frequencies everywhere.
    And it has a floor: at one luma no block has less of it, so that many blocks lie close above the quietest ones,
    while leavings of the scene are spread over decades.
    """
    tables = [_block_table(bare) for bare in bares]
    table = np.concatenate(tables) if tables else np.zeros((0, 7))
    known = np.isfinite(table[:, 0])
    kept = np.zeros(len(table), bool)
    if known.sum() >= FEWEST_BLOCKS:
        kept = known & (table[:, 0] <= OUTSTANDING * np.quantile(table[known, 0], 0.25))
        level = np.full(len(table), np.inf)
        level[kept] = _over_floor(table[kept, 1:4], table[kept, 4:])
        floor = float(np.quantile(level[kept], 0.1))
        found = (level <= ABOVE_FLOOR * floor).sum() >= PILE * known.sum()
        limit = ABOVE_FLOOR if all(bare.temporal for bare in bares) else ABOVE_FLOOR_ALONE
        kept = (level <= limit * floor) & found
    masks, first = [], 0
    for bare, part in zip(bares, tables, strict=True):
        masks.append(bare.clean & _over_blocks(kept[first : first + len(part)], bare.clean.shape))
        first += len(part)
    return masks


def _block_table(bare: Bare) -> NDArray[np.float64]:
    """For each block: share of low frequencies, mean light of three channels, mean square of three channels.

    The share is power below a Gaussian of 2 px over power above one of 1 px; infinite where little is clean.
    """
    clean = bare.clean[..., None].astype(np.float32)
    grain = bare.grain * clean
    low = cv2.GaussianBlur(grain, (0, 0), SHADE)
    high = grain - cv2.GaussianBlur(grain, (0, 0), SHADE / 2)
    share = _block_means(clean)
    parts = ((low * clean) ** 2, high**2 * clean, bare.light * clean, grain**2)
    lows, highs, light, square = (_block_means(part) for part in parts)
    depth = (lows / np.maximum(highs, 1e-30)).mean(axis=-1)
    depth[share[:, 0] < ENOUGH_OF_BLOCK] = np.inf
    known = np.maximum(share, 1 / BLOCK**2)
    return np.column_stack([depth, light / known, square / known])


def _over_floor(light: NDArray[np.float64], square: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean square of blocks over what quiet blocks of the same luma have, mean of the channels that have any."""
    groups = int(np.clip(len(light) // FEWEST_BLOCKS, 1, 8))
    levels = []
    for channel in range(3):
        parts = np.array_split(np.argsort(light[:, channel], kind="stable"), groups)
        knots = [float(np.median(light[part, channel])) for part in parts]
        quiet = [float(np.quantile(square[part, channel], 0.2)) for part in parts]
        floor = np.interp(light[:, channel], knots, quiet)
        levels.append(np.where(floor > 0, square[:, channel] / np.maximum(floor, 1e-30), square[:, channel] > 0))
    return np.asarray(np.mean(levels, axis=0))


def measured(
    frames: Frames, picked: Sequence[int], area: Box, most: int, workers: int, cancelled: IsCancelled
) -> list[Bare]:
    """The grain of at most `most` windows a frame; raises Cancelled soon after `cancelled()` turns true."""
    # From both ends towards the middle: a reader that keeps rows then has all of them after two windows.
    middle = (area.y0 + area.y1) / 2
    inwards = sorted(windows(area, most), key=lambda box: -abs((box.y0 + box.y1) / 2 - middle))

    def look(place: tuple[int, Box]) -> Bare | None:
        if cancelled():
            raise Cancelled
        return lay_bare(frames, *place)

    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(look, [(frame, window) for frame in picked for window in inwards]))
    return [bare for bare in found if bare is not None]
