"""The durable queue of jobs: which state follows which, whose turn it is, safe through any crash of the server.

Whatever a method has returned is on disk, so a server killed at any moment goes on from there.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

from void_plugin.errors import JobError, RequestError, ServerError
from void_plugin.events import Failed, Finished, Queued, Stopped
from void_plugin.frames import Digest
from void_server import estimates
from void_server.jobrows import (
    CANCELLED,
    FAILED,
    LIVE,
    PREVIEW,
    QUEUED,
    RUNNING,
    SUCCEEDED,
    JobRow,
    NewJob,
    first_values,
)
from void_server.jobtable import JobTable

__all__ = ["CANCELLED", "FAILED", "QUEUED", "RUNNING", "SUCCEEDED", "JobQueue", "JobRow", "NewJob"]


class JobQueue(JobTable):
    """All jobs of one server. Opening it puts back into the queue what a killed server had running."""

    def __init__(self, folder: Path, max_queued: int = 1000, clock: Callable[[], float] = time.time) -> None:
        super().__init__(folder, clock)
        self._max_queued = max_queued
        self._work = threading.Condition(self._lock)
        self._version = 0
        with self._lock:
            for row in self._rows("WHERE state = ?", RUNNING):
                self.requeue(row.job_id)

    # -- clients ---------------------------------------------------------------------------------------------

    def submit(self, new: NewJob, max_jobs: int) -> tuple[JobRow, bool]:
        """Queue a job, or find the one that an equal submit made before; True where it is new.

        Raises RequestError where the request_id belongs to another request, ServerError where the queue is full or
        the owner has `max_jobs` jobs that have not ended.
        """
        submitted = Digest.of_text(new.submitted).sha256
        with self._write() as database:
            row = self._row("WHERE owner = ? AND request_id = ?", new.owner, new.request_id)
            if row is not None:
                known = database.execute("SELECT submitted FROM contents WHERE sequence = ?", (row.sequence,))
                if known.fetchone()[0] != submitted:
                    raise RequestError(
                        f"The request_id {new.request_id} belongs to another request (job {row.job_id}); choose a new "
                        "one.",
                        "request.id",
                    )
                return row, False
            self._refuse_too_many(new.owner, max_jobs)
            values = first_values(new)
            values.update(job_id=secrets.token_hex(16), state=QUEUED, submitted_at=self._clock())
            names = ", ".join(values)
            marks = ", ".join(f":{name}" for name in values)
            sequence = database.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", values).lastrowid
            digests = None if new.digests is None else json.dumps({k: dict(v) for k, v in new.digests.items()})
            database.execute("INSERT INTO contents VALUES (?, ?, ?, ?)", (sequence, new.request, submitted, digests))
            files = {sha256 for frames in (new.digests or {}).values() for sha256 in frames.values()}
            database.executemany("INSERT INTO inputs VALUES (?, ?)", [(sequence, sha256) for sha256 in files])
            self._tell_queued(values["job_id"])
            self._wake()
            return self._known(values["job_id"]), True

    def cancel(self, job_id: str) -> JobRow:
        """Ask a job to stop: a queued one ends at once, a running one soon, one that has ended stays as it is."""
        with self._write() as database:
            row = self._known(job_id)
            if row.state == QUEUED:
                self._end(row, Stopped())
            elif row.state == RUNNING and not row.cancel_requested:
                database.execute("UPDATE jobs SET cancel_requested = 1 WHERE sequence = ?", (row.sequence,))
                self._wake()
            return self._known(job_id)

    def delete(self, job_id: str) -> frozenset[str]:
        """Forget a job that has ended, and give the SHA-256 of results that no other job needs.

        Raises JobError where it has not ended.
        """
        with self._write() as database:
            row = self._known(job_id)
            if not row.ended:
                raise JobError(f"The job {job_id} is {row.state}; cancel it before you delete it.", "job.not_ended")
            left = self._left_alone(row)
            database.execute("DELETE FROM jobs WHERE sequence = ?", (row.sequence,))
            return left

    # -- workers ---------------------------------------------------------------------------------------------

    def take(self, engines: Collection[str]) -> JobRow | None:
        """The next job that these engines can run, now running; None where there is none.

        The highest class of priority first, first in first out within one, never two of one folder.
        """
        names = list(engines)
        with self._write() as database:
            row = self._row(
                f"WHERE state = ? AND (kind = ? OR engine = 'auto' OR engine IN ({', '.join('?' * len(names))})) "
                "AND folder NOT IN (SELECT folder FROM jobs WHERE state = ?) "
                "ORDER BY class DESC, front DESC, sequence LIMIT 1",
                *(QUEUED, PREVIEW, *names, RUNNING),
            )
            if row is None:
                return None
            now = self._clock()
            database.execute(
                "UPDATE jobs SET state = ?, started_at = COALESCE(started_at, ?), begun_at = ?, "
                "attempts = attempts + 1 WHERE sequence = ?",
                (RUNNING, now, now, row.sequence),
            )
            self._tell_watchers(row.job_id)
            return self._known(row.job_id)

    def requeue(self, job_id: str) -> JobRow:
        """Put back a job that stopped through no fault of its own; one that was to be cancelled ends."""
        return self._put_back(job_id, "attempts = attempts - 1")

    def retry(self, job_id: str) -> JobRow:
        """Put back a job whose worker died, before all others of its priority."""
        return self._put_back(job_id, "front = 1")

    def finish(self, job_id: str, last: Finished | Failed | Stopped) -> JobRow:
        """End a job with its last event; a job that has ended stays as it is."""
        with self._write():
            row = self._known(job_id)
            return row if row.ended else self._end(row, last)

    def wait_for_work(self, seen: int, timeout: float) -> int:
        """Wait until something changed that a device should look at; a number to give back as `seen`."""
        with self._lock:
            if self._version == seen:
                self._work.wait(timeout)
            return self._version

    def stop_waiting(self) -> None:
        """Let whoever waits for work look at once, as if something had changed."""
        with self._lock:
            self._wake()

    def retire(self, job_id: str) -> frozenset[str]:
        """Forget the results of a job that has ended, and give the SHA-256 of those that no other job needs."""
        with self._write() as database:
            row = self._known(job_id)
            if not row.ended:
                raise JobError(f"The job {job_id} is {row.state}; its results are still needed.", "job.not_ended")
            left = self._left_alone(row)
            database.execute("DELETE FROM results WHERE sequence = ?", (row.sequence,))
            database.execute("DELETE FROM events WHERE sequence = ? AND kind = 'Progressed'", (row.sequence,))
            database.execute("UPDATE jobs SET retired = 1 WHERE sequence = ?", (row.sequence,))
            return left

    # -- inside the lock -------------------------------------------------------------------------------------

    def _refuse_too_many(self, owner: str, max_jobs: int) -> None:
        live, queued = self._database.execute(
            "SELECT (SELECT COUNT(*) FROM jobs WHERE owner = ? AND state IN (?, ?)), "
            "(SELECT COUNT(*) FROM jobs WHERE state = ?)",
            (owner, *LIVE, QUEUED),
        ).fetchone()
        if live >= max_jobs:
            raise ServerError(
                f"{live} jobs of {owner} are queued or running, and {max_jobs} are allowed; wait for some to end or "
                "cancel them.",
                "server.limit",
            )
        if queued >= self._max_queued:
            raise ServerError(
                f"The queue is full: {queued} jobs wait, and {self._max_queued} may; try again later.", "server.busy"
            )

    def _tell_queued(self, job_id: str) -> None:
        row, now = self._known(job_id), self._clock()
        place, seconds = estimates.position(self._database, row), estimates.eta(self._database, row, now)
        self._append(row, Queued(position=place, eta_seconds=round(seconds, 1)))

    def _put_back(self, job_id: str, change: str) -> JobRow:
        with self._write() as database:
            row = self._known(job_id)
            if row.state != RUNNING:
                return row
            if row.cancel_requested:
                return self._end(row, Stopped())
            database.execute(
                f"UPDATE jobs SET state = ?, busy_seconds = ?, begun_at = NULL, {change} WHERE sequence = ?",
                (QUEUED, self._spent(row), row.sequence),
            )
            self._tell_queued(job_id)
            self._wake()
            return self._known(job_id)

    def _end(self, row: JobRow, last: Finished | Failed | Stopped) -> JobRow:
        self._append(row, last)
        state = SUCCEEDED if isinstance(last, Finished) else FAILED if isinstance(last, Failed) else CANCELLED
        code, text = (last.code, last.text) if isinstance(last, Failed) else ("", "")
        self._database.execute(
            "UPDATE jobs SET state = ?, ended_at = ?, busy_seconds = ?, begun_at = NULL, error_code = ?, "
            "error_text = ?, fraction = ? WHERE sequence = ?",
            (
                *(state, self._clock(), self._spent(row), code, text),
                *(1.0 if state == SUCCEEDED else row.fraction, row.sequence),
            ),
        )
        self._database.execute("DELETE FROM inputs WHERE sequence = ?", (row.sequence,))
        self._database.execute("UPDATE contents SET digests = NULL WHERE sequence = ?", (row.sequence,))
        self._wake()
        return self._known(row.job_id)

    def _spent(self, row: JobRow) -> float:
        return row.busy_seconds + (max(0.0, self._clock() - row.begun_at) if row.begun_at is not None else 0.0)

    def _wake(self) -> None:
        self._version += 1
        self._work.notify_all()
