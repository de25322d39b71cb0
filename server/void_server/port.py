"""The port of a server: its services over gRPC, its health and its figures, who may call, and how calls end.

Loaded once the workers have been started: gRPC takes nearly as long to load as they do.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from void_plugin import wire
from void_plugin.errors import ServerError
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
from void_server.devices import Devices, DeviceStatus
from void_server.jobs import JobQueue
from void_server.metrics import Metrics, serve_metrics
from void_server.services import EngineService, FrameService, JobService
from void_server.settings import ServerSettings
from void_server.store import FrameStore
from void_server.submission import Submissions

MOST_MESSAGE_BYTES = 16 << 20
"""A submit that lists 10,000 frames of seven inputs has 6 MB; pixels travel in chunks of 1 MiB."""
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


class Port:
    """Everything that can be reached from outside."""

    def __init__(
        self,
        settings: ServerSettings,
        queue: JobQueue,
        store: FrameStore,
        devices: Devices,
        metrics: Metrics,
        stopping: threading.Event,
    ) -> None:
        """Nothing is open before `open`. Raises ServerError where the tokens cannot be used."""
        self._settings, self._metrics = settings, metrics
        self._access = Access(settings)
        self.submissions = Submissions(settings, queue, store, devices)
        self._serving = Serving(
            self._access, store, queue, devices, self.submissions, stopping,
            lambda code: metrics.failures.labels(code).inc(),
        )  # fmt: skip
        self._health = health.HealthServicer()
        self._health.set(FRAMES, health_pb2.HealthCheckResponse.SERVING)
        self.show(())
        self._server: grpc.Server | None = None
        self._close_metrics: Callable[[], None] = lambda: None

    def open(self) -> str:
        """Serve from now on; returns the address. Raises ServerError where a port cannot be opened."""
        self.submissions.sweep()
        server = self._made()
        address = _bind(server, self._settings)
        server.start()
        self._server = server  # only now: an address that is in use is not ours to close
        if self._settings.metrics_address:
            self._close_metrics = serve_metrics(self._metrics, self._settings, self._access)
        return address

    def show(self, statuses: Sequence[DeviceStatus]) -> None:
        """Health follows the workers: jobs are served while at least one can take them."""
        up = any(status.state in ("IDLE", "BUSY") for status in statuses)
        state = health_pb2.HealthCheckResponse.SERVING if up else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", JOBS, ENGINES):
            self._health.set(name, state)

    def refuse(self) -> None:
        """Say that nothing new is taken, and let nobody ask for figures any more."""
        self._health.enter_graceful_shutdown()
        self._close_metrics()

    def close(self) -> None:
        """Let calls end, and close. Safe where it was never opened."""
        if self._server is None:
            return
        self._server.stop(CALL_SECONDS).wait()
        if self._settings.address.startswith("unix:"):
            Path(self._settings.address.removeprefix("unix:")).unlink(missing_ok=True)

    def _made(self) -> grpc.Server:
        server = grpc.server(
            ThreadPoolExecutor(self._settings.max_calls, thread_name_prefix="call"),
            interceptors=[self._access.interceptor(self._serving.refused)],
            maximum_concurrent_rpcs=self._settings.max_calls,
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
        frame_service_pb2_grpc.add_FrameServiceServicer_to_server(FrameService(self._serving), server)
        job_service_pb2_grpc.add_JobServiceServicer_to_server(JobService(self._serving), server)
        engine_service_pb2_grpc.add_EngineServiceServicer_to_server(
            EngineService(self._serving, wire.machine_digest()), server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self._settings.reflection:
            names = (FRAMES, JOBS, ENGINES, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)
        return server


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
