"""The way of other threads to the thread of the windows."""

import contextlib
import queue
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot


class Poster(QObject):
    """Runs functions on the thread of the window, in order."""

    _woken = Signal()
    """Something new is among `_posted`. Without arguments: Qt need not keep Python's objects between two threads."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._posted: queue.SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = queue.SimpleQueue()
        self._woken.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def post(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run a function soon; safe from any thread, and in vain once the window is gone."""
        self._posted.put((function, arguments))
        with contextlib.suppress(RuntimeError):  # what Qt had here was taken apart with the window
            self._woken.emit()

    # Qt knows a slot that is declared from the beginning. Others it learns while it runs, for which no thread waits.
    @Slot()
    def _run(self) -> None:
        function, arguments = self._posted.get()
        function(*arguments)
