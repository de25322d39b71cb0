"""Nuke's own progress bar for a job, whose Cancel is heard also while nothing else happens."""

import threading
import traceback
from typing import Any, Callable

from void_plugin.hosts import nuke_api as api
from void_plugin.hosts.turns import Turns

LOOK_SECONDS = 0.5
"""A bar tells nobody that its Cancel was pressed, and a job in a queue may have nothing to say for an hour."""


class Bar:
    """A bar that is on the screen until it is closed; on the main thread, but for the waiting."""

    def __init__(self, turns: Turns, cancel: Callable[[], None]) -> None:
        """`cancel` is called once, on the main thread, where the artist presses the bar's Cancel."""
        self._turns, self._cancel = turns, cancel
        self._task: Any = api.progress("VoidRemove")
        self._closed = threading.Event()
        threading.Thread(target=self._wait, name="VoidRemove bar", daemon=True).start()

    def show(self, text: str, fraction: float) -> None:
        """Say how far the job is, 0..1."""
        self._task.setMessage(text)
        self._task.setProgress(int(100 * fraction))

    def close(self) -> None:
        """Take it from the screen."""
        self._closed.set()
        self._task = None

    def _wait(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            self._turns.post(self._look)

    def _look(self) -> None:
        if self._closed.is_set():
            return
        try:
            if self._task.isCancelled():
                self._closed.set()  # asked once; the bar stays until the job has ended
                self._cancel()
        except Exception:  # the top of a posted call: it is looked at again soon
            api.say(traceback.format_exc())
