"""The farm `deadline-cloud`: AWS Deadline Cloud, through its own command `deadline`, which takes the bundle as it is.

The command is run, never imported. It is told everything on its command line: of what stands in parameter files it does
not apply priority and retries. Its telemetry is off.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from void_plugin.errors import FarmError
from void_plugin.farm import Farm
from void_plugin.farm.asking import ANSWER_SECONDS, Answer, ask
from void_plugin.farm.bundle import Bundle
from void_plugin.farm.jobs import Artefacts, Finding, JobRef, JobStatus, Options
from void_plugin.farm.records import Record
from void_plugin.farm.sitetable import read_table
from void_plugin.farm.telling import failure, in_sequence, job_status

TELEMETRY = {"DEADLINE_CLOUD_TELEMETRY_OPT_OUT": "true"}
LOG_LINES = 10000
"""Lines of a session's log that are asked for at once; the service gives no more."""

ENDED_WELL = ("SUCCEEDED",)
AT_WORK = ("ASSIGNED", "SCHEDULED", "STARTING", "RUNNING", "INTERRUPTING")
BROKEN = ("FAILED", "NOT_COMPATIBLE")
_JOB_ID = re.compile(r"\bjob-[0-9a-f]{32}\b")
_AWS_ERROR = re.compile(r"An error occurred \((\w+)\) when calling the (\w+) operation(?: \([^)]*\))?: (.*)")


@dataclass(frozen=True)
class Table:
    """`[farm.deadline-cloud]` of the site file; what is not given is left to the configuration of `deadline` itself."""

    command: tuple[str, ...] = ("deadline",)
    profile: str = ""
    """AWS profile."""
    region: str = ""
    farm_id: str = ""
    queue_id: str = ""
    storage_profile_id: str = ""
    file_system: str = ""
    """How workers get files that travel: `COPIED` or `VIRTUAL`."""
    max_failed_tasks: int = 0
    """Failed tasks that end a job; 0 leaves it to the command."""
    max_workers: int = 0
    """Workers of a job at most; 0 sets no limit."""


class DeadlineCloud(Farm):
    """Submits to a queue of Deadline Cloud. Files travel where the queue has job attachments."""

    name = "deadline-cloud"
    keeps_sessions = True
    carries_files = True
    poll_seconds = 15.0

    def check(self, bundle: Bundle, options: Options) -> list[Finding]:
        found = list(self._program)
        if options.tags:
            text = "Deadline Cloud chooses workers by what a step asks for; --tags is not used."
            found.append(Finding("warning", text, "tags"))
        return found

    def translate(self, bundle: Bundle, options: Options) -> Artefacts:
        """The bundle is what Deadline Cloud takes, so there is only the command."""
        table = self._table
        command = [*table.command, "bundle", "submit", bundle.folder, "--yes", *self._place()]
        command += ["--name", bundle.name, "--submitter-name", "void_plugin"]
        command += ["--priority", str(options.priority), "--max-retries-per-task", str(options.retries)]
        for option, value in (
            ("--storage-profile-id", table.storage_profile_id),
            ("--job-attachments-file-system", table.file_system),
            ("--max-failed-tasks-count", table.max_failed_tasks),
            ("--max-worker-count", table.max_workers),
        ):
            if value:
                command += [option, str(value)]
        # With --yes, files outside of known folders end the submission without a word to anyone.
        for folder in sorted({bundle.job_folder, *bundle.inputs, *bundle.outputs}):
            command += ["--known-asset-path", folder]
        return Artefacts(commands=(tuple(command),))

    def submit(self, bundle: Bundle, options: Options) -> JobRef:
        answer = self._ask(self.translate(bundle, options).commands[0], None)  # it may have to move many files
        found = _JOB_ID.findall(answer.text)
        if answer.status or not found:
            error = _complaint(answer)
            if "Waiting for Job to be created" in answer.text:
                raise FarmError(
                    f"{error.message} The job was handed over before; look for {bundle.name} in the queue before "
                    "submitting again.",
                    error.code,
                )
            raise error
        steps = [[step.name, len(step.tasks)] for step in bundle.steps]
        return self.records.add(found[-1], bundle, {"steps": steps})

    def status(self, ref: JobRef) -> JobStatus:
        return _status(self.records.find(ref), self._job(ref))

    def brought(self, status: JobStatus) -> JobStatus:
        """Fetches what the job wrote, where that travelled and is not here."""
        if status.state != "succeeded" or status.result:
            return status
        words = ["job", "download-output", *self._place(), "--job-id", status.ref.id, "--yes"]
        self._run(words, ["--conflict-resolution", "OVERWRITE"], seconds=None)
        return self.status(status.ref)

    def cancel(self, ref: JobRef) -> None:
        record = self.records.find(ref)
        if not self.status(ref).has_ended:
            self._run(["job", "cancel", *self._place(), "--job-id", ref.id, "--yes"])
            self.records.save(replace(record, facts={**record.facts, "cancelled": True}))

    def logs(self, ref: JobRef) -> Iterator[str]:
        self.records.find(ref)
        if "startedAt" not in self._job(ref):
            return
        for session in self._sessions(ref):
            answer = self._run(
                ["job", "logs", *self._place(), "--job-id", ref.id, "--session-id", session],
                ["--limit", str(LOG_LINES), "--output", "json"],
            )
            yield from (str(event["message"]).rstrip("\n") for event in _read(answer)["events"])

    def doctor(self) -> list[Finding]:
        try:
            found = list(self._program)
            if found[0].level == "error":
                return found
            fields = _fields(self._run(["queue", "get", *self._place()]).text)
        except FarmError as error:
            return [Finding("error", error.message, error.code)]
        return [*found, Finding("info", f"The queue {fields.get('displayName', '')} answers.")]

    # -- the command -----------------------------------------------------------------------------------------

    @property
    def _table(self) -> Table:
        return read_table(self.site, self.name, Table)

    def _place(self) -> list[str]:
        """Options that say which queue is meant."""
        table = self._table
        given = (("--profile", table.profile), ("--region", table.region), ("--farm-id", table.farm_id),
                 ("--queue-id", table.queue_id))  # fmt: skip
        return [word for option, value in given if value for word in (option, value)]

    @cached_property
    def _program(self) -> tuple[Finding, ...]:
        """Whether the command is here; asked once for all shots of a submission."""
        try:
            answer = self._run(["--version"])
        except FarmError as error:
            if error.code == "farm.site":
                raise
            return (Finding("error", error.message, error.code),)
        return (Finding("info", f"{answer.text.strip()}; its telemetry is off."),)

    def _job(self, ref: JobRef) -> dict[str, Any]:
        return _fields(self._run(["job", "get", *self._place(), "--job-id", ref.id]).text)

    def _sessions(self, ref: JobRef) -> list[str]:
        """The sessions of a job in the order in which they began; the trace is the one place that lists them."""
        with tempfile.TemporaryDirectory(prefix="void-") as folder:
            path = Path(folder) / "trace.json"
            self._run(
                ["job", "trace-schedule", *self._place(), "--job-id", ref.id],
                ["--trace-format", "chrome", "--trace-file", str(path)],
            )
            events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
        return [event["args"]["sessionId"] for event in events if event["cat"] == "SESSION" and event["ph"] == "B"]

    def _run(self, words: list[str], more: list[str] | None = None, seconds: float | None = ANSWER_SECONDS) -> Answer:
        """Run one of the command's own commands. Raises FarmError, in our words, where it fails."""
        answer = self._ask((*self._table.command, *words, *(more or ())), seconds)
        if answer.status:
            raise _complaint(answer)
        return answer

    def _ask(self, command: tuple[str, ...], seconds: float | None) -> Answer:
        return ask(command, {**self.environment, **TELEMETRY}, seconds)


def _status(record: Record, job: Mapping[str, Any]) -> JobStatus:
    counts = {name: int(count) for name, count in job.get("taskRunStatusCounts", {}).items()}
    done, running, failed = (
        sum(counts.get(name, 0) for name in names) for names in (ENDED_WELL, AT_WORK, BROKEN)
    )  # fmt: skip
    planned = [(name, total) for name, total in record.facts["steps"]]
    if (total := sum(counts.values())) != sum(tasks for _, tasks in planned):
        planned = [("All", total)]  # the service cut the frames into other chunks than OpenJD does here
    steps = in_sequence(planned, done, running, failed)
    state, text = job.get("taskRunStatus", ""), ""
    if job.get("lifecycleStatus") in ("CREATE_FAILED", "UPLOAD_FAILED"):
        return job_status(record, "failed", steps, str(job.get("lifecycleStatusMessage", "")))
    if state == "SUCCEEDED":
        status = job_status(record, "succeeded", steps)
        if not status.result:
            text = f"Done; fetch its files with: deadline job download-output --job-id {record.ref.id}"
        return job_status(record, "succeeded", steps, text)
    if state == "CANCELED":
        return job_status(record, "cancelled", steps, "The job was cancelled.")
    if state == "NOT_COMPATIBLE":
        return job_status(record, "failed", steps, "No fleet of the queue has workers with what the job asks for.")
    if state == "FAILED":
        return job_status(record, "failed", steps, failure(steps))
    if state == "SUSPENDED":
        return job_status(record, "queued", steps, "The job is suspended in the queue.")
    return job_status(record, "running" if done or running else "queued", steps)


def _fields(text: str) -> dict[str, Any]:
    """The plain values, and the plain mappings one level down, of the YAML that the command prints of a thing.

    The command has no JSON for these, and this is all that is needed of YAML.
    """
    found: dict[str, Any] = {}
    inside = ""
    for line in text.splitlines():
        match = re.fullmatch(r"( *)([A-Za-z]\w*):(?: (.*))?", line)
        if match is None:
            continue
        indent, name, value = match.groups()
        if not indent:
            inside = name
            found[name] = value.strip("'\"") if value else {}
        elif value and isinstance(found.get(inside), dict):
            found[inside][name] = value.strip("'\"")
    return found


def _read(answer: Answer) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(answer.text)
    except ValueError as error:
        raise FarmError(f"The command deadline gave no JSON: {answer.last_words.rstrip('.')}.") from error
    return told


def _complaint(answer: Answer) -> FarmError:
    """What the command says went wrong, as a sentence that helps."""
    said = answer.text + answer.complaint
    match = _AWS_ERROR.search(said)
    if match is None:
        if "credentials" in said.lower():
            text = "Deadline Cloud needs AWS credentials; log in with `deadline auth login`, or set a profile"
            return FarmError(f"{text}. It said: {answer.last_words}", "farm.refused")
        if "EndpointConnectionError" in said or "ConnectTimeout" in said or "Could not connect to the endpoint" in said:
            return FarmError(f"Deadline Cloud cannot be reached. {answer.last_words}", "farm.unreachable")
        return FarmError(f"The command deadline failed: {answer.last_words.rstrip('.')}.", "farm.refused")
    kind, operation, message = match.group(1), match.group(2), match.group(3).strip().rstrip(".")
    if "AccessDenied" in kind or "Unauthorized" in kind or kind == "403":
        return FarmError(
            f"Deadline Cloud does not let these credentials do {operation}: {message}. Ask for deadline:{operation} on "
            "the farm and the queue, or log in as another user.",
            "farm.refused",
        )
    if "Throttl" in kind or "TooManyRequests" in kind or kind == "429":
        return FarmError(
            f"Deadline Cloud is asked too often at the moment and turned {operation} away: {message}. Try again in a "
            "minute.",
            "farm.busy",
        )
    if "Expired" in kind or "InvalidClientToken" in kind or "UnrecognizedClient" in kind:
        return FarmError(
            f"The AWS credentials are not valid any more: {message}. Log in with `deadline auth login`.", "farm.refused"
        )
    if "ResourceNotFound" in kind:
        code = "farm.job_unknown" if operation == "GetJob" else "farm.refused"
        return FarmError(f"Deadline Cloud knows no such thing: {message}.", code)
    if "ServiceQuota" in kind:
        return FarmError(f"The account's quota of Deadline Cloud is used up: {message}.", "farm.refused")
    return FarmError(f"Deadline Cloud refused {operation}: {message}.", "farm.refused")
