"""OpenImageIO alone, without anything of ours: what reading and writing cost at the least."""

from __future__ import annotations

import functools
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import OpenImageIO as oiio

from benching.figures import seconds


@dataclass(frozen=True)
class Touched:
    """Some rows of a file, as they are read, and perhaps a file that is written."""

    source: str = ""
    """What is read; empty reads nothing."""
    rows: tuple[int, int] | None = None
    """First and one past the last, in EXR coordinates; None reads the whole data window."""
    target: str = ""
    """What is written: those rows with the header of the source; empty writes nothing."""
    pattern: str = ""
    """A file that is in memory by then and is written instead of the rows."""
    compression: str = "zip"


def touch(task: Touched, threads: int = 1) -> None:
    """Read, and write where that is asked."""
    oiio.attribute("threads", threads)
    oiio.attribute("exr_threads", threads)
    spec, pixels = _read(task.source, task.rows) if task.source else (None, None)
    if not task.target:
        return
    if task.pattern:
        spec, pixels = _kept(task.pattern)
    spec = oiio.ImageSpec(spec)
    spec.attribute("compression", task.compression)
    made = oiio.ImageOutput.create(task.target)
    if not (made.open(task.target, spec) and made.write_image(pixels) and made.close()):
        raise SystemExit(made.geterror())


def _read(path: str, rows: tuple[int, int] | None) -> tuple[Any, Any]:
    image = oiio.ImageInput.open(path)
    if image is None:
        raise SystemExit(oiio.geterror())
    spec = image.spec()
    first, last = rows or (spec.y, spec.y + spec.height)
    pixels = image.read_scanlines(0, 0, first, last, 0, 0, spec.nchannels, oiio.HALF)
    image.close()
    spec.y, spec.height = first, last - first
    return spec, pixels


@functools.cache
def _kept(path: str) -> tuple[Any, Any]:
    return _read(path, None)


def _keep(paths: Sequence[str]) -> None:
    for path in paths:
        _kept(path)


class Alone:
    """Processes that do nothing but that, one thread each; use as a context manager."""

    def __init__(self, processes: int, patterns: Sequence[str] = ()) -> None:
        """`patterns` are all files whose pixels will be written."""
        self.processes = processes
        self._pool = ProcessPoolExecutor(
            processes, multiprocessing.get_context("spawn"), initializer=_keep, initargs=(patterns,)
        )

    def __enter__(self) -> Alone:
        # Started and warm before anything is timed; a short nap each, so that every process gets one.
        list(self._pool.map(time.sleep, [0.5] * self.processes))
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def time(self, tasks: Sequence[Touched]) -> float:
        """Seconds of all, each in whichever process is free; what was written before is removed first."""
        prepare(tasks)
        return seconds(lambda: list(self._pool.map(touch, tasks)))


def prepare(tasks: Sequence[Touched]) -> None:
    """Make the folders of what is written, and remove what was written before."""
    for task in tasks:
        if task.target:
            Path(task.target).parent.mkdir(parents=True, exist_ok=True)
            Path(task.target).unlink(missing_ok=True)
