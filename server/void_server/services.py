"""FrameService, JobService and EngineService: check, translate, delegate."""

from __future__ import annotations

import re
from collections.abc import Iterator

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from void_plugin import __version__, wire
from void_plugin.errors import FrameError, RequestError, ServerError
from void_plugin.events import Event, Queued, is_last
from void_plugin.v1 import (
    engine_service_pb2,
    engine_service_pb2_grpc,
    frame_service_pb2,
    frame_service_pb2_grpc,
    job_service_pb2,
    job_service_pb2_grpc,
)
from void_server.calls import Serving, told, told_each
from void_server.jobrows import QUEUED, JobRow
from void_server.submission import READY_SECONDS

CHUNK_BYTES = 1 << 20
"""Bytes of one chunk: 1 MiB is fastest over loopback (performance.md 6)."""
MOST_DIGESTS = 10_000
MOST_ROWS, USUAL_ROWS = 500, 50
WATCH_SECONDS = 1.0
"""How soon a watcher notices that its client has gone or its place in the queue has changed."""

_PAGE_TOKEN = re.compile(r"[0-9a-f]{1,15}\Z")
_JOB_ID = re.compile(r"[0-9a-f]{32}\Z")


class FrameService(frame_service_pb2_grpc.FrameServiceServicer):
    """Whole files by SHA-256, in the caller's namespace."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving

    @told
    def FindMissingFrames(
        self, request: frame_service_pb2.FindMissingFramesRequest, context: grpc.ServicerContext
    ) -> frame_service_pb2.FindMissingFramesResponse:
        """Those digests that are not here."""
        identity = self.serving.identity(context)
        if len(request.digests) > MOST_DIGESTS:
            raise RequestError(
                f"{len(request.digests)} digests were sent in one call; send at most {MOST_DIGESTS} at a time."
            )
        digests = [wire.digest_from_message(digest) for digest in request.digests]
        missing = self.serving.store.missing(identity.namespace, digests)
        return frame_service_pb2.FindMissingFramesResponse(missing=map(wire.digest_to_message, missing))

    @told
    def UploadFrame(
        self, request: Iterator[frame_service_pb2.UploadFrameRequest], context: grpc.ServicerContext
    ) -> frame_service_pb2.UploadFrameResponse:
        """One file, verified before it counts as here."""
        identity = self.serving.identity(context)
        first = next(request, None)
        if first is None or first.WhichOneof("part") != "header":
            raise FrameError("The upload does not begin with a header; send the digest first.", "frame.transfer")
        digest = wire.digest_from_message(first.header)
        response = frame_service_pb2.UploadFrameResponse(digest=wire.digest_to_message(digest))
        if not self.serving.store.missing(identity.namespace, [digest]):
            response.existed = True
            return response
        limits = identity.limits
        with self.serving.store.writer(identity.namespace, digest, limits.max_file_bytes, limits.max_bytes) as writer:
            for message in request:
                # Each look at a field of bytes makes a copy of them.
                offset, data = message.chunk.offset, message.chunk.data
                if message.WhichOneof("part") != "chunk" or not 0 < len(data) <= CHUNK_BYTES:
                    raise FrameError(
                        f"A chunk at byte {offset} has {len(data)} bytes; after the header send chunks of 1 to "
                        f"{CHUNK_BYTES} bytes.",
                        "frame.transfer",
                    )
                writer.write(offset, data)
            writer.commit()
        return response

    @told_each
    def DownloadFrame(
        self, request: frame_service_pb2.DownloadFrameRequest, context: grpc.ServicerContext
    ) -> Iterator[frame_service_pb2.DownloadFrameResponse]:
        """The bytes of a file from an offset on."""
        identity = self.serving.identity(context)
        digest = wire.digest_from_message(request.digest)
        with self.serving.store.open(identity.namespace, digest) as stream:
            size = stream.seek(0, 2)
            if not 0 <= request.offset <= size:
                raise FrameError(
                    f"Byte {request.offset} lies outside the {size} bytes of {digest.sha256}; start over from 0.",
                    "frame.transfer",
                )
            offset = stream.seek(request.offset)
            while data := stream.read(CHUNK_BYTES):
                response = frame_service_pb2.DownloadFrameResponse()
                # Set in place: a chunk made apart would be copied into the response once more.
                response.chunk.offset, response.chunk.data = offset, data
                yield response
                offset += len(data)


class JobService(job_service_pb2_grpc.JobServiceServicer):
    """The queue."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving

    @told
    def SubmitJob(
        self, request: job_service_pb2.SubmitJobRequest, context: grpc.ServicerContext
    ) -> job_service_pb2.SubmitJobResponse:
        """A job made of the request, or the one made before."""
        identity = self.serving.identity(context)
        if self.serving.stopping.is_set():
            raise ServerError("The server is stopping; submit again when it is back.", "server.unavailable")
        row, created = self.serving.submissions.submit(identity, request)
        return job_service_pb2.SubmitJobResponse(job=self._message(row), created=created)

    @told_each
    def WatchJob(
        self, request: job_service_pb2.WatchJobRequest, context: grpc.ServicerContext
    ) -> Iterator[job_service_pb2.WatchJobResponse]:
        """Events after a number, as they come."""
        row = self._job(request.job_id, context)
        after, queue = request.after_event, self.serving.queue
        if after < 0:
            raise RequestError(f"Events are counted from 1, so none comes after {after}; ask from 0.")
        position = -1
        while context.is_active():
            events = queue.events(row.job_id, after)
            for event in events:
                after = event.number
                yield _response(event)
                if is_last(event):
                    return
            if events:
                continue
            row = queue.get(row.job_id)
            if row.ended_at is not None and after >= row.last_event:
                return
            if row.state == QUEUED and (now := queue.position(row.job_id)) != position:
                if position >= 0:  # the first is among the events
                    yield _response(Queued(row.job_id, after, now, queue.eta(row.job_id)))
                position = now
            if self.serving.stopping.is_set():
                raise ServerError(
                    "The server is stopping, and the job is kept; watch again when it is back.", "server.unavailable"
                )
            queue.wait(row.job_id, after, WATCH_SECONDS)

    @told
    def GetJob(
        self, request: job_service_pb2.GetJobRequest, context: grpc.ServicerContext
    ) -> job_service_pb2.GetJobResponse:
        """A job as it stands."""
        return job_service_pb2.GetJobResponse(job=self._message(self._job(request.job_id, context)))

    @told
    def ListJobs(
        self, request: job_service_pb2.ListJobsRequest, context: grpc.ServicerContext
    ) -> job_service_pb2.ListJobsResponse:
        """A page of jobs, newest first."""
        identity = self.serving.identity(context)
        if not 0 <= request.page_size <= MOST_ROWS:
            raise RequestError(f"A page of {request.page_size} jobs is out of range; ask for 1 to {MOST_ROWS}.")
        if request.page_token and not _PAGE_TOKEN.match(request.page_token):
            raise RequestError(f"{request.page_token[:80]!r} is no page token of this server; start without one.")
        unknown = [number for number in request.states if number not in wire.STATE_NAMES]
        if unknown:
            raise RequestError(f"The job state {unknown[0]} does not exist; ask for states that this server knows.")
        if request.all_identities and not identity.supervisor:
            raise ServerError("Only supervisors may list the jobs of all identities; list your own.",
                              "server.forbidden")  # fmt: skip
        rows = self.serving.queue.page(
            None if request.all_identities else identity.name,
            [wire.STATE_NAMES[number] for number in request.states],
            int(request.page_token, 16) if request.page_token else None,
            (request.page_size or USUAL_ROWS) + 1,
        )
        shown = rows[: request.page_size or USUAL_ROWS]
        return job_service_pb2.ListJobsResponse(
            jobs=[self._message(row) for row in shown],
            next_page_token=f"{shown[-1].sequence:x}" if len(rows) > len(shown) else "",
        )

    @told
    def CancelJob(
        self, request: job_service_pb2.CancelJobRequest, context: grpc.ServicerContext
    ) -> job_service_pb2.CancelJobResponse:
        """Ask a job to stop."""
        row = self._job(request.job_id, context)
        return job_service_pb2.CancelJobResponse(job=self._message(self.serving.queue.cancel(row.job_id)))

    @told
    def DeleteJob(
        self, request: job_service_pb2.DeleteJobRequest, context: grpc.ServicerContext
    ) -> job_service_pb2.DeleteJobResponse:
        """Forget a job that has ended."""
        row = self._job(request.job_id, context)
        self.serving.submissions.delete(row)
        return job_service_pb2.DeleteJobResponse()

    def _job(self, job_id: str, context: grpc.ServicerContext) -> JobRow:
        """The caller's own job, or any for a supervisor."""
        identity = self.serving.identity(context)
        if not _JOB_ID.match(job_id):
            raise RequestError(
                f"{job_id[:80]!r} is no job id; give the one that SubmitJob answered.", "request.invalid"
            )
        row = self.serving.queue.get(job_id)
        if row.owner != identity.name and not identity.supervisor:
            raise ServerError(
                f"The job {job_id} belongs to another identity; ask its owner or a supervisor.", "server.forbidden"
            )
        return row

    def _message(self, row: JobRow) -> job_service_pb2.Job:
        waiting = row.state == QUEUED
        return job_service_pb2.Job(
            job_id=row.job_id,
            request_id=row.request_id,
            owner=row.owner,
            kind=f"JOB_KIND_{row.kind.upper()}",
            state=f"JOB_STATE_{row.state.upper()}",
            shot=row.shot,
            engine=row.engine,
            frames=row.frames,
            priority=row.priority,
            fraction=row.fraction,
            position=self.serving.queue.position(row.job_id) if waiting else 0,
            eta_seconds=-1.0 if row.ended_at is not None else self.serving.queue.eta(row.job_id),
            submitted_at=_timestamp(row.submitted_at),
            started_at=_timestamp(row.started_at),
            ended_at=_timestamp(row.ended_at),
            error_code=row.error_code,
            error_text=row.error_text,
            attempts=row.attempts,
            last_event=row.last_event,
            stopping=row.cancel_requested and row.ended_at is None,
        )


class EngineService(engine_service_pb2_grpc.EngineServiceServicer):
    """What this server can run."""

    def __init__(self, serving: Serving, machine_digest: str) -> None:
        self.serving, self._machine = serving, machine_digest

    @told
    def ListEngines(
        self, request: engine_service_pb2.ListEnginesRequest, context: grpc.ServicerContext
    ) -> engine_service_pb2.ListEnginesResponse:
        """Engines, devices and the server itself."""
        identity = self.serving.identity(context)
        devices = self.serving.devices
        if not devices.wait_ready(READY_SECONDS):
            raise ServerError("No worker of this server has started yet; try again in a moment.", "server.unavailable")
        own = {row.job_id for row in self.serving.queue.page(
            None if identity.supervisor else identity.name, ["running"], None, MOST_ROWS)}  # fmt: skip
        return engine_service_pb2.ListEnginesResponse(
            engines=[
                engine_service_pb2.Engine(
                    name=facts.name,
                    available=facts.available,
                    unavailable_reason=facts.reason,
                    devices=facts.devices,
                    raster_height=facts.raster[0] if facts.raster else 0,
                    raster_width=facts.raster[1] if facts.raster else 0,
                    longest_clip=facts.longest_clip,
                    needs_prompt=facts.needs_prompt,
                    digest=facts.digest,
                    memory=facts.memory,
                )
                for facts in devices.engines()
            ],
            devices=[
                engine_service_pb2.Device(
                    name=status.name,
                    state=f"DEVICE_STATE_{status.state}",
                    job_id=status.job_id if status.job_id in own else "",
                    restarts=status.restarts,
                )
                for status in devices.status()
            ],
            server=engine_service_pb2.ServerInfo(
                version=__version__,
                machine_digest=self._machine,
                roots=identity.roots,
                identity=identity.name,
                max_frames=identity.limits.max_frames,
                max_file_bytes=identity.limits.max_file_bytes,
            ),
        )


def _response(event: Event) -> job_service_pb2.WatchJobResponse:
    return job_service_pb2.WatchJobResponse(event=wire.event_to_message(event))


def _timestamp(seconds: float | None) -> Timestamp | None:
    if seconds is None:
        return None
    return Timestamp(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))
