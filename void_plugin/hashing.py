"""SHA-256 of what is being moved, computed in a thread beside the one that moves it."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor


class DigestBeside:
    """SHA-256 of bytes that keep coming, computed in a thread beside whoever brings them; close it after use."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def update(self, data: bytes) -> None:
        """Take the next bytes; waits for those before them, so that never more than two pieces are held."""
        self._wait()
        self._last = self._thread.submit(self._state.update, data)

    def hexdigest(self) -> str:
        """The digest of all bytes so far."""
        self._wait()
        return self._state.hexdigest()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()
