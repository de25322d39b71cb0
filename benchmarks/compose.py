"""What does composing cost beside reading and writing the same frames, where does it go, and does memory stay flat?

    python benchmarks/compose.py [--quick] [--frames 24] [--rounds 5] [--engine NAME] [--json FILE] [--skip-memory]

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
import json
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import OpenImageIO as oiio
from composing.shot import FIRST, SIZE, request_for, write_shot
from composing.stopwatch import Stopwatch, processor_seconds
from scaling import tree_bytes

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


def measure_ratio(folder: Path, count: int, rounds: int, engine: str) -> dict[str, Any]:
    """Milliseconds a frame of every round, side by side."""
    with ImageFiles(CORES) as files, ProcessPoolExecutor(CORES, multiprocessing.get_context("spawn")) as pool:
        warm = Warm(files, ColourConfig(PINNED_CONFIG), Kept())
        comp, patch = (Bench(request_for(folder, kind, count, engine), warm) for kind in ("comp", "patch"))
        copy_frames(folder, min(count, 4), pool)  # starts the processes
        ways: dict[str, Callable[[], float]] = {
            "comp": comp.compose,
            "patch": patch.compose,
            "OIIO, 2 processes": lambda: copy_frames(folder, count, pool),
            "OIIO, 2 threads": lambda: copy_frames(folder, count, None),
        }
        wall: dict[str, list[float]] = {name: [] for name in ways}
        work: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                begun = processor_seconds()
                wall[name].append(1000 * way() / count)
                work[name].append(1000 * (processor_seconds() - begun) / count)
        alone, spent = (min(*of["OIIO, 2 processes"], *of["OIIO, 2 threads"]) for of in (wall, work))
        print(f"\n{count} frames of {SIZE[1]}x{SIZE[0]}, {rounds} rounds in turn, {CORES} cores, ms/frame")
        print("                    least  median    most    ratio   processor    ratio")
        for name, times in wall.items():
            least, middle, most, busy = min(times), statistics.median(times), max(times), min(work[name])
            row = f"{name:17} {least:7.1f} {middle:7.1f} {most:7.1f} {least / alone:8.2f}"
            print(f"{row} {busy:11.1f} {busy / spent:8.2f}")
        worst = max(min(wall[name]) / alone for name in ("comp", "patch"))
        verdict = "OVER THE LIMIT" if worst > LIMIT else "within the limit" if worst > GOAL else "meets the goal"
        print(f"worst ratio of time {worst:.2f}, limit {LIMIT}, goal {GOAL}: {verdict}")
        parts = {"comp": measure_parts(comp, count), "patch": measure_parts(patch, count)}
    return {"frames": count, "ratio": round(worst, 3), "wall_ms": wall, "processor_ms": work, "parts_ms": parts}


def measure_parts(bench: Bench, count: int) -> dict[str, float]:
    """Processor milliseconds a frame by part, on one thread and its reader."""
    watch = Stopwatch()
    begun = processor_seconds()
    with ExitStack() as patches:
        watch.watch(patches)
        bench.compose(workers=1)
    total = processor_seconds() - begun
    watch.seconds["around it"] = total - sum(watch.seconds.values())
    parts = {name: round(1000 * spent / count, 1) for name, spent in watch.seconds.items()}
    print(f"\n{bench.request.outputs[0].kind}: processor ms/frame {1000 * total / count:.1f}, of which")
    for name, spent in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"  {name:26} {spent:7.1f}")
    return parts


def measure_memory(folder: Path, counts: Sequence[int], engine: str) -> dict[str, Any]:
    """The high-water mark of composing few and many frames, in MiB."""
    peaks = {}
    for count in counts:
        with ImageFiles(CORES) as files:
            bench = Bench(request_for(folder, "comp", count, engine), Warm(files, ColourConfig(PINNED_CONFIG), Kept()))
        bench.forget()
        command = [sys.executable, "-m", "void_server", "task", "compose", str(bench.folder.path)]
        child = subprocess.Popen([*command, "--workers", str(CORES)])
        peak = 0
        while child.poll() is None:
            peak = max(peak, tree_bytes(child.pid))
            time.sleep(0.1)
        if child.returncode:
            raise SystemExit(f"composing {count} frames failed with {child.returncode}")
        peaks[str(count)] = round(peak / 2**20)
        print(f"{count:4} frames: {peak / 2**20:6.0f} MiB at most")
        bench.forget()
    return peaks


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer frames and rounds: shows that it works")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine", default="identity-raster")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--folder", type=Path, help="where frames are written; default a temporary folder")
    parser.add_argument("--skip-memory", action="store_true")
    options = parser.parse_args(arguments)
    ready_for_pictures()  # as a worker does
    count, rounds = (6, 2) if options.quick else (options.frames, options.rounds)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_shot(folder, count if options.skip_memory else 4 * count)
        figures = measure_ratio(folder, count, rounds, options.engine)
        if not options.skip_memory:
            figures["memory_mib"] = measure_memory(folder, (count, 4 * count), options.engine)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
