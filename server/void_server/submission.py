"""From what a client sends to a job in the queue: every check that needs no pixels, and the files laid out.

In path mode folders are mapped and must lie below the caller's roots. In upload mode the frames of the store are
linked into a folder of the job, so that the worker meets ordinary sequences in both modes.
"""

from __future__ import annotations

import json
import posixpath
import re
import shutil
import threading
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from void_plugin import wire
from void_plugin.errors import FrameError, JobError, RequestError, ServerError
from void_plugin.frames import Digest
from void_plugin.request import INPUTS, RemovalRequest
from void_plugin.v1 import job_service_pb2
from void_server.beneath import Roots
from void_server.devices import Devices
from void_server.intake import sync
from void_server.jobrows import PREVIEW, JobRow, NewJob
from void_server.jobs import JobQueue
from void_server.settings import Identity, ServerSettings, map_path
from void_server.store import FrameStore
from void_server.uploads import Digests, file_name, listed_digests, span_of

READY_SECONDS = 30.0
"""How long a first submit waits for the workers of a server that has just started."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_ROOT = re.compile(r"<([A-Za-z0-9_]{1,100})>[/\\]?")


class Submissions:
    """Turns submits into jobs and takes away what ended jobs leave on the server's disk."""

    def __init__(self, settings: ServerSettings, queue: JobQueue, store: FrameStore, devices: Devices) -> None:
        self._settings, self._queue, self._store, self._devices = settings, queue, store, devices
        self._work = settings.state / "work"
        self._lock = threading.Lock()

    def submit(self, identity: Identity, message: job_service_pb2.SubmitJobRequest) -> tuple[JobRow, bool]:
        """The job, and whether this call made it. Raises the VoidError that says why there is none."""
        if not _REQUEST_ID.match(message.request_id):
            raise RequestError(
                f"The request_id {message.request_id[:80]!r} is unusable; use 1 to 64 letters, digits, - and _."
            )
        kind = wire.KIND_NAMES.get(message.kind or job_service_pb2.JOB_KIND_REMOVE)
        if kind is None:
            raise RequestError(f"The job kind {message.kind} does not exist; use one that this server knows.")
        request = wire.request_from_message(message.request, message.request_id)
        if kind != PREVIEW:
            request.check_results()
        self._check_limits(request, identity)
        transfer = message.WhichOneof("transfer")
        if transfer is None:
            raise RequestError("The request does not say how pixels travel; set paths or uploads.")
        digests = listed_digests(request, message.uploads, identity) if transfer == "uploads" else None
        submitted = json.dumps([kind, request.to_dict(), digests], sort_keys=True)
        engine, reason = self._engine(request.engine, kind)
        new = NewJob(
            request_id=message.request_id,
            owner=identity.name,
            namespace=identity.namespace,
            kind=kind,
            engine=engine,
            reason=reason,
            priority=request.priority,
            shot=request.shot,
            frames="",
            frame_count=0,
            request="",
            submitted=submitted,
            digests=digests,
            folder="",
            work="",
            roots=None,
            max_pixels=identity.limits.max_pixels,
        )
        if self._queue.was_submitted(identity.name, message.request_id):
            # Its files may have gone since; the queue only compares what was sent.
            return self._queue.submit(new, identity.limits.max_jobs)
        with self._lock:  # so that no folder is taken away between being laid out and being known to the queue
            if digests is None:
                request, roots = self._below_roots(request, identity), identity.roots
                new = replace(new, roots=roots, folder=request.job_folder())
                frames = request.frames or request.shot_range
            else:
                request, work = self._lay_out(request, identity, message, digests)
                new = replace(new, folder=str(work), work=str(work))
                frames = request.frames or request.shot_range or span_of(digests)
            new = replace(
                new,
                request=request.to_json(),
                frames="" if frames is None else str(frames),
                frame_count=0 if frames is None else len(frames),
            )
            return self._queue.submit(new, identity.limits.max_jobs)

    def delete(self, row: JobRow) -> None:
        """Forget an ended job and what the server holds for it. Raises JobError where it has not ended."""
        with self._lock:
            self._clear(row, self._queue.delete(row.job_id))

    def expire(self, before: float) -> None:
        """Take away what the server holds for jobs that ended before a moment; the jobs stay listed."""
        for row in self._queue.expired(before):
            with self._lock:
                self._clear(row, self._queue.retire(row.job_id))

    def _clear(self, row: JobRow, results: Collection[str]) -> None:
        self._store.discard(row.namespace, results)
        if row.work and not self._queue.uses_work(row.work):
            shutil.rmtree(row.work, ignore_errors=True)

    def sweep(self) -> None:
        """Take away folders that no job knows: of submits that a crash cut short."""
        with self._lock:
            for work in self._work.glob("*/*"):
                if not self._queue.uses_work(str(work)):
                    shutil.rmtree(work, ignore_errors=True)

    # -- checks ----------------------------------------------------------------------------------------------

    def _check_limits(self, request: RemovalRequest, identity: Identity) -> None:
        most = identity.limits.max_frames
        for name, frames in (("frames", request.frames), ("shot range", request.shot_range)):
            if frames is not None and len(frames) > most:
                raise ServerError(
                    f"The {name} {frames} has {len(frames)} frames, but this server takes at most {most} in one job; "
                    "split the shot.",
                    "server.limit",
                )
        if request.handles > most or request.context > most:
            raise ServerError(f"Handles and context can be at most {most} frames here.", "server.limit")
        if not 0 <= request.priority <= 100:
            raise RequestError(f"The priority {request.priority} is not between 0 and 100.")

    def _engine(self, name: str, kind: str) -> tuple[str, str]:
        """The engine that will run, or that a preview tells of, and why where the request said `auto`."""
        if not self._devices.wait_ready(READY_SECONDS):
            raise ServerError("No worker of this server has started yet; try again in a moment.", "server.unavailable")
        engines = {facts.name: facts for facts in self._devices.engines()}
        if name == "auto":
            void = engines.get("void")
            if void is not None and void.available:
                return "void", "A GPU and the VOID weights are there."
            return "recover", "VOID cannot run here. " + (void.reason if void is not None else "It is not configured.")
        found = engines.get(name)
        if found is None:
            have = ", ".join(sorted(engines))
            raise RequestError(f"There is no engine {name[:80]!r}; this server has {have}.", "request.engine")
        if not found.available and kind != PREVIEW:  # to see what an engine would be told, none has to run
            raise JobError(f"{found.reason} The engine recover always can.", "job.engine_unavailable")
        return name, ""

    # -- path mode -------------------------------------------------------------------------------------------

    def _below_roots(self, request: RemovalRequest, identity: Identity) -> RemovalRequest:
        """The request with folders as this machine names them, all below the caller's roots."""
        if not identity.roots:
            raise RequestError(
                "This server does not read or write files by path for you; use upload mode, or ask whoever runs it "
                "for --allow-root.",
                "request.path",
            )
        rules = self._settings.path_mapping
        request = replace(request, roots={name: map_path(rules, folder) for name, folder in request.roots.items()})
        changes = {
            name: replace(given, pattern=self._mapped(given.pattern))
            for name in INPUTS
            if (given := request.input(name)) is not None
        }
        outputs = tuple(replace(output, pattern=self._mapped(output.pattern)) for output in request.outputs)
        request = replace(request, outputs=outputs, **changes)  # type: ignore[arg-type]
        request.check()
        allowed = Roots(identity.roots)
        sequences = [request.sequence(name) for name in INPUTS if request.input(name) is not None]
        for sequence in [*sequences, *(request.output_sequence(output) for output in request.outputs)]:
            if not posixpath.isabs(sequence.pattern):
                raise RequestError(
                    f"The pattern {sequence.pattern!r} is not an absolute path on the server; send whole paths, or add "
                    "a path mapping rule for its root.",
                    "request.pattern",
                )
            allowed.check(sequence.folder)
        return request

    def _mapped(self, pattern: str) -> str:
        return pattern if _ROOT.match(pattern) else map_path(self._settings.path_mapping, pattern)

    # -- upload mode -----------------------------------------------------------------------------------------

    def _lay_out(
        self, request: RemovalRequest, identity: Identity, message: job_service_pb2.SubmitJobRequest, digests: Digests
    ) -> tuple[RemovalRequest, Path]:
        """The request with patterns inside a folder of its own, and that folder with every frame linked into it.

        The folder follows from the content, so that a job cancelled and sent again finds its finished units.
        """
        sent = {wire.digest_from_message(frame.digest) for frame in message.uploads.frames}
        missing = self._store.missing(identity.namespace, sorted(sent, key=lambda digest: digest.sha256))
        if missing:
            raise FrameError(
                f"{len(missing)} of the {len(sent)} uploaded files are not here (any more), the first is "
                f"{missing[0].sha256}; upload what FindMissingFrames names and submit again.",
                "frame.not_uploaded",
            )
        stable = request.to_dict()
        for volatile in ("request_id", "priority", "roots", "frames"):
            stable.pop(volatile)
        key = Digest.of_text(json.dumps([stable, digests], sort_keys=True)).sha256[:32]
        work = self._work / identity.namespace / key
        roots: dict[str, str] = {}

        def laid(name: str, pattern: str) -> str:
            # Roots keep their names, so that result.json reads the same as of a job by path.
            match = _ROOT.match(pattern)
            file = file_name(pattern)
            root = match.group(1) if match and pattern[match.end() :] == file else f"sent_{name}"
            roots[root] = str(work / root)
            return f"<{root}>/{file}"

        changes = {
            name: replace(given, pattern=laid(name, given.pattern))
            for name in INPUTS
            if (given := request.input(name)) is not None
        }
        outputs = tuple(
            replace(output, pattern=laid(f"output{index}", output.pattern))
            for index, output in enumerate(request.outputs)
        )
        request = replace(request, outputs=outputs, roots=roots, **changes)  # type: ignore[arg-type]
        request.check()
        for frame in message.uploads.frames:
            name = wire.INPUT_NAMES[frame.input]
            target = Path(request.sequence(name).path(frame.frame))
            if not target.exists():
                self._store.link(identity.namespace, wire.digest_from_message(frame.digest), target)
        # A job that was accepted keeps its frames through a loss of power.
        for folder in [work.parent, work, *work.iterdir()]:
            sync(folder)
        return request, work
