"""The farm `deadline10`: Thinkbox Deadline 10, a job for each step, a frame for each task.

Jobs run Deadline's own plug-in CommandLine: a frame runs the step's shell script with its number, and that `openjd
run`. They are submitted with `deadlinecommand`, or to the web service where the site file names its address. Deadline
knows nothing of the memory of GPUs; groups of workers stand for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from void_plugin.errors import FarmError
from void_plugin.farm import Farm
from void_plugin.farm.bundle import Bundle, Step
from void_plugin.farm.deadline10queue import Command, Queue, Service, Stand
from void_plugin.farm.jobs import Artefacts, Finding, JobRef, JobStatus, Options, StepStatus
from void_plugin.farm.records import Record
from void_plugin.farm.sitetable import GpuKind, read_table, smallest, too_small
from void_plugin.farm.taskscript import SHELL, limit_seconds, script_name, script_path, task_logs, task_script
from void_plugin.farm.telling import failure, job_status, step_state

JOB_INFO, PLUGIN_INFO = "job_info.job", "plugin_info.job"
"""Names of a step's files, after the step's own."""


@dataclass(frozen=True)
class Table:
    """`[farm.deadline10]` of the site file."""

    command: tuple[str, ...] = ("deadlinecommand",)
    url: str = ""
    """Address of the web service, such as `http://deadline:8081`; none uses the command."""
    pool: str = ""
    secondary_pool: str = ""
    group: str = ""
    """Group of workers without GPUs."""
    gpus: tuple[GpuKind, ...] = ()
    """Groups by the memory of their GPUs: the smallest that is enough is taken."""
    limits: tuple[str, ...] = ()
    """Limits of all steps."""
    gpu_limits: tuple[str, ...] = ()
    """More limits of steps with GPUs."""
    department: str = ""
    user: str = ""
    """Who the job is of; none takes the user who submits. The web service would take its own."""


class Deadline10(Farm):
    """Submits to a Deadline repository."""

    name = "deadline10"
    poll_seconds = 5.0

    def check(self, bundle: Bundle, options: Options) -> list[Finding]:
        table = self._table
        found = list(self._findings)
        found += too_small(bundle, table.gpus)
        gpu_steps = [step for step in bundle.steps if step.needs.gpus]
        if gpu_steps and not table.gpus and not options.tags:
            text = (
                "Deadline knows nothing of GPU memory and the site file names no groups for it; name one with --tags."
            )
            found.append(Finding("warning", text, "vram"))
        if len(options.tags) > 1:
            text = f"A job of Deadline has one group; of the tags only {options.tags[0]} is used."
            found.append(Finding("warning", text, "tags"))
        return found

    def translate(self, bundle: Bundle, options: Options) -> Artefacts:
        """Two files for each step; steps that it waits for stand as `{Solve}` until their jobs have an id."""
        files: dict[str, str] = {}
        commands = []
        for step in bundle.steps:
            job, plugin = (f"{self.name}/{step.name}.{name}" for name in (JOB_INFO, PLUGIN_INFO))
            files[script_name(self.name, step)] = task_script(bundle, self.site, step)
            files[job] = _text(self._job_info(bundle, options, step))
            files[plugin] = _text(self._plugin_info(bundle, step))
            commands.append((*self._table.command, f"{bundle.folder}/{job}", f"{bundle.folder}/{plugin}"))
        return Artefacts(files, tuple(commands))

    def submit(self, bundle: Bundle, options: Options) -> JobRef:
        queue = self._queue()
        artefacts = self.translate(bundle, options)
        self.write(bundle, artefacts)
        ids: dict[str, str] = {}
        try:
            for step in bundle.steps:
                files = {name: f"{self.name}/{step.name}.{name}" for name in (JOB_INFO, PLUGIN_INFO)}
                named = {file: _with_ids(artefacts.files[file], ids) for file in files.values()}
                self.write(bundle, Artefacts(named))
                ids[step.name] = queue.submit(bundle.folder, files[JOB_INFO], files[PLUGIN_INFO])
        except BaseException as error:  # Ctrl-C too: half a job would wait in the queue for ever
            left = [submitted for submitted in reversed(ids.values()) if not _is_taken_back(queue, submitted)]
            if left:
                raise FarmError(f"{error} What was submitted before is left: delete {', '.join(left)}.") from error
            raise
        steps = [[step.name, len(step.tasks), ids[step.name]] for step in bundle.steps]
        return self.records.add(next(iter(ids.values())), bundle, {"steps": steps})

    def status(self, ref: JobRef) -> JobStatus:
        record = self.records.find(ref)
        stands = self._stands(record)
        if all(stand.state == "unknown" for stand in stands.values()):
            return job_status(record, "unknown", (), "Deadline has forgotten this job; it may be archived or deleted.")
        steps = [_step(name, total, stands[job_id]) for name, total, job_id in record.facts["steps"]]
        return _status(record, steps, list(stands.values()))

    def cancel(self, ref: JobRef) -> None:
        record = self.records.find(ref)
        state = self.status(ref).state
        if state in ("succeeded", "cancelled", "unknown"):
            return
        if state != "failed":  # what waits for a step that failed is taken away all the same
            self.records.save(replace(record, facts={**record.facts, "cancelled": True}))
        queue = self._queue()
        stands = self._stands(record)
        # The last step first: none is to begin because the one before it has ended.
        for _, _, job_id in reversed(record.facts["steps"]):
            if stands[job_id].state not in ("Completed", "Failed", "unknown"):
                queue.fail(job_id)

    def logs(self, ref: JobRef) -> Iterator[str]:
        record = self.records.find(ref)
        return task_logs(record.bundle, self.name, [(name, tasks) for name, tasks, _ in record.facts["steps"]])

    def doctor(self) -> list[Finding]:
        try:
            return list(self._findings)
        except FarmError as error:
            return [Finding("error", error.message, error.code)]

    # -- a job's files ---------------------------------------------------------------------------------------

    def _job_info(self, bundle: Bundle, options: Options, step: Step) -> dict[str, str]:
        table, gpus = self._table, step.needs.gpus
        kind = smallest(table.gpus, step.needs.vram_mib) if gpus else None
        group = options.tags[0] if options.tags else kind.name if kind else table.group
        info = {
            "Plugin": "CommandLine",
            "Name": f"{bundle.name} {step.name}",
            "BatchName": bundle.name,
            "Comment": bundle.job_folder,
            "Department": table.department,
            "UserName": table.user or self.environment.get("USER") or self.environment.get("USERNAME", ""),
            "Pool": table.pool,
            "SecondaryPool": table.secondary_pool,
            "Group": group,
            "Priority": str(options.priority),
            "LimitGroups": ",".join((*table.limits, *(table.gpu_limits if gpus else ()))),
            "Frames": f"0-{len(step.tasks) - 1}",
            "ChunkSize": "1",
            "ConcurrentTasks": "1",  # a second task on a worker would want the same GPU
            "TaskTimeoutSeconds": str(limit_seconds(step)),
            "OnTaskTimeout": "Error",
            "EnableAutoTimeout": "false",
            "OverrideTaskFailureDetection": "true",
            "FailureDetectionTaskErrors": str(options.retries + 1),
            "OnJobComplete": "Nothing",
        }
        if step.after:
            info["JobDependencies"] = ",".join(f"{{{name}}}" for name in step.after)
            info["IsFrameDependent"] = "false"
            info["ResumeOnCompleteDependencies"] = "true"
            info["ResumeOnFailedDependencies"] = "false"
            info["ResumeOnDeletedDependencies"] = "false"
        info |= {f"OutputDirectory{number}": folder for number, folder in enumerate(bundle.outputs)}
        return {key: value for key, value in info.items() if value}

    def _plugin_info(self, bundle: Bundle, step: Step) -> dict[str, str]:
        return {
            "Executable": SHELL,
            "Arguments": f"<QUOTE>{script_path(bundle, self.site, self.name, step)}<QUOTE> <STARTFRAME>",
            "StartupDirectory": self.site.there(bundle.folder),
            "Shell": "default",
            "ShellExecute": "false",
            "SingleFramesOnly": "true",
        }

    # -- asking Deadline -------------------------------------------------------------------------------------

    @property
    def _table(self) -> Table:
        return read_table(self.site, self.name, Table)

    def _queue(self) -> Queue:
        table = self._table
        return Service(table.url) if table.url else Command(table.command, self.environment)

    @cached_property
    def _findings(self) -> tuple[Finding, ...]:
        """Whether Deadline can be reached; asked once for all shots of a submission."""
        return tuple(self._queue().findings())

    def _stands(self, record: Record) -> dict[str, Stand]:
        """How each of a job's jobs stands, by its id."""
        return self._queue().stands([job_id for _, _, job_id in record.facts["steps"]])


def _text(info: Mapping[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in info.items())


def _with_ids(text: str, ids: Mapping[str, str]) -> str:
    """The job info with the ids of jobs that it waits for."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("JobDependencies="):
            lines[number] = line.format_map(ids)
    return "\n".join([*lines, ""])


def _is_taken_back(queue: Queue, job_id: str) -> bool:
    try:
        queue.fail(job_id)
    except FarmError:
        return False
    return True


def _step(name: str, total: int, stand: Stand) -> StepStatus:
    if stand.state == "unknown":
        return StepStatus(name, "unknown", total)
    failed = stand.failed if stand.state != "Completed" else 0
    state = step_state(total, stand.done, stand.running, failed, stand.state == "Active")
    return StepStatus(name, "failed" if stand.state == "Failed" else state, total, stand.done, stand.running, failed)


def _status(record: Record, steps: list[StepStatus], stands: list[Stand]) -> JobStatus:
    states = [stand.state for stand in stands]
    if all(state == "Completed" for state in states):
        return job_status(record, "succeeded", steps)
    if record.facts.get("cancelled"):
        over = not any(step.running for step in steps) and "Active" not in states
        text = "The job was cancelled." if over else "The job is being cancelled."
        return job_status(record, "cancelled" if over else "running", steps, text)
    if "Failed" in states:
        return job_status(record, "failed", steps, failure(steps))
    if "Suspended" in states:
        return job_status(record, "queued", steps, "The job is suspended in the queue.")
    return job_status(record, "running" if any(step.running or step.done for step in steps) else "queued", steps)
