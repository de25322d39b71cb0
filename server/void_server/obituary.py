"""Why a worker died, in a sentence for whoever waits for its job."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from void_plugin.events import Event, Failed, FrameReady, Progressed

KILLED_STATUSES = (-signal.SIGKILL, 71)
"""How a process ends for which no memory was left: the kernel takes it, or it says so itself."""

DIED, QUIET, HUNG, DEAF, DRAINED, OURS = "died", "quiet", "hung", "deaf", "drained", "ours"
"""How a worker came to its end: by itself; ended for sending no heartbeat, for a job without a sign of life, for not
reacting to a cancel, for a drain; or with a fault of the server."""


@dataclass(frozen=True)
class Death:
    """The end of a worker."""

    how: str
    status: int = 0
    """Exit status of the process; negative is a signal."""
    last_line: str = ""
    """The last line of its log."""
    text: str = ""
    """The fault of the server, where it was that."""


class Told:
    """What a worker told of its job, to say where it was."""

    def __init__(self) -> None:
        self._step = ""
        self._frame: int | None = None
        self.frames: set[int] = set()

    def note(self, event: Event) -> None:
        """Take note of an event."""
        if isinstance(event, Progressed):
            self._step = f"in the step {event.step}" + (f" ({event.text})" if event.text else "")
        if isinstance(event, FrameReady):
            self._frame = event.frame
            self.frames.add(event.frame)

    def where(self) -> str:
        """Where it was, as part of a sentence."""
        parts = [self._step or "before it did anything", "" if self._frame is None else f"after frame {self._frame}"]
        return ", ".join(part for part in parts if part)


def what_happened(death: Death, device: str, where: str) -> str:
    """Half a sentence: who died how and where."""
    who = f"The worker on {device}"
    if death.how == OURS:
        return f"The server failed while it listened to the worker on {device} ({death.text})"
    if death.how == QUIET:
        return f"{who} sent no heartbeat any more and was ended {where}"
    if death.how == HUNG:
        return f"{who} gave no sign of life for too long and was ended {where}"
    if death.status in KILLED_STATUSES:
        return f"{who} was killed {where}, most likely because memory ran out"
    if death.status < 0:
        return f"{who} crashed with {_signal_name(-death.status)} {where}"
    words = f" and said: {death.last_line.rstrip('.')}" if death.last_line else ""
    return f"{who} ended with exit code {death.status} {where}{words}"


def failure(death: Death, device: str, where: str, attempts: int) -> Failed:
    """The last event of a job whose worker died once too often."""
    happened = f"{what_happened(death, device, where)}; it was tried {attempts} times."
    kept = "Finished units are kept where the job folder is."
    if death.how in (QUIET, HUNG):
        return Failed(
            code="job.hung", text=f"{happened} Ask for fewer frames, or look into worker-{device}.log. {kept}"
        )
    if death.how == DIED and death.status in KILLED_STATUSES:
        return Failed(
            code="job.memory",
            text=f"{happened} Lower --workers or --cache-bytes of the server, or ask for fewer frames. {kept}",
        )
    if death.how == OURS:
        return Failed(code="server.internal", text=f"{happened} The server's log has the details. {kept}")
    return Failed(
        code="job.crashed",
        text=f"{happened} Whoever runs the server finds more in worker-{device}.log of its state folder. {kept}",
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
