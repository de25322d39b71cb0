"""The painted mattes as a picture that lies over the plate: only the part that is seen, at the size of the screen."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from void_plugin.pictures.painting import Painting
from void_plugin.pictures.planes import TILE, Box, Values

COLOURS = {"remove": (255, 0, 0), "affected": (0, 255, 0)}
"""The tints that the server's overlay has; both together are yellow."""
LEVELS = 16
"""Steps of opacity: a matte below is seen through, not measured."""

Pixels = NDArray[np.uint32]
"""(height, width), 32 bits a pixel, alpha in the highest byte, colours multiplied by it."""


def tinted(
    painting: Painting, frame: int, seen: Box, size: tuple[int, int], opacity: float, part: Box | None = None
) -> Pixels:
    """The mattes of a frame within `seen`, as a picture of `size` (height, width), or a part of that picture.

    Raises FrameError.
    """
    x0, y0, x1, y1 = part or (0, 0, size[1], size[0])
    rows = _picked(seen[1], seen[3], size[0])[y0:y1]
    columns = _picked(seen[0], seen[2], size[1])[x0:x1]
    remove = _sampled(painting, frame, "remove", rows, columns)
    affected = _sampled(painting, frame, "affected", rows, columns)
    return np.asarray(_table(round(opacity * 100))[remove * LEVELS + affected], np.uint32)


def part_of(changed: Box, seen: Box, size: tuple[int, int]) -> Box | None:
    """What of a picture of `seen` must be made anew after pixels of the plate have changed; None for nothing."""
    rows, columns = _picked(seen[1], seen[3], size[0]), _picked(seen[0], seen[2], size[1])
    y0, y1 = np.searchsorted(rows, (changed[1], changed[3]))
    x0, x1 = np.searchsorted(columns, (changed[0], changed[2]))
    return (int(x0), int(y0), int(x1), int(y1)) if y0 < y1 and x0 < x1 else None


def _picked(first: int, end: int, count: int) -> NDArray[np.intp]:
    """The pixel in which the middle of each of `count` equal parts lies."""
    return first + (2 * np.arange(count) + 1) * (end - first) // (2 * count)


def _sampled(
    painting: Painting, frame: int, label: str, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.uint8]:
    """A matte at some rows and columns, in levels."""
    out = np.zeros((len(rows), len(columns)), np.uint8)
    across = _groups(columns)
    for row, (top, bottom) in _groups(rows).items():
        y = rows[top:bottom] - row * TILE
        for column, (left, right) in across.items():
            tile = painting.tile(frame, label, (row, column))
            x = columns[left:right] - column * TILE
            out[top:bottom, left:right] = _levels(tile[y[:, None], x[None]])
    return out


def _groups(picked: NDArray[np.intp]) -> dict[int, tuple[int, int]]:
    """Which of some pixels, in order, lie in which row or column of tiles."""
    tiles = picked // TILE
    starts = np.flatnonzero(np.diff(tiles, prepend=-1))
    ends = [*starts[1:], len(tiles)]
    return {int(tiles[start]): (int(start), int(end)) for start, end in zip(starts, ends, strict=True)}


def _levels(values: Values) -> NDArray[np.uint8]:
    if values.dtype == np.float16:
        return np.asarray(_half_levels()[values.view(np.uint16)], np.uint8)
    return _quantised(values)


def _quantised(values: Values) -> NDArray[np.uint8]:
    with np.errstate(invalid="ignore"):
        known = np.nan_to_num(np.clip(values, 0, 1))
    return np.asarray(np.ceil(known * (LEVELS - 1)), np.uint8)


@functools.lru_cache(maxsize=1)
def _half_levels() -> NDArray[np.uint8]:
    """The level of each of the 65,536 halves; looking up is ten times as quick as arithmetic."""
    return _quantised(np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32))


@functools.lru_cache(maxsize=128)
def _table(percent: int) -> Pixels:
    """The picture's pixel for each pair of levels."""
    level = np.arange(LEVELS) / (LEVELS - 1)
    remove, affected = np.meshgrid(level, level, indexing="ij")
    alpha = np.maximum(remove, affected) * percent / 100
    most = np.maximum(np.maximum(remove, affected), 1e-9)
    channels = [
        np.rint(255 * alpha * (remove * COLOURS["remove"][n] + affected * COLOURS["affected"][n]) / (255 * most))
        for n in range(3)
    ]
    red, green, blue = (channel.astype(np.uint32) for channel in channels)
    whole = np.rint(255 * alpha).astype(np.uint32) << 24 | red << 16 | green << 8 | blue
    return np.asarray(whole.reshape(-1), np.uint32)
