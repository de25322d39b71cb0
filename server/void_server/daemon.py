"""The process that keeps a worker, and so a loaded model, between the tasks of one session on a farm.

Started by `void-server daemon start` as `python -m void_server.daemon`. It ends with the process that began the
session, when nobody has given it a task for a while, and when it is told to; its worker and their folder end with it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from void_plugin.config import Config, load_config
from void_plugin.errors import JobError, ServerError, VoidError
from void_plugin.events import from_line
from void_server import obituary
from void_server.daemonfile import Connection, DaemonSettings, SocketFolder, read_connection
from void_server.daemonsocket import Client, Listener, Starter
from void_server.daemontasks import Tasks
from void_server.gpus import Gpu, GpuLock, large_enough, visible_gpus
from void_server.obituary import Death, Told
from void_server.processes import when_gone
from void_server.workerprocess import BoundedLog, WorkerProcess

POLL_SECONDS = 1.0
HEARTBEAT_SECONDS, HANG_SECONDS = 30.0, 900.0
"""How long a worker may be silent, and a task without a sign of life."""
CANCEL_SECONDS = 90.0
"""How long a task may take to write its checkpoint before its worker is ended."""
STOP_SECONDS, ORPHAN_SECONDS = 60.0, 10.0
"""The same for all tasks when the daemon is told to end, and when its session is gone."""
MOST_DEATHS = 3
"""Workers that may die one after the other without finishing a task."""

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until it is time to end; 0 unless it could not start."""
    parser = argparse.ArgumentParser(prog="python -m void_server.daemon", description=__doc__)
    parser.add_argument("--settings", type=DaemonSettings.from_json, required=True)
    parser.add_argument("--tell", type=int, required=True, help="descriptor that is told how the start went")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    starter = Starter(options.tell)
    try:
        Daemon(options.settings, load_config(os.environ), os.environ).run(starter)
    except VoidError as error:
        logger.error("%s", error.message)
        starter.tell({"say": "failed", "code": error.code, "text": error.message})
        return error.exit_code
    return 0


class Daemon:
    """Hands tasks to a worker and tells who gave them how they go."""

    def __init__(self, settings: DaemonSettings, machine: Config, environment: Mapping[str, str]) -> None:
        self._settings, self._machine, self._environment = settings, machine, dict(environment)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._deadline = time.monotonic() + settings.start_seconds
        self._ending, self._grace = "", STOP_SECONDS
        self._device, self._gpu = "cpu", ""
        self._tasks, self._told, self._deaths = Tasks(), Told(), 0
        self._is_ready, self._is_closed, self._quiet = False, True, 0.0
        self._heard_at = time.monotonic()

    def run(self, starter: Starter) -> None:
        """Start, say so, and serve. Raises VoidError where it cannot start, and leaves nothing behind either way."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._end("a signal", STOP_SECONDS))
        if self._settings.owner:
            when_gone(self._settings.owner, lambda: self._end("the end of its session", ORPHAN_SECONDS))
        with ExitStack() as left:
            left.callback(os.close, self._wake)
            self._log = BoundedLog(Path(self._settings.log))
            left.callback(self._log.close)
            self._take_gpu(left)
            folder = SocketFolder()
            left.callback(folder.remove)
            self._socket = folder.socket
            self._listener = Listener(self._socket, self._alarm)
            left.callback(self._listener.close)
            self._worker = self._start_worker()
            left.callback(self._close_worker)
            self._wait_ready()
            Connection.of(self._settings, self._socket, self._device, self._gpu).write(self._settings.connection)
            left.callback(_forget, self._settings.connection, self._socket)
            starter.tell({"say": "ready", "worker": self._worker.pid, "device": self._device})
            logger.info("Ready on %s, worker %s", self._device, self._worker.pid)
            self._tasks.settled_at = time.monotonic()
            self._serve()
            logger.info("Ending because of %s", self._ending)
            self._drain()

    # -- starting --------------------------------------------------------------------------------------------

    def _take_gpu(self, left: ExitStack) -> None:
        """Choose a GPU that is large enough and keep it. Raises VoidError where there is none, or none gets free."""
        if self._machine.device != "cuda":
            return
        gpus = visible_gpus(self._environment)
        if self._settings.vram_mib:
            gpus = large_enough(gpus, self._settings.vram_mib)
        if not gpus:
            return
        while True:
            for index, gpu in enumerate(gpus):
                lock = GpuLock(gpu)
                if lock.take():
                    left.callback(lock.release)
                    self._use(index, gpu)
                    return
            self._check_start(f"{gpus[0].name} ({gpus[0].uuid}) is kept by another daemon", "server.busy")
            time.sleep(POLL_SECONDS / 4)

    def _use(self, index: int, gpu: Gpu) -> None:
        self._device, self._gpu = f"cuda:{index}", gpu.uuid
        self._environment.update(CUDA_VISIBLE_DEVICES=gpu.uuid, CUDA_DEVICE_ORDER="PCI_BUS_ID")

    def _start_worker(self) -> WorkerProcess:
        self._is_ready, self._quiet, self._heard_at = False, 0.0, time.monotonic()
        self._told = Told()
        command = [sys.executable, "-P", "-m", "void_server.worker"]
        command += ["--device", self._device, "--parent", str(os.getpid())]
        worker = WorkerProcess(command, self._environment, self._log, self._wake)
        self._is_closed = False
        return worker

    def _wait_ready(self) -> None:
        while not self._is_ready:
            for message in self._worker.read(POLL_SECONDS):
                self._hear_worker(message)
            if self._worker.dead and not self._is_ready:
                death = Death(obituary.DIED, self._close_worker()[0], self._log.last_line)
                happened = obituary.what_happened(death, self._device, "while it started")
                raise ServerError(f"{happened}. Its log is {self._settings.log}.", "server.start")
            self._check_start("its worker is not ready", "server.timeout")

    def _check_start(self, why: str, code: str) -> None:
        """Raise ServerError where there is no time left to start, or no reason any more."""
        if self._ending:
            raise ServerError(f"The daemon was ended by {self._ending} while it started.", "server.start")
        if time.monotonic() > self._deadline:
            raise ServerError(
                f"The daemon could not start within {self._settings.start_seconds:g} seconds: {why}. Try again later, "
                "or allow more time with --timeout.",
                code,
            )

    # -- serving ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while not self._ending:
            for message in self._worker.read(POLL_SECONDS):
                self._hear_worker(message)
            self._hear_clients()
            self._look()

    def _hear_clients(self) -> None:
        while not self._listener.heard.empty():
            client, message = self._listener.heard.get()
            if message is None or message["do"] == "cancel":
                self._cancel(client)
            elif message["do"] == "run" and not client.job:
                job = self._tasks.give(client)
                self._worker.send({"do": "run", "job": job, "kind": "task", "order": message["order"]})
                client.send({"say": "taken", "worker": self._worker.pid, "device": self._device})
            elif message["do"] == "status":
                client.send({"say": "status", **self._status()})

    def _cancel(self, client: Client) -> None:
        if self._tasks.cancel(client):
            self._worker.send({"do": "cancel", "job": client.job})

    def _status(self) -> dict[str, Any]:
        return {
            "state": "busy" if self._tasks else "idle" if self._is_ready else "loading",
            "pid": os.getpid(),
            "worker": self._worker.pid,
            "device": self._device,
            "gpu": self._gpu,
            "tasks": self._tasks.count,
        }

    def _hear_worker(self, message: Mapping[str, Any]) -> None:
        self._heard_at = time.monotonic()
        said = message["say"]
        if said == "ready":
            self._check_engine(message["engines"])
            self._is_ready = True
        elif said == "beat":
            self._quiet = message["quiet_seconds"]
        elif said == "event":
            event = from_line(json.dumps(message["event"]))
            if event is not None:
                self._told.note(event)
            self._tasks.tell(message["job"], {"say": "event", "event": message["event"]})
        elif said == "done":
            self._deaths = 0
            self._told = Told()
            self._tasks.settle(message["job"], {"say": "done", "outcome": message["outcome"]})

    def _check_engine(self, rows: Sequence[Mapping[str, Any]]) -> None:
        wanted = [row for row in rows if row["name"] == self._settings.engine]
        if self._settings.engine and not wanted:
            raise JobError(f"There is no engine {self._settings.engine} on this worker.", "job.engine_unavailable")
        for row in wanted:
            if not row["available"]:
                raise JobError(row["reason"], "job.engine_unavailable")

    # -- what goes wrong -------------------------------------------------------------------------------------

    def _look(self) -> None:
        """End what hangs, start a worker for one that died, end when nobody needs anything."""
        now = time.monotonic()
        if self._worker.dead:
            self._bury(obituary.DIED)
        elif now - self._heard_at > HEARTBEAT_SECONDS:
            self._bury(obituary.QUIET)
        elif self._tasks and self._quiet > HANG_SECONDS:
            self._bury(obituary.HUNG)
        elif self._tasks.is_overdue(CANCEL_SECONDS):
            self._bury(obituary.DEAF)
        elif not self._tasks and now - self._tasks.settled_at > self._settings.idle_seconds:
            self._end("idleness", STOP_SECONDS)

    def _bury(self, how: str) -> None:
        """Settle the tasks of a worker that has ended, and start another."""
        status, messages = self._close_worker()
        for message in messages:
            self._hear_worker(message)
        death = Death(how, status, self._log.last_line)
        happened = obituary.what_happened(death, self._device, self._told.where())
        logger.warning("%s", happened)
        code = "job.hung" if how in (obituary.QUIET, obituary.HUNG) else "job.crashed"
        if how == obituary.DIED and status in obituary.KILLED_STATUSES:
            code = "job.memory"
        lost = {"say": "lost", "code": code, "text": f"{happened}; its log is {self._log.path}."}
        self._tasks.settle_all(lost, {**lost, "code": "server.busy"})  # it was not the fault of what waited
        self._deaths += 1
        if self._deaths >= MOST_DEATHS:
            self._end("workers that die one after the other", 0.0)
            return
        self._worker = self._start_worker()

    # -- ending ----------------------------------------------------------------------------------------------

    def _end(self, why: str, grace: float) -> None:
        """Make it end. From any thread."""
        if not self._ending:
            self._grace, self._ending = grace, why
        self._alarm()

    def _drain(self) -> None:
        """Let the worker write what it has, then end it."""
        _forget(self._settings.connection, self._socket)
        deadline = time.monotonic() + self._grace
        if not self._is_closed:
            self._worker.send({"do": "stop"})
        while not self._is_closed and not self._worker.dead and time.monotonic() < deadline:
            for message in self._worker.read(POLL_SECONDS):
                self._hear_worker(message)
        stopped = {"say": "done", "outcome": "stopped"}
        self._tasks.settle_all(stopped, stopped)

    def _close_worker(self) -> tuple[int, list[dict[str, Any]]]:
        """End what is left of the worker; its exit status and what it told last."""
        if self._is_closed:  # its number may be another's by now
            return 0, []
        self._is_closed = True
        return self._worker.close()

    def _alarm(self) -> None:
        with suppress(OSError):  # ended already, or nobody has listened for a very long time
            os.eventfd_write(self._wake, 1)


def _forget(path: str, socket: str) -> None:
    """Remove the connection file, unless another daemon has its own there by now."""
    with suppress(OSError, VoidError):
        known = read_connection(path)
        if known is not None and known.socket == socket:
            os.unlink(path)


if __name__ == "__main__":
    sys.exit(main())
