"""A second look: frames that show what the first choice of sources leaves open between two planes.

That choice knows where the object hides the set, not where the set hides itself; the strip beside the outline of a
near plane is often seen by a few frames only. With the outline known, so are they.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from void_plugin.errors import Cancelled
from void_server.engines import Frames, IsCancelled, Mask, Picture
from void_server.engines.recover.merge import MEMBRANE_CELL, Merged, match_light, put_sharply
from void_server.engines.recover.motion import Bytes, Homography, moved
from void_server.engines.recover.pixels import pasted
from void_server.engines.recover.planes import Layers, with_source
from void_server.engines.recover.pyramid import Floats
from void_server.engines.recover.sample import sample
from void_server.engines.recover.shot import Shot
from void_server.engines.recover.sources import candidates, nearness
from void_server.engines.recover.tone import pixels_under
from void_server.tiles import Box, box_of

MOST_MORE = 3
"""Sources added: each shows another part of a strip a few pixels wide, and costs a registration."""

FEWEST_MORE, SHARE_MORE = 24, 0.002
"""Plate pixels, and the share of the hole, that a further source must be expected to show to be worth its
registration: a sliver of 5 by 5, and what the first choice of sources asks for as well."""

PLACES = 2000
"""Open pixels whose fate in other frames is foretold: enough to compare frames to a few percent."""

MARGIN = 24
"""Plate pixels around the open ones by which light is matched: three cells of the membrane."""


def look_again(
    shot: Shot, frames: Frames, target: int, layers: Layers, chosen: Bytes, merged: Merged, box: Box, plate: Picture,
    ring: Mask, hole: Mask, single: bool, cancelled: IsCancelled,
) -> tuple[Merged, int]:  # fmt: skip
    """The merged picture with more of the hole seen, and how many sources that took."""
    tried: set[int] = set()
    fewest = max(FEWEST_MORE, SHARE_MORE * int(hole.sum()))
    while len(tried) < MOST_MORE:
        if cancelled():
            raise Cancelled
        open_ = hole & ~merged.seen
        source, tight = _most_telling(shot, target, layers, chosen, open_, box, tried, fewest), box_of(open_)
        if source is None or tight is None:
            break
        tried.add(source)
        track = shot.register(target, source)
        if not track.found:
            continue
        extended = with_source(shot, layers, source, track)
        part = tight.grown(MARGIN).snapped(MEMBRANE_CELL).within(Box(0, 0, box.width, box.height)) or tight
        here = part.rows, part.columns
        place = part.moved(box.x0, box.y0)
        laid = sample(shot, frames, target, source, track, extended, chosen[here], place, layers.box, single)
        known = pasted(plate[here], ring[here], merged.colour[here])
        laid, _ = match_light(laid, known, ring[here] | (hole & merged.seen)[here], shot.knee)
        new = open_[here] & laid.seen
        colour, seen = merged.colour.copy(), merged.seen.copy()
        put_sharply(colour[here], laid, new, shot.knee)
        seen[here] |= new
        merged = replace(merged, colour=colour, seen=seen)
    return merged, len(tried)


def _most_telling(
    shot: Shot, target: int, layers: Layers, chosen: Bytes, open_: Mask, box: Box, tried: set[int],
    fewest: float,
) -> int | None:  # fmt: skip
    """The frame that is expected to show most of the open pixels, by chained motion; None where none is worth it."""
    if int(open_.sum()) < fewest:
        return None
    picked = pixels_under(open_, PLACES)
    share = int(open_.sum()) / len(picked)
    y, x = np.divmod(picked, open_.shape[1])
    # Proxy pixel p is centred on plate pixel factor * (p + 0.5) - 0.5.
    places = (np.stack([x + box.x0, y + box.y0], axis=-1) + 0.5) / shot.factor - 0.5
    plane_of = chosen.ravel()[picked]
    second = _follows_second(shot, target, layers)
    best, most = None, 0.0
    for other in candidates(shot, target):
        if other in tried or other in layers.motions:
            continue
        motions = [shot.guess(target, other, follows) for follows in second]
        count = share * _shown(shot, other, layers, motions, places.astype(np.float32), plane_of)
        worth = count * nearness(target, other)
        if count >= fewest and worth > most:
            best, most = other, worth
    return best


def _follows_second(shot: Shot, target: int, layers: Layers) -> list[bool]:
    """Per plane whether the second chain of motions foretells it better than the first."""
    centre = np.array([[[layers.box.x0 + layers.box.width / 2, layers.box.y0 + layers.box.height / 2]]], np.float32)
    off = np.zeros((2, layers.count))
    for source, motions in layers.motions.items():
        for plane, motion in enumerate(motions):
            for second in (False, True):
                if motion is not None:
                    gap = moved(centre, shot.guess(target, source, second)) - moved(centre, motion)
                    off[int(second), plane] += float(np.abs(gap).max())
    return [bool(second) for second in off[1] < off[0]]


def _shown(shot: Shot, other: int, layers: Layers, motions: list[Homography], places: Floats, plane_of: Bytes) -> int:
    """How many of some places a frame shows."""
    total, usable = 0, shot.usable(other)
    for rank, plane in enumerate(layers.order):
        points = moved(places[plane_of == plane][:, None], motions[plane]) if (plane_of == plane).any() else None
        if points is None:
            continue
        shown = _lookup(usable, points, 0, 0)
        for front in layers.order[:rank]:
            back = moved(points, np.asarray(np.linalg.inv(motions[front]), np.float64))
            shown &= ~_lookup(layers.fronts[front], back, layers.box.x0, layers.box.y0)
        total += int(shown.sum())
    return total


def _lookup(image: Bytes | Floats, points: Floats, x0: int, y0: int) -> Mask:
    """Whether an image is more than half at points; False outside."""
    x, y = np.round(points[:, 0, 0] - x0).astype(int), np.round(points[:, 0, 1] - y0).astype(int)
    inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
    found = np.zeros(len(points), bool)
    found[inside] = image[y[inside], x[inside]] > 0.5
    return found
