"""What tests of jobs and workers build on: jobs for a queue, a slow engine, and devices with all they need."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from shots import Shot

from void_plugin.events import Event, FrameReady
from void_plugin.request import RemovalRequest
from void_server.devices import Devices, DeviceStatus, Observer
from void_server.jobs import JobQueue, JobRow, NewJob
from void_server.settings import ServerSettings
from void_server.store import FrameStore

FAKES = str(Path(__file__).parent / "fakes")
SECONDS = 120.0
COUNTER = iter(range(1 << 30))


def new_job(**changes: Any) -> NewJob:
    number = next(COUNTER)
    values: dict[str, Any] = {
        "request_id": f"request-{number}",
        "owner": "ann",
        "namespace": "ann",
        "kind": "remove",
        "engine": "recover",
        "reason": "",
        "priority": 50,
        "shot": "sh010",
        "frames": "1001-1004",
        "frame_count": 4,
        "request": "{}",
        "submitted": f"text {number}",
        "digests": None,
        "folder": f"/out/.void/{number}",
        "work": "",
        "roots": ("/shows",),
        "max_pixels": 1 << 27,
    }
    values.update(changes)
    return NewJob(**values)


def numbers(events: list[Event]) -> list[int]:
    return [event.number for event in events]


def slow_environment(folder: Path) -> dict[str, str]:
    """The environment of a machine on which the slow engine is configured."""
    config = folder / "machine.json"
    engines = {name: f"slow_engine:{name.capitalize()}Engine" for name in ("slow", "absent", "lean")}
    config.write_text(json.dumps({"engines": engines}))
    # What the tests themselves import must be what their children import.
    path = os.pathsep.join(filter(None, (FAKES, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "VOID_CONFIG": str(config), "PYTHONPATH": path}


def gone(pid: int) -> bool:
    """True where a process has ended, even where nobody has asked for its status yet."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def eventually(check: Callable[[], Any], what: str) -> Any:
    """What `check` gives as soon as that is true."""
    deadline = time.monotonic() + SECONDS
    while not (found := check()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.02)
    return found


def slow(shot: Shot, **told: Any) -> RemovalRequest:
    return shot.request(engine="slow", prompt=json.dumps(told))


class Seen(Observer):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.ended: list[tuple[str, str, int]] = []
        self.steps: list[tuple[str, float]] = []
        self.restarted: list[str] = []
        self.states: list[str] = []

    def devices_changed(self, statuses: Sequence[DeviceStatus]) -> None:
        self.states.extend(status.state for status in statuses)

    def job_ended(self, row: JobRow, outcome: str, seconds: float, frames: int) -> None:
        assert seconds >= 0
        self.ended.append((row.job_id, outcome, frames))

    def step(self, engine: str, seconds: float) -> None:
        self.steps.append((engine, seconds))

    def worker_restarted(self, device: str) -> None:
        self.restarted.append(device)


class Bench:
    """A queue, a store and devices, as a server has them."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        state = folder / "state"
        self.settings = ServerSettings(state=state, devices=("cpu",), workers=1)
        self.environment = environment
        self.queue = JobQueue(state)
        self.store = FrameStore(state / "store", 1 << 30, self.queue.pins)
        self.seen = Seen()
        self.devices: Devices | None = None

    def start(self, **settings: Any) -> Devices:
        self.settings = replace(self.settings, **settings)
        self.devices = Devices(self.settings, self.queue, self.store, self.seen, self.environment)
        self.devices.start()
        return self.devices

    def submit(self, request: RemovalRequest, **changes: Any) -> str:
        values = {"engine": request.engine, "request": request.to_json(), "folder": request.job_folder()}
        return self.queue.submit(new_job(**{**values, "roots": None, **changes}), 1000)[0].job_id

    def until(self, job: str, *states: str) -> JobRow:
        eventually(lambda: self.queue.get(job).state in states, f"{job} is one of {states}")
        return self.queue.get(job)

    def until_frame(self, job: str) -> None:
        eventually(lambda: self.of(job, FrameReady), "a first frame")

    def of(self, job: str, kind: type[Any]) -> list[Any]:
        return [event for event in self.queue.events(job, 0, 10_000) if isinstance(event, kind)]

    def close(self) -> None:
        if self.devices is not None:
            pids = [status.pid for status in self.devices.status() if status.pid]
            self.devices.drain(20)
            assert all(gone(pid) for pid in pids)
        self.store.close()
        self.queue.close()
