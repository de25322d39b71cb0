"""How does the time of a whole job grow with its frames, with the plate at one matte, and with the matte?

    python benchmarks/growth.py [--quick] [--what frames,plate,matte] [--rounds 3] [--json FILE] [--results FILE]

Jobs of the engine `recover` with one worker on a textured pan whose object moves to and fro. `frames`: 24, 96 and 384
of 480x270. `plate`: 2K, 4K and 8K with a matte of the same pixels, 8 frames. `matte`: 1920x1080 with an object of 1, 4
and 16 times the pixels, 8 frames. Time in the reader processes (reading and writing) is told apart. The exponent e of
cost = a * size^e is fitted to each round. Limits: frames 1.05 in all, plate 0.35 beyond reading and writing, matte 1.1
in all.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benching.command import answer, build_parser, scratch
from benching.figures import Figure, growth, in_turn
from benching.pans import MATTE, Pan, write_pan
from benching.regions import TimedFiles, run, warm
from benching.tables import Cell, Table, Verdict

from void_server.processes import ready_for_pictures

FRAME_SIZE, PLATE_FRAMES = (270, 480), 8
PLATES = {"2048x1152": (1152, 2048), "4096x2304": (2304, 4096), "8192x4608": (4608, 8192)}


@dataclass
class Job:
    """One pan and how a job on it is timed."""

    pan: Pan
    size: float
    """What grows."""
    beyond: list[float]
    """Seconds beyond reading and writing, of each round."""

    def time(self) -> float:
        """Seconds of a whole job; those beyond reading and writing are kept."""
        out = self.pan.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        with TimedFiles(1) as files:
            total = run(self.pan.request(out), warm(files), 1)["total"]
            self.beyond.append(total - files.seconds)
        return total


def measured(jobs: Mapping[str, Job], rounds: int) -> dict[str, tuple[Figure, Figure]]:
    """Of every job all seconds, and those beyond reading and writing, in the same order of rounds."""
    next(iter(jobs.values())).time()  # the first one imports and compiles
    for job in jobs.values():
        job.beyond.clear()
    whole = in_turn({name: job.time for name, job in jobs.items()}, rounds)
    return {name: (whole[name], Figure(tuple(jobs[name].beyond))) for name in jobs}


def table_of(name: str, title: str, jobs: Mapping[str, Job], rounds: int) -> tuple[Table, Figure, Figure]:
    """The table, and the exponents of the whole and of what is beyond reading and writing."""
    found = measured(jobs, rounds)
    table = Table(
        name, title, ("size", "s", "over the smallest", "beyond reading and writing, s", "over the smallest ")
    )
    first = next(iter(found.values()))
    for label, (whole, beyond) in found.items():
        cells: list[Cell] = [whole, whole.over(first[0]), beyond, beyond.over(first[1])]
        table.add(label, *cells)
    sizes = [job.size for job in jobs.values()]
    whole, beyond = (growth(sizes, [pair[index] for pair in found.values()]) for index in (0, 1))
    table.add("exponent", "", whole, "", beyond)
    table.notes.append(f"One worker, {rounds} rounds in turn.")
    return table, whole, beyond


def frames(folder: Path, quick: bool, rounds: int) -> Table:
    counts = (6, 12, 24) if quick else (24, 96, 384)
    jobs = {
        str(count): Job(write_pan(folder / f"f{count}", FRAME_SIZE, count, (60, 36)), count, []) for count in counts
    }
    title = f"Growth with frames, {FRAME_SIZE[1]}x{FRAME_SIZE[0]}"
    table, whole, _ = table_of("growth.frames", title, jobs, rounds)
    table.verdicts.append(Verdict("exponent in frames", whole, 1.05))
    return table


def plate(folder: Path, quick: bool, rounds: int) -> Table:
    plates = {"480x270": (270, 480), "960x540": (540, 960)} if quick else PLATES
    matte = (60, 36) if quick else MATTE
    jobs = {}
    for name, size in plates.items():
        pan = write_pan(folder / name, size, 3 if quick else PLATE_FRAMES, matte)
        jobs[name] = Job(pan, float(size[0] * size[1]), [])
    title = f"Growth with the plate at a matte of {matte[1]}x{matte[0]}"
    table, _, beyond = table_of("growth.plate", title, jobs, rounds)
    table.verdicts.append(Verdict("exponent in plate pixels, beyond reading and writing", beyond, 0.35))
    return table


def matte(folder: Path, quick: bool, rounds: int) -> Table:
    size, base = ((270, 480), (30, 18)) if quick else ((1080, 1920), (120, 72))
    jobs = {}
    for factor in (1, 2, 4):
        sides = base[0] * factor, base[1] * factor
        pan = write_pan(folder / f"m{factor}", size, 3 if quick else PLATE_FRAMES, sides)
        jobs[f"{sides[1]}x{sides[0]}"] = Job(pan, float(sides[0] * sides[1]), [])
    title = f"Growth with the matte, {size[1]}x{size[0]}"
    table, whole, _ = table_of("growth.matte", title, jobs, rounds)
    table.verdicts.append(Verdict("exponent in matte pixels", whole, 1.1))
    return table


WHAT: dict[str, Callable[[Path, bool, int], Table]] = {"frames": frames, "plate": plate, "matte": matte}


def measure(options: argparse.Namespace) -> Iterator[Table]:
    ready_for_pictures()  # as a worker does
    for what in options.what.split(","):
        with scratch(options) as folder:
            yield WHAT[what](folder, options.quick, options.rounds)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=3)
    parser.add_argument("--what", default=",".join(WHAT), help="some of %(default)s")
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
