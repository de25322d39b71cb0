"""A version that a farm makes: how it stands there, bringing it home, and taking it back.

A worker knows only its job folder, under whatever name its storage has there. So whoever looks from a machine of the
artists commits the version: a sidecar, `void farm status`, `void farm wait`. However many do at once, one does it.
"""

import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from void_plugin.claim import claimed
from void_plugin.completion import complete, completed
from void_plugin.errors import Cancelled, FarmError, HostError, VoidError, from_code
from void_plugin.farm import JobStatus
from void_plugin.farmjobs import FarmJob, FarmJobs
from void_plugin.inputfiles import Check
from void_plugin.jobrecord import NAME, JobRecord
from void_plugin.manifest import is_finished
from void_plugin.outcomes import outcome, relative, warning
from void_plugin.request import RemovalRequest
from void_plugin.versionorder import parsed
from void_plugin.versions import remove_folder

STATUS_SECONDS = 20.0
"""How long a farm may take to say how a job stands."""
STOP_SECONDS = 60.0
"""How long tasks may take to stop before their version is kept for somebody to delete."""
POLL_SECONDS = 0.5
DEEPEST = 4
"""How far a job folder lies below its version folder at most: patch/<view>/.void/<job>."""


@dataclass(frozen=True)
class Standing:
    """How a version stands that is on a farm, or was."""

    jobs: tuple[str, ...] = ()
    """Names of its jobs, such as `slurm:1234`."""
    state: str = "queued"
    """As of a job; of several that which is behind the others."""
    fraction: float = 0.0
    text: str = ""
    manifest: Mapping[str, Any] | None = None
    """Once it is complete."""

    def to_dict(self) -> dict[str, Any]:
        """What a host is told: its `manifest`, or how it stands on the `farm`."""
        if self.manifest is not None:
            return {"manifest": dict(self.manifest)}
        told = {"jobs": list(self.jobs), "state": self.state, "fraction": self.fraction, "text": self.text}
        return {"farm": told}


class FarmVersion:
    """One version folder with a job on a farm. Raises VoidError where its job.json or the configuration is wrong."""

    def __init__(self, folder: Path, environment: Mapping[str, str], check: Check) -> None:
        """`check` raises where the work is to end."""
        self._folder, self._check = folder, check
        self._farms = FarmJobs(environment)
        self.record = JobRecord.load(folder)
        self._requests = parsed(folder, self.record.kind, self.record.requests)
        self.jobs = self._farms.of(folder, self.record, self._requests)

    # -- how it stands ---------------------------------------------------------------------------------------

    def look(self, seconds: float, fetch: bool) -> Standing:
        """How it stands now; one that has come to its end is committed, or marked as failed.

        Raises FarmError where it has failed, and HostError with `host.taken` while somebody else takes it up.
        """
        if not self.is_at_work():
            raise _noted_error(self.record, self._folder)
        if self._lacking():
            if self.record.machine != socket.gethostname():
                return Standing(text=f"It is being submitted by {self.record.whose}.")
            with claimed(self._folder, self.record.whose):  # whoever submits holds it to its end
                self._look_for_lost()
        statuses = self._statuses(seconds)
        ended = [status for status in statuses.values() if status.state in ("failed", "cancelled")]
        if ended:
            with claimed(self._folder, self.record.whose):
                self._fail(_why(ended[0]))
        if fetch:
            statuses = {view: self._fetched(view, status) for view, status in statuses.items()}
        if all(self._is_there(view, status) for view, status in statuses.items()):
            with claimed(self._folder, self.record.whose):
                return self._standing(statuses, self._commit())
        return self._standing(statuses)

    def _names(self) -> tuple[str, ...]:
        return tuple(str(job.ref) for job in self.jobs.values())

    def _lacking(self) -> list[str]:
        return [view for view in self._requests if view not in self.jobs]

    def _look_for_lost(self) -> None:
        """Find the jobs whose names were never noted, because whoever submitted them has died."""
        self.jobs = self._farms.of(self._folder, self.record, self._requests)
        lacking = self._lacking()
        if not lacking:
            return
        for job in self.jobs.values():  # all views or none
            self._farms.cancel(job.ref, STATUS_SECONDS)
        what = f" for {', '.join(lacking)}" if len(self._requests) > 1 else ""
        self._fail(
            FarmError(
                f"The job was not submitted{what}: what was to do it ended before. Press Submit to farm again.",
                "farm.refused",
            )
        )

    def is_at_work(self) -> bool:
        """True where a farm makes it. One that has failed counts again once its jobs were submitted again."""
        if not self.record.farm:
            return False
        noted = {job["job"] for job in self.record.farm.get("jobs", {}).values()}
        return self.record.state == "farm" or any(str(job.ref) not in noted for job in self.jobs.values())

    def _statuses(self, seconds: float) -> dict[str, JobStatus]:
        found: dict[str, JobStatus] = {}
        for view, job in self.jobs.items():
            self._check()
            try:
                found[view] = self._farms.status(job.ref, seconds)
            except FarmError as error:  # a farm that is away loses nothing
                found[view] = JobStatus(job.ref, "unknown", text=error.message)
        return found

    def _fetched(self, view: str, status: JobStatus) -> JobStatus:
        """The status once what the job wrote is here."""
        if status.state != "succeeded" or self.jobs[view].result.is_file():
            return status
        return self._farms.farm_of(self.jobs[view].ref).brought(status)

    def _is_there(self, view: str, status: JobStatus) -> bool:
        """True where a view is finished and its files can be seen from here."""
        if status.state == "succeeded":
            return self.jobs[view].result.is_file()
        # A queue forgets jobs, and does not tell everybody. What a job wrote while it goes on may still be refused.
        return status.state == "unknown" and _is_whole(self._requests[view], self.jobs[view])

    def _standing(self, statuses: Mapping[str, JobStatus], manifest: Mapping[str, Any] | None = None) -> Standing:
        order = ("unknown", "queued", "running", "succeeded", "failed", "cancelled")
        behind = min(statuses.values(), key=lambda status: order.index(status.state))
        text = behind.text
        if behind.state == "succeeded":
            text = f"It has succeeded, and {self._not_here()} is not to be seen here yet."
        return Standing(
            self._names(),
            behind.state,
            sum(status.fraction for status in statuses.values()) / len(statuses),
            text,
            manifest,
        )

    def _not_here(self) -> str:
        return next((str(job.result) for job in self.jobs.values() if not job.result.is_file()), "its result")

    # -- its ends; the folder is held ------------------------------------------------------------------------

    def _commit(self) -> Mapping[str, Any]:
        """Make it a version, as the job of a server is made one."""
        if is_finished(self._folder):  # by whoever has just held it
            return completed(self._folder, held=True)
        views: dict[str, Any] = {}
        finished = self.record.began
        for view, job in self.jobs.items():
            data = _read(job.result)
            warnings = [warning(view, item["code"], item["frame"], item["text"]) for item in data["warnings"]]
            request, kind = self._requests[view], self.record.kind
            views[view] = outcome(
                self._folder, request, kind, str(job.result), data["engine"], data["summary"], warnings
            )
            finished = max(finished, job.result.stat().st_mtime)  # somebody may look days later
        record = replace(self.record, views=views, farm=self._noted(), error={})
        return complete(self._folder, record, self._requests, finished - record.began, self._check)

    def _fail(self, error: FarmError) -> NoReturn:
        """Note that it has failed, and raise that; HostError where somebody else was faster."""
        if is_finished(self._folder) or JobRecord.load(self._folder).farm != self.record.farm:
            raise HostError(f"{self._folder} has changed meanwhile; look again.", "host.taken")
        replace(self.record, farm=self._noted()).failed(error).save(self._folder)
        raise error

    def keep(self) -> Standing:
        """Note the jobs that have just been submitted. Raises ServerError where that cannot be written."""
        self.record = replace(self.record, farm=self._noted())
        self.record.save(self._folder)
        return Standing(self._names())

    def _noted(self) -> dict[str, Any]:
        """Its jobs as job.json notes them."""
        jobs = {
            view: {"job": str(job.ref), "folder": relative(self._folder, job.folder)} for view, job in self.jobs.items()
        }
        return {"name": self.record.farm.get("name", ""), "jobs": jobs}

    # -- taking it back --------------------------------------------------------------------------------------

    def withdraw(self) -> Standing:
        """Cancel its jobs and remove the folder once they have stopped, by raising Cancelled.

        How it stands, where the jobs were faster, or their farm does not answer. Raises FarmError where their tasks
        do not stop.
        """
        with claimed(self._folder, self.record.whose):
            if is_finished(self._folder):
                return Standing(manifest=completed(self._folder, held=True))
            try:
                statuses = self.stop()
            except FarmError as error:
                if JobRecord.load(self._folder).state != "farm":
                    raise
                # Nothing is lost: it goes on there, and can be cancelled again.
                return Standing(self._names(), "unknown", 0.0, f"It was not cancelled: {error.message}")
            if all(self._is_there(view, status) for view, status in statuses.items()):
                return self._standing(statuses, self._commit())
        remove_folder(self._folder)  # no longer held: Windows moves no folder with an open file
        raise Cancelled

    def stop(self) -> dict[str, JobStatus]:
        """Cancel its jobs, and wait until their tasks write nothing any more."""
        for job in self.jobs.values():
            self._farms.cancel(job.ref, STATUS_SECONDS)
        until = time.monotonic() + STOP_SECONDS
        while True:
            statuses = self._statuses(STATUS_SECONDS)
            if all(status.has_ended for status in statuses.values()):
                return statuses
            if time.monotonic() > until:
                self._fail(
                    FarmError(
                        f"{_named(self.jobs)} was cancelled, and its tasks have not stopped within {STOP_SECONDS:g} "
                        "seconds; delete the version later with Clean versions.",
                        "farm.busy",
                    )
                )
            time.sleep(POLL_SECONDS)


# -- for those who look --------------------------------------------------------------------------------------------


def look(folder: Path, environment: Mapping[str, str], check: Check) -> Standing:
    """How a version stands, once its files are here and whoever else takes it up has ended.

    Raises FarmError where it has failed.
    """
    while True:
        try:
            return glance(folder, environment, check, STATUS_SECONDS, fetch=True)
        except HostError as error:
            if error.code != "host.taken":
                raise
        check()
        time.sleep(POLL_SECONDS)


def glance(folder: Path, environment: Mapping[str, str], check: Check, seconds: float, fetch: bool = False) -> Standing:
    """How a version stands, for who does not wait: see `FarmVersion.look`."""
    if is_finished(folder):
        return Standing(manifest=completed(folder))
    return FarmVersion(folder, environment, check).look(seconds, fetch)


def land(job_folder: str, environment: Mapping[str, str]) -> Path | None:
    """Commit the version that a job on a farm was for, now that the job has ended, and return its folder.

    None where there is nothing to commit: nobody in a host has asked for the job, or all is done already. Raises
    FarmError where the job has failed and the version did not know it yet.
    """
    for folder in list(Path(job_folder).parents)[1:DEEPEST]:
        if not (folder / NAME).is_file():
            continue
        if is_finished(folder) or not FarmVersion(folder, environment, _never).is_at_work():
            return None
        return folder if look(folder, environment, _never).manifest is not None else None
    return None


def _never() -> None:
    """For who looks to the end."""


# -- small things --------------------------------------------------------------------------------------------------


def _named(jobs: Mapping[str, FarmJob]) -> str:
    names = [str(job.ref) for job in jobs.values()]
    return f"The job {names[0]}" if len(names) == 1 else f"The jobs {', '.join(names)}"


def _why(status: JobStatus) -> FarmError:
    """Why a version will not come, in the farm's words."""
    if status.state == "cancelled":
        return FarmError(f"The job {status.ref} was cancelled on the farm; press Submit to farm again.")
    text = status.text.rstrip(".") or "it does not say why"
    return FarmError(f"The job {status.ref} failed: {text}. Its log: void farm logs {status.ref}")


def _noted_error(record: JobRecord, folder: Path) -> VoidError:
    return from_code(record.error.get("code", ""), record.error.get("text", f"The job in {folder} has failed."))


def _read(result: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FarmError(f"{result} cannot be read ({error}); submit the job again, which resumes.") from error
    if not data.keys() >= {"engine", "summary", "warnings", "frames"}:
        raise FarmError(f"{result} is not whole; submit the job again, which resumes.")
    return data


def _is_whole(request: RemovalRequest, job: FarmJob) -> bool:
    """True where every file that a request asks for is there, of the size that result.json says."""
    if not job.result.is_file():
        return False
    listed = _read(job.result)["frames"]
    for output in request.outputs:
        sequence = request.output_sequence(output)
        for frame in request.frames or ():
            try:
                if os.path.getsize(sequence.path(frame)) != listed[str(frame)][output.kind]["size"]:
                    return False
            except (OSError, KeyError):
                return False
    return True
