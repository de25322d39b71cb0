"""What the mattes of one frame say of its pixels: labels, what is real, and the weights that a result is blended with.

Kept as bits: a job asks for what its source frames show far more often than their mattes can be looked at anew, and
as whole numbers and floats those of a few frames of 4K would fill the memory that is there for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server import quadmask
from void_server.engines import AFFECTED, KEEP, OVERLAP, Mask
from void_server.footage import Matte
from void_server.quadmask import Reach
from void_server.tiles import Box, box_of

_WEIGHTLESS = np.zeros((0, 0), np.float32)


class Bits:
    """A mask, eight pixels a byte."""

    def __init__(self, mask: Mask) -> None:
        self._packed, self._size = np.packbits(mask), mask.shape

    @property
    def bytes(self) -> int:
        """Memory that this takes."""
        return self._packed.nbytes

    @property
    def mask(self) -> Mask:
        """The mask, made anew."""
        bits = np.unpackbits(self._packed, count=self._size[0] * self._size[1])
        return bits.view(bool).reshape(self._size)


class Weights:
    """Weights 0..1, of which few are neither 0 nor 1."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self._full = Bits(values == 1)
        self._places = np.flatnonzero((values > 0) & (values < 1)).astype(np.int32)
        self._between = values.ravel()[self._places]

    @property
    def bytes(self) -> int:
        """Memory that this takes."""
        return self._full.bytes + self._places.nbytes + self._between.nbytes

    @property
    def values(self) -> NDArray[np.float32]:
        """The weights, made anew."""
        values = self._full.mask.astype(np.float32)
        values.ravel()[self._places] = self._between
        return values


@dataclass(frozen=True)
class Crop:
    """What the mattes say inside one box; outside of it they say nothing. Boxes are in EXR coordinates."""

    box: Box | None
    """None where they say nothing at all; then all that follows is empty."""
    removed: Bits
    """Where the label is REMOVE or OVERLAP."""
    affected: Bits
    """Where it is AFFECTED or OVERLAP."""
    blocked: Bits
    """Where a pixel is not what the scene without the object shows."""
    hole: Box | None
    """Around what the engine fills."""
    changed: Box | None
    """Around all weights."""
    weights: Weights
    """Over `changed`."""
    object_weights: Weights
    """Of the object alone, without what is affected, over `changed`; the same ones where nothing else is filled."""

    @property
    def labels(self) -> NDArray[np.uint8]:
        """The four labels over the box."""
        return quadmask.combine(self.removed.mask, self.affected.mask)

    @property
    def bytes(self) -> int:
        """Memory that this takes."""
        masks = sum(mask.bytes for mask in (self.removed, self.affected, self.blocked))
        own = 0 if self.object_weights is self.weights else self.object_weights.bytes
        return masks + self.weights.bytes + own


@dataclass(frozen=True)
class Mattes:
    """All mattes of one frame."""

    remove: Matte
    affected: Matte
    holdout: Matte
    exclude: Matte

    def crop(self, data: Box, reach: Reach, fills: Sequence[int]) -> Crop:
        """What they say over the smallest box that holds it, inside the plate's data window.

        `fills` has the labels that the engine fills; only then what is affected has weights.
        """
        boxes = [
            matte.box for matte in (self.remove, self.affected, self.holdout, self.exclude) if matte.box is not None
        ]
        if not boxes:
            return _nothing()
        whole = boxes[0]
        for box in boxes[1:]:
            whole = whole.joined(box)
        # Weights are made over the uncut box, so that a matte beyond the frame edge still reaches in.
        whole = whole.grown(reach.pixels)
        shared = whole.within(data)
        if shared is None:
            return _nothing()
        removed = self.remove.within(whole) > quadmask.STITCH_THRESHOLD
        affected_here = self.affected.within(whole)
        changed_by_it = affected_here > quadmask.AFFECTED_THRESHOLD
        held = None if self.holdout.box is None else self.holdout.within(whole) > 0
        around_object = quadmask.weights(removed, held, reach)
        weights = around_object
        if AFFECTED in fills:
            weights = np.maximum(weights, quadmask.weights(changed_by_it, held, reach))
        labels = quadmask.combine(around_object > 0, changed_by_it)
        labels[(weights > 0) & (labels == KEEP)] = AFFECTED  # the rim around a replaced shadow
        if held is not None:
            labels[held] = KEEP
        blocked = (labels != KEEP) | removed | (affected_here > quadmask.OBJECT_THRESHOLD)
        if held is not None:
            blocked |= held
        if self.exclude.box is not None:
            blocked |= self.exclude.within(whole) > quadmask.STITCH_THRESHOLD
        area = shared.moved(-whole.x0, -whole.y0)
        labels, blocked = labels[area.rows, area.columns], blocked[area.rows, area.columns]
        weights, around_object = weights[area.rows, area.columns], around_object[area.rows, area.columns]
        origin = shared.x0, shared.y0
        changed = box_of(weights > 0, origin)
        if changed is None:
            weights = around_object = _WEIGHTLESS
        else:
            area = changed.moved(-shared.x0, -shared.y0)
            weights, around_object = weights[area.rows, area.columns], around_object[area.rows, area.columns]
        kept = Weights(weights)
        # Affected-only pixels belong to the hole only where the engine replaces them.
        filled = np.zeros(256, np.uint8)
        filled[list(fills)] = 1
        return Crop(
            box=shared,
            removed=Bits(labels < AFFECTED),
            affected=Bits((labels == AFFECTED) | (labels == OVERLAP)),
            blocked=Bits(blocked),
            hole=box_of(np.asarray(cv2.LUT(labels, filled)).view(bool), origin),
            changed=changed,
            weights=kept,
            object_weights=Weights(around_object) if AFFECTED in fills else kept,
        )


def _nothing() -> Crop:
    none, weightless = Bits(np.zeros((0, 0), bool)), Weights(_WEIGHTLESS)
    return Crop(None, none, none, none, None, None, weightless, weightless)
