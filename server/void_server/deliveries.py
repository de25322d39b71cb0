"""What passes between the queue and a worker: orders one way, events the other.

Results of upload mode go into the store on the way, and paths of the server out of what clients are told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from void_plugin.errors import JobError
from void_plugin.events import Event, Failed, Finished, FrameReady, Started, Warned
from void_plugin.frames import Digest
from void_server.jobrows import Content, JobRow
from void_server.jobs import JobQueue
from void_server.store import FrameStore


def run_order(row: JobRow, content: Content) -> dict[str, Any]:
    """The order that makes a worker run a job."""
    return {
        "do": "run",
        "job": row.job_id,
        "kind": row.kind,
        "request": json.loads(content.request),
        "digests": content.digests,
        "roots": row.roots,
        "max_pixels": row.max_pixels,
        "engine": "" if row.engine == "auto" else row.engine,
        "reason": row.reason,
    }


class Deliveries:
    """Between what a worker tells and what the queue writes down; path mode passes as it is."""

    def __init__(self, queue: JobQueue, store: FrameStore) -> None:
        self._queue, self._store = queue, store

    def taken_in(self, job: JobRow, event: Event) -> Event:
        """The event as clients get it. Raises VoidError where a result cannot be stored."""
        if not job.uploads:
            return event
        if isinstance(event, Started):
            return replace(event, folder="")
        if isinstance(event, FrameReady):
            self._adopt(job, event.path, lambda: Digest(event.digest, os.stat(event.path).st_size))
            return replace(event, path="")
        if isinstance(event, Finished) and event.result:
            digest = self._adopt(job, event.result, lambda: Digest.of_file(event.result))
            return replace(event, result="", digest=digest.sha256)
        if isinstance(event, (Failed, Warned)):
            return replace(event, text=event.text.replace(job.work.rstrip("/") + "/", ""))
        return event

    def _adopt(self, job: JobRow, path: str, digest_of: Callable[[], Digest]) -> Digest:
        try:
            digest = digest_of()
        except OSError as error:
            raise JobError(
                f"A result of the job vanished before it was stored ({os.path.basename(path)}); run it again."
            ) from error
        self._queue.add_results(job.job_id, [digest.sha256])
        self._store.adopt(job.namespace, path, digest)
        return digest
