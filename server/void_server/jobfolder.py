"""A job's folder on disk: the request, the plan, finished units, finished frames, events and the result.

Files appear whole or not at all: everything is written to a temporary name and renamed. A unit or frame is
finished when its manifest is there, so starting again resumes.

A server works for others, whose storage may change under it. There a job folder is held by handle, and nothing below
it is reached through a symbolic link: every file is opened by the functions of this module.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from void_plugin.errors import RequestError, ServerError
from void_server.beneath import Roots, folder_of, held, open_file_in, told


class JobFolder:
    """Paths and atomic files below one job folder; `path` is its name for people."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._base = self.path
        self._handle: int | None = None

    @classmethod
    def opened(cls, path: str | Path, roots: Sequence[str] | None) -> JobFolder:
        """A job folder below some folders, made where it is missing and held until `close`; None allows any place.

        Raises RequestError where it lies outside, ServerError where it cannot be made.
        """
        folder = cls(path)
        if roots is not None:
            try:
                folder._handle = Roots(roots).open_folder(str(path), create=True)
            except OSError as error:
                raise _folder_error(str(path), error) from error
            folder._base = Path(held(folder._handle))
        return folder

    def close(self) -> None:
        """Let go of the folder; its paths are of no use afterwards."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> JobFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def request(self) -> Path:
        return self._base / "request.json"

    @property
    def plan(self) -> Path:
        return self._base / "plan.json"

    @property
    def events(self) -> Path:
        return self._base / "events.jsonl"

    @property
    def result(self) -> Path:
        return self._base / "result.json"

    @property
    def analysis(self) -> Path:
        """Folder of the engine's shot-wide estimates."""
        return self._base / "analysis"

    def unit(self, key: str) -> Path:
        """Folder of one unit's fills."""
        return self._base / "units" / key

    def unit_manifest(self, key: str) -> Path:
        """Commits a unit."""
        return self.unit(key) / "manifest.json"

    def checkpoint(self, key: str) -> Path:
        """Arrays from which a half-done unit goes on."""
        return self._base / "shelf" / f"{key}.checkpoint.npz"

    def left(self, key: str) -> Path:
        """Arrays that the unit which follows this one begins with."""
        return self._base / "shelf" / f"{key}.left.npz"

    def frame_manifest(self, kind: str, frame: int) -> Path:
        """Commits one output frame."""
        return self._base / "frames" / f"{kind}.{frame}.json"

    def create(self) -> None:
        """Make the folder. Raises ServerError where that is not allowed."""
        make_folder(self._base)


def make_folder(path: Path) -> None:
    """Make a folder and its parents; ServerError where that is not allowed."""
    try:
        with folder_of(f"{path}/.", create=True):
            pass
    except OSError as error:
        raise _folder_error(told(str(path)), error) from error


def _folder_error(path: str, error: OSError) -> ServerError:
    return ServerError(
        f"Cannot create the folder {path}: {error.strerror or error}. Choose another output folder.",
        "server.unwritable",
    )


def remove_folder(path: Path) -> None:
    """Remove a folder and all that is in it, where it is there; ServerError where that is not allowed."""
    try:
        with folder_of(str(path)) as (folder, name):
            shutil.rmtree(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ServerError(
            f"Cannot remove the folder {told(str(path))}: {error.strerror or error}. Remove it by hand.",
            "server.unwritable",
        ) from error


def remove_file(path: Path) -> None:
    """Remove a file of the job where it is there."""
    with suppress(FileNotFoundError), folder_of(str(path)) as (folder, name):
        os.unlink(name, dir_fd=folder)


def open_file(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a file of the job, as `os.open` gives it."""
    with folder_of(str(path), create=bool(flags & os.O_CREAT)) as (folder, name):
        return open_file_in(folder, name, flags)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A stream for the new content of a file, which takes its place in one step when the block ends well."""
    with folder_of(str(path), create=True) as (folder, name):
        head, tail = os.path.split(name)
        temporary = os.path.join(head, f".{tail}.{threading.get_native_id()}.{os.getpid()}.tmp")
        with suppress(FileNotFoundError):  # of a killed run whose numbers came round again
            os.unlink(temporary, dir_fd=folder)
        try:
            with os.fdopen(open_file_in(folder, temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)


def write_text(path: Path, text: str) -> None:
    """Replace a text file in one step. Raises ServerError with the figure where the disk is full."""
    data = text.encode("utf-8")
    try:
        with replacing(path) as stream:
            stream.write(data)
    except OSError as error:
        raise write_error(str(path), len(data), error.errno == errno.ENOSPC, error.strerror or str(error)) from error


def write_error(path: str, size: int, full: bool, reason: str) -> ServerError:
    """The error for a file of up to `size` bytes that could not be written; says so with figures on a full disk."""
    path = told(path)
    folder = os.path.dirname(path) or "."
    there = os.path.isdir(folder)
    free = shutil.disk_usage(folder).free if there else 0
    if full or (there and free < size):
        return ServerError(
            f"The disk is full: writing {path} needs up to {size / 1e6:.1f} MB and {free / 1e6:.1f} MB are free. "
            "Free some space and run again; finished frames are kept.",
            "server.disk_full",
        )
    return ServerError(f"Cannot write {path}: {reason}. Choose another output folder.", "server.unwritable")


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file in one step; canonical, so equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file of the job. Raises RequestError where it is missing or broken."""
    try:
        with os.fdopen(open_file(path), encoding="utf-8") as stream:
            return json.load(stream)
    except FileNotFoundError as error:
        raise RequestError(f"{told(str(path))} is not there; run the step before this one.", "request.plan") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RequestError(
            f"{told(str(path))} cannot be read: {reason}. Delete it and run again.", "request.plan"
        ) from error
