"""Being told to stop: by a signal, by the end of a stream, by another thread.

`threading.Event` is not for that. A signal's handler runs in the main thread in between any two of its steps, also
while that holds the event's own lock on its way into `wait`, and then `set` waits for it forever. A signal that
comes just before the main thread falls asleep in `wait` wakes nobody. And one that the system hands to another thread
does not wake a main thread that waits for its workers, so its handler runs when they are done.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time


class Stop:
    """Whether somebody asked to stop. Signals that it hears wake whoever waits, whenever they come."""

    def __init__(self, *signals: signal.Signals) -> None:
        """Hears these from now on; only in the main thread, and one `Stop` a process where there are any."""
        self._asked, self._numbers = False, frozenset(map(int, signals))
        self._reading, self._writing = os.pipe()  # until the process ends: who sets it may come late
        for end in (self._reading, self._writing):
            os.set_blocking(end, False)
        if signals:
            # Written to by C when the signal comes, long before Python gets to call its handler.
            signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, lambda *_: self.set())

    def set(self) -> None:
        """Ask; from any thread, any handler, any number of times."""
        self._asked = True
        with contextlib.suppress(BlockingIOError):  # full: whoever waits is awake
            os.write(self._writing, b".")

    def is_set(self) -> bool:
        """Whether somebody has asked."""
        self._hear()
        return self._asked

    def wait(self, seconds: float | None = None) -> bool:
        """Wait, at most so long, until somebody asks; whether somebody has."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self._asked:
            left = None if end is None else max(0.0, end - time.monotonic())
            awake, _, _ = select.select([self._reading], [], [], left)
            if not awake:
                break
            self._hear()
        return self._asked

    def _hear(self) -> None:
        """Look which signals have come, whether their handlers have run or not."""
        if self._asked or not self._numbers:
            return
        with contextlib.suppress(BlockingIOError):  # none has
            if self._numbers.intersection(os.read(self._reading, 64)):
                self.set()  # anew, for whoever waits beside us: what we have read wakes nobody any more
