"""`VoidClient`: the calls of one server, each with a deadline, repeated where that is safe and helps.

Broken streams are taken up where they stopped: a download by its offset, a watch by the number of its last event, an
upload by asking again. Closing the client, from any thread, ends every call with Cancelled.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple

import grpc

from void_plugin.answers import Capabilities, JobInfo, capabilities_from_message, job_from_message
from void_plugin.calls import Calls, ran_out
from void_plugin.channel import open_channel
from void_plugin.config import Config
from void_plugin.errors import Cancelled, FrameError
from void_plugin.events import Event, is_last
from void_plugin.frames import Digest
from void_plugin.hashing import DigestBeside
from void_plugin.localfiles import disk_error
from void_plugin.patience import Patience
from void_plugin.request import RemovalRequest
from void_plugin.v1 import (
    engine_service_pb2,
    engine_service_pb2_grpc,
    frame_service_pb2,
    frame_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
    request_pb2,
)
from void_plugin.wire import (
    INPUT_NAMES,
    KIND_NAMES,
    STATE_NAMES,
    digest_from_message,
    digest_to_message,
    event_from_message,
    number_of,
    request_to_message,
)

CALL_SECONDS = 20.0
"""Deadline of a call that the server answers from what it knows."""
READY_SECONDS = 60.0
"""Deadline of a call for which a server that has just started waits until a worker is ready."""
WATCH_SECONDS = 600.0
"""A watch is opened anew this often, which shows that the server still answers."""
PIECE_SECONDS = 120.0
"""A download is opened anew this often."""
SLOWEST_BYTES = 128 << 10
"""Bytes a second below which a transfer counts as stuck."""
CHUNK_BYTES = 1 << 20
MOST_DIGESTS = 10_000
"""Digests of one FindMissingFrames."""
PAGE = 200


class Uploaded(NamedTuple):
    """One uploaded file of an input of a request."""

    input: str
    frame: int
    digest: Digest


class VoidClient:
    """One server, over one channel; safe to use from many threads."""

    def __init__(self, channel: grpc.Channel, address: str, patience: Patience | None = None) -> None:
        self.address = address
        self.patience = patience or Patience(address)
        self._calls = Calls(channel, self.patience)
        self._frames = frame_service_pb2_grpc.FrameServiceStub(channel)
        self._jobs = job_service_pb2_grpc.JobServiceStub(channel)
        self._engines = engine_service_pb2_grpc.EngineServiceStub(channel)

    @classmethod
    def connect(
        cls, config: Config, environment: Mapping[str, str], address: str, patience: Patience | None = None
    ) -> "VoidClient":
        """A client of a server; the first call finds out whether it is there."""
        return cls(open_channel(config, environment, address), address, patience)

    def __enter__(self) -> "VoidClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all calls and the connection."""
        self._calls.close()

    # -- frames ----------------------------------------------------------------------------------------------

    def find_missing(self, digests: Sequence[Digest]) -> list[Digest]:
        """Those files that the server does not have, in order, each once."""
        missing: list[Digest] = []
        for first in range(0, len(digests), MOST_DIGESTS):
            batch = [digest_to_message(digest) for digest in digests[first : first + MOST_DIGESTS]]
            request = frame_service_pb2.FindMissingFramesRequest(digests=batch)
            answer = self._calls.ask(self._frames.FindMissingFrames, request, CALL_SECONDS)
            missing += [digest_from_message(message) for message in answer.missing]
        return list(dict.fromkeys(missing))

    def upload(self, path: str, digest: Digest) -> bool:
        """Store one file; False where the server had it already.

        Raises FrameError naming the file where it cannot be read or is no longer what the digest says.
        """
        failure: list[FrameError] = []
        seconds = CALL_SECONDS + digest.size / SLOWEST_BYTES

        def attempt() -> Any:
            failure.clear()
            return self._frames.UploadFrame(_upload_parts(path, digest, failure), timeout=seconds)

        try:
            answer = self._calls.patiently(attempt, lambda: failure[0] if failure else None)
        except FrameError as error:
            if error in failure:
                raise
            raise FrameError(f"{path} cannot be uploaded: {error.message}", error.code) from error
        return not answer.existed

    def download(self, sha256: str, path: Path) -> None:
        """Fetch a file and rename it into place once its digest is right; goes on with what an earlier try left.

        Raises FrameError where the server does not have it, ServerError where it cannot be written.
        """
        part = path.with_name(f".{path.name}.{sha256[:12]}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
            with open(os.open(part, flags, 0o666), "r+b", buffering=0) as stream:
                whole = self._fill(sha256, stream) or self._fill(sha256, stream)
            if not whole:
                raise FrameError(
                    f"What the server {self.address} sends for {path.name} is not the file {sha256}; run the same "
                    "command again.",
                    "frame.transfer",
                )
            with contextlib.suppress(FileNotFoundError):  # the same command in another window was faster
                os.replace(part, path)
        except OSError as error:
            raise disk_error(error, path.parent) from error
        except (FrameError, Cancelled):  # nobody comes back for it
            part.unlink(missing_ok=True)
            raise

    def _fill(self, sha256: str, stream: IO[bytes]) -> bool:
        """Complete a file that may hold its beginning; False, and emptied, where that is not the right file."""
        with contextlib.closing(DigestBeside()) as state:
            return self._fill_beside(sha256, stream, state)

    def _fill_beside(self, sha256: str, stream: IO[bytes], state: DigestBeside) -> bool:
        offset = 0
        stream.seek(0)
        for data in iter(lambda: stream.read(CHUNK_BYTES), b""):
            state.update(data)
            offset += len(data)
        resumed = offset > 0
        done = resumed and state.hexdigest() == sha256
        while not done:
            begun = offset
            request = frame_service_pb2.DownloadFrameRequest(digest=request_pb2.Digest(sha256=sha256), offset=offset)
            try:
                for answer in self._calls.stream(self._frames.DownloadFrame, request, PIECE_SECONDS):
                    if answer.chunk.offset != offset:
                        break
                    data = answer.chunk.data  # each look at a field of bytes makes a copy of them
                    state.update(data)
                    left = memoryview(data)
                    while left:
                        left = left[stream.write(left) :]
                    offset += len(data)
                done = True
            except grpc.RpcError as error:
                if offset > begun and ran_out(error):  # a large file over a slow line
                    continue
                try:
                    self._calls.wait_after(error)
                except FrameError as refused:
                    if not resumed or refused.code != "frame.transfer":
                        raise
                    done = True  # what was left from earlier is longer than the file
        if state.hexdigest() == sha256:
            stream.flush()
            os.fsync(stream.fileno())
            return True
        stream.seek(0)
        stream.truncate()
        return False

    # -- jobs ------------------------------------------------------------------------------------------------

    def submit(
        self, request: RemovalRequest, kind: str = "remove", uploads: Sequence[Uploaded] | None = None
    ) -> JobInfo:
        """Put a job into the queue, or find the one that this request_id made; None of `uploads` is path mode."""
        message = job_service_pb2.SubmitJobRequest(
            request_id=request.request_id,
            request=request_to_message(request),
            kind=number_of(KIND_NAMES, kind),  # type: ignore[arg-type]
        )
        if uploads is None:
            message.paths.SetInParent()
        else:
            message.uploads.SetInParent()
            for item in uploads:
                message.uploads.frames.add(
                    input=number_of(INPUT_NAMES, item.input),
                    frame=item.frame,
                    digest=digest_to_message(item.digest),
                )
        answer = self._calls.ask(self._jobs.SubmitJob, message, READY_SECONDS)
        return replace(job_from_message(answer.job), is_new=answer.created)

    def watch(self, job_id: str, after: int = 0) -> Iterator[Event]:
        """All events of a job after a number, past and future, until its last one; goes on after any outage."""
        while True:
            request = job_service_pb2.WatchJobRequest(job_id=job_id, after_event=after)
            try:
                for answer in self._calls.stream(self._jobs.WatchJob, request, WATCH_SECONDS):
                    after = max(after, answer.event.number)
                    event = event_from_message(answer.event)
                    if event is None:  # a newer server says more than this version understands
                        continue
                    yield event
                    if is_last(event):
                        return
            except grpc.RpcError as error:
                if not ran_out(error):
                    self._calls.wait_after(error)
            # Answers only once the server is back, and says whether there is anything left to hear.
            job = self.get(job_id)
            if job.ended_at is not None and after >= job.last_event:
                return
            self._calls.pause()

    def get(self, job_id: str) -> JobInfo:
        """A job as it stands."""
        request = job_service_pb2.GetJobRequest(job_id=job_id)
        return job_from_message(self._calls.ask(self._jobs.GetJob, request, CALL_SECONDS).job)

    def jobs(self, states: Sequence[str] = (), everyone: bool = False, most: int = PAGE) -> list[JobInfo]:
        """The newest jobs of this user, or of everyone for supervisors, at most so many."""
        found: list[JobInfo] = []
        request = job_service_pb2.ListJobsRequest(
            page_size=min(most, PAGE),
            states=[number_of(STATE_NAMES, state) for state in states],  # type: ignore[misc]
            all_identities=everyone,
        )
        while len(found) < most:
            answer = self._calls.ask(self._jobs.ListJobs, request, CALL_SECONDS)
            found += [job_from_message(job) for job in answer.jobs]
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
        return found[:most]

    def cancel(self, job_id: str) -> JobInfo:
        """Ask a job to stop; the job as it stands then."""
        request = job_service_pb2.CancelJobRequest(job_id=job_id)
        return job_from_message(self._calls.ask(self._jobs.CancelJob, request, CALL_SECONDS).job)

    def delete(self, job_id: str) -> None:
        """Forget a job that has ended, with what the server holds for it."""
        self._calls.ask(self._jobs.DeleteJob, job_service_pb2.DeleteJobRequest(job_id=job_id), CALL_SECONDS)

    def engines(self) -> Capabilities:
        """What the server can run."""
        request = engine_service_pb2.ListEnginesRequest()
        return capabilities_from_message(self._calls.ask(self._engines.ListEngines, request, READY_SECONDS))


def _upload_parts(
    path: str, digest: Digest, failure: list[FrameError]
) -> Iterator[frame_service_pb2.UploadFrameRequest]:
    """The header and the chunks of a file. gRPC swallows what an iterator raises, so that goes into `failure`."""
    yield frame_service_pb2.UploadFrameRequest(header=digest_to_message(digest))
    offset = 0
    try:
        with open(path, "rb", buffering=0) as stream:
            while data := stream.read(CHUNK_BYTES):
                part = frame_service_pb2.UploadFrameRequest()
                # Set in place: a chunk made apart would be copied into the message once more.
                part.chunk.offset, part.chunk.data = offset, data
                yield part
                offset += len(data)
    except OSError as error:
        failure.append(FrameError(f"{path} cannot be read: {error.strerror or error}.", "frame.unreadable"))
        return
    if offset != digest.size:
        failure.append(
            FrameError(f"{path} changed while it was uploaded; run the same command again.", "frame.transfer")
        )
