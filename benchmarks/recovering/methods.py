"""The methods that are compared, and how their results are judged."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType

import cv2
import numpy as np
from numpy.typing import NDArray

from recovering.shots import Shot, display, linear
from void_plugin.settings import RenderSettings
from void_server.engines import Fill, Picture, Setup, Unit
from void_server.engines.recover import RecoverEngine
from void_server.engines.recover.pixels import put
from void_server.engines.recover.pyramid import spread
from void_server.scenes import MemoryFrames, MemoryShelf
from void_server.tiles import Box
from void_server.units import UNIT_FRAMES

WORKERS = 2


def quiet(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
    """Hears no progress."""


@dataclass(frozen=True)
class Outcome:
    """The finished frames of a method and what it says of them."""

    pictures: list[Picture]
    noise_ratio: float = math.nan
    coverage: float = math.nan


@dataclass(frozen=True)
class Score:
    """What one method scored on one shot, in dB where nothing else is said."""

    psnr: float
    worst_frame: float
    temporal: float
    """Temporal error over that of the plate's own grain."""
    noise_ratio: float
    coverage: float


def judge(shot: Shot, outcome: Outcome) -> Score:
    """Quality of finished frames inside the mattes."""
    errors, worst, count = 0.0, math.inf, 0
    previous: tuple[Picture, Picture, NDArray[np.bool_]] | None = None
    changes = grain_changes = 0.0
    for result, truth, grainy, matte in zip(outcome.pictures, shot.truth, shot.grainy, shot.mattes, strict=True):
        inside = matte > 0
        error = shot.curve(result) - shot.curve(truth)
        grain = shot.curve(grainy) - shot.curve(truth)
        if int(inside.sum()) >= 50:
            squares = error[inside].astype(np.float64) ** 2
            errors, count = errors + float(squares.sum()), count + squares.size
            worst = min(worst, _decibel(float(squares.mean())))
        if previous is not None:
            both = inside & previous[2]
            changes += float(((error - previous[0])[both].astype(np.float64) ** 2).sum())
            grain_changes += float(((grain - previous[1])[both].astype(np.float64) ** 2).sum())
        previous = error, grain, inside
    ratio = math.sqrt(changes / grain_changes) if grain_changes > 0 else math.nan
    return Score(_decibel(errors / max(1, count)), worst, ratio, outcome.noise_ratio, outcome.coverage)


def _decibel(mean_square: float) -> float:
    return -10.0 * math.log10(max(mean_square, 1e-10))


def by_recover(shot: Shot, grain: str) -> Outcome:
    """Analyse and solve as a job does, units side by side and shadows gone as well, and put the fills in."""
    engine = RecoverEngine(Setup(RenderSettings(recover_affected="fill", recover_grain=grain), workers=WORKERS))
    frames = MemoryFrames(shot.plates, shot.labels, fills=engine.fills())
    numbers = frames.numbers
    roi = Box(0, 0, frames.size[1], frames.size[0])
    units = [Unit(i, str(i), tuple(numbers[i : i + UNIT_FRAMES]), roi) for i in range(0, len(numbers), UNIT_FRAMES)]
    frames.analysis = engine.analyse(frames, quiet, lambda: False)
    results = dict.fromkeys(numbers, shot.plates[0])

    def solved(unit: Unit) -> list[Fill]:
        fills = {fill.frame: fill for fill in engine.solve(unit, frames, quiet, lambda: False, MemoryShelf())}
        for number in unit.frames:
            results[number] = shot.plates[numbers.index(number)].copy()
            if number in fills:
                box = fills[number].box
                hole = np.isin(frames.labels(number, box), engine.fills())
                put(results[number][box.rows, box.columns], fills[number].pixels, hole)
        return list(fills.values())

    with ThreadPoolExecutor(WORKERS) as pool:
        fills = [fill for unit in pool.map(solved, units) for fill in unit]
    noise, coverage = (float(np.mean([fill.facts[name] for fill in fills])) for name in ("noise_ratio", "coverage"))
    return Outcome(list(results.values()), noise, coverage)


def by_prototype(shot: Shot, engine: ModuleType) -> Outcome:
    """The prototype with its own defaults, in the same process."""
    return Outcome(engine.Draft(engine.Cfg(workers=WORKERS)).run(shot.plates, shot.mattes))


def by_telea(shot: Shot) -> Outcome:
    """Every frame by itself, by OpenCV's inpainting of the display-referred picture."""
    results = []
    for plate, labels in zip(shot.plates, shot.labels, strict=True):
        coded = (shot.curve(plate) * 255 + 0.5).astype(np.uint8)
        inpainted = cv2.inpaint(coded, (labels < 255).astype(np.uint8), 5, cv2.INPAINT_TELEA)
        filled = np.asarray(inpainted, np.float32) * np.float32(1 / 255)
        light = linear(filled) if shot.curve is display else ((1 + 60 * 8) ** filled - 1) / 8
        results.append(np.where(labels[..., None] < 255, light, plate).astype(np.float32))
    return Outcome(results)


def by_median(shot: Shot) -> Outcome:
    """The median over time of each pixel where it is not masked, spread into what always is."""
    height = shot.plates[0].shape[0]
    median = np.zeros_like(shot.plates[0])
    never = np.ones(median.shape[:2], bool)
    for row in range(0, height, 60):
        band = slice(row, row + 60)
        stack = np.stack([np.where(labels[band, :, None] == 255, plate[band], np.nan)
                          for plate, labels in zip(shot.plates, shot.labels, strict=True)])  # fmt: skip
        never[band] = np.isnan(stack).all(axis=(0, 3))
        stack[0][never[band]] = 0.0
        median[band] = np.nanmedian(stack, axis=0)
    if never.any():
        median[never] = spread(median, (~never).astype(np.float32))[never]
    results = [np.where(matte[..., None] > 0, median, plate).astype(np.float32)
               for plate, matte in zip(shot.plates, shot.mattes, strict=True)]  # fmt: skip
    return Outcome(results)
