"""The two ways of talking to Deadline 10: its command `deadlinecommand`, and its web service."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from void_plugin.errors import FarmError
from void_plugin.farm.asking import ask
from void_plugin.farm.jobs import Finding

SERVICE_SECONDS = 30.0
"""How long the web service may take to answer."""
STATES = {1: "Active", 2: "Suspended", 3: "Completed", 4: "Failed", 6: "Pending"}
"""What the web service's numbers mean."""


@dataclass(frozen=True)
class Stand:
    """How one job of Deadline stands."""

    state: str
    """One of the values of `STATES`, or `unknown` where Deadline has no such job."""
    done: int = 0
    running: int = 0
    failed: int = 0


class Queue(ABC):
    """Deadline, however it is reached. Every method raises FarmError where it refuses or cannot be reached."""

    @abstractmethod
    def submit(self, folder: str, job_info: str, plugin_info: str) -> str:
        """Submit the job of two files below a folder; its id."""

    @abstractmethod
    def stands(self, ids: Sequence[str]) -> dict[str, Stand]:
        """How jobs stand, by id."""

    @abstractmethod
    def fail(self, job_id: str) -> None:
        """End a job: all that is not done counts as failed. Deadline has no other word for cancelling."""

    @abstractmethod
    def findings(self) -> list[Finding]:
        """Whether Deadline can be reached; never raises."""


class Command(Queue):
    """`deadlinecommand`, of a Deadline client that knows its repository."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command, self._environment = tuple(command), environment

    def submit(self, folder: str, job_info: str, plugin_info: str) -> str:
        text = self._run(str(Path(folder) / job_info), str(Path(folder) / plugin_info))
        match = re.search(r"^JobID=(\S+)", text, re.MULTILINE)
        if match is None:
            raise FarmError(f"Deadline named no job; it said: {_last(text)}.", "farm.refused")
        return match.group(1)

    def stands(self, ids: Sequence[str]) -> dict[str, Stand]:
        return {job_id: self._stand(job_id) for job_id in ids}

    def fail(self, job_id: str) -> None:
        self._run("-FailJob", job_id)

    def findings(self) -> list[Finding]:
        try:
            pools = self._run("-GetPoolNames").split()  # unlike its version, they lie in the repository
        except FarmError as error:
            return [Finding("error", error.message, error.code)]
        return [Finding("info", f"Deadline's repository answers; it has the pools {', '.join(pools)}.")]

    def _stand(self, job_id: str) -> Stand:
        text = self._run("-GetJob", job_id)
        fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        state = fields.get("Status") or fields.get("JobStatus", "")
        if not state:
            return Stand("unknown")
        done, running, failed = (
            int(fields.get(f"Job{name}Tasks", 0)) for name in ("Completed", "Rendering", "Failed")
        )  # fmt: skip
        # Some versions tell an active job apart as one that renders and one that waits for a worker.
        return Stand("Active" if state in ("Queued", "Rendering") else state, done, running, failed)

    def _run(self, *words: str) -> str:
        answer = ask([*self._command, *words], self._environment)
        # deadlinecommand has ended with 0 and this word since long before it learnt to end with 1.
        if answer.status or answer.text.lstrip().startswith("Error"):
            raise FarmError(f"Deadline refused: {answer.last_words.rstrip('.')}.", "farm.refused")
        return answer.text


class Service(Queue):
    """The web service, where submitting machines have no Deadline client."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def submit(self, folder: str, job_info: str, plugin_info: str) -> str:
        body = {"JobInfo": _info(folder, job_info), "PluginInfo": _info(folder, plugin_info), "AuxFiles": []}
        told = self._call("POST", "jobs", {**body, "IdOnly": True})
        job_id = told.get("_id") if isinstance(told, dict) else None
        if not isinstance(job_id, str):
            raise FarmError(f"Deadline's web service named no job; it said: {told!r}.", "farm.refused")
        return job_id

    def stands(self, ids: Sequence[str]) -> dict[str, Stand]:
        told = self._call("GET", "jobs?" + urllib.parse.urlencode({"JobID": ",".join(ids)}))
        jobs = {job["_id"]: job for job in told} if isinstance(told, list) else {}
        return {job_id: _stand(jobs.get(job_id)) for job_id in ids}

    def fail(self, job_id: str) -> None:
        self._call("PUT", "jobs", {"Command": "fail", "JobID": job_id})

    def findings(self) -> list[Finding]:
        try:
            told = self._call("GET", "repository?Directory=root")
        except FarmError as error:
            return [Finding("error", error.message, error.code)]
        return [Finding("info", f"Deadline's web service {self._url} answers; its repository is {_plain(told)}.")]

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}/api/{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=SERVICE_SECONDS) as answer:
                text = answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode("utf-8", "replace").strip()
            raise FarmError(
                f"Deadline's web service refused ({error.code}): {said.rstrip('.') or error.reason}.", "farm.refused"
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise FarmError(
                f"Deadline's web service {self._url} cannot be reached: {reason}.", "farm.unreachable"
            ) from error
        try:
            return json.loads(text)
        except ValueError:
            return text  # `Success`, and the like


def _stand(job: Mapping[str, Any] | None) -> Stand:
    if job is None:
        return Stand("unknown")
    done, running, failed = (int(job.get(f"{name}Chunks", 0)) for name in ("Completed", "Rendering", "Failed"))
    return Stand(STATES.get(job.get("Stat", 0), "unknown"), done, running, failed)


def _info(folder: str, name: str) -> dict[str, str]:
    """A job or plug-in info file as the mapping that the web service wants."""
    text = (Path(folder) / name).read_text(encoding="utf-8")
    return dict(line.split("=", 1) for line in text.splitlines())


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "nothing"


def _plain(told: Any) -> str:
    return told if isinstance(told, str) else json.dumps(told)
