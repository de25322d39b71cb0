"""A job's folder on disk: the request, the plan, finished units, finished frames, events and the result.

Files appear whole or not at all: everything is written to a temporary name and renamed. A unit or frame is
finished when its manifest is there, so starting again resumes.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

from void_plugin.errors import RequestError, ServerError


class JobFolder:
    """Paths and atomic files below one job folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def request(self) -> Path:
        return self.path / "request.json"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @property
    def analysis(self) -> Path:
        """Folder of the engine's shot-wide estimates."""
        return self.path / "analysis"

    def unit(self, key: str) -> Path:
        """Folder of one unit's fills."""
        return self.path / "units" / key

    def unit_manifest(self, key: str) -> Path:
        """Commits a unit."""
        return self.unit(key) / "manifest.json"

    def frame_manifest(self, kind: str, frame: int) -> Path:
        """Commits one output frame."""
        return self.path / "frames" / f"{kind}.{frame}.json"

    def create(self) -> None:
        """Make the folder. Raises ServerError where that is not allowed."""
        make_folder(self.path)


def make_folder(path: Path) -> None:
    """Make a folder and its parents; ServerError where that is not allowed."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServerError(
            f"Cannot create the folder {path}: {error.strerror or error}. Choose another output folder.",
            "server.unwritable",
        ) from error


def write_text(path: Path, text: str) -> None:
    """Replace a text file in one step. Raises ServerError with the figure where the disk is full."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise write_error(str(path), len(text), error.errno == errno.ENOSPC, error.strerror or str(error)) from error


def write_error(path: str, size: int, full: bool, reason: str) -> ServerError:
    """The error for a file of up to `size` bytes that could not be written; says so with figures on a full disk."""
    folder = os.path.dirname(path) or "."
    free = shutil.disk_usage(folder).free if os.path.isdir(folder) else 0
    if full or free < size:
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
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RequestError(f"{path} is not there; run the step before this one.", "request.plan") from error
    except (OSError, ValueError) as error:
        raise RequestError(f"{path} cannot be read: {error}. Delete it and run again.", "request.plan") from error
