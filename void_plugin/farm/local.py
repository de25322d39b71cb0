"""The farm `local`: this machine runs one bundle after the other, and of each one task after the other.

Each job has a process of its own, which waits for its turn: side by side they would want the same cores and GPU. It is
what a worker of a real farm does, with the same runtime (openjd-sessions), so that what runs here runs there.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import importlib.util
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from void_plugin.errors import FarmError
from void_plugin.farm import Farm
from void_plugin.farm.bundle import Bundle
from void_plugin.farm.jobs import Artefacts, Finding, JobRef, JobStatus, Options
from void_plugin.farm.localjob import LocalJob

RUNNER = "void_plugin.farm.localsession"
READY = "ready"
"""What the runner says once it holds the job and has read the bundle; anything else is why it cannot run it."""
START_SECONDS = 60.0
PACKAGES = ("openjd.model", "openjd.sessions")
MISSING = "The farm local needs the packages openjd-model and openjd-sessions; install 'void_plugin[farm]'."


class Local(Farm):
    """Runs jobs on this machine. Linux only, as the server's tasks are."""

    name = "local"
    keeps_sessions = True
    is_here = True
    poll_seconds = 0.5

    def check(self, bundle: Bundle, options: Options) -> list[Finding]:
        found = [] if _is_installed() else [Finding("error", MISSING, "farm.program")]
        if options.tags:
            found.append(Finding("warning", "The farm local has this machine alone; --tags is not used.", "tags"))
        return found

    def translate(self, bundle: Bundle, options: Options) -> Artefacts:
        """Nothing to translate: the bundle is run as it is."""
        return Artefacts(commands=((sys.executable, "-m", RUNNER, "{folder}", bundle.folder),))

    def submit(self, bundle: Bundle, options: Options) -> JobRef:
        if not _is_installed():
            raise FarmError(MISSING, "farm.program")
        job_id = secrets.token_hex(4)
        job = self._job(job_id)
        self._sweep()
        try:
            job.folder.mkdir(parents=True)
            job.write(JobStatus(JobRef(self.name, job_id), "queued"))
            with self._last_in_line() as line:
                job.stand_behind(line.read())
                self._start(job, bundle, options)
                line.seek(0)
                line.write(job_id)  # always as long as the one before it
        except OSError as error:
            raise FarmError(f"The job cannot be started in {job.folder}: {error.strerror or error}.") from error
        return self.records.add(job_id, bundle, {})

    def status(self, ref: JobRef) -> JobStatus:
        record = self.records.find(ref)
        status = self._job(ref.id).read()
        result = Path(record.job_folder) / "result.json"
        if status.state != "succeeded" or not result.is_file():
            return status
        return JobStatus(ref, status.state, status.fraction, status.text, status.steps, str(result))

    def cancel(self, ref: JobRef) -> None:
        record = self.records.find(ref)
        if self._job(ref.id).read().has_ended:
            return
        self.records.save(replace(record, facts={**record.facts, "cancelled": True}))
        self._job(ref.id).ask_to_cancel()

    def logs(self, ref: JobRef) -> Iterator[str]:
        self.records.find(ref)
        for path in (self._job(ref.id).log, self._job(ref.id).runner_log):
            if path.is_file():
                with open(path, encoding="utf-8", errors="replace") as stream:
                    yield from (line.rstrip("\n") for line in stream)

    def doctor(self) -> list[Finding]:
        if sys.platform != "linux":
            return [Finding("error", "The farm local runs on Linux.", "farm.program")]
        if not _is_installed():
            return [Finding("error", MISSING, "farm.program")]
        versions = ", ".join(
            f"{name} {importlib.metadata.version(name)}" for name in ("openjd-model", "openjd-sessions")
        )
        found = [Finding("info", f"{versions} run jobs here; what is kept of them lies in {self.records.folder}.")]
        try:
            self.site.section(self.name, ())
        except FarmError as error:
            found.append(Finding("error", error.message, error.code))
        command = self.site.command[:1]
        if command and shutil.which(command[0], path=self.environment.get("PATH")) is None:
            text = f"The site file {self.site.path} starts void-server as {command[0]}, which is not here."
            found.append(Finding("error", text, "farm.program"))
        return found

    def _job(self, job_id: str) -> LocalJob:
        return LocalJob(self.records.folder / job_id)

    @contextlib.contextmanager
    def _last_in_line(self) -> Iterator[TextIO]:
        """Hold the file that names the job of this machine that was submitted last.

        The one that is submitted next has to find it at work, so the file is held until its process has it in hand.
        """
        path = self.records.folder.with_name(f"{self.name}.{socket.gethostname()}.last")
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+", encoding="ascii") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield stream

    def _sweep(self) -> None:
        """Remove what killed runners have left of their sessions."""
        for sessions in self.records.folder.glob("*/sessions"):
            if not LocalJob(sessions.parent).is_held():
                shutil.rmtree(sessions, ignore_errors=True)

    def _start(self, job: LocalJob, bundle: Bundle, options: Options) -> None:
        """Start the runner, out of reach of this terminal, and wait until it has the job in hand."""
        told, tells = os.pipe()
        command = [word.format(folder=job.folder) for word in self.translate(bundle, options).commands[0]]
        try:
            with open(job.runner_log, "wb") as log:
                process = subprocess.Popen(
                    [*command, "--tell", str(tells)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=dict(self.environment),
                    cwd=job.folder,
                    pass_fds=(tells,),
                    start_new_session=True,
                )
            os.close(tells)
            process.wait()  # it goes on in a child of its own, so that nobody has to
            said = _read(told)
        finally:
            os.close(told)
        if said == READY:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        last = job.runner_log.read_text("utf-8", "replace").strip().splitlines()
        shutil.rmtree(job.folder)
        raise FarmError(said or f"The job could not be started: {last[-1] if last else 'no answer'}.", "farm.bundle")


def _is_installed() -> bool:
    try:
        return all(importlib.util.find_spec(name) is not None for name in PACKAGES)
    except ModuleNotFoundError:  # not even the package around them
        return False


def _read(descriptor: int) -> str:
    """What comes through a pipe until it is closed, or empty where nothing comes in time."""
    parts = []
    while select.select([descriptor], [], [], START_SECONDS)[0]:
        part = os.read(descriptor, 4096)
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode("utf-8", "replace").strip()
