"""Parallax: up to three planes that pass the camera differently, and which of them each hidden pixel shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import Mask
from void_server.engines.recover.borders import covered, laid_on, refine
from void_server.engines.recover.costs import (
    NEIGHBOURHOOD,
    TEMPERATURE,
    WORST,
    agree,
    best_two,
    lowest_plane,
    pair_costs,
    undecided,
)
from void_server.engines.recover.motion import OFF_PLANE, Homography, Track, fit, moved, several_motions
from void_server.engines.recover.pixels import put, put_number
from void_server.engines.recover.pyramid import Floats, enlarge, reduce, soften
from void_server.engines.recover.shot import Shot
from void_server.tiles import Box

MOST_PLANES = 3
"""Ground, middle and background; a fourth rarely has the tracks to define it."""

OFF_SHARE = 0.1
"""Share of tracks off the main motion at which a scene counts as deep; less is people and leaves."""

FRONT_BONUS = 2.0
"""Levels a plane may match worse for each plane it lies in front of: behind it, background revealed in other
frames matches too, so a tie goes to the front. About the grain left after averaging."""

COVERED = 12.0
"""Levels added where all sources show another plane at the place: as much as a plain mismatch of textures."""

EDGE_REACH, EDGE_SLOPE, FEWEST_EDGE = 3, 4.0, 30
"""Proxy pixels around the border of two planes in which their common edge lies (the patch blurs it by two), levels a
pixel above which a slope is an edge and not grain, and edge pixels below which nothing is read from them."""

RARELY_COVERED = 0.01
"""Share of covered pixels that uncertain labels make by themselves; below it the sign says nothing."""


@dataclass(frozen=True)
class Layers:
    """The planes around one hole. Maps lie on the proxy pixels of `box`."""

    box: Box
    motions: Mapping[int, Sequence[Homography | None]]
    """Per source and plane the proxy motion from the target; None where the source does not show the plane."""
    scores: Floats
    """(planes, h, w); the plane of a pixel is the one with the lowest score."""
    hidden: Mapping[int, Sequence[Mask]]
    """Per source and plane, where another plane covers the pixel in that source."""
    order: Sequence[int]
    """The planes from front to back."""
    fronts: Mapping[int, Floats]
    """Per plane but the last in order, 1 where it is or where only one in front of it hides it."""
    plane_of: NDArray[np.int64]
    """The plane of each of the target's corners; -1 for none."""

    @property
    def count(self) -> int:
        return len(self.scores)


def find_layers(shot: Shot, target: int, tracks: Mapping[int, Track], box: Box) -> Layers | None:
    """The planes seen from a target through its sources, on a proxy box; None where one motion explains all."""
    found = _plane_motions(shot, tracks)
    if found is None:
        return None
    motions, plane_of = found
    sources = list(motions)
    count = len(motions[sources[0]])
    frames = [target, *sources]
    corner = np.array([[1, 0, box.x0], [0, 1, box.y0], [0, 0, 1.0]])
    pairs: list[dict[tuple[int, int], Floats]] = []
    members = np.full((len(frames), count, box.height, box.width), np.inf, np.float32)
    seen = np.zeros((len(frames), count, box.height, box.width), bool)
    luma = np.zeros((count, len(frames), box.height, box.width), np.float32)
    usable = {frame: shot.usable(frame) for frame in sources}
    for plane in range(count):
        luma[plane, 0] = shot.luma[target][box.rows, box.columns]
        seen[0, plane] = shot.usable(target)[box.rows, box.columns] > 0
        for index, frame in enumerate(sources, start=1):
            motion = motions[frame][plane]
            if motion is None:
                continue
            size, place = (box.width, box.height), motion @ corner
            flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
            luma[plane, index] = cv2.warpPerspective(shot.luma[frame], place, size, flags=flags)
            flags = cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST
            seen[index, plane] = cv2.warpPerspective(usable[frame], place, size, flags=flags) > 0
        pairs.append(pair_costs(luma[plane], seen[:, plane]))
        for index in range(len(frames)):
            own = [cost for pair, cost in pairs[plane].items() if index in pair]
            members[index, plane] = best_two(own, (box.height, box.width))
    hidden = np.zeros(seen.shape, bool)
    for index, frame in enumerate(sources, start=1):
        hidden[index] = _hidden_in(members[index], motions[frame], corner)
    order = _front_first(members[0], luma, seen, hidden)
    scores = _scores(pairs, order, members, seen, hidden)

    def across(index: int, plane: int, other: int) -> Homography | None:
        return np.eye(3) if index == 0 else _across(box, motions[frames[index]], plane, other)

    scores, fronts, hidden = refine(scores, luma, seen, order, across)
    by_source = {frame: list(hidden[index + 1]) for index, frame in enumerate(sources)}
    return Layers(box, motions, scores, by_source, order, fronts, plane_of)


def with_source(shot: Shot, layers: Layers, source: int, track: Track) -> Layers:
    """The layers with one more source."""
    own = _motions_of(track, layers.plane_of, layers.count, shot.proxy_size)
    shape = (1, layers.count, layers.box.height, layers.box.width)
    hidden = covered(layers.fronts, layers.order, shape, lambda _, a, b: _across(layers.box, own, a, b))
    return replace(layers, motions={**layers.motions, source: own}, hidden={**layers.hidden, source: list(hidden[0])})


def _across(box: Box, motions: Sequence[Homography | None], plane: int, other: int) -> Homography | None:
    """The motion from the pixels of a plane to those of another that lie in one place of a source."""
    here, there = motions[plane], motions[other]
    if here is None or there is None:
        return None
    corner = np.array([[1, 0, box.x0], [0, 1, box.y0], [0, 0, 1.0]])
    return np.asarray(np.linalg.inv(corner) @ np.linalg.inv(there) @ here @ corner, np.float64)


def _hidden_in(costs: Floats, motions: Sequence[Homography | None], corner: Homography) -> Mask:
    """Per plane, where a source shows another plane at the place of a target's pixel."""
    count, height, width = costs.shape
    hidden = np.zeros(costs.shape, bool)
    first = next((plane for plane in range(count) if motions[plane] is not None), None)
    if first is None:
        return hidden
    anchor = motions[first]
    whole = Box(0, 0, width, height)
    # All costs of a source side by side on its own pixels, which the first plane's motion brings to the grid.
    aligned = np.full(costs.shape, np.inf, np.float32)
    for plane, motion in enumerate(motions):
        if motion is not None and anchor is not None:
            across = np.linalg.inv(corner) @ np.linalg.inv(motion) @ anchor @ corner
            # Each by itself: OpenCV lays two channels three times as slowly as one and one.
            shown = laid_on(np.isfinite(costs[plane]).astype(np.float32), across, 0.0, whole)
            put(aligned[plane], laid_on(np.minimum(costs[plane], WORST), across, WORST, whole), shown > 0.99)
    aligned = undecided(aligned)
    half = max(2, height // 2), max(2, width // 2)
    likely = agree(np.stack([reduce(cost, half) for cost in aligned]), NEIGHBOURHOOD / 2)
    likely = np.stack([enlarge(share, (height, width)) for share in likely])
    for plane, motion in enumerate(motions):
        if motion is not None and anchor is not None:
            across = np.linalg.inv(corner) @ np.linalg.inv(anchor) @ motion @ corner
            # Beyond the box nothing is known against the plane.
            hidden[plane] = laid_on(likely[plane], across, 1.0, whole) < 1.0 / (count + 1)
    return hidden


def _plane_motions(
    shot: Shot, tracks: Mapping[int, Track]
) -> tuple[dict[int, list[Homography | None]], NDArray[np.int64]] | None:
    """Per source the motion of each plane, and the plane of each corner; None where there is but one."""
    size = shot.proxy_size
    best, worst_share = None, OFF_SHARE
    for source, track in tracks.items():
        if track.still or len(track.start) < 40:
            continue
        off = np.abs(moved(track.start, track.homography) - track.end).max(axis=(1, 2)) > OFF_PLANE
        if float(off.mean()) > worst_share:
            best, worst_share = source, float(off.mean())
    if best is None:
        return None
    lead = tracks[best]
    plane_of = np.full(int(shot.corners.shape[1]), -1)
    found = several_motions(lead, size, MOST_PLANES)
    count = len(found)
    if count == 1:
        return None
    for plane, (_, members) in enumerate(found):
        plane_of[lead.indices[members]] = plane
    motions: dict[int, list[Homography | None]] = {}
    for source, track in tracks.items():
        if not track.found or not len(track.start):
            continue
        motions[source] = _motions_of(track, plane_of, count, size)
    return (motions, plane_of) if motions else None


def _motions_of(
    track: Track, plane_of: NDArray[np.int64], count: int, size: tuple[int, int]
) -> list[Homography | None]:
    members = [plane_of[track.indices] == plane for plane in range(count)]
    fits = [fit(track.start[own], track.end[own], size) for own in members]
    return [None if found is None else found[0] for found in fits]


def _scores(
    pairs: Sequence[Mapping[tuple[int, int], Floats]], order: Sequence[int], members: Floats, seen: Mask, hidden: Mask
) -> Floats:
    count = members.shape[1]
    shown = seen & ~hidden
    support = shown[1:].sum(axis=0, dtype=np.uint8).astype(np.float32)
    costs = []
    for plane in range(count):
        kept = []
        for (first, second), cost in pairs[plane].items():
            counts = np.minimum(cost, WORST)
            put_number(counts, WORST, ~(shown[first, plane] & shown[second, plane]))
            kept.append(counts)
        costs.append(best_two(kept, members.shape[2:]))
    shares = support / np.maximum(seen[1:].sum(axis=0, dtype=np.uint8), 1)
    # What is hidden must be confirmed: a plane that fewer frames show counts as a mismatch there, not as a tie.
    data = np.minimum(np.stack(costs), WORST)
    for plane in range(count):
        data[plane] += FRONT_BONUS * order.index(plane) + COVERED * (1 - shares[plane])
    # What the target itself shows needs no guess.
    for plane in range(count):
        put(data[plane], np.minimum(members[0, plane], WORST), seen[0, 0])
    return np.asarray(-np.log(np.maximum(agree(data, NEIGHBOURHOOD), 1e-6)), np.float32)


def _front_first(own: Floats, luma: Floats, seen: Mask, hidden: Mask) -> list[int]:
    """Planes from front to back, told by two signs that need no depth.

    The edge between two planes belongs to the one in front and moves with it; and what is in front is never
    covered, so its pixels are found in every source. `own` are the target's costs per plane; `luma` lies per plane
    and frame, `seen` and `hidden` per frame and plane on the target's pixels.
    """
    known = undecided(own)
    winner, margin = lowest_plane(known)
    clear = seen[0, 0] & (margin > TEMPERATURE)
    covered = np.zeros(len(own))
    shown = np.zeros(len(own), bool)
    for plane in range(len(own)):
        there = (clear & (winner == plane))[None] & seen[1:, plane]
        shown[plane] = int(there.sum()) >= FEWEST_EDGE
        covered[plane] = float((there & hidden[1:, plane]).sum()) / max(1, int(there.sum()))
    misses = np.ones(len(own))
    edge = seen[0, 0] & _edges_between(lowest_plane(-agree(known, NEIGHBOURHOOD))[0], luma[0, 0])
    if int(edge.sum()) >= FEWEST_EDGE:
        misses = edge_misses(luma, seen, edge)
    # Both as shares, so that neither sign outvotes the other by its units.
    badness = misses / max(float(misses.sum()), 1e-6) + covered / (float(covered.sum()) + RARELY_COVERED)
    # A plane that shows nowhere around the hole is not in front of anything there; of two alike the larger leads.
    return sorted(range(len(own)), key=lambda plane: (not shown[plane], round(float(badness[plane]), 1), plane))


def edge_misses(luma: Floats, seen: Mask, edge: Mask) -> NDArray[np.float64]:
    """Mean level by which the two frames that match an edge of the target best miss it, per plane.

    Pixel by pixel: a patch on an edge takes in the ground on both its sides, and tells little of the edge itself.
    """
    here = luma[0, 0][edge]
    best = np.stack([
        best_two([
            np.where(shown[edge], np.minimum(np.abs(picture[edge] - here), WORST), np.inf).astype(np.float32)
            for picture, shown in zip(luma[plane, 1:], seen[1:, plane], strict=True)
        ], here.shape)
        for plane in range(len(luma))
    ])  # fmt: skip
    common = np.isfinite(best).all(axis=0)
    return best[:, common].mean(axis=1).astype(np.float64) if common.any() else np.ones(len(luma))


def _edges_between(label: np.ndarray[tuple[int, ...], np.dtype[np.int64]], luma: Floats) -> Mask:
    """Picture edges at the border of two planes."""
    border = np.zeros(label.shape, np.uint8)
    border[:, 1:] |= label[:, 1:] != label[:, :-1]
    border[1:] |= label[1:] != label[:-1]
    near = cv2.dilate(border, np.ones((2 * EDGE_REACH + 1, 2 * EDGE_REACH + 1), np.uint8)) > 0
    smooth = soften(luma, 1.0)
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)) / 8
    return np.asarray(near & (slope > EDGE_SLOPE))
