"""How a job on Slurm stands: what squeue says of its tasks, what they left behind, what they last wrote.

Slurm forgets a job minutes after its end (MinJobAge), and only sites with a database can ask later. So each task leaves
its exit code beside its log, and what Slurm no longer knows is read from there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from void_plugin.farm.jobs import JobRef, JobStatus, StepStatus
from void_plugin.farm.slurmscript import exit_name, log_name

FORMAT = "%F|%K|%T|%r"
"""Array, index, state and reason, one task a line. Not `--json`: its layout differs from one release to the next, and
it needs a plug-in that not every cluster has."""
TAIL_BYTES = 8192
"""How much of a log's end is looked at."""

_WAITING = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD")
_WORKING = ("RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")
_ENDED = re.compile(r"exited with code: -?[1-9]")
_TOLD = re.compile(r"openjd_(progress|status|fail): ?(.*)")


@dataclass(frozen=True)
class SubmittedStep:
    """One array on Slurm."""

    name: str
    array: str
    """Its number."""
    count: int
    """Tasks, with indices from 0."""


@dataclass(frozen=True)
class TaskState:
    """One task of an array: a state as a step has it, and why it waits or how it failed."""

    state: str
    reason: str = ""


@dataclass(frozen=True)
class Queue:
    """What Slurm says of the tasks that it still knows."""

    tasks: Mapping[tuple[str, int], TaskState] = field(default_factory=dict)
    """By array and index."""
    arrays: Mapping[str, TaskState] = field(default_factory=dict)
    """What is said of all other tasks of an array at once, as where it was cancelled before any began."""

    def task(self, array: str, index: int) -> TaskState | None:
        """How a task stands; None where it is forgotten."""
        return self.tasks.get((array, index), self.arrays.get(array))


def read_queue(text: str) -> Queue:
    """What squeue printed with `FORMAT`."""
    tasks: dict[tuple[str, int], TaskState] = {}
    arrays: dict[str, TaskState] = {}
    for line in text.splitlines():
        array, index, word, reason = line.strip().split("|", 3)
        state = _state(word)
        task = TaskState(state, word if state == "failed" else reason)
        if index.isdecimal():
            tasks[array, int(index)] = task
        else:
            arrays[array] = task
    return Queue(tasks, arrays)


def job_status(
    ref: JobRef, steps: Sequence[SubmittedStep], queue: Queue, folder: Path, is_cancelled: bool, result: Path
) -> JobStatus:
    """How the whole job stands; `folder` is where its tasks leave logs and exit codes."""
    tasks = {step.name: [_task(step, index, queue, folder) for index in range(step.count)] for step in steps}
    told = [_step(step.name, tasks[step.name], is_cancelled) for step in steps]
    state = _job_state(told, is_cancelled)
    total, done = sum(step.count for step in steps), float(sum(step.done for step in told))
    done += sum(
        _progress(folder / log_name(name, index))
        for name, states in tasks.items()
        for index, task in enumerate(states)
        if task.state == "running"
    )
    text = _text(state, steps, tasks, folder, is_cancelled)
    path = str(result) if state == "succeeded" and result.is_file() else ""
    return JobStatus(ref, state, round(done / total, 4), text, tuple(told), path)


def _state(word: str) -> str:
    if word in _WAITING:
        return "queued"
    if word in _WORKING:
        return "running"
    if word == "COMPLETED":
        return "succeeded"
    return "cancelled" if word == "CANCELLED" else "failed"


def _task(step: SubmittedStep, index: int, queue: Queue, folder: Path) -> TaskState:
    known = queue.task(step.array, index)
    if known is not None:
        return known
    try:
        code = int((folder / exit_name(step.name, index)).read_text(encoding="ascii"))
    except (OSError, ValueError):  # it never came to its end, or the file is not written yet
        return TaskState("unknown")
    return TaskState("succeeded" if code == 0 else "failed")


def _step(name: str, tasks: Sequence[TaskState], is_cancelled: bool) -> StepStatus:
    counts = Counter(task.state for task in tasks)
    if counts["running"] or 0 < counts["queued"] < len(tasks):
        state = "running"
    elif counts["queued"]:
        state = "queued"
    elif is_cancelled and counts["succeeded"] < len(tasks):
        state = "cancelled"
    else:
        state = next(state for state in ("failed", "cancelled", "unknown", "succeeded") if counts[state])
    failed = 0 if is_cancelled else counts["failed"]
    return StepStatus(name, state, len(tasks), counts["succeeded"], counts["running"], failed)


def _job_state(steps: Sequence[StepStatus], is_cancelled: bool) -> str:
    states = {step.state for step in steps}
    if states in ({"queued"}, {"succeeded"}):
        return states.pop()
    # A failure is told once nothing of the job runs or waits any more.
    if states & {"running", "queued"}:
        return "running"
    if is_cancelled:
        return "cancelled"
    return next(state for state in ("failed", "cancelled", "unknown") if state in states)


def _text(
    state: str,
    steps: Sequence[SubmittedStep],
    tasks: Mapping[str, Sequence[TaskState]],
    folder: Path,
    is_cancelled: bool,
) -> str:
    if state == "unknown":
        return "Slurm has forgotten this job, and not all of its tasks came to an end; submit the request again."
    if state == "failed":
        return _why(steps, tasks, folder)
    if state == "cancelled":
        return "The job was cancelled; what is solved is kept."
    if state == "succeeded":
        return ""
    if is_cancelled:
        return "The job is being stopped; tasks write down what they have."
    for step in steps:
        states = tasks[step.name]
        for index, task in enumerate(states):
            if task.state == "running":
                said = _last(folder / log_name(step.name, index), "status")
                return f"{step.name} {index}: {said}" if said else step.name
        waiting = next((task for task in states if task.state == "queued"), None)
        if waiting is not None:
            return f"{step.name} waits ({waiting.reason})." if waiting.reason != "None" else f"{step.name} waits."
    return ""


def _why(steps: Sequence[SubmittedStep], tasks: Mapping[str, Sequence[TaskState]], folder: Path) -> str:
    """Why a job failed: what its first failed task said, else what Slurm says of it."""
    for step in steps:
        for index, task in enumerate(tasks[step.name]):
            if task.state == "failed":
                log = folder / log_name(step.name, index)
                said = _last(log, "fail") or _last_words(log)
                if said:
                    return f"{step.name} {index} failed: {said}"
                how = f" ({task.reason})" if task.reason else ""
                return f"{step.name} {index} failed{how}; its log is {log}."
    return ""


def _progress(log: Path) -> float:
    try:
        return min(1.0, max(0.0, float(_last(log, "progress") or 0) / 100))
    except ValueError:
        return 0.0


def _last(log: Path, kind: str) -> str:
    """What a task last said of one kind; empty where it said nothing lately."""
    found = (match for line in reversed(_tail(log)) if (match := _TOLD.search(line)) and match[1] == kind)
    match = next(found, None)
    return match[2].strip() if match else ""


def _last_words(log: Path) -> str:
    """What a program said just before it ended badly; empty where none did, or without a word."""
    before = ""
    for line in _tail(log):
        said = line.partition("\t")[2].strip()
        if _ENDED.search(said):
            return before
        before = "" if said == "Output:" else said or before
    return ""


def _tail(log: Path) -> list[str]:
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return stream.read().decode("utf-8", "replace").splitlines()
    except OSError:  # not begun, or not visible here yet
        return []
