"""How good and how fast is `recover`, beside the rough prototype it grew from and two classical fills?

    python benchmarks/recover.py [--race] [--quick] [--scenes pan,own_handheld] [--frames 24] [--width 1920]
                                  [--rounds 2] [--json FILE] [--results FILE]

Scenes named `own_*` come from `void_server.scenes`: soft motion-blurred mattes, cast shadow, grain. The others are
the prototype's, and `clip_*` real clips with its figure put into them; they are left out with a reason where its
folder or its clips are absent. PSNR is pooled over all hole pixels of the shot, display-referred (sRGB curve; log2
for `hdr`), against a truth free of grain (a clip's own grain is part of it). All go from plates and mattes in memory
to finished frames in memory with two workers, in turn; the speed is in frames a second over the prototype's. Other
work on the machine slows the clock and little else, so the processor's seconds of all threads stand beside it.

With --race only the scenes and clips that speed is promised on, by `recover` and the prototype alone, after a round
that is judged and not timed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from benching import ROOT
from benching.command import answer, build_parser
from benching.figures import Figure, in_turn
from benching.tables import Cell, Table, Verdict
from numpy.typing import NDArray
from recovering.methods import WORKERS, Outcome, Score, by_median, by_prototype, by_recover, by_telea, judge
from recovering.shots import Shot, clip_shot, load_prototype, own_shot, prototype_shot

from void_server.engines import Picture
from void_server.processes import ready_for_pictures
from void_server.scenes import CAMERAS

OWN = tuple(f"own_{camera}" for camera in CAMERAS)
PROTOTYPE_SCENES = ("static", "static_flicker", "pan", "locked", "plane", "parallax", "hdr")
PROMISED = ("pan", "parallax", "locked", "clip_moving_ball", "clip_lime")
"""Those that speed is promised on: a pan, parallax and a tracking shot, and the real clips."""
SPEED_LIMIT, LOSS_LIMIT = 1.5, 0.2
"""Frames a second over the prototype's at least, and dB below its PSNR at most."""

Method = Callable[[Shot], Outcome]


class Bench:
    """One shot by every method: what it took, by the clock and by the processor, and how good it is."""

    def __init__(self, shot: Shot, prototype: ModuleType | None, options: argparse.Namespace) -> None:
        self.shot, self._sheets = shot, options.sheets
        self.scores: dict[str, Score] = {}
        self.busy: dict[str, list[float]] = {}
        methods: dict[str, Method] = {grain: lambda shot, grain=grain: by_recover(shot, grain)  # type: ignore[misc]
                                      for grain in ("clean", "source")}  # fmt: skip
        if prototype is not None:
            methods["prototype"] = lambda shot: by_prototype(shot, prototype)
        if options.race:
            # Whoever comes first in a process pays for its memory, page by page: a fifth of the engine's first run.
            for name, method in methods.items():
                self._judge(name, method(shot))
        self.clock = in_turn({name: self._way(name, method) for name, method in methods.items()}, options.rounds)
        if not (options.bare or options.race):
            once: dict[str, Method] = {"telea": by_telea, "median": by_median}
            self.clock |= in_turn({name: self._way(name, method) for name, method in once.items()}, 1)
        self.scores["grain alone"] = judge(shot, Outcome(shot.grainy))

    def _way(self, name: str, method: Method) -> Callable[[], float]:
        """Milliseconds a frame; the first result is judged."""

        def run() -> float:
            clock, processor, count = time.perf_counter(), time.process_time(), len(self.shot.plates)
            outcome = method(self.shot)
            took = 1000 * (time.perf_counter() - clock) / count
            self.busy.setdefault(name, []).append(1000 * (time.process_time() - processor) / count)
            if name not in self.scores:
                self._judge(name, outcome)
            return took

        return run

    def _judge(self, name: str, outcome: Outcome) -> None:
        self.scores[name] = judge(self.shot, outcome)
        if self._sheets and name in ("clean", "source"):
            write_sheet(self._sheets / f"{self.shot.name}_{name}.png", self.shot, outcome.pictures)

    def tell(self, table: Table) -> None:
        """Add a row for each method, and a verdict where something is promised."""
        busy = {name: Figure(tuple(values)) for name, values in self.busy.items()}
        for name, score in self.scores.items():
            cells: list[Cell] = []
            for times in (self.clock, busy):
                raced = "prototype" in times and name in ("clean", "source", "prototype")
                cells += [times.get(name, ""), times["prototype"].over(times[name]) if raced else ""]
            table.add(f"{self.shot.name}, {name}", score.psnr, score.worst_frame, score.temporal, *cells,
                      score.noise_ratio, score.coverage)  # fmt: skip
        if self.shot.name in PROMISED and "prototype" in self.clock:
            for by, times in (("the clock", self.clock), ("the processor", busy)):
                what = f"{self.shot.name}, frames a second over the prototype's by {by}"
                table.verdicts.append(Verdict(what, times["prototype"].over(times["clean"]), SPEED_LIMIT, least=True))
            gained = Figure((self.scores["clean"].psnr - self.scores["prototype"].psnr,))
            table.verdicts.append(Verdict(f"{self.shot.name}, dB over the prototype", gained, -LOSS_LIMIT, least=True))


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


def wanted(options: argparse.Namespace) -> Sequence[str]:
    """The names of the shots."""
    if options.scenes:
        names = options.scenes.split(",")
        unknown = [name for name in names if name not in (*PROTOTYPE_SCENES, *OWN) and not name.startswith("clip_")]
        if unknown:
            raise SystemExit(f"{', '.join(unknown)}: no such scene; there are {', '.join((*PROTOTYPE_SCENES, *OWN))}")
        return names
    if options.race:
        return PROMISED
    return OWN if options.quick else (*PROTOTYPE_SCENES, *(name for name in PROMISED if "clip_" in name), *OWN)


def measure(options: argparse.Namespace) -> Iterator[Table]:
    ready_for_pictures()  # as a worker does
    frames, width = (12, 480) if options.quick else (options.frames, options.width)
    title = f"{'Speed of the' if options.race else 'The'} engine recover, {frames} frames of {width}x{width * 9 // 16}"
    columns = (
        "scene, method", "PSNR dB", "worst frame", "temporal error over grain", "ms/frame", "speed over prototype",
        "processor ms/frame", "speed by processor", "noise ratio", "coverage",
    )  # fmt: skip
    table = Table("recover.race" if options.race else "recover", title, columns)
    table.notes.append(f"{options.rounds} rounds in turn, {WORKERS} workers.")
    names = wanted(options)
    prototype = load_prototype(options.prototype) if set(names) - set(OWN) else "not asked"
    for name in names:
        if name in OWN:
            Bench(own_shot(name, frames, width), None, options).tell(table)
        elif isinstance(prototype, str):
            table.notes.append(f"{name} was left out: {prototype}.")
        else:
            engine, scenes = prototype
            if name in PROTOTYPE_SCENES:
                shot = prototype_shot(name, scenes, frames, width)
            else:
                shot = clip_shot(name, options.clips, scenes, frames, width)
            Bench(shot, None if options.bare else engine, options).tell(table)
    yield table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=2)
    parser.add_argument("--race", action="store_true", help="only what speed is promised on, beside the prototype")
    parser.add_argument("--scenes", default="", help="names separated by commas; all by default")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--prototype", type=Path, default=ROOT.parent / "shared" / "prototypes")
    parser.add_argument("--clips", type=Path, default=ROOT.parent / "shared" / "data" / "clips")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--bare", action="store_true", help="neither prototype nor classical fills")
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
