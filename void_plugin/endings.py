"""How a child process ended, in words, and what it said last; for clients and for hosts."""

import os
import signal
from typing import Optional, Pattern


def how_it_ended(status: int) -> str:
    """An exit status in words: `was killed by SIGKILL`, `ended with exit code 3`."""
    if status >= 0:
        return "ended with exit code {}".format(status)
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = "signal {}".format(-status)
    return "was killed by {}".format(name)


def last_line(log: str, start: int = 0, records: Optional[Pattern[str]] = None) -> str:
    """The last line with words that a log holds after its first `start` bytes; empty where there is none.

    Lines that begin as `records` are passed over: what was logged on purpose is seldom why a program ended.
    """
    with open(log, "rb") as stream:
        stream.seek(max(start, os.path.getsize(log) - 4096))
        lines = [line.strip() for line in stream.read().decode("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line and not (records and records.match(line))), "")
