"""How well is a generated picture put back into the plate, beside what others do and against the limits of image.md?

    python benchmarks/stitch.py [--quick] [--blocks seam,hybrid] [--scenes pan,edge] [--seeds 2] [--json FILE]
                                [--sheets FOLDER] [--strict]

A stand-in takes the model's place: the truth as a 384x672 model would give it back, `soft` (blur, colour cast,
drift, noise) or `nasty` (also warped, off by a gradient, wrong in one patch). The product runs as a user runs it, on
EXR plates and mattes, and its patch is merged over the plate. Codes are 1/255 of the model's encoding.

seam      scenes x stand-ins x methods; limits are held by the mean of the seeds (the JSON has each). For `nasty` they
          are no stricter than what its misplaced content costs in the right colours; grained results may differ from
          the truth by another grain as well
hybrid    real pixels of other frames, beside `recover` and the stand-in alone
identity  an engine that gives the plate back through the raster
geometry  the same by phase correlation, for eight formats
chunks    two halves of a range against the whole, byte by byte
few       grain of recovered pixels where a locked-off camera has few frames, told from the set by other takes of it
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "server"), str(ROOT / "benchmarks")]

from stitching import clips, exact, few, hybrid, seams, sheets  # noqa: E402
from stitching.checks import Check  # noqa: E402
from stitching.jobs import Studio  # noqa: E402
from stitching.scenes import HYBRID, SCENES, Scene  # noqa: E402
from stitching.shots import Shot  # noqa: E402
from stitching.standin import Kind  # noqa: E402

from void_server.colour import PEAKS  # noqa: E402

BLOCKS = ("seam", "hybrid", "identity", "geometry", "chunks", "few")
KINDS: tuple[Kind, ...] = ("soft", "nasty")
FIRST_SEED = 7
QUICK_SIZE, QUICK_FRAMES = (432, 768), 4
QUICK_SCENES = ("pan", "revealed")
CLIP = "lime"


def run_seams(scenes: Sequence[Scene], seeds: int, studio: Studio) -> tuple[list[seams.Row], list[Check]]:
    """The seam table, printed as it grows."""
    rows: list[seams.Row] = []
    for scene in scenes:
        found: list[seams.Row] = []
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            shot = Shot.of_scene(replace(scene, seed=seed), studio)
            for kind in KINDS:
                found.extend(seams.measure(shot, kind, comp=seed == FIRST_SEED))
            studio.forget(shot.plates)
        found.sort(key=lambda row: KINDS.index(row.standin))
        print("\n".join(seams.table(found)), flush=True)
        rows.extend(found)
    return rows, list(seams.checks(rows, {scene.name: scene for scene in scenes}))


def run_hybrid(scenes: Sequence[Scene], kinds: Sequence[Kind], studio: Studio) -> list[Check]:
    """Each scene with each stand-in."""
    found = []
    for scene in scenes:
        shot = Shot.of_scene(scene, studio)
        found += [check for kind in kinds for check in hybrid.measure(shot, kind)]
        found.append(Check("hybrid", scene.name, "revealed in other frames, share", scene.revealed()))
        studio.forget(shot.plates)
    return found


def write_sheets(scenes: Iterable[Scene], folder: Path, studio: Studio) -> None:
    """Every scene and the real clip, both stand-ins."""
    for scene in scenes:
        shot = Shot.of_scene(scene, studio)
        for kind in KINDS:
            print(sheets.write(folder, shot, kind), flush=True)
        studio.forget(shot.plates)
    real = clips.real_shot(CLIP, studio)
    if real is None:
        print(f"{CLIP} skipped: it is not in {clips.CLIPS}")
        return
    print(sheets.write(folder, real, "soft"))


def chosen(options: argparse.Namespace) -> list[Scene]:
    """The scenes asked for, as they are or small and short."""
    names = options.scenes.split(",") if options.scenes else [scene.name for scene in SCENES]
    if options.quick and not options.scenes:
        names = list(QUICK_SCENES)
    unknown = set(names) - {scene.name for scene in SCENES}
    if unknown:
        raise SystemExit(f"no scene {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in SCENES)}")
    found = [scene for scene in SCENES if scene.name in names]
    # The hybrid's limits say nothing where less is revealed or the model is hardly coarser than the plate.
    return [_small(scene) if scene.name not in hybrid.ONLY else scene for scene in found] if options.quick else found


def _small(scene: Scene) -> Scene:
    return replace(scene, size=QUICK_SIZE, count=QUICK_FRAMES)


def show(checks: Sequence[Check]) -> None:
    """A block's checks, one a line."""
    print("\n".join(check.line() for check in checks), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two small scenes, one seed, the first of each list")
    parser.add_argument("--blocks", default=",".join(BLOCKS), help="names separated by commas; all by default")
    parser.add_argument("--scenes", default="", help="names separated by commas; all by default")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets at 100 %%")
    parser.add_argument("--folder", type=Path, help="where plates are written; default a temporary folder")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a limit is missed")
    options = parser.parse_args(arguments)
    begun, blocks, scenes = perf_counter(), options.blocks.split(","), chosen(options)
    rows: list[seams.Row] = []
    checks: list[Check] = []
    with Studio(options.folder) as studio:
        if "seam" in blocks:
            seen = [scene for scene in scenes if scene.name not in hybrid.ONLY]
            rows, checks = run_seams(seen, 1 if options.quick else options.seeds, studio)
            show(checks)
        for name in blocks:
            found: list[Check] = []
            if name == "hybrid":
                found = run_hybrid(
                    [scene for scene in scenes if scene.name in HYBRID], KINDS[:1] if options.quick else KINDS, studio
                )
            elif name == "identity":
                found = list(exact.identity(studio, PEAKS[:1] if options.quick else PEAKS))
            elif name == "geometry":
                found = list(exact.geometry(studio, exact.FORMATS[3:5] if options.quick else exact.FORMATS))
            elif name == "chunks":
                found = list(exact.chunks(Shot.of_scene(chunk_scene(scenes), studio)))
            elif name == "few":
                found = [
                    check
                    for scene in few.scenes()[: 1 if options.quick else None]
                    for check in few.measure(scene, studio)
                ]
            show(found)
            checks += found
        if options.sheets:
            write_sheets(scenes, options.sheets, studio)
    limited = [check for check in checks if check.limited]
    missed = [check for check in limited if not check.met]
    print(f"\n{len(limited) - len(missed)} of {len(limited)} limits met, {perf_counter() - begun:.0f} s; missed:")
    show(missed)
    if options.json:
        record = {"rows": [row.record() for row in rows], "checks": [as_record(check) for check in checks]}
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    return 1 if missed and options.strict else 0


def chunk_scene(scenes: Sequence[Scene]) -> Scene:
    """The one that says most: what moves, has a shadow and is partly revealed."""
    return next((scene for scene in scenes if scene.name == "handheld"), scenes[0])


def as_record(check: Check) -> dict[str, object]:
    """For JSON, in which there is no infinity."""
    values = {**asdict(check), "met": check.met if check.limited else None}
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


if __name__ == "__main__":
    sys.exit(main())
