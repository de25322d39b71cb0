"""What a server is told, as checked values: who may do what, where it listens, and where folders of clients lie."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from void_plugin.errors import ServerError

NAME = re.compile(r"(?!\.)(?!incoming\Z)[A-Za-z0-9_.-]{1,64}\Z")
"""Names of identities and namespaces. They become folders of the store, which keeps `incoming` for itself."""


@dataclass(frozen=True)
class Limits:
    """How much one identity may ask for."""

    max_frames: int = 10_000
    """Frames of one job."""
    max_pixels: int = 1 << 27
    """Pixels of one frame."""
    max_file_bytes: int = 2 << 30
    """Bytes of one uploaded file."""
    max_jobs: int = 200
    """Jobs queued and running at once."""
    max_bytes: int = 0
    """Bytes in its namespace of the store; 0 means up to the quota of the whole store."""


@dataclass(frozen=True)
class Identity:
    """Somebody whom the server lets in, and what they may do."""

    name: str
    namespace: str
    roots: tuple[str, ...] = ()
    """Real absolute folders below which path mode is allowed; none means upload only."""
    supervisor: bool = False
    """May see and cancel the jobs of all identities."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class IdentitySettings:
    """What one identity has of its own; None takes what holds for all."""

    roots: tuple[str, ...] | None = None
    namespace: str | None = None
    supervisor: bool | None = None
    limits: Limits | None = None


@dataclass(frozen=True)
class PathMapping:
    """Where a folder of the clients lies on the server, in the words of OpenJD."""

    source_path_format: str
    source_path: str
    destination_path: str


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Everything `void-server serve` is told; `options` reads it and says what each means."""

    state: Path
    address: str = "127.0.0.1:7476"
    devices: tuple[str, ...] = ("auto",)
    token_file: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    insecure: bool = False
    metrics_address: str = ""
    reflection: bool = True
    roots: tuple[str, ...] = ()
    namespace: str = ""
    store_bytes: int = 50 << 30
    max_queued: int = 1000
    keep_seconds: float = 7 * 86400
    heartbeat_seconds: float = 30
    hang_seconds: float = 900
    drain_seconds: float = 60
    max_calls: int = 256
    workers: int = 0
    cache_bytes: int = 0
    weights: str = ""
    memory: str = ""
    private: bool = False
    path_mapping: tuple[PathMapping, ...] = ()
    limits: Limits = field(default_factory=Limits)
    identities: Mapping[str, IdentitySettings] = field(default_factory=dict)


# -- paths and addresses ------------------------------------------------------------------------------------------


def map_path(rules: Sequence[PathMapping], path: str) -> str:
    """Where a path of a client lies here, by the rule with the longest source; unchanged where no rule fits."""
    for rule in sorted(rules, key=lambda rule: -len(source_of(rule).parts)):
        source = source_of(rule)
        given = type(source)(path)
        if given.is_relative_to(source):
            return str(PurePosixPath(rule.destination_path, *given.parts[len(source.parts) :]))
    return path


def source_of(rule: PathMapping) -> PurePath:
    """The folder of the clients that a rule maps."""
    if rule.source_path_format == "POSIX":
        return PurePosixPath(rule.source_path)
    # People write Z: for the whole drive, which strictly is wherever one happens to be on it.
    return PureWindowsPath(rule.source_path + "\\" if rule.source_path.endswith(":") else rule.source_path)


def split_address(address: str) -> tuple[str, int]:
    """Host, without the brackets of IPv6, and port of a checked HOST:PORT."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def is_loopback(address: str) -> bool:
    """True where only this machine can reach an address."""
    if address.startswith("unix:"):
        return True
    host, _ = split_address(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which may lead anywhere
        return False


def check_exposure(settings: ServerSettings) -> None:
    """Raise ServerError where the server could be reached from other machines without named tokens and TLS."""
    if settings.insecure:
        return
    for name, address in (("address", settings.address), ("metrics_address", settings.metrics_address)):
        if not address or is_loopback(address):
            continue
        lacking = [
            text
            for text, there in (
                ("a token file (--token-file)", settings.token_file),
                ("TLS (--tls-cert and --tls-key)", settings.tls_cert and settings.tls_key),
            )
            if not there
        ]
        if lacking:
            raise ServerError(
                f"The {name} {address} can be reached from other machines, which needs {' and '.join(lacking)}; give "
                "that, listen on 127.0.0.1, or say --insecure on a network where nobody else is.",
                "server.start",
            )
