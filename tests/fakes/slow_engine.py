"""An engine for tests of the server: it does as its request's prompt says, and gives the plate back.

The prompt is one JSON object, all keys optional: `step` (seconds a frame takes), and what goes wrong: `do` (crash,
kill, exit, memory, hang, stuck, error) at frame `at`, the first `times` times, which are counted by files in `marks`.
With `until`, frame `at` takes until a file of that name is there. A unit has four frames.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from void_plugin.errors import Cancelled
from void_server.engines import Engine, EngineLimits, Fill, Frames, IsCancelled, Progress, Readiness, Shelf, Unit


class SlowEngine(Engine):
    """Sleeps and misbehaves as told."""

    name = "slow"

    def limits(self) -> EngineLimits:
        return EngineLimits()

    def solve(
        self, unit: Unit, frames: Frames, progress: Progress, cancelled: IsCancelled, shelf: Shelf
    ) -> Iterator[Fill]:
        told: dict[str, Any] = json.loads(self.setup.prompt or "{}")
        for done, frame in enumerate(unit.frames):
            until = time.monotonic() + told.get("step", 0.0)
            gate = told.get("until") if frame == told.get("at") else None
            while True:
                if cancelled():
                    raise Cancelled
                left = until - time.monotonic()
                if left <= 0 and (gate is None or os.path.exists(gate)):
                    break
                time.sleep(min(0.01, max(left, 0.001)))
            if frame == told.get("at"):
                misbehave(told)
            box = frames.hole(frame)
            if box is not None:
                yield Fill(frame, box, frames.plate(frame, box), np.ones(box.size, np.float32), {"coverage": 1.0})
            progress((done + 1) / len(unit.frames), "")


def misbehave(told: dict[str, Any]) -> None:
    """Do what the prompt says, until it was done often enough."""
    if "marks" in told:
        marks = Path(told["marks"])
        count = len(list(marks.iterdir()))
        if count >= told.get("times", 1):
            return
        (marks / str(count)).touch()
    what = told.get("do")
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "exit":
        os._exit(3)
    elif what == "memory":
        raise MemoryError
    elif what == "hang":
        time.sleep(3600)
    elif what == "stuck":  # not even the other threads of the process run
        os.kill(os.getpid(), signal.SIGSTOP)
    elif what == "error":
        raise RuntimeError("the engine is broken")


class AbsentEngine(SlowEngine):
    """Cannot run anywhere, as an engine whose GPU is not there."""

    name = "absent"

    def readiness(self) -> Readiness:
        return Readiness("There is no GPU here.")


class CardEngine(SlowEngine):
    """Says that it needs a GPU, and does without."""

    name = "card"

    def limits(self) -> EngineLimits:
        return EngineLimits(devices=("cuda",))


class LeanEngine(SlowEngine):
    """Says what it was told of the machine, as an engine that has weights."""

    name = "lean"

    def readiness(self) -> Readiness:
        return Readiness(memory=f"{self.setup.machine.memory} from {self.setup.machine.weights}")

    def advice(self) -> Iterator[tuple[str, str]]:
        yield "memory", self.readiness().memory


class NumbEngine(SlowEngine):
    """Never says whether it can run, as one whose driver hangs."""

    name = "numb"

    def readiness(self) -> Readiness:
        time.sleep(3600)
        return Readiness()
