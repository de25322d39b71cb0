"""Who talks with a daemon: whoever started it, and any number of clients on a socket, all in JSON lines."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

SEND_SECONDS = 10.0
"""A client that does not read for so long is let go of."""
LONGEST_LINE = 1 << 20


class Client:
    """One client; `job` is the one that it has given, if any."""

    def __init__(self, stream: socket.socket) -> None:
        self.job = ""
        self.stream = stream
        stream.settimeout(None)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one line; nothing is raised where nobody listens any more."""
        with contextlib.suppress(OSError):
            self.stream.sendall(json.dumps(message).encode() + b"\n")

    def close(self) -> None:
        """Let go of it, which also ends the thread that listens to it."""
        with contextlib.suppress(OSError):
            self.stream.shutdown(socket.SHUT_RDWR)


Heard = tuple[Client, Mapping[str, Any] | None]
"""A client and what it says; None once it is gone."""


class Listener:
    """Listens on a path; what clients say comes out of `heard`, in order."""

    def __init__(self, path: str, wake: Callable[[], None]) -> None:
        """`wake` is called, from any thread, when there is something in `heard`."""
        self.heard: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self._wake = wake
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(path)
        self._socket.listen()
        threading.Thread(target=self._accept, name="accept", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                stream, _ = self._socket.accept()
                threading.Thread(target=self._listen, args=(Client(stream),), daemon=True).start()

    def _listen(self, client: Client) -> None:
        # Whatever is not a line of ours ends this client, and nothing else.
        with contextlib.suppress(OSError, ValueError), client.stream.makefile("rb") as lines:
            while line := lines.readline(LONGEST_LINE):
                self._put(client, _message(line))
        client.stream.close()
        self._put(client, None)

    def _put(self, client: Client, message: Mapping[str, Any] | None) -> None:
        self.heard.put((client, message))
        self._wake()


def _message(line: bytes) -> Mapping[str, Any]:
    message = json.loads(line)
    if not isinstance(message, dict) or not isinstance(message.get("do"), str):
        raise ValueError("no order")
    return message


class Starter:
    """Whoever started the daemon, and waits to hear how that went."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, message: Mapping[str, Any]) -> None:
        """Tell it, once."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(BrokenPipeError):  # it did not wait; the end of its session ends us
            os.write(self._descriptor, json.dumps(message).encode() + b"\n")
        os.close(self._descriptor)
        self._descriptor = -1
