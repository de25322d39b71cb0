"""The process that runs one job of the farm `local`: `python -m void_plugin.farm.localsession FOLDER BUNDLE`.

Progress, failures and cancelling go through the API of openjd-sessions, not through its log. Tasks watch this process:
whatever ends it, ends them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from openjd.model import (
    Job,
    RevisionExtensions,
    SpecificationRevision,
    Step,
    StepDependencyGraph,
    StepParameterSpaceIterator,
    TaskParameterSet,
    create_job,
    decode_job_template,
    preprocess_job_parameters,
)
from openjd.sessions import LOG, ActionState, ActionStatus, LogContent, Session

from void_plugin.errors import FarmError
from void_plugin.farm.bundle import TEMPLATE, VALUES
from void_plugin.farm.jobs import JobRef, JobStatus, StepStatus
from void_plugin.farm.local import READY
from void_plugin.farm.localjob import LocalJob

EXTENSIONS = ["TASK_CHUNKING"]
POLL_SECONDS = 0.2
"""How often it is looked whether the job is to stop."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a job to its end; 0 where it succeeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the job's state")
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    parser.add_argument("--tell", type=int, default=2, help="descriptor that is told whether the job runs")
    options = parser.parse_args(arguments)
    if os.fork():  # whoever started us is not to wait for the job, nor to leave a zombie
        os._exit(0)
    job = LocalJob(options.folder)
    with job.held():
        try:
            runner = Runner(job, *_load(options.bundle))
        except FarmError as error:
            os.write(options.tell, error.message.encode())
            return 1
        runner.tell("queued")
        os.write(options.tell, READY.encode())
        os.close(options.tell)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, runner.stop)
        return 0 if runner.run() == "succeeded" else 1


def _load(bundle: Path) -> tuple[Job, dict[str, Any]]:
    """The job that a bundle describes, and its parameters. Raises FarmError where it is none."""
    try:
        template = decode_job_template(
            template=json.loads((bundle / TEMPLATE).read_text(encoding="utf-8")), supported_extensions=EXTENSIONS
        )
        listed = json.loads((bundle / VALUES).read_text(encoding="utf-8"))["parameterValues"]
        values = preprocess_job_parameters(
            job_template=template,
            job_parameter_values={item["name"]: item["value"] for item in listed},
            job_template_dir=bundle,
            current_working_dir=bundle,
        )
        return create_job(job_template=template, job_parameter_values=values), values
    except (OSError, ValueError, KeyError) as error:  # openjd's own errors are ValueErrors
        raise FarmError(f"The bundle {bundle} cannot be run: {error}", "farm.bundle") from error


class Stopped(Exception):
    """Unwinds to the environments, which are always left: the job was stopped, or something failed."""


class Runner:
    """Runs the tasks of one job in one session, one after the other."""

    def __init__(self, job: LocalJob, template: Job, values: dict[str, Any]) -> None:
        self._job, self._template, self._values = job, template, values
        self._steps = StepDependencyGraph(job=template).topo_sorted()
        self._tasks = {step.name: _tasks_of(step) for step in self._steps}
        self._told = {step.name: StepStatus(step.name, "queued", len(self._tasks[step.name])) for step in self._steps}
        self._ended, self._changed = threading.Event(), threading.Event()
        self._last: ActionStatus | None = None
        self._asked_to_stop = False
        self._problem = ""

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: stop as when the job is cancelled."""
        self._asked_to_stop = True

    def run(self) -> str:
        """Run all steps once it is this job's turn, and return how it ended: succeeded, failed or cancelled."""
        try:
            self._await_turn()
        except Stopped:
            self.tell("cancelled")
            return "cancelled"
        self._job.sessions.mkdir()
        handler = _log_to(self._job.log)
        session = Session(
            session_id=self._job.folder.name,
            job_parameter_values=self._values,
            job_name=str(self._template.name),
            callback=self._heard,
            session_root_directory=self._job.sessions,
            revision_extensions=RevisionExtensions(
                spec_rev=SpecificationRevision.v2023_09, supported_extensions=EXTENSIONS
            ),
        )
        try:
            for step in self._steps:
                self._run_step(session, step)
            state = "succeeded"
        except Stopped:
            state = "cancelled" if self._is_stopping and not self._problem else "failed"
        finally:
            session.cleanup()
            LOG.removeHandler(handler)
            handler.close()
            shutil.rmtree(self._job.sessions, ignore_errors=True)
        self.tell(state, self._problem)
        return state

    def tell(self, state: str, text: str = "", progress: float = 0.0) -> None:
        """Write how the job stands; `progress` is that of the task at work, in 0..1."""
        steps = tuple(self._told.values())
        whole = sum(step.total for step in steps)
        done = sum(step.done for step in steps) + progress
        ref = JobRef("local", self._job.folder.name)
        self._job.write(JobStatus(ref, state, round(done / whole, 4), text, steps))

    def _await_turn(self) -> None:
        """Wait while a job runs that was submitted before. Raises Stopped where this one is not to go on."""
        for earlier in self._job.line():
            if earlier.is_held():
                self.tell("queued", f"It waits for {JobRef('local', earlier.folder.name)}.")
            while earlier.is_held():
                if self._is_stopping:
                    raise Stopped
                time.sleep(POLL_SECONDS)
        if self._is_stopping:
            raise Stopped

    # -- steps and tasks -------------------------------------------------------------------------------------

    def _run_step(self, session: Session, step: Step) -> None:
        name = step.name
        entered: list[str] = []
        self._note(name, state="running")
        try:
            try:
                for environment in step.stepEnvironments or ():
                    what = f"{name}, {environment.name}"
                    LOG.info(f"== {what} starts")
                    self._ended.clear()
                    entered.append(session.enter_environment(environment=environment, step_name=name))
                    self._await(session, what)
                for values in self._tasks[name]:
                    self._run_task(session, step, values)
            finally:
                self._leave(session, name, entered)
            if self._problem:
                raise Stopped
        except Stopped:
            stopped = self._is_stopping and not self._problem
            failed = 0 if stopped else self._told[name].running
            self._note(name, state="cancelled" if stopped else "failed", running=0, failed=failed)
            raise
        self._note(name, state="succeeded")

    def _run_task(self, session: Session, step: Step, values: TaskParameterSet) -> None:
        what = " ".join([step.name, *(str(item.value) for item in values.values())])
        LOG.info(f"== {what}")
        self._note(step.name, running=1)
        self._ended.clear()
        session.run_task(step_script=step.script, task_parameter_values=values, step_name=step.name)
        self._await(session, what)
        self._note(step.name, running=0, done=self._told[step.name].done + 1)

    def _leave(self, session: Session, step: str, entered: list[str]) -> None:
        """Leave the environments that were entered, the last one first, whatever happened in them."""
        for identifier in reversed(entered):
            LOG.info(f"== {step} ends what it started")
            self._ended.clear()
            session.exit_environment(identifier=identifier, keep_session_running=True)
            self._ended.wait()
            if self._last is not None and self._last.state != ActionState.SUCCESS and not self._is_stopping:
                self._problem = self._problem or _problem(f"{step}, at its end,", self._last)

    def _await(self, session: Session, what: str) -> None:
        """Wait until what was begun has ended. Raises Stopped where it did not end well, or is not to go on."""
        is_told = False
        while not self._ended.wait(POLL_SECONDS):
            if self._is_stopping and not is_told:
                with contextlib.suppress(RuntimeError):  # it has just ended by itself
                    session.cancel_action()
                is_told = True
            if self._changed.is_set():
                self._changed.clear()
                self._tell_progress(what)
        last = self._last
        assert last is not None
        if last.state == ActionState.SUCCESS and not self._is_stopping:
            return
        if not self._is_stopping:
            self._problem = _problem(what, last)
        raise Stopped

    def _tell_progress(self, what: str) -> None:
        last = self._last
        if last is not None:
            said = f": {last.status_message}" if last.status_message else ""
            self.tell("running", f"{what}{said}", (last.progress or 0.0) / 100)

    def _heard(self, session_id: str, status: ActionStatus) -> None:
        """Called by the session, on a thread of its own."""
        self._last = status
        self._changed.set()
        if status.state != ActionState.RUNNING:
            self._ended.set()

    def _note(self, step: str, **changes: Any) -> None:
        self._told[step] = replace(self._told[step], **changes)
        self.tell("running", step)

    @property
    def _is_stopping(self) -> bool:
        self._asked_to_stop = self._asked_to_stop or self._job.is_cancelled
        return self._asked_to_stop


def _tasks_of(step: Step) -> list[TaskParameterSet]:
    return list(StepParameterSpaceIterator(space=step.parameterSpace))


def _problem(what: str, status: ActionStatus) -> str:
    if status.fail_message:
        return status.fail_message
    if status.state == ActionState.TIMEOUT:
        return f"{what} took longer than it may."
    return f"{what} ended with exit code {status.exit_code}."


def _log_to(path: Path) -> logging.Handler:
    """Write what tasks say, and our own headings, into a file."""
    handler = logging.FileHandler(path, encoding="utf-8")
    wanted = LogContent.COMMAND_OUTPUT

    def is_wanted(record: logging.LogRecord) -> bool:
        content = getattr(record, "openjd_log_content", None)
        return record.getMessage().startswith("== ") if content is None else bool(content & wanted)

    handler.addFilter(is_wanted)
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    return handler


if __name__ == "__main__":
    sys.exit(main())
