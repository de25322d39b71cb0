"""A smooth correction that makes a generated picture meet the plate: known around a region, harmonic inside it.

What the plate shows beside the region says by how much the model's colour is off; the membrane carries that across
(Perez et al., "Poisson Image Editing", SIGGRAPH 2003, with the picture's own gradients kept). It is solved from
coarse to fine, so that a hole of any size costs a fixed number of passes over its pixels (image.md 3.3, step 10).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from void_server.pixelmath import Field, PixelMath

CAP = 0.06
"""Largest correction, in code values of 0..1: what differs by more is other content and not colour (image.md 3.3)."""
SWEEPS = 4
"""Relaxations at each level; each level begins with the solution of the coarser one, so that few are left to do."""
COARSEST = 3
"""A level of this few rows or columns is the last; it begins with the mean."""
LEAST_RING = 0.15
"""Share of what lies around a region that must be known for a membrane to be held by it."""
SLOPE_BLOCK = 8
"""A plane is fitted to means of blocks of this many pixels to a side, as far as there are enough."""
SLOPE_RESISTANCE = 0.02
"""What a full tilt costs beside the mean square that it explains."""
MOST_FOREIGN = 0.35
"""Share of that ring beyond `CAP` from which it tells of other content and not of colour."""


@dataclass(frozen=True)
class Membrane:
    """The correction over an area, and what is to be said of it."""

    field: Field
    """(height, width, 3): to be added to the generated picture."""
    problem: str = ""
    """Why there is none, as `ring_contaminated` or `ring_missing`; empty where it holds."""


def membrane(maths: PixelMath, residual: Field, known: Field, region: Field, blur: float) -> Membrane:
    """The correction of a generated picture inside a region and beside it.

    `residual` is what the plate has more than the picture, in code values; `known` is 1 where that counts, `region` 1
    where the picture will be used. `blur`, in pixels, keeps grain and detail of the ring out of the region.
    """
    nothing = residual * 0
    ring = maths.gaussian(region, 3 * blur)
    around = maths.where((ring > 0.02) & (region < 0.5), region * 0 + 1, 0.0)
    total = float(around.sum())
    if total == 0 or float((around * known).sum()) < LEAST_RING * total:
        return Membrane(nothing, "ring_missing")
    smooth, _ = _smoothed(maths, residual, known, blur)
    foreign = maths.where(maths.peak(abs(smooth)) > CAP, known, 0.0)
    if float((around * foreign).sum()) > MOST_FOREIGN * float((around * known).sum()):
        return Membrane(nothing, "ring_contaminated")
    # Its soft edge, too, is not colour.
    trusted = maths.where(maths.gaussian(foreign, 2 * blur) > 0.02, known * 0, known)
    smooth, weight = _smoothed(maths, residual, trusted, blur)
    kept = maths.where(weight > 0.05, trusted, 0.0)
    slope = slope_of(maths, smooth, kept)
    return Membrane(maths.clipped(slope + harmonic(maths, smooth - slope, kept), -CAP, CAP))


def _smoothed(maths: PixelMath, residual: Field, known: Field, blur: float) -> tuple[Field, Field]:
    """What is known, blurred without what is not, and how much of it there is."""
    weight = maths.gaussian(known, blur)
    return maths.gaussian(residual * known, blur) / maths.clipped(weight, 1e-4, 1.0), weight


def slope_of(maths: PixelMath, values: Field, known: Field) -> Field:
    """The plane nearest to what is known, over all of the area.

    A model's light often falls off from one side to the other; where the frame cuts a region nothing else would carry
    that on to the cut.
    """
    total, weight = values * known, known
    step = 1
    while step < SLOPE_BLOCK and min(weight.shape[:2]) >= 2 * SLOPE_BLOCK:
        total, weight, step = maths.halved(total), maths.halved(weight), 2 * step
    sums, weights = maths.give(total).astype(np.float64), maths.give(weight)[..., 0].astype(np.float64)
    rows, columns = planes(weights.shape, 1)
    terms = np.stack([np.ones_like(rows), rows, columns], axis=-1)
    matrix = np.einsum("yxi,yxj,yx->ij", terms, terms, weights)
    # A little resistance, so that a sliver of a ring does not tilt the whole.
    resistance = np.diag([0.0, SLOPE_RESISTANCE, SLOPE_RESISTANCE]) * weights.sum() + 1e-12 * np.eye(3)
    found = np.linalg.solve(matrix + resistance, np.einsum("yxi,yxc->ic", terms, sums))
    rows, columns = planes(known.shape[:2], step, weights.shape)
    level, down, across = found[:, None, None, :]
    return maths.take(level + rows[..., None] * down + columns[..., None] * across)


def planes(
    size: tuple[int, ...], step: int, coarse: tuple[int, ...] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and columns from -0.5 to 0.5 of a coarse grid, for the pixels of one that is `step` times as fine."""
    high, wide = coarse or size
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float64)
    return ((rows + 0.5) / step / high - 0.5, (columns + 0.5) / step / wide - 0.5)


def harmonic(maths: PixelMath, values: Field, known: Field) -> Field:
    """The values where `known` is 1, and in between the smoothest field that meets them.

    At the border of the area it runs straight on, so that a region which the frame cuts is held by its other sides.
    """
    levels = [(values * known, known)]
    while min(levels[-1][1].shape[:2]) > COARSEST:
        total, weight = levels[-1]
        levels.append((maths.halved(total), maths.halved(weight)))
    total, weight = levels[-1]
    field = values[:1, :1] * 0 + maths.mean(total / maths.clipped(weight, 1e-6, 1.0), weight)
    field = total * 0 + field
    for total, weight in reversed(levels):
        if field.shape[:2] != total.shape[:2]:
            field = maths.doubled(field, (total.shape[0], total.shape[1]))
        given = total / maths.clipped(weight, 1e-6, 1.0)
        fixed = weight > 0
        for _ in range(SWEEPS):
            field = maths.beside(maths.where(fixed, given, field))
        field = maths.where(fixed, given, field)
    return field
