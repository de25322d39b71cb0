"""What does everything around an engine cost beside OpenImageIO reading and writing the same regions?

    python benchmarks/pipeline.py [--quick] [--frames 24] [--rounds 7] [--json FILE] [--results FILE]

The engine `identity` gives the plate back, so what is left is ours: mattes, units, stitching, writing, hashing. The
shot is that of compose.py: 1920x1080, grainy, an object over a tenth of the frame and its shadow. A job is planned,
then rendered by a process that has read nothing yet, and watched for which rows of which files it reads and which
frames it writes. Then in turn it is rendered with two workers, and OpenImageIO reads those rows and writes those pixels
as zip in two processes. Start-up and plan are apart; `plan` is what making it took once, over a render. Limit 1.6,
goal 1.3.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from benching.alone import Alone
from benching.command import answer, build_parser, scratch
from benching.figures import Figure, in_turn
from benching.regions import NotedFiles, prepare, run, undo, warm
from benching.tables import Table, Verdict
from composing.shot import SIZE, request_for, write_shot
from composing.stopwatch import Stopwatch, processor_seconds

from void_server.exr import ImageFiles
from void_server.processes import ready_for_pictures

WORKERS = 2
KINDS = ("patch", "comp")
LIMIT, GOAL = 1.6, 1.3


def measure(options: argparse.Namespace) -> Iterator[Table]:
    ready_for_pictures()  # as a worker does
    count = 6 if options.quick else options.frames
    columns = ("output", "OpenImageIO ms/frame", "render ms/frame", "ratio", "plan over render")
    table = Table("pipeline", "Everything around an engine beside OpenImageIO on the same regions", columns)
    with scratch(options) as folder:
        write_shot(folder, count)
        for kind in KINDS:
            alone, render, plan = measured(folder, kind, count, options.rounds)
            ratio = render.over(alone)
            table.add(kind, alone, render, ratio, plan / render.middle)
            if kind == "patch":
                table.verdicts.append(Verdict("patch, render over OpenImageIO", ratio, LIMIT, GOAL))
        table.notes.append(
            f"{count} frames of {SIZE[1]}x{SIZE[0]}, {options.rounds} rounds, {WORKERS} workers, {WORKERS} processes."
        )
        yield table
        yield parts(folder, count)


def measured(folder: Path, kind: str, count: int, rounds: int) -> tuple[Figure, Figure, float]:
    """OpenImageIO alone, a render, and the plan, in ms a frame."""
    request = request_for(folder, kind, count, "identity")
    with NotedFiles(WORKERS) as noted:
        plan = 1000 * prepare(request, warm(noted), WORKERS) / count
        undo(request)
        noted.forget()
        run(request, warm(noted), WORKERS)
        tasks = noted.tasks(folder / f"kept-{kind}")
    with ImageFiles(WORKERS) as files, Alone(WORKERS, [task.pattern for task in tasks if task.pattern]) as alone:

        def ours() -> float:
            undo(request)
            return 1000 * run(request, warm(files), WORKERS)["render"] / count

        ours()  # starts the readers
        found = in_turn({"alone": lambda: 1000 * alone.time(tasks) / count, "ours": ours}, rounds)
    return found["alone"], found["ours"], plan


def parts(folder: Path, count: int) -> Table:
    """Processor time of one job on one worker and its reader, by the part that spends it."""
    table = Table("pipeline.parts", "Where the time around an engine goes (patch)", ("part", "share"))
    watch = Stopwatch()
    request = request_for(folder, "patch", count, "identity")
    with ImageFiles(1) as files, ExitStack() as patches:
        undo(request)
        run(request, warm(files), 1)
        undo(request)
        watch.watch(patches)
        begun = processor_seconds()
        run(request, warm(files), 1)
        total = processor_seconds() - begun
    watch.seconds["solving and the rest"] = total - sum(watch.seconds.values())
    for name, spent in sorted(watch.seconds.items(), key=lambda item: -item[1]):
        table.add(name, f"{spent / total:.0%}")
    table.notes.append("Shares of the processor time of a job with one worker, readers counted, each second once.")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=7)
    parser.add_argument("--frames", type=int, default=24)
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
