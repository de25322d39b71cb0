"""The farm `opencue`: one job, a layer for each step, a frame for each task.

pyoutline builds the job and pycue submits it, both in a Python of their own (`python` in the site file), where
`opencue_child.py` runs. A frame runs the step's shell script with its number, and that `openjd run`. OpenCue kills a
frame with SIGKILL and knows no notice before it: a cancelled solve goes on from its last checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from void_plugin.errors import FarmError
from void_plugin.farm import Farm
from void_plugin.farm.asking import ask
from void_plugin.farm.bundle import Bundle, Needs, Step
from void_plugin.farm.jobs import Artefacts, Finding, JobRef, JobStatus, Options, StepStatus
from void_plugin.farm.records import Record
from void_plugin.farm.sitetable import GpuKind, read_table, smallest, too_small
from void_plugin.farm.taskscript import SHELL, limit_seconds, script_name, script_path, task_logs, task_script
from void_plugin.farm.telling import failure, job_status, step_state

CHILD = str(Path(__file__).with_name("opencue_child.py"))
JOB = "opencue/job.json"
SETUP = ("export PYTHONUNBUFFERED=1  # RQD reads one line at a time and loses some where many come at once",)
LEAST_NAME = 3
"""Characters of a name that Cuebot takes at least: letters, digits, dots and underscores."""
MOST_RETRIES = 1
"""Cuebot's own limit: it takes a larger number for this one."""


@dataclass(frozen=True)
class Table:
    """`[farm.opencue]` of the site file."""

    python: tuple[str, ...] = ()
    """Command of a Python with the packages opencue-pyoutline, opencue-pycue and packaging."""
    cuebot: tuple[str, ...] = ()
    """Hosts, as `host` or `host:port`; none leaves it to OpenCue's own configuration."""
    facility: str = ""
    show: str = ""
    """None takes $SHOW."""
    service: str = "shell"
    tags: tuple[str, ...] = ()
    """Tags of every layer; none leaves it to the service."""
    limits: tuple[str, ...] = ()
    """Limits of layers with GPUs, such as a number of licences."""
    os: str = ""
    gpus: tuple[GpuKind, ...] = ()
    """Tags of hosts by the memory of their GPUs: the smallest that is enough is asked for."""


class OpenCue(Farm):
    """Submits to Cuebot."""

    name = "opencue"
    poll_seconds = 5.0

    def check(self, bundle: Bundle, options: Options) -> list[Finding]:
        table = self._table
        found = list(self._about)
        found += too_small(bundle, table.gpus)
        if any(step.needs.gpus for step in bundle.steps) and not (table.gpus or options.tags):
            text = (
                "Cuebot adds up the memory of all GPUs of a host, so that two of 24 GB pass for one of 48; name tags "
                "of hosts as gpus in the site file, or one with --tags."
            )
            found.append(Finding("warning", text, "vram"))
        bad = [tag for tag in (*table.tags, *options.tags) if not re.fullmatch(r"[\w.]{3,}", tag)]
        if bad:
            text = f"OpenCue takes tags of three or more letters, digits, dots and underscores, not {', '.join(bad)}."
            found.append(Finding("error", text, "tags"))
        if options.retries > MOST_RETRIES:
            text = f"Cuebot runs a failed frame again {MOST_RETRIES} time at most, not {options.retries} times."
            found.append(Finding("info", text, "retries"))
        return found

    def translate(self, bundle: Bundle, options: Options) -> Artefacts:
        table = self._table
        job = {
            "name": job_name(bundle),
            "show": table.show,
            "shot": name_for_cuebot(bundle.shot or Path(bundle.job_folder).name),
            "facility": table.facility,
            "os": table.os,
            "priority": max(1, options.priority),
            "retries": min(MOST_RETRIES, options.retries),
            "layers": [self._layer(bundle, options, step) for step in bundle.steps],
        }
        files = {script_name(self.name, step): task_script(bundle, self.site, step, SETUP) for step in bundle.steps}
        files[JOB] = json.dumps(job, indent=1, sort_keys=True) + "\n"
        return Artefacts(files, ((*table.python, CHILD, "launch", str(Path(bundle.folder) / JOB)),))

    def submit(self, bundle: Bundle, options: Options) -> JobRef:
        artefacts = self.translate(bundle, options)
        self.write(bundle, artefacts)
        told = self._ask("launch", str(Path(bundle.folder) / JOB))
        steps = [[step.name, len(step.tasks)] for step in bundle.steps]
        return self.records.add(told["id"], bundle, {"steps": steps, "name": told["name"]})

    def status(self, ref: JobRef) -> JobStatus:
        record = self.records.find(ref)
        try:
            told = self._ask("status", ref.id)
        except FarmError as error:
            if error.code != "farm.job_unknown":
                raise
            return job_status(record, "unknown", (), "Cuebot has forgotten this job.")
        steps = [_step(name, total, told) for name, total in record.facts["steps"]]
        return _job(record, told, steps)

    def cancel(self, ref: JobRef) -> None:
        record = self.records.find(ref)
        state = self.status(ref).state
        if state in ("succeeded", "cancelled", "unknown"):
            return
        if state != "failed":  # Cuebot keeps a job with dead frames until somebody ends it
            self.records.save(replace(record, facts={**record.facts, "cancelled": True}))
        self._ask("kill", ref.id)

    def logs(self, ref: JobRef) -> Iterator[str]:
        record = self.records.find(ref)
        return task_logs(record.bundle, self.name, record.facts["steps"])

    def doctor(self) -> list[Finding]:
        try:
            return list(self._about)
        except FarmError as error:
            return [Finding("error", error.message, error.code)]

    # -- what a job consists of ------------------------------------------------------------------------------

    def _layer(self, bundle: Bundle, options: Options, step: Step) -> dict[str, Any]:
        table, needs = self._table, step.needs
        return {
            "name": step.name,
            "command": f"{SHELL} {shlex.quote(script_path(bundle, self.site, self.name, step))} #IFRAME#",
            "range": f"0-{len(step.tasks) - 1}",
            "cores": needs.cores,
            "memory": f"{needs.memory_mib}m",
            "gpus": needs.gpus,
            # In one sum, as Cuebot counts what a host has. It reads a bare number as GiB, though it keeps KiB.
            "gpu_memory": f"{needs.gpus * needs.vram_mib}m" if needs.gpus else "",
            "tags": self._tags(needs, options),
            "limits": list(table.limits) if needs.gpus else [],
            "service": table.service,
            "timeout": math.ceil(limit_seconds(step) / 60),
            "after": list(step.after),
        }

    def _tags(self, needs: Needs, options: Options) -> list[str]:
        """One of these must be a host's; the user's own, then that of the GPU, then the site's."""
        if options.tags:
            return list(options.tags)
        kind = smallest(self._table.gpus, needs.vram_mib) if needs.gpus else None
        return [kind.name] if kind else list(self._table.tags)

    # -- asking OpenCue --------------------------------------------------------------------------------------

    @property
    def _table(self) -> Table:
        return read_table(self.site, self.name, Table)

    @cached_property
    def _about(self) -> tuple[Finding, ...]:
        """Packages, the user, Cuebot; asked once for all shots of a submission."""
        try:
            told = self._ask("about", "")
        except FarmError as error:
            if error.code == "farm.site":
                raise
            return (Finding("error", error.message, error.code),)
        if told["uid"] == 0:
            text = "OpenCue runs no jobs of root; submit as the user whose files they are."
            return (Finding("error", text, "farm.refused"),)
        if told["error"]:
            return (Finding("error", f"No Cuebot answers: {told['error'].rstrip('.')}.", "farm.unreachable"),)
        versions = ", ".join(f"{name} {version}" for name, version in sorted(told["versions"].items()))
        return (Finding("info", f"Cuebot answers; jobs are submitted with {versions}."),)

    def _ask(self, action: str, argument: str) -> dict[str, Any]:
        table = self._table
        if not table.python:
            raise FarmError(
                "OpenCue's packages need a Python of their own; name one that has opencue-pyoutline, opencue-pycue and "
                "packaging as python in [farm.opencue] of the site file.",
                "farm.program",
            )
        environment = dict(self.environment)
        if table.cuebot:
            environment["CUEBOT_HOSTS"] = ",".join(table.cuebot)
        answer = ask([*table.python, CHILD, action, argument], environment)
        try:
            told: dict[str, Any] = json.loads(answer.text)
        except ValueError as error:
            raise FarmError(f"{table.python[0]} gave no answer: {answer.last_words.rstrip('.')}.") from error
        if told.get("code"):
            raise FarmError(f"OpenCue: {told['error'].rstrip('.')}.", told["code"])
        return told


def name_for_cuebot(text: str) -> str:
    """A name of only what Cuebot takes: lower case, three characters or more."""
    name = re.sub(r"[^a-z0-9._]+", "_", text.lower()).strip("_")
    return name if len(name) >= LEAST_NAME else f"shot_{name}"


def job_name(bundle: Bundle) -> str:
    """What the job is called: Cuebot takes no two jobs of a name at once, not even where one of them has failed."""
    return f"{name_for_cuebot(bundle.name)}_{hashlib.sha256(bundle.folder.encode()).hexdigest()[:6]}"


def _step(name: str, total: int, told: dict[str, Any]) -> StepStatus:
    """One step, from its layer's counts; Cuebot writes names in lower case."""
    counts = told["layers"].get(name.lower(), {})
    done, running, dead = (counts.get(state, 0) for state in ("succeeded", "running", "dead"))
    failed = dead + counts.get("eaten", 0)
    return StepStatus(
        name, step_state(total, done, running, failed, told["state"] != "FINISHED"), total, done, running, failed
    )


def _job(record: Record, told: dict[str, Any], steps: list[StepStatus]) -> JobStatus:
    counts = list(told["layers"].values())
    if told["state"] == "FINISHED":
        if all(step.done == step.total for step in steps):
            return job_status(record, "succeeded", steps)
        if record.facts.get("cancelled") or not any(step.failed for step in steps):
            return job_status(record, "cancelled", steps, "The job was killed.")
        return job_status(record, "failed", steps, failure(steps))
    if record.facts.get("cancelled"):
        return job_status(record, "running", steps, "The job is being killed.")
    if told["paused"]:
        return job_status(record, "queued", steps, "The job is paused in the queue.")
    at_work = any(count["running"] or count["waiting"] for count in counts)
    if any(step.failed for step in steps) and not at_work:
        # Cuebot keeps such a job for ever: frames that depend on the dead ones never come to their turn.
        return job_status(record, "failed", steps, failure(steps))
    running = any(step.running or step.done for step in steps)
    return job_status(record, "running" if running else "queued", steps)
