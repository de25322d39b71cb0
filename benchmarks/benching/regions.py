"""Which parts of which files a job reads and writes, so that OpenImageIO alone can be asked to do the same."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from benching.alone import Touched
from void_plugin.config import Config
from void_plugin.request import RemovalRequest
from void_server.colour import PINNED_CONFIG
from void_server.colour import Config as ColourConfig
from void_server.engines import Kept
from void_server.eventlog import EventLog
from void_server.exr import ImageFile, ImageFiles, NewPart, Part
from void_server.jobfolder import JobFolder
from void_server.runner import Job, Warm
from void_server.tiles import Box

T = TypeVar("T")


class NotedFiles(ImageFiles):
    """Image files that know what was read of the shot, and what was written for its user."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.read_rows: dict[str, tuple[int, int]] = {}
        self.written: list[str] = []

    def made_of(
        self, file: ImageFile, part: Part, channels: Sequence[str], box: Box | None, make: Callable[[Any], T]
    ) -> T:
        rows = box or part.data
        if not _is_own(file.path):
            with self._lock:
                first, last = self.read_rows.get(file.path, (rows.y0, rows.y1))
                self.read_rows[file.path] = min(first, rows.y0), max(last, rows.y1)
        return super().made_of(file, part, channels, box, make)

    def write(self, path: str, parts: Sequence[NewPart]) -> int:
        size = super().write(path, parts)
        if not _is_own(path):
            with self._lock:
                self.written.append(path)
        return size

    def tasks(self, kept: Path) -> list[Touched]:
        """The same reading and writing for OpenImageIO: each file once, all the rows of it that were read.

        What was written moves to the folder `kept`, from which its pixels are to be taken.
        """
        kept.mkdir(parents=True)
        tasks = [Touched(path, rows) for path, rows in self.read_rows.items()]
        for path in self.written:
            pattern = Path(path).rename(kept / Path(path).name)
            tasks.append(Touched(target=str(kept / "again" / pattern.name), pattern=str(pattern)))
        # As a job does: a frame is written soon after it was read.
        return sorted(tasks, key=lambda task: Path(task.source or task.target).suffixes)


class TimedFiles(ImageFiles):
    """Image files that add up the seconds that callers spend in them; of use with one worker."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.seconds = 0.0

    def header(self, file: ImageFile) -> tuple[Part, ...]:
        return self._timed(super().header, file)

    def made_of(
        self, file: ImageFile, part: Part, channels: Sequence[str], box: Box | None, make: Callable[[Any], T]
    ) -> T:
        return self._timed(super().made_of, file, part, channels, box, make)

    def write(self, path: str, parts: Sequence[NewPart]) -> int:
        return self._timed(super().write, path, parts)

    def _timed(self, method: Callable[..., T], *arguments: Any) -> T:
        begun = time.perf_counter()
        try:
            return method(*arguments)
        finally:
            self.seconds += time.perf_counter() - begun


def _is_own(path: str) -> bool:
    """Whether a file lies in a job folder, where what a job keeps for itself does."""
    return ".void" in Path(path).parts


def warm(files: ImageFiles) -> Warm:
    """What a process keeps between jobs, with these files; its colour configuration has been opened by one before."""
    config = ColourConfig(PINNED_CONFIG)
    config.names()
    return Warm(files, config, Kept())


def run(request: RemovalRequest, files: Warm, workers: int, machine: Config | None = None) -> dict[str, float]:
    """Do a whole job in this process; its seconds by step: `plan`, `render`, `total`."""
    folder = JobFolder(request.job_folder())
    log = EventLog(folder, "benchmark", None)
    try:
        with Job(request, folder, log, machine or Config(), workers, warm=files) as job:
            job.run()
            return dict(job.timings)
    finally:
        log.close()


def prepare(request: RemovalRequest, files: Warm, workers: int) -> float:
    """Plan a job, which later runs keep, and return the seconds of that."""
    folder = JobFolder(request.job_folder())
    log = EventLog(folder, "benchmark", None)
    with Job(request, folder, log, Config(), workers, warm=files) as job:
        job.start()
        job.plan()
        spent = job.timings["plan"]
    log.close()
    return spent


def undo(request: RemovalRequest) -> None:
    """Remove all that a job made, but keep its plan."""
    folder = JobFolder(request.job_folder())
    kept = {folder.plan.name, folder.analysis.name}
    for path in folder.path.iterdir():
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for output in request.outputs:
        for frame in Path(output.pattern).parent.glob("*.exr"):
            frame.unlink()
