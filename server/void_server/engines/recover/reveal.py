"""One frame's hole filled from other frames, then from clean plates, then from what was invented."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from void_plugin.errors import Cancelled
from void_server.engines import Frames, IsCancelled, Mask, Picture
from void_server.engines.recover.again import look_again
from void_server.engines.recover.merge import Merged, match_light, merge, put_sharply
from void_server.engines.recover.pixels import pasted, put
from void_server.engines.recover.planes import find_layers
from void_server.engines.recover.pyramid import spread
from void_server.engines.recover.sample import (
    Sample,
    choose_planes,
    proxy_box,
    sample,
    sample_clean_plate,
    sample_key,
)
from void_server.engines.recover.shot import Shot
from void_server.engines.recover.sources import choose_sources
from void_server.engines.recover.still import merge_still
from void_server.engines.recover.tone import encode
from void_server.tiles import Box, box_of

RING_SHARE, WIDEST_RING = 0.02, 48
"""Of the width, and in pixels: how far around the hole light is compared. Wide enough for a median, near enough to
be its light; past 48 pixels even a small hole has thousands of them, and more only cost time."""

CONTEXT_SHARE = 0.05
"""Of the width: how far around the hole motion and planes are judged; both need more surroundings than light."""

CELL = 8
"""Plate and proxy pixels at whose multiples boxes begin and end, as far as the frame goes. The cells in which light is
evened out, sources compared and neighbours asked are 8, 4 or 2 a side, and area means over whole pixels take OpenCV a
half to a twentieth of the time. Cells also lie alike from frame to frame."""

LEAST_AROUND = 32
"""Plate pixels around what is continued smoothly: four membrane cells."""

MIDDLE_GREY = math.log(3.0)
"""The shot's median light, encoded: the knee is half of it. Stands where nothing at all is known."""


@dataclass(frozen=True)
class Revealed:
    """A target's hole as far as it is known. Arrays lie on `box`."""

    box: Box
    plate: Picture
    """Encoded."""
    hole: Mask
    ring: Mask
    """Usable pixels of the target around the hole."""
    colour: Picture
    """Encoded; the plate outside the hole."""
    known: Mask
    """Hole pixels that have got a colour, real or invented."""
    real: Mask
    """Hole pixels that come from real pixels of other frames or from a clean plate."""
    sources: int
    planes: int
    ring_error: float
    grain: float
    """Deviation of the sources' grain that is left in it."""

    @property
    def missing(self) -> Mask:
        return self.hole & ~self.known

    @property
    def coverage(self) -> float:
        """Share of the hole that comes from real pixels."""
        return float(self.real.sum()) / max(1, int(self.hole.sum()))


def reveal(
    shot: Shot, frames: Frames, target: int, fills: Sequence[int], single: bool, cancelled: IsCancelled
) -> Revealed | None:
    """The hole as real pixels and what is invented so far show it; None where the frame has no hole."""
    number = shot.numbers[target]
    around = frames.hole(number)
    if around is None:
        return None
    height, width = shot.size
    whole = Box(0, 0, width, height)
    box = _grown(around, min(round(RING_SHARE * width), WIDEST_RING), whole)
    linear, labels = frames.plate(number, box), frames.labels(number, box)
    hole = np.isin(labels, fills)
    plate = encode(linear, shot.knee)
    ring = frames.usable(number, box) & ~hole
    given = frames.clean_plate(number, box) if shot.clean[target] else None
    if given is not None:
        colour = pasted(encode(given, shot.knee), hole, plate)
        return Revealed(box, plate, hole, ring, colour, hole, hole, 1, 1, 0.0, 1.0)
    merged, count, planes = _from_sources(
        shot, frames, target, box, around, linear, plate, ring, hole, single, cancelled
    )
    real = hole & merged.seen
    colour = pasted(merged.colour, real, plate)
    revealed = Revealed(box, plate, hole, ring, colour, real, real, count, planes, merged.ring_error, merged.grain)
    revealed = _from_clean_plates(shot, frames, target, revealed, cancelled)
    return _from_keys(shot, target, revealed, cancelled)


def _grown(box: Box, pixels: int, whole: Box) -> Box:
    # By so many pixels on average; by four at least, so that the smallest proxy still has a ring.
    return box.grown(max(4, pixels - CELL // 2)).snapped(CELL).within(whole) or box


def _from_sources(
    shot: Shot, frames: Frames, target: int, box: Box, around: Box, linear: Picture, plate: Picture, ring: Mask,
    hole: Mask, single: bool, cancelled: IsCancelled,
) -> tuple[Merged, int, int]:  # fmt: skip
    # In a deep scene the frames compared decide which plane a pixel shows, so the best ones count before their grain.
    sources = choose_sources(shot, target, single and not shot.deep)
    if not sources:
        return Merged(plate, np.zeros(hole.shape, bool), 0.0), 0, 1
    if shot.locked[target]:
        merged = merge_still(shot, frames, target, sources, box, linear, plate, ring, hole, single, cancelled)
        return merged, len(sources), 1
    rows, columns = shot.proxy_size
    context = _grown(proxy_box(shot, around), round(CONTEXT_SHARE * columns), Box(0, 0, columns, rows))
    tracks = {}
    for source in sources:
        if cancelled():
            raise Cancelled
        tracks[source] = shot.register(target, source)
    # A guess is only drawn on where nothing better is there: chained motion drifts.
    if any(track.found for track in tracks.values()):
        tracks = {source: track for source, track in tracks.items() if track.found}
    layers = find_layers(shot, target, tracks, context)
    plane_of = None if layers is None else choose_planes(shot, layers, box)
    samples = []
    for source, track in tracks.items():
        if cancelled():
            raise Cancelled
        samples.append(sample(shot, frames, target, source, track, layers, plane_of, box, context, single))
    merged = merge(samples, target, plate, ring, hole, shot.knee, single)
    if layers is None or plane_of is None:
        return merged, len(samples), 1
    merged, more = look_again(shot, frames, target, layers, plane_of, merged, box, plate, ring, hole, single, cancelled)
    return merged, len(samples) + more, layers.count


def _from_clean_plates(shot: Shot, frames: Frames, target: int, revealed: Revealed, cancelled: IsCancelled) -> Revealed:
    given = [other for other in shot.peers(target) if shot.clean[other]]
    for source in sorted(given, key=lambda other: (abs(other - target), other)):
        if cancelled():
            raise Cancelled
        missing = revealed.missing
        if not missing.any():
            break
        laid = sample_clean_plate(shot, frames, source, shot.register(target, source), revealed.box)
        laid, _ = match_light(laid, revealed.plate, revealed.ring, shot.knee)
        new = missing & laid.seen
        revealed = _with(revealed, laid, new, shot.knee, real=True)
    return revealed


def _from_keys(shot: Shot, target: int, revealed: Revealed, cancelled: IsCancelled) -> Revealed:
    for key in shot.keys:
        missing = revealed.missing
        if not missing.any():
            break
        if shot.segments[key.position] != shot.segments[target]:
            continue
        if cancelled():
            raise Cancelled
        laid, invented = sample_key(shot, key, shot.register(target, key.position), revealed.box)
        # The invented part joins what is around it: plate and recovered pixels that the key frame shows as well.
        laid, _ = match_light(laid, revealed.colour, revealed.ring | revealed.known, shot.knee)
        revealed = _with(revealed, laid, missing & invented, shot.knee, real=False)
    return revealed


def _with(revealed: Revealed, laid: Sample, where: Mask, knee: float, real: bool) -> Revealed:
    colour = revealed.colour.copy()
    put_sharply(colour, laid, where, knee)
    return replace(
        revealed,
        colour=colour,
        known=revealed.known | where,
        real=revealed.real | where if real else revealed.real,
    )


def complete(revealed: Revealed) -> Picture:
    """The encoded picture with a smooth continuation over whatever is still missing."""
    missing = revealed.missing
    if not missing.any():
        return revealed.colour
    known = revealed.ring | revealed.known
    if not known.any():
        return np.where(missing[..., None], np.float32(MIDDLE_GREY), revealed.colour).astype(np.float32)
    tight = box_of(missing)
    whole = Box(0, 0, missing.shape[1], missing.shape[0])
    # A few slivers are continued from around them; what is far away would have no say.
    area = None if tight is None else tight.grown(max(LEAST_AROUND, tight.width, tight.height)).within(whole)
    here = (area or whole).rows, (area or whole).columns
    if not known[here].any():
        here = whole.rows, whole.columns
    colour = revealed.colour.copy()
    put(colour[here], spread(revealed.colour[here], known[here].astype(np.float32)), missing[here])
    return colour
