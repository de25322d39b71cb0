"""Measures how long the thread of a window was busy in one go."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, Qt, QTimer

BEAT_MS = 5


class Watchdog(QObject):
    """Beats in the event loop; between two beats the thread did nothing else that people could see.

    `worst_busy` counts only the time for which the thread ran, so that a busy machine does not decide a test;
    `worst_gap` is what a clock on the wall says. Seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self.start()

    def start(self) -> None:
        """Begin anew."""
        self.worst_busy = self.worst_gap = 0.0
        self.beats = 0
        self._last = time.monotonic(), time.thread_time()
        self._timer.start(BEAT_MS)

    def go_on(self) -> None:
        """Beat again after `stop`, and keep what was noticed before."""
        self._last = time.monotonic(), time.thread_time()
        self._timer.start(BEAT_MS)

    def stop(self) -> None:
        """Beat no longer."""
        self._timer.stop()

    def _beat(self) -> None:
        wall, busy = time.monotonic(), time.thread_time()
        self.worst_gap = max(self.worst_gap, wall - self._last[0] - BEAT_MS / 1000)
        self.worst_busy = max(self.worst_busy, busy - self._last[1])
        self.beats += 1
        self._last = wall, busy
