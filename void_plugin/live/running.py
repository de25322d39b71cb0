"""Several jobs of version folders at once, each as a call of its own, which end when the call around them does."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from void_plugin.desk import Desk
from void_plugin.errors import Cancelled, VoidError
from void_plugin.hostcall import HostCall

MOST = 16
"""Jobs that are followed at once; a server has its own queue, and jobs on this machine take turns."""
UNDER_WAY = ("Queued", "Started")
"""Events that come once a server has a job."""

Hear = Callable[[dict[str, Any]], None]
Function = Callable[[Desk, HostCall], dict[str, Any]]


@dataclass(frozen=True)
class Wanted:
    """One job: which call it is, with what, and for which clip."""

    shot: str
    function: Function
    args: Mapping[str, Any]
    leave: bool = False
    """Leave it to its server as soon as that has it."""


@dataclass(frozen=True)
class Ended:
    """How one job has ended."""

    shot: str
    manifest: Mapping[str, Any] | None = None
    error: VoidError | None = None
    left: bool = False
    """True where it goes on without us."""

    @property
    def cancelled(self) -> bool:
        """True where it was stopped."""
        return self.manifest is None and self.error is None and not self.left


class Running:
    """Runs jobs, and hands on to all of them the wish to end."""

    def __init__(self, desk: Desk, call: HostCall, leaves: bool = False, heard: Hear | None = None) -> None:
        """`leaves` lets a cancel leave jobs where they are, in place of stopping them; `heard` hears events too."""
        self._desk, self._call, self._leaves, self._heard = desk, call, leaves, heard
        self._lock = threading.Lock()
        self._calls: list[HostCall] = []

    def cancel(self) -> None:
        """Stop all jobs; the second time at once."""
        with self._lock:
            for call in self._calls:
                call.leave() if self._leaves else call.cancel()

    def leave(self) -> None:
        """Leave all jobs, because the host has gone."""
        with self._lock:
            for call in self._calls:
                call.leave()

    def run(self, wanted: Sequence[Wanted]) -> Iterator[Ended]:
        """How each job has ended, as it does."""
        if not wanted:
            return
        self._calls = [self._part(one) for one in wanted]
        with self._call.running(self), ThreadPoolExecutor(min(MOST, len(wanted))) as pool:
            futures: dict[Future[dict[str, Any]], int] = {
                pool.submit(one.function, self._desk, self._calls[at]): at for at, one in enumerate(wanted)
            }
            for future in as_completed(futures):
                at = futures[future]
                yield self._ended(wanted[at].shot, self._calls[at], future)

    def _part(self, one: Wanted) -> HostCall:
        def tell(event: dict[str, Any]) -> None:
            self._call.tell({**event, "shot": one.shot})
            if self._heard is not None:
                self._heard(event)
            if one.leave and event.get("kind") in UNDER_WAY:
                part.leave()

        part = HostCall(one.function.__name__, one.args, tell, self._call.ask)
        return part

    def _ended(self, shot: str, part: HostCall, future: Future[dict[str, Any]]) -> Ended:
        try:
            return Ended(shot, manifest=future.result()["manifest"])
        except Cancelled:
            return Ended(shot, left=part.left)
        except VoidError as error:
            return Ended(shot, error=error)
