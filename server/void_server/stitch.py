"""Brings a generated picture back to its plate: colour, seam and detail, so that nobody sees where it begins.

For each frame, in the engine's encoding and over the box that changes with some surroundings:

1. The picture is corrected by what the shot's untouched areas say of the model's colour, cleaned of the model's own
   noise, and enlarged to plate size.
2. Inside an affected area only what really changed is taken (`changes`); elsewhere the plate stays, bit for bit.
3. A membrane carries the colour that the plate has around the region across it, steadied over three frames.
4. Where the plate's structure stayed in place only the smooth difference is added to it, which keeps detail and grain;
   elsewhere the picture itself is taken.
5. Pixels that other frames really show come before all of it.

The region that is stitched comes from the soft mattes, the one that was generated from the quadmask. What weighs in is
decided in plate pixels, here and in `view`. Neighbours of a frame count as far as they belong to its unit, so that any
part of a range composed alone equals the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from void_server import changes
from void_server.colour import Colour
from void_server.engines import Picture
from void_server.fills import Fills
from void_server.footage import ByteCache
from void_server.looks import SEEN_BYTES, SURE, Look, Looks, shifted
from void_server.membrane import Membrane, membrane
from void_server.pixelmath import Field, PixelMath, per_channel
from void_server.plan import Plan
from void_server.tiles import Box, strips
from void_server.view import PlateFrames

Floats = NDArray[np.float32]

RING_BLUR = 3.0
"""At 1920 wide, in plate pixels: the blur that keeps the ring's grain and detail out of the membrane."""
DELTA_BLUR = 0.8
"""Gaussian sigma in raster pixels of the difference that is added to a still plate (image.md 3.1: 37.9 dB)."""
AGREES, DIFFERS = 0.5 / 255, 2.0 / 255
"""Mean difference of two frames' rings, in code values: up to the first it is noise and their membranes are averaged,
from the second on it is drift that each frame must follow alone."""
SLOPE = 0.004
"""Half of the difference in code values by which the slope of the encoding is taken: about a grain's."""
FAINT = 0.02
"""Weight below which a pixel is as good as untouched."""
CLOSING = 2
"""Frames on either side over which gaps of a change map close (image.md 3.3, step 8)."""


@dataclass(frozen=True)
class Lifted:
    """Plate pixels that were made lighter or darker, and their grain with them; a row a pixel."""

    where: NDArray[np.bool_]
    """(height, width): which of the new pixels they are in."""
    light: Floats
    """(pixels, 3): as they were, in the same light as the new ones."""
    gain: Floats
    """(pixels, 3): how many times as strong a small difference in them is now."""
    share: Floats
    """(pixels,): how much of each new pixel they are."""


@dataclass(frozen=True)
class Stitched:
    """New pixels of one frame over the box that changes, in EXR coordinates; arrays lie on the box."""

    box: Box
    pixels: Picture
    """In the plate's linear space, or the working space of a plate that is not linear."""
    alpha: Floats
    """How much of each pixel is new."""
    recovered: Floats
    """Share of a new pixel that comes from real pixels."""
    change: Floats
    """How surely a generated picture differs from the plate."""
    grainless: Floats
    """Share of a new pixel that has no grain of its own."""
    lifted: Lifted | None = None
    """Plate pixels under the others, where a smooth difference was added to them; None where there are none."""
    problem: str = ""
    """What kept the membrane off, as `ring_contaminated`; empty where it holds."""


class Stitcher:
    """Stitches the frames of one planned job; safe to use from many threads."""

    def __init__(
        self,
        plan: Plan,
        raster: tuple[int, int],
        frames: PlateFrames,
        colour: Colour,
        fills: Fills,
        maths: PixelMath,
    ) -> None:
        """`colour` takes the plate's linear light to the engine's encoding and back."""
        self._plan, self._raster, self._colour = plan, raster, colour
        self._fills, self._maths = fills, maths
        self._scale = plan.display.width / 1920
        self._looks = Looks(plan, frames, colour, fills, maths)
        self._changes: ByteCache[_Change] = ByteCache(SEEN_BYTES // 8, lambda change: 4 * change.area.area // 4)
        self._fields: ByteCache[_Held] = ByteCache(SEEN_BYTES // 4, lambda held: 28 * held.area.area // 4)

    @property
    def _pixel(self) -> float:
        """Size of a raster pixel at half of the plate's size."""
        return 0.5 * self._plan.roi.width / self._raster[1]

    def stitched(self, frame: int) -> Stitched:
        """The new pixels of a frame that has a hole and whose units are solved."""
        maths, seen = self._maths, self._looks.of(frame)
        box, inside = seen.box, seen.box.moved(-seen.area.x0, -seen.area.y0)
        held, change = self._steady(frame), self._closed(frame)
        size = seen.area.size
        likeness = self._fills.likeness(frame)
        still = changes.still(maths, seen.half_picture + held.field, seen.half_plate, likeness, self._pixel)
        delta = maths.gaussian(seen.half_picture + held.field - seen.half_plate, DELTA_BLUR * self._pixel)

        def whole(field: Field) -> Floats:
            return maths.give(maths.doubled(field, size))[inside.rows, inside.columns]

        def here(values: NDArray[Any]) -> NDArray[Any]:
            return values[inside.rows, inside.columns]

        objects, weights, part = here(seen.object_weights), here(seen.weights), here(seen.share)
        steady = whole(still)[..., 0] * (objects == 0)
        plate, picture = here(seen.plate), here(seen.picture)
        correction, difference = whole(held.field), whole(delta)
        encoded = np.empty(plate.shape, np.float32)
        for rows in strips(box.size):
            generated, kept = np.clip(picture[rows] + correction[rows], 0, 1), per_channel(steady[rows])
            encoded[rows] = kept * (plate[rows] + difference[rows]) + (1 - kept) * generated
        pixels = self._colour.from_engine(encoded)
        if seen.real is not None:
            real = here(seen.real)
            share = per_channel(part)
            mixed = pixels + (real - pixels) * share
            pixels = np.where(share >= 1, real, np.where(share > 0, mixed, pixels))
        change_here = whole(change)[..., 0]
        new = np.clip(np.maximum(objects, weights * change_here), 0, 1)
        alpha = np.where(weights > 0, new, 0).astype(np.float32)
        return Stitched(
            box=box,
            pixels=np.asarray(pixels, np.float32),
            alpha=alpha,
            recovered=part * (alpha > 0),
            change=np.maximum(change_here, objects > 0).astype(np.float32),
            grainless=np.maximum(1 - steady, part) * (alpha > 0),
            lifted=self._lifted(plate, encoded, steady * (1 - part) * (alpha > 0)),
            problem=held.problem,
        )

    def let_go(self) -> None:
        """Keep nothing of the frames that were stitched: frames of other units do not look at them."""
        self._looks.clear()
        self._changes.clear()
        self._fields.clear()

    def _lifted(self, plate: Picture, encoded: Picture, share: Floats) -> Lifted | None:
        where = share > 0
        if not where.any():
            return None

        def light(code: Floats) -> Floats:
            linear: Picture = self._colour.from_engine(np.ascontiguousarray(code[None], np.float32))
            found: Floats = linear[0]
            return found

        codes = plate[where], encoded[where]
        before, after = (light(code + SLOPE) - light(code - SLOPE) for code in codes)
        gain = np.clip(np.abs(after) / np.maximum(np.abs(before), 1e-9), 0, 16).astype(np.float32)
        return Lifted(where, light(codes[0]), gain, share[where])

    # -- what neighbours say together -------------------------------------------------------------------------

    def _change(self, frame: int) -> _Change:
        def make(_: _Change | None) -> _Change:
            seen = self._looks.of(frame)
            likeness = self._fills.likeness(frame)
            return _Change(
                seen.area,
                changes.changed(self._maths, seen.half_picture, seen.half_plate, likeness, self._pixel),
            )

        return self._changes.get(frame, make)

    def _closed(self, frame: int) -> Field:
        """The change map of a frame, over its area at half size; nothing where all that changes is the object."""
        seen = self._looks.of(frame)
        if bool((seen.weights <= seen.object_weights).all()):
            return seen.half_valid * 0
        own = self._change(frame)

        def near(numbers: Sequence[int]) -> list[Field]:
            others = [self._change(number) for number in numbers if self._fills.beside(frame, number)]
            return [shifted(other.field, other.area, own.area, self._maths) for other in others]

        before = near(range(frame - CLOSING, frame))
        after = near(range(frame + 1, frame + CLOSING + 1))
        return changes.closed(before, own.field, after, self._maths)

    def _held(self, frame: int) -> _Held:
        """The membrane of a frame by itself."""

        def make(_: _Held | None) -> _Held:
            seen = self._looks.of(frame)
            weights = self._maths.halved(self._maths.take(seen.weights))
            return self._membrane(seen, weights * self._closed(frame))

        return self._fields.get(frame, make)

    def _membrane(self, seen: Look, changing: Field) -> _Held:
        """The membrane over the object and what is changing."""
        maths = self._maths
        core = maths.halved(maths.take(seen.object_weights))
        region = maths.where((core > 0) | (changing > FAINT), core * 0 + 1, 0.0)
        known = maths.where((core < 0.5) & (changing < FAINT) & (seen.half_valid > SURE), core * 0 + 1, 0.0)
        known = maths.where(seen.half_real > SURE, known * 0 + 1, known)
        residual = seen.half_around - seen.half_picture
        found = membrane(maths, residual, known, region, RING_BLUR * self._scale / 2)
        return _Held(seen.area, found.field, residual, known, found.problem)

    def _steady(self, frame: int) -> Membrane:
        """The membrane of a frame, averaged with its neighbours' as far as they agree."""
        own = self._held(frame)
        if own.problem:
            return Membrane(own.field, own.problem)
        field, total = own.field * 2, own.known * 0 + 2
        for number in (frame - 1, frame + 1):
            if not self._fills.beside(frame, number):
                continue
            other = self._held(number)
            if other.problem:
                continue
            share = self._agreement(own, other)
            if share == 0:
                continue
            there = shifted(other.known * 0 + share, other.area, own.area, self._maths)
            field = field + there * shifted(other.field, other.area, own.area, self._maths)
            total = total + there
        return Membrane(field / total)

    def _agreement(self, own: _Held, other: _Held) -> float:
        maths = self._maths
        known = own.known * shifted(other.known, other.area, own.area, maths)
        if float(known.sum()) == 0:
            return 0.0
        apart = own.residual - shifted(other.residual, other.area, own.area, maths)
        smooth = maths.gaussian(apart * known, 8 * self._scale) / maths.clipped(
            maths.gaussian(known, 8 * self._scale), 1e-3, 1.0
        )
        differs = float(np.abs(maths.give(maths.mean(abs(smooth), known))).max())
        return float(np.clip((DIFFERS - differs) / (DIFFERS - AGREES), 0, 1))


@dataclass(frozen=True)
class _Change:
    area: Box
    field: Field


@dataclass(frozen=True)
class _Held:
    area: Box
    field: Field
    residual: Field
    known: Field
    problem: str
