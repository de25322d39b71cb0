"""Waits for files that another machine wrote: network storage shows them late, for up to a minute."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from void_plugin.errors import Cancelled

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
_STEP = 0.1


class Patience:
    """How long a task waits for files, all its waits together."""

    def __init__(self, seconds: float, cancelled: Callable[[], bool], tell: Callable[[str], None]) -> None:
        """`tell` hears, in a sentence, of what is waited for."""
        self.seconds = seconds
        self._left, self._cancelled, self._tell = seconds, cancelled, tell

    def wait_for(self, paths: Sequence[str], what: str) -> list[str]:
        """Those of some files and folders that are not there, once there is no patience left.

        Raises Cancelled while waiting.
        """
        missing = [path for path in paths if not os.path.exists(path)]
        if missing and self._left > 0:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            self._tell(f"Waiting for {what}: {missing[0]}{more}")
        pause = FIRST_PAUSE
        while missing and self._left > 0:
            self._sleep(min(pause, self._left))
            pause = min(2 * pause, LONGEST_PAUSE)
            # A listing makes a network client ask again instead of trusting what it remembers.
            for folder in {os.path.dirname(path) for path in missing}:
                with suppress(OSError):
                    os.listdir(folder)
            missing = [path for path in missing if not os.path.exists(path)]
        return missing

    def _sleep(self, seconds: float) -> None:
        begun = time.monotonic()
        while (over := seconds - (time.monotonic() - begun)) > 0:
            if self._cancelled():
                raise Cancelled
            time.sleep(min(_STEP, over))
        self._left -= time.monotonic() - begun
