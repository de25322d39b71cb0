"""A Deadline 10 of one worker: a repository whose web service takes jobs, and whose worker runs them.

Deadline itself cannot be had for tests. What is here follows its manual: the keys of its files, the tokens of its
plug-in CommandLine, its numbers for states. It refuses what it does not know.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ACTIVE, SUSPENDED, COMPLETED, FAILED, PENDING = 1, 2, 3, 4, 6
KEYS = {
    "Plugin", "Name", "BatchName", "Comment", "Department", "UserName", "Pool", "SecondaryPool", "Group", "Priority",
    "LimitGroups", "Frames", "ChunkSize", "ConcurrentTasks", "TaskTimeoutSeconds", "OnTaskTimeout", "EnableAutoTimeout",
    "OverrideTaskFailureDetection", "FailureDetectionTaskErrors", "OnJobComplete", "JobDependencies",
    "IsFrameDependent", "ResumeOnCompleteDependencies", "ResumeOnFailedDependencies", "ResumeOnDeletedDependencies",
    "OutputDirectory",
}  # fmt: skip
PLUGIN_KEYS = {"Executable", "Arguments", "StartupDirectory", "Shell", "ShellExecute", "SingleFramesOnly"}
PROGRAM = [sys.executable, str(Path(__file__).parent / "fakes" / "deadlinecommand.py")]


@dataclass
class Job:
    id: str
    info: dict[str, str]
    plugin: dict[str, str]
    state: int = ACTIVE
    tasks: list[str] = field(default_factory=list)
    """State of each: Queued, Rendering, Completed or Failed."""
    errors: Counter[int] = field(default_factory=Counter)
    """How often each has failed."""

    @property
    def needs(self) -> list[str]:
        return [name for name in self.info.get("JobDependencies", "").split(",") if name]


class Repository:
    """Jobs, the web service, the worker; use as a context manager."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.refuses: str = ""
        """Name of a job that is not taken."""
        self.is_stubborn = False
        """True where no job is given up."""
        self._changed, self._over = threading.Condition(), False
        self._process: subprocess.Popen[bytes] | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._threads = [threading.Thread(target=what) for what in (self._server.serve_forever, self._work)]

    def __enter__(self) -> Repository:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._kill()
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    # -- the web service -------------------------------------------------------------------------------------

    def answer(self, method: str, url: str, body: Any) -> tuple[int, Any]:
        """Status and what is told."""
        parts = urllib.parse.urlsplit(url)
        asked = dict(urllib.parse.parse_qsl(parts.query))
        if (method, parts.path) == ("GET", "/api/repository") and asked == {"Directory": "root"}:
            return 200, "/mnt/repository"
        if parts.path != "/api/jobs":
            return 501, f"no {method} {url} in this test"
        with self._changed:
            if method == "GET":
                ids = asked["JobID"].split(",")
                return 200, [_document(job) for job in self.jobs.values() if job.id in ids]
            if method == "PUT" and body["Command"] == "fail":
                return self._fail(body["JobID"])
            if method == "POST" and body["IdOnly"] is True and body["AuxFiles"] == []:
                return self._submit(body["JobInfo"], body["PluginInfo"])
        return 500, "Invalid command"

    def _submit(self, info: dict[str, str], plugin: dict[str, str]) -> tuple[int, Any]:
        unknown = ({re.sub(r"\d+$", "", key) for key in info} - KEYS) | (plugin.keys() - PLUGIN_KEYS)
        job = Job(f"{0x5B747B30C3CA512DE42D01D2 + len(self.jobs):x}", info, plugin)
        lost = [name for name in job.needs if name not in self.jobs]
        if unknown or lost or info["Plugin"] != "CommandLine" or info["Name"] == self.refuses:
            return 500, f"The job {info['Name']} cannot be submitted ({sorted(unknown)}, {lost})."
        last = int(info["Frames"].removeprefix("0-"))
        job.tasks = ["Queued"] * (last + 1)
        job.state = PENDING if job.needs else ACTIVE
        self.jobs[job.id] = job
        self._changed.notify_all()
        return 200, {"_id": job.id}

    def _fail(self, job_id: str) -> tuple[int, Any]:
        job = self.jobs.get(job_id)
        if job is None or job.state in (COMPLETED, FAILED) or self.is_stubborn:
            return 500, f"The job {job_id} cannot be failed."
        if "Rendering" in job.tasks:
            self._kill()
        job.tasks = [state if state == "Completed" else "Failed" for state in job.tasks]
        job.state = FAILED
        return 200, "Success"

    def _kill(self) -> None:
        """As a worker ends what it runs: at once, with what is around it."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    # -- the worker ------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (found := self._next()) and not self._over:
                    self._changed.wait()
                if self._over:
                    return
                job, frame = found
                job.tasks[frame] = "Rendering"
                self._process = subprocess.Popen(
                    _command(job, frame), cwd=job.plugin["StartupDirectory"], stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )  # fmt: skip
            status = self._process.wait()
            with self._changed:
                if job.state == ACTIVE:
                    job.errors[frame] += status != 0
                    again = job.errors[frame] < int(job.info["FailureDetectionTaskErrors"])
                    job.tasks[frame] = ("Queued" if again else "Failed") if status else "Completed"
                    if not {"Queued", "Rendering"} & set(job.tasks):
                        job.state = FAILED if "Failed" in job.tasks else COMPLETED

    def _next(self) -> tuple[Job, int] | None:
        """The first task that may run."""
        for job in sorted(self.jobs.values(), key=lambda job: -int(job.info["Priority"])):
            if job.state == PENDING and all(self.jobs[name].state == COMPLETED for name in job.needs):
                job.state = ACTIVE
            if job.state == ACTIVE and "Queued" in job.tasks:
                return job, job.tasks.index("Queued")
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        repository = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, told = repository.answer(self.command, self.path, json.loads(text) if text else None)
                data = json.dumps(told).encode() if status == 200 else str(told).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = handle_one

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing on the tests' terminal."""

        return Handler


def _document(job: Job) -> dict[str, Any]:
    """A job as the web service tells it."""
    counts = {
        f"{state}Chunks": job.tasks.count(state) for state in ("Completed", "Rendering", "Queued", "Failed")
    }  # fmt: skip
    return {"_id": job.id, "Stat": job.state, "Props": {"Name": job.info["Name"]}, "Errs": 0, **counts}


def _command(job: Job, frame: int) -> list[str]:
    """What the plug-in CommandLine runs for a frame."""
    words = job.plugin["Arguments"].replace("<QUOTE>", '"').replace("<STARTFRAME>", str(frame))
    return [job.plugin["Executable"], *shlex.split(words)]
