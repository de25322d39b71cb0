"""How well is a generated picture put back into the plate, beside what others do and against the limits of image.md?

    python benchmarks/stitch.py [--quick] [--blocks seam,hybrid] [--scenes pan,edge] [--rounds 2] [--json FILE]
                                [--results FILE] [--sheets FOLDER] [--strict]

A stand-in takes the model's place: the truth as a 384x672 model would give it back, `soft` (blur, colour cast,
drift, noise) or `nasty` (also warped, off by a gradient, wrong in one patch). The product runs as a user runs it, on
EXR plates and mattes, and its patch is merged over the plate. Codes are 1/255 of the model's encoding.

seam      scenes x stand-ins x methods; limits are held by the mean of the rounds, each another seed. For `nasty` they
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
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benching.command import answer, build_parser
from benching.tables import Table
from stitching import clips, exact, few, hybrid, seams, sheets
from stitching.checks import Check
from stitching.jobs import Studio
from stitching.scenes import HYBRID, SCENES, Scene
from stitching.shots import Shot
from stitching.standin import Kind

from void_server.colour import PEAKS

BLOCKS = ("seam", "hybrid", "identity", "geometry", "chunks", "few")
KINDS: tuple[Kind, ...] = ("soft", "nasty")
FIRST_SEED = 7
QUICK_SIZE, QUICK_FRAMES = (432, 768), 4
QUICK_SCENES = ("pan", "revealed")
CLIP = "lime"


def run_seams(scenes: Sequence[Scene], seeds: int, studio: Studio) -> tuple[list[seams.Row], list[Check]]:
    """The rows of the seam table, and what they are held to."""
    rows: list[seams.Row] = []
    for scene in scenes:
        found: list[seams.Row] = []
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            shot = Shot.of_scene(replace(scene, seed=seed), studio)
            for kind in KINDS:
                found.extend(seams.measure(shot, kind, comp=seed == FIRST_SEED))
            studio.forget(shot.plates)
        found.sort(key=lambda row: KINDS.index(row.standin))
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


def measure(options: argparse.Namespace) -> Iterator[Table]:
    blocks, scenes = options.blocks.split(","), chosen(options)
    with Studio(options.folder) as studio:
        if "seam" in blocks:
            seen = [scene for scene in scenes if scene.name not in hybrid.ONLY]
            rows, checks = run_seams(seen, 1 if options.quick else options.rounds, studio)
            yield seams.as_table(rows)
            yield checked("seam", checks)
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
            if found:
                yield checked(name, found)
        if options.sheets:
            write_sheets(scenes, options.sheets, studio)


def checked(block: str, checks: Sequence[Check]) -> Table:
    """A block's checks, one a row."""
    limited = [check for check in checks if check.limited]
    met = sum(check.met for check in limited)
    title = f"Stitching, {block}: {met} of {len(limited)} limits met"
    table = Table(f"stitch.{block}.limits", title, ("case, what", "value", "wanted", ""))
    for check in checks:
        verdict = ("met" if check.met else "MISSED") if check.limited else ""
        table.add(f"{check.case}, {check.what}", f"{check.value:.4f}", check.wanted, verdict)
    return table


def chunk_scene(scenes: Sequence[Scene]) -> Scene:
    """The one that says most: what moves, has a shadow and is partly revealed."""
    return next((scene for scene in scenes if scene.name == "handheld"), scenes[0])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=2)
    parser.add_argument("--blocks", default=",".join(BLOCKS), help="names separated by commas; all by default")
    parser.add_argument("--scenes", default="", help="names separated by commas; all by default")
    parser.add_argument("--sheets", type=Path, help="folder for contact sheets at 100 %%")
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
