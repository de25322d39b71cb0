"""A server of our own for one job: `void-server serve --private`, which ends with this process in whatever way."""

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from void_plugin.config import Config
from void_plugin.endings import how_it_ended, last_line
from void_plugin.errors import Cancelled, JobError, ServerError
from void_plugin.localfiles import disk_error
from void_plugin.programs import EXIT_OUT_OF_MEMORY, kill_group, server_command, start_program

START_SECONDS = 120.0
"""Programs on a slow share take long to load; one that ends is noticed at once."""
STOP_SECONDS = 10.0
"""How long the server may take to write its checkpoint and end."""
HURRY_SECONDS = 1.0
"""The same for somebody who has asked twice: enough to take away temporary files."""
LONGEST_SOCKET_PATH = 100
"""Bytes; the systems end between 104 and 108."""
_POLL_SECONDS = 0.05


class PrivateServer:
    """Starts in one thread and can be stopped from another; its state lies in a folder that goes with it."""

    def __init__(self, config: Config, environment: Mapping[str, str], log: Path, workers: int = 0) -> None:
        """`log` gets what the server writes on stderr."""
        self._config, self._environment, self._log = config, environment, log
        self._workers = workers or config.workers
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._stopped = False
        self._log_start = 0
        self.state = ""
        """Its state folder; empty before it is started."""

    def launch(self) -> None:
        """Start its process and return at once.

        Raises ServerError where it cannot be started, Cancelled where it was stopped before.
        """
        with self._lock:
            if self._stopped:
                raise Cancelled
            process = self._process = self._launch()
        assert process.stdout is not None
        # A thread, because a signal cannot interrupt a blocking read of a pipe on Windows, and so that the server
        # never waits for a reader.
        threading.Thread(target=_pump, args=(process.stdout, self._lines), daemon=True).start()

    def ready(self) -> Config:
        """The configuration of a client for it, as soon as it listens; `launch` comes first.

        Raises ServerError where it ends or does not listen, Cancelled where it was stopped meanwhile.
        """
        process = self._process
        assert process is not None
        address = self._address(process)
        # Whatever else is configured is about the servers of others.
        return Config(server=address, token_file=os.path.join(self.state, "token"), transfer="paths")

    def check(self) -> None:
        """Raise JobError where the server has ended by itself."""
        process = self._process
        status = None if process is None or self._stopped else process.poll()
        if status is None:
            return
        if status in (-9, EXIT_OUT_OF_MEMORY):  # the kernel ends whoever takes the last memory with signal 9
            workers = f"{self._workers} now" if self._workers else "one a core now"
            raise JobError(
                f"void-server {how_it_ended(status)}, most likely because memory ran out; lower --workers ({workers}) "
                f"or cache_bytes ($VOID_CACHE_BYTES, {self._config.cache_bytes} now) and run the same command again, "
                f"which resumes. Its log is {self._log}.",
                "job.memory",
            )
        raise JobError(
            f"void-server {how_it_ended(status)}{self._last_words()}. Running the same command again resumes; the log "
            f"to send with a report is {self._log}.",
            "job.crashed",
        )

    def stop(self, seconds: float = STOP_SECONDS, hurried: Callable[[], bool] = lambda: False) -> None:
        """Let it write its checkpoint and end; after so many seconds, or soon where hurried, it is killed."""
        with self._lock:
            self._stopped = True
            process = self._process
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        deadline, in_a_hurry = time.monotonic() + seconds, False
        while process.poll() is None and time.monotonic() < deadline:
            if hurried() and not in_a_hurry:
                deadline, in_a_hurry = min(deadline, time.monotonic() + HURRY_SECONDS), True
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
        kill_group(process)
        process.wait()
        shutil.rmtree(self.state, ignore_errors=True)  # usually done by the server itself

    def _launch(self) -> "subprocess.Popen[bytes]":
        command = [*server_command(self._config, self._environment), "serve", "--private"]
        self.state, address = _state_folder()
        command += ["--state", self.state, "--address", address, "--allow-root", os.path.abspath(os.sep)]
        command += ["--devices", "auto", "--no-reflection"]
        if self._workers:
            command += ["--workers", str(self._workers)]
        if self._config.cache_bytes != Config.cache_bytes:
            command += ["--cache-bytes", str(self._config.cache_bytes)]
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with open(self._log, "ab") as log:
                self._log_start = log.tell()
                return start_program(command, self._environment, stdin=subprocess.PIPE, stderr=log)
        except OSError as error:
            shutil.rmtree(self.state, ignore_errors=True)
            raise disk_error(error, self._log.parent) from error
        except ServerError:
            shutil.rmtree(self.state, ignore_errors=True)
            raise

    def _address(self, process: "subprocess.Popen[bytes]") -> str:
        """What the server prints once it listens."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if process.poll() is None:
                    continue
                line = None
            if line is None:
                break
            with contextlib.suppress(ValueError):  # some library has its word on stdout first
                said = json.loads(line)
                if isinstance(said, dict) and isinstance(said.get("address"), str):
                    return str(said["address"])
        if self._stopped:
            raise Cancelled
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        status = process.poll()
        how = f"was not ready after {START_SECONDS:.0f} seconds" if status is None else how_it_ended(status)
        raise ServerError(
            f"void-server cannot run here: it {how}{self._last_words()}. Its log is {self._log}.", "server.start"
        )

    def _last_words(self) -> str:
        words = last_line(os.fspath(self._log), self._log_start).rstrip(".")
        return f" and said: {words}" if words else ""


def _state_folder() -> tuple[str, str]:
    """A new folder for the server's state, and the address that it gets."""
    folder = tempfile.mkdtemp(prefix="void-")
    if sys.platform == "win32":
        return folder, "127.0.0.1:0"
    if len(os.fsencode(folder)) > LONGEST_SOCKET_PATH - len("/s"):
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="void-", dir="/tmp")
    return folder, f"unix:{folder}/s"


def _pump(stream: IO[bytes], lines: "queue.SimpleQueue[bytes | None]") -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)
