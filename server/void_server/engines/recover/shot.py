"""What is known of a whole shot before any frame is filled: proxies, camera motion, cuts and visibility."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import Cancelled
from void_server.engines import Frames, IsCancelled, Mask, Picture, Tell
from void_server.engines.recover.motion import (
    CORNERS,
    PROXY_LONG_SIDE,
    Bytes,
    Homography,
    Proxy,
    Track,
    make_proxy,
    several_motions,
    shifted_guess,
    track,
)
from void_server.engines.recover.pyramid import Floats, reduce
from void_server.engines.recover.tone import knee_of
from void_server.tiles import Box

COARSE_LONG_SIDE = 240
"""Cells of the visibility maps along the long side: 16 plate pixels at 4K, a fraction of any matte."""

INVENTED, KNOWN = 1, 2

STORED = (
    "luma", "usable", "corners", "corner_counts", "chain", "second_chain", "segments", "locked", "clean",
    "coarse_seen", "coarse_hole",
)  # fmt: skip
"""The fields of a shot that are arrays as they stand."""

REGION = (14, 24)
"""Rows and columns of the cells by which the tracks of a plane are recognised in the next frame."""

SAME_SHOT = 0.55
"""Correlation of two coarse pictures above which a failed track is a lack of texture, not a cut."""


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
    usable: Bytes
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
        return Proxy(self.luma[position], self.usable[position], self.corners[position, :count].reshape(-1, 1, 2))

    @property
    def deep(self) -> bool:
        """True where the shot has a second plane."""
        return not np.array_equal(self.chain, self.second_chain)

    def guess(self, target: int, source: int, second: bool = False) -> Homography:
        """Proxy motion from one frame to another by way of all between; meaningless across a cut."""
        chain = self.second_chain if second else self.chain
        both = chain[source] @ np.linalg.inv(chain[target])
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
        rows, columns = self.proxy_size
        scale = np.diag([width / columns, height / rows, 1.0])
        homography = scale @ self.guess(target, source, second) @ np.linalg.inv(scale)
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


def survey(frames: Frames, fills: Sequence[int], workers: int, progress: Tell, cancelled: IsCancelled) -> Shot:
    """Look at every frame once and work out how the camera moves and where cuts are."""
    numbers = tuple(frames.numbers)
    height, width = frames.size
    factor = max(1, round(max(height, width) / PROXY_LONG_SIDE))
    rows, columns = -(-height // factor), -(-width // factor)
    scale = min(1.0, COARSE_LONG_SIDE / max(rows, columns))
    coarse = max(2, round(rows * scale)), max(2, round(columns * scale))
    whole = Box(0, 0, 1, 1)

    def look(frame: int) -> tuple[Proxy, float, Bytes, Bytes, bool]:
        if cancelled():
            raise Cancelled
        picture, usable = frames.reduced(frame, factor)
        proxy, light = make_proxy(picture, usable)
        hole = np.zeros(coarse, np.uint8)
        box = frames.hole(frame)
        if box is not None:
            hole = _cells(np.isin(frames.labels(frame, box), fills), box, frames.size, coarse)
        # 97 %: the coarse grid does not divide the proxy, so a clear cell may touch a sliver of its neighbour.
        seen = (reduce(usable, coarse) > 0.97).astype(np.uint8)
        return proxy, light, seen, hole, frames.clean_plate(frame, whole) is not None

    with ThreadPoolExecutor(workers) as pool:
        looked = []
        for result in pool.map(look, numbers):
            looked.append(result)
            progress(0.5 * len(looked) / len(numbers), "looking at the frames")
        proxies = [result[0] for result in looked]
        steps = list(pool.map(lambda i: _step(proxies[i], proxies[i + 1]), range(len(numbers) - 1)))
    corners = np.zeros((len(numbers), CORNERS, 2), np.float32)
    for index, proxy in enumerate(proxies):
        corners[index, : len(proxy.corners)] = proxy.corners[:, 0]
    chain, second_chain, segments = _chain(steps, (rows, columns))
    shot = Shot(
        numbers=numbers, size=frames.size, factor=factor,
        knee=knee_of(float(np.median([result[1] for result in looked]))),
        luma=np.stack([proxy.luma for proxy in proxies]),
        usable=np.stack([proxy.usable for proxy in proxies]),
        corners=corners, corner_counts=np.array([len(proxy.corners) for proxy in proxies], np.int64),
        chain=np.stack(chain), second_chain=np.stack(second_chain), segments=np.array(segments, np.int64),
        locked=np.zeros(len(numbers), np.uint8),
        clean=np.array([result[4] for result in looked], np.uint8),
        coarse_seen=np.stack([result[2] for result in looked]),
        coarse_hole=np.stack([result[3] for result in looked]),
    )  # fmt: skip
    return replace(shot, locked=_locked(shot, workers))


def _cells(mask: Mask, box: Box, size: tuple[int, int], coarse: tuple[int, int]) -> Bytes:
    """1 for every coarse cell that holds a true pixel of a mask over a box; looks at no pixel beyond the box."""
    rows = np.arange(box.y0, box.y1) * coarse[0] // size[0]
    columns = np.arange(box.x0, box.x1) * coarse[1] // size[1]
    first_rows, first_columns = (np.flatnonzero(np.diff(cells, prepend=-1)) for cells in (rows, columns))
    any_row = np.logical_or.reduceat(mask, first_rows, axis=0)
    found = np.zeros(coarse, np.uint8)
    found[np.ix_(rows[first_rows], columns[first_columns])] = np.logical_or.reduceat(any_row, first_columns, axis=1)
    return found


def _chain(
    steps: Sequence[Track | None], size: tuple[int, int]
) -> tuple[list[Homography], list[Homography], list[int]]:
    """Motions of the main and the second plane along the shot, each following one plane throughout, and segments."""
    chain, second, segments = [np.eye(3)], [np.eye(3)], [0]
    region = np.zeros(REGION, bool)
    for step in steps:
        if step is None:
            chain.append(np.eye(3))
            second.append(np.eye(3))
            segments.append(segments[-1] + 1)
            region = np.zeros(REGION, bool)
            continue
        motions = several_motions(step, size, 2)
        begins = [_region(step.start[members] if len(members) else step.start, size) for _, members in motions]
        # The first is the largest: it leads where there is nothing to compare with yet.
        overlaps = [float((cells & region).sum()) / max(1, int((cells | region).sum())) for cells in begins]
        main = int(np.argmax(overlaps))
        homography, members = motions[main]
        chain.append(homography @ chain[-1])
        second.append(motions[1 - main][0] @ second[-1] if len(motions) > 1 else homography @ second[-1])
        segments.append(segments[-1])
        if begins[main].any():
            region = _region(step.end[members] if len(members) else step.end, size)
    return chain, second, segments


def _region(points: Floats, size: tuple[int, int]) -> Mask:
    cells = np.zeros(REGION, bool)
    row = np.clip(points[:, 0, 1] * REGION[0] / size[0], 0, REGION[0] - 1).astype(int)
    cells[row, np.clip(points[:, 0, 0] * REGION[1] / size[1], 0, REGION[1] - 1).astype(int)] = True
    return cells


def _step(first: Proxy, second: Proxy) -> Track | None:
    """Motion between neighbouring frames, or None across a cut."""
    found = track(first, second, np.eye(3))
    if _follows(found, first):
        return found
    found = track(first, second, shifted_guess(first, second))
    if _follows(found, first):
        return found
    small = [reduce(proxy.luma, (18, 32)).ravel() for proxy in (first, second)]
    deviations = [float(values.std()) for values in small]
    # Under two levels of 255 a picture is one flat tone; two flat frames cannot be told apart, nor need they be.
    if max(deviations) < 2.0:
        return Track(np.eye(3), 0, 9.0)
    if min(deviations) < 2.0:
        return None
    alike = float(np.corrcoef(small[0], small[1])[0, 1])
    return Track(np.eye(3), 0, 9.0) if alike > SAME_SHOT else None


def _follows(found: Track, first: Proxy) -> bool:
    # Chance matches across a cut explain a few corners at most; 12 % of them never agree on one motion by chance.
    return found.inliers >= max(8, 0.12 * len(first.corners))


def _locked(shot: Shot, workers: int) -> Bytes:
    """1 for every frame of a segment that does not move against its middle frame."""
    locked = np.zeros(len(shot.numbers), np.uint8)

    def still(pair: tuple[int, int]) -> bool:
        first, second = pair
        # Flat pictures have nothing to track: taking them as they lie is then the only choice.
        flat = shot.corner_counts[first] == 0 and shot.corner_counts[second] == 0
        return bool(flat or shot.register(first, second).still)

    with ThreadPoolExecutor(workers) as pool:
        for members in segments_of(shot):
            chained = shot.chain[members]
            if not np.array_equal(chained, np.broadcast_to(np.eye(3), chained.shape)):
                continue
            middle = members[len(members) // 2]
            locked[members] = all(pool.map(still, [(middle, other) for other in members if other != middle]))
    return locked


def segments_of(shot: Shot) -> Iterator[list[int]]:
    """Positions of each run of frames between cuts."""
    for segment in range(int(shot.segments.max(initial=0)) + 1):
        yield [int(i) for i in np.flatnonzero(shot.segments == segment)]
