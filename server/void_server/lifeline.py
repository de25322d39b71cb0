"""What ties a worker process to its server: it ends with it, tells that it lives, and speaks in JSON lines."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from void_server.stop import Stop

BEAT_SECONDS = 1.0
"""How often a worker tells that it lives."""
STEPS_KEPT = 1000
"""Times of engine steps told in one beat at most."""
OOM_SCORE = 500
"""Where memory runs out the kernel is to end a worker, whose job is retried, and not the server."""

_PR_SET_PDEATHSIG = 1


def bind_to_parent(parent: int) -> None:
    """Make sure that this process and all it starts end when its parent does, whatever happens to either.

    The kernel's signal comes when the thread ends that started us; the watcher also ends our own children, and covers
    kernels that lose that signal. A parent that is gone already ends this process at once.
    """
    if not parent:
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    try:
        handle = os.pidfd_open(parent)
    except ProcessLookupError:
        sys.exit(0)
    if os.getppid() != parent:  # it ended before we asked for the signal, and its number may be another's by now
        sys.exit(0)
    threading.Thread(target=_end_with, args=(handle,), daemon=True).start()
    score = Path("/proc/self/oom_score_adj")
    if int(score.read_text(encoding="ascii")) < OOM_SCORE:
        score.write_text(str(OOM_SCORE), encoding="ascii")


def _end_with(handle: int) -> None:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.poll()
    end_group()


def end_group() -> None:
    """End this process and, where it leads its group, everything in that."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def stop_at_end(stream: IO[str], stop: Stop) -> None:
    """Ask to stop, from a thread of its own, once a stream ends: whoever holds its other side is gone."""

    def watch() -> None:
        # os.read and not the stream: a thread inside its lock would make the interpreter abort at exit.
        while os.read(stream.fileno(), 1024):
            pass
        stop.set()

    threading.Thread(target=watch, daemon=True).start()


class Channel:
    """Lines to the server; safe to use from many threads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    @classmethod
    def of_stdout(cls) -> Channel:
        """Take over stdout; what libraries print there goes to the log from now on."""
        sys.stdout.flush()
        descriptor = os.dup(1)
        os.dup2(2, 1)
        return cls(descriptor)

    def say(self, message: dict[str, Any]) -> None:
        """Send one line."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        with self._lock:
            while data:
                try:
                    data = data[os.write(self._descriptor, data) :]
                except BrokenPipeError:  # nobody is there to work for
                    end_group()


class Life:
    """When the job at work last gave a sign of life, and how long its steps took."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: float | None = None
        self._steps: list[float] = []

    def begin(self) -> None:
        """A job begins."""
        self.sign()

    def sign(self) -> None:
        """The job at work lives."""
        self._last = time.monotonic()

    def stepped(self, seconds: float) -> None:
        """The engine did a step."""
        self.sign()
        with self._lock:
            if len(self._steps) < STEPS_KEPT:
                self._steps.append(seconds)

    def rest(self, channel: Channel) -> None:
        """The job has ended."""
        self.tell(channel)
        self._last = None

    def tell(self, channel: Channel) -> None:
        """Send one beat."""
        with self._lock:
            steps, self._steps = self._steps, []
        last = self._last
        quiet = 0.0 if last is None else time.monotonic() - last
        channel.say({"say": "beat", "quiet_seconds": round(quiet, 3), "steps": [round(step, 6) for step in steps]})

    def beat(self, channel: Channel) -> None:
        """Send beats for ever."""
        while True:
            self.tell(channel)
            time.sleep(BEAT_SECONDS)
