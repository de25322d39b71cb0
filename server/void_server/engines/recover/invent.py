"""What no frame shows is invented once per segment, so that it sticks to the set in all its frames."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np

from void_plugin.errors import Cancelled
from void_server.engines import Frames, IsCancelled, Tell
from void_server.engines.recover.motion import Bytes
from void_server.engines.recover.reveal import Revealed, complete, reveal
from void_server.engines.recover.shot import INVENTED, KNOWN, KeyFill, Shot, segments_of
from void_server.engines.recover.sources import candidates
from void_server.engines.recover.texture import synthesise
from void_server.engines.recover.tone import encode
from void_server.tiles import Box, box_of

MOST_KEYS = 12
"""Per segment: a camera that needs more shows too little of the set for any fill to hold together."""

WORTHWHILE = 0.002
"""Share of a hole below which missing pixels are slivers, for which a smooth continuation is as good."""

CONTEXT = 0.9
"""Texture is taken from around the hole, as far away as this share of its longer side."""

LEAST_CONTEXT = 48
"""Plate pixels; several patches even around the smallest hole."""

KEY_MARGIN = 24
"""Plate pixels of known picture kept around an invented area: three membrane cells to match its light by."""


def invent(
    shot: Shot, frames: Frames, fills: Sequence[int], single: bool, seed: int, workers: int, progress: Tell,
    cancelled: IsCancelled,
) -> Shot:  # fmt: skip
    """The shot with key fills for everything that no frame is expected to show."""
    with ThreadPoolExecutor(workers) as pool:
        unseen = dict(enumerate(pool.map(lambda t: _unseen(shot, t, cancelled), range(len(shot.numbers)))))
    for members in segments_of(shot):
        left = {position: unseen[position] for position in members if unseen[position].any()}
        keys = 0
        while left and keys < MOST_KEYS:
            if cancelled():
                raise Cancelled
            middle = members[len(members) // 2]
            best = max(left, key=lambda position: (int(left[position].sum()), -abs(position - middle), -position))
            cells = left.pop(best)
            if int(cells.sum()) < max(2.0, WORTHWHILE * float(shot.coarse_hole[best].sum())):
                continue
            revealed = reveal(shot, frames, best, fills, single, cancelled)
            if revealed is None or int(revealed.missing.sum()) < WORTHWHILE * float(revealed.hole.sum()):
                continue
            shot = replace(shot, keys=(*shot.keys, _make_key(shot, frames, best, revealed, seed)))
            keys += 1
            progress(min(1.0, keys / MOST_KEYS), "inventing what no frame shows")
            # Grown by a cell, so that the rims of two predictions do not ask for a key of their own.
            wide = np.asarray(cv2.dilate(cells, np.ones((3, 3), np.uint8)), np.uint8)
            for position in list(left):
                left[position] = left[position] & (1 - shot.seen_from(position, best, wide))
                if not left[position].any():
                    del left[position]
    return shot


def _unseen(shot: Shot, target: int, cancelled: IsCancelled) -> Bytes:
    """Coarse cells of the hole that no other frame shows."""
    left = shot.coarse_hole[target].copy()
    if shot.clean[target]:
        left[:] = 0
    everything = np.ones(shot.coarse_size, np.uint8)
    for other in sorted(candidates(shot, target), key=lambda other: -abs(other - target)):
        if not left.any():
            break
        if cancelled():
            raise Cancelled
        cells = everything if shot.clean[other] else shot.coarse_seen[other]
        left &= 1 - shot.seen_from(target, other, cells)
    return np.asarray(left, np.uint8)


def _make_key(shot: Shot, frames: Frames, position: int, revealed: Revealed, seed: int) -> KeyFill:
    height, width = shot.size
    whole = Box(0, 0, width, height)
    missing = revealed.missing
    tight = box_of(missing, (revealed.box.x0, revealed.box.y0))
    assert tight is not None  # a key is made where much is missing
    reach = max(LEAST_CONTEXT, round(CONTEXT * max(tight.width, tight.height)))
    wide = tight.grown(reach).within(whole) or tight
    number = shot.numbers[position]
    picture = encode(frames.plate(number, wide), shot.knee)
    known = frames.usable(number, wide).copy()
    hole = np.zeros(wide.size, bool)
    shared = revealed.box.within(wide) or wide
    inner, outer = _inside(shared, revealed.box), _inside(shared, wide)
    done = revealed.known[inner]
    picture[outer][done] = complete(revealed)[inner][done]
    known[outer] |= done
    hole[outer] = missing[inner]
    # Each key its own draws, or two keys of one shot would repeat each other's choices.
    filled = synthesise(picture, hole, ~known & ~hole, seed * 1000 + position)
    box = tight.grown(KEY_MARGIN).within(wide) or tight
    part = _inside(box, wide)
    kinds = np.where(hole, INVENTED, np.where(known, KNOWN, 0)).astype(np.uint8)
    return KeyFill(position, box, filled[part].copy(), kinds[part].copy())


def _inside(box: Box, of: Box) -> tuple[slice, slice]:
    local = box.moved(-of.x0, -of.y0)
    return local.rows, local.columns
