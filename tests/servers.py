"""A real `void-server serve` in a process of its own, and plain gRPC calls to it without any of our client."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message

from void_plugin import wire
from void_plugin.events import Event, is_last
from void_plugin.frames import Digest
from void_plugin.request import INPUTS, RemovalRequest
from void_plugin.v1 import (
    engine_service_pb2,
    engine_service_pb2_grpc,
    frame_service_pb2,
    frame_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
)

ROOT = Path(__file__).parents[1]
CHUNK = 1 << 20


def processes_of(group: int) -> list[int]:
    """Ids of live processes (no zombies) in a process group or descended from it, by /proc alone."""
    found, parents = [], {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            text = (entry / "stat").read_text()
            state, parent, pgrp = text.rpartition(")")[2].split()[:3]
            if state != "Z":
                parents[int(entry.name)] = int(parent), int(pgrp)
    for pid in parents:
        at = pid
        while at in parents:
            if at == group or parents[at][1] == group:
                found.append(pid)
                break
            at = parents[at][0]
    return sorted(found)


def until(true: Callable[[], Any], seconds: float = 60.0, what: str = "it") -> Any:
    """The first true value of a call; fails the test after a generous time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = true()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {seconds} s")


def rest_of(process: subprocess.Popen[Any], seconds: float = 120.0) -> tuple[Any, Any]:
    """What a process still says on stdout, and all of stderr, at its end.

    For one of which lines were read before: `communicate` loses what was read ahead with them.
    """
    assert process.stdout is not None and process.stderr is not None
    if process.stdin is not None:
        process.stdin.close()
    with process.stdout, process.stderr, ThreadPoolExecutor(1) as pool:
        complaint = pool.submit(process.stderr.read)
        said = process.stdout.read()
        process.wait(seconds)
        return said, complaint.result()


class Server:
    """One server process; `start` again after `kill` keeps its state folder and port."""

    def __init__(self, state: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.state, self.arguments = state, list(arguments)
        self.environment = {**os.environ, **(environment or {})}
        # A configuration of whoever runs the tests must not reach the workers.
        self.environment.setdefault("VOID_CONFIG", os.fspath(_empty_config(state)))
        self.address = "127.0.0.1:0"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> Server:
        command = [sys.executable, "-m", "void_server", "serve", "--state", str(self.state)]
        if "--devices" not in self.arguments:
            command += ["--devices", "cpu"]
        log = open(self.state.parent / f"{self.state.name}.log", "ab")  # noqa: SIM115 - the child's
        with log:
            self.process = subprocess.Popen(
                [*command, "--address", self.address, *self.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self.environment,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log()
        self.address = json.loads(line)["address"]
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def log(self) -> str:
        return (self.state.parent / f"{self.state.name}.log").read_text(errors="replace")[-8000:]

    def worker_pids(self) -> list[int]:
        """Processes that run a worker of this server."""
        found = []
        for pid in processes_of(self.pid):
            with contextlib.suppress(OSError):
                if b"void_server.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def kill(self) -> None:
        """SIGKILL to the server process alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self._close()

    def stop(self, seconds: float = 60.0) -> int:
        """SIGTERM, then the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self._close()
        return code

    def _close(self) -> None:
        assert self.process is not None
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Server:
        return self.start() if self.process is None else self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop(20)
            if self.process.returncode is None:
                self.kill()

    def token(self) -> str:
        return (self.state / "token").read_text().strip()

    def calls(self, token: str | None = None) -> Calls:
        return Calls(self.address, self.token() if token is None else token)


def _empty_config(state: Path) -> Path:
    state.parent.mkdir(parents=True, exist_ok=True)
    path = state.parent / "void-config.json"
    if not path.exists():
        path.write_text("{}")
    return path


class Calls:
    """The stubs of one server with a token on every call."""

    def __init__(self, address: str, token: str) -> None:
        self.channel = grpc.insecure_channel(address)
        self.metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self.frames = frame_service_pb2_grpc.FrameServiceStub(self.channel)
        self.jobs = job_service_pb2_grpc.JobServiceStub(self.channel)
        self.engines = engine_service_pb2_grpc.EngineServiceStub(self.channel)

    def __enter__(self) -> Calls:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def __call__(self, method: Any, request: Message | Iterator[Message], seconds: float = 60.0) -> Any:
        return method(request, metadata=self.metadata, timeout=seconds, wait_for_ready=True)

    def list_engines(self) -> engine_service_pb2.ListEnginesResponse:
        return self(self.engines.ListEngines, engine_service_pb2.ListEnginesRequest())

    def upload(self, data: bytes, digest: Digest | None = None, chunk: int = CHUNK) -> Any:
        digest = digest or digest_of(data)

        def parts() -> Iterator[frame_service_pb2.UploadFrameRequest]:
            yield frame_service_pb2.UploadFrameRequest(header=wire.digest_to_message(digest))
            for offset in range(0, len(data), chunk):
                part = frame_service_pb2.Chunk(offset=offset, data=data[offset : offset + chunk])
                yield frame_service_pb2.UploadFrameRequest(chunk=part)

        return self(self.frames.UploadFrame, parts())

    def download(self, sha256: str, offset: int = 0) -> bytes:
        request = frame_service_pb2.DownloadFrameRequest(offset=offset)
        request.digest.sha256 = sha256
        return b"".join(message.chunk.data for message in self(self.frames.DownloadFrame, request))

    def submit_paths(self, request: RemovalRequest, request_id: str, **more: Any) -> job_service_pb2.SubmitJobResponse:
        message = job_service_pb2.SubmitJobRequest(
            request_id=request_id,
            request=wire.request_to_message(request.rooted()),
            paths=job_service_pb2.PathTransfer(),
            **more,
        )
        return self(self.jobs.SubmitJob, message)

    def submit_uploads(
        self, request: RemovalRequest, request_id: str, **more: Any
    ) -> job_service_pb2.SubmitJobResponse:
        """Upload every frame of every input, then submit."""
        frames = []
        assert request.frames is not None
        for name in INPUTS:
            if request.input(name) is None:
                continue
            for frame in request.frames:
                data = Path(request.sequence(name).path(frame)).read_bytes()
                self.upload(data)
                frames.append(
                    job_service_pb2.InputFrame(
                        input=wire.number_of(wire.INPUT_NAMES, name),
                        frame=frame,
                        digest=wire.digest_to_message(digest_of(data)),
                    )
                )
        message = job_service_pb2.SubmitJobRequest(
            request_id=request_id,
            request=wire.request_to_message(request),
            uploads=job_service_pb2.UploadTransfer(frames=frames),
            **more,
        )
        return self(self.jobs.SubmitJob, message)

    def watch(self, job_id: str, after: int = 0, seconds: float = 120.0) -> Iterator[Event]:
        request = job_service_pb2.WatchJobRequest(job_id=job_id, after_event=after)
        for response in self(self.jobs.WatchJob, request, seconds):
            event = wire.event_from_message(response.event)
            assert event is not None
            yield event

    def last(self, job_id: str, seconds: float = 120.0) -> Event:
        """The event that ends a job; watches again where the server goes away meanwhile."""
        end, after = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            try:
                for event in self.watch(job_id, after, seconds):
                    after = event.number
                    if is_last(event):
                        return event
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE:
                    raise
            time.sleep(0.05)
        raise AssertionError(f"job {job_id} did not end within {seconds} s")

    def job(self, job_id: str) -> job_service_pb2.Job:
        return self(self.jobs.GetJob, job_service_pb2.GetJobRequest(job_id=job_id)).job

    def cancel(self, job_id: str) -> job_service_pb2.Job:
        return self(self.jobs.CancelJob, job_service_pb2.CancelJobRequest(job_id=job_id)).job


def digest_of(data: bytes) -> Digest:
    import hashlib

    return Digest(hashlib.sha256(data).hexdigest(), len(data))


def state_name(job: job_service_pb2.Job) -> str:
    return wire.STATE_NAMES[job.state]


def fails_with(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    """The status and sentence of a call that is refused; streams are read to their end."""
    try:
        result = call()
        if not isinstance(result, Message | bytes | Sequence):
            list(result)
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
    raise AssertionError("the call was not refused")
