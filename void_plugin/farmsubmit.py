"""`submit`: hands a reserved version to a farm, through the same `void submit` that people type.

That runs in a process of its own: it plans the shot, and goes on where this sidecar ends with its host. Until its end
it holds the version folder, so that nobody takes the version for one that was never submitted.
"""

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from void_plugin.claim import claimed
from void_plugin.desk import Desk
from void_plugin.errors import Cancelled, FarmError, HostError, VoidError
from void_plugin.events import Warned, to_dict
from void_plugin.farm.asking import Answer, ask_submit
from void_plugin.farmjobs import FarmJobs
from void_plugin.farmversion import FarmVersion
from void_plugin.hostcall import HostCall
from void_plugin.inputfiles import FOLDER, check_request
from void_plugin.jobrecord import JobRecord
from void_plugin.localfiles import write_whole
from void_plugin.request import RemovalRequest
from void_plugin.versionorder import ordered, parsed
from void_plugin.versions import remove_folder


def submit(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Put what is asked for in a reserved folder on a farm, a job a view; the result is how it stands there.

    Raises Cancelled once nothing of it is left. After an error the folder stays, and says why.
    """
    folder = Path(call.text("folder"))
    before = JobRecord.load(folder)
    farm = FarmJobs(desk.environment).chosen(call.text("farm", ""))
    record = replace(ordered(call, folder, before), state="farm", server="", farm={"name": farm.name, "jobs": {}})
    try:
        with claimed(folder, before.whose) as lock:
            state = JobRecord.load(folder).state
            if state not in ("reserved", "failed"):
                raise HostError(f"{folder} is {state} already; press the button again.", "host.taken")
            desk.begun(folder)
            try:
                return _Submission(desk, call, folder, record).run(lock)
            except VoidError as error:
                with contextlib.suppress(VoidError):  # the disk may be what failed; the first error is the one to tell
                    record.failed(error).save(folder)
                raise
    except Cancelled:
        if not call.left:
            remove_folder(folder)  # no longer held: Windows moves no folder with an open file
        raise


class _Submission:
    """One submission, while the version folder is held."""

    def __init__(self, desk: Desk, call: HostCall, folder: Path, record: JobRecord) -> None:
        self._desk, self._call, self._folder, self._record = desk, call, folder, record

    def run(self, lock: int) -> dict[str, Any]:
        """Submit all views or none. Raises FarmError where one is refused, Cancelled where it is to end."""
        requests = parsed(self._folder, self._record.kind, self._record.requests)
        for request in requests.values():
            check_request(request, self._call.check)
        self._record.save(self._folder)
        answer = self._answer(self._written(requests), lock)
        findings = _findings(answer, list(requests))
        version = FarmVersion(self._folder, self._desk.environment, lambda: None)
        if self._is_cancelled() or answer.status:
            version.stop()
            if self._is_cancelled():
                raise Cancelled
            raise FarmError(_refusal(answer, findings), "farm.refused")
        for view, finding in findings:
            if finding["level"] == "warning":
                self._call.tell({**to_dict(Warned(code=finding["code"], text=finding["text"])), "view": view})
        return version.keep().to_dict()

    def _is_cancelled(self) -> bool:
        return self._call.ended and not self._call.left

    def _written(self, requests: Mapping[str, RemovalRequest]) -> list[str]:
        """The request files, beside the inputs that they name."""
        files = []
        for view, request in requests.items():
            path = self._folder / FOLDER / view / "request.json"
            write_whole(path, request.to_json())
            files.append(str(path))
        return files

    def _answer(self, files: Sequence[str], lock: int) -> Answer:
        """What `void submit` says; a host that goes meanwhile does not keep it from going on."""
        # Windows lets a child inherit no single file.
        holds = () if sys.platform == "win32" else (lock,)
        arguments = [*files, "--farm", self._record.farm["name"], "--json"]
        return ask_submit(arguments, self._desk.environment, self._is_cancelled, holds)


def _findings(answer: Answer, views: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """What was found about each view before it was submitted; nothing where it did not come so far."""
    try:
        shots = json.loads(answer.text)["shots"]
    except (ValueError, KeyError):
        return []
    return [(view, finding) for view, shot in zip(views, shots, strict=True) for finding in shot["findings"]]


def _refusal(answer: Answer, findings: Sequence[tuple[str, Mapping[str, str]]]) -> str:
    """Why nothing was submitted."""
    errors = dict.fromkeys(finding["text"] for _, finding in findings if finding["level"] == "error")
    return "\n".join(errors) or answer.last_words or f"void submit ended with exit code {answer.status}."
