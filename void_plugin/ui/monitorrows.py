"""The rows of a monitor: jobs of a server and of farms in the same words."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COLUMNS = ("State", "Shot", "Owner", "Engine", "Progress", "Device", "Time", "Submitted", "What is the matter")
STATE, SHOT, OWNER, ENGINE, PROGRESS, DEVICE, TIME, SUBMITTED, TEXT = range(len(COLUMNS))
STATES = ("running", "queued", "succeeded", "failed", "cancelled", "unknown")
"""In the order in which they are of interest."""
LIVE = ("running", "queued")


@dataclass(frozen=True)
class Row:
    """One job."""

    key: str
    """Names it among all jobs of all servers and farms."""
    job: str
    """Its name where it runs."""
    farm: str
    """The farm that it is on; empty for a job of the server."""
    state: str
    """One of STATES."""
    shot: str
    owner: str = ""
    engine: str = ""
    fraction: float = 0.0
    device: str = ""
    note: str = ""
    """What goes beside the state, such as that it is stopping."""
    submitted: float = 0.0
    """Seconds since 1970, like the two below, which are 0 until it happens."""
    began: float = 0.0
    ended: float = 0.0
    text: str = ""
    """Why it failed, or what it does, in a sentence."""
    folder: str = ""
    """Where its results lie on this machine; empty where that is not known."""
    source: str = ""
    """The job folder of a job on a farm, from which it is submitted again."""
    again: bool = False
    """True where it can be run again from here."""

    @property
    def is_live(self) -> bool:
        """True while it waits or runs."""
        return self.state in LIVE

    def seconds(self, now: float) -> float:
        """How long it has run, or waits."""
        begin = self.began or self.submitted
        return max(0.0, (self.ended or now) - begin) if begin and (self.is_live or self.ended) else 0.0

    def words(self) -> str:
        """Everything that a filter looks through, in small letters."""
        return " ".join(
            (self.state, self.note, self.shot, self.owner, self.engine, self.device, self.text, self.job)
        ).casefold()


def row_of_job(address: str, job: Mapping[str, Any]) -> Row:
    """The row of a job of a server, from what the sidecar's `jobs` says."""
    state = str(job["state"])
    text = str(job["error_text"])
    note = "stopping" if job["stopping"] else ""
    if state == "queued" and not note:
        note = f"{job['position']} before it" if job["position"] else "next"
    return Row(
        key=f"{address} {job['job_id']}",
        job=str(job["job_id"]),
        farm="",
        state=state if state in STATES else "unknown",
        shot=str(job["shot"]) or str(job["job_id"]),
        owner=str(job["owner"]),
        engine=str(job["engine"]) if job["kind"] != "preview" else f"{job['engine']}, mask preview",
        fraction=1.0 if state == "succeeded" else float(job["fraction"]),
        device=str(job["device"]),
        note=note,
        submitted=float(job["submitted_at"]),
        began=float(job["started_at"] or 0.0),
        ended=float(job["ended_at"] or 0.0),
        text=text,
        folder=str(job["folder"]),
        again=bool(job["again"]),
    )


def row_of_farm(job: Mapping[str, Any]) -> Row:
    """The row of a job of a farm, from what the sidecar's `farm_jobs` says."""
    farm, _, _ = str(job["ref"]).partition(":")
    state = str(job["state"])
    return Row(
        key=str(job["ref"]),
        job=str(job["ref"]),
        farm=farm,
        state=state if state in STATES else "unknown",
        shot=str(job["shot"] or job["name"]),
        fraction=float(job["fraction"]),
        device=farm,
        submitted=float(job["submitted_at"]),
        text=str(job["text"]),
        folder=str(job["folder"]),
        source=str(job["job_folder"]),
        again=bool(job["again"]),
    )


def shown(row: Row, column: int, now: float) -> str:
    """What a cell says."""
    if column == STATE:
        return f"{row.state}, {row.note}" if row.note else row.state
    if column == PROGRESS:
        return f"{row.fraction:.0%}"
    if column == TIME:
        return duration(row.seconds(now)) if row.seconds(now) else ""
    if column == SUBMITTED:
        return time.strftime("%d %b %H:%M", time.localtime(row.submitted)) if row.submitted else ""
    return {SHOT: row.shot, OWNER: row.owner, ENGINE: row.engine, DEVICE: row.device, TEXT: row.text}[column]


def sorted_by(row: Row, column: int, now: float) -> Any:
    """What a column is sorted by."""
    if column == STATE:
        return f"{STATES.index(row.state)} {row.note}"
    if column == PROGRESS:
        return row.fraction
    if column == TIME:
        return row.seconds(now)
    if column == SUBMITTED:
        return row.submitted
    return shown(row, column, now).casefold()


def duration(seconds: float) -> str:
    """A time such as 1:02:03 or 2:03."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
