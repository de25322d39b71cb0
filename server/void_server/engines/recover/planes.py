"""Parallax: up to three planes that pass the camera differently, and which of them each hidden pixel shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from void_server.engines import Mask
from void_server.engines.recover.motion import OFF_PLANE, Homography, Track, fit, moved, several_motions
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
    members = np.full((len(frames), count, box.height, box.width), WORST, np.float32)
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
            members[index, plane] = _best_two([cost for pair, cost in pairs[plane].items() if index in pair])
    hidden = np.zeros(seen.shape, bool)
    for index, frame in enumerate(sources, start=1):
        hidden[index] = _hidden_in(members[index], motions[frame], corner)
    scores = _scores(pairs, members, seen, hidden)
    return Layers(
        box, motions, scores, {frame: list(hidden[index + 1]) for index, frame in enumerate(sources)}
    )


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
    aligned = np.full(costs.shape, WORST, np.float32)
    for plane, motion in enumerate(motions):
        if motion is not None and anchor is not None:
            across = np.linalg.inv(corner) @ np.linalg.inv(motion) @ anchor @ corner
            aligned[plane] = onto(costs[plane], across, WORST)
    half = max(2, height // 2), max(2, width // 2)
    likely = _agree(np.stack([reduce(cost, half) for cost in aligned]), NEIGHBOURHOOD / 2)
    likely = np.stack([enlarge(share, (height, width)) for share in likely])
    for plane, motion in enumerate(motions):
        if motion is not None and anchor is not None:
            across = np.linalg.inv(corner) @ np.linalg.inv(anchor) @ motion @ corner
            # Beyond the box nothing is known against the plane.
            hidden[plane] = onto(likely[plane], across, 1.0) < 1.0 / (count + 1)
    return hidden


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
    """Local mean difference of every two pictures, WORST where they do not both show a place."""
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
            costs[first, second] = np.where(weight > 0.1, mean, WORST).astype(np.float32)
    return costs


def _best_two(costs: Sequence[Floats]) -> Floats | float:
    """Mean of the two lowest: a true match is confirmed by two frames, others may be covered."""
    if not costs:
        return WORST
    lowest, second = costs[0], costs[0]
    for index, cost in enumerate(costs[1:]):
        # Of the first two, the second is simply the larger; later ones must push in.
        larger = np.maximum(lowest, cost)
        second = larger if index == 0 else np.minimum(second, larger)
        lowest = np.minimum(lowest, cost)
    return np.asarray(0.5 * (lowest + second), np.float32)


def _scores(pairs: Sequence[Mapping[tuple[int, int], Floats]], members: Floats, seen: Mask, hidden: Mask) -> Floats:
    count = members.shape[1]
    shown = seen & ~hidden
    support = shown[1:].sum(axis=0)
    costs = []
    for plane in range(count):
        kept = [
            np.where(shown[first, plane] & shown[second, plane], cost, WORST).astype(np.float32)
            for (first, second), cost in pairs[plane].items()
        ]
        costs.append(np.broadcast_to(_best_two(kept), members.shape[2:]))
    order = _front_first(members[0], seen[0, 0], support)
    shares = support / np.maximum(seen[1:].sum(axis=0), 1)
    data = np.zeros((count, *members.shape[2:]), np.float32)
    for plane in range(count):
        data[plane] = costs[plane] + FRONT_BONUS * order.index(plane) + COVERED * (1 - shares[plane])
    # What the target itself shows needs no guess.
    data = np.where(seen[0, 0], members[0], data)
    return np.asarray(-np.log(np.maximum(_agree(data, NEIGHBOURHOOD), 1e-6)), np.float32)


def _front_first(own: Floats, visible: Mask, support: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> list[int]:
    """Planes from front to back: where two could both be there, the one that is really seen lies in front."""
    count = len(own)
    winner = np.argmin(own, axis=0)
    second = np.partition(own, 1, axis=0)[1]
    clear = visible & (second - own.min(axis=0) > TEMPERATURE)
    wins = np.zeros((count, count))
    for plane in range(count):
        for other in range(count):
            if other != plane:
                contested = clear & (support[plane] > 0) & (support[other] > 0)
                wins[plane, other] = float((contested & (winner == plane)).sum())
    beats = (wins > wins.T).sum(axis=1)
    return sorted(range(count), key=lambda plane: (-int(beats[plane]), plane))
