"""A job's event log: numbered lines in events.jsonl, and told to whoever started the job."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TextIO

from void_plugin.events import Event, Progressed, Warned, to_line
from void_server.jobfolder import JobFolder, open_file, write_error

PLAN_SHARE, SOLVE_SHARE = 0.25, 0.6
"""Rough shares of a job's time for the progress bar; the rest is composing."""
PROGRESS_SECONDS = 0.2
"""Progress is told at most five times a second: enough for an eye, little for a log."""


class EventLog:
    """Numbers events and writes them; safe to use from many threads."""

    def __init__(
        self,
        folder: JobFolder,
        job: str,
        stream: TextIO | None,
        tell: Callable[[Event], None] | None = None,
        told: Sequence[Event] = (),
        written: bool = True,
    ) -> None:
        """`stream` gets the lines, `tell` the events; those of `told` were told before and are only written down.

        Not `written`, events are told only: one file takes lines from one machine at a time.
        """
        folder.create()
        self._job, self._stream, self._tell = job, stream, tell
        self._lock = threading.Lock()
        self._number = 0
        self._path = folder.path / folder.events.name
        self._file = self._opened(folder) if written else None
        self._last_progress = 0.0
        self._fraction = 0.0
        self.warnings: list[Warned] = []
        for event in told:
            self._write(event)

    def _opened(self, folder: JobFolder) -> TextIO:
        """The file, behind the lines that are in it, whose number goes on."""
        cut_short = b""
        descriptor = open_file(folder.events, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        with open(descriptor, "rb", closefd=False) as lines:
            for line in lines:
                self._number += 1
                cut_short = b"" if line.endswith(b"\n") else line
        file = open(descriptor, "a", encoding="utf-8")  # noqa: SIM115 - open as long as the job
        if cut_short:  # by a kill; the next line must not become part of it
            file.write("\n")
        return file

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def emit(self, event: Event) -> None:
        """Tell one event and write it with this job's id and the next number.

        Raises ServerError where the disk is full; told it was all the same.
        """
        with self._lock:
            if self._tell is not None:
                self._tell(event)
            line = self._write(event)
            if self._stream is not None:
                self._stream.write(line)
                self._stream.flush()

    def _write(self, event: Event) -> str:
        self._number += 1
        line = to_line(replace(event, job=self._job, number=self._number)) + "\n"
        if self._file is None:
            return line
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise write_error(str(self._path), len(line), full, error.strerror or str(error)) from error
        return line

    def warn(self, code: str, frame: int | None, text: str) -> None:
        """Tell the user something that does not stop the job."""
        warning = Warned(code=code, frame=frame, text=text)
        self.warnings.append(warning)
        self.emit(warning)

    def progress(
        self, step: str, fraction: float, text: str = "", unit: int = 0, window: int = 0, pass_number: int = 0
    ) -> None:
        """Tell how far the whole job is; never backwards, and not too often."""
        now = time.monotonic()
        with self._lock:
            fraction = self._fraction = min(1.0, max(self._fraction, fraction))
            if now - self._last_progress < PROGRESS_SECONDS and fraction < 1.0:
                return
            self._last_progress = now
        done = round(fraction, 4)
        self.emit(Progressed(step=step, unit=unit, window=window, pass_number=pass_number, fraction=done, text=text))
