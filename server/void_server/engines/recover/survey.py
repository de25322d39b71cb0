"""Looks at every frame of a shot once: proxies, how the camera moves from frame to frame, and where cuts are."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from void_plugin.errors import Cancelled
from void_server.engines import Frames, IsCancelled, Mask, Tell
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
from void_server.engines.recover.shot import Shot, segments_of, unpacked
from void_server.engines.recover.tone import knee_of
from void_server.tiles import Box

COARSE_LONG_SIDE = 240
"""Cells of the visibility maps along the long side: 16 plate pixels at 4K, a fraction of any matte."""

REGION = (14, 24)
"""Rows and columns of the cells by which the tracks of a plane are recognised in the next frame."""

SAME_SHOT = 0.55
"""Correlation of two coarse pictures above which a failed track is a lack of texture, not a cut."""


class _Seen(NamedTuple):
    """What is known of one frame by itself."""

    corners: int
    """How many its proxy has."""
    light: float
    clear: Bytes
    """Per coarse cell, 1 where every pixel is usable."""
    hole: Bytes
    """Per coarse cell, 1 where any pixel is to be filled."""
    clean: bool
    """Whether there is a clean plate."""


def survey(frames: Frames, fills: Sequence[int], workers: int, progress: Tell, cancelled: IsCancelled) -> Shot:
    """Look at every frame once and work out how the camera moves and where cuts are."""
    numbers = tuple(frames.numbers)
    height, width = frames.size
    factor = max(1, round(max(height, width) / PROXY_LONG_SIDE))
    rows, columns = -(-height // factor), -(-width // factor)
    scale = min(1.0, COARSE_LONG_SIDE / max(rows, columns))
    coarse = max(2, round(rows * scale)), max(2, round(columns * scale))
    whole = Box(0, 0, 1, 1)

    def look(frame: int) -> tuple[_Seen, Proxy]:
        if cancelled():
            raise Cancelled
        picture, usable = frames.reduced(frame, factor)
        made, light = make_proxy(picture, usable)
        hole = np.zeros(coarse, np.uint8)
        box = frames.hole(frame)
        if box is not None:
            hole = _cells(np.isin(frames.labels(frame, box), fills), box, frames.size, coarse)
        # 97 %: the coarse grid does not divide the proxy, so a clear cell may touch a sliver of its neighbour.
        seen = (reduce(usable, coarse) > 0.97).astype(np.uint8)
        clean = frames.clean_plate(frame, whole) is not None
        return _Seen(len(made.corners), light, seen, hole, clean), made

    # Whole arrays from the beginning: lists of pictures that are stacked in the end lie in memory twice.
    luma = np.empty((len(numbers), rows, columns), np.uint8)
    usable_bits = np.empty((len(numbers), rows, -(-columns // 8)), np.uint8)
    corners = np.zeros((len(numbers), CORNERS, 2), np.float32)

    def proxy(index: int) -> Proxy:
        count = looked[index].corners
        return Proxy(luma[index], unpacked(usable_bits[index], columns), corners[index, :count].reshape(-1, 1, 2))

    looked: list[_Seen] = []
    with ThreadPoolExecutor(workers) as pool:
        for index, (seen, made) in enumerate(pool.map(look, numbers)):
            luma[index], usable_bits[index] = made.luma, np.packbits(made.usable, axis=-1)
            corners[index, : seen.corners] = made.corners[:, 0]
            looked.append(seen)
            progress(0.5 * len(looked) / len(numbers), "looking at the frames")
        steps = list(pool.map(lambda i: _step(proxy(i), proxy(i + 1)), range(len(numbers) - 1)))
    chain, second_chain, segments = _chain(steps, (rows, columns))
    shot = Shot(
        numbers=numbers, size=frames.size, factor=factor,
        knee=knee_of(float(np.median([found.light for found in looked]))),
        luma=luma,
        usable_bits=usable_bits,
        corners=corners, corner_counts=np.array([found.corners for found in looked], np.int64),
        chain=np.stack(chain), second_chain=np.stack(second_chain), segments=np.array(segments, np.int64),
        locked=np.zeros(len(numbers), np.uint8),
        clean=np.array([found.clean for found in looked], np.uint8),
        coarse_seen=np.stack([found.clear for found in looked]),
        coarse_hole=np.stack([found.hole for found in looked]),
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
