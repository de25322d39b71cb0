"""The questions that the host answers, and how long each may take."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from void_plugin.hostcall import HostCall
from void_plugin.live.timelinefacts import Context, LiveShot, shots_of

SECONDS = 120.0
"""For one answer: the host may be busy drawing, or show a dialog that somebody has to close first."""


class HostSide:
    """What can be asked of the editor. Every method raises the host's own sentence where it cannot be done."""

    def __init__(self, call: HostCall) -> None:
        self._call = call
        self._lock = threading.Lock()

    @property
    def gone(self) -> bool:
        """True once there is nobody left to ask."""
        return self._call.left

    def _ask(self, name: str, /, **args: Any) -> dict[str, Any]:
        with self._lock:  # it has one main thread, and a later question must not wait for its turn
            return self._call.ask(name, args, SECONDS)

    def context(self) -> Context:
        """The project, the timeline, and what stands in the way."""
        return Context.of(self._ask("context"))

    def shots(self, pick: str) -> list[LiveShot]:
        """Clips of the timeline: selected, at the playhead, with markers, or all."""
        return shots_of(self._ask("shots", pick=pick).get("shots") or ())

    def timeline_otio(self, path: str) -> str:
        """Write the timeline as OTIO; returns the path."""
        return str(self._ask("timeline_otio", path=path)["path"])

    def export_begin(self, **args: Any) -> dict[str, Any]:
        """Start a render of one track over some frames."""
        return self._ask("export_begin", **args)

    def export_poll(self, job: str, more_seconds: float = 0.0) -> dict[str, Any]:
        """How far a render of ours has come; some hosts answer only when all of it is done."""
        with self._lock:
            return self._call.ask("export_poll", {"job": job}, SECONDS + more_seconds)

    def export_end(self, job: str) -> list[str]:
        """Stop and forget a render of ours and restore what it changed; returns what could not be restored."""
        return [str(text) for text in self._ask("export_end", job=job).get("failed") or ()]

    def place(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Lay frames over a clip."""
        return self._ask("place", **args)

    def unplace(self, item: str) -> None:
        """Take away what a round trip has placed."""
        self._ask("unplace", item=item)

    def mark(self, shot: str, job: str, folder: str, state: str, note: str) -> None:
        """Write on the marker of a clip what became of it."""
        self._ask("mark", shot=shot, job=job, folder=folder, state=state, note=note)

    def jobs(self) -> Sequence[Mapping[str, Any]]:
        """What our markers on the timeline say."""
        return list(self._ask("jobs").get("jobs") or ())

    def clean(self) -> dict[str, Any]:
        """Remove everything of ours from the project."""
        return self._ask("clean")

    def leftovers(self) -> list[str]:
        """Restore what an interrupted run has left; returns what could not be restored."""
        return [str(text) for text in self._ask("leftovers").get("failed") or ()]

    def tell(self, text: str) -> None:
        """Show a sentence."""
        self._ask("tell", text=text)
