"""What the server tells Prometheus, in a registry of its own and on a port of its own.

The port follows the rules of the service: loopback, or TLS and a token.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

from void_plugin.errors import ServerError
from void_server.settings import ServerSettings, split_address

if TYPE_CHECKING:
    from void_server.access import Access  # and with it gRPC, which figures do without

WAIT_BUCKETS = (0.1, 1, 10, 60, 300, 1800, 7200, 28800)
"""Seconds; from a warm idle worker to a shift of waiting."""
STEP_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
"""Seconds; a unit of `recover` to a slow denoising step."""


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counted: dict[str, Any] = {"registry": self.registry}
        self.jobs = Gauge("void_jobs", "Jobs in the database by state.", ["state"], **counted)
        self.queue_depth = Gauge("void_queue_depth", "Jobs that wait for a device.", **counted)
        self.running = Gauge("void_jobs_running", "Jobs that a device works on.", **counted)
        self.wait = Histogram(
            "void_job_wait_seconds", "From submit to start.", buckets=WAIT_BUCKETS, registry=self.registry
        )
        self.step = Histogram(
            "void_step_seconds", "One step of an engine.", ["engine"], buckets=STEP_BUCKETS, registry=self.registry
        )
        self.frames = Counter("void_frames_total", "Frames delivered.", ["engine"], **counted)
        self.rate = Gauge("void_frames_per_second", "Of the job that ended last.", ["engine"], **counted)
        self.cache_bytes = Gauge("void_store_bytes", "Bytes of frames held.", **counted)
        self.restarts = Counter("void_worker_restarts_total", "Workers started again.", ["device"], **counted)
        self.failures = Counter("void_failures_total", "Jobs that failed and calls refused, by code.", ["code"],
                                **counted)  # fmt: skip
        self.devices = Gauge("void_devices", "Workers by state.", ["state"], **counted)

    def count_jobs(self, counts: Mapping[str, int]) -> None:
        """Take over how many jobs are in which state."""
        for state, count in counts.items():
            self.jobs.labels(state).set(count)
        self.queue_depth.set(counts.get("queued", 0))
        self.running.set(counts.get("running", 0))


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: a scrape every few seconds is no news."""


def serve_metrics(metrics: Metrics, settings: ServerSettings, access: Access) -> Callable[[], None]:
    """Answer GET /metrics to whoever shows a token; returns what stops it.

    Raises ServerError where the port is taken.
    """
    inner = make_wsgi_app(metrics.registry)

    def guarded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            access.identify_header(environ.get("HTTP_AUTHORIZATION"))
        except ServerError as error:
            headers: Sequence[tuple[str, str]] = [("Content-Type", "text/plain"), ("WWW-Authenticate", "Bearer")]
            start_response("401 Unauthorized", list(headers))
            return [error.message.encode() + b"\n"]
        answer: Iterable[bytes] = inner(environ, start_response)
        return answer

    host, port = split_address(settings.metrics_address)
    try:
        server = make_server(host, port, guarded, _Server, _Quiet)
    except OSError as error:
        raise ServerError(
            f"The metrics cannot be served at {settings.metrics_address}: {error.strerror or error}; choose another "
            "--metrics-address.",
            "server.start",
        ) from error
    if settings.tls_cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
        # The handshake is left to the thread of the request: a silent client must not keep others out.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
