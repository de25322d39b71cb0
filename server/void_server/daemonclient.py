"""Talks to the daemon of a session: gives it a task and hears how that goes, asks how it is, ends it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from void_plugin import __version__
from void_plugin.errors import Cancelled, ServerError, from_code
from void_plugin.events import Event, Failed, from_line
from void_server.daemonfile import Connection, read_connection
from void_server.farmorder import Order

VARIABLE = "VOID_DAEMON"
"""Tells tasks of a session where its daemon is: path of the connection file."""
POLL_SECONDS = 0.2
"""How often it is looked whether the task is to stop."""
_CHUNK = 1 << 16


class DaemonLink:
    """A connection to the daemon behind a connection file; use as a context manager.

    Raises ServerError where there is none, it is gone, or it is of another version.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._unread = bytearray()

    def __enter__(self) -> DaemonLink:
        known = read_connection(self.path)
        if known is None:
            raise self._gone("it has ended, or was never started")
        if known.version != __version__:
            raise ServerError(
                f"The daemon of this session is version {known.version} and this is {__version__}; use one version "
                "for both.",
                "server.start",
            )
        self._stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._stream.connect(known.socket)
        except OSError as error:
            self._stream.close()
            raise self._gone(error.strerror or str(error)) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def run(
        self,
        order: Order,
        stopped: Callable[[], bool],
        taken: Callable[[Mapping[str, Any]], None],
        hear: Callable[[Event], None],
    ) -> None:
        """Run a task to its end; `taken` hears which worker does it.

        Raises the error that it ended with, Cancelled where it was stopped, ServerError where the daemon is gone.
        """
        self._send({"do": "run", "order": order.to_dict()})
        failure, asked_to_stop = Failed(), False
        while True:
            if stopped() and not asked_to_stop:
                self._send({"do": "cancel"})
                asked_to_stop = True
            for message in self._read(POLL_SECONDS):
                said = message["say"]
                if said == "taken":
                    taken(message)
                elif said == "event":
                    event = from_line(json.dumps(message["event"]))
                    if isinstance(event, Failed):
                        failure = event
                    elif event is not None:
                        hear(event)
                elif said == "lost":
                    raise from_code(message["code"], message["text"])
                elif said == "done":
                    if message["outcome"] == "failed":
                        raise from_code(failure.code, failure.text)
                    if message["outcome"] != "succeeded":
                        raise Cancelled
                    return

    def status(self) -> Mapping[str, Any]:
        """How the daemon is."""
        self._send({"do": "status"})
        while True:
            for message in self._read(POLL_SECONDS):
                return {name: value for name, value in message.items() if name != "say"}

    def _send(self, message: Mapping[str, Any]) -> None:
        try:
            self._stream.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise self._gone(error.strerror or str(error)) from error

    def _read(self, seconds: float) -> list[dict[str, Any]]:
        if not select.select([self._stream], [], [], seconds)[0]:
            return []
        try:
            data = self._stream.recv(_CHUNK)
        except OSError as error:
            raise self._gone(error.strerror or str(error)) from error
        if not data:
            raise self._gone("it has ended")
        self._unread += data
        *lines, rest = bytes(self._unread).split(b"\n")
        self._unread = bytearray(rest)
        return [json.loads(line) for line in lines]

    def _gone(self, why: str) -> ServerError:
        return ServerError(
            f"The daemon of this session ({self.path}) cannot be reached: {why}. Run the task again in a new session; "
            "finished units are kept.",
            "server.unavailable",
        )


def end_daemon(known: Connection, seconds: float) -> bool:
    """End a daemon and wait until it is gone; after so many seconds it is killed. True where it ended by itself."""
    try:
        handle = os.pidfd_open(known.pid)
    except ProcessLookupError:
        return True
    try:
        if not known.is_alive:  # else the handle is the daemon's, whoever gets its number later
            return True
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            if _ended(handle, seconds):
                return number == signal.SIGTERM
        return False
    finally:
        os.close(handle)


def _ended(handle: int, seconds: float) -> bool:
    """Wait for the end of a process, for at most so many seconds."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
