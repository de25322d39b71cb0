"""How long a client waits for a server that does not answer, and when the user hears of it."""

import threading
import time
from collections.abc import Callable

from void_plugin.errors import ServerError, VoidError

USUAL_SECONDS = 10.0
"""How long somebody waits who has asked a question."""
QUIET_SECONDS = 4.0
"""An outage shorter than this is nobody's business: the network hiccuped, or the server was restarted."""
SHORTEST_WAIT, LONGEST_WAIT = 0.1, 2.0


def _nothing() -> None:
    """Always well."""


def _no_one(text: str) -> None:
    """Nobody to tell."""


class Patience:
    """Shared by all threads of a client, so that one outage is told once and counts once."""

    def __init__(
        self,
        address: str,
        seconds: float = USUAL_SECONDS,
        tell: Callable[[str], None] = _no_one,
        check: Callable[[], None] = _nothing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tell` takes a sentence for the user; `check` raises VoidError where waiting is in vain."""
        self.address, self.seconds = address, seconds
        self.promise = ""
        """What becomes of the work while the server is away; ends the sentences for the user."""
        self._tell, self._check, self._clock = tell, check, clock
        self._lock = threading.Lock()
        self._reached = False
        self._since: float | None = None
        self._told = False
        self._tries = 0

    def succeeded(self) -> None:
        """Take note of an answer: the outage, if there was one, is over."""
        with self._lock:
            self._reached, self._since, self._told, self._tries = True, None, False, 0

    def failed(self, error: VoidError, hint: float | None) -> float:
        """Seconds to wait before the same call is worth another try; `hint` is what the server said.

        Raises the error where it is none that passes, or has lasted too long.
        """
        self._check()
        with self._lock:
            # Only the server itself gives a hint. One that was never reached is more likely a wrong address.
            self._reached = self._reached or hint is not None
            gone = error.code in ("server.unavailable", "server.timeout") and self._reached
            if not gone and error.code != "server.busy":
                raise error
            now = self._clock()
            self._since = now if self._since is None else self._since
            lasted = now - self._since
            if lasted > self.seconds:
                raise ServerError(f"{self._sentence(error, lasted)} {self.promise}".rstrip(), error.code) from error
            tell = lasted >= QUIET_SECONDS and not self._told
            self._told = self._told or tell
            wait = hint if hint is not None else min(LONGEST_WAIT, SHORTEST_WAIT * 2.0**self._tries)
            self._tries += 1
        if tell:
            self._tell(
                f"{self._sentence(error, lasted)} Trying again for {self._left(lasted)}. {self.promise}".rstrip()
            )
        return wait

    def _sentence(self, error: VoidError, lasted: float) -> str:
        if error.code == "server.busy":
            return error.message
        return f"The server {self.address} has not answered for {lasted:.0f} seconds."

    def _left(self, lasted: float) -> str:
        left = max(1.0, self.seconds - lasted)
        return f"{left / 60:.0f} minutes" if left >= 120 else f"{left:.0f} seconds"
