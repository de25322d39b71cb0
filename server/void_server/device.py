"""One device: the thread that starts its worker, gives it jobs, listens to it and buries it.

The thread lives as long as the server, because the kernel ends a worker together with the thread that started it. A
job that its worker did not bring to an end is settled before anything else is done: tried once more, then failed.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from void_plugin.errors import JobError, VoidError
from void_plugin.events import Event, Failed, Finished, Stopped, Warned, from_line
from void_server import obituary
from void_server.database import unusable
from void_server.deliveries import Deliveries, run_order
from void_server.devicefacts import BUSY, DOWN, IDLE, LOADING, DeviceStatus, EngineFacts, Observer, Place, engine_facts
from void_server.jobs import RUNNING, JobQueue, JobRow
from void_server.obituary import Death, Told
from void_server.settings import ServerSettings
from void_server.store import FrameStore
from void_server.workerprocess import BoundedLog, WorkerProcess

POLL_SECONDS = 1.0
CANCEL_SECONDS = 30.0
"""How long a job may take to react to a cancel before its worker is ended."""
ATTEMPTS = 2
"""Times a job is tried when its worker dies."""
LONGEST_PAUSE = 30.0
"""Seconds between two starts of a worker that dies again and again."""

logger = logging.getLogger(__name__)


class Device:
    """A device and its worker; everything but `stop` and the public attributes belongs to its thread."""

    def __init__(
        self,
        place: Place,
        settings: ServerSettings,
        queue: JobQueue,
        store: FrameStore,
        observer: Observer,
        environment: Mapping[str, str],
        workers: int,
        takes: Callable[[EngineFacts], bool],
        changed: Callable[[], None],
    ) -> None:
        """`workers` is the number of threads of a job, `takes` says which engines to run here."""
        self.name = place.name
        self.status = DeviceStatus(place.name)
        self.engines: tuple[EngineFacts, ...] = ()
        self.reported = threading.Event()
        """Set as soon as the worker has reported or died for the first time."""
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._settings, self._queue, self._observer = settings, queue, observer
        self._deliveries = Deliveries(queue, store)
        self._environment = {**environment, **place.environment}
        self._takes, self._changed = takes, changed
        self._command = [sys.executable, "-P", "-m", "void_server.worker", "--device", place.name]
        self._command += ["--parent", str(os.getpid()), "--workers", str(workers)]
        if settings.cache_bytes:
            self._command += ["--cache-bytes", str(settings.cache_bytes)]
        for flag, value in (("--weights", settings.weights), ("--memory", settings.memory)):
            self._command += [flag, value] if value else []
        log = settings.state / f"worker-{place.name.replace(':', '-')}.log"
        try:
            self._log = BoundedLog(log, repeats=settings.private)
        except OSError as error:
            raise unusable(settings.state, f"{log}: {error.strerror or error}") from error
        self._stopping = threading.Event()
        self._stop_at = float("inf")
        self._deaths = 0
        self._death = Death(obituary.OURS)
        self._job: JobRow | None = None
        self._told = Told()
        self._last: Finished | Failed | Stopped | None = None
        self._verdict: Failed | None = None

    def stop(self, seconds: float) -> None:
        """Let the worker write a checkpoint and end, within so many seconds. From any thread."""
        self._stop_at = time.monotonic() + seconds
        self._stopping.set()
        self.alarm()

    def alarm(self) -> None:
        """Make it look at the queue. From any thread."""
        with suppress(BlockingIOError):  # nobody has listened for a very long time
            os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Forget it, when its thread has ended."""
        self._log.close()
        os.close(self._wake)

    def run(self) -> None:
        """Serve until stopped."""
        while True:
            try:
                if self._job is not None:
                    self._bury(self._job)
                if self._stopping.is_set():
                    break
                self._serve(self._log)
            except Exception as error:  # the thread's boundary: without it no job would run here any more
                logger.exception("The device %s failed", self.name)
                self._death = Death(obituary.OURS, text=f"{type(error).__name__}: {error}")
                self._deaths += 1
                if self._stopping.is_set():
                    break  # a start of the server puts the job back
            if not self._stopping.is_set():
                self._pause()
        self._show(DOWN)

    # -- one worker ------------------------------------------------------------------------------------------

    def _serve(self, log: BoundedLog) -> None:
        """Start a worker and attend to it until it has ended."""
        self._ready, self._quiet = False, 0.0
        worker = WorkerProcess(self._command, self._environment, log, self._wake)
        self._death = Death(obituary.OURS)
        try:
            self._show(LOADING, pid=worker.pid)
            how = self._attend(worker)
        finally:
            status, messages = worker.close()
        self._death = Death(how, status, log.last_line)
        for message in messages:
            self._hear(message, worker)
        if not self._stopping.is_set():
            self._deaths += 1
            logger.warning("%s", obituary.what_happened(self._death, self.name, self._told.where()))
        if self._job is not None:
            self._bury(self._job)

    def _attend(self, worker: WorkerProcess) -> str:
        """Give orders and listen; returns how it came to its end."""
        heard = begun = time.monotonic()
        asked_to_stop, cancelled_at = False, float("inf")
        while True:
            for message in worker.read(POLL_SECONDS):
                heard = time.monotonic()
                self._hear(message, worker)
            now = time.monotonic()
            if worker.dead:
                return obituary.DIED
            if self._stopping.is_set():
                if not asked_to_stop:
                    worker.send({"do": "stop"})
                    asked_to_stop = True
                if now > self._stop_at:
                    return obituary.DRAINED
                continue
            if now - heard > self._settings.heartbeat_seconds:
                return obituary.QUIET
            if self._job is None:
                cancelled_at = float("inf")
                if self._ready:
                    self._take(worker)
                elif now - begun > self._settings.hang_seconds:
                    return obituary.HUNG
                continue
            if self._quiet > self._settings.hang_seconds:
                return obituary.HUNG
            if cancelled_at == float("inf") and self._queue.get(self._job.job_id).cancel_requested:
                worker.send({"do": "cancel", "job": self._job.job_id})
                cancelled_at = now
            if now - cancelled_at > CANCEL_SECONDS:
                return obituary.DEAF

    def _take(self, worker: WorkerProcess) -> None:
        row = self._queue.take([facts.name for facts in self.engines if facts.available and self._takes(facts)])
        if row is None:
            return
        self._job = row
        worker.send(run_order(row, self._queue.content(row.job_id)))
        self._show(BUSY, job_id=row.job_id)

    def _pause(self) -> None:
        """Wait before the next start: not after a first death, ever longer after more."""
        self.reported.set()
        self._show(DOWN, pid=0)
        if self._deaths > 1:
            self._stopping.wait(min(LONGEST_PAUSE, 2.0 ** min(16, self._deaths - 2)))
        if not self._stopping.is_set():
            self.status = replace(self.status, restarts=self.status.restarts + 1)
            self._observer.worker_restarted(self.name)

    # -- what it tells ---------------------------------------------------------------------------------------

    def _hear(self, message: Mapping[str, Any], worker: WorkerProcess) -> None:
        said, job = message["say"], self._job
        if said == "ready":
            self.engines = tuple(engine_facts(told, self.name) for told in message["engines"])
            self._ready = True
            self._show(IDLE)
            self.reported.set()
        elif said == "beat":
            self._quiet = message["quiet_seconds"]
            for seconds in message["steps"] if job is not None else ():
                self._observer.step(job.engine if job is not None else "", seconds)
        elif job is None or message["job"] != job.job_id:
            logger.warning("The worker on %s told of the job %s, which is not its own", self.name, message["job"])
        elif said == "event":
            event = from_line(json.dumps(message["event"]))
            if event is not None and self._verdict is None:
                self._note(job, event, worker)
        elif said == "done":
            self._done(job, message["outcome"])

    def _note(self, job: JobRow, event: Event, worker: WorkerProcess) -> None:
        try:
            event = self._deliveries.taken_in(job, event)
        except VoidError as error:
            self._verdict = Failed(code=error.code, text=error.message)
            worker.send({"do": "cancel", "job": job.job_id})
            return
        self._told.note(event)
        if isinstance(event, (Finished, Failed, Stopped)):
            self._last = event  # becomes part of the change of state, so that one is never without the other
        else:
            self._queue.append(job.job_id, event)

    # -- how a job ends --------------------------------------------------------------------------------------

    def _done(self, job: JobRow, outcome: str) -> None:
        last = self._verdict or self._last
        if last is not None:
            self._finish(job, last)
        elif outcome == "stopped":
            self._queue.requeue(job.job_id)
        else:
            self._finish(
                job, Failed(code="job.crashed", text="The job ended without saying how it went; run it again.")
            )
        self._deaths = 0
        self._forget()
        self._show(IDLE)

    def _bury(self, job: JobRow) -> None:
        """Settle the job of a worker that has ended."""
        last, death, where = self._verdict or self._last, self._death, self._told.where()
        row = self._still_running(job)
        if row is None:
            pass  # settled before something else failed
        elif last is not None:
            self._finish(job, last)
        elif row.cancel_requested:
            self._finish(job, Stopped())
        elif self._stopping.is_set():
            self._queue.requeue(job.job_id)
        elif row.attempts < ATTEMPTS:
            happened = obituary.what_happened(death, self.name, where)
            text = f"{happened}; the job goes on from its last finished unit."
            self._queue.append(job.job_id, Warned(code="worker_lost", text=text))
            self._queue.retry(job.job_id)
        else:
            self._finish(job, obituary.failure(death, self.name, where, row.attempts))
        self._forget()

    def _still_running(self, job: JobRow) -> JobRow | None:
        try:
            row = self._queue.get(job.job_id)
        except JobError:  # it had ended, and its owner has deleted it since
            return None
        return row if row.state == RUNNING else None

    def _finish(self, job: JobRow, last: Finished | Failed | Stopped) -> None:
        row = self._queue.finish(job.job_id, last)
        self._observer.job_ended(row, row.state, row.busy_seconds, len(self._told.frames))

    def _forget(self) -> None:
        self._job = None
        self._told = Told()
        self._last = None
        self._verdict = None

    def _show(self, state: str, job_id: str = "", pid: int | None = None) -> None:
        names = tuple(facts.name for facts in self.engines if facts.available)
        pid = self.status.pid if pid is None else pid
        self.status = replace(self.status, state=state, job_id=job_id, engines=names, pid=pid)
        self._changed()
