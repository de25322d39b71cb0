"""What a job of the farm `local` keeps on disk: how it stands, its log, a lock that dies with whoever runs it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from void_plugin.errors import FarmError
from void_plugin.farm.jobs import ENDED, JobRef, JobStatus, StepStatus
from void_plugin.localfiles import replace_whole

GONE = (
    "Whatever ran this job ended without a word, as after a kill or a reboot. Submit the request again, which resumes."
)


@dataclass(frozen=True)
class LocalJob:
    """The folder of one job."""

    folder: Path

    @property
    def log(self) -> Path:
        """What tasks and environments wrote, line by line."""
        return self.folder / "log.txt"

    @property
    def runner_log(self) -> Path:
        """What the program said that runs the job, if anything."""
        return self.folder / "runner.txt"

    @property
    def sessions(self) -> Path:
        """Where sessions have their working folders."""
        return self.folder / "sessions"

    def write(self, status: JobStatus) -> None:
        """Replace what is told of the job, in one step."""
        replace_whole(self._state, json.dumps(status.to_dict()))

    def read(self) -> JobStatus:
        """How the job stands. Raises FarmError where that cannot be read."""
        status = self._read()
        if status.state in ENDED or self.is_held():
            return status
        status = self._read()  # it may have ended between the two looks
        if status.state in ENDED:
            return status
        return JobStatus(status.ref, "failed", status.fraction, GONE, status.steps)

    def ask_to_cancel(self) -> None:
        """Leave word that the job is to stop."""
        self._cancel.touch()

    @property
    def is_cancelled(self) -> bool:
        """True once the job was asked to stop."""
        return self._cancel.exists()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the job for as long as this process runs it; whatever ends the process, lets go of it."""
        with open(self._lock, "w", encoding="ascii") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            stream.write(f"{os.getpid()}\n")  # for people
            stream.flush()
            yield

    def stand_behind(self, name: str) -> None:
        """Note the job of this machine after which this one is to run; empty for none."""
        self._before.write_text(name, encoding="ascii")

    def line(self) -> Iterator[LocalJob]:
        """The jobs that are before this one, the nearest first, each to be looked at once the one given last has ended.

        Those are all that may still run: whatever has begun was the first of its line.
        """
        job = self
        while job._before.is_file() and (name := job._before.read_text(encoding="ascii")):
            job = LocalJob(self.folder.parent / name)
            yield job
            if job.log.exists():
                return

    def is_held(self) -> bool:
        """True while a process runs the job."""
        try:
            with open(self._lock, encoding="ascii") as stream:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _read(self) -> JobStatus:
        try:
            data: dict[str, Any] = json.loads(self._state.read_text(encoding="utf-8"))
            steps = tuple(StepStatus(**step) for step in data.pop("steps"))
            return JobStatus(**{**data, "ref": JobRef.parse(data["ref"]), "steps": steps})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise FarmError(f"{self._state} cannot be read ({error!r}).", "farm.job_unknown") from error

    @property
    def _state(self) -> Path:
        return self.folder / "state.json"

    @property
    def _before(self) -> Path:
        return self.folder / "before"

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    @property
    def _cancel(self) -> Path:
        return self.folder / "cancel"
