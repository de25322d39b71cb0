"""Opens the connection to a server: address, TLS, token, and what gRPC itself tries again.

A token never leaves this machine unencrypted, unless the configuration says so.
"""

import ipaddress
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from void_plugin.config import Config, state_folder
from void_plugin.errors import RequestError, ServerError

DEFAULT_PORT = 7476
"""Where `void-server serve` listens unless told otherwise."""
MOST_MESSAGE_BYTES = 4 << 20
"""Of one answer; pixels come in chunks of 1 MiB."""

# Calls that can be sent twice without harm, so that gRPC may do it when the connection breaks under them.
_REPEATABLE = {
    "void_plugin.v1.FrameService": ("FindMissingFrames",),
    "void_plugin.v1.JobService": ("SubmitJob", "GetJob", "ListJobs", "CancelJob", "DeleteJob"),
    "void_plugin.v1.EngineService": ("ListEngines",),
}
_RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?\Z")


def server_address(text: str) -> str:
    """An address as gRPC takes it: `unix:/path`, or `host:port` with the usual port where none is given.

    Raises RequestError for anything else.
    """
    if text.startswith("unix:/"):
        return text
    match = _ADDRESS.match(text)
    if match is None or int(match["port"] or DEFAULT_PORT) > 65535:
        raise RequestError(
            f"{text!r} is not the address of a server; write host:port, such as gpu-box:{DEFAULT_PORT}, or unix:/path."
        )
    return f"{match['host']}:{match['port'] or DEFAULT_PORT}"


def is_loopback(address: str) -> bool:
    """True where an address can only lead to this machine."""
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which may lead anywhere
        return False


def find_server(config: Config, environment: Mapping[str, str]) -> str:
    """Address of the configured server, else of the one that this user runs on this machine.

    Raises ServerError where there is neither.
    """
    if config.server:
        return server_address(config.server)
    file = Path(state_folder(environment)) / "server.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ServerError(
            "No server is configured and none of yours runs on this machine; name one with --server HOST:PORT or "
            "$VOID_SERVER, or start one with `void-server serve`."
        ) from error
    except (OSError, ValueError) as error:
        raise ServerError(f"{file} cannot be read ({error}); start `void-server serve` again.") from error
    if not isinstance(found, dict) or not isinstance(found.get("address"), str):
        raise ServerError(f"{file} names no address; start `void-server serve` again.")
    return server_address(found["address"])


def open_channel(config: Config, environment: Mapping[str, str], address: str) -> grpc.Channel:
    """A channel that sends this user's token with every call; nothing is connected yet.

    TLS is used for every other machine and wherever `tls_ca` or `tls_cert` is set. Raises ServerError where the
    token or a file of TLS cannot be read.
    """
    local = is_loopback(address)
    encrypt = config.tls_ca or config.tls_cert or not (local or config.insecure)
    secure = bool(encrypt) and not address.startswith("unix:")
    credentials = _credentials(config, address) if secure else None
    token = read_token(config, environment, address)
    options = [
        ("grpc.service_config", json.dumps(_service_config())),
        ("grpc.max_receive_message_length", MOST_MESSAGE_BYTES),
        # A server that restarts is found again within seconds; gRPC alone would wait up to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 2_000),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # A connection that died without a word (a laptop that slept, a lost route) is noticed while calls wait.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        # Calls may share a connection process-wide, but not with channels that were told other things.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if local:  # a proxy knows nothing of this machine's own addresses
        options.append(("grpc.enable_http_proxy", 0))
    if credentials is None:
        plain = grpc.insecure_channel(address, options)
    else:
        plain = grpc.secure_channel(address, credentials, options)
    return grpc.intercept_channel(plain, _Bearer(token))


def read_token(config: Config, environment: Mapping[str, str], address: str) -> str:
    """The token for a server: that of `token_file`, else what a server of this user left on this machine.

    Raises ServerError where there is none.
    """
    path = Path(config.token_file or os.path.join(state_folder(environment), "token"))
    if not config.token_file and not is_loopback(address):
        raise ServerError(
            f"There is no token for the server {address}; ask whoever runs it for one, and name its file with "
            "token_file ($VOID_TOKEN_FILE).",
            "server.unauthenticated",
        )
    try:
        words = path.read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not plain text"
        advice = "correct token_file ($VOID_TOKEN_FILE)"
        if not config.token_file:
            advice = "start `void-server serve` as this user, or name the token's file with $VOID_TOKEN_FILE"
        raise ServerError(
            f"The token for the server {address} cannot be read from {path}: {reason}; {advice}.",
            "server.unauthenticated",
        ) from error
    if len(words) != 1:
        raise ServerError(
            f"The file {path} holds {len(words)} words, but must hold your token for the server {address} and nothing "
            "else.",
            "server.unauthenticated",
        )
    return words[0]


def _credentials(config: Config, address: str) -> grpc.ChannelCredentials:
    if bool(config.tls_cert) != bool(config.tls_key):
        raise ServerError(
            f"A client certificate needs its key for the server {address}: set both tls_cert ($VOID_TLS_CERT) and "
            "tls_key ($VOID_TLS_KEY), or neither.",
            "server.tls",
        )
    parts: list[bytes | None] = []
    for name in ("tls_ca", "tls_key", "tls_cert"):
        path = getattr(config, name)
        try:
            parts.append(Path(path).read_bytes() if path else None)
        except OSError as error:
            raise ServerError(
                f"{name} names {path}, which cannot be read ({error.strerror}); correct it to reach the server "
                f"{address}.",
                "server.tls",
            ) from error
    return grpc.ssl_channel_credentials(*parts)


def _service_config() -> dict[str, Any]:
    names = [{"service": service, "method": method} for service, methods in _REPEATABLE.items() for method in methods]
    return {"methodConfig": [{"name": names, "retryPolicy": _RETRY}]}


class _Details(NamedTuple):
    """What an interceptor hands on of a call."""

    method: str
    timeout: float | None
    metadata: list[tuple[str, str | bytes]]
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _Bearer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamUnaryClientInterceptor):
    """Sends the token with every call."""

    def __init__(self, token: str) -> None:
        self._header = ("authorization", f"Bearer {token}")

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return continuation(self._with_token(details), request)

    def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return continuation(self._with_token(details), request)

    def intercept_stream_unary(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        return continuation(self._with_token(details), requests)

    def _with_token(self, details: Any) -> Any:
        return _Details(
            details.method,
            details.timeout,
            [*(details.metadata or ()), self._header],
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )
