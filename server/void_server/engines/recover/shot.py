"""What is known of a whole shot before any frame is filled: proxies, camera motion, cuts and visibility."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import Frames, Picture
from void_server.engines.recover.motion import Bytes, Homography, Proxy, Track, track
from void_server.engines.recover.pyramid import Floats
from void_server.tiles import Box

INVENTED, KNOWN = 1, 2

STORED = (
    "luma", "usable_bits", "corners", "corner_counts", "chain", "second_chain", "segments", "locked", "clean",
    "coarse_seen", "coarse_hole",
)  # fmt: skip
"""The fields of a shot that are arrays as they stand."""


@dataclass(frozen=True)
class KeyFill:
    """Pixels invented once, in one frame, for every frame of its segment."""

    position: int
    """Index of the frame within the shot."""
    box: Box
    pixels: Picture
    """Encoded."""
    kinds: Bytes
    """Per pixel of the box `INVENTED`, `KNOWN` (plate, or recovered from other frames) or 0 for neither."""


@dataclass(frozen=True)
class Shot:
    """The estimates that every unit shares. Frames are counted by position, 0 for the first of the shot."""

    numbers: tuple[int, ...]
    size: tuple[int, int]
    """(height, width) of the plate."""
    factor: int
    """Plate pixels per proxy pixel."""
    knee: float
    luma: Bytes
    usable_bits: Bytes
    """Per frame whether each proxy pixel may be used: a bit each, since a long shot has many."""
    corners: Floats
    corner_counts: NDArray[np.int64]
    chain: NDArray[np.float64]
    """From the first frame of the segment to each frame, in proxy pixels. Drifts, so it only serves as a guess."""
    second_chain: NDArray[np.float64]
    """The same for the second plane of a deep scene; equal to `chain` where there is none."""
    segments: NDArray[np.int64]
    """Which run of frames between cuts each frame belongs to."""
    locked: Bytes
    """1 where the camera of the frame's segment does not move at all."""
    clean: Bytes
    """1 where the artist gave a clean plate of the frame."""
    coarse_seen: Bytes
    """Per frame, 1 where every pixel of a coarse cell is usable."""
    coarse_hole: Bytes
    """Per frame, 1 where any pixel of a coarse cell is to be filled."""
    keys: tuple[KeyFill, ...] = field(default=())

    @property
    def proxy_size(self) -> tuple[int, int]:
        return self.luma.shape[1], self.luma.shape[2]

    @property
    def coarse_size(self) -> tuple[int, int]:
        return self.coarse_seen.shape[1], self.coarse_seen.shape[2]

    def position(self, frame: int) -> int:
        """Where a frame number stands in the shot."""
        return self.numbers.index(frame)

    def proxy(self, position: int) -> Proxy:
        count = int(self.corner_counts[position])
        return Proxy(self.luma[position], self.usable(position), self.corners[position, :count].reshape(-1, 1, 2))

    def usable(self, position: int) -> Bytes:
        """1 where a proxy pixel of a frame may be used."""
        return unpacked(self.usable_bits[position], self.luma.shape[2])

    @property
    def deep(self) -> bool:
        """True where the shot has a second plane."""
        return not np.array_equal(self.chain, self.second_chain)

    @cached_property
    def _back(self) -> NDArray[np.float64]:
        """Both chains the other way: every guess needs one, and there are a hundred to a frame."""
        return np.linalg.inv(np.stack([self.chain, self.second_chain]))

    @cached_property
    def _coarser(self) -> tuple[Homography, Homography]:
        """From proxy pixels to coarse cells, and back."""
        down, across = (coarse / fine for coarse, fine in zip(self.coarse_size, self.proxy_size, strict=True))
        return np.diag([across, down, 1.0]), np.diag([1 / across, 1 / down, 1.0])

    def guess(self, target: int, source: int, second: bool = False) -> Homography:
        """Proxy motion from one frame to another by way of all between; meaningless across a cut."""
        chain = self.second_chain if second else self.chain
        both = chain[source] @ self._back[int(second), target]
        return np.asarray(both / both[2, 2], np.float64)

    def register(self, target: int, source: int) -> Track:
        """Proxy motion from one frame straight to another."""
        if target == source or (self.locked[target] and self.segments[target] == self.segments[source]):
            return Track(np.eye(3), 1, 0.0)
        return track(self.proxy(target), self.proxy(source), self.guess(target, source))

    def to_plate(self, homography: Homography) -> Homography:
        """The same motion in plate pixels; proxy pixel p is centred on plate pixel factor * (p + 0.5) - 0.5."""
        shift = 0.5 * self.factor - 0.5
        scale = np.array([[self.factor, 0, shift], [0, self.factor, shift], [0, 0, 1.0]])
        return np.asarray(scale @ homography @ np.linalg.inv(scale), np.float64)

    def peers(self, position: int) -> list[int]:
        """Other positions of the same segment, in order."""
        return [int(i) for i in np.flatnonzero(self.segments == self.segments[position]) if i != position]

    def seen_from(self, target: int, source: int, cells: Bytes, second: bool = False) -> Bytes:
        """Coarse cells of a source frame as they lie in the target frame; 0 outside the source's picture."""
        height, width = self.coarse_size
        coarser, finer = self._coarser
        homography = coarser @ self.guess(target, source, second) @ finer
        return np.asarray(
            cv2.warpPerspective(cells, homography, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP),
            np.uint8,
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Plain arrays that `from_arrays` understands."""
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in STORED}
        arrays["knee"] = np.array([self.knee], np.float64)
        arrays["factor"] = np.array([self.factor], np.int64)
        boxes = [(key.position, key.box.x0, key.box.y0, key.box.x1, key.box.y1) for key in self.keys]
        arrays["keys"] = np.array(boxes, np.int64).reshape(-1, 5)
        for index, key in enumerate(self.keys):
            arrays[f"key_pixels_{index}"] = key.pixels
            arrays[f"key_kinds_{index}"] = key.kinds
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], frames: Frames) -> Shot:
        """The shot that `analyse` described, for the same frames."""
        keys = tuple(
            KeyFill(int(row[0]), Box(*(int(value) for value in row[1:])), arrays[f"key_pixels_{index}"],
                    arrays[f"key_kinds_{index}"])
            for index, row in enumerate(arrays["keys"])
        )  # fmt: skip
        return cls(
            numbers=tuple(frames.numbers), size=frames.size, factor=int(arrays["factor"][0]),
            knee=float(arrays["knee"][0]), keys=keys, **{name: arrays[name] for name in STORED},
        )  # fmt: skip


def unpacked(bits: Bytes, width: int) -> Bytes:
    """A byte for each bit of rows of `width` pixels."""
    return np.unpackbits(bits, axis=-1, count=width)


def segments_of(shot: Shot) -> Iterator[list[int]]:
    """Positions of each run of frames between cuts."""
    for segment in range(int(shot.segments.max(initial=0)) + 1):
        yield [int(i) for i in np.flatnonzero(shot.segments == segment)]
