"""One worker process as its server sees it: orders to it, what it tells, its log, and how it ended.

One thread owns it and must outlive it: the kernel ends a worker together with the thread that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from void_plugin.errors import ServerError

LOG_BYTES = 4 << 20
"""Length at which a log is put aside; the one before it is kept."""
_CHUNK = 1 << 16


class BoundedLog:
    """A file that never grows without end; knows its last line."""

    def __init__(self, path: Path, repeats: bool = False) -> None:
        """`repeats` says everything on our own stderr as well, where the folder of the log does not last."""
        self.path, self._repeats = path, repeats
        self.last_line = ""
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - open as long as the device

    def write(self, data: bytes) -> None:
        """Add some bytes."""
        with contextlib.suppress(OSError):  # a full disk must not end the device
            if self._file.tell() > LOG_BYTES:
                self._file.close()
                os.replace(self.path, self.path.with_name(self.path.name + ".1"))
                self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
            self._file.write(data)
            if self._repeats:
                sys.stderr.buffer.write(data)
                sys.stderr.flush()
        words = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
        if words:
            self.last_line = words[-1]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class WorkerProcess:
    """A running worker. Raises ServerError where it cannot be started."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: BoundedLog, wake: int) -> None:
        """`wake` is an eventfd that makes `read` return at once."""
        self._log, self._wake = log, wake
        log.last_line = ""
        try:
            # A group of its own: its readers end with it, and the terminal's Ctrl-C is for the server alone.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                process_group=0,
                bufsize=0,
            )
        except OSError as error:
            raise ServerError(f"A worker cannot be started ({error.strerror or error}).", "server.internal") from error
        self.pid = self._process.pid
        self._handle = os.pidfd_open(self.pid)
        self._unsent = bytearray()
        self._unread = bytearray()
        self._selector = selectors.DefaultSelector()
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin, self._stdout, self._stderr = (
            stream.fileno() for stream in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        for descriptor in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(descriptor, False)
        for descriptor in (self._stdout, self._stderr, self._handle, wake):
            self._selector.register(descriptor, selectors.EVENT_READ)
        self.dead = False

    def send(self, order: Mapping[str, Any]) -> None:
        """Give an order; never waits, what the worker does not take yet is sent by `read`."""
        self._unsent += json.dumps(order).encode() + b"\n"
        self._push()

    def read(self, timeout: float) -> list[dict[str, Any]]:
        """What the worker told, waiting for something to happen for at most so many seconds."""
        for key, _ in self._selector.select(timeout):
            if key.fd == self._wake:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
            elif key.fd == self._stdin:
                self._push()
            elif key.fd == self._handle:
                self.dead = True
        self._drain_stderr()
        return self._messages()

    def kill(self) -> None:
        """End the process and everything it started, at once."""
        # It has not been waited for, so its number is still its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> tuple[int, list[dict[str, Any]]]:
        """End whatever is left, and give the exit status and the last that was told."""
        self.kill()
        status = self._process.wait()
        self._drain_stderr()
        messages = self._messages()
        self._selector.close()
        os.close(self._handle)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        return status, messages

    def _push(self) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                while self._unsent:
                    del self._unsent[: os.write(self._stdin, self._unsent)]
            except BrokenPipeError:  # it is dying, as its handle says in a moment
                self._unsent.clear()
        listening = self._stdin in self._selector.get_map()
        if self._unsent and not listening:
            self._selector.register(self._stdin, selectors.EVENT_WRITE)
        elif listening and not self._unsent:
            self._selector.unregister(self._stdin)

    def _messages(self) -> list[dict[str, Any]]:
        self._unread += self._taken(self._stdout)
        *lines, rest = bytes(self._unread).split(b"\n")
        self._unread = bytearray(rest)
        return [json.loads(line) for line in lines]

    def _drain_stderr(self) -> None:
        data = self._taken(self._stderr)
        if data:
            self._log.write(data)

    def _taken(self, descriptor: int) -> bytes:
        """Everything that lies in a pipe now."""
        data = bytearray()
        with contextlib.suppress(BlockingIOError):
            while piece := os.read(descriptor, _CHUNK):
                data += piece
            if descriptor in self._selector.get_map():  # its end: it would be reported for ever
                self._selector.unregister(descriptor)
        return bytes(data)
