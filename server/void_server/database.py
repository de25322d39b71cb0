"""The job database on disk: one SQLite file in the state folder, which one server locks for itself.

The write-ahead log needs memory that all its users share, so a state folder on network storage is refused, and every
commit reaches the disk before it counts.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from pathlib import Path

from void_plugin.errors import ServerError
from void_server.beneath import network_filesystem

FILE_NAME = "jobs.sqlite"
"""Name of the database in the state folder."""
SCHEMA_VERSION = 1
"""Layout of the tables, kept in SQLite's user_version."""

TABLES = """
CREATE TABLE jobs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    request_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    namespace TEXT NOT NULL,
    kind TEXT NOT NULL,
    engine TEXT NOT NULL,
    reason TEXT NOT NULL,
    priority INTEGER NOT NULL,
    shot TEXT NOT NULL,
    frames TEXT NOT NULL,
    frame_count INTEGER NOT NULL,
    folder TEXT NOT NULL,
    work TEXT NOT NULL,
    roots TEXT,
    max_pixels INTEGER NOT NULL,
    uploads INTEGER NOT NULL,
    state TEXT NOT NULL,
    submitted_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    error_code TEXT NOT NULL DEFAULT '',
    error_text TEXT NOT NULL DEFAULT '',
    fraction REAL NOT NULL DEFAULT 0,
    last_event INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    busy_seconds REAL NOT NULL DEFAULT 0,
    begun_at REAL,
    class INTEGER NOT NULL,
    front INTEGER NOT NULL DEFAULT 0,
    retired INTEGER NOT NULL DEFAULT 0,
    UNIQUE (owner, request_id)
);
CREATE INDEX jobs_by_turn ON jobs (state, class DESC, front DESC, sequence);
CREATE INDEX jobs_by_owner ON jobs (owner, sequence);
CREATE INDEX jobs_of_owner_by_state ON jobs (owner, state, sequence);
CREATE INDEX jobs_by_engine ON jobs (engine, state, sequence);
CREATE INDEX jobs_by_end ON jobs (retired, ended_at);
CREATE INDEX jobs_by_work ON jobs (work) WHERE work != '';
CREATE TABLE contents (
    sequence INTEGER PRIMARY KEY REFERENCES jobs (sequence) ON DELETE CASCADE,
    request TEXT NOT NULL,
    submitted TEXT NOT NULL,
    digests TEXT
);
CREATE TABLE events (
    sequence INTEGER NOT NULL REFERENCES jobs (sequence) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (sequence, number)
) WITHOUT ROWID;
CREATE TABLE inputs (
    sequence INTEGER NOT NULL REFERENCES jobs (sequence) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (sequence, sha256)
) WITHOUT ROWID;
CREATE TABLE results (
    sequence INTEGER NOT NULL REFERENCES jobs (sequence) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (sequence, sha256)
) WITHOUT ROWID;
CREATE INDEX results_by_digest ON results (sha256);
"""
# `contents` is apart from `jobs` because a request can list ten thousand files, and pages of jobs never need it.


class StateLock:
    """Keeps a state folder for this process until it is closed or the process ends in whatever way."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        """Let other servers use the folder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def lock_state(folder: Path) -> StateLock:
    """Take a state folder, made where it is missing. Raises ServerError where another server has it."""
    path = folder / "lock"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(folder, error.strerror or str(error)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
        os.close(descriptor)
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise unusable(folder, f"it cannot be locked ({error.strerror or error})") from error
        raise ServerError(
            f"The state folder {folder} is in use by another server (pid {holder or 'unknown'}); stop that one or name "
            "another folder with --state.",
            "server.start",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return StateLock(descriptor)


def open_database(folder: Path, mounts: str | None = None) -> sqlite3.Connection:
    """The database of a state folder, made where it is missing; one connection for all threads of a server.

    `mounts` is the text of /proc/self/mountinfo, read where it is not given. Raises ServerError where the folder lies
    on network storage, cannot be written, or holds a database of another version.
    """
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace") if mounts is None else mounts
    network = network_filesystem(str(folder), text)
    if network:
        raise ServerError(
            f"The state folder {folder} lies on network storage ({network}), where the job database can be damaged; "
            "name a folder on a disk of this machine with --state.",
            "server.start",
        )
    path = folder / FILE_NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made here for its mode: requests name the paths of a show.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise unusable(folder, getattr(error, "strerror", None) or str(error)) from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", 0) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise ServerError(
                f"The job database {path} is damaged ({error}); move it away to start with an empty queue.",
                "server.start",
            ) from error
        raise unusable(folder, str(error)) from error
    except ServerError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise unusable(path.parent, "SQLite cannot keep a write-ahead log there")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -256")  # KiB; the system keeps the file in memory anyway
    connection.execute(f"PRAGMA journal_size_limit = {64 << 20}")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA_VERSION:
        return
    if version:
        raise ServerError(
            f"The job database {path} has version {version}, but this void_plugin reads version {SCHEMA_VERSION}; "
            "install the version that wrote it, or name another folder with --state.",
            "server.start",
        )
    connection.executescript(f"BEGIN IMMEDIATE;\n{TABLES}\nPRAGMA user_version = {SCHEMA_VERSION};\nCOMMIT;")


def unusable(folder: Path, reason: str) -> ServerError:
    """The error for a state folder that cannot be used."""
    return ServerError(
        f"The state folder {folder} cannot be used: {reason}. Make it writable or name another one with --state.",
        "server.start",
    )


def storage_error(error: sqlite3.Error) -> ServerError:
    """What a failed read or write of the database means to a caller."""
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
        return ServerError(
            "The disk of the server's state folder is full; free some space there and try again.", "server.disk_full"
        )
    return ServerError(
        f"The server cannot use its job database ({error}); whoever runs it should look at the state folder.",
        "server.internal",
    )
