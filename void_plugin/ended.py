"""How jobs of farms have ended, so that no farm is asked again and again about what will not change."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from void_plugin.farm.jobs import JobRef, JobStatus

AGAIN_SECONDS = 60.0
"""How long a failed job is taken for the end of it: somebody may let it run once more on the farm itself."""


class Ended:
    """What one process remembers of them; safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._known: dict[JobRef, tuple[JobStatus, float]] = {}

    def find(self, ref: "JobRef") -> "JobStatus | None":
        """How a job ended; None where it has not, or may not have."""
        with self._lock:
            known = self._known.get(ref)
        if known is None or (known[0].state == "failed" and self._clock() - known[1] > AGAIN_SECONDS):
            return None
        return known[0]

    def keep(self, status: "JobStatus") -> None:
        """Remember how a job stands, where that is its end."""
        if status.has_ended:
            with self._lock:
                self._known[status.ref] = status, self._clock()
