"""The locked-off camera: many frames of the very same pixels, averaged without those that stick out."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from void_plugin.errors import Cancelled
from void_server.engines import Frames, IsCancelled, Mask, Picture
from void_server.engines.recover.changes import Cells, out_of_date
from void_server.engines.recover.merge import MEMBRANE_CELL, MOST_OFFSET, Merged
from void_server.engines.recover.motion import Bytes
from void_server.engines.recover.order import sort_rows
from void_server.engines.recover.pixels import brighten, put
from void_server.engines.recover.pyramid import Floats, carry_into, enlarge
from void_server.engines.recover.shot import Shot
from void_server.engines.recover.sources import in_turn
from void_server.engines.recover.tone import GAIN_TOLERANCE, encode, gain_between, pixels_under
from void_server.tiles import Box

CHUNK = 4096
"""Pixels averaged at once: 24 samples of them fit the second-level cache of a core."""

MOST_VALUES, FEWEST_SOURCES = 1 << 27, 3
"""512 MiB of samples at once, so that a hole as large as a 4K frame stays in memory on every thread; three
sources are still enough to tell the odd one."""

COMPARED = 3000
"""Ring pixels by which the light of two frames is compared; twice as many find no truer gain."""

OUTLIER = 3.0
"""Deviations from the median past which a sample shows something else; grain loses 0.3 % of itself."""

QUARTILES = 1.349
"""Deviations between the quartiles of a normal distribution."""

ODD_SHARE = 0.001
"""Share of the hole that may keep the average: single pixels without grain do not show."""

ODD_GRAIN = 3.0
"""Deviations, of a mean over a few pixels, past which a frame is not used for its grain."""


def merge_still(
    shot: Shot, frames: Frames, target: int, sources: Sequence[int], box: Box, linear: Picture, plate: Picture,
    ring: Mask, hole: Mask, single: bool, cancelled: IsCancelled,
) -> Merged:  # fmt: skip
    """The hole as its sources show it when nothing moves; `linear` and `plate` are the target's, plain and encoded."""
    # Every second ring pixel each way is enough for the low frequencies that are compared there.
    sparse = np.zeros_like(ring)
    sparse[::2, ::2] = ring[::2, ::2]
    places = np.flatnonzero(hole | sparse)
    sources = sources[: max(FEWEST_SOURCES, MOST_VALUES // (3 * max(1, len(places))))]
    around = pixels_under(ring, COMPARED)
    here = linear.reshape(-1, 3)[around]
    rows = np.empty((len(sources), 1, len(places), 3), np.float32)
    light, shown = rows[:, 0], np.empty((len(sources), len(places)), bool)
    cells = Cells.around(places, hole.shape)
    means = np.empty((len(sources), 3, cells.middles.shape[1]), np.float32)
    for index, source in enumerate(sources):
        if cancelled():
            raise Cancelled
        number = shot.numbers[source]
        there, usable = frames.plate(number, box).reshape(-1, 3), frames.usable(number, box).ravel()
        common = usable[around]
        gains = gain_between(here[common], there[around[common]], shot.knee)
        # Most locked shots have no flicker at all, and a gain of grain is worse than none.
        gains[np.abs(gains - 1.0) < GAIN_TOLERANCE] = 1.0
        there.take(places, axis=0, out=light[index], mode="clip")
        usable.take(places, out=shown[index], mode="clip")
        if (gains != 1.0).any():
            brighten(rows[index], gains)
        means[index] = cells.means(there, usable) * gains[:, None]
    stale = out_of_date(means, sources, target)
    if stale.any():
        stale = stale.take(cells.of, axis=1)
        # A place that only they show is theirs.
        shown &= ~(stale & (shown & ~stale).any(axis=0))
    nothing = np.full(rows.shape[1:], np.inf, np.float32)
    for row, missing in zip(rows, ~shown[:, None], strict=True):
        put(row, nothing, missing)
    # At most 24 sources: a byte counts them.
    counts = shown.sum(axis=0, dtype=np.uint8)
    average = np.zeros((len(places), 3), np.float32)
    spreads = np.zeros((len(places), 3), np.float32)
    for first in range(0, len(places), CHUNK):
        part = slice(first, first + CHUNK)
        average[part], spreads[part] = _steady_mean(light[:, part], counts[part])
    result = np.zeros((hole.size, 3), np.float32)
    result[places] = average
    seen = np.zeros(hole.size, bool)
    seen[places] = counts > 0
    common = seen.reshape(hole.shape) & sparse
    colour = encode(result.reshape(plate.shape), shot.knee)
    offset, error = _light_offset(plate, colour, common)
    if single:
        result[places] = _own_grain(light, average, spreads, places, target, sources, hole.shape)
        colour = encode(result.reshape(plate.shape), shot.knee)
    averaged = counts[hole.ravel()[places] & (counts > 0)].astype(np.float64)
    grain = 1.0 if single or not averaged.size else float(np.mean(1 / np.sqrt(averaged)))
    return Merged(colour + offset, seen.reshape(hole.shape), error, grain)


def _steady_mean(light: Floats, counts: Bytes) -> tuple[Floats, Floats]:
    """Mean of the samples near the median of each pixel, and their deviation. Missing samples are infinite."""
    ordered = sort_rows(light.copy())
    places, last = np.arange(len(counts)), counts.astype(np.float64) - 1
    samples = ordered.reshape(-1, 3)

    def rank(share: float) -> Floats:
        row = np.maximum(0, np.rint(share * last)).astype(np.int64)
        return np.asarray(samples.take(row * len(counts) + places, axis=0), np.float32)

    # Where nothing is seen the answer is never used; it only has to be finite.
    ordered[:, counts == 0] = 0.0
    middle = 0.5 * (rank(0.5 - 1e-3) + rank(0.5 + 1e-3))
    # With three samples or fewer the quartiles are the extremes, which is wide enough.
    quartiles = (rank(0.75) - rank(0.25)) / np.float32(QUARTILES)
    # The order does not matter to a mean, so the sorted copy serves as the room to work in.
    np.subtract(light, middle, out=ordered)
    near = np.abs(ordered) <= OUTLIER * quartiles + 1e-7
    number = near.sum(axis=0, dtype=np.uint8).astype(np.int32)
    kept = np.zeros_like(ordered)
    rows = len(light), -1
    put(kept.reshape(rows), ordered.reshape(rows), near.reshape(rows))
    mean = middle + kept.sum(axis=0) / np.maximum(number, 1)
    return np.asarray(np.where(number > 0, mean, middle), np.float32), np.asarray(quartiles, np.float32)


def _own_grain(
    light: Floats, average: Floats, spreads: Floats, places: np.ndarray[tuple[int], np.dtype[np.int64]], target: int,
    sources: Sequence[int], shape: tuple[int, ...],
) -> Floats:  # fmt: skip
    """Each pixel from one source that agrees with the average there."""
    order = sorted(range(len(sources)), key=lambda i: (not in_turn(target, sources[i]), abs(sources[i] - target)))
    result = average.copy()
    open_places = np.ones(len(places), bool)
    # A mean over 25 grains deviates by a fifth of one; this scale is what a wrong source must clearly exceed.
    limit = ODD_GRAIN * spreads.max(axis=-1) / 5.0 + 1e-6
    field = np.zeros((shape[0] * shape[1], 4), np.float32)
    for index in order:
        if float(open_places.mean()) < ODD_SHARE:
            break
        there = np.isfinite(light[index, :, 0])
        field[places, :3] = np.where(there[:, None], light[index] - average, 0)
        field[places, 3] = there
        blurred = np.asarray(cv2.blur(field.reshape(*shape, 4), (5, 5)), np.float32).reshape(-1, 4)
        # Later sources only fill what the earlier have left open.
        picked = np.flatnonzero(open_places & there)
        red, green, blue, share = blurred.take(places[picked], axis=0).T
        worst = np.maximum(np.maximum(np.abs(red), np.abs(green)), np.abs(blue))
        new = picked[worst <= limit[picked] * np.maximum(share, 0.04) ** 0.5]
        result[new] = light[index].take(new, axis=0)
        open_places[new] = False
    return result


def _light_offset(plate: Picture, colour: Picture, common: Mask) -> tuple[Picture, float]:
    """What the light of this frame adds to the colour, continued from a sparse ring, and the mean error there."""
    if not common.any():
        return np.zeros_like(plate), 0.0
    difference, known = plate[::2, ::2] - colour[::2, ::2], np.ascontiguousarray(common[::2, ::2])
    field = carry_into(np.clip(difference, -MOST_OFFSET, MOST_OFFSET), known, MEMBRANE_CELL // 2)
    size = plate.shape[0], plate.shape[1]
    return enlarge(field, size), float(np.abs(difference[known]).mean())
