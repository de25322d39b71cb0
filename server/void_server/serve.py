"""`void-server serve`: puts store, queue, workers and services together, opens the port, and stops in order."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from void_plugin.errors import ServerError
from void_plugin.heap import keep_memory_together
from void_server.database import lock_state
from void_server.devices import Devices, DeviceStatus, Observer
from void_server.jobrows import JobRow
from void_server.jobs import JobQueue
from void_server.lifeline import stop_at_end
from void_server.metrics import Metrics
from void_server.settings import ServerSettings, check_exposure
from void_server.stop import Stop
from void_server.store import FrameStore

if TYPE_CHECKING:
    from void_server.port import Port

HOUSEKEEPING_SECONDS = 5.0


def serve(settings: ServerSettings, environment: Mapping[str, str], stdin: IO[str], stdout: IO[str]) -> int:
    """Serve until SIGTERM, SIGINT or, for a private server, the end of stdin; returns the exit code.

    Raises ServerError where the server cannot start.
    """
    keep_memory_together()
    stop = Stop(signal.SIGTERM, signal.SIGINT)
    server = Server(settings, environment)
    try:
        server.start()
        print(json.dumps({"address": server.address, "state": str(settings.state)}), file=stdout, flush=True)
        if settings.private:
            stop_at_end(stdin, stop)
        stop.wait()
    finally:
        server.drain()
    return 0


class Server(Observer):
    """One server: everything between its state folder and its port."""

    def __init__(self, settings: ServerSettings, environment: Mapping[str, str]) -> None:
        check_exposure(settings)
        self.settings = settings
        self.address = settings.address
        self.metrics = Metrics()
        self._environment = environment
        self._stopping = threading.Event()
        self._port: Port | None = None
        self._undo: list[Callable[[], object]] = []

    def start(self) -> None:
        """Open everything; the port last, so that whoever reaches it is served."""
        settings, state = self.settings, self.settings.state
        _make_state(state)
        self._undo.append(lock_state(state).close)
        self.queue = JobQueue(state, settings.max_queued, time.time)
        self._undo.append(self.queue.close)
        self.store = FrameStore(state / "store", settings.store_bytes, self.queue.pins)
        self._undo.append(self.store.close)
        self.devices = Devices(settings, self.queue, self.store, self, self._environment)
        self._undo.append(self._close_port)  # once the workers have stopped: until then calls are answered
        self.devices.start()
        self._undo.append(lambda: self.devices.drain(settings.drain_seconds))
        # gRPC takes nearly as long to load as a worker does: side by side.
        from void_server.port import Port

        self._port = Port(settings, self.queue, self.store, self.devices, self.metrics, self._stopping)
        self.address = self._port.open()
        self.devices.tell()  # what they told before, nobody heard
        threading.Thread(target=self._keep_house, args=(self._port,), name="housekeeping", daemon=True).start()
        self._undo.append(_write_address(state, self.address))

    def drain(self) -> None:
        """Refuse new work, checkpoint what runs, answer what was asked, then close. Safe after a failed start."""
        self._stopping.set()
        if self._port is not None:
            self._port.refuse()
        while self._undo:
            self._undo.pop()()
        if self.settings.private:
            shutil.rmtree(self.settings.state, ignore_errors=True)

    def _close_port(self) -> None:
        if self._port is not None:
            self._port.close()

    # -- what the devices tell -------------------------------------------------------------------------------

    def devices_changed(self, statuses: Sequence[DeviceStatus]) -> None:
        """Let health follow the workers, and count them."""
        if self._port is not None:
            self._port.show(statuses)
        for kind in ("LOADING", "IDLE", "BUSY", "DOWN"):
            self.metrics.devices.labels(kind).set(sum(status.state == kind for status in statuses))

    def job_ended(self, row: JobRow, outcome: str, seconds: float, frames: int) -> None:
        """Count what a job delivered, or why it did not."""
        if row.started_at is not None:
            self.metrics.wait.observe(max(0.0, row.started_at - row.submitted_at))
        self.metrics.frames.labels(row.engine).inc(frames)
        if outcome == "succeeded" and seconds > 0:
            self.metrics.rate.labels(row.engine).set(frames / seconds)
        if outcome == "failed":
            self.metrics.failures.labels(row.error_code).inc()

    def step(self, engine: str, seconds: float) -> None:
        """Take note of one step."""
        self.metrics.step.labels(engine).observe(seconds)

    def worker_restarted(self, device: str) -> None:
        """Count a worker that had to be started again."""
        self.metrics.restarts.labels(device).inc()

    def _keep_house(self, port: Port) -> None:
        while not self._stopping.wait(HOUSEKEEPING_SECONDS):
            port.submissions.expire(time.time() - self.settings.keep_seconds)
            self.metrics.count_jobs(self.queue.counts())
            self.metrics.cache_bytes.set(self.store.used_bytes())


def _make_state(state: Path) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ServerError(
            f"The state folder {state} cannot be made: {error.strerror or error}; choose another with --state.",
            "server.start",
        ) from error


def _write_address(state: Path, address: str) -> Callable[[], None]:
    """Let the clients of this user find the server; returns what takes the file away."""
    temporary = state / ".server.json.tmp"
    temporary.write_text(json.dumps({"address": address, "pid": os.getpid()}) + "\n", encoding="utf-8")
    os.replace(temporary, state / "server.json")
    return lambda: (state / "server.json").unlink(missing_ok=True)
