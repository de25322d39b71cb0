"""A child process that speaks in lines, with one thread that reads from it and one that writes to it."""

import contextlib
import queue
import subprocess
import sys
import threading
from typing import IO, Any, Callable, Dict, Mapping, Optional, Sequence

from void_plugin.lineprotocol import messages

Message = Dict[str, Any]


class Child:
    """One child process; nothing but its start waits for anything."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: IO[bytes],
        heard: Callable[[Message], None],
        ended: Callable[[], None],
        complain: Callable[[str], None],
    ) -> None:
        """Start it. `heard` and `ended` are called in its reading thread, `ended` last and once.

        Raises OSError where the command cannot be started.
        """
        options: Dict[str, Any] = {}
        if sys.platform == "win32":
            options["creationflags"] = subprocess.CREATE_NO_WINDOW
        else:
            options["start_new_session"] = True  # the Ctrl-C of a terminal is for the host alone
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=dict(environment),
            **options,
        )
        self._heard, self._ended, self._complain = heard, ended, complain
        self._lines: "queue.SimpleQueue[Optional[bytes]]" = queue.SimpleQueue()
        threading.Thread(target=self._read, name="sidecar reader", daemon=True).start()
        threading.Thread(target=self._write, name="sidecar writer", daemon=True).start()

    def send(self, line: bytes) -> None:
        """Write a line after those before it; what a child that has gone does not take is lost."""
        self._lines.put(line)

    def close(self) -> None:
        """End its stdin after what was sent."""
        self._lines.put(None)

    def wait(self, seconds: float) -> Optional[int]:
        """Its exit status as soon as it has ended, None where it runs on for so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def kill(self) -> None:
        """End it now, where it has not ended yet."""
        self._process.kill()
        self.wait(2.0)  # so that no zombie is left; what hangs in a dead disk is left to the system

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for message in messages(stream, self._complain):
                self._heard(message)
        self._lines.put(None)
        self._ended()

    def _write(self) -> None:
        assert self._process.stdin is not None
        stream = self._process.stdin
        # A child that has gone takes nothing; its reading thread tells of its end. Closing flushes, which fails again.
        with contextlib.suppress(OSError), stream:
            for line in iter(self._lines.get, None):
                stream.write(line)
                stream.flush()
