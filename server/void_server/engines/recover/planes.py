"""Parallax: up to three planes that pass the camera differently, and which of them each hidden pixel shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from void_server.engines import Mask
from void_server.engines.recover.motion import Homography, Track, fit, moved
from void_server.engines.recover.pyramid import Floats, enlarge, soften
from void_server.engines.recover.shot import Shot
from void_server.tiles import Box

MOST_PLANES = 3
"""Ground, middle and background; a fourth rarely has the tracks to define it."""

OFF_PLANE = 2.0
"""Proxy pixels from the main motion at which a track belongs elsewhere: well past all tracking noise."""

OFF_SHARE = 0.1
"""Share of tracks off the main motion at which a scene counts as deep; less is people and leaves."""

WORST = 40.0
"""Levels of 255 at which a difference counts as wrong, however wrong: keeps edges from outvoting areas."""

PATCH_SIGMA = 2.0
"""Proxy pixels over which differences are averaged: grain needs a few pixels, layer edges ask for few."""

MARGIN = 4.0
"""Levels by which another plane must explain a pixel better; about twice the grain left after averaging."""

FRONT_BONUS = 6.0
"""Levels a plane may match worse for each plane it lies in front of: behind it, background revealed in other
frames always matches too, so a tie goes to the front."""


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

    def chosen(self, size: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        """The plane of each pixel at a larger size; interpolated scores put the border between proxy pixels."""
        return np.argmin(np.stack([enlarge(score, size) for score in self.scores]), axis=0)


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
    for index, frame in enumerate(frames):
        for plane in range(count):
            for other in range(count):
                here, there = motions[frame][plane] if index else np.eye(3), motions[frame][other] if index else np.eye(3)
                if other == plane or here is None or there is None:
                    continue
                # Where this pixel of the source lies on the target's grid if it belonged to the other plane.
                across = np.linalg.inv(corner) @ np.linalg.inv(there) @ here @ corner
                rival = cv2.warpPerspective(
                    members[index, other], across, (box.width, box.height),
                    flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR, borderValue=(WORST,),
                )  # fmt: skip
                hidden[index, plane] |= members[index, plane] - rival > MARGIN
    scores = _scores(pairs, members, seen, hidden)
    return Layers(
        box, motions, scores, {frame: list(hidden[index + 1]) for index, frame in enumerate(sources)}
    )


def _plane_motions(shot: Shot, tracks: Mapping[int, Track]) -> dict[int, list[Homography | None]] | None:
    size = shot.proxy_size
    best, worst_share, rest = None, OFF_SHARE, np.zeros(0, bool)
    for source, track in tracks.items():
        if track.still or len(track.start) < 40:
            continue
        off = np.abs(moved(track.start, track.homography) - track.end).max(axis=(1, 2)) > OFF_PLANE
        if float(off.mean()) > worst_share:
            best, worst_share, rest = source, float(off.mean()), off
    if best is None:
        return None
    lead = tracks[best]
    plane_of = np.full(int(shot.corners.shape[1]), -1)
    plane_of[lead.indices[~rest]] = 0
    left, count = np.flatnonzero(rest), 1
    while count < MOST_PLANES and len(left) >= max(14, 0.05 * len(lead.start)):
        found = fit(lead.start[left], lead.end[left], size)
        if found is None or int(found[1].sum()) < max(10, 0.04 * len(lead.start)):
            break
        plane_of[lead.indices[left[found[1]]]] = count
        left, count = left[~found[1]], count + 1
    if count == 1:
        return None
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
            costs[first, second] = np.where(weight > 0.1, difference / np.maximum(weight, 0.1), WORST).astype(np.float32)
    return costs


def _best_two(costs: Sequence[Floats]) -> Floats | float:
    """Mean of the two lowest: a true match is confirmed by two frames, others may be covered."""
    if not costs:
        return WORST
    if len(costs) == 1:
        return costs[0]
    lowest = np.partition(np.stack(costs), 1, axis=0)[:2]
    return np.asarray(lowest.mean(axis=0), np.float32)


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
    scores = np.zeros((count, *members.shape[2:]), np.float32)
    for plane in range(count):
        scores[plane] = costs[plane] + FRONT_BONUS * order.index(plane) + np.where(support[plane] > 0, 0, WORST)
    return scores


def _front_first(own: Floats, visible: Mask, support: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> list[int]:
    """Planes from front to back: where two could both be there, the one that is really seen lies in front."""
    count = len(own)
    winner = np.argmin(own, axis=0)
    second = np.partition(own, 1, axis=0)[1]
    clear = visible & (second - own.min(axis=0) > MARGIN)
    wins = np.zeros((count, count))
    for plane in range(count):
        for other in range(count):
            if other != plane:
                contested = clear & (support[plane] > 0) & (support[other] > 0)
                wins[plane, other] = float((contested & (winner == plane)).sum())
    beats = (wins > wins.T).sum(axis=1)
    return sorted(range(count), key=lambda plane: (-int(beats[plane]), plane))
