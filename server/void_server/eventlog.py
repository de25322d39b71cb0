"""A job's event log: numbered lines in events.jsonl, and on stdout for whoever started the job."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TextIO

from void_plugin.events import Event, Progressed, Warned, to_line
from void_server.jobfolder import JobFolder

PROGRESS_SECONDS = 0.2
"""Progress is told at most five times a second: enough for an eye, little for a log."""


class EventLog:
    """Numbers events and writes them; safe to use from many threads."""

    def __init__(self, folder: JobFolder, job: str, stream: TextIO | None) -> None:
        folder.create()
        self._job, self._stream = job, stream
        self._lock = threading.Lock()
        self._number = 0
        if folder.events.exists():
            with open(folder.events, "rb") as lines:
                self._number = sum(1 for _ in lines)
        self._file = open(folder.events, "a", encoding="utf-8")  # noqa: SIM115 - open as long as the job
        self._last_progress = 0.0
        self._fraction = 0.0
        self.warnings: list[Warned] = []

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def emit(self, event: Event) -> None:
        """Write one event with this job's id and the next number."""
        with self._lock:
            self._number += 1
            line = to_line(replace(event, job=self._job, number=self._number))
            self._file.write(line + "\n")
            self._file.flush()
            if self._stream is not None:
                self._stream.write(line + "\n")
                self._stream.flush()

    def warn(self, code: str, frame: int | None, text: str) -> None:
        """Tell the user something that does not stop the job."""
        warning = Warned(code=code, frame=frame, text=text)
        self.warnings.append(warning)
        self.emit(warning)

    def progress(self, step: str, fraction: float, text: str = "", unit: int = 0) -> None:
        """Tell how far the whole job is; never backwards, and not too often."""
        now = time.monotonic()
        with self._lock:
            fraction = self._fraction = min(1.0, max(self._fraction, fraction))
            if now - self._last_progress < PROGRESS_SECONDS and fraction < 1.0:
                return
            self._last_progress = now
        self.emit(Progressed(step=step, unit=unit, fraction=round(fraction, 4), text=text))
