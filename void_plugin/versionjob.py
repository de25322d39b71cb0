"""`start` and `attach`: the job of one version, view after view, until its manifest makes it a version."""

import contextlib
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from void_plugin.channel import server_address
from void_plugin.claim import claimed
from void_plugin.completion import complete, completed
from void_plugin.desk import Desk
from void_plugin.errors import Cancelled, HostError, JobError, VoidError, from_code
from void_plugin.events import Queued, to_dict
from void_plugin.farmversion import Standing, look
from void_plugin.heap import keep_memory_together
from void_plugin.hostcall import HostCall
from void_plugin.inputfiles import check_request
from void_plugin.jobrecord import JobRecord
from void_plugin.manifest import is_finished
from void_plugin.serverfacts import config_for
from void_plugin.versionorder import ordered, parsed, refuse_others
from void_plugin.versions import remove_folder
from void_plugin.viewrun import ViewRun

log = logging.getLogger(__name__)


def start(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Run what is asked for in a reserved folder; the result is its `manifest`.

    Raises Cancelled once the folder is gone again. After an error the folder stays, with what was finished.
    """
    folder = Path(call.text("folder"))
    config = config_for(desk.environment, call.text("server", ""))
    record = replace(
        ordered(call, folder, JobRecord.load(folder)),
        state="running",
        server=server_address(config.server) if config.server else "",
    )
    return _work(desk, call, folder, record, {"reserved", "failed"})


def attach(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Take up what was started in a folder and did not come to its end, like `start`.

    What is finished already is the result at once; what a farm makes is `farm`, how it stands there, until then. With
    `again`, a job that has failed is run again; otherwise that error is raised. With `reserved`, a folder in which
    nothing was started is told as that. Raises HostError where there is nothing to take up, or it is somebody else's.
    """
    folder = Path(call.text("folder"))
    if is_finished(folder):
        return {"manifest": completed(folder)}
    record = JobRecord.load(folder)
    uuid = call.text("uuid", "")
    if uuid and record.uuid and uuid != record.uuid:
        raise HostError(f"{folder} belongs to another node; run this one anew.", "host.folder")
    if record.farm and not call.flag("again"):
        return _on_farm(desk, call, folder, record)
    refuse_others(folder, record)
    if record.state == "reserved":
        if call.flag("reserved"):
            return {"reserved": True}
        raise HostError(f"Nothing was started in {folder}; run the node again.", "host.folder")
    if record.state == "failed" and not call.flag("again"):
        raise from_code(record.error.get("code", ""), record.error.get("text", f"The job in {folder} has failed."))
    record = replace(record, state="running", error={}, farm={}).ours()
    return _work(desk, call, folder, record, {"running", "failed", "done"})


def _on_farm(desk: Desk, call: HostCall, folder: Path, record: JobRecord) -> dict[str, Any]:
    try:
        return look(folder, desk.environment, call.check).to_dict()
    except Cancelled:
        if call.left:
            raise
        # Who does not wait for an answer has not taken the job back.
        return Standing(tuple(record.job_names), "unknown", text="Its farm was not waited for.").to_dict()


def _work(desk: Desk, call: HostCall, folder: Path, record: JobRecord, states: set[str]) -> dict[str, Any]:
    """Hold the folder and run the job; `states` are those that the folder may be in."""
    try:
        before = JobRecord.load(folder)
        with claimed(folder, before.whose):
            if is_finished(folder):  # by whoever has just held it
                return {"manifest": completed(folder, held=True)}
            before = JobRecord.load(folder)
            if before.state not in states:
                raise HostError(f"{folder} is {before.state} already; run the node again.", "host.taken")
            desk.begun(folder)
            job = VersionJob(desk, call, folder, record)
            try:
                return {"manifest": job.run()}
            except Cancelled:
                if not call.left:
                    _fail(folder, job.record, JobError("The job was cancelled."))
                raise
            except VoidError as error:
                _fail(folder, job.record, error)
                raise
    except Cancelled:
        if not call.left:
            remove_folder(folder)
        raise


def _fail(folder: Path, record: JobRecord, error: VoidError) -> None:
    try:
        record.failed(error).save(folder)
    except VoidError as second:  # the disk may be what failed; the first error is the one to tell
        log.warning("%s was not marked as failed: %s", folder, second.message)


class VersionJob:
    """The job of one version in a folder that is held."""

    def __init__(self, desk: Desk, call: HostCall, folder: Path, record: JobRecord) -> None:
        self._desk, self._call, self._folder = desk, call, folder
        self.record = record
        """How far it has come, as it stands on disk."""

    def run(self) -> dict[str, Any]:
        """Run what is left of it and return the manifest. Raises VoidError, or Cancelled where it is to end."""
        keep_memory_together()
        self.record.save(self._folder)
        requests = parsed(self._folder, self.record.kind, self.record.requests)
        for request in requests.values():
            check_request(request, self._call.check)
        with contextlib.ExitStack() as stack:
            if not self.record.server:  # each would take all cores for itself
                first = next(iter(requests))
                stack.enter_context(
                    self._desk.turns.turn(lambda place: self._tell_place(first, place), self._call.check)
                )
            for index, (view, request) in enumerate(requests.items()):
                if view not in self.record.views:
                    outcome = self._run_of(view, index / len(requests), 1 / len(requests)).run(request)
                    self._save(views={**self.record.views, view: outcome})
        seconds = time.time() - self.record.began
        return complete(self._folder, self.record, requests, seconds, self._call.check)

    def _run_of(self, view: str, begins: float, share: float) -> ViewRun:
        desk, record = self._desk, self.record
        config = replace(config_for(desk.environment, ""), server=record.server)
        return ViewRun(self._call, self._folder, config, desk.environment, record.kind, view, begins, share)

    def _save(self, **changes: Any) -> None:
        self.record = replace(self.record, **changes)
        self.record.save(self._folder)

    def _tell_place(self, view: str, place: int) -> None:
        self._call.tell({**to_dict(Queued(position=place)), "view": view})
