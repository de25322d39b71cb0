"""Parallax: up to three planes that pass the camera differently, and which of them each hidden pixel shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from void_server.engines import Mask
from void_server.engines.recover.motion import OFF_PLANE, Bytes, Homography, Track, fit, moved, several_motions
from void_server.engines.recover.pyramid import Floats, enlarge, reduce, soften
from void_server.engines.recover.shot import Shot
from void_server.tiles import Box

MOST_PLANES = 3
"""Ground, middle and background; a fourth rarely has the tracks to define it."""

OFF_SHARE = 0.1
"""Share of tracks off the main motion at which a scene counts as deep; less is people and leaves."""

WORST = 40.0
"""Levels of 255 at which a difference counts as wrong, however wrong: keeps edges from outvoting areas."""

PATCH_SIGMA = 2.0
"""Proxy pixels over which differences are averaged: grain needs a few pixels, layer edges ask for few."""

FRONT_BONUS = 2.0
"""Levels a plane may match worse for each plane it lies in front of: behind it, background revealed in other
frames matches too, so a tie goes to the front. About the grain left after averaging."""

COVERED = 12.0
"""Levels added where all sources show another plane at the place: as much as a plain mismatch of textures."""

SMOOTHNESS = 15.0
"""Levels by which a pixel must match better to stand alone against all its neighbours; planes are large."""

NEIGHBOURHOOD = 6.0
"""Proxy pixels (sigma) that count as neighbours, half a percent of the width."""

TEMPERATURE = 3.0
"""Levels of difference that tell one plane from another with odds of e to one: grain alone gives two."""

COARSER = 4
"""Proxy pixels per cell in which neighbours are summed: less than their sigma."""

EDGE_REACH, EDGE_SLOPE, FEWEST_EDGE = 3, 4.0, 30
"""Proxy pixels around the border of two planes in which their common edge lies (the patch blurs it by two), levels a
pixel above which a slope is an edge and not grain, and edge pixels below which nothing is read from them."""

RARELY_COVERED = 0.01
"""Share of covered pixels that uncertain labels make by themselves; below it the sign says nothing."""

ROUNDS = 8
"""Rounds of agreement with the neighbours: news travels a neighbourhood in each, some 50 proxy pixels in all."""


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

    @property
    def count(self) -> int:
        return len(self.scores)


def find_layers(shot: Shot, target: int, tracks: Mapping[int, Track], box: Box) -> Layers | None:
    """The planes seen from a target through its sources, on a proxy box; None where one motion explains all."""
    motions = _plane_motions(shot, tracks)
    if motions is None:
        return None
    sources = list(motions)
    count = len(motions[sources[0]])
    frames = [target, *sources]
    corner = np.array([[1, 0, box.x0], [0, 1, box.y0], [0, 0, 1.0]])
    pairs: list[dict[tuple[int, int], Floats]] = []
    members = np.full((len(frames), count, box.height, box.width), np.inf, np.float32)
    seen = np.zeros((len(frames), count, box.height, box.width), bool)
    for plane in range(count):
        luma = np.zeros((len(frames), box.height, box.width), np.float32)
        for index, frame in enumerate(frames):
            motion = np.eye(3) if index == 0 else motions[frame][plane]
            if motion is None:
                continue
            size, place = (box.width, box.height), motion @ corner
            flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
            luma[index] = cv2.warpPerspective(shot.luma[frame], place, size, flags=flags)
            flags = cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST
            seen[index, plane] = cv2.warpPerspective(shot.usable[frame], place, size, flags=flags) > 0
        pairs.append(_pair_costs(luma, seen[:, plane]))
        for index in range(len(frames)):
            own = [cost for pair, cost in pairs[plane].items() if index in pair]
            members[index, plane] = _best_two(own, (box.height, box.width))
    hidden = np.zeros(seen.shape, bool)
    for index, frame in enumerate(sources, start=1):
        hidden[index] = _hidden_in(members[index], motions[frame], corner)
    scores = _scores(pairs, shot.luma[target][box.rows, box.columns], members, seen, hidden)
    return Layers(box, motions, scores, {frame: list(hidden[index + 1]) for index, frame in enumerate(sources)})


def _hidden_in(costs: Floats, motions: Sequence[Homography | None], corner: Homography) -> Mask:
    """Per plane, where a source shows another plane at the place of a target's pixel."""
    count, height, width = costs.shape
    hidden = np.zeros(costs.shape, bool)
    first = next((plane for plane in range(count) if motions[plane] is not None), None)
    if first is None:
        return hidden
    anchor = motions[first]

    def onto(image: Floats, across: Homography, outside: float) -> Floats:
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
        laid = cv2.warpPerspective(image, across, (width, height), flags=flags, borderValue=(outside,))
        return np.asarray(laid, np.float32)

    # All costs of a source side by side on its own pixels, which the first plane's motion brings to the grid.
    aligned = np.full(costs.shape, np.inf, np.float32)
    for plane, motion in enumerate(motions):
        if motion is not None and anchor is not None:
            across = np.linalg.inv(corner) @ np.linalg.inv(motion) @ anchor @ corner
            known = np.isfinite(costs[plane])
            laid = onto(np.where(known, costs[plane], WORST).astype(np.float32), across, WORST)
            aligned[plane] = np.where(onto(known.astype(np.float32), across, 0.0) > 0.99, laid, np.inf)
    aligned = _undecided(aligned)
    half = max(2, height // 2), max(2, width // 2)
    likely = _agree(np.stack([reduce(cost, half) for cost in aligned]), NEIGHBOURHOOD / 2)
    likely = np.stack([enlarge(share, (height, width)) for share in likely])
    for plane, motion in enumerate(motions):
        if motion is not None and anchor is not None:
            across = np.linalg.inv(corner) @ np.linalg.inv(anchor) @ motion @ corner
            # Beyond the box nothing is known against the plane.
            hidden[plane] = onto(likely[plane], across, 1.0) < 1.0 / (count + 1)
    return hidden


def _undecided(costs: Floats) -> Floats:
    """The costs per plane, where a plane that was never compared (infinite) is neither for nor against: it ties."""
    best = costs.min(axis=0)
    best[~np.isfinite(best)] = 0.0
    return np.where(np.isfinite(costs), costs, best).astype(np.float32)


def _agree(costs: Floats, sigma: float) -> Floats:
    """Per plane the share of belief in it, from matching costs and the belief of the neighbours."""
    belief = _softmax(-costs / TEMPERATURE)
    size = belief.shape[1], belief.shape[2]
    # Neighbourhoods are smooth, so a quarter of the pixels carries them as well.
    small = max(2, size[0] // COARSER), max(2, size[1] // COARSER)
    for _ in range(ROUNDS):
        around = np.stack([enlarge(soften(reduce(share, small), sigma / COARSER), size) for share in belief])
        belief = _softmax((SMOOTHNESS * around - costs) / TEMPERATURE)
    return belief


def _softmax(values: Floats) -> Floats:
    powers = np.exp(values - values.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0), np.float32)


def _plane_motions(shot: Shot, tracks: Mapping[int, Track]) -> dict[int, list[Homography | None]] | None:
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
        fits = [fit(track.start[plane_of[track.indices] == plane], track.end[plane_of[track.indices] == plane], size)
                for plane in range(count)]  # fmt: skip
        motions[source] = [None if found is None else found[0] for found in fits]
    return motions or None


def _pair_costs(luma: Floats, seen: Mask) -> dict[tuple[int, int], Floats]:
    """Local mean difference of every two pictures, infinite where they do not both show a place."""
    costs = {}
    for first in range(len(luma)):
        for second in range(first):
            both = (seen[first] & seen[second]).astype(np.float32)
            if not both.any():
                continue
            weight = soften(both, PATCH_SIGMA)
            difference = soften(both * np.minimum(np.abs(luma[first] - luma[second]), WORST), PATCH_SIGMA)
            # A tenth of the patch: less is a rim of a matte, where neighbours decide.
            mean = difference / np.maximum(weight, 0.1)
            costs[first, second] = np.where(weight > 0.1, mean, np.inf).astype(np.float32)
    return costs


def _best_two(costs: Sequence[Floats], shape: tuple[int, ...]) -> Floats:
    """Mean of the two lowest: a true match is confirmed by two frames, others may be covered. Where only two frames
    show a place their one cost counts; where fewer do it is infinite."""
    lowest = second = np.full(shape, np.inf, np.float32)
    for cost in costs:
        second = np.minimum(second, np.maximum(lowest, cost))
        lowest = np.minimum(lowest, cost)
    return np.where(np.isfinite(second), 0.5 * (lowest + second), lowest).astype(np.float32)


def _scores(
    pairs: Sequence[Mapping[tuple[int, int], Floats]], luma: Bytes, members: Floats, seen: Mask, hidden: Mask
) -> Floats:
    count = members.shape[1]
    shown = seen & ~hidden
    support = shown[1:].sum(axis=0)
    costs = []
    for plane in range(count):
        kept = [
            np.where(shown[first, plane] & shown[second, plane], np.minimum(cost, WORST), WORST).astype(np.float32)
            for (first, second), cost in pairs[plane].items()
        ]
        costs.append(_best_two(kept, members.shape[2:]))
    order = _front_first(members[0], luma, seen, hidden)
    shares = support / np.maximum(seen[1:].sum(axis=0), 1)
    # What is hidden must be confirmed: a plane that fewer frames show counts as a mismatch there, not as a tie.
    data = np.minimum(np.stack(costs), WORST)
    for plane in range(count):
        data[plane] += FRONT_BONUS * order.index(plane) + COVERED * (1 - shares[plane])
    # What the target itself shows needs no guess.
    data = np.where(seen[0, 0], np.minimum(members[0], WORST), data)
    return np.asarray(-np.log(np.maximum(_agree(data, NEIGHBOURHOOD), 1e-6)), np.float32)


def _front_first(own: Floats, luma: Bytes, seen: Mask, hidden: Mask) -> list[int]:
    """Planes from front to back, told by two signs that need no depth.

    The edge between two planes belongs to the one in front and moves with it; and what is in front is never
    covered, so its pixels are found in every source. `own` are the target's costs per plane, `luma` its picture;
    `seen` and `hidden` lie per frame and plane on the target's pixels.
    """
    known = _undecided(own)
    winner = np.argmin(known, axis=0)
    clear = seen[0, 0] & (np.partition(known, 1, axis=0)[1] - known.min(axis=0) > TEMPERATURE)
    covered = np.zeros(len(own))
    shown = np.zeros(len(own), bool)
    for plane in range(len(own)):
        there = (clear & (winner == plane))[None] & seen[1:, plane]
        shown[plane] = int(there.sum()) >= FEWEST_EDGE
        covered[plane] = float((there & hidden[1:, plane]).sum()) / max(1, int(there.sum()))
    misses = np.ones(len(own))
    edge = seen[0, 0] & _edges_between(np.argmax(_agree(known, NEIGHBOURHOOD), axis=0), luma)
    if int(edge.sum()) >= FEWEST_EDGE:
        misses = np.array([float(known[plane][edge].mean()) for plane in range(len(own))])
    # Both as shares, so that neither sign outvotes the other by its units.
    badness = misses / max(float(misses.sum()), 1e-6) + covered / (float(covered.sum()) + RARELY_COVERED)
    # A plane that shows nowhere around the hole is not in front of anything there; of two alike the larger leads.
    return sorted(range(len(own)), key=lambda plane: (not shown[plane], round(float(badness[plane]), 1), plane))


def _edges_between(label: np.ndarray[tuple[int, ...], np.dtype[np.int64]], luma: Bytes) -> Mask:
    """Picture edges at the border of two planes."""
    border = np.zeros(label.shape, np.uint8)
    border[:, 1:] |= label[:, 1:] != label[:, :-1]
    border[1:] |= label[1:] != label[:-1]
    near = cv2.dilate(border, np.ones((2 * EDGE_REACH + 1, 2 * EDGE_REACH + 1), np.uint8)) > 0
    smooth = soften(luma.astype(np.float32), 1.0)
    slope = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)) / 8
    return np.asarray(near & (slope > EDGE_SLOPE))
