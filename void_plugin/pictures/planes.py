"""One matte in tiles that are never changed: painting makes a new matte, and undoing takes the old one back.

Because tiles are shared between the mattes before and after a stroke, each costs only what the stroke has touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

TILE = 128
"""Pixels along an edge of a tile."""

Values = NDArray[Any]
"""(height, width) of float16 or float32."""
Box = tuple[int, int, int, int]
"""x0, y0, x1, y1, y down, ends excluded."""
Place = tuple[int, int]
"""Row and column of a tile."""


@dataclass(frozen=True)
class Plane:
    """A matte of `size` (height, width); where it has no tile it is 0, or what a file holds."""

    size: tuple[int, int]
    kind: str
    """`float16` or `float32`: the type of the file that it comes from and goes to."""
    over_file: bool = False
    """True where pixels without a tile are those of the file."""
    tiles: Mapping[Place, Values] = field(default_factory=dict)

    @classmethod
    def of_pixels(cls, pixels: Values) -> Plane:
        """A matte that holds these pixels and no file's."""
        height, width = pixels.shape
        tiles = {}
        for place in places((0, 0, width, height), (height, width)):
            x0, y0, x1, y1 = box_of(place, (height, width))
            part = pixels[y0:y1, x0:x1]
            if part.any():
                tiles[place] = frozen(part)
        return cls((height, width), str(pixels.dtype), False, tiles)

    def with_tiles(self, tiles: Mapping[Place, Values]) -> Plane:
        """The same with other tiles in some places."""
        return Plane(self.size, self.kind, self.over_file, {**self.tiles, **tiles})

    def tile(self, place: Place, below: Values | None) -> Values:
        """The pixels of one tile, read only; `below` is the whole matte of the file."""
        found = self.tiles.get(place)
        if found is not None:
            return found
        x0, y0, x1, y1 = box_of(place, self.size)
        if below is None or not self.over_file:
            return np.zeros((y1 - y0, x1 - x0), self.kind)
        return below[y0:y1, x0:x1]

    def pixels(self, below: Values | None) -> Values:
        """The whole matte."""
        whole = below.copy() if below is not None and self.over_file else np.zeros(self.size, self.kind)
        for place, tile in self.tiles.items():
            x0, y0, x1, y1 = box_of(place, self.size)
            whole[y0:y1, x0:x1] = tile
        return whole

    def new_bytes(self, before: Plane | None) -> int:
        """How much memory this one takes beyond the one before."""
        old: Mapping[Place, Values] = before.tiles if before is not None else {}
        return sum(tile.nbytes for place, tile in self.tiles.items() if old.get(place) is not tile)


def frozen(pixels: Values) -> Values:
    """A copy that nobody can change."""
    copy = np.array(pixels)
    copy.flags.writeable = False
    return copy


def places(box: Box, size: tuple[int, int]) -> Iterator[Place]:
    """The tiles that a box touches."""
    height, width = size
    x0, y0, x1, y1 = max(0, box[0]), max(0, box[1]), min(width, box[2]), min(height, box[3])
    if x0 >= x1 or y0 >= y1:
        return
    for row in range(y0 // TILE, (y1 - 1) // TILE + 1):
        for column in range(x0 // TILE, (x1 - 1) // TILE + 1):
            yield row, column


def box_of(place: Place, size: tuple[int, int]) -> Box:
    """The pixels of a tile; those at the right and lower edge may be smaller."""
    y0, x0 = place[0] * TILE, place[1] * TILE
    return x0, y0, min(size[1], x0 + TILE), min(size[0], y0 + TILE)
