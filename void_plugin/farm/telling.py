"""How a job stands, from what a queue manager counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from void_plugin.farm.jobs import JobStatus, StepStatus
from void_plugin.farm.records import Record

RESULT = "result.json"


def step_state(total: int, done: int, running: int, failed: int, goes_on: bool) -> str:
    """The state of a step from its counts; `goes_on` says that the queue still works on it."""
    if done == total:
        return "succeeded"
    if failed and not (goes_on and running):
        return "failed"
    return "running" if running or done else "queued"


def job_status(record: Record, state: str, steps: Sequence[StepStatus], text: str = "") -> JobStatus:
    """What is told of a job whose state and steps are known."""
    total = sum(step.total for step in steps)
    fraction = 1.0 if state == "succeeded" else sum(step.done for step in steps) / max(1, total)
    result = Path(record.job_folder) / RESULT
    there = state == "succeeded" and result.is_file()
    return JobStatus(record.ref, state, fraction, text or _text(steps), tuple(steps), str(result) if there else "")


def in_sequence(steps: Sequence[tuple[str, int]], done: int, running: int, failed: int) -> tuple[StepStatus, ...]:
    """Which step counts belong to that are known for a whole job only.

    Steps of our bundles follow one another: the first that is not done is the one at work.
    """
    found = []
    for name, total in steps:
        mine = min(done, total)
        done -= mine
        at_work, broken = (running, failed) if mine < total else (0, 0)
        if mine < total:
            running = failed = 0
        found.append(StepStatus(name, step_state(total, mine, at_work, broken, True), total, mine, at_work, broken))
    return tuple(found)


def failure(steps: Sequence[StepStatus], more: str = "") -> str:
    """A sentence about the tasks that failed."""
    failed = [f"{step.failed} of {step.total} tasks of {step.name}" for step in steps if step.failed]
    return f"{' and '.join(failed) or 'Tasks'} failed{more}; `void farm logs` shows why."


def _text(steps: Sequence[StepStatus]) -> str:
    return ", ".join(f"{step.name} {step.done} of {step.total}" for step in steps if step.state == "running")
