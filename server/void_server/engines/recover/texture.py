"""Invented texture for what no frame shows: PatchMatch from coarse to fine, each pixel voted by its patches."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import Mask, Picture
from void_server.engines.recover.pyramid import Floats, enlarge, reduce, spread

PATCH = 7
"""Pixels a side: with the pyramid it sees structure from 7 pixels up to the size of the hole."""

MOST_PIXELS = 16000
"""Pixels solved at the finest level; larger holes are solved smaller and get their detail back by offsets.
Keeps the search within some seconds and its patches within 200 MB."""

COARSEST = 10.0
"""Pixels across the hole at the coarsest level, little more than a patch, so that context reaches its middle."""

ROUNDS, SEARCHES = 3, 3
"""Rounds of search and vote on each level, and search passes in each: later ones change under 1 % of pixels."""

EDGE_DECAY = 0.26
"""Per pixel: a patch counts 1/e about four pixels, half a patch, further from known pixels."""

Indices = NDArray[np.int64]


def synthesise(picture: Picture, hole: Mask, forbidden: Mask, seed: int) -> Picture:
    """The picture with its hole filled by texture from the rest, never from forbidden pixels; any encoded values."""
    if not hole.any():
        return picture
    known = ~(hole | forbidden)
    smooth = spread(picture, known.astype(np.float32))
    full = np.where(known[..., None], picture, smooth).astype(np.float32)
    area = int(hole.sum())
    finest = min(1.0, math.sqrt(MOST_PIXELS / area))
    levels = 1 + max(0, int(math.log2(max(1.0, math.sqrt(area) * finest / COARSEST))))
    random = np.random.default_rng(seed)
    solved: Picture | None = None
    offsets = np.zeros((*hole.shape, 2), np.float32)
    for level in range(levels - 1, -1, -1):
        scale = finest / 2**level
        size = max(2 * PATCH, round(hole.shape[0] * scale)), max(2 * PATCH, round(hole.shape[1] * scale))
        share = reduce(known, size)
        wanted = reduce(hole, size) > 0.02
        small = np.asarray(reduce(picture * known[..., None], size) / np.maximum(share, 1e-3)[..., None], np.float32)
        clear = (share > 0.98) & ~wanted
        small = np.where(clear[..., None], small, spread(small, clear.astype(np.float32))).astype(np.float32)
        if solved is not None:
            small = np.where(wanted[..., None], enlarge(solved, size), small).astype(np.float32)
        found = _solve_level(small, wanted, clear, offsets if solved is not None else None, random, level == 0)
        if found is None:
            return np.where(hole[..., None], smooth, picture).astype(np.float32)
        solved, offsets = found
    if solved is None:
        return full
    detailed = _with_detail(full, solved, offsets, finest)
    return np.where(hole[..., None], detailed, picture).astype(np.float32)


def _with_detail(full: Picture, solved: Picture, offsets: Floats, scale: float) -> Picture:
    """The solution at full size: its low frequencies, and the detail of the places its patches came from."""
    size = full.shape[:2]
    wide = enlarge(solved, (size[0], size[1]))
    if scale >= 1.0:
        return wide
    nearest = np.asarray(cv2.resize(offsets, (size[1], size[0]), interpolation=cv2.INTER_NEAREST), np.float32)
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    rows, columns = size[0] / solved.shape[0], size[1] / solved.shape[1]
    copied = np.asarray(cv2.remap(
        full, x + nearest[..., 1] * columns, y + nearest[..., 0] * rows, cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    ), np.float32)  # fmt: skip
    # 0.8 pixels of the solved size is where its own detail ends.
    return copied + (wide - np.asarray(cv2.GaussianBlur(copied, (0, 0), 0.8 / scale), np.float32))


def _solve_level(
    picture: Picture, wanted: Mask, clear: Mask, before: Floats | None, random: np.random.Generator, last: bool
) -> tuple[Picture, Floats] | None:
    """The picture with voted pixels, and where each pixel's patch came from; None where no whole patch is clear."""
    height, width = wanted.shape
    reach = PATCH // 2
    kernel = np.ones((PATCH, PATCH), np.uint8)
    # Zero outside: patches that would leave the picture are not offered.
    whole = np.asarray(cv2.erode(clear.astype(np.uint8), kernel, borderValue=(0,)), np.uint8) > 0
    if not whole.any():
        return None
    around = np.asarray(cv2.dilate(wanted.astype(np.uint8), kernel), np.uint8) > 0
    y, x = np.nonzero(around)
    count = len(y)
    order = np.full(wanted.shape, -1)
    order[y, x] = np.arange(count)
    depth = np.asarray(cv2.distanceTransform(wanted.astype(np.uint8), cv2.DIST_L2, 3), np.float32)[y, x]
    # Floored: deep inside a large hole every weight would underflow, and leave black cracks.
    trust = np.maximum(np.exp(-EDGE_DECAY * depth), 1e-3)
    padded = np.asarray(cv2.copyMakeBorder(picture, reach, reach, reach, reach, cv2.BORDER_REFLECT_101), np.float32)
    stride = padded.shape[1]
    taps = (np.arange(PATCH)[:, None] * stride + np.arange(PATCH)[None]).ravel()
    at_y, at_x = _start(before, y, x, wanted.shape, whole, random)

    for round_index in range(ROUNDS):
        flat = padded.reshape(-1, 3)
        target = flat[(y * stride + x)[:, None] + taps]

        def cost(index: Indices, cy: Indices, cx: Indices, flat: Floats = flat, target: Floats = target) -> Floats:
            difference = flat[(cy * stride + cx)[:, None] + taps] - target[index]
            return np.asarray(np.einsum("npc,npc->n", difference, difference), np.float32)

        costs = cost(np.arange(count), at_y, at_x)

        def offer(cy: Indices, cx: Indices, allowed: Mask, costs: Floats = costs) -> None:
            allowed = allowed & (cy >= 0) & (cy < height) & (cx >= 0) & (cx < width)
            allowed[allowed] &= whole[cy[allowed], cx[allowed]]
            index = np.flatnonzero(allowed)
            if len(index):
                value = cost(index, cy[index], cx[index])
                better = value < costs[index]
                index = index[better]
                costs[index] = value[better]
                at_y[index], at_x[index] = cy[index], cx[index]

        for search in range(SEARCHES):
            # The first pass spreads good matches four pixels at a time, later ones one by one.
            hop = 4 if search == 0 else 1
            for dy, dx in ((0, hop), (hop, 0), (0, -hop), (-hop, 0)):
                neighbour = order[np.clip(y - dy, 0, height - 1), np.clip(x - dx, 0, width - 1)]
                offer(at_y[neighbour] + dy, at_x[neighbour] + dx, neighbour >= 0)
            radius = max(4, max(height, width) // 6**search)
            jump = random.integers(-radius, radius + 1, (2, count))
            offer(at_y + jump[0], at_x + jump[1], np.ones(count, bool))
        # Patches worse than most get little say; twelve scales is nothing already, and keeps exp from underflow.
        scale = float(np.percentile(costs, 75)) + 1e-9
        weight = (np.exp(-np.minimum(costs / scale, 12.0)) * trust).astype(np.float32)
        votes = np.zeros((*padded.shape[:2], 4), np.float32)
        # The very last vote only asks the middle of each patch: sharper, where the outer pixels would blur.
        near = 1 if last and round_index == ROUNDS - 1 else reach
        for dy in range(reach - near, reach + near + 1):
            for dx in range(reach - near, reach + near + 1):
                votes[y + dy, x + dx, :3] += weight[:, None] * flat[(at_y + dy) * stride + at_x + dx]
                votes[y + dy, x + dx, 3] += weight
        voted = votes[..., :3] / np.maximum(votes[..., 3:], 1e-9)
        inner = padded[reach : reach + height, reach : reach + width]
        inner[wanted] = voted[reach : reach + height, reach : reach + width][wanted]
    offsets = np.zeros((height, width, 2), np.float32)
    offsets[y, x, 0], offsets[y, x, 1] = at_y - y, at_x - x
    return padded[reach : reach + height, reach : reach + width].copy(), offsets


def _start(
    before: Floats | None, y: Indices, x: Indices, size: tuple[int, int], whole: Mask, random: np.random.Generator
) -> tuple[Indices, Indices]:
    """Where each patch is first taken from: the coarser level's answer, or anywhere."""
    offered_y, offered_x = np.nonzero(whole)
    drawn = random.integers(0, len(offered_y), len(y))
    if before is None:
        return offered_y[drawn], offered_x[drawn]
    rows, columns = size[0] / before.shape[0], size[1] / before.shape[1]
    wide = np.asarray(cv2.resize(before, (size[1], size[0]), interpolation=cv2.INTER_NEAREST), np.float32)
    at_y = np.clip(np.rint(y + wide[y, x, 0] * rows), 0, size[0] - 1).astype(np.int64)
    at_x = np.clip(np.rint(x + wide[y, x, 1] * columns), 0, size[1] - 1).astype(np.int64)
    lost = ~whole[at_y, at_x]
    at_y[lost], at_x[lost] = offered_y[drawn][lost], offered_x[drawn][lost]
    return at_y, at_x
