"""How good and how fast is `recover`, beside the rough prototype it grew from and two classical fills?

    python benchmarks/recover.py [--quick] [--scenes pan,own_handheld] [--frames 24] [--width 1920] [--json FILE]
    python benchmarks/recover.py --race [--quick] [--rounds 4]

Scenes named `own_*` come from `void_server.scenes`: soft motion-blurred mattes, cast shadow, grain. The others are
the prototype's, and are left out with a reason where its folder or its clips are absent. PSNR is pooled over all
hole pixels of the shot, display-referred (sRGB curve; log2 for `hdr`), against a truth free of grain. What is timed
runs twice, in turn, and the faster run counts.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "server")]

from recovering.methods import WORKERS, Score, judge, run_median, run_prototype, run_recover, run_telea  # noqa: E402
from recovering.race import race, verdict  # noqa: E402
from recovering.shots import Shot, clip_shot, load_prototype, own_shot, prototype_shot  # noqa: E402

from void_server.engines import Picture  # noqa: E402
from void_server.scenes import CAMERAS  # noqa: E402

PROTOTYPE_SCENES = ("static", "static_flicker", "pan", "locked", "plane", "parallax", "hdr")
RACE_SCENES, RACE_CLIPS = ("pan", "parallax", "locked"), ("moving_ball", "lime")
"""Pan, parallax and tracking shot; the real clips get a walking figure."""


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


def _time_again(shot: Shot, scores: dict[str, Score], prototype: ModuleType | None) -> None:
    """Run what is timed once more in the same order and keep the faster of both: other work on a machine only slows."""
    for method in ("clean", "prototype", "source"):
        if method not in scores or (method == "prototype" and prototype is None):
            continue
        again = run_prototype(shot, prototype) if prototype and method == "prototype" else run_recover(shot, method)[1]
        scores[method].seconds_per_frame = min(scores[method].seconds_per_frame, again.seconds_per_frame)


def run_race(options: argparse.Namespace) -> None:
    """The race over the prototype's moving scenes and the real clips, and whether it holds what is asked."""
    prototype = load_prototype(options.prototype)
    if isinstance(prototype, str):
        print(f"skipped: {prototype}")
        return
    if options.quick:
        options.frames, options.rounds = 12, 2
    print(f"{options.width} wide, {options.frames} frames, {WORKERS} workers, {options.rounds} rounds; "
          "median and spread, x as many frames a second as the prototype")  # fmt: skip
    table: dict[str, Any] = {}
    for name in options.scenes.split(",") if options.scenes else [*RACE_SCENES, *RACE_CLIPS]:
        if name in PROTOTYPE_SCENES:
            shot = prototype_shot(name, prototype[1], options.frames, options.width)
        else:
            shot = clip_shot(name, options.clips, prototype[1], options.frames, options.width)
        table[name] = race(shot, prototype[0], options.rounds)
    wrong = verdict(table)
    print("\n".join(wrong) if wrong else "all as asked")
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="480 pixels wide, 12 frames, our own scenes only")
    parser.add_argument("--json", type=Path, help="write the numbers here too")
    parser.add_argument("--scenes", default="", help="names separated by commas; all by default")
    parser.add_argument("--race", action="store_true", help="only time recover against the prototype, round by round")
    parser.add_argument("--rounds", type=int, default=4, help="of the race")
    parser.add_argument("--clips", type=Path, default=ROOT.parent / "shared" / "data" / "clips")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--prototype", type=Path, default=ROOT.parent / "shared" / "prototypes")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets")
    parser.add_argument("--bare", action="store_true", help="neither prototype nor classical fills")
    options = parser.parse_args()
    if options.race:
        run_race(options)
        return
    if options.quick:
        options.frames, options.width = 12, 480
    own = [f"own_{camera}" for camera in CAMERAS]
    wanted = options.scenes.split(",") if options.scenes else [*([] if options.quick else PROTOTYPE_SCENES), *own]
    table: dict[str, Any] = {}
    prototype = load_prototype(options.prototype) if any(name in PROTOTYPE_SCENES for name in wanted) else "not asked"
    print(f"{options.width} wide, {options.frames} frames, {WORKERS} workers; PSNR in dB (worst frame), "
          "temporal error over grain, seconds a frame")  # fmt: skip
    for name in wanted:
        if name in PROTOTYPE_SCENES and isinstance(prototype, str):
            print(f"{name:16s} skipped: {prototype}")
            continue
        if isinstance(prototype, str) or name not in PROTOTYPE_SCENES:
            shot = own_shot(name, options.frames, options.width)
        else:
            shot = prototype_shot(name, prototype[1], options.frames, options.width)
        scores: dict[str, Score] = {}
        results, scores["clean"] = run_recover(shot, "clean")
        if options.sheets:
            write_sheet(options.sheets / f"{name}.png", shot, results)
        if not isinstance(prototype, str) and name in PROTOTYPE_SCENES and not options.bare:
            scores["prototype"] = run_prototype(shot, prototype[0])
        picked, scores["source"] = run_recover(shot, "source")
        if options.sheets:
            write_sheet(options.sheets / f"{name}_source.png", shot, picked)
        if not options.bare:
            scores["telea"], scores["median"] = run_telea(shot), run_median(shot)
        if not options.bare:
            _time_again(shot, scores, None if isinstance(prototype, str) else prototype[0])
        scores["ceiling"] = judge(shot, shot.grainy, 0.0)
        table[name] = {method: asdict(score) for method, score in scores.items()}
        print(name)
        for method, score in scores.items():
            extra = ("" if math.isnan(score.noise_ratio) else
                     f"  noise ratio {score.noise_ratio:.2f}  coverage {score.coverage:.4f}")  # fmt: skip
            print(f"    {method:10s} {score.psnr:6.2f} ({score.worst_frame:6.2f})  x{score.temporal:6.2f}  "
                  f"{score.seconds_per_frame:.3f} s{extra}", flush=True)  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
