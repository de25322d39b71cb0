"""What this user's client remembers of each job that it gave to a server: its request, and the version it is for.

A server tells how a job stands, but neither where its results lie on this machine nor what would have to be sent to
run it again. It lies in the user's own state folder, like the attachments.
"""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from void_plugin.errors import JobError, VoidError
from void_plugin.localfiles import write_whole
from void_plugin.request import RemovalRequest

SCHEMA = 1
"""Version of what is remembered; another is not read."""
KEEP_SECONDS = 30 * 86400
"""Longer than servers list their jobs."""
JOB = "job.json"
"""Name of the file by which a version folder is known."""
LEVELS = 3
"""How far above its frames a version folder may be: `v004/patch/left/name.1001.exr`."""


@dataclass(frozen=True)
class Noted:
    """One job that was given to a server."""

    job_id: str
    address: str
    kind: str
    request: RemovalRequest
    version: str = ""
    """The version folder that it is for; empty for a request that somebody has typed or saved."""

    @property
    def folder(self) -> str:
        """Where its results lie, or will lie."""
        return self.version or Path(self.request.output_sequence(self.request.outputs[0]).pattern).parent.as_posix()


class JobBook:
    """The jobs of one user, in `<state>/jobs/`."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "jobs"
        self._known: dict[str, Noted] = {}

    def note(self, job_id: str, address: str, kind: str, request: RemovalRequest) -> None:
        """Remember a job that a server has taken. Raises ServerError where that cannot be written."""
        data = {
            "schema": SCHEMA,
            "job_id": job_id,
            "address": address,
            "kind": kind,
            "request": request.to_dict(),
            "version": version_of(request),
        }
        write_whole(self._path(job_id), json.dumps(data, indent=1, sort_keys=True) + "\n")
        self._forget_old()

    def find(self, job_id: str) -> Noted | None:
        """What is remembered of a job; None where that is nothing that can be used."""
        if job_id not in self._known:  # what was written once never changes
            found = self._read(job_id)
            if found is None:
                return None
            self._known[job_id] = found
        return self._known[job_id]

    def needed(self, job_id: str) -> Noted:
        """The same for a job that is to be run again. Raises JobError where nothing is remembered."""
        found = self.find(job_id)
        if found is None:
            raise JobError(
                f"The job {job_id} was not submitted by this user on this machine, so its request is not known here; "
                "run it again where it was submitted.",
                "job.unknown",
            )
        return found

    def _read(self, job_id: str) -> Noted | None:
        try:
            data = json.loads(self._path(job_id).read_text(encoding="utf-8"))
            if data["schema"] != SCHEMA:
                return None
            request = RemovalRequest.from_json(json.dumps(data["request"]), job_id)
            return Noted(data["job_id"], data["address"], data["kind"], request, data["version"])
        except (OSError, ValueError, TypeError, KeyError, VoidError):  # another's, or of another version
            return None

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', job_id)}.json"

    def _forget_old(self) -> None:
        for path in self._folder.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):  # another client of this user was here first
                if path.stat().st_mtime < time.time() - KEEP_SECONDS:
                    path.unlink()


def version_of(request: RemovalRequest) -> str:
    """The version folder into which a request writes; empty where it writes into none."""
    for folder in _above(request):
        if (folder / JOB).is_file():
            return folder.as_posix()
    return ""


def _above(request: RemovalRequest) -> Iterator[Path]:
    path = Path(request.output_sequence(request.outputs[0]).pattern).absolute()
    yield from list(path.parents)[:LEVELS]
