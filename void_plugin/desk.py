"""What the calls of one sidecar share: the environment, the turns of jobs on this machine, the reserved folders."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

_POLL_SECONDS = 0.2


class Desk:
    """The common things of one sidecar; safe to use from many threads."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.turns = Turns()
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
