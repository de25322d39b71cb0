"""One view of a version on its way through a server: its events for the host, and what came of it."""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from void_plugin.config import Config
from void_plugin.errors import Cancelled, from_code
from void_plugin.events import (
    Event,
    Failed,
    Finished,
    FrameReady,
    Progressed,
    Started,
    Stopped,
    Uploading,
    Warned,
    to_dict,
)
from void_plugin.hostcall import HostCall
from void_plugin.outcomes import forward, outcome, warning
from void_plugin.removal import remove
from void_plugin.request import RemovalRequest
from void_plugin.serverjob import ServerJob

TELL_SECONDS = 0.2
"""Progress is told at most this often, which is what a host can show."""


class Throttle:
    """Lets through what comes at most so often."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._next = float("-inf")

    def passes(self) -> bool:
        """True where the last one that passed is long enough ago."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


class ViewRun:
    """The run of one view, which is a share of the whole job."""

    def __init__(
        self,
        call: HostCall,
        folder: Path,
        config: Config,
        environment: Mapping[str, str],
        kind: str,
        view: str,
        begins: float,
        share: float,
    ) -> None:
        """The progress that is told goes from `begins` on by `share`."""
        self._call, self._folder, self._kind, self._view = call, folder, kind, view
        self._config, self._environment = config, environment
        self._begins, self._share = begins, share
        self._throttle = Throttle(TELL_SECONDS)
        self._engine = ""
        self._warnings: list[dict[str, Any]] = []

    def run(self, request: RemovalRequest) -> dict[str, Any]:
        """Run it to its end; what came of it, with paths below the version folder. Raises VoidError or Cancelled."""
        job = ServerJob(self._config, self._environment, kind=self._kind)
        with self._call.running(job), contextlib.closing(remove(request, job)) as events:
            for event in events:
                if isinstance(event, Finished):
                    self._tell(event)
                    return self._outcome(request, event)
                if isinstance(event, Failed):
                    raise from_code(event.code, event.text)
                if isinstance(event, Stopped):
                    raise Cancelled
                self._take(event)
        raise AssertionError("a removal ends with a last event")

    def _take(self, event: Event) -> None:
        if isinstance(event, Started):
            self._engine = event.engine
        elif isinstance(event, Warned):
            self._warnings.append(warning(self._view, event.code, event.frame, event.text))
        elif isinstance(event, Progressed):
            if not self._throttle.passes():
                return
            event = replace(event, fraction=self._begins + self._share * event.fraction)
        elif isinstance(event, Uploading) and event.done < event.total and not self._throttle.passes():
            return
        self._tell(event)

    def _tell(self, event: Event) -> None:
        if isinstance(event, FrameReady):
            event = replace(event, path=forward(event.path))
        elif isinstance(event, Started):
            event = replace(event, folder=forward(event.folder))
        elif isinstance(event, Finished):
            event = replace(event, result=forward(event.result))
        self._call.tell({**to_dict(event), "view": self._view})

    def _outcome(self, request: RemovalRequest, last: Finished) -> dict[str, Any]:
        return outcome(self._folder, request, self._kind, last.result, self._engine, last.summary, self._warnings)
