"""How good and how fast is `recover`, beside the rough prototype it grew from and two classical fills?

    python benchmarks/recover.py [--quick] [--scenes pan,own_handheld] [--frames 24] [--width 1920]
                                  [--rounds 2] [--json FILE] [--results FILE]

Scenes named `own_*` come from `void_server.scenes`: soft motion-blurred mattes, cast shadow, grain. The others are
the prototype's, and are left out with a reason where its folder or its clips are absent. PSNR is pooled over all
hole pixels of the shot, display-referred (sRGB curve; log2 for `hdr`), against a truth free of grain. What is timed
runs in every round, in turn; the ratio is of frames a second over the prototype's.
"""

from __future__ import annotations

import argparse
import importlib
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from benching import ROOT
from benching.command import answer, build_parser
from benching.figures import Figure, in_turn
from benching.tables import Cell, Table, Verdict
from numpy.typing import NDArray

from void_plugin.settings import RenderSettings
from void_server.engines import Picture, Setup, Unit
from void_server.engines.recover import RecoverEngine
from void_server.engines.recover.pyramid import spread
from void_server.scenes import CAMERAS, MemoryFrames, MemoryShelf, Scene, quadmask
from void_server.tiles import Box

PROTOTYPE_SCENES = ("static", "static_flicker", "pan", "locked", "plane", "parallax", "hdr")
SPEED_SCENES = ("pan", "parallax", "locked")
"""Those that speed is promised on: a pan, parallax and a tracking shot."""
SPEED_LIMIT, LOSS_LIMIT = 1.5, 0.2
"""Frames a second over the prototype's at least, and dB below its PSNR at most."""
UNIT_FRAMES = 4
WORKERS = 2
GROW_SHARE = 0.004
"""Of the width: how much the mattes are grown for the prototype's scenes, as the prototype grows them itself."""

Curve = Callable[[Picture], Picture]


def quiet(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
    """Hears no progress."""


@dataclass
class Shot:
    """One scene ready to run."""

    name: str
    plates: list[Picture]
    mattes: list[NDArray[np.uint8]]
    """1 where the result is judged."""
    labels: list[NDArray[np.uint8]]
    truth: list[Picture]
    grainy: list[Picture]
    curve: Curve


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


def display(light: Picture) -> Picture:
    """sRGB-encoded, clipped to 0..1."""
    x = np.clip(light, 0, 1)
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055).astype(np.float32)


def log_display(light: Picture) -> Picture:
    """Log-encoded so that 60 is 1, as the prototype's evaluation of its `hdr` scene."""
    coded = np.log2(1 + np.maximum(light, 0) * 8) / math.log2(1 + 60 * 8)
    return np.asarray(np.clip(coded, 0, 1), np.float32)


def own_shot(name: str, frames: int, width: int) -> Shot:
    """A scene of ours with shadow, motion blur and grain."""
    scene = Scene(name.removeprefix("own_"), (width * 9 // 16, width), frames)  # type: ignore[arg-type]
    shots = [scene.frame(number) for number in scene.numbers]
    grow = max(1, round(GROW_SHARE * width))
    labels = [quadmask(shot.object_matte, shot.affected_matte, grow) for shot in shots]
    # Judged where figure or shadow really are, not where the matte was grown.
    mattes = [((shot.object_matte > 0) | (shot.affected_matte > 0)).astype(np.uint8) for shot in shots]
    return Shot(name, [shot.plate for shot in shots], mattes, labels, [shot.truth for shot in shots],
                [shot.grainy_truth for shot in shots], display)  # fmt: skip


def prototype_shot(name: str, scenes: ModuleType, frames: int, width: int) -> Shot:
    """One of the prototype's scenes."""
    plates, mattes, truth = scenes.scene(name, frames, width, width * 9 // 16)
    grow = max(1, round(GROW_SHARE * width))
    labels = [quadmask(matte.astype(np.float32), None, grow) for matte in mattes]
    random = np.random.default_rng(0)
    grainy = [
        (t + random.standard_normal(t.shape, np.float32) * (0.004 * np.sqrt(np.maximum(t, 1e-4)) + 0.0008)).astype(
            np.float32
        )
        for t in truth
    ]
    return Shot(name, plates, mattes, labels, truth, grainy, log_display if name == "hdr" else display)


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


def run_recover(shot: Shot, grain: str) -> tuple[list[Picture], Score]:
    """Analyse and solve a shot; only those two are timed."""
    settings = RenderSettings(recover_affected="fill", recover_grain=grain)
    engine = RecoverEngine(Setup(settings, workers=WORKERS))
    frames = MemoryFrames(shot.plates, shot.labels, fills=engine.fills())
    numbers = frames.numbers
    roi = Box(0, 0, frames.size[1], frames.size[0])
    units = [Unit(i, str(i), tuple(numbers[i : i + UNIT_FRAMES]), roi) for i in range(0, len(numbers), UNIT_FRAMES)]
    start = time.perf_counter()
    frames.analysis = engine.analyse(frames, quiet, lambda: False)
    with ThreadPoolExecutor(WORKERS) as pool:
        solved = pool.map(lambda unit: list(engine.solve(unit, frames, quiet, lambda: False, MemoryShelf())), units)
        fills = [fill for unit in solved for fill in unit]
    seconds = time.perf_counter() - start
    results = [plate.copy() for plate in shot.plates]
    for fill in fills:
        index = numbers.index(fill.frame)
        hole = np.isin(frames.labels(fill.frame, fill.box), engine.fills())
        results[index][fill.box.rows, fill.box.columns][hole] = fill.pixels[hole]
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
        light = _linear(filled) if shot.curve is display else ((1 + 60 * 8) ** filled - 1) / 8
        results.append(np.where(labels[..., None] < 255, light, plate).astype(np.float32))
    return judge(shot, results, time.perf_counter() - start)


def _linear(coded: Picture) -> Picture:
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4).astype(np.float32)


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


def write_sheet(path: Path, shot: Shot, results: Sequence[Picture]) -> None:
    """Plate, ours, truth and the difference times eight, for four frames of the shot."""
    rows = []
    count = len(results)
    for index in sorted({count // 8, (2 * count) // 3, count - 3, count - 1}):
        box = _around(shot.mattes[index])
        crop = [shot.curve(picture[index])[box] for picture in (shot.plates, results, shot.truth)]
        crop.append(np.clip(0.5 + 8 * (crop[1] - crop[2]), 0, 1))
        scale = 420 / crop[0].shape[0]
        rows.append(np.hstack([cv2.resize(c, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for c in crop]))
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0))) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), (np.vstack(rows)[..., ::-1] * 255).astype(np.uint8))


def _around(matte: NDArray[np.uint8]) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(matte.any(axis=1)), np.flatnonzero(matte.any(axis=0))
    if not len(rows):
        return slice(None), slice(None)
    pad = matte.shape[1] // 40
    return (slice(max(0, rows[0] - pad), rows[-1] + pad), slice(max(0, columns[0] - pad), columns[-1] + pad))


def load_prototype(folder: Path) -> tuple[ModuleType, ModuleType] | str:
    """The prototype's engine and scenes, or why they cannot be used."""
    if not (folder / "draft_engine.py").exists():
        return f"no prototype in {folder}"
    sys.path.append(str(folder))
    engine, scenes = importlib.import_module("draft_engine"), importlib.import_module("draft_scenes")
    # Its scenes know the engine by an older name.
    sys.modules["draft"] = engine
    try:
        scenes.bg("moving_ball")
    except (AttributeError, cv2.error) as error:
        return f"the prototype's clips cannot be read ({error})"
    return engine, scenes


def measure(options: argparse.Namespace) -> Iterator[Table]:
    frames, width = (12, 480) if options.quick else (options.frames, options.width)
    own = [f"own_{camera}" for camera in CAMERAS]
    wanted = options.scenes.split(",") if options.scenes else [*([] if options.quick else PROTOTYPE_SCENES), *own]
    prototype = load_prototype(options.prototype) if any(name in PROTOTYPE_SCENES for name in wanted) else "not asked"
    columns = (
        "scene, method", "PSNR dB", "worst frame", "temporal error over grain", "ms/frame", "speed over prototype",
        "noise ratio", "coverage",
    )  # fmt: skip
    table = Table("recover", f"The engine recover, {frames} frames of {width}x{width * 9 // 16}", columns)
    table.notes.append(f"{options.rounds} rounds in turn, {WORKERS} workers.")
    for name in wanted:
        if name in PROTOTYPE_SCENES and isinstance(prototype, str):
            table.notes.append(f"{name} was left out: {prototype}.")
            continue
        if isinstance(prototype, str) or name not in PROTOTYPE_SCENES:
            engine, shot = None, own_shot(name, frames, width)
        else:
            engine, shot = prototype[0], prototype_shot(name, prototype[1], frames, width)
        add_scene(table, shot, None if options.bare else engine, options)
    yield table


def add_scene(table: Table, shot: Shot, prototype: ModuleType | None, options: argparse.Namespace) -> None:
    """One scene by every method; what is fast and says little of speed runs once."""
    scores: dict[str, Score] = {}

    def ours(grain: str) -> Callable[[], float]:
        def run() -> float:
            results, scores[grain] = run_recover(shot, grain)
            if options.sheets:
                write_sheet(options.sheets / f"{shot.name}{'' if grain == 'clean' else '_source'}.png", shot, results)
            return 1000 * scores[grain].seconds_per_frame

        return run

    def theirs() -> float:
        assert prototype is not None
        scores["prototype"] = run_prototype(shot, prototype)
        return 1000 * scores["prototype"].seconds_per_frame

    ways = {"clean": ours("clean"), "source": ours("source")}
    times = in_turn({**ways, "prototype": theirs} if prototype is not None else ways, options.rounds)
    if not options.bare:
        scores["telea"], scores["median"] = run_telea(shot), run_median(shot)
    scores["grain alone"] = judge(shot, shot.grainy, 0.0)
    for method, score in scores.items():
        speed: Cell = times["prototype"].over(times[method]) if method in times and "prototype" in times else ""
        took: Cell = times.get(method) or (1000 * score.seconds_per_frame or "")
        table.add(f"{shot.name}, {method}", score.psnr, score.worst_frame, score.temporal, took, speed,
                  score.noise_ratio, score.coverage)  # fmt: skip
    if prototype is not None and shot.name in SPEED_SCENES:
        faster = times["prototype"].over(times["clean"])
        gained = scores["clean"].psnr - scores["prototype"].psnr
        table.verdicts.append(
            Verdict(f"{shot.name}, frames a second over the prototype's", faster, SPEED_LIMIT, least=True)
        )
        table.verdicts.append(
            Verdict(f"{shot.name}, dB over the prototype", Figure((gained,)), -LOSS_LIMIT, least=True)
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=2)
    parser.add_argument("--scenes", default="", help="names separated by commas; all by default")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--prototype", type=Path, default=ROOT.parent / "shared" / "prototypes")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--bare", action="store_true", help="neither prototype nor classical fills")
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
