"""What a farm task says on stdout: lines that OpenJD's sessions read, and that people can read in any farm's log."""

from __future__ import annotations

import os
import time
from typing import TextIO

from void_plugin.events import Event, Finished, FrameReady, Progressed, Started, Warned
from void_server.eventlog import PLAN_SHARE, SOLVE_SHARE

STATUS_SECONDS = 5.0
"""A running task's status is told at most this often: a farm keeps the logs of thousands of tasks."""
_SHARES = {
    "plan": (0.0, PLAN_SHARE),
    "solve": (1 - SOLVE_SHARE, 1.0),
    "compose": (PLAN_SHARE + SOLVE_SHARE, 1.0),
}
"""From where to where a job's fraction goes in a task that does one step of it."""


class Lines:
    """Writes the lines; nothing is raised where nobody reads them any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._percent = -1
        self._status, self._told_at = "", float("-inf")

    def progress(self, fraction: float) -> None:
        """Tell how much of the task is done, in 0..1; whole percents only, and never fewer than before."""
        percent = int(100 * min(1.0, max(0.0, fraction)))
        if percent > self._percent:
            self._percent = percent
            self._write(f"openjd_progress: {percent}")

    def status(self, text: str) -> None:
        """Tell what goes on."""
        self._status, self._told_at = text, time.monotonic()
        self._write(f"openjd_status: {text}")

    def fail(self, text: str) -> None:
        """Tell why the task fails."""
        self._write(f"openjd_fail: {text}")

    def variable(self, name: str, value: str) -> None:
        """Set an environment variable for all that is run in the session after this."""
        self._write(f"openjd_env: {name}={value}")

    def say(self, text: str) -> None:
        """Write a line for people only."""
        self._write(text)

    def hear(self, event: Event) -> None:
        """Tell an event of the task; what goes on beside its steps is of none of them."""
        if isinstance(event, Started):
            self.status(f"{event.engine} on {event.device}")
        elif isinstance(event, Progressed) and event.step:
            self._hear_progress(event)
        elif isinstance(event, Progressed):
            self.status(event.text)
        elif isinstance(event, Warned):
            self.say(f"warning: {event.text}")
        elif isinstance(event, FrameReady):
            self.say(f"frame {event.frame}: {event.path}")
        elif isinstance(event, Finished):
            self.say(f"result: {event.result}")

    def _hear_progress(self, event: Progressed) -> None:
        begin, end = _SHARES.get(event.step, (0.0, 1.0))
        self.progress((event.fraction - begin) / (end - begin))
        text = f"unit {event.unit}: {event.text}" if event.step == "solve" and event.text else event.text
        if text and text != self._status and time.monotonic() - self._told_at >= STATUS_SECONDS:
            self.status(text)

    def _write(self, text: str) -> None:
        try:
            # A line break would end the message; what follows it would be read as a line of its own.
            self._stream.write(" ".join(text.split()) + "\n")
            self._stream.flush()
        except BrokenPipeError:
            # Whoever started this is gone, as it will learn; python itself would complain once more at its end.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
