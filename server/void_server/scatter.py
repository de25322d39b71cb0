"""The plate's own grain moved into a box: real grain of clean areas, laid out in irregular cells.

Synthetic grain has the plate's spectrum; this has its look as well, for stock whose grain is not normally distributed
(Holtz's DasGrain works so). It needs a large clean area, which `can_scatter` looks for. On a textured set what is left
of the texture comes along, and the spectrum is less exact than that of made grain.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from void_server.align import Floats
from void_server.degrain import Bare, lay_bare, windows, without_texture
from void_server.engines import Frames, Picture
from void_server.grain import GrainModel
from void_server.regrain import field_key, mixed
from void_server.tiles import Box

SHEET = 192
"""Pixels a side of the clean areas that grain is taken from."""
CELL = 24
"""Pixels between the seeds of cells: several grains wide, and far smaller than anything the eye takes for a repeat."""
BEYOND = 54
"""The furthest that a pixel can lie from the seed of its cell or of the next: the root of 5 cells, rounded up."""
SEAM = 3.0
"""Pixels on each side of a border between cells over which one goes over into the other."""
FEWEST_FRAMES = 5
"""Frames of a shot from which neighbours can be compared with confidence (image.md 4)."""
FEWEST_SHEETS = 2
"""Sheets below which the same grain would come up too often."""
MOST_SHEETS = 6
"""Sheets used a frame, the cleanest."""
LOOKED_AT = 8
"""Sheets laid bare to choose from."""
PURPOSE = 0x5CA77E12
"""Keeps the numbers that place cells apart from those of white noise under the same seed."""


def can_scatter(frames: Frames, frame: int, area: Box) -> bool:
    """Whether the frame has enough clean area within a box (picture coordinates) to take grain from.

    Where this is false, the caller uses `regrain.synthesise` and says so.
    """
    return len(frames.numbers) >= FEWEST_FRAMES and len(_clean_windows(frames, frame, area)) >= FEWEST_SHEETS


def scatter(model: GrainModel, frames: Frames, area: Box, seed: int, frame: int, box: Box) -> Picture:
    """The frame's own grain at unit variance for a box in EXR coordinates, (height, width, 3) float32.

    `area`, in picture coordinates, is where grain is taken from, the same for every box of a frame: then a box gives
    the same bits as the same pixels of a larger one. Raises ValueError where `can_scatter` is false.
    """
    if model.is_silent:
        return np.zeros((*box.size, 3), np.float32)
    sheets = _sheets(model, frames, frame, area)
    near, far, share = cells(seed, frame, box, len(sheets))
    flat = sheets.reshape(-1, 3)
    out = flat[near]
    seam = share > 0
    weight = share[seam][:, None]
    out[seam] = out[seam] * np.sqrt(1 - weight * weight) + flat[far[seam]] * weight
    return out


def _clean_windows(frames: Frames, frame: int, area: Box) -> list[Box]:
    if min(area.size) < SHEET:
        return []
    boxes = windows(area, 4 * LOOKED_AT, SHEET)
    clean = [box for box in boxes if frames.usable(frame, box).all()]
    return [clean[i] for i in np.unique(np.linspace(0, len(clean) - 1, LOOKED_AT).astype(int))] if clean else []


def _sheets(model: GrainModel, frames: Frames, frame: int, area: Box) -> Floats:
    """(n, SHEET, SHEET, 3) of unit variance, from where the frame shows grain and least else."""
    boxes = _clean_windows(frames, frame, area)
    if len(boxes) < FEWEST_SHEETS:
        raise ValueError(f"frame {frame} has no clean area to take grain from in {area}")
    bares = [bare for bare in (lay_bare(frames, frame, box) for box in boxes) if bare is not None]
    clean = [float(mask.mean()) + bare.temporal for bare, mask in zip(bares, without_texture(bares), strict=True)]
    best = np.argsort(np.negative(clean), kind="stable")[:MOST_SHEETS]
    return np.stack([_normalised(model, bares[i]) for i in best])


def _normalised(model: GrainModel, bare: Bare) -> Picture:
    sigma = model.sigma(bare.light)
    unit = np.where(sigma > 0, bare.grain / np.maximum(sigma, np.float32(1e-20)), 0)
    spread = np.sqrt(np.mean(np.square(unit), axis=(0, 1), dtype=np.float64))
    return np.asarray(unit / np.maximum(spread, 1e-6), np.float32)


def cells(seed: int, frame: int, box: Box, sheets: int) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats]:
    """For each pixel: where on the sheets its cell and the next one take it from, and the next one's weight."""
    left, top = box.x0 // CELL - 1, box.y0 // CELL - 1
    across = np.arange(left, (box.x1 - 1) // CELL + 2)
    down = np.arange(top, (box.y1 - 1) // CELL + 2)
    counter = (down.astype(np.uint64)[:, None] << np.uint64(32)) | (across.astype(np.uint64) & np.uint64(0xFFFFFFFF))
    words = mixed(counter * np.uint64(0x9E3779B97F4A7C15) + np.uint64(field_key(seed ^ PURPOSE, frame)))

    def draw(shift: int, below: int) -> NDArray[np.int32]:
        return ((((words >> np.uint64(shift)) & np.uint64(0xFFF)) * np.uint64(below)) >> np.uint64(12)).astype(np.int32)

    seed_x = (across * CELL - box.x0).astype(np.int32) + draw(0, CELL)
    seed_y = (down * CELL - box.y0).astype(np.int32)[:, None] + draw(12, CELL)
    # From a pixel's place in the box to its place on the stacked sheets is one sum for each cell.
    room = SHEET - 2 * BEYOND
    source_y, source_x = BEYOND + draw(24, room) - seed_y, BEYOND + draw(36, room) - seed_x
    source = (draw(48, sheets) * SHEET + source_y) * SHEET + source_x
    y = np.arange(box.height, dtype=np.int32)[:, None]
    x = np.arange(box.width, dtype=np.int32)
    row, column = (y + box.y0) // CELL - top, (x + box.x0) // CELL - left
    shape = box.size
    first, second = np.full(shape, 1 << 30, np.int32), np.full(shape, 1 << 30, np.int32)
    near, far = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for step in range(9):
        cell = (row + step // 3 - 1) * len(across) + column + step % 3 - 1
        away = np.square(y - seed_y.take(cell)) + np.square(x - seed_x.take(cell))
        closer, next_closer = away < first, away < second
        far = np.where(closer, near, np.where(next_closer, cell, far))
        second = np.where(closer, first, np.where(next_closer, away, second))
        near, first = np.where(closer, cell, near), np.where(closer, away, first)
    apart = np.hypot(seed_y.take(near) - seed_y.take(far), seed_x.take(near) - seed_x.take(far)).astype(np.float32)
    from_border = (second - first) / (2 * np.maximum(apart, np.float32(1)))
    # Weights whose squares sum to 1 keep the variance; at the border itself both are the root of a half.
    part = np.maximum(1 - from_border / np.float32(SEAM), 0)
    share = np.asarray(np.float32(0.5**0.5) * part * part * (3 - 2 * part), np.float32)
    place = y * SHEET + x
    return source.take(near) + place, source.take(far) + place, share
