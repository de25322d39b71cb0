"""What this user submitted: one small JSON file for each job, from which its state is asked for later.

A copy lies with the job's bundle, so that others who see that folder, such as a wrangler, can ask as well.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from void_plugin.config import state_folder
from void_plugin.errors import FarmError
from void_plugin.farm.bundle import Bundle
from void_plugin.farm.jobs import JobRef
from void_plugin.localfiles import replace_whole

RECORD_VERSION = 1
COPY = "submitted.json"
"""The record of a job in the folder of its bundle."""
_BELOW = ("", "farm/*", ".void/*/farm/*", "*/.void/*/farm/*", "*/*/.void/*/farm/*")
"""Where bundles lie below a folder that is one, a job folder, a folder of results, or a version of a node."""


@dataclass(frozen=True)
class Record:
    """One job that was submitted from here."""

    ref: JobRef
    name: str
    shot: str
    job_folder: str
    bundle: str
    """Folder of the bundle."""
    submitted: float = 0.0
    """Seconds since 1970."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the backend wants to find again; plain JSON values."""


class Records:
    """The jobs of one farm, in `<state>/farm/<farm>/`."""

    def __init__(self, environment: Mapping[str, str], farm: str) -> None:
        self.farm = farm
        self.folder = Path(state_folder(environment)) / "farm" / farm

    def add(self, job_id: str, bundle: Bundle, facts: Mapping[str, Any]) -> JobRef:
        """Keep a job that has just been submitted. Raises FarmError where that cannot be written."""
        ref = JobRef(self.farm, job_id)
        record = Record(ref, bundle.name, bundle.shot, bundle.job_folder, bundle.folder, time.time(), facts)
        self.save(record)
        _write(record, Path(bundle.folder) / COPY)
        return ref

    def adopt(self, record: Record) -> None:
        """Keep a job that somebody else submitted, or this user from elsewhere. Raises as `save` does."""
        if not self._path(record.ref).is_file():
            self.save(record)

    def save(self, record: Record) -> None:
        """Replace what is kept of a job, in one step. Raises FarmError where that cannot be written."""
        _write(record, self._path(record.ref))

    def find(self, ref: JobRef) -> Record:
        """What is kept of a job. Raises FarmError where nothing is."""
        path = self._path(ref)
        if not path.is_file():
            raise FarmError(
                f"The job {ref} was not submitted by this user on this machine; `void farm status` lists those that "
                "were. Of another's job, name the folder of its results once.",
                "farm.job_unknown",
            )
        return _read(path)

    def all(self) -> list[Record]:
        """All jobs, oldest first. Raises FarmError for one that cannot be read."""
        paths = self.folder.glob("[!.]*.json") if self.folder.is_dir() else ()
        return sorted(map(_read, paths), key=lambda record: record.submitted)

    def _path(self, ref: JobRef) -> Path:
        return self.folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', ref.id)}.json"


def records_below(folder: str) -> list[Record]:
    """The newest job of each job folder in a folder, whoever submitted it, with its folders as they lie here.

    The oldest comes first. Raises FarmError where there is none, or one cannot be read.
    """
    copies = [path for below in _BELOW for path in Path(folder).absolute().glob(f"{below}/{COPY}".lstrip("/"))]
    found = [replace(_read(path), bundle=str(path.parent), job_folder=str(path.parents[2])) for path in copies]
    newest = {record.job_folder: record for record in sorted(found, key=lambda record: record.submitted)}
    if not newest:
        raise FarmError(
            f"No job was submitted for {folder}; name a folder of results, a version, or a job such as slurm:1234.",
            "farm.job_unknown",
        )
    return list(newest.values())


def _write(record: Record, path: Path) -> None:
    data = {**asdict(record), "ref": str(record.ref), "version": RECORD_VERSION}
    try:
        replace_whole(path, json.dumps(data, indent=1, sort_keys=True))
    except OSError as error:
        raise FarmError(
            f"The job {record.ref} was submitted, but {path.parent} cannot be written ({error.strerror or error}); "
            "write its name down."
        ) from error


def _read(path: Path) -> Record:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = data.pop("version")
        if version == RECORD_VERSION:
            return Record(**{**data, "ref": JobRef.parse(data["ref"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FarmError(f"{path} cannot be read ({error!r}); delete it.", "farm.job_unknown") from error
    raise FarmError(f"{path} has version {version!r}, not {RECORD_VERSION}; update void_plugin.", "farm.job_unknown")
