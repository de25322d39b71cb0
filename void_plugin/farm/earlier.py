"""What was submitted before and is still on the farm: it is not submitted twice, and no two jobs write one result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from void_plugin.errors import FarmError
from void_plugin.farm import Farm
from void_plugin.farm.jobs import Finding, JobStatus
from void_plugin.farm.records import Record

AT_WORK = ("queued", "running")


class Earlier:
    """The jobs of one farm that this user submitted from here, the newest of each job folder."""

    def __init__(self, farm: Farm) -> None:
        """Raises FarmError where a record cannot be read."""
        self._farm = farm
        self._newest = {record.job_folder: record for record in farm.records.all()}

    def same(self, job_folder: str) -> JobStatus | None:
        """How the job of a job folder stands that waits or runs; None where there is none.

        Raises FarmError where its farm does not answer.
        """
        record = self._newest.get(job_folder)
        return None if record is None else self._at_work(record)

    def rivals(self, job_folder: str) -> Iterator[Finding]:
        """A warning for each job that waits or runs and writes the files of this one with other settings.

        Raises as `same` does.
        """
        for folder, record in self._newest.items():
            if folder == job_folder or _written(folder) != _written(job_folder):
                continue
            job = self._at_work(record)
            if job is not None:
                yield Finding(
                    "warning",
                    f"The job {job.ref} ({job.state}) was submitted with other settings and writes the same files; "
                    f"cancel it first: void farm cancel {job.ref}",
                    "same_output",
                )

    def _at_work(self, record: Record) -> JobStatus | None:
        # One that is being stopped leaves units undone, so the next goes on from there.
        if record.facts.get("cancelled"):
            return None
        try:
            status = self._farm.status(record.ref)
        except FarmError as error:
            if error.code != "farm.job_unknown":
                raise
            return None
        return status if status.state in AT_WORK else None


def left_alone(job: JobStatus) -> Finding:
    """What is said of a shot that is on the farm already."""
    return Finding(
        "warning",
        f"It is on the farm already as {job.ref} ({job.state}, {job.fraction:.0%}) and was left alone. Where its "
        f"inputs have changed since, cancel that first: void farm cancel {job.ref}",
        "submitted",
    )


def _written(job_folder: str) -> tuple[Path, str]:
    """Names the files that a job writes: its folder lies among them, called by them and by a digest of settings."""
    path = Path(job_folder)
    return path.parent, path.name.rpartition("-")[0]
