"""A stand-in for a generating model: the truth as a 384x672 VAE and diffusion would give it back.

The content is right; the picture is soft, carries a colour cast, drifts from frame to frame and is noisy, by the
amounts of image.md 3.1. The `nasty` kind is also warped by 0.5 to 2 plate pixels, off by a gradient from one side of
its ROI to the other, and wrong in one patch inside the hole.

It is an ordinary engine, configured as `stitching.standin:StandInEngine`. What it is to give back comes as one JSON
object in the request's prompt, so it is part of every unit's key like any other prompt.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import Cancelled
from void_server import windows
from void_server.colour import Colour
from void_server.engines import Engine, EngineLimits, Fill, Frames, IsCancelled, Picture, Progress, Shelf, Unit
from void_server.raster import RasterFrames
from void_server.tiles import VOID_RASTER, Box, fit

Kind = Literal["soft", "nasty", "exact"]

SOFTNESS = 0.6
"""Gaussian sigma at the raster, in its pixels."""
GAIN, OFFSET = (1.02, 1.0, 0.985), (0.006, 0.0, -0.004)
"""The colour cast, on encoded RGB."""
DRIFT, DRIFT_CELLS = 0.008, (4, 6)
"""Deviation of the drift, drawn anew for each frame in this many cells and interpolated."""
NOISE = 0.006
"""Deviation of the noise."""
WARP = (0.5, 2.0)
"""Plate pixels by which the nasty picture is displaced, least and most; the same on all frames."""
WARP_CELLS = (3, 4)
GRADIENT = (0.02, -0.012, 0.016)
"""Encoded RGB at one side of the nasty picture; as much is missing at the other."""
WRONG_SHIFT = 37
"""Raster pixels from which the wrong patch takes its content."""
PATCH_EDGE = 0.15
"""Soft edge of the wrong patch, in its radii, to both sides."""


@dataclass(frozen=True)
class Told:
    """What the stand-in is to give back."""

    truth: str
    """Pattern of .npy files, (height, width, 3) over the canvas, in the plate's own space."""
    kind: Kind = "soft"
    seed: int = 0
    patches: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)
    """By frame: centre x, y and radii x, y of the wrong patch, in plate pixels of the canvas."""

    colours: bool = True
    """False leaves out cast, drift, gradient and noise: the same content in the right colours."""

    def text(self) -> str:
        """As it stands in a prompt."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, prompt: str) -> Told:
        return cls(**json.loads(prompt))

    def truth_of(self, frame: int) -> Picture:
        return np.asarray(np.load(self.truth % frame), np.float32)


class StandInEngine(Engine):
    """Gives back the truth it is told, spoilt as a model would."""

    name = "stand-in"

    def limits(self) -> EngineLimits:
        return EngineLimits(
            raster=VOID_RASTER, lengths=windows.VOID_LENGTHS, encoding="encoded", snaps_grid=True, generates=True
        )

    def solve(
        self, unit: Unit, frames: Frames, progress: Progress, cancelled: IsCancelled, shelf: Shelf
    ) -> Iterator[Fill]:
        told, shown = Told.of(self.setup.prompt), cast("RasterFrames", frames)
        for done, frame in enumerate(unit.frames):
            if cancelled():
                raise Cancelled
            if frames.hole(frame) is not None:
                light = shown.base.colour.to_engine(told.truth_of(frame))
                pixels = generated(light, shown.roi, shown.colour, told, frame)
                whole = Box(0, 0, frames.size[1], frames.size[0])
                yield Fill(frame, whole, pixels, np.zeros(whole.size, np.float32), {"coverage": 0.0})
            progress((done + 1) / len(unit.frames), "")


def generated(light: Picture, roi: Box, colour: Colour, told: Told, frame: int) -> Picture:
    """One spoilt frame at the raster, encoded, from the whole truth in the linear light that `Frames` hand out."""
    rows, columns = (
        np.clip(np.arange(first, last), 0, side - 1)
        for first, last, side in ((roi.y0, roi.y1, light.shape[0]), (roi.x0, roi.x1, light.shape[1]))
    )
    coded = np.clip(fit(colour.to_engine(light[rows][:, columns]), VOID_RASTER), 0, 1)
    if told.kind == "exact":
        return coded
    if told.kind == "nasty":
        coded = _with_patch(_warped(coded, roi, told.seed), roi, told, frame)
    return _spoilt(coded, told, frame)


def patch_mask(patch: tuple[float, float, float, float], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Where a wrong patch lies in a picture of plate pixels, its soft edge included."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    return np.asarray(np.hypot((x - patch[0]) / patch[2], (y - patch[1]) / patch[3]) < 1 + 2 * PATCH_EDGE)


def _spoilt(coded: Picture, told: Told, frame: int) -> Picture:
    random = np.random.default_rng((told.seed, 100 + frame))
    high, wide = coded.shape[:2]
    soft = np.asarray(cv2.GaussianBlur(coded, (0, 0), SOFTNESS), np.float32)
    if not told.colours:
        return soft
    drift = random.standard_normal((*DRIFT_CELLS, 3), np.float32) * np.float32(DRIFT)
    cast_ = soft * np.array(GAIN, np.float32) + np.array(OFFSET, np.float32) + _spread(drift, (high, wide))
    if told.kind == "nasty":
        slope = np.linspace(-1, 1, wide, dtype=np.float32)[None, :, None]
        cast_ = cast_ + slope * np.array(GRADIENT, np.float32)
    noise = random.standard_normal(coded.shape, np.float32) * np.float32(NOISE)
    return np.asarray(np.clip(cast_ + noise, 0, 1), np.float32)


def _warped(coded: Picture, roi: Box, seed: int) -> Picture:
    random = np.random.default_rng((seed, 99))
    high, wide = coded.shape[:2]
    fields = _spread(random.random((*WARP_CELLS, 2), np.float32), (high, wide))
    least, most = WARP
    length = np.clip(least + (most - least) * fields[..., 0], least, most)
    angle = 2 * np.pi * fields[..., 1]
    y, x = np.mgrid[0:high, 0:wide].astype(np.float32)
    across = x + length * np.cos(angle) * np.float32(wide / roi.width)
    down = y + length * np.sin(angle) * np.float32(high / roi.height)
    warped = cv2.remap(coded, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.float32)


def _with_patch(coded: Picture, roi: Box, told: Told, frame: int) -> Picture:
    patch = told.patches.get(str(frame))
    if patch is None:
        return coded
    high, wide = coded.shape[:2]
    y, x = np.mgrid[0:high, 0:wide].astype(np.float32)
    plate_x = roi.x0 + (x + 0.5) * np.float32(roi.width / wide) - 0.5
    plate_y = roi.y0 + (y + 0.5) * np.float32(roi.height / high) - 0.5
    distance = np.hypot((plate_x - patch[0]) / patch[2], (plate_y - patch[1]) / patch[3])
    share = np.clip(0.5 + (1 - distance) / (2 * PATCH_EDGE), 0, 1)[..., None].astype(np.float32)
    wrong = np.roll(coded, WRONG_SHIFT, axis=1)[::-1] * np.float32(0.6) + np.float32(0.15)
    return np.asarray(coded * (1 - share) + wrong * share, np.float32)


def _spread(cells: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(cv2.resize(cells, (size[1], size[0]), interpolation=cv2.INTER_CUBIC), np.float32)
