"""What stitching sees of a frame: plate, generated and recovered pixels on one grid, and at half of its size.

Colour, changes and seams are judged at half size: a raster picture has nothing finer, and a plate's grain is halved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from void_server.colour import Colour
from void_server.engines import Fill, Picture
from void_server.fills import Fills
from void_server.footage import ByteCache
from void_server.likeness import Likeness
from void_server.pixelmath import Field, PixelMath, per_channel
from void_server.plan import Plan
from void_server.recovered import share, surroundings
from void_server.tiles import Box, onto, unfit
from void_server.view import PlateFrames

Floats = NDArray[np.float32]

SURE = 0.99
"""Share of real pixels, or of valid ones in a half-size pixel, from which all of it counts as such."""
SEEN_BYTES = 384 << 20
"""Pictures of neighbouring frames that are kept, for all threads together."""


@dataclass(frozen=True)
class Look:
    """One frame over an area, in EXR coordinates and the engine's encoding; `half_…` at half size."""

    box: Box
    """What changes."""
    area: Box
    """What is looked at; all arrays lie on it."""
    plate: Picture
    """All of it: grain below black and light above the peak too, which a model is not shown."""
    picture: Picture
    """The generated one, enlarged and in the plate's colours; the plate where nothing was generated."""
    half_plate: Field
    half_around: Field
    """The plate with its real pixels in place."""
    half_picture: Field
    half_valid: Field
    """1 where the plate or a real pixel shows the background."""
    half_real: Field
    weights: Floats
    object_weights: Floats
    real: Picture | None
    """Recovered pixels in linear light."""
    share: Floats
    """How much of each pixel is recovered."""

    @property
    def bytes(self) -> int:
        """Memory that this takes, roughly."""
        return self.area.area * (3 * 4 * (2 + (self.real is not None)) + 3 * 4 + 11)


class Looks:
    """The looks at the frames of one planned job, each made once; safe to use from many threads."""

    def __init__(self, plan: Plan, frames: PlateFrames, colour: Colour, fills: Fills, maths: PixelMath) -> None:
        """`colour` takes the plate's linear light to the engine's encoding."""
        self._plan, self._frames, self._colour, self._fills, self._maths = plan, frames, colour, fills, maths
        self._seen: ByteCache[Look] = ByteCache(SEEN_BYTES, lambda look: look.bytes)

    def of(self, frame: int) -> Look:
        """What is seen of a frame that has a hole and whose units are solved."""
        return self._seen.get(frame, lambda _: self._make(frame))

    def clear(self) -> None:
        """Keep none of them."""
        self._seen.clear()

    def _make(self, frame: int) -> Look:
        frames, maths = self._frames, self._maths
        found = frames.weights(frame)
        fill = self._fills.generated(frame)
        if found is None:
            raise ValueError(f"frame {frame} has nothing to stitch")
        box, weights = found
        canvas = self._plan.canvas
        area = surroundings(self._plan, box)
        here = area.moved(-canvas.x0, -canvas.y0)
        whole = self._colour.to_engine(frames.plate(frame, here))
        plate = np.clip(whole, 0, 1)
        likeness = self._fills.likeness(frame)
        picture = plate if fill is None else self._enlarged(fill, likeness, area)
        found_real = self._fills.recovered(frame)
        part = share(self._plan, found_real, frames.labels(frame, here), area)
        real, around = None, plate
        if found_real is not None and part.any():
            real = onto(found_real.pixels, found_real.box.moved(canvas.x0, canvas.y0), area)
            shown = np.clip(self._colour.to_engine(real), 0, 1)
            around = np.where(per_channel(part > SURE), shown, plate).astype(np.float32)
        valid = (part > SURE) | ~frames.foreign(frame, here)
        return Look(
            box=box,
            area=area,
            plate=whole,
            picture=picture,
            half_plate=maths.halved(maths.take(plate)),
            half_around=maths.halved(maths.take(around)),
            half_picture=maths.halved(maths.take(picture)),
            half_valid=maths.halved(maths.take(valid)),
            half_real=maths.halved(maths.take(part > SURE)),
            weights=onto(weights, box, area),
            object_weights=onto(frames.object_weights(frame), box, area),
            real=real,
            share=part,
        )

    def _enlarged(self, fill: Fill, likeness: Likeness, area: Box) -> Picture:
        """The generated picture over an area, in the plate's colours and without the model's own noise."""
        roi = self._plan.roi
        clean = likeness.corrected(fill.pixels, fill.scale)
        inside = area.within(roi)
        if inside is None:
            raise ValueError(f"the area {area} lies outside of the ROI {roi}")
        part = unfit(clean, roi.size, inside.moved(-roi.x0, -roi.y0))
        return extended(part, inside, area)


def shifted(field: Field, box: Box, area: Box, maths: PixelMath) -> Field:
    """A half-size field of one area on that of another, 0 where it does not reach."""
    if box == area:
        return field
    halves = [Box(each.x0 // 2, each.y0 // 2, each.x1 // 2, each.y1 // 2) for each in (box, area)]
    return maths.take(onto(maths.give(field), *halves))


def extended(part: Picture, inside: Box, area: Box) -> Picture:
    """A picture with its border pixels repeated out to an area."""
    if inside == area:
        return part
    around = (inside.y0 - area.y0, area.y1 - inside.y1), (inside.x0 - area.x0, area.x1 - inside.x1), (0, 0)
    return np.pad(part, around, mode="edge")
