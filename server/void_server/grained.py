"""Gives new pixels the grain of their shot, as far as they have none: the last thing before a patch is written.

Only the patch is grained. A clean plate is an artist's own and stays as it is; pixels of a still plate to which only a
smooth difference was added have their grain already. Real pixels that were averaged over frames keep some of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.settings import RenderSettings
from void_server import leavings
from void_server.align import Floats
from void_server.engines import Picture
from void_server.fills import Fills
from void_server.grain import GrainModel
from void_server.likeness import noise_share
from void_server.pixelmath import per_channel
from void_server.plan import GRAIN, Plan
from void_server.regrain import add, synthesise
from void_server.scatter import can_scatter, scatter
from void_server.stitch import Stitched
from void_server.tiles import Box, box_of, strips
from void_server.view import PlateFrames

DEGRAIN = 1.0
"""Gaussian sigma in plate pixels below which detail as weak as grain is taken for grain."""
REACH = 12
"""Pixels from which a blur of `DEGRAIN`, and one twice as wide of what it leaves, take in a value."""
SURROUNDINGS = max(leavings.REACH, 4)
"""Pixels around those to be grained that have a say in them: by what a mean has left, or by the blur of luma."""
FAINTEST = 0.02
"""Alpha below which grain is not made stronger any more to outweigh the plate's share."""


class Grainer:
    """Grains the frames of one planned job; safe to use from many threads."""

    def __init__(
        self,
        plan: Plan,
        settings: RenderSettings,
        frames: PlateFrames,
        fills: Fills,
        arrays: Mapping[str, NDArray[Any]],
    ) -> None:
        """`arrays` are those of the plan's analysis, by name."""
        self._plan, self._settings, self._frames, self._fills = plan, settings, frames, fills
        mine = {name.partition(".")[2]: array for name, array in arrays.items() if name.startswith(f"{GRAIN}.")}
        self._model = GrainModel.from_arrays(mine) if mine and settings.grain != "off" else None

    def grained(self, frame: int, new: Stitched) -> tuple[Picture, str]:
        """New pixels with grain, in the same light, and the code of what is to be said; empty for nothing."""
        model = self._model
        grainless = new.grainless if new.lifted is None else np.maximum(new.grainless, new.lifted.where)
        inside = box_of(grainless > 0)
        if model is None or model.is_silent or inside is None or self._is_clean_plate(frame):
            return new.pixels, ""
        if new.lifted is not None:
            return self._all_of(model, frame, new, grainless)
        # Often a few pixels among many real ones: no more is looked at than they depend on.
        area = inside.grown(SURROUNDINGS).within(Box(0, 0, new.box.width, new.box.height)) or inside
        found, said = self._all_of(model, frame, _part(new, area), grainless[area.rows, area.columns])
        pixels = new.pixels.copy()
        pixels[area.rows, area.columns] = found
        return pixels, said

    def _all_of(self, model: GrainModel, frame: int, new: Stitched, grainless: Floats) -> tuple[Picture, str]:
        unit, said = self._unit(model, frame, new)
        own, pixels = lifted_grain(model, new), new.pixels
        if (own > 1).any():
            fine = unit - cv2.GaussianBlur(unit, (0, 0), DEGRAIN)
            pixels = calmed(pixels, model, own, float(fine.std()))
        # Averaging leaves some grain, which with a locked-off camera would stand still under the new one; pixels of
        # a single frame keep all of theirs.
        kept = self._fills.facts(frame).get("grain_left", 0.0)
        pixels, left = leavings.degrained(pixels, model, (new.recovered > 0) & (grainless > 0), kept)
        own += left * per_channel(new.recovered * np.float32(kept))
        grained = add(pixels, model, unit, grainless, np.minimum(own, 1))
        # Mixing two grains leaves less of both: where the patch fades into the plate its own is made stronger, so
        # that their sum has the plate's strength throughout.
        alpha = np.clip(new.alpha, FAINTEST, 1)
        stronger = np.sqrt((2 - alpha) / alpha).astype(np.float32)
        for rows in strips(alpha.shape):
            grained[rows] = pixels[rows] + (grained[rows] - pixels[rows]) * per_channel(stronger[rows])
        return grained, said

    def _unit(self, model: GrainModel, frame: int, new: Stitched) -> tuple[Picture, str]:
        seed, canvas = self._settings.seed, self._plan.canvas
        said = ""
        if self._settings.grain == "scatter":
            area = self._plan.grain_area.moved(-canvas.x0, -canvas.y0)
            if can_scatter(self._frames, frame, area):
                return scatter(model, self._frames, area, seed, frame, new.box), ""
            said = "scatter_not_here"
        return synthesise(model, seed, frame, new.box), said

    def _is_clean_plate(self, frame: int) -> bool:
        footage = self._frames.footage
        return footage.has("clean_plate") and not footage.sequence("clean_plate").missing([frame])


def _part(new: Stitched, area: Box) -> Stitched:
    """What was stitched, over a box of it."""
    here = area.rows, area.columns
    return replace(
        new, box=area.moved(new.box.x0, new.box.y0), pixels=new.pixels[here], alpha=new.alpha[here],
        recovered=new.recovered[here], change=new.change[here], grainless=new.grainless[here],
    )  # fmt: skip


def lifted_grain(model: GrainModel, new: Stitched) -> Picture:
    """The grain that lifted pixels brought along, as a share of what their light should have; it may be more than 1.

    A shadow's grain is that of little light; lifted, it is a part of the grain of more.
    """
    found = np.zeros_like(new.pixels)
    if new.lifted is not None:
        wanted = np.maximum(model.sigma(new.pixels[new.lifted.where][None])[0], 1e-9)
        own = model.sigma(new.lifted.light[None])[0] * new.lifted.gain / wanted
        found[new.lifted.where] = own * new.lifted.share[:, None]
    return found


def calmed(linear: Picture, model: GrainModel, own: Picture, share: float) -> Picture:
    """Pixels whose grain is too strong, as a multiple `own` of what it should be, with as much as it should be.

    `share` is how much of grain's deviation is finer than `DEGRAIN`.
    """
    strong = own.max(axis=-1) > 1
    inside = box_of(strong)
    if inside is None:
        return linear
    # Only as much around them as the blurs see: often they are a small part of what changes.
    area = inside.grown(REACH).within(Box(0, 0, linear.shape[1], linear.shape[0]))
    assert area is not None
    result = linear.copy()
    here, own, strong = linear[area.rows, area.columns], own[area.rows, area.columns], strong[area.rows, area.columns]
    smooth = cv2.GaussianBlur(here, (0, 0), DEGRAIN, borderType=cv2.BORDER_REPLICATE)
    fine = np.asarray(here - smooth, np.float32)
    sigma = np.asarray(model.sigma(np.asarray(smooth, np.float32)) * own * np.float32(share), np.float32)
    # Squared, so that hardly anything is taken from where structure prevails and the excess is not seen anyway.
    grain = noise_share(fine, sigma, DEGRAIN) ** 2 * fine
    less = np.float32(1) - np.float32(1) / np.maximum(own, 1)
    result[area.rows, area.columns] = np.where(strong[..., None], here - less * grain, here)
    return result
