"""One removal from request to last event, whatever client runs it."""

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import replace

from void_plugin.errors import Cancelled, FrameError, JobError, VoidError
from void_plugin.events import Event, Failed, Stopped, is_last
from void_plugin.frames import contiguous, describe
from void_plugin.request import RemovalRequest


class Client(ABC):
    """Runs one removal somewhere and tells what happens; lives for one job."""

    @abstractmethod
    def submit(self, request: RemovalRequest) -> Generator[Event, None, None]:
        """The events of the job, which starts with the first one asked for. Closing the generator gives it up.

        Raises VoidError where the job cannot start.
        """

    @abstractmethod
    def cancel(self) -> None:
        """Ask the job to stop and keep what is finished; a second call ends the events at once.

        Safe from any thread and from a signal handler. The events then end with Stopped.
        """


def remove(request: RemovalRequest, client: Client) -> Generator[Event, None, None]:
    """Run a request and yield its events, numbered without going back, always closed by a last event.

    Never raises VoidError: what is wrong arrives as Failed, so every caller shows it in one way.
    """
    job, number = "", 0
    error: VoidError = JobError(
        "The job ended without saying how it went; run it again, and look into log.txt in its job folder.",
        "job.crashed",
    )
    try:
        request.check()
        with contextlib.closing(client.submit(with_frames(request))) as events:
            for event in events:
                job = event.job or job
                # A number that goes back would make a watcher who resumes from it see events twice.
                number = max(event.number, number + 1)
                yield replace(event, job=job, number=number)
                if is_last(event):
                    return
    except VoidError as found:
        error = found
    except Cancelled:
        yield Stopped(job=job, number=number + 1)
        return
    yield Failed(job=job, number=number + 1, code=error.code, text=error.message)


def with_frames(request: RemovalRequest) -> RemovalRequest:
    """The request with the frames it asks for written out: the given ones, else the whole shot range.

    Raises FrameError where the plate has no such frames, before anything is started or written.
    """
    plate = request.sequence("plate")
    if plate.is_still:
        if not os.path.isfile(plate.pattern):
            raise FrameError(f"The plate {plate.pattern} does not exist; correct its path.", "frame.missing")
        return request
    if request.frames is not None:
        missing = plate.missing(request.frames)
        wanted = request.frames
    elif request.shot_range is not None:
        missing = plate.missing(request.shot_range)
        wanted = request.shot_range
    else:
        found, missing = contiguous(plate.on_disk())
        if found is None:
            raise FrameError(
                f"No frame of the plate {plate.pattern} exists; correct the path or the number of digits.",
                "frame.missing",
            )
        wanted = found
    if missing:
        raise FrameError(
            f"The plate {plate.pattern} lacks frames {describe(missing)}; render them or ask for a range without them.",
            "frame.missing",
        )
    return replace(request, frames=wanted)
