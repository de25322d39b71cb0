"""One file on its way into the store: bytes in order, verified at the end; and the errors of a disk that is full."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from void_plugin.errors import FrameError, ServerError
from void_plugin.frames import Digest
from void_plugin.hashing import DigestBeside

MAGIC = b"\x76\x2f\x31\x01"
"""How every EXR begins."""


class FrameWriter:
    """One upload, into a new file at `path`; `keep` gives it its own name once it is verified."""

    def __init__(self, digest: Digest, path: Path, keep: Callable[[], None]) -> None:
        self._digest, self._path, self._keep = digest, path, keep
        self._hash = DigestBeside()
        self._head = b""
        self._written = 0

    def __enter__(self) -> FrameWriter:
        try:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise write_error(error, self._path.parent, self._digest.size) from error
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        self._hash.close()

    def write(self, offset: int, data: bytes) -> None:
        """Take the next bytes. Raises FrameError where they are not the next ones, too many, or not those of an EXR."""
        if offset != self._written:
            raise self._wrong(f"comes out of order: byte {offset} was sent where byte {self._written} is due")
        if offset + len(data) > self._digest.size:
            raise self._wrong(f"has more than the {self._digest.size} bytes that were announced")
        if offset < len(MAGIC):
            self._head += data[: len(MAGIC) - offset]
            if not MAGIC.startswith(self._head):
                raise self._wrong("is no EXR")
        self._hash.update(data)
        view, end = memoryview(data), offset
        try:
            while view:
                count = os.pwrite(self._descriptor, view, end)
                view, end = view[count:], end + count
        except OSError as error:
            raise write_error(error, self._path.parent, self._digest.size) from error
        self._written = end

    def commit(self) -> None:
        """Verify the file and keep it. Raises FrameError where it is not what was announced."""
        if self._written != self._digest.size:
            raise self._wrong(f"ended after {self._written} of {self._digest.size} bytes")
        if self._head != MAGIC:
            raise self._wrong("is no EXR")
        found = self._hash.hexdigest()
        if found != self._digest.sha256:
            raise self._wrong(f"has other bytes, with the SHA-256 {found}")
        try:
            self._keep()
        except OSError as error:
            raise write_error(error, self._path.parent, self._digest.size) from error

    def _wrong(self, what: str) -> FrameError:
        return FrameError(
            f"The upload of {self._digest.sha256} {what}; read the file again and upload it anew.", "frame.transfer"
        )


def link(source: Path, target: Path) -> None:
    """Give a file one more name, in place of whatever has it; a copy where file systems differ."""
    with suppress(FileExistsError):
        if _linked(source, target):
            return
    if target.exists() and target.samefile(source):
        return
    temporary = target.with_name(f".{target.name}.{threading.get_native_id()}.{os.getpid()}.tmp")
    try:
        if not _linked(source, temporary):
            shutil.copyfile(source, temporary)
            sync(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EMLINK, errno.EPERM):
            return False
        raise
    return True


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def figure(size: int) -> str:
    """A number of bytes as people read it."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.2f} MB"


def write_error(error: OSError, folder: Path, size: int) -> ServerError:
    """The error for a file that the system did not take."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(folder, size)
    return ServerError(
        f"The server cannot store a file of {figure(size)} in {folder}: {error.strerror or error}; tell whoever runs "
        "it.",
        "server.unwritable",
    )


def disk_full(folder: Path, size: int) -> ServerError:
    """The error for a file that has no room on the disk, with the figures."""
    return ServerError(
        f"The disk of the server is full: a file needs {figure(size)} and {figure(shutil.disk_usage(folder).free)} are "
        f"free in {folder}; ask whoever runs it for room, then try again.",
        "server.disk_full",
    )
