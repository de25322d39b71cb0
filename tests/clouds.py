"""A Deadline Cloud of one queue and one worker: an HTTP service that the real `deadline` command talks to.

It answers what the command asks in AWS's own words, keeps each CreateJob, and runs the jobs with `openjd run`, a
session for each step, as a worker would. What it does not know, it answers with an error that names it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.parse
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from foreign import foreign_bin

FARM, QUEUE = "farm-" + "f" * 32, "queue-" + "9" * 32
PLACE = "/2023-10-12/farms/[^/]+/queues/[^/]+"
BUCKET = "studio-bucket"
KEYS = {"accessKeyId": "k", "secretAccessKey": "s", "sessionToken": "t", "expiration": "2099-01-01T00:00:00Z"}
IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/me</Arn><UserId>me</UserId>"
    "<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
GRACE = 20.0
"""Seconds that a cancelled run has, as a worker of the service gives it some."""
NO_ACTIONS: dict[str, Any] = {"sessionActions": []}


@dataclass
class Session:
    """One step at work."""

    id: str
    step: str
    started: str
    lines: list[str] = field(default_factory=list)
    ended: str = ""


@dataclass
class Job:
    """One job, as it was created and as it stands."""

    id: str
    body: dict[str, Any]
    template: dict[str, Any]
    state: str = "READY"
    tasks: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    sessions: list[Session] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None

    @property
    def parameters(self) -> dict[str, str]:
        return {name: next(iter(typed.values())) for name, typed in self.body.get("parameters", {}).items()}


class Cloud:
    """The service; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[str, Job] = {}
        self.works = True
        """False where there is no worker, so that jobs wait for ever."""
        self.asked: list[tuple[str, str]] = []
        """Every request: method and path."""
        self.objects: dict[str, bytes] = {}
        """What lies in the queue's bucket, by key."""
        self.lifecycle = ("CREATE_COMPLETE", "Job creation completed successfully")
        """How far a job has come, and what is said of it."""
        self.errors: dict[str, tuple[int, str, str]] = {}
        """Operations that are turned away: status, kind, message."""
        self.queue: dict[str, Any] = {"queueId": QUEUE, "farmId": FARM, "displayName": "Night", "status": "IDLE",
            "defaultBudgetAction": "NONE", **_created()}  # fmt: skip
        self.command = [str(foreign_bin("deadline-cloud") / "deadline")]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Cloud:
        self._go(self._server.serve_forever)
        return self

    def __exit__(self, *_: object) -> None:
        for job in self.jobs.values():
            self.cancel(job)
        self._server.shutdown()
        self._server.server_close()
        while self._threads:  # what ends may start one more
            self._threads.pop().join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What leads the command here, and nowhere else."""
        names = ("deadline", "sts", "s3", "cloudwatch_logs")
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DEADLINE_"))},
            **{f"AWS_ENDPOINT_URL_{name.upper()}": self.url for name in names},
            "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_DISABLE_HOST_PREFIX_INJECTION": "true", "AWS_MAX_ATTEMPTS": "1",
            "HOME": str(home), "DEADLINE_CONFIG_FILE_PATH": str(home / "config"),
        }  # fmt: skip

    def carry(self) -> None:
        """Give the queue a bucket, so that files travel."""
        self.queue["jobAttachmentSettings"] = {"s3BucketName": BUCKET, "rootPrefix": "void"}

    def cancel(self, job: Job) -> None:
        """End a job; what runs is told, and may write its checkpoint."""
        if job.state in ("READY", "RUNNING"):
            job.state = "CANCELED"
            if job.process is not None:
                self._end(job.process)

    def _end(self, process: subprocess.Popen[str]) -> None:
        """Tell a run to end, and end it where it does not: `openjd run` may miss a signal between two actions."""
        process.send_signal(signal.SIGTERM)

        def insist() -> None:
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()

        self._go(insist)

    # -- what is asked ---------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, target: str, body: bytes) -> tuple[int, Any] | None:
        """Status and document for a request: JSON as a mapping, XML as text; None where there is no answer to it."""
        if path.startswith(f"/{BUCKET}"):
            return self._object(method, path.removeprefix(f"/{BUCKET}").lstrip("/"), body)
        for operation, asked, pattern, reply in self._operations():
            match = re.fullmatch(pattern, target or path)
            if asked == method and match:
                if operation in self.errors:
                    status, kind, message = self.errors[operation]
                    return status, {"__type": kind, "message": message}
                return reply(match, body)
        return None

    def _operations(self) -> list[tuple[str, str, str, Callable[[re.Match[str], bytes], Any]]]:
        job = f"{PLACE}/jobs/(job-[0-9a-f]+)"
        return [
            ("GetQueue", "GET", PLACE, lambda match, body: (200, self.queue)),
            ("ListQueueEnvironments", "GET", f"{PLACE}/environments", lambda match, body: (200, {"environments": []})),
            ("CreateJob", "POST", f"{PLACE}/jobs", lambda match, body: (201, self._create(json.loads(body)))),
            ("GetJob", "GET", job, self._about(self._job)),
            ("UpdateJob", "PATCH", job, self._about(self._update)),
            ("ListSessions", "GET", f"{job}/sessions", self._about(self._sessions)),
            ("ListSessionActions", "GET", f"{job}/session-actions", self._about(lambda job, body: NO_ACTIONS)),
            ("GetSession", "GET", f"{job}/sessions/(session-[0-9a-f]+)", self._session),
            ("AssumeQueueRoleForUser", "GET", f"{PLACE}/user-roles", lambda match, body: (200, {"credentials": KEYS})),
            ("GetCallerIdentity", "POST", "/", lambda match, body: (200, IDENTITY)),
            ("GetLogEvents", "POST", r"Logs_\d+\.GetLogEvents", self._events),
        ]  # fmt: skip

    def _object(self, method: str, key: str, body: bytes) -> tuple[int, Any]:
        """What S3 does with an object, or says of all of them where no key is given."""
        if method == "PUT":
            self.objects[key] = body
            return 200, ""
        if not key:
            return 200, f"<ListBucketResult><Name>{BUCKET}</Name><KeyCount>0</KeyCount></ListBucketResult>"
        return (200, self.objects[key].decode()) if key in self.objects else (404, "")

    def _about(self, reply: Callable[[Job, bytes], dict[str, Any]]) -> Callable[[re.Match[str], bytes], Any]:
        """An operation about one job."""

        def answer(match: re.Match[str], body: bytes) -> tuple[int, dict[str, Any]]:
            job = self.jobs.get(match.group(1))
            if job is None:
                message = f"Resource of type job with id {match.group(1)} does not exist."
                return 404, {"__type": "ResourceNotFoundException", "message": message}
            return 200, reply(job, body)

        return answer

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        job = Job(f"job-{len(self.jobs) + 1:032x}", body, json.loads(body["template"]))
        folder = self.folder / job.id
        folder.mkdir()
        (folder / "template.json").write_text(body["template"])
        job.tasks = _tasks(job, folder)
        self.jobs[job.id] = job
        if self.works:
            self._go(lambda: self._run(job, folder))
        return {"jobId": job.id}

    def _job(self, job: Job, body: bytes) -> dict[str, Any]:
        counts = Counter(job.counts)
        rest = sum(job.tasks.values()) - sum(counts.values())
        counts["CANCELED" if job.state == "CANCELED" else "PENDING"] += max(0, rest)
        began = {"startedAt": job.sessions[0].started} if job.sessions else {}
        return {
            "jobId": job.id, "name": job.template["name"], "lifecycleStatus": self.lifecycle[0],
            "lifecycleStatusMessage": self.lifecycle[1], "priority": job.body["priority"],
            "taskRunStatus": job.state, "taskRunStatusCounts": dict(counts), "parameters": job.body["parameters"],
            "maxRetriesPerTask": job.body["maxRetriesPerTask"], **began, **_created(), **_attached(job),
        }  # fmt: skip

    def _update(self, job: Job, body: bytes) -> dict[str, Any]:
        assert json.loads(body)["targetTaskRunStatus"] == "CANCELED"
        self.cancel(job)
        return {}

    def _sessions(self, job: Job, body: bytes) -> dict[str, Any]:
        return {"sessions": [_summary(session) for session in job.sessions]}

    def _session(self, match: re.Match[str], body: bytes) -> tuple[int, dict[str, Any]]:
        found = next(session for session in self.jobs[match.group(1)].sessions if session.id == match.group(2))
        return 200, {**_summary(found), "log": {"logDriver": "awslogs"}}

    def _events(self, match: re.Match[str], body: bytes) -> tuple[int, dict[str, Any]]:
        asked = json.loads(body)
        assert asked["logGroupName"] == f"/aws/deadline/{FARM}/{QUEUE}"
        sessions = {session.id: session for job in self.jobs.values() for session in job.sessions}
        lines = sessions[asked["logStreamName"]].lines[-asked["limit"] :]
        events = [{"timestamp": 1000 + number, "message": line} for number, line in enumerate(lines)]
        return 200, {"events": events, "nextForwardToken": "f", "nextBackwardToken": "b"}

    # -- what is done ----------------------------------------------------------------------------------------

    def _go(self, what: Callable[[], None]) -> None:
        thread = threading.Thread(target=what)
        self._threads.append(thread)
        thread.start()

    def _run(self, job: Job, folder: Path) -> None:
        """Run the steps of a job in order, each in a session."""
        for step in job.tasks:
            if job.state == "CANCELED":
                return
            job.state = "RUNNING"
            done = self._step(job, folder, step)
            job.counts["RUNNING"] = 0
            job.counts["SUCCEEDED"] += done
            if job.state != "CANCELED" and done < job.tasks[step]:
                job.counts["FAILED"] += 1
                job.state = "FAILED"
                return
        if job.state == "RUNNING":
            job.state = "SUCCEEDED"

    def _step(self, job: Job, folder: Path, step: str) -> int:
        """Run a step and return how many of its tasks succeeded."""
        session = Session(f"session-{uuid.uuid4().hex}", step, _now())
        job.sessions.append(session)
        command = [sys.executable, "-m", "openjd", "run", str(folder / "template.json"), "--step", step]
        command += ["--extensions", "TASK_CHUNKING", "--job-param", json.dumps(job.parameters)]
        job.counts["RUNNING"] = 1
        job.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if job.state == "CANCELED":  # between the look and the start
            self._end(job.process)
        with job.process as process:
            assert process.stdout is not None
            for line in process.stdout:
                session.lines.append(line.rstrip("\n").partition("\t")[2])
        session.ended = _now()
        begun = sum("Running Task" in line for line in session.lines)
        return begun if process.returncode == 0 else begun - 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = urllib.parse.urlsplit(self.path).path
                target = self.headers.get("X-Amz-Target", "")
                cloud.asked.append((self.command, target or path))
                told = cloud.answer(self.command, path, target, body)
                status, document = told or (501, {"__type": "NotInThisTest", "message": f"{self.command} {path}"})
                is_json = isinstance(document, dict)
                text = json.dumps(document).encode() if is_json else document.encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if is_json else "text/xml")
                self.send_header("Content-Length", str(len(text)))
                if is_json and "__type" in document:
                    self.send_header("x-amzn-ErrorType", document["__type"])
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = handle_one

            def log_message(self, format: str, *arguments: Any) -> None:
                """Nothing on the tests' terminal."""

        return Handler


def _tasks(job: Job, folder: Path) -> dict[str, int]:
    """How many tasks each step has, as OpenJD counts them."""
    from openjd.model import StepParameterSpaceIterator, create_job, decode_job_template, preprocess_job_parameters

    template = decode_job_template(template=job.template, supported_extensions=["TASK_CHUNKING"])
    values = preprocess_job_parameters(
        job_template=template, job_parameter_values=dict(job.parameters), job_template_dir=folder,
        current_working_dir=folder,
    )  # fmt: skip
    made = create_job(job_template=template, job_parameter_values=values)
    return {step.name: len(list(StepParameterSpaceIterator(space=step.parameterSpace))) for step in made.steps}


def _summary(session: Session) -> dict[str, Any]:
    ended = {"endedAt": session.ended} if session.ended else {}
    return {
        "sessionId": session.id, "fleetId": "fleet-" + "1" * 32, "workerId": "worker-" + "1" * 32,
        "startedAt": session.started, "lifecycleStatus": "ENDED" if ended else "STARTED", **ended,
    }  # fmt: skip


def _attached(job: Job) -> dict[str, Any]:
    return {"attachments": job.body["attachments"]} if "attachments" in job.body else {}


def _created() -> dict[str, str]:
    return {"createdAt": "2026-01-01T00:00:00Z", "createdBy": "me"}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
