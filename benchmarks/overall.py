"""How much longer does `void remove --engine recover` take than its engine, reading and writing alone?

    python benchmarks/overall.py [--quick] [--frames 48] [--width 1920] [--rounds 3] [--json FILE] [--results FILE]

`void remove` runs as a user runs it, in a process of its own, from its start to its end, on a pan of 1920x1080 with
soft mattes, a shadow and grain, as `void demo` writes it. Beside it, in turn: the engine alone, which analyses and
solves the same units with as many threads from pictures in memory, and OpenImageIO alone, which reads the rows that
the job read and writes the pixels that it wrote. Limit: 1.15 times their sum; what overlaps counts in our favour.
Rows below say where the rest goes: a whole job in a process that has started already, and its plan, to which the
engine's analysis belongs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from benching import programs
from benching.alone import Alone, Touched
from benching.command import answer, build_parser, scratch
from benching.figures import Figure, in_turn, seconds
from benching.regions import NotedFiles, run, warm
from benching.tables import Table, Verdict
from recovering.methods import quiet

from void_plugin.config import Config
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings
from void_server.demo import make
from void_server.engines import Setup, Unit
from void_server.engines.recover import RecoverEngine
from void_server.eventlog import EventLog
from void_server.exr import ImageFiles
from void_server.jobfolder import JobFolder
from void_server.plan import engine_frames
from void_server.processes import ready_for_pictures
from void_server.runner import Job
from void_server.scenes import MemoryFrames, MemoryShelf
from void_server.tiles import Box

WORKERS = 2
LIMIT = 1.15
SETTINGS = RenderSettings(recover_affected="fill")


def write_shot(folder: Path, count: int, width: int) -> RemovalRequest:
    """A pan, and the request that removes its figure and the shadow."""
    with ImageFiles(WORKERS) as files:
        wanted = argparse.Namespace(scene="pan", frames=count, width=width, seed=7)
        facts = make(folder, wanted, files)
    frames = FrameRange.parse(facts["frames"])
    return RemovalRequest(
        plate=ImageInput(facts["plate"]),
        object_matte=ImageInput(facts["object_matte"]),
        affected_matte=ImageInput(facts["affected_matte"]),
        frames=frames,
        shot_range=frames,
        outputs=(Output("patch", str(folder / "out" / "patch.%04d.exr")),),
        engine="recover",
        settings=SETTINGS,
    )


class Engine:
    """The engine, the shot in memory as it sees it, and the units of its plan."""

    def __init__(self, request: RemovalRequest, files: ImageFiles) -> None:
        folder = JobFolder(request.job_folder())
        log = EventLog(folder, "benchmark", None)
        with Job(request, folder, log, Config(), WORKERS, warm=warm(files)) as job:
            job.start()
            plan = job.plan()
            view = engine_frames(plan, job.engine, job.footage, job.colour, folder)
            whole = Box(0, 0, view.size[1], view.size[0])
            plates = [np.array(view.plate(frame, whole)) for frame in view.numbers]
            labels = [np.array(view.labels(frame, whole)) for frame in view.numbers]
            self.frames = MemoryFrames(plates, labels, view.numbers, job.engine.fills())
            self.units = [unit for unit in plan.units if unit.engine == job.engine.name]
        log.close()

    def time(self) -> float:
        """Seconds of analysing and solving everything."""

        def solve(unit: Unit) -> None:
            for _ in engine.solve(unit, self.frames, quiet, lambda: False, MemoryShelf()):
                pass

        def work() -> None:
            self.frames.analysis = engine.analyse(self.frames, quiet, lambda: False)
            with ThreadPoolExecutor(WORKERS) as pool:
                list(pool.map(solve, self.units))

        engine = RecoverEngine(Setup(SETTINGS, workers=WORKERS))
        return seconds(work)


def read_and_written(request: RemovalRequest, folder: Path) -> list[Touched]:
    """What a whole job reads and writes."""
    with NotedFiles(WORKERS) as noted:
        run(request, warm(noted), WORKERS)
        return noted.tasks(folder / "kept")


def measure(options: argparse.Namespace) -> Iterator[Table]:
    ready_for_pictures()  # as a worker does
    count, width = (8, 480) if options.quick else (options.frames, options.width)
    title = f"`void remove --engine recover` on {count} frames of {width}x{width * 9 // 16}, beside its parts alone"
    table = Table(f"overall.{width}", title, ("what", "ms/frame", "over engine, reading and writing"))
    with scratch(options) as folder:
        environment = programs.environment(folder)
        request = write_shot(folder, count, width)
        tasks = read_and_written(request, folder)
        saved = folder / "asked.json"
        saved.write_text(request.to_json())
        patterns = [task.pattern for task in tasks if task.pattern]
        with ImageFiles(WORKERS) as files, Alone(WORKERS, patterns) as alone:
            engine = Engine(request, files)
            plans: list[float] = []

            def removed() -> float:
                shutil.rmtree(folder / "out", ignore_errors=True)
                command = programs.void("remove", "--request", str(saved), "--workers", str(WORKERS), "--json")
                return programs.time(command, environment)

            def in_process() -> float:
                shutil.rmtree(folder / "out", ignore_errors=True)
                timings = run(request, warm(files), WORKERS)
                plans.append(timings["plan"])
                return timings["total"]

            ways = {
                "the engine alone": engine.time,
                "OpenImageIO alone": lambda: alone.time(tasks),
                "void remove": removed,
                "a job in a process that runs": in_process,
            }
            found = in_turn(ways, options.rounds)
            found["its plan"] = Figure(tuple(plans))
    parts = found["the engine alone"].plus(found["OpenImageIO alone"])
    for name, figure in found.items():
        table.add(name, figure.times(1000 / count), figure.over(parts))
    table.notes.append(f"{options.rounds} rounds in turn, {WORKERS} workers, threads and processes.")
    total = found["void remove"].over(parts)
    table.verdicts.append(Verdict("void remove over its engine, reading and writing", total, LIMIT))
    yield table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=3)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--width", type=int, default=1920)
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
