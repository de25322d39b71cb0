"""One request on one server: submit it or find it again, bring its files, follow it, fetch its results."""

import os
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from void_plugin.answers import JobInfo
from void_plugin.attachment import Attachment, Attachments
from void_plugin.client import Uploaded, VoidClient
from void_plugin.digests import Digests
from void_plugin.errors import Cancelled, FrameError, JobError, RequestError, ServerError
from void_plugin.events import Event, Finished, FrameReady, Started, Uploading, is_last
from void_plugin.gate import Gate
from void_plugin.localfiles import write_whole
from void_plugin.request import RemovalRequest
from void_plugin.transfer import Downloads, InputFile, input_files, send

ROUNDS = 3
"""How often files are brought to a server that has lost some of them again before the job was queued."""


class JobRun:
    """The way of one request through one server, told event by event."""

    def __init__(
        self, client: VoidClient, request: RemovalRequest, kind: str, gate: Gate, say: Callable[[Event], None]
    ) -> None:
        """`request` is rooted; `say` takes the events."""
        self._client, self._request, self._kind, self._gate, self._say = client, request, kind, gate, say
        self._folder = Path(request.job_folder())
        self._promise = "The job is kept there, and the same command finds it again."

    def once(self) -> None:
        """By path, on a server that ends with the job."""
        self._promise = ""
        self._gate.begin()
        self._follow(self._client.submit(self._request, self._kind), None)

    def by_path(self, attachments: Attachments) -> None:
        """By path; a job that an earlier client left there and that still goes on is taken up again."""
        key = attachments.key(self._client.address, self._kind, self._request)
        found = attachments.load(key)
        job = self._find(found, "paths")
        if job is None or not job.is_live:
            job = self._submit(None, Attachment(self._request.request_id), attachments, key)
        self._follow(job, None)
        attachments.forget(key)

    def by_upload(self, attachments: Attachments) -> None:
        """By upload; what is on the server already does not travel, and a job of the same files is taken up again."""
        files = input_files(self._request)
        write_whole(self._folder / "request.json", self._request.to_json())
        key = attachments.key(self._client.address, self._kind, self._request)
        found = attachments.load(key)
        digests = Digests(found.files if found else None)
        job = self._find(found, "upload")
        if found and job and (job.is_live or job.state == "succeeded") and self._same(files, digests, found):
            try:
                self._fetch(job, attachments, key)
                return
            except FrameError as error:
                if error.code != "frame.unknown":  # its results have run out their time, so it is done again
                    raise
            attachments.forget(key)
        self._fetch(self._upload(files, digests, attachments, key), attachments, key)

    # -- submitting ------------------------------------------------------------------------------------------

    def _find(self, found: Attachment | None, transfer: str) -> JobInfo | None:
        """The job of an attachment, or None where there is none to take up."""
        if found is None or found.transfer != transfer:
            return None
        if not found.job_id:
            # The answer was lost, not necessarily the job: the same request_id leads to it.
            self._request = replace(self._request, request_id=found.request_id)
            return None
        try:
            return self._client.get(found.job_id)
        except (JobError, ServerError) as error:
            if error.code not in ("job.unknown", "server.forbidden"):
                raise
            return None

    def _same(self, files: Sequence[InputFile], digests: Digests, found: Attachment) -> bool:
        now: dict[str, str] = {}
        for file in files:
            if self._gate.stopped():
                raise Cancelled
            now[_place(file.input, file.frame)] = digests.of(file.path).sha256
        return now == found.frames

    def _upload(self, files: Sequence[InputFile], digests: Digests, attachments: Attachments, key: str) -> JobInfo:
        for left in reversed(range(ROUNDS)):
            uploaded = send(self._client, files, digests, self._tell_uploading, self._gate.stopped)
            frames = {_place(item.input, item.frame): item.digest.sha256 for item in uploaded}
            attachment = Attachment(self._request.request_id, "", "upload", frames, digests.known())
            try:
                return self._submit(uploaded, attachment, attachments, key)
            except FrameError as error:
                if error.code != "frame.not_uploaded" or not left:
                    raise
        raise AssertionError("the last round returns or raises")

    def _submit(
        self, uploads: Sequence[Uploaded] | None, attachment: Attachment, attachments: Attachments, key: str
    ) -> JobInfo:
        """Submit, remembering it before and after, so that a client killed in between finds the job again."""
        self._gate.begin()
        attachments.save(key, attachment)
        job: JobInfo | None = None
        try:
            job = self._client.submit(self._request, self._kind, uploads)
        except RequestError as error:
            if error.code != "request.id":
                raise
        # A short job may have ended before its submit is answered.
        if job is None or not (job.is_new or job.is_live or (uploads is not None and job.state == "succeeded")):
            # A saved request brings the request_id of an earlier job, which has ended or was another.
            self._request = replace(self._request, request_id=uuid.uuid4().hex)
            attachment = replace(attachment, request_id=self._request.request_id)
            attachments.save(key, attachment)
            job = self._client.submit(self._request, self._kind, uploads)
        attachments.save(key, replace(attachment, job_id=job.job_id))
        attachments.book.note(job.job_id, self._client.address, self._kind, self._request)
        return job

    def _tell_uploading(self, done: int, total: int) -> None:
        self._say(Uploading(done=done, total=total))

    # -- following -------------------------------------------------------------------------------------------

    def _fetch(self, job: JobInfo, attachments: Attachments, key: str) -> None:
        with Downloads(self._client) as downloads:
            last = self._follow(job, downloads)
        if not isinstance(last, Finished):
            attachments.forget(key)

    def _follow(self, job: JobInfo, downloads: Downloads | None) -> Event:
        """Tell all events of a job, each once what it tells of lies on this machine; returns the last."""
        self._gate.begin()
        self._gate.settle(job.job_id)
        self._client.patience.promise = self._promise
        for event in self._client.watch(job.job_id):
            if isinstance(event, FrameReady):
                self._frame(event, downloads)
                continue
            if isinstance(event, Started):
                event = replace(event, folder=str(self._local_folder(event.folder)))
            if is_last(event) and downloads is not None:
                downloads.wait()
            if isinstance(event, Finished) and (event.result or event.digest):  # a preview has no result.json
                result = self._local_folder(os.path.dirname(event.result)) / "result.json"
                if downloads is not None:
                    self._client.download(event.digest, result)
                event = replace(event, result=str(result))
            self._say(event)
            if is_last(event):
                return event
        raise JobError(
            f"The server {self._client.address} ended the events of job {job.job_id} without saying how it went; run "
            "the same command again.",
            "job.crashed",
        )

    def _frame(self, event: FrameReady, downloads: Downloads | None) -> None:
        outputs = self._request.outputs
        if not 0 <= event.output < len(outputs):
            raise ServerError(
                f"The server {self._client.address} sent output {event.output}, but the request has {len(outputs)}; "
                "install the same version of void_plugin on both sides."
            )
        path = self._request.output_sequence(outputs[event.output]).path(event.frame)
        event = replace(event, path=path)
        if downloads is None:
            self._say(event)
        else:
            downloads.fetch(event.digest, Path(path), lambda: self._say(event))

    def _local_folder(self, theirs: str) -> Path:
        """The job folder on this machine; with path mapping on the server it has another name than ours would."""
        name = re.split(r"[/\\]", theirs)[-1]
        return self._folder.with_name(name) if name else self._folder


def _place(name: str, frame: int) -> str:
    return f"{name}/{frame}"
