"""What the database holds of all jobs: their rows, their numbered events, and the files they need.

One connection behind one lock serves all threads; nothing about a job is kept in memory, except for those that wait
for its events. `jobs.JobQueue` builds on this and decides which state follows which.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from void_plugin.errors import JobError
from void_plugin.events import Event, Progressed, from_line, to_line
from void_server import estimates
from void_server.database import open_database, storage_error
from void_server.jobrows import COLUMNS, STATES, Content, JobRow, row_of

EXPIRED_AT_ONCE = 100
"""Jobs given at a time whose results may go."""

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM jobs"


class JobTable:
    """Reads and notes; whatever a method has returned is on disk."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = open_database(folder), clock
        self._lock = threading.RLock()
        self._watched: dict[str, _Watched] = {}

    def close(self) -> None:
        """Close the database; every later call fails."""
        with self._lock:
            self._database.close()

    # -- jobs ------------------------------------------------------------------------------------------------

    def get(self, job_id: str) -> JobRow:
        """A job as it stands. Raises JobError where there is none of that id."""
        with self._read():
            return self._known(job_id)

    def content(self, job_id: str) -> Content:
        """The request of a job and the digests of its files, which are forgotten when it ends."""
        with self._read() as database:
            row = self._known(job_id)
            request, digests = database.execute(
                "SELECT request, digests FROM contents WHERE sequence = ?", (row.sequence,)
            ).fetchone()
        return Content(request, None if digests is None else json.loads(digests))

    def page(
        self, owner: str | None, states: Collection[str] = (), before_sequence: int | None = None, size: int = 50
    ) -> list[JobRow]:
        """Jobs of one owner (None: of all), newest first; no states means all states."""
        where, values = ["sequence < ?"], [before_sequence if before_sequence is not None else 1 << 62]
        more: list[str] = []
        if owner is not None:
            where.append("owner = ?")
            more.append(owner)
        if states:
            where.append(f"state IN ({', '.join('?' * len(states))})")
            more.extend(states)
        with self._read():
            return self._rows(f"WHERE {' AND '.join(where)} ORDER BY sequence DESC LIMIT {int(size)}", *values, *more)

    def was_submitted(self, owner: str, request_id: str) -> bool:
        """True where a submit of this owner with this request_id made a job."""
        with self._read():
            return self._row("WHERE owner = ? AND request_id = ?", owner, request_id) is not None

    def position(self, job_id: str) -> int:
        """How many queued jobs will be taken before this one; 0 for a job that does not wait."""
        with self._read() as database:
            return estimates.position(database, self._known(job_id))

    def eta(self, job_id: str) -> float:
        """Seconds until a queued job starts or a running one ends; negative where unknown."""
        with self._read() as database:
            return estimates.eta(database, self._known(job_id), self._clock())

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        with self._read() as database:
            found = dict(database.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state").fetchall())
        return {state: int(found.get(state, 0)) for state in STATES}

    # -- events ----------------------------------------------------------------------------------------------

    def events(self, job_id: str, after: int, limit: int = 500) -> list[Event]:
        """Events with numbers above `after`, in order."""
        with self._read() as database:
            row = self._known(job_id)
            lines = database.execute(
                "SELECT line FROM events WHERE sequence = ? AND number > ? ORDER BY number LIMIT ?",
                (row.sequence, after, limit),
            ).fetchall()
        return [event for (line,) in lines if (event := from_line(line)) is not None]

    def append(self, job_id: str, event: Event) -> int:
        """Add an event to a job that has not ended and return its number."""
        with self._write():
            return self._append(self._known(job_id), event)

    def wait(self, job_id: str, after: int, timeout: float) -> bool:
        """Wait for an event above `after` or another state; False where neither came. An ended job is not waited for.

        Raises JobError where the job is deleted.
        """
        deadline = time.monotonic() + timeout
        with self._read():
            first = self._known(job_id)
            watched = self._watched.setdefault(job_id, _Watched(threading.Condition(self._lock)))
            watched.count += 1
            try:
                while True:
                    row = self._known(job_id)
                    if row.ended or row.last_event > after or row.state != first.state:
                        return True
                    left = deadline - time.monotonic()
                    if left <= 0 or not watched.condition.wait(left):
                        return False
            finally:
                watched.count -= 1
                if not watched.count:
                    self._watched.pop(job_id, None)

    # -- files -----------------------------------------------------------------------------------------------

    def pins(self) -> set[tuple[str, str]]:
        """Namespace and SHA-256 of every file that must stay: inputs of live jobs, results of jobs that are kept."""
        with self._read() as database:
            return {
                (namespace, sha256)
                for namespace, sha256 in database.execute(
                    "SELECT namespace, sha256 FROM inputs JOIN jobs USING (sequence) UNION ALL "
                    "SELECT namespace, sha256 FROM results JOIN jobs USING (sequence)"
                )
            }

    def add_results(self, job_id: str, sha256s: Iterable[str]) -> None:
        """Note files as results of a job; before they are stored, so that they are never without a job."""
        with self._write() as database:
            row = self._known(job_id)
            values = [(row.sequence, sha256) for sha256 in sha256s]
            database.executemany("INSERT OR IGNORE INTO results VALUES (?, ?)", values)

    def expired(self, before: float) -> list[JobRow]:
        """Some of the jobs that ended before a time and still have results."""
        with self._read():
            return self._rows("WHERE retired = 0 AND ended_at < ? ORDER BY ended_at LIMIT ?", before, EXPIRED_AT_ONCE)

    def uses_work(self, work: str) -> bool:
        """True where a job that has not ended, or whose results are kept, has this folder for its own."""
        with self._read():
            return self._row("WHERE work = ? AND work != '' AND retired = 0 LIMIT 1", work) is not None

    # -- inside the lock -------------------------------------------------------------------------------------

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error as error:
                raise storage_error(error) from error

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._read() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:  # SQLite itself rolls back where the disk is full
                    database.execute("ROLLBACK")
                raise

    def _rows(self, where: str, *values: str | int | float) -> list[JobRow]:
        return [row_of(found) for found in self._database.execute(f"{_SELECT} {where}", values)]

    def _row(self, where: str, *values: str | int | float) -> JobRow | None:
        return next(iter(self._rows(where, *values)), None)

    def _known(self, job_id: str) -> JobRow:
        row = self._row("WHERE job_id = ?", job_id)
        if row is None:
            raise JobError(f"There is no job {job_id}; it may have been deleted.", "job.unknown")
        return row

    def _append(self, row: JobRow, event: Event) -> int:
        if row.ended:
            raise JobError(f"The job {row.job_id} has ended; nothing can be added to its events.", "job.unknown")
        number = row.last_event + 1
        line = to_line(replace(event, job=row.job_id, number=number))
        kind = type(event).__name__
        self._database.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (row.sequence, number, kind, line))
        fraction = event.fraction if isinstance(event, Progressed) else row.fraction
        self._database.execute(
            "UPDATE jobs SET last_event = ?, fraction = ? WHERE sequence = ?", (number, fraction, row.sequence)
        )
        self._tell_watchers(row.job_id)
        return number

    def _left_alone(self, row: JobRow) -> frozenset[str]:
        """Results of this job that no other job of its namespace has as a result or needs as an input."""
        found: Sequence[tuple[str]] = self._database.execute(
            "SELECT sha256 FROM results AS mine WHERE sequence = :sequence "
            "AND NOT EXISTS (SELECT 1 FROM results JOIN jobs USING (sequence) WHERE results.sha256 = mine.sha256 "
            "AND sequence != :sequence AND namespace = :namespace) "
            "AND NOT EXISTS (SELECT 1 FROM inputs JOIN jobs USING (sequence) WHERE inputs.sha256 = mine.sha256 "
            "AND namespace = :namespace)",
            {"sequence": row.sequence, "namespace": row.namespace},
        ).fetchall()
        return frozenset(sha256 for (sha256,) in found)

    def _tell_watchers(self, job_id: str) -> None:
        watched = self._watched.get(job_id)
        if watched is not None:
            watched.condition.notify_all()  # they look after this transaction, as they need the lock


class _Watched:
    """Those who wait for one job."""

    def __init__(self, condition: threading.Condition) -> None:
        self.condition = condition
        self.count = 0
