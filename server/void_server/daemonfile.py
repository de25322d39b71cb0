"""What a daemon is told, and what it leaves for those who look for it: a connection file, a folder with a socket."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from void_plugin import __version__
from void_plugin.errors import ServerError
from void_server.processes import lives, started_at, this_machine

SCHEMA = 1
PREFIX = "void-daemon-"
LONGEST_SOCKET_PATH = 107
"""Bytes that Linux takes."""
YOUNG_SECONDS = 10.0
"""A folder of this age may still be one that is just being made."""


@dataclass(frozen=True)
class DaemonSettings:
    """What a daemon is told."""

    connection: str
    """Absolute path of the file that says where it is."""
    log: str
    owner: int = 0
    """Process with which it ends; 0 is none."""
    engine: str = ""
    """Name of the engine that must be able to run; empty checks none."""
    vram_mib: int = 0
    """Memory that the GPU must have; 0 takes any device."""
    idle_seconds: float = 1800.0
    start_seconds: float = 600.0

    @classmethod
    def from_json(cls, text: str) -> DaemonSettings:
        """The settings behind `to_json`."""
        return cls(**json.loads(text))

    def to_json(self) -> str:
        """One line."""
        return json.dumps(vars(self))


@dataclass(frozen=True)
class Connection:
    """Where a daemon is, as its connection file says."""

    socket: str
    pid: int
    started: int
    machine: str
    device: str
    gpu: str
    """Name for CUDA_VISIBLE_DEVICES of the GPU that it keeps; empty where it keeps none."""
    owner: int
    """Process with which it ends; 0 is none."""
    log: str
    version: str = __version__

    @classmethod
    def of(cls, settings: DaemonSettings, socket: str, device: str, gpu: str) -> Connection:
        """That of this process."""
        pid = os.getpid()
        return cls(socket, pid, started_at(pid), this_machine(), device, gpu, settings.owner, settings.log)

    @property
    def is_alive(self) -> bool:
        """True while the daemon runs, on this machine."""
        return self.machine == this_machine() and lives(self.pid, self.started)

    def write(self, path: str) -> None:
        """Write the file in one step. Raises ServerError where that is not possible."""
        try:
            handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".", suffix=".tmp")
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump({"schema": SCHEMA, **asdict(self)}, stream)
            os.replace(temporary, path)
        except OSError as error:
            raise ServerError(f"{path} cannot be written ({error.strerror or error}).", "server.unwritable") from error


def read_connection(path: str) -> Connection | None:
    """What a connection file says; None where there is no daemon's. Raises ServerError for a file of another kind."""
    try:
        data = json.loads(Path(path).read_text("utf-8"))
        if data.pop("schema") != SCHEMA:
            raise ValueError("it is of another version")
        return Connection(**data)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ServerError(f"{path} is no file of a daemon ({error}); name another one.", "server.start") from error


class SocketFolder:
    """A folder of this user alone, in which a daemon has its socket; held for as long as the daemon lives."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix=PREFIX, dir=_base())
        self._lock = os.open(os.path.join(self.path, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    @property
    def socket(self) -> str:
        return os.path.join(self.path, "s")

    def remove(self) -> None:
        """Remove it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def remove_folder(known: Connection) -> None:
    """Remove the socket's folder of a daemon that is gone."""
    folder = os.path.dirname(known.socket)
    if os.path.basename(folder).startswith(PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders of daemons of this user that were killed."""
    for folder in Path(_base()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, or removed by another sweep
            state = folder.stat()
            if state.st_uid != os.geteuid() or time.time() - state.st_mtime < YOUNG_SECONDS:
                continue
            if not _is_held(folder / "lock"):
                shutil.rmtree(folder)


def _is_held(lock: Path) -> bool:
    try:
        with open(lock, "rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _base() -> str:
    """Where sockets lie: local storage, and a path short enough for a socket."""
    folder = tempfile.gettempdir()
    # mkdtemp adds eight characters.
    return folder if len(os.fsencode(f"{folder}/{PREFIX}01234567/s")) <= LONGEST_SOCKET_PATH else "/tmp"
