"""How long jobs take, read from the database: places in the queue and seconds to wait."""

from __future__ import annotations

import sqlite3

from void_server.jobrows import QUEUED, REMOVE, RUNNING, SUCCEEDED, JobRow, priority_class

LOOKED_AT = 20
"""Finished jobs of an engine that tell how long a frame takes."""
SURE = 0.02
"""Below this fraction of a job its own speed says nothing yet."""
UNKNOWN = -1.0

_BEFORE = (
    "FROM jobs WHERE state = 'queued' AND (class > :class OR (class = :class AND "
    "(front > :front OR (front = :front AND sequence < :sequence))))"
)


def position(database: sqlite3.Connection, row: JobRow) -> int:
    """How many queued jobs will be taken before this one; 0 for a job that does not wait."""
    if row.state != QUEUED:
        return 0
    return int(database.execute(f"SELECT COUNT(*) {_BEFORE}", _turn(database, row)).fetchone()[0])


def eta(database: sqlite3.Connection, row: JobRow, now: float) -> float:
    """Seconds until a queued job starts or a running one ends; `UNKNOWN` where no earlier job tells.

    Counts on as many jobs side by side as run now.
    """
    if row.state == RUNNING:
        return _left(row, now, seconds_per_frame(database, row.engine))
    if row.state != QUEUED:
        return UNKNOWN
    busy = [
        JobLeft(*values)
        for values in database.execute(
            "SELECT engine, frame_count, fraction, busy_seconds, begun_at FROM jobs WHERE state = 'running'"
        )
    ]
    before = database.execute(f"SELECT engine, frame_count {_BEFORE}", _turn(database, row)).fetchall()
    if not busy and not before:
        return 0.0
    speeds = {engine: seconds_per_frame(database, engine) for engine in {*(job.engine for job in busy), *dict(before)}}
    running = [job.seconds(now, speeds[job.engine]) for job in busy]
    waiting = [speeds[engine] * count if speeds[engine] >= 0 else UNKNOWN for engine, count in before]
    if min([*running, *waiting]) < 0:
        return UNKNOWN
    return min(running, default=0.0) + sum(waiting) / max(1, len(running))


class JobLeft:
    """What is left of a running job."""

    def __init__(
        self, engine: str, frame_count: int, fraction: float, busy_seconds: float, begun_at: float | None
    ) -> None:
        self.engine, self._frames, self._fraction = engine, frame_count, fraction
        self._busy, self._begun = busy_seconds, begun_at

    def seconds(self, now: float, per_frame: float) -> float:
        """Seconds until it ends, from its own speed where that is known, else from earlier jobs."""
        if self._fraction > SURE and self._begun is not None:
            spent = self._busy + max(0.0, now - self._begun)
            return spent * (1 - self._fraction) / self._fraction
        return per_frame * self._frames if per_frame >= 0 else UNKNOWN


def _left(row: JobRow, now: float, per_frame: float) -> float:
    left = JobLeft(row.engine, row.frame_count, row.fraction, row.busy_seconds, row.begun_at)
    return left.seconds(now, per_frame)


def seconds_per_frame(database: sqlite3.Connection, engine: str) -> float:
    """Mean seconds a frame of the last jobs of an engine; `UNKNOWN` where there are none."""
    rows = database.execute(
        "SELECT busy_seconds, frame_count FROM jobs WHERE engine = ? AND state = ? AND kind = ? AND frame_count > 0 "
        "ORDER BY sequence DESC LIMIT ?",
        (engine, SUCCEEDED, REMOVE, LOOKED_AT),
    ).fetchall()
    frames = sum(count for _, count in rows)
    return sum(seconds for seconds, _ in rows) / frames if frames else UNKNOWN


def _turn(database: sqlite3.Connection, row: JobRow) -> dict[str, int]:
    front = database.execute("SELECT front FROM jobs WHERE sequence = ?", (row.sequence,)).fetchone()[0]
    return {"class": priority_class(row.priority), "front": front, "sequence": row.sequence}
