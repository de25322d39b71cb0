"""`void-server serve`: puts store, queue, workers and services together, opens the port, and stops in order."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from void_plugin import wire
from void_plugin.errors import ServerError
from void_plugin.heap import keep_memory_together
from void_plugin.v1 import (
    engine_service_pb2,
    engine_service_pb2_grpc,
    frame_service_pb2,
    frame_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
)
from void_server.access import Access
from void_server.calls import Serving
from void_server.database import lock_state
from void_server.devices import Devices, DeviceStatus, Observer
from void_server.jobrows import JobRow
from void_server.jobs import JobQueue
from void_server.lifeline import stop_at_end
from void_server.metrics import Metrics, serve_metrics
from void_server.services import EngineService, FrameService, JobService
from void_server.settings import ServerSettings, check_exposure
from void_server.stop import Stop
from void_server.store import FrameStore
from void_server.submission import Submissions

logger = logging.getLogger(__name__)

MOST_MESSAGE_BYTES = 16 << 20
"""A submit that lists 10,000 frames of seven inputs has 6 MB; pixels travel in chunks of 1 MiB."""
HOUSEKEEPING_SECONDS = 5.0
CALL_SECONDS = 5.0
"""What calls in progress get to end after the workers have stopped."""
FRAMES, JOBS, ENGINES = (
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (frame_service_pb2, "FrameService"),
        (job_service_pb2, "JobService"),
        (engine_service_pb2, "EngineService"),
    )
)


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
        self._stop_metrics: Callable[[], None] = lambda: None
        self._health = health.HealthServicer()
        self._undo: list[Callable[[], object]] = []

    def start(self) -> None:
        """Open everything; the port last, so that whoever reaches it is served."""
        settings, state = self.settings, self.settings.state
        _make_state(state)
        self._undo.append(lock_state(state).close)
        access = Access(settings)
        self.queue = JobQueue(state, settings.max_queued, time.time)
        self._undo.append(self.queue.close)
        self.store = FrameStore(state / "store", settings.store_bytes, self.queue.pins)
        self._undo.append(self.store.close)
        self.devices = Devices(settings, self.queue, self.store, self, self._environment)
        self.submissions = Submissions(settings, self.queue, self.store, self.devices)
        self.submissions.sweep()
        serving = Serving(
            access, self.store, self.queue, self.devices, self.submissions, self._stopping, self._count_refusal
        )
        self._server = self._listen(access, serving)
        self._undo.append(self._close_calls)
        self._health.set(FRAMES, health_pb2.HealthCheckResponse.SERVING)
        self.devices_changed(())
        if settings.metrics_address:
            self._stop_metrics = serve_metrics(self.metrics, settings, access)
        self.devices.start()
        self._undo.append(lambda: self.devices.drain(settings.drain_seconds))
        threading.Thread(target=self._keep_house, name="housekeeping", daemon=True).start()
        self._undo.append(_write_address(state, self.address))

    def drain(self) -> None:
        """Refuse new work, checkpoint what runs, answer what was asked, then close. Safe after a failed start."""
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        self._stop_metrics()
        while self._undo:
            self._undo.pop()()
        if self.settings.private:
            shutil.rmtree(self.settings.state, ignore_errors=True)

    # -- the port --------------------------------------------------------------------------------------------

    def _listen(self, access: Access, serving: Serving) -> grpc.Server:
        server = grpc.server(
            ThreadPoolExecutor(self.settings.max_calls, thread_name_prefix="call"),
            interceptors=[access.interceptor(serving.refused)],
            maximum_concurrent_rpcs=self.settings.max_calls,
            options=[
                ("grpc.max_receive_message_length", MOST_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MOST_MESSAGE_BYTES),
                # Two servers on one port would share its calls between them without a word.
                ("grpc.so_reuseport", 0),
                # A client that was unplugged is noticed within a minute; a live one may ask every ten seconds.
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 20_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
            ],
        )
        frame_service_pb2_grpc.add_FrameServiceServicer_to_server(FrameService(serving), server)
        job_service_pb2_grpc.add_JobServiceServicer_to_server(JobService(serving), server)
        engine_service_pb2_grpc.add_EngineServiceServicer_to_server(
            EngineService(serving, wire.machine_digest()), server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self.settings.reflection:
            names = (FRAMES, JOBS, ENGINES, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)
        self.address = _bind(server, self.settings)
        server.start()
        return server

    def _close_calls(self) -> None:
        self._server.stop(CALL_SECONDS).wait()
        if self.settings.address.startswith("unix:"):
            Path(self.settings.address.removeprefix("unix:")).unlink(missing_ok=True)

    # -- what the devices tell -------------------------------------------------------------------------------

    def devices_changed(self, statuses: Sequence[DeviceStatus]) -> None:
        """Health follows the workers: jobs are served while at least one can take them."""
        up = any(status.state in ("IDLE", "BUSY") for status in statuses)
        state = health_pb2.HealthCheckResponse.SERVING if up else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", JOBS, ENGINES):
            self._health.set(name, state)
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

    def _count_refusal(self, code: str) -> None:
        self.metrics.failures.labels(code).inc()

    def _keep_house(self) -> None:
        while not self._stopping.wait(HOUSEKEEPING_SECONDS):
            self.submissions.expire(time.time() - self.settings.keep_seconds)
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


def _bind(server: grpc.Server, settings: ServerSettings) -> str:
    """Open the address and return it with its real port."""
    address = settings.address
    if address.startswith("unix:"):
        _refuse_live_socket(address)
        before = os.umask(0o177)  # the socket is 0600 from its first moment
        try:
            _add_port(server, settings)
        finally:
            os.umask(before)
        return address
    port = _add_port(server, settings)
    return f"{address.rpartition(':')[0]}:{port}"


def _add_port(server: grpc.Server, settings: ServerSettings) -> int:
    try:
        if settings.tls_cert:
            port = server.add_secure_port(settings.address, _credentials(settings))
        else:
            port = server.add_insecure_port(settings.address)
    except RuntimeError as error:
        raise _cannot_bind(settings, str(error)) from error
    if port == 0:
        raise _cannot_bind(settings, "it is in use or not of this machine")
    return port


def _cannot_bind(settings: ServerSettings, reason: str) -> ServerError:
    return ServerError(
        f"The server cannot listen at {settings.address}: {reason}; stop what uses it or choose another --address.",
        "server.start",
    )


def _refuse_live_socket(address: str) -> None:
    """gRPC takes a socket over without asking; only one that nobody answers is ours to take."""
    path = address.removeprefix("unix:")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return
    raise ServerError(f"Another server listens at {address}; stop it or choose another --address.", "server.start")


def _credentials(settings: ServerSettings) -> grpc.ServerCredentials:
    try:
        # gRPC says little about a bad pair; this names the fault.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key)
        key, chain = Path(settings.tls_key).read_bytes(), Path(settings.tls_cert).read_bytes()
        roots = Path(settings.tls_client_ca).read_bytes() if settings.tls_client_ca else None
    except (OSError, ssl.SSLError) as error:
        raise ServerError(
            f"The certificate {settings.tls_cert} with key {settings.tls_key} cannot be used: {error}; give a PEM "
            "certificate and its own key.",
            "server.start",
        ) from error
    return grpc.ssl_server_credentials([(key, chain)], roots, require_client_auth=roots is not None)


def _write_address(state: Path, address: str) -> Callable[[], None]:
    """Let the clients of this user find the server; returns what takes the file away."""
    temporary = state / ".server.json.tmp"
    temporary.write_text(json.dumps({"address": address, "pid": os.getpid()}) + "\n", encoding="utf-8")
    os.replace(temporary, state / "server.json")
    return lambda: (state / "server.json").unlink(missing_ok=True)
