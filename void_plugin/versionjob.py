"""`start` and `attach`: the job of one version, view after view, until its manifest makes it a version."""

import contextlib
import json
import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from void_plugin.channel import server_address
from void_plugin.claim import claimed
from void_plugin.desk import Desk
from void_plugin.errors import Cancelled, HostError, JobError, VoidError, from_code
from void_plugin.events import Queued, to_dict
from void_plugin.heap import keep_memory_together
from void_plugin.hostcall import HostCall
from void_plugin.inputfiles import FOLDER, check_request, digest_of
from void_plugin.jobrecord import JobRecord, user_name
from void_plugin.manifest import commit, is_finished, read_manifest
from void_plugin.request import RemovalRequest
from void_plugin.serverfacts import config_for
from void_plugin.versions import remove_folder
from void_plugin.viewrun import ViewRun, relative

log = logging.getLogger(__name__)


def start(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Run what is asked for in a reserved folder; the result is its `manifest`.

    Raises Cancelled once the folder is gone again. After an error the folder stays, with what was finished.
    """
    folder = Path(call.text("folder"))
    before = JobRecord.load(folder)
    _refuse_others(folder, before)
    kind, requests = call.text("kind", "remove"), call.mapping("requests")
    parsed = _parsed(folder, kind, requests)
    config = config_for(desk.environment, call.text("server", ""))
    record = replace(
        before,
        state="running",
        kind=kind,
        server=server_address(config.server) if config.server else "",
        frames=next((str(request.frames) for request in parsed.values() if request.frames), before.frames),
        node={**before.node, **call.mapping("node")},
        requests=requests,
        facts=call.mapping("facts", {}),
        views={},
        began=time.time(),
        error={},
    ).ours()
    return _work(desk, call, folder, record, {"reserved", "failed"})


def attach(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Take up what was started in a folder and did not come to its end, like `start`.

    What is finished already is the result at once. With `again`, a job that has failed is run again; otherwise that
    error is raised. Raises HostError where there is nothing to take up, or it is somebody else's.
    """
    folder = Path(call.text("folder"))
    if is_finished(folder):
        manifest = read_manifest(folder)
        shutil.rmtree(folder / FOLDER, ignore_errors=True)  # its sidecar may have died just before
        return {"manifest": manifest}
    record = JobRecord.load(folder)
    uuid = call.text("uuid", "")
    _refuse_others(folder, record)
    if uuid and record.uuid and uuid != record.uuid:
        raise HostError(f"{folder} belongs to another node; run this one anew.", "host.folder")
    if record.state == "reserved":
        raise HostError(f"Nothing was started in {folder}; run the node again.", "host.folder")
    if record.state == "failed" and not call.flag("again"):
        raise from_code(record.error.get("code", ""), record.error.get("text", f"The job in {folder} has failed."))
    record = replace(record, state="running", error={}).ours()
    return _work(desk, call, folder, record, {"running", "failed", "done"})


def _refuse_others(folder: Path, record: JobRecord) -> None:
    if record.user != user_name():
        raise HostError(f"{folder} is a job of {record.whose}; only they can take it up.", "host.taken")


def _parsed(folder: Path, kind: str, requests: Mapping[str, Any]) -> dict[str, RemovalRequest]:
    """The requests by view. Raises VoidError for the first that cannot be met as it is written."""
    if kind not in ("remove", "preview"):
        raise HostError(f"There is no kind of job called {kind!r}; it is remove or preview.", "host.call")
    if not requests:
        raise HostError("There is no view to work on; choose at least one.", "host.call")
    parsed: dict[str, RemovalRequest] = {}
    for view, data in requests.items():
        request = RemovalRequest.from_json(json.dumps(data), f"The request of the view {view}")
        if kind == "remove":
            request.check_results()
        for output in request.outputs:
            relative(folder, request.output_sequence(output).pattern)
        parsed[view] = request
    return parsed


def _work(desk: Desk, call: HostCall, folder: Path, record: JobRecord, states: set[str]) -> dict[str, Any]:
    """Hold the folder and run the job; `states` are those that the folder may be in."""
    try:
        before = JobRecord.load(folder)
        with claimed(folder, before.whose):
            if is_finished(folder):  # by whoever has just held it
                return {"manifest": read_manifest(folder)}
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
        requests = _parsed(self._folder, self.record.kind, self.record.requests)
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
        digest = digest_of(self._folder, requests, self._call.check)
        manifest = commit(self._folder, self.record, digest, max(0.0, time.time() - self.record.began))
        self._save(state="done")
        shutil.rmtree(self._folder / FOLDER, ignore_errors=True)  # not worth an error now that all is there
        return manifest

    def _run_of(self, view: str, begins: float, share: float) -> ViewRun:
        desk, record = self._desk, self.record
        config = replace(config_for(desk.environment, ""), server=record.server)
        return ViewRun(self._call, self._folder, config, desk.environment, record.kind, view, begins, share)

    def _save(self, **changes: Any) -> None:
        self.record = replace(self.record, **changes)
        self.record.save(self._folder)

    def _tell_place(self, view: str, place: int) -> None:
        self._call.tell({**to_dict(Queued(position=place)), "view": view})
