"""`void-server daemon start|stop|status`: keeps a model loaded between the tasks of one session on a farm."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from void_plugin.config import CHOICES, byte_count
from void_plugin.errors import EXIT_STOPPED, Cancelled, ServerError, VoidError, from_code
from void_server.daemonclient import VARIABLE, DaemonLink, end_daemon
from void_server.daemonfile import Connection, DaemonSettings, read_connection, remove_folder, sweep
from void_server.farmorder import Order, read_plan
from void_server.gpus import farm_environment
from void_server.openjdlines import Lines
from void_server.processes import session_owner
from void_server.stop import Stop
from void_server.visibility import Patience

EXIT_NONE = 69
"""Exit code of `status` where there is no daemon."""
_MORE_SECONDS = 10.0
_POLL_SECONDS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the commands take."""
    parser.add_argument("action", choices=("start", "stop", "status"))
    parser.add_argument("--connection", required=True, metavar="FILE", help="file that says where the daemon is")
    parser.add_argument("--job", metavar="FOLDER", help="job folder whose engine must be able to run")
    parser.add_argument("--owner-pid", type=int, metavar="PID", help="process with which it ends; 0 is none; default: "
                        "the one that began this session")  # fmt: skip
    parser.add_argument("--vram", type=int, default=0, metavar="MIB", help="memory that the GPU must have")
    parser.add_argument("--memory", choices=CHOICES["memory"], help="how VOID uses its GPU")
    parser.add_argument("--weights", type=os.path.abspath, metavar="FOLDER", help="folder of VOID's weights")
    parser.add_argument("--workers", type=int, help="threads a task may use; default: all cores")
    parser.add_argument("--cache-bytes", type=byte_count, help="bytes of decoded plate to keep in memory, such as 3G")
    parser.add_argument("--idle", type=float, default=1800.0, metavar="SECONDS", help="it ends without a task so long")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="for start (default 600) and stop (60)")
    parser.add_argument("--wait-for-files", type=float, default=60.0, metavar="SECONDS", help="for the job folder")
    parser.add_argument("--json", action="store_true", help="print the status as one JSON object")


def run(options: argparse.Namespace) -> int:
    """Run one of the commands and return its exit code."""
    path = os.path.abspath(options.connection)
    lines = Lines(sys.stdout)
    try:
        if options.action == "start":
            return _start(options, path, lines)
        if options.action == "stop":
            return _stop(path, 60.0 if options.timeout is None else options.timeout, lines)
        return _status(path, options.json)
    except Cancelled:
        lines.status("stopped while starting")
        return EXIT_STOPPED
    except VoidError as error:
        lines.fail(error.message)
        return error.exit_code


def _start(options: argparse.Namespace, path: str, lines: Lines) -> int:
    known = read_connection(path)
    if known is None or not known.is_alive:
        known = _started(options, path, lines)
    lines.variable(VARIABLE, path)
    lines.status(f"the daemon runs on {known.device}, process {known.pid}")
    return 0


def _started(options: argparse.Namespace, path: str, lines: Lines) -> Connection:
    """Start a daemon and wait until it is ready. Raises VoidError where it is not in time, and ends it then."""
    stop = Stop(signal.SIGTERM, signal.SIGINT)
    _forget(path)
    sweep()
    log = f"{path}.log"
    settings = DaemonSettings(
        connection=path,
        log=log,
        owner=session_owner(os.environ) if options.owner_pid is None else options.owner_pid,
        vram_mib=options.vram,
        idle_seconds=options.idle,
    )
    if options.timeout is not None:
        settings = replace(settings, start_seconds=options.timeout)
    if options.job:
        patience = Patience(options.wait_for_files, stop.is_set, lines.status)
        plan = read_plan(Order("solve", os.path.abspath(options.job)), patience)
        settings = replace(settings, engine=plan.engine)
    reading, writing = os.pipe()
    try:
        process = _launch(settings, _environment(options), writing)
    finally:
        os.close(writing)
    with contextlib.closing(os.fdopen(reading, "rb")):
        said = _answer(reading, process, settings.start_seconds + _MORE_SECONDS, stop)
    if said is None or said["say"] != "ready":
        _kill(process)
        _forget(path)
        sweep()
    if stop.is_set():
        raise Cancelled
    if said is None:
        raise ServerError(f"The daemon ended before it was ready; its log is {log}.", "server.start")
    if said["say"] == "failed":
        raise from_code(said["code"], said["text"])
    known = read_connection(path)
    if known is None:
        raise ServerError(f"The daemon has ended again at once; its log is {log}.", "server.start")
    return known


def _environment(options: argparse.Namespace) -> dict[str, str]:
    """What the daemon and its worker are told of the machine beside its configuration."""
    environment = farm_environment(os.environ)
    given = {
        "VOID_MEMORY": options.memory,
        "VOID_WEIGHTS": options.weights,
        "VOID_WORKERS": options.workers,
        "VOID_CACHE_BYTES": options.cache_bytes,
    }
    environment.update({name: str(value) for name, value in given.items() if value is not None})
    return environment


def _launch(settings: DaemonSettings, environment: Mapping[str, str], tell: int) -> subprocess.Popen[bytes]:
    """Start the process, in a session of its own and with nothing of ours open: a farm waits for our output to end."""
    command = [sys.executable, "-P", "-m", "void_server.daemon", "--settings", settings.to_json(), "--tell", str(tell)]
    try:
        with open(settings.log, "ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(environment),
                cwd=os.path.dirname(settings.connection),
                pass_fds=(tell,),
                start_new_session=True,
            )
    except OSError as error:
        raise ServerError(
            f"The daemon cannot be started: {error.strerror or error} ({error.filename or settings.log}).",
            "server.start",
        ) from error


def _answer(descriptor: int, process: subprocess.Popen[bytes], seconds: float, stop: Stop) -> dict[str, Any] | None:
    """What the daemon says of its start, or is said of one that is too late; None where it ends or we are to stop."""
    deadline = time.monotonic() + seconds
    line = b""
    while not stop.is_set():
        if time.monotonic() > deadline:
            late = f"The daemon gave no answer within {seconds:g} seconds."
            return {"say": "failed", "code": "server.timeout", "text": late}
        if not select.select([descriptor], [], [], _POLL_SECONDS)[0]:
            continue
        piece = os.read(descriptor, 1 << 16)
        line += piece
        if not piece or line.endswith(b"\n"):
            break
    if not line.endswith(b"\n"):
        return None
    said: dict[str, Any] = json.loads(line)
    return said


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a daemon that is not ready: as it likes, else with all it started."""
    process.terminate()
    try:
        process.wait(_MORE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _stop(path: str, seconds: float, lines: Lines) -> int:
    known = read_connection(path)
    if known is None:
        lines.status("no daemon runs")
        return 0
    ended = end_daemon(known, seconds)
    # Of one that was killed, now or before.
    _forget(path)
    remove_folder(known)
    lines.status("the daemon has ended" if ended else f"the daemon did not end within {seconds:g} seconds; killed")
    return 0


def _status(path: str, as_json: bool) -> int:
    known = read_connection(path)
    if known is None or not known.is_alive:
        print(json.dumps({"state": "none"}) if as_json else f"no daemon runs for {path}")
        return EXIT_NONE
    with DaemonLink(path) as link:
        facts = {**link.status(), "owner": known.owner, "log": known.log, "version": known.version}
    if as_json:
        print(json.dumps(facts, sort_keys=True))
    else:
        print("\n".join(f"{name:8} {facts[name]}" for name in ("state", "device", "pid", "worker", "tasks", "log")))
    return 0


def _forget(path: str) -> None:
    """Remove the file of a daemon that is gone."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
