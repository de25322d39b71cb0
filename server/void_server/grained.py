"""Gives new pixels the grain of their shot, as far as they have none: the last thing before a patch is written.

Only the patch is grained. A clean plate is an artist's own and stays as it is; pixels of a still plate to which only a
smooth difference was added have their grain already. Real pixels that were averaged over frames keep some of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.settings import RenderSettings
from void_server.engines import Picture
from void_server.fills import Fills
from void_server.grain import GrainModel
from void_server.likeness import above_noise
from void_server.plan import GRAIN, Plan
from void_server.regrain import add, synthesise
from void_server.scatter import can_scatter, scatter
from void_server.stitch import Stitched
from void_server.view import PlateFrames

DEGRAIN = 1.0
"""Gaussian sigma in plate pixels below which detail as weak as grain is taken for grain."""
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
        if model is None or model.is_silent or not (grainless > 0).any() or self._is_clean_plate(frame):
            return new.pixels, ""
        unit, said = self._unit(model, frame, new)
        # Averaging leaves some grain, which with a locked-off camera would stand still on the new one.
        kept = self._fills.facts(frame).get("grain_left", 0.0)
        pixels = degrained(new.pixels, model, new.recovered > 0, kept)
        left = float(cv2.GaussianBlur(unit, (0, 0), DEGRAIN).std())
        grained = add(pixels, model, unit, grainless, self._residual(model, kept * left, new))
        # Mixing two grains leaves less of both: where the patch fades into the plate its own is made stronger, so
        # that their sum has the plate's strength throughout.
        alpha = np.clip(new.alpha, FAINTEST, 1)
        stronger = np.sqrt((2 - alpha) / alpha).astype(np.float32)[..., None]
        return np.asarray(pixels + (grained - pixels) * stronger, np.float32), said

    def _residual(self, model: GrainModel, kept: float, new: Stitched) -> Picture:
        """The grain that new pixels have already, as a share of what they should have; recovered ones have `kept`."""
        found = np.repeat((new.recovered * np.float32(kept))[..., None], 3, axis=2)
        if new.lifted is not None:
            # A shadow's grain is that of little light; lifted, it is a part of the grain of more.
            wanted = np.maximum(model.sigma(new.pixels[new.lifted.where][None])[0], 1e-9)
            own = model.sigma(new.lifted.light[None])[0] * new.lifted.gain / wanted
            found[new.lifted.where] += own * new.lifted.share[:, None]
        return np.clip(found, 0, 1).astype(np.float32)

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


def degrained(linear: Picture, model: GrainModel, where: NDArray[np.bool_], kept: float) -> Picture:
    """Pixels without what is as weak as the grain left in them and as fine."""
    if kept <= 0 or not where.any():
        return linear
    smooth = cv2.GaussianBlur(linear, (0, 0), DEGRAIN, borderType=cv2.BORDER_REPLICATE)
    left = model.sigma(np.asarray(smooth, np.float32)) * np.float32(kept)
    detail = above_noise(np.asarray(linear - smooth, np.float32), left, DEGRAIN)
    return np.where(where[..., None], smooth + detail, linear).astype(np.float32)
