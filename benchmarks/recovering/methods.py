"""The methods that are compared, and how their results are judged."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
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
from void_server.engines.recover.pyramid import spread
from void_server.scenes import MemoryFrames, MemoryShelf
from void_server.tiles import Box

UNIT_FRAMES = 4
WORKERS = 2


def quiet(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
    """Hears no progress."""


@dataclass
class Score:
    """What one method scored on one scene."""

    psnr: float
    worst_frame: float
    temporal: float
    """Temporal error over that of the plate's own grain."""
    seconds_per_frame: float
    noise_ratio: float = math.nan
    coverage: float = math.nan


def judge(shot: Shot, results: Sequence[Picture], seconds: float) -> Score:
    """Quality of finished frames inside the mattes."""
    errors, worst, count = 0.0, math.inf, 0
    previous: tuple[Picture, Picture, NDArray[np.bool_]] | None = None
    changes = grain_changes = 0.0
    for result, truth, grainy, matte in zip(results, shot.truth, shot.grainy, shot.mattes, strict=True):
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
    return Score(_decibel(errors / max(1, count)), worst, ratio, seconds / len(results))


def _decibel(mean_square: float) -> float:
    return -10.0 * math.log10(max(mean_square, 1e-10))


def recover_engine(grain: str) -> RecoverEngine:
    """`recover` as a job sets it up, for shadows to go as well."""
    return RecoverEngine(Setup(RenderSettings(recover_affected="fill", recover_grain=grain), workers=WORKERS))


def solved(engine: RecoverEngine, frames: MemoryFrames) -> list[Fill]:
    """Analyse and solve, units side by side as workers do."""
    numbers = frames.numbers
    roi = Box(0, 0, frames.size[1], frames.size[0])
    units = [Unit(i, str(i), tuple(numbers[i : i + UNIT_FRAMES]), roi) for i in range(0, len(numbers), UNIT_FRAMES)]
    frames.analysis = engine.analyse(frames, quiet, lambda: False)
    with ThreadPoolExecutor(WORKERS) as pool:
        found = pool.map(lambda unit: list(engine.solve(unit, frames, quiet, lambda: False, MemoryShelf())), units)
        return [fill for unit in found for fill in unit]


def finished(engine: RecoverEngine, frames: MemoryFrames, fills: Sequence[Fill], shot: Shot) -> list[Picture]:
    """The plates with their fills put in."""
    results = [plate.copy() for plate in shot.plates]
    for fill in fills:
        index = frames.numbers.index(fill.frame)
        hole = np.isin(frames.labels(fill.frame, fill.box), engine.fills())
        results[index][fill.box.rows, fill.box.columns][hole] = fill.pixels[hole]
    return results


def run_recover(shot: Shot, grain: str) -> tuple[list[Picture], Score]:
    """Analyse and solve a shot; only those two are timed."""
    engine = recover_engine(grain)
    frames = MemoryFrames(shot.plates, shot.labels, fills=engine.fills())
    start = time.perf_counter()
    fills = solved(engine, frames)
    seconds = time.perf_counter() - start
    results = finished(engine, frames, fills, shot)
    score = judge(shot, results, seconds)
    score.noise_ratio = float(np.mean([fill.facts["noise_ratio"] for fill in fills]))
    score.coverage = float(np.mean([fill.facts["coverage"] for fill in fills]))
    return results, score


def run_prototype(shot: Shot, engine: ModuleType) -> Score:
    """The prototype with its own defaults, in the same process."""
    start = time.perf_counter()
    results = engine.Draft(engine.Cfg(workers=WORKERS)).run(shot.plates, shot.mattes)
    return judge(shot, results, time.perf_counter() - start)


def run_telea(shot: Shot) -> Score:
    """Every frame by itself, by OpenCV's inpainting of the display-referred picture."""
    start, results = time.perf_counter(), []
    for plate, labels in zip(shot.plates, shot.labels, strict=True):
        coded = (shot.curve(plate) * 255 + 0.5).astype(np.uint8)
        inpainted = cv2.inpaint(coded, (labels < 255).astype(np.uint8), 5, cv2.INPAINT_TELEA)
        filled = np.asarray(inpainted, np.float32) * np.float32(1 / 255)
        light = linear(filled) if shot.curve is display else ((1 + 60 * 8) ** filled - 1) / 8
        results.append(np.where(labels[..., None] < 255, light, plate).astype(np.float32))
    return judge(shot, results, time.perf_counter() - start)


def run_median(shot: Shot) -> Score:
    """The median over time of each pixel where it is not masked, spread into what always is."""
    start = time.perf_counter()
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
    return judge(shot, results, time.perf_counter() - start)
