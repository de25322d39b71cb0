"""What holds to the letter: the identity engine, registration, and chunks of a range."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.frames import FrameRange
from void_plugin.settings import RenderSettings
from void_server.colour import PEAKS, Knee
from void_server.scenes import FIRST_FRAME
from void_server.tiles import Box

from . import metrics
from .checks import Check
from .jobs import Studio
from .shots import GENERATED, Shot

Picture = NDArray[np.float32]

IDENTITY_CODES, IDENTITY_STOPS, DARKEST = 0.5, 0.02, 0.02
SHIFT = 0.05
"""Pixels."""
CUTOFF = 0.125
"""Cycles a raster pixel up to which phases are compared: above, what an area mean folds down bends them."""
RAMP_SIZE, RAMP_BORDER = (768, 1344), 96
"""Twice VOID's raster, and how much of it on each side lies outside the ramp and the matte."""
EVERYTHING = RenderSettings(
    source="hybrid",
    grain="synth",
    coverage_channel=True,
    weight_channel=True,
    change_channel=True,
    source_channel=True,
)
"""All that composing can do."""


@dataclass(frozen=True)
class Format:
    """A format that plates come in."""

    name: str
    size: tuple[int, int]
    """(height, width) of the data window."""
    aspect: float = 1.0
    origin: tuple[int, int] = (0, 0)
    display: Box | None = None


FORMATS: tuple[Format, ...] = (
    Format("HD", (1080, 1920)),
    Format("anamorphic 2x", (858, 1024), 2.0),
    Format("overscan", (800, 1400), 1.0, (-60, -40), Box(0, 0, 1280, 720)),
    Format("odd sides", (563, 1001)),
    Format("portrait", (1280, 720)),
    Format("aspect 0.667", (720, 1440), 2 / 3),
    Format("cropped", (500, 901), 1.0, (153, 77), Box(0, 0, 1280, 720)),
    Format("UHD", (2160, 3840)),
)
"""The last is the slowest."""


def identity(studio: Studio, peaks: Sequence[float] = PEAKS) -> Iterator[Check]:
    """Smooth ramps up to each peak, and a textured plate at the raster's own size, given back through the raster."""
    for peak in peaks:
        yield from _returned(studio, f"ramp to {peak:g}", ramp(peak), peak, limited=True)
    for name, size in (("texture at the raster", (384, 672)), ("texture at twice the raster", RAMP_SIZE)):
        picture = np.repeat(texture(size, 5)[..., None], 3, axis=-1)
        yield from _returned(studio, name, picture, 1.0, limited=size != RAMP_SIZE)


def _returned(studio: Studio, case: str, plate: Picture, peak: float, limited: bool) -> Iterator[Check]:
    border = RAMP_BORDER * plate.shape[0] // RAMP_SIZE[0]
    matte = np.zeros(plate.shape[:2], np.float32)
    matte[border:-border, border:-border] = 1
    plate = np.asarray(plate.astype(np.float16), np.float32)
    none = np.zeros_like(matte)
    plates = studio.write({FIRST_FRAME + index: (plate, matte, none) for index in range(2)})
    ran = studio.run(plates, "identity-raster", GENERATED)
    ours = ran.pictures[FIRST_FRAME].astype(np.float32)
    inside, knee = matte > 0, Knee(ran.plan.peak)
    error = np.abs(knee.encode(ours) - knee.encode(plate))[inside]
    yield Check("identity", case, "error inside, codes", float(error.mean()) * 255, most=_if(limited, IDENTITY_CODES))
    worst = metrics.stops(ours[inside], plate[inside], DARKEST, peak)
    yield Check("identity", case, "error inside, worst stop, stops", worst, most=_if(limited, IDENTITY_STOPS))
    far = metrics.far_from(matte, none, 12 * plate.shape[1] / 1920)
    bits = studio.plate(plates, FIRST_FRAME)
    yield Check("identity", case, "exact outside, share", metrics.same_bits(ran.pictures[FIRST_FRAME], bits, far), 1.0)


def _if(limited: bool, most: float) -> float:
    return most if limited else math.inf


def ramp(peak: float) -> Picture:
    """From 0.005 to a peak by even steps in stops across the matte, level beyond it."""
    height, width = RAMP_SIZE
    share = np.clip((np.arange(width) - RAMP_BORDER) / (width - 1 - 2 * RAMP_BORDER), 0, 1)
    line = 0.005 * (peak / 0.005) ** share
    return np.broadcast_to(line[None, :, None], (height, width, 3)).astype(np.float32)


def texture(size: tuple[int, int], cell: int) -> NDArray[np.float32]:
    """Smooth noise of a few cell sizes in 0.05..0.8 with thin grid lines, as a chart has them."""
    random = np.random.default_rng(11)
    noise = np.zeros(size, np.float32)
    for side in (cell, 3 * cell, 9 * cell):
        cells = random.random((size[0] // side + 2, size[1] // side + 2), np.float32)
        noise += np.asarray(cv2.resize(cells, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)) / 3
    noise[::16] *= np.float32(0.7)
    noise[:, ::16] *= np.float32(0.7)
    return np.clip(noise, 0.05, 0.8)


def geometry(studio: Studio, formats: Sequence[Format] = FORMATS) -> Iterator[Check]:
    """How far a texture lies from where it was after the way through the raster, by phase correlation.

    All of what is compared is under the object matte, so no pixel of it can be the plate's own.
    """
    for kind in formats:
        height, width = kind.size
        plate = np.repeat(texture(kind.size, max(5, width // 160))[..., None], 3, axis=-1)
        matte = np.zeros(kind.size, np.float32)
        rows, columns = slice(height // 4, height - height // 4), slice(width // 5, width - width // 4)
        matte[rows, columns] = 1
        plates = studio.write(
            {FIRST_FRAME: (plate, matte, np.zeros_like(matte))},
            origin=kind.origin,
            display=kind.display,
            aspect=kind.aspect,
        )
        ran = studio.run(plates, "identity-raster", GENERATED)
        ours = ran.pictures[FIRST_FRAME].astype(np.float32)[rows, columns]
        scale = min(1.0, 672 / ran.plan.roi.width, 384 / ran.plan.roi.height)
        x, y = metrics.registration(ours, plate[rows, columns], CUTOFF * scale)
        case = f"{kind.name}, {width}x{height}, aspect {kind.aspect:.3g}"
        yield Check("geometry", case, "shift, pixels", math.hypot(x, y), most=SHIFT)
        untouched = float((np.abs(ours - plate[rows, columns]) == 0).mean())
        yield Check("geometry", case, "samples equal to the plate, share", untouched)


def chunks(shot: Shot) -> Iterator[Check]:
    """Two halves of a range, each a job of its own, against the whole: the patch files byte by byte."""
    for grain in ("synth", "scatter"):
        settings = replace(EVERYTHING, grain=grain)
        prompt = shot.told("soft").text()
        numbers = shot.plates.numbers
        middle = numbers[len(numbers) // 2]

        def run(first: int, last: int, settings: RenderSettings = settings, prompt: str = prompt) -> dict[int, bytes]:
            part = FrameRange(first, last)
            return shot.studio.run(shot.plates, "stand-in", settings, prompt, part, keep_files=True).files

        whole = run(numbers[0], numbers[-1])
        halves = {**run(numbers[0], middle - 1), **run(middle, numbers[-1])}
        same = float(np.mean([whole[number] == halves[number] for number in numbers]))
        yield Check("chunks", f"{shot.name}, grain {grain}", "equal files, share", same, least=1.0)
