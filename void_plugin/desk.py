"""What the calls of one sidecar share: environment, turns on this machine, reserved folders, what is known of jobs."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from void_plugin.config import state_folder
from void_plugin.ended import Ended
from void_plugin.jobbook import JobBook

_POLL_SECONDS = 0.2


class Desk:
    """The common things of one sidecar; safe to use from many threads."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.turns = Turns()
        self.book = JobBook(Path(state_folder(environment)))
        """The jobs that this user gave to servers."""
        self.ended = Ended()
        """The jobs of farms that have ended."""
        self._lock = threading.Lock()
        self._reserved: set[Path] | None = set()

    def reserve(self, folder: Path) -> bool:
        """Remember a folder as reserved; False where the host has gone, and nobody will come for it."""
        with self._lock:
            if self._reserved is None:
                return False
            self._reserved.add(folder)
            return True

    def begun(self, folder: Path) -> None:
        """The folder is no longer only reserved."""
        with self._lock:
            if self._reserved is not None:
                self._reserved.discard(folder)

    def leave(self) -> set[Path]:
        """The folders that are still reserved; there will be no more."""
        with self._lock:
            left, self._reserved = self._reserved or set(), None
            return left


class Turns:
    """Lets jobs on this machine run one at a time, in the order in which they came."""

    def __init__(self) -> None:
        self._line: list[object] = []
        self._moved = threading.Condition()

    @contextlib.contextmanager
    def turn(self, tell: Callable[[int], None], check: Callable[[], None]) -> Iterator[None]:
        """Wait until it is this one's turn, and keep it. `tell` hears how many wait before it, 0 for none.

        `check` raises where waiting is to end.
        """
        ticket = object()
        with self._moved:
            self._line.append(ticket)
        try:
            self._wait(ticket, tell, check)
            yield
        finally:
            with self._moved:
                self._line.remove(ticket)
                self._moved.notify_all()

    def _wait(self, ticket: object, tell: Callable[[int], None], check: Callable[[], None]) -> None:
        told = None
        while True:
            check()
            with self._moved:
                place = self._line.index(ticket)
                if place and place == told:
                    self._moved.wait(_POLL_SECONDS)  # `check` is not told to anybody here
            if not place:
                return
            if place != told:
                tell(place - 1)
                told = place
