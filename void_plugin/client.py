"""Where a removal runs: `Client`, and `ChildClient`, which runs it on this machine in a child process.

The child is `void-server`, a program of its own; this module never imports it. A client lives for one job.
"""

import contextlib
import errno
import json
import logging
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from void_plugin.config import Config
from void_plugin.errors import EXIT_STOPPED, JobError, ServerError
from void_plugin.events import Event, Failed, FrameReady, Progressed, Stopped, from_line, is_last
from void_plugin.request import RemovalRequest

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0
"""How long a child may take to write its checkpoint after it was asked to stop."""
_POLL_SECONDS = 0.2
_EXIT_OUT_OF_MEMORY = 71


class Client(ABC):
    """Runs one removal somewhere and tells what happens."""

    @abstractmethod
    def submit(self, request: RemovalRequest) -> Generator[Event, None, None]:
        """The events of the job, which starts with the first one asked for. Closing the generator gives it up.

        Raises VoidError where the job cannot start.
        """

    @abstractmethod
    def cancel(self) -> None:
        """Ask the job to stop and keep what is finished; a second call stops it at once.

        Safe from any thread and from a signal handler. The events then end with Stopped.
        """


class ChildClient(Client):
    """Runs the job here, as `void-server task all` in a child process with its own job folder."""

    def __init__(self, config: Config, environment: Mapping[str, str], workers: int = 0) -> None:
        self.config = config
        self.environment = environment
        self.workers = workers or config.workers
        self._process: subprocess.Popen[bytes] | None = None
        self._cancelled = False
        self._kill_at = float("inf")

    def submit(self, request: RemovalRequest) -> Generator[Event, None, None]:
        """The events of the child, closed by a last event even where the child dies."""
        request = request.rooted()
        folder = Path(request.job_folder())
        command = [*server_command(self.config, self.environment), "task", "all", str(folder / "request.json")]
        command += ["--events", "--watch-stdin"]
        if self.workers:
            command += ["--workers", str(self.workers)]
        try:
            _write_request(request, folder)
            log = open(folder / "log.txt", "ab")  # noqa: SIM115 - closed below, after the child
        except OSError as error:
            raise _disk_error(error, folder) from error
        with log:
            started_at = log.tell()
            process = self._start(command, log)
            finished = False
            try:
                told = _Told()
                for event in self._events(process, log):
                    told.note(event)
                    finished = is_last(event)
                    yield event
                if not finished:
                    self._wait(process)
                    yield self._obituary(process, told, Path(log.name), started_at)
                    finished = True
            finally:
                self._end(process, finished)

    def cancel(self) -> None:
        """SIGTERM (Ctrl-Break on Windows), then, after ten seconds or a second call, a kill."""
        first, self._cancelled = not self._cancelled, True
        self._kill_at = time.monotonic() + (STOP_SECONDS if first else 0.0)
        if first and self._process is not None:
            _ask_to_stop(self._process)

    def _start(self, command: Sequence[str], log: IO[bytes]) -> "subprocess.Popen[bytes]":
        # A group of its own: the terminal's Ctrl-C reaches only this process, which then stops the child in order.
        # The child watches its stdin, which closes when this process dies in whatever way.
        process = _popen(command, self.environment, stdin=subprocess.PIPE, stderr=log)
        self._process = process
        if self._cancelled:  # before there was anything to signal
            _ask_to_stop(process)
        return process

    def _events(self, process: "subprocess.Popen[bytes]", log: IO[bytes]) -> Generator[Event, None, None]:
        assert process.stdout is not None
        lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # A thread, because a signal cannot interrupt a blocking read of a pipe on Windows.
        threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
        dead_since = float("inf")
        while True:
            if time.monotonic() >= self._kill_at:
                _kill(process)
            try:
                line = lines.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if process.poll() is not None:
                    dead_since = min(dead_since, time.monotonic())
                # A grandchild may hold the pipe open after the child is gone.
                if time.monotonic() < dead_since + 2.0:
                    continue
                return
            if line is None:
                return
            try:
                event = from_line(line.decode("utf-8", "replace"))
            except ValueError:
                log.write(b"not an event: " + line.rstrip(b"\r\n") + b"\n")
                log.flush()
                continue
            if event is None:
                logger.debug("skipped an event of an unknown kind: %r", line)
                continue
            yield event
            if is_last(event):
                return

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait for a child that has said all it will say, and kill it where it does not end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, min(STOP_SECONDS, self._kill_at - time.monotonic())))
        _kill(process)
        process.wait()

    def _end(self, process: "subprocess.Popen[bytes]", finished: bool) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        if not finished and process.poll() is None:
            _ask_to_stop(process)
        self._wait(process)
        self._process = None

    def _obituary(self, process: "subprocess.Popen[bytes]", told: "_Told", log: Path, started_at: int) -> Event:
        """The last event of a child that did not send one itself."""
        status = process.returncode
        if self._cancelled or status == EXIT_STOPPED:
            return Stopped(job=told.job, number=told.number + 1)
        if status in (-9, _EXIT_OUT_OF_MEMORY):  # the kernel ends whoever takes the last memory with signal 9
            code = "job.memory"
            workers = f"{self.workers} now" if self.workers else "one a core now"
            text = (
                f"void-server was killed {told.where()}, most likely because memory ran out; lower --workers "
                f"({workers}) or cache_bytes ($VOID_CACHE_BYTES, {self.config.cache_bytes} now) and run the same "
                f"command again, which resumes. Its log is {log}."
            )
        else:
            code = "job.crashed"
            how = (
                f"crashed with {_signal_name(-status)}"
                if status < 0
                else f"ended with exit code {status} and no result"
            )
            last_words = _last_line(log, started_at)
            text = (
                f"void-server {how} {told.where()}"
                + (f" and said: {last_words.rstrip('.')}" if last_words else "")
                + f". Running the same command again resumes; the log to send with a report is {log}."
            )
        return Failed(job=told.job, number=told.number + 1, code=code, text=text)


class _Told:
    """What the child has said so far, to say where it died."""

    def __init__(self) -> None:
        self.job = ""
        self.number = 0
        self._step = ""
        self._frame: int | None = None

    def note(self, event: Event) -> None:
        self.job, self.number = event.job or self.job, max(event.number, self.number)
        if isinstance(event, Progressed):
            self._step = f"in the step {event.step}" + (f" ({event.text})" if event.text else "")
        if isinstance(event, FrameReady):
            self._frame = event.frame

    def where(self) -> str:
        parts = [self._step or "before it did anything", "" if self._frame is None else f"after frame {self._frame}"]
        return ", ".join(part for part in parts if part)


def server_command(config: Config, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The command that starts `void-server`: the configured one, else beside this Python, else on PATH.

    Raises ServerError where there is none.
    """
    if config.server_command:
        return config.server_command
    beside = Path(sys.executable).parent / ("void-server.exe" if sys.platform == "win32" else "void-server")
    if beside.is_file():
        return (str(beside),)
    found = shutil.which("void-server", path=environment.get("PATH"))
    if found:
        return (found,)
    raise ServerError(
        "The program void-server is neither beside this Python nor on PATH; install it with "
        "pip install 'void_plugin[server]', or name its command in $VOID_SERVER_COMMAND."
    )


def ask_server(config: Config, environment: Mapping[str, str], arguments: Sequence[str]) -> Any:
    """The JSON value that `void-server` prints as its last line for these arguments.

    Raises ServerError where it cannot start, JobError with its own last sentence where it fails.
    """
    command = [*server_command(config, environment), *arguments]
    with _popen(command, environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            output, complaint = process.communicate()
        except BaseException:  # Ctrl-C: the child has its own process group and would live on
            _kill(process)
            raise
    words = [line for line in complaint.decode("utf-8", "replace").splitlines() if line.strip()]
    if process.returncode:
        raise JobError(
            words[-1] if words else f"void-server {' '.join(arguments)} ended with exit code {process.returncode}.",
            "job.memory" if process.returncode in (-9, _EXIT_OUT_OF_MEMORY) else "job.crashed",
        )
    lines = output.decode("utf-8", "replace").strip().split("\n")
    try:
        return json.loads(lines[-1])
    except ValueError as error:
        raise ServerError(
            f"void-server {' '.join(arguments)} did not answer in JSON; install the same version of void_plugin for "
            "the client and the server."
        ) from error


def child_environment(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The environment a child gets: ours, without the variables that would lead another Python to our modules."""
    ours = dict(environment)
    program = Path(shutil.which(command[0], path=environment.get("PATH")) or command[0])
    if program.parent.absolute() != Path(sys.executable).parent.absolute():
        for name in ("PYTHONPATH", "PYTHONHOME"):
            ours.pop(name, None)
    return ours


def _popen(
    command: Sequence[str], environment: Mapping[str, str], stdin: int, stderr: "int | IO[bytes]"
) -> "subprocess.Popen[bytes]":
    own_group: dict[str, Any] = {"process_group": 0}
    if sys.platform == "win32":
        own_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=child_environment(command, environment),
            **own_group,
        )
    except OSError as error:
        raise ServerError(
            f"void-server cannot be started as {' '.join(command[:3])}: {error.strerror or error}; correct "
            "$VOID_SERVER_COMMAND or server_command in the configuration."
        ) from error


def _ask_to_stop(process: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            process.send_signal(signal.SIGTERM)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End a child and, where the system knows groups, everything it started; nothing where it is gone already."""
    if process.poll() is not None:
        return
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _pump(stream: IO[bytes], lines: "queue.SimpleQueue[bytes | None]") -> None:
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)


def _write_request(request: RemovalRequest, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".request-", suffix=".json")
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(request.to_json())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, folder / "request.json")
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _disk_error(error: OSError, folder: Path) -> ServerError:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return ServerError(
            f"The disk that holds {folder} is full; free some space and run the same command again.",
            "server.disk_full",
        )
    return ServerError(
        f"Cannot write the job folder {folder}: {error.strerror or error}; choose an output folder you may write to.",
        "server.unwritable",
    )


def _last_line(log: Path, started_at: int) -> str:
    """The last line that this run of the child wrote to its log."""
    with open(log, "rb") as stream:
        stream.seek(max(started_at, log.stat().st_size - 4096))
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
