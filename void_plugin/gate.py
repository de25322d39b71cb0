"""Whether a job is submitted or given up: the one of both that comes first counts."""

import threading

from void_plugin.errors import Cancelled


class Gate:
    """Puts the submit of a job and the wish to stop it into an order; safe from many threads."""

    def __init__(self) -> None:
        self.job_id = ""
        """Empty until there is a job."""
        self.decided = threading.Event()
        """Set once there is a job, or there will be none."""
        self._lock = threading.Lock()
        self._stopping = self._submitting = False

    def stop(self) -> bool:
        """Let nothing be submitted any more; True where something may have been."""
        with self._lock:
            self._stopping = True
            return self._submitting

    def stopped(self) -> bool:
        """True once somebody wished to stop."""
        return self._stopping

    def begin(self) -> None:
        """Begin to submit, or to submit again. Raises Cancelled where somebody wished to stop before."""
        with self._lock:
            if self._stopping and not self._submitting:
                raise Cancelled
            self._submitting = True

    def settle(self, job_id: str) -> None:
        """Say which job it became."""
        self.job_id = job_id
        self.decided.set()
