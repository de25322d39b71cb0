"""A small, strict model of the server: real gRPC, frames in a dict, jobs that follow a script.

It refuses what the real server refuses, notes what a client must never do in `violations`, and can be told to fail.
Run as a program it stands in for `void-server`; how its jobs behave is chosen by the `prompt` of the request.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc

from void_plugin.errors import FrameError, JobError, RequestError, ServerError, VoidError
from void_plugin.events import (
    Event,
    Failed,
    Finished,
    FrameReady,
    Progressed,
    Queued,
    Started,
    Stopped,
    Warned,
    is_last,
)
from void_plugin.request import RemovalRequest
from void_plugin.v1 import (
    engine_service_pb2,
    engine_service_pb2_grpc,
    frame_service_pb2,
    frame_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
)
from void_plugin.wire import (
    INPUT_NAMES,
    KIND_NAMES,
    STATE_NAMES,
    digest_from_message,
    digest_to_message,
    event_to_message,
    machine_digest,
    number_of,
    request_from_message,
    status_of,
)

MAGIC = b"\x76\x2f\x31\x01"
"""The first bytes of an EXR, the only thing about pixels that this model knows."""
CHUNK = 1 << 16
TOKEN = "the-token-of-the-fake-server"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class FakeJob:
    """One job; the thread that runs its script and the watchers meet here."""

    job_id: str
    kind: str
    request: RemovalRequest
    submitted: bytes
    uploads: dict[tuple[str, int], str] | None
    server: FakeServer
    state: str = "queued"
    events: list[Event] = field(default_factory=list)
    cancelled: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def say(self, event: Event) -> None:
        with self.changed:
            self.events.append(replace(event, job=self.job_id, number=len(self.events) + 1))
            if is_last(event):
                self.state = {Finished: "succeeded", Failed: "failed", Stopped: "cancelled"}[type(event)]
            elif isinstance(event, Started):
                self.state = "running"
            self.changed.notify_all()

    def wait(self, until: Callable[[], object], seconds: float = 30.0) -> None:
        """For scripts: wait until something is true or the job is cancelled."""
        deadline = time.monotonic() + seconds
        while not until() and not self.cancelled and time.monotonic() < deadline:
            time.sleep(0.01)

    def run(self, script: Callable[[FakeJob], Iterator[Event]]) -> None:
        for event in script(self):
            if self.cancelled:
                self.say(Stopped())
                return
            self.say(event)

    def ready(self, frame: int, output: int = 0) -> FrameReady:
        """Make one output frame: into the frames of the server, or to where the request says."""
        target = self.request.output_sequence(self.request.outputs[output]).path(frame)
        seed = self.uploads[("plate", frame)] if self.uploads is not None else f"{frame}"
        data = MAGIC + f"{self.kind} {output} {seed}".encode() * 9000
        digest = sha256(data)
        if self.uploads is not None:
            self.server.frames[digest] = data
            return FrameReady(frame=frame, digest=digest, coverage=0.5, output=output)
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        Path(target).write_bytes(data)
        return FrameReady(frame=frame, path=target, digest=digest, coverage=0.5, output=output)

    def finish(self) -> Finished:
        shares = {"untouched": 0.9, "recovered": 0.08, "generated": 0.02}
        if self.kind == "preview":
            return Finished()
        text = json.dumps({"summary": shares})
        if self.uploads is not None:
            self.server.frames[sha256(text.encode())] = text.encode()
            return Finished(digest=sha256(text.encode()), summary=shares)
        folder = Path(self.request.job_folder())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").write_text(text)
        return Finished(result=str(folder / "result.json"), summary=shares)

    def message(self) -> job_service_pb2.Job:
        message = job_service_pb2.Job(
            job_id=self.job_id,
            request_id=self.request.request_id,
            owner="artist",
            kind=number_of(KIND_NAMES, self.kind),
            state=number_of(STATE_NAMES, self.state),
            shot=self.request.shot,
            engine=self.request.engine,
            frames=str(self.request.frames or ""),
            priority=self.request.priority,
            eta_seconds=-1,
            last_event=len(self.events),
            stopping=self.cancelled and self.state in ("queued", "running"),
        )
        message.submitted_at.seconds = 1_700_000_000
        if self.state not in ("queued", "running"):
            message.ended_at.seconds = 1_700_000_100
        return message


def well(job: FakeJob) -> Iterator[Event]:
    """A job that goes well."""
    assert job.request.frames is not None
    frames = list(job.request.frames)
    yield Queued(position=0)
    yield Started(engine="identity", device="cpu", frames=str(job.request.frames), reason="It is asked.",
                  folder="" if job.uploads is not None else job.request.job_folder())  # fmt: skip
    yield Warned(code="request.matte_empty", frame=1003, text="The matte is empty.")
    for index, frame in enumerate(frames):
        yield Progressed(step="solve", fraction=index / len(frames), text=f"frame {frame}")
        for output in range(len(job.request.outputs)):
            yield job.ready(frame, output)
    yield job.finish()


class FakeServer:
    """Everything that survives a restart, and the port."""

    def __init__(
        self,
        roots: tuple[str, ...] = (),
        machine: str = "",
        script: Callable[[FakeJob], Iterator[Event]] = well,
        address: str = "127.0.0.1:0",
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self.address, self.credentials = address, credentials
        self.roots, self.machine, self.script = roots, machine or machine_digest(), script
        self.memory = ""
        """How its engine uses memory."""
        self.frames: dict[str, bytes] = {}
        self.jobs: dict[str, FakeJob] = {}
        self.calls: Counter[str] = Counter()
        self.uploads: list[str] = []
        self.offsets: list[int] = []
        """Offsets that downloads asked for."""
        self.violations: list[str] = []
        self.faults: defaultdict[str, deque[VoidError | int | str]] = defaultdict(deque)
        """By call: a VoidError to refuse with, a number of messages before the stream breaks, or `drop`."""
        self.retry: float | None = None
        self._lock = threading.Lock()
        self._server: grpc.Server | None = None

    def __enter__(self) -> FakeServer:
        self.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.stop()
        assert kind or not self.violations, self.violations

    def start(self) -> None:
        options = [("grpc.so_reuseport", 0), ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000)]
        server = grpc.server(ThreadPoolExecutor(32), options=options)
        frame_service_pb2_grpc.add_FrameServiceServicer_to_server(_Frames(self), server)
        job_service_pb2_grpc.add_JobServiceServicer_to_server(_Jobs(self), server)
        engine_service_pb2_grpc.add_EngineServiceServicer_to_server(_Engines(self), server)
        if self.credentials is None:
            port = server.add_insecure_port(self.address)
        else:
            port = server.add_secure_port(self.address, self.credentials)
        if not self.address.startswith("unix:"):
            self.address = f"127.0.0.1:{port}"
        server.start()
        self._server = server

    def stop(self) -> None:
        """Break every connection; frames and jobs stay, and jobs go on."""
        if self._server is not None:
            self._server.stop(0).wait()
        self._server = None

    def job(self) -> FakeJob:
        """The one job there is."""
        (job,) = self.jobs.values()
        return job

    def enter(self, name: str, context: grpc.ServicerContext) -> int | None:
        """What every call begins with; a number where a stream shall break after so many messages."""
        self.calls[name] += 1
        headers = dict(context.invocation_metadata())
        remaining = context.time_remaining()
        if remaining is None or remaining > 1e6:
            self.violations.append(f"{name} has no deadline")
        if headers.get("authorization") != f"Bearer {TOKEN}":
            self.refuse(context, ServerError("The token is wrong.", "server.unauthenticated"))
        with self._lock:
            fault = self.faults[name].popleft() if self.faults[name] else None
        if isinstance(fault, VoidError):
            self.refuse(context, fault)
        if fault == "drop":
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return fault if isinstance(fault, int) else None

    def refuse(self, context: grpc.ServicerContext, error: VoidError) -> None:
        context.abort_with_status(status_of(error, self.retry if error.retryable else None))


class _Frames(frame_service_pb2_grpc.FrameServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self.server = server

    def FindMissingFrames(self, request: Any, context: Any) -> Any:
        self.server.enter("FindMissingFrames", context)
        if len(request.digests) > 10_000:
            self.server.violations.append("more than 10,000 digests at once")
        missing = dict.fromkeys(digest_from_message(item) for item in request.digests)
        return frame_service_pb2.FindMissingFramesResponse(
            missing=[digest_to_message(item) for item in missing if item.sha256 not in self.server.frames]
        )

    def UploadFrame(self, requests: Any, context: Any) -> Any:
        breaks = self.server.enter("UploadFrame", context)
        digest = digest_from_message(next(requests).header)
        answer = frame_service_pb2.UploadFrameResponse(digest=digest_to_message(digest))
        if digest.sha256 in self.server.frames:
            answer.existed = True
            return answer
        data = b""
        for count, part in enumerate(requests):
            if breaks is not None and count >= breaks:
                context.abort(grpc.StatusCode.UNAVAILABLE, "Connection reset by peer")
            if part.WhichOneof("part") != "chunk" or not 0 < len(part.chunk.data) <= 1 << 20:
                self.server.violations.append("a chunk of a wrong size")
            if part.chunk.offset != len(data):
                self.server.violations.append("a chunk out of order")
            data += part.chunk.data
        if len(data) != digest.size or sha256(data) != digest.sha256:
            self.server.refuse(context, FrameError("The bytes are of another file; read it again.", "frame.transfer"))
        if data[:4] != MAGIC:
            self.server.refuse(context, FrameError("The bytes are no EXR file.", "frame.transfer"))
        self.server.frames[digest.sha256] = data
        self.server.uploads.append(digest.sha256)
        return answer

    def DownloadFrame(self, request: Any, context: Any) -> Any:
        breaks = self.server.enter("DownloadFrame", context)
        digest = digest_from_message(request.digest)
        data = self.server.frames.get(digest.sha256)
        if data is None:
            self.server.refuse(context, FrameError("There is no such file here.", "frame.unknown"))
        assert data is not None
        self.server.offsets.append(request.offset)
        if request.offset > len(data):
            self.server.refuse(context, FrameError("The offset lies outside the file.", "frame.transfer"))
        for count, offset in enumerate(range(request.offset, len(data), CHUNK)):
            if breaks is not None and count >= breaks:
                context.abort(grpc.StatusCode.UNAVAILABLE, "Connection reset by peer")
            chunk = frame_service_pb2.Chunk(offset=offset, data=data[offset : offset + CHUNK])
            yield frame_service_pb2.DownloadFrameResponse(chunk=chunk)


class _Jobs(job_service_pb2_grpc.JobServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self.server = server

    def SubmitJob(self, request: Any, context: Any) -> Any:
        self.server.enter("SubmitJob", context)
        try:
            job, created = self._submit(request)
        except VoidError as error:
            self.server.refuse(context, error)
            raise
        return job_service_pb2.SubmitJobResponse(job=job.message(), created=created)

    def _submit(self, message: Any) -> tuple[FakeJob, bool]:
        server = self.server
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", message.request_id):
            raise RequestError("The request_id is unusable.")
        submitted = message.SerializeToString(deterministic=True)
        for job in server.jobs.values():
            if job.request.request_id == message.request_id:
                if job.submitted != submitted:
                    raise RequestError("The request_id belongs to a different request.", "request.id")
                return job, False
        request = request_from_message(message.request, message.request_id)
        uploads = None
        if message.WhichOneof("transfer") == "uploads":
            uploads = {(INPUT_NAMES[item.input], item.frame): item.digest.sha256 for item in message.uploads.frames}
            gone = [digest for digest in uploads.values() if digest not in server.frames]
            if gone:
                raise FrameError(f"{len(gone)} files are not here.", "frame.not_uploaded")
        elif message.WhichOneof("transfer") == "paths":
            folders = [request.output_sequence(output).folder for output in request.outputs]
            for folder in [request.sequence("plate").folder, *folders]:
                if not any(os.path.realpath(folder).startswith(root) for root in server.roots):
                    raise RequestError(f"{folder} is outside the folders this server may use.", "request.path")
        else:
            raise RequestError("The request does not say how pixels travel.")
        job_id = sha256(f"{len(server.jobs)} {message.request_id}".encode())[:32]
        job = FakeJob(job_id, KIND_NAMES[message.kind], request, submitted, uploads, server)
        server.jobs[job_id] = job
        threading.Thread(target=job.run, args=(server.script,), daemon=True).start()
        return job, True

    def WatchJob(self, request: Any, context: Any) -> Any:
        breaks = self.server.enter("WatchJob", context)
        job, after, sent = self._job(request.job_id, context), request.after_event, 0
        while True:
            with job.changed:
                job.changed.wait_for(lambda seen=after: len(job.events) > seen, 0.2)
                events = job.events[after:]
            for event in events:
                if breaks is not None and sent >= breaks:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "Connection reset by peer")
                after, sent = event.number, sent + 1
                yield job_service_pb2.WatchJobResponse(event=event_to_message(event))
                if is_last(event):
                    return
            if not context.is_active() or (job.state not in ("queued", "running") and after == len(job.events)):
                return

    def GetJob(self, request: Any, context: Any) -> Any:
        self.server.enter("GetJob", context)
        return job_service_pb2.GetJobResponse(job=self._job(request.job_id, context).message())

    def ListJobs(self, request: Any, context: Any) -> Any:
        self.server.enter("ListJobs", context)
        if request.all_identities:
            self.server.refuse(context, ServerError("Only supervisors may list all jobs.", "server.forbidden"))
        states = [STATE_NAMES[number] for number in request.states]
        jobs = [job for job in reversed(self.server.jobs.values()) if not states or job.state in states]
        start, size = int(request.page_token or 0), request.page_size or 50
        more = str(start + size) if len(jobs) > start + size else ""
        page = [job.message() for job in jobs[start : start + size]]
        return job_service_pb2.ListJobsResponse(jobs=page, next_page_token=more)

    def CancelJob(self, request: Any, context: Any) -> Any:
        self.server.enter("CancelJob", context)
        job = self._job(request.job_id, context)
        job.cancelled = job.cancelled or job.state in ("queued", "running")
        return job_service_pb2.CancelJobResponse(job=job.message())

    def DeleteJob(self, request: Any, context: Any) -> Any:
        self.server.enter("DeleteJob", context)
        job = self._job(request.job_id, context)
        if job.state in ("queued", "running"):
            self.server.refuse(context, JobError("The job has not ended; cancel it first.", "job.not_ended"))
        del self.server.jobs[job.job_id]
        return job_service_pb2.DeleteJobResponse()

    def _job(self, job_id: str, context: Any) -> FakeJob:
        if job_id not in self.server.jobs:
            self.server.refuse(context, JobError(f"There is no job {job_id}.", "job.unknown"))
        return self.server.jobs[job_id]


class _Engines(engine_service_pb2_grpc.EngineServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self.server = server

    def ListEngines(self, request: Any, context: Any) -> Any:
        self.server.enter("ListEngines", context)
        recover = engine_service_pb2.Engine(
            name="recover", available=True, devices=["cpu"], digest="1", memory=self.server.memory
        )
        void = engine_service_pb2.Engine(name="void", unavailable_reason="There is no GPU.")
        info = engine_service_pb2.ServerInfo(
            version="9.9",
            machine_digest=self.server.machine,
            roots=self.server.roots,
            identity="artist",
            max_frames=10_000,
            max_file_bytes=2 << 30,
        )
        state = engine_service_pb2.DEVICE_STATE_IDLE
        device = engine_service_pb2.Device(name="cpu", state=state, restarts=1)
        return engine_service_pb2.ListEnginesResponse(engines=[recover, void], devices=[device], server=info)


# -- as a program -------------------------------------------------------------------------------------------------


def by_prompt(job: FakeJob) -> Iterator[Event]:
    """How the jobs of the program behave."""
    behaviour = job.request.prompt
    for event in well(job):
        if isinstance(event, Warned) and behaviour == "refuse":
            yield Failed(code="request.matte_empty", text="The matte of sh010 is empty on frames 1001-1004.")
            return
        yield event
        if isinstance(event, FrameReady):
            if behaviour == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if behaviour == "crash":
                print("the solver met a singular matrix", file=sys.stderr, flush=True)
                os._exit(3)
            if behaviour == "slow":
                job.wait(lambda: False, 0.2)
            if behaviour.startswith("until "):
                job.wait(lambda: os.path.exists(behaviour.removeprefix("until ")), 60.0)
            while behaviour == "deaf":
                time.sleep(0.1)


def serve(arguments: list[str]) -> int:
    assert "--private" in arguments, arguments
    state = Path(arguments[arguments.index("--state") + 1])
    address = arguments[arguments.index("--address") + 1]
    (state / "token").write_text(TOKEN + "\n")
    log = os.environ.get("FAKE_LOG")
    if log:
        with open(log, "a", encoding="utf-8") as stream:
            print(json.dumps({"pid": os.getpid(), "state": str(state), "arguments": arguments}), file=stream)
    server = FakeServer(roots=("/",), script=by_prompt, address=address)
    stubborn = os.environ.get("FAKE_STUBBORN")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with server:
        print("a word of some library", flush=True)
        print(json.dumps({"address": server.address}), flush=True)
        # os.read and not sys.stdin: a thread inside sys.stdin's lock makes the interpreter abort at exit.
        while os.read(0, 1024) or stubborn:
            time.sleep(0.01)
        for job in server.jobs.values():
            with contextlib.suppress(OSError):
                (Path(job.request.job_folder()) / "checkpoint").write_text(str(len(job.events)))
    shutil.rmtree(state)
    return 0


def answer(arguments: list[str]) -> int:
    """The short commands that print one JSON value."""
    if arguments[0] == "engines":
        print(json.dumps([{"name": "recover", "available": True, "reason": "", "devices": ["cpu"]}]))
    elif arguments[0] == "doctor":
        print(json.dumps({"version": "9.9", "ocio": {"config": "studio", "spaces": 55}, "opencv": "5.0"}))
    elif arguments[:2] == ["demo", "make"]:
        folder = Path(arguments[arguments.index("--out") + 1])
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("plate", "object_matte", "affected_matte"):
            for frame in range(1001, 1004):
                (folder / f"{name}.{frame}.exr").touch()
        patterns = {name: str(folder / f"{name}.%04d.exr") for name in ("plate", "object_matte", "affected_matte")}
        print("making frames")
        print(json.dumps({**patterns, "frames": "1001-1003"}))
    elif arguments[:2] == ["demo", "report"]:
        print(json.dumps({"psnr": 51.25, "worst_psnr": 44.0, "coverage": 0.987, "fps": 3.0, "sheet": "sheet.png"}))
    else:
        print(f"void-server: unknown command {arguments[0]}", file=sys.stderr)
        return 64
    return 0


def main(arguments: list[str]) -> int:
    if arguments[0] != "serve":
        return answer(arguments)
    if os.environ.get("FAKE_BROKEN"):
        print("ModuleNotFoundError: No module named 'cv2'", file=sys.stderr)
        return 3
    return serve(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
