"""What does composing cost beside reading and writing the same frames, where does it go, and does memory stay flat?

    python benchmarks/compose.py [--quick] [--frames 24] [--rounds 5] [--engine NAME] [--json FILE] [--results FILE]
                                 [--skip-memory]

A grainy 1920x1080 half zip EXR shot with an object matte over a tenth of the frame and a shadow is solved once, by
default with `identity-raster`, whose fills come from VOID's raster as VOID's do. Then compose alone is timed on two
cores, plates not yet in memory and outputs removed before each round: whole frames (`comp`) and patches. In turn with
it OpenImageIO alone reads the same plates, half and whole, and writes them as zip: as two processes of one thread each
and as one process with two threads of OpenImageIO's own; of these the faster counts.

The limit of the ratio is 3.0, the goal 2.0. Where the time goes is measured in one more round on one thread, each
second counted once, for the innermost part that it belongs to. Memory is that of `void-server task compose` and its
readers at the number of frames and at four times as many (proportional set size, so shared pixels count once).
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import OpenImageIO as oiio
from benching import programs
from benching.command import answer, build_parser, scratch
from benching.figures import Figure, in_turn
from benching.machine import peak
from benching.tables import Table, Verdict
from composing.shot import FIRST, SIZE, request_for, write_shot
from composing.stopwatch import Stopwatch, processor_seconds

from void_plugin.config import Config
from void_plugin.request import RemovalRequest
from void_server.colour import PINNED_CONFIG
from void_server.colour import Config as ColourConfig
from void_server.engines import Kept
from void_server.eventlog import EventLog
from void_server.exr import ImageFiles
from void_server.jobfolder import JobFolder
from void_server.plan import Plan
from void_server.processes import ready_for_pictures
from void_server.runner import Job, Warm

CORES = 2
LIMIT, GOAL = 3.0, 2.0
"""Time of composing over that of OpenImageIO alone."""


# -- ours ------------------------------------------------------------------------------------------------------------


class Bench:
    """One solved job that is composed again and again, its readers running all the time as a server's do."""

    def __init__(self, request: RemovalRequest, warm: Warm) -> None:
        self.request, self._warm = request, warm
        self.folder = JobFolder(request.job_folder())
        with self._job(CORES) as job:
            job.start()
            self.plan: Plan = job.plan()
            job.solve(self.plan, self.plan.units_for(job.frames))

    @contextmanager
    def _job(self, workers: int) -> Iterator[Job]:
        log = EventLog(self.folder, "benchmark", None)
        with Job(self.request, self.folder, log, Config(), workers, warm=self._warm) as job:
            yield job
        log.close()

    def compose(self, workers: int = CORES) -> float:
        """Seconds that composing all frames takes, with nothing of them in memory or on disk."""
        self.forget()
        with self._job(workers) as job:
            begun = time.perf_counter()
            job.compose(self.plan, job.frames)
            return time.perf_counter() - begun

    def forget(self) -> None:
        """Remove what was composed."""
        for path in Path(self.request.outputs[0].pattern).parent.glob("*.exr"):
            path.unlink()


# -- OpenImageIO alone ---------------------------------------------------------------------------------------------


def copy_frame(source: str, target: str, threads: int) -> None:
    """Read a whole plate in half and write it as zip."""
    oiio.attribute("threads", threads)
    oiio.attribute("exr_threads", threads)
    plate = oiio.ImageInput.open(source)
    if plate is None:
        raise SystemExit(oiio.geterror())
    pixels, spec = plate.read_image(0, 0, 0, plate.spec().nchannels, oiio.HALF), plate.spec()
    plate.close()
    spec.attribute("compression", "zip")
    made = oiio.ImageOutput.create(target)
    if not (made.open(target, spec) and made.write_image(pixels) and made.close()):
        raise SystemExit(made.geterror())


def copy_frames(folder: Path, count: int, pool: Executor | None) -> float:
    """Seconds that OpenImageIO alone takes: in processes of one thread each, or here with threads of its own."""
    out = folder / "copies"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    names = [f"plate.{FIRST + index}.exr" for index in range(count)]
    sources, targets = [str(folder / name) for name in names], [str(out / name) for name in names]
    threads = CORES if pool is None else 1
    begun = time.perf_counter()
    list((map if pool is None else pool.map)(copy_frame, sources, targets, [threads] * count))
    return time.perf_counter() - begun


# -- the questions -------------------------------------------------------------------------------------------------


def measure(options: argparse.Namespace) -> Iterator[Table]:
    ready_for_pictures()  # as a worker does
    count = 6 if options.quick else options.frames
    with scratch(options) as folder:
        write_shot(folder, count if options.skip_memory else 4 * count)
        yield from ratios(folder, count, options.rounds, options.engine)
        if not options.skip_memory:
            yield memory(folder, count, options.engine)


def ratios(folder: Path, count: int, rounds: int, engine: str) -> Iterator[Table]:
    """Time and processor time of every way, side by side; then where the time of ours goes."""
    with ImageFiles(CORES) as files, ProcessPoolExecutor(CORES, multiprocessing.get_context("spawn")) as pool:
        warm = Warm(files, ColourConfig(PINNED_CONFIG), Kept())
        comp, patch = (Bench(request_for(folder, kind, count, engine), warm) for kind in ("comp", "patch"))
        copy_frames(folder, min(count, 4), pool)  # starts the processes
        work: dict[str, list[float]] = {}

        def watched(name: str, way: Callable[[], float]) -> Callable[[], float]:
            def run() -> float:
                begun = processor_seconds()
                wall = 1000 * way() / count
                work.setdefault(name, []).append(1000 * (processor_seconds() - begun) / count)
                return wall

            return run

        ways: dict[str, Callable[[], float]] = {
            "comp": comp.compose,
            "patch": patch.compose,
            "OpenImageIO, 2 processes": lambda: copy_frames(folder, count, pool),
            "OpenImageIO, 2 threads": lambda: copy_frames(folder, count, None),
        }
        wall = in_turn({name: watched(name, way) for name, way in ways.items()}, rounds)
        busy = {name: Figure(tuple(values)) for name, values in work.items()}
        alone, spent = (
            min((of["OpenImageIO, 2 processes"], of["OpenImageIO, 2 threads"]), key=lambda figure: figure.middle)
            for of in (wall, busy)
        )
        columns = ("what", "ms/frame", "ratio", "processor ms/frame", "ratio ")
        title = f"Composing {SIZE[1]}x{SIZE[0]} beside reading and writing the whole frames with OpenImageIO alone"
        table = Table("compose", title, columns)
        for name, times in wall.items():
            table.add(name, times, times.over(alone), busy[name], busy[name].over(spent))
        for name in ("comp", "patch"):
            table.verdicts.append(Verdict(f"{name} over OpenImageIO", wall[name].over(alone), LIMIT, GOAL))
        table.notes.append(f"{count} frames, {rounds} rounds in turn, {CORES} cores, engine {engine}.")
        yield table
        yield parts({"comp": comp, "patch": patch})


def parts(benches: dict[str, Bench]) -> Table:
    """Shares of the processor time by part, on one thread and its reader."""
    shares: dict[str, dict[str, float]] = {}
    for kind, bench in benches.items():
        watch = Stopwatch()
        begun = processor_seconds()
        with ExitStack() as patches:
            watch.watch(patches)
            bench.compose(workers=1)
        total = processor_seconds() - begun
        watch.seconds["around it"] = total - sum(watch.seconds.values())
        shares[kind] = {name: spent / total for name, spent in watch.seconds.items()}
    table = Table(
        "compose.parts", "Where the time of composing goes", ("part", *(f"share of {kind}" for kind in benches))
    )
    first = next(iter(shares.values()))
    for name in sorted(first, key=lambda name: -first[name]):
        table.add(name, *(f"{found.get(name, 0.0):.0%}" for found in shares.values()))
    table.notes.append("Processor time on one thread and its reader, each second once.")
    return table


def memory(folder: Path, count: int, engine: str) -> Table:
    """The high-water mark of composing few and many frames."""
    table = Table("compose.memory", "Memory of composing at most", ("frames", "GiB", "over the fewest"))
    most: dict[int, float] = {}
    for frames in (count, 4 * count):
        with ImageFiles(CORES) as files:
            bench = Bench(request_for(folder, "comp", frames, engine), Warm(files, ColourConfig(PINNED_CONFIG), Kept()))
        bench.forget()
        command = programs.void_server("task", "compose", str(bench.folder.path), "--workers", str(CORES))
        most[frames] = peak(command)[0] / 2**30
        table.add(str(frames), most[frames], most[frames] / most[count])
        bench.forget()
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=5)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--engine", default="identity-raster")
    parser.add_argument("--skip-memory", action="store_true")
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
