"""What the queue knows of a job: the states, the priorities, and the values it takes and gives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED = "queued", "running", "succeeded", "failed", "cancelled"
STATES = (QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED)
"""Every state a job can be in."""
LIVE = (QUEUED, RUNNING)
"""States of jobs that have not ended."""
ENDED = (SUCCEEDED, FAILED, CANCELLED)
"""States that never change again."""

LOW, NORMAL, HIGH = 0, 1, 2

REMOVE, PREVIEW = "remove", "preview"
"""What a job makes."""


def priority_class(priority: int) -> int:
    """HIGH, NORMAL or LOW for a priority of 0 to 100."""
    if priority >= 67:
        return HIGH
    return LOW if priority <= 33 else NORMAL


@dataclass(frozen=True)
class NewJob:
    """A job as it is put into the queue."""

    request_id: str
    owner: str
    namespace: str
    """Where its uploaded files and results lie in the store."""
    kind: str
    """`remove` or `preview`."""
    engine: str
    """Name of the engine that will run; `auto` leaves it to the worker."""
    reason: str
    """Why this engine, where the request said `auto`."""
    priority: int
    shot: str
    frames: str
    frame_count: int
    request: str
    """request.json as the worker gets it."""
    submitted: str
    """Canonical text of what the client sent: tells a repeated submit from a different request."""
    digests: Mapping[str, Mapping[str, str]] | None
    """SHA-256 by input and frame number of what was uploaded; None in path mode."""
    folder: str
    """The job folder: jobs with the same one never run at the same time."""
    work: str
    """The server's own folder of this job, removed with it; empty in path mode."""
    roots: tuple[str, ...] | None
    """Folders below which the worker may read and write; None for the server's own folder."""
    max_pixels: int
    """Most pixels of one frame."""


@dataclass(frozen=True)
class JobRow:
    """A job as it stands, without its request and lists of files (`JobQueue.content` has them)."""

    request_id: str
    owner: str
    namespace: str
    kind: str
    engine: str
    reason: str
    priority: int
    shot: str
    frames: str
    frame_count: int
    folder: str
    work: str
    roots: tuple[str, ...] | None
    max_pixels: int
    uploads: bool
    """True where the files were uploaded and results are downloaded."""
    job_id: str
    sequence: int
    """Counts all jobs in the order in which they came."""
    state: str
    submitted_at: float
    """Seconds since 1970, as all times here."""
    started_at: float | None
    ended_at: float | None
    attempts: int
    """Times a worker began with it, without those that a stop of the server ended."""
    error_code: str
    error_text: str
    fraction: float
    last_event: int
    cancel_requested: bool
    busy_seconds: float
    """Seconds that workers spent on it before the present attempt."""
    begun_at: float | None
    """When the present attempt began."""

    @property
    def ended(self) -> bool:
        """True where the state never changes again."""
        return self.state in ENDED


@dataclass(frozen=True)
class Content:
    """What a worker needs of a job and nobody else."""

    request: str
    digests: Mapping[str, Mapping[str, str]] | None


COLUMNS = tuple(item.name for item in fields(JobRow))
"""Columns of the table `jobs` in the order of `row_of`."""
FIRST_COLUMNS = tuple(item.name for item in fields(NewJob) if item.name in COLUMNS)
"""Columns that a new job brings itself."""


def row_of(values: Sequence[Any]) -> JobRow:
    """A job from the values of `COLUMNS`."""
    found = dict(zip(COLUMNS, values, strict=True))
    found["roots"] = None if found["roots"] is None else tuple(json.loads(found["roots"]))
    found["uploads"], found["cancel_requested"] = bool(found["uploads"]), bool(found["cancel_requested"])
    return JobRow(**found)


def first_values(new: NewJob) -> dict[str, Any]:
    """A new job's own columns, as the database holds them."""
    values = {name: getattr(new, name) for name in FIRST_COLUMNS}
    values["roots"] = None if new.roots is None else json.dumps(list(new.roots))
    values["uploads"], values["class"] = new.digests is not None, priority_class(new.priority)
    return values
