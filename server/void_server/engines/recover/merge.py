"""Several samples of the same place become one: matched in light, checked against each other, then blended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from void_server.engines import Mask, Picture
from void_server.engines.recover.pixels import difference, put, put_few, put_number, times
from void_server.engines.recover.pyramid import Floats, carried, enlarge, reduce
from void_server.engines.recover.sample import Light, Sample
from void_server.engines.recover.sources import in_turn, nearness
from void_server.engines.recover.tone import decode, gain_between, medians, pixels_under, with_gain

FEWEST_RING = 200
"""Pixels common to target and source below which their light is not compared: too few for a median."""

MOST_OFFSET = 0.25
"""Encoded units (about 28 % of light) that a low-frequency correction may move a pixel; more is a wrong match."""

MEMBRANE_CELL = 8
"""Plate pixels averaged before the correction is carried inwards: enough to be rid of grain and detail."""

DISAGREEMENT = 0.18
"""Encoded units (about 20 % of light) by which one source may differ over a few pixels before one of them
is taken to show something else."""

AGREEMENT_CELL = 4
"""Plate pixels a side over which sources are compared; a mean of 16 grains is far below DISAGREEMENT."""

ERROR_LEVELS = 6.0
"""Levels of 255 of misregistration at which a source counts 1/e."""

RIM_WEIGHT = 0.05
"""What a sample counts beside the edge of what its source shows: used only where no other source looks."""


@dataclass(frozen=True)
class Merged:
    """What the sources together say about a box."""

    colour: Picture
    """Encoded; meaningless where nothing is seen."""
    seen: Mask
    ring_error: float
    """Mean encoded difference from the plate around the hole after matching; about a share of light."""
    grain: float = 1.0
    """Deviation of the sources' grain that their average has left, on average: 1 for pixels of one source."""


def match_light(sample: Sample, plate: Picture, ring: Mask, knee: float) -> tuple[Sample, float]:
    """The sample with its light brought to that of the target, and its mean encoded error on the ring."""
    common = ring & sample.seen
    if np.count_nonzero(common) < FEWEST_RING:
        return sample, 0.0
    picked = pixels_under(common)
    here, there = plate.reshape(-1, 3).take(picked, axis=0), sample.colour.reshape(-1, 3).take(picked, axis=0)
    gains = gain_between(decode(here, knee), decode(there, knee), knee)
    colour = with_gain(sample.colour, gains, knee)
    gained = there if colour is sample.colour else colour.reshape(-1, 3).take(picked, axis=0)
    middle = medians(here - gained)
    # Only what lies under the mask counts, so the rest is left out before it is clipped.
    rest = difference(plate, colour, middle)
    np.clip(rest, -MOST_OFFSET, MOST_OFFSET, out=rest)
    # Added while the cells are few: interpolation keeps a constant.
    field = carried(rest, common, MEMBRANE_CELL) + np.clip(middle, -MOST_OFFSET, MOST_OFFSET)
    error = float(np.abs(rest.reshape(-1, 3).take(picked, axis=0)).mean())
    correction = enlarge(field, (ring.shape[0], ring.shape[1]))
    matched = np.asarray(cv2.add(colour, correction, correction), np.float32)
    return replace(sample, colour=matched, light=Light(gains, field)), error


def put_sharply(onto: Picture, sample: Sample, where: Mask, knee: float) -> None:
    """Write a matched sample over a picture under a mask, in place, with the grain of its source."""
    if sample.finely is None:
        put(onto, sample.colour, where)
        return
    picked = np.flatnonzero(where)
    if not picked.size:
        return
    found = sample.finely(picked)
    if sample.light is not None:
        correction = enlarge(sample.light.field, (where.shape[0], where.shape[1]))
        found = with_gain(found[None], sample.light.gains, knee)[0]
        found = found + correction.reshape(-1, 3).take(picked, axis=0)
    put_few(onto, found, where)


def merge(
    samples: Sequence[Sample], target: int, plate: Picture, ring: Mask, hole: Mask, knee: float, single: bool
) -> Merged:
    """One picture of samples on the same box; `single` takes each pixel from one of them instead of their mean."""
    matched, errors = [], []
    for sample in samples:
        sample, error = match_light(sample, plate, ring, knee)
        matched.append(sample)
        errors.append(error)
    if not matched:
        return Merged(np.zeros_like(plate), np.zeros(hole.shape, bool), 0.0)
    weights = [_weight(sample, target, hole) for sample in matched]
    if len(matched) > 1:
        for weight, agrees in zip(weights, _agreement(matched, weights), strict=True):
            np.multiply(weight, agrees, out=weight)
    total = np.sum(weights, axis=0)
    grain = 1.0
    if single:
        colour = _pick(matched, weights, target, knee)
    else:
        seen = hole & (total > 0)
        squares = np.sum([weight * weight for weight in weights], axis=0)
        if seen.any():
            grain = float(np.mean(np.sqrt(squares[seen]) / total[seen]))
        colour, share = np.zeros_like(plate), np.maximum(total, 1e-9)
        for sample, weight in zip(matched, weights, strict=True):
            cv2.add(colour, times(sample.colour, weight / share), colour)
    return Merged(colour, total > 0, float(np.mean(errors)), grain)


def _weight(sample: Sample, target: int, hole: Mask) -> Floats:
    seen = sample.seen.view(np.uint8)
    inner = np.asarray(cv2.erode(seen, np.ones((3, 3), np.uint8)), np.uint8)
    # Nothing, rim and plainly seen are 0, 1 and 2.
    weight = np.array([0.0, RIM_WEIGHT, 1.0], np.float32).take(seen + inner)
    weight *= np.exp(sample.error / np.float32(-ERROR_LEVELS)) * np.float32(nearness(target, sample.position))
    put_number(weight, 0.0, ~hole)
    return weight


def _agreement(samples: Sequence[Sample], weights: Sequence[Floats]) -> list[Mask]:
    """Per sample where it agrees with the largest group of like samples."""
    height, width = weights[0].shape
    size = max(1, height // AGREEMENT_CELL), max(1, width // AGREEMENT_CELL)
    shares = np.stack([reduce(weight, size) for weight in weights])
    # Per sample and channel: planes side by side are compared at once.
    means = np.stack([
        np.moveaxis(reduce(times(sample.colour, weight), size), -1, 0) / np.maximum(share, 1e-9)
        for sample, weight, share in zip(samples, weights, shares, strict=True)
    ])  # fmt: skip
    count = len(samples)
    alike = np.ones((count, count, *size), bool)
    for first in range(count):
        for second in range(first):
            red, green, blue = map(cv2.absdiff, means[first], means[second])
            apart = np.maximum(np.maximum(red, green), blue)
            alike[first, second] = alike[second, first] = apart < DISAGREEMENT
    # Votes count by weight, and a source that shows nothing here neither votes nor leads.
    support = np.stack([(row * shares).sum(axis=0) for row in alike]) * (shares > 0)
    leader = np.argmax(support, axis=0)
    kept = np.take_along_axis(alike, leader[None, None], axis=0)[0]
    return [enlarge(agrees.astype(np.float32), (height, width)) > 0.5 for agrees in kept]


def _pick(samples: Sequence[Sample], weights: Sequence[Floats], target: int, knee: float) -> Picture:
    """Each pixel from the first sample that may give it: those in turn for their grain, then by their share."""
    order = sorted(
        range(len(samples)),
        key=lambda i: (not in_turn(target, samples[i].position), -float(weights[i].sum()), samples[i].position),
    )
    taken = np.zeros(weights[0].shape, bool)
    from_each = [np.zeros_like(taken) for _ in samples]
    # A rim pixel loses to any source that shows the place plainly, so rims only come in the second round.
    for plainly in (True, False):
        for index in order:
            least = _plain(samples[index], target) if plainly else 0.0
            new = (weights[index] > least) & ~taken
            from_each[index] |= new
            taken |= new
    colour = samples[order[0]].colour.copy()
    for sample, where in zip(samples, from_each, strict=True):
        put_sharply(colour, sample, where, knee)
    return colour


def _plain(sample: Sample, target: int) -> float:
    # Half way between a rim weight and the weight of a plainly seen pixel at the largest error that still counts.
    return 2.0 * RIM_WEIGHT * nearness(target, sample.position)
