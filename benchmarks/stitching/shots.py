"""A scene written once and put through every method: what the tables, checks and sheets share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from void_plugin.settings import RenderSettings
from void_server.colour import Colour
from void_server.plan import Plan, base_space
from void_server.tiles import unfit

from . import methods, standin
from .jobs import Half, Plates, Ran, Studio
from .metrics import Curve, Judge, Mask, Seen, curve_for, region_of
from .scenes import Picture, Scene, SceneFrame
from .standin import Kind, Told

COLOURS_RIGHT = "colours right"
"""Hard paste of the same content in the right colours, at the same softness and place: what is left when all of the
colour is corrected, and more than that no way of putting it back can mend."""
GENERATED = RenderSettings(source="generated", grain="off")
"""The generated picture alone, put back without regrain."""


@dataclass
class Shot:
    """A shot on disk and in memory; pictures by frame in the order of `plates.numbers`."""

    name: str
    studio: Studio
    plates: Plates
    frames: Sequence[SceneFrame]
    unit: float
    curve: Curve
    seed: int = 0

    @classmethod
    def of_scene(cls, scene: Scene, studio: Studio) -> Shot:
        """Render and write a scene."""
        # As a file holds them: what is compared later must have been rounded alike.
        frames = [_halved(scene.frame(number)) for number in scene.numbers]
        plates = studio.write(
            {frame.number: (frame.plate, frame.object_matte, frame.affected_matte) for frame in frames},
            {frame.number: frame.truth for frame in frames},
        )
        return cls(scene.name, studio, plates, frames, scene.unit, curve_for(scene.peak), scene.seed)

    def told(self, kind: Kind) -> Told:
        """What the stand-in is told; the wrong patch sits inside the object and moves with it."""
        patches = {str(frame.number): patch for frame in self.frames if (patch := _patch(frame)) is not None}
        return Told(self.plates.truth, kind, self.seed, patches if kind == "nasty" else {})

    def judge(self, kind: Kind) -> Judge:
        """Scores results against the truth with its grain; content that is wrong in itself is left out."""
        return Judge([self._seen(frame, kind) for frame in self.frames], self.unit, self.curve)

    def ours(self, kind: Kind, settings: RenderSettings = GENERATED, *, comp: bool = False) -> Ran:
        """The product with the stand-in."""
        return self.studio.run(self.plates, "stand-in", settings, self.told(kind).text(), comp=comp)

    def others(self, kind: Kind, plan: Plan) -> Mapping[str, list[Picture]]:
        """The other methods on the fill that the product gets under this plan, in linear light."""
        space = base_space(self.studio.colour, plan.space)
        colour = Colour(self.studio.colour, space, plan.encoding, plan.peak)
        roi = plan.roi.moved(-plan.canvas.x0, -plan.canvas.y0)
        results: dict[str, list[Picture]] = {name: [] for name in (*methods.METHODS, COLOURS_RIGHT)}
        told = self.told(kind)
        for frame in self.frames:
            raster = standin.generated(frame.truth, roi, colour, told, frame.number)
            right = standin.generated(frame.truth, roi, colour, replace(told, colours=False), frame.number)
            plate = colour.to_engine(np.ascontiguousarray(frame.plate[roi.rows, roi.columns]))
            region = region_of(frame.object_matte, frame.affected_matte, self.unit)[roi.rows, roi.columns]
            paste = methods.Paste(plate, unfit(raster, roi.size), region, self.unit)
            blends = {name: method(paste) for name, method in methods.METHODS.items()}
            blends[COLOURS_RIGHT] = unfit(right, roi.size), region.astype(np.float32)
            for name, (coded, weight) in blends.items():
                result, new = frame.plate.copy(), weight > 0
                light = colour.from_engine(np.clip(coded[new], 0, 1)[:, None])[:, 0]
                share, under = weight[new][:, None], result[roi.rows, roi.columns]
                under[new] = under[new] * (1 - share) + light * share
                results[name].append(result)
        return results

    def pictures(self, ran: Ran) -> list[Picture]:
        """A job's merged frames as float."""
        return [ran.pictures[number].astype(np.float32) for number in self.plates.numbers]

    @cached_property
    def plate_bits(self) -> list[Half]:
        """The plates as they lie on disk."""
        return [self.studio.plate(self.plates, number) for number in self.plates.numbers]

    def wrong(self, frame: SceneFrame, kind: Kind) -> Mask:
        """Where the content itself is wrong, which no way of putting it back can know."""
        patch = _patch(frame) if kind == "nasty" else None
        size = frame.plate.shape[:2]
        return np.zeros(size, bool) if patch is None else standin.patch_mask(patch, size)

    def _seen(self, frame: SceneFrame, kind: Kind) -> Seen:
        return Seen(frame.truth, frame.object_matte, frame.affected_matte, self.wrong(frame, kind))


def _patch(frame: SceneFrame) -> tuple[float, float, float, float] | None:
    """A third of the object's height and width, at its middle; None where there is no object."""
    rows = np.flatnonzero((frame.object_matte > 0.5).any(axis=1))
    columns = np.flatnonzero((frame.object_matte > 0.5).any(axis=0))
    if not rows.size:
        return None
    middle = (float(columns[0] + columns[-1]) / 2, float(rows[0] + rows[-1]) / 2)
    return (*middle, columns.size / 6, rows.size / 6)


def _halved(frame: SceneFrame) -> SceneFrame:
    pictures: list[NDArray[np.float32]] = [
        np.asarray(picture.astype(np.float16), np.float32)
        for picture in (
            frame.plate,
            frame.truth,
            frame.clean,
            frame.regrained,
            frame.object_matte,
            frame.affected_matte,
        )
    ]
    return SceneFrame(frame.number, *pictures)
