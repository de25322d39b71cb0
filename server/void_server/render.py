"""Runs the units and frames of a planned job side by side and commits each as soon as it is finished."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from void_plugin.errors import Cancelled
from void_plugin.events import FrameReady
from void_plugin.frames import FrameRange
from void_plugin.request import Output, RemovalRequest
from void_server import results
from void_server.beneath import Roots
from void_server.colour import Config as ColourConfig
from void_server.compose import Composed, Composer
from void_server.engines import Engine, Frames, IsCancelled, Unit
from void_server.eventlog import EventLog
from void_server.exr import ImageFiles
from void_server.footage import Footage
from void_server.jobfolder import JobFolder, write_json
from void_server.plan import Plan, engine_frames, plate_frames
from void_server.solve import load_fill, solve_unit, unit_facts

PLAN_SHARE, SOLVE_SHARE = 0.25, 0.6
"""Rough shares of a job's time for the progress bar; the rest is composing."""

Stepped = Callable[[float], None]
"""Called with the seconds that one step of the engine took."""
Task = Callable[[], Unit | None]


@dataclass
class Render:
    """Everything that solving and composing need, and the threads that do it."""

    request: RemovalRequest
    plan: Plan
    engine: Engine
    footage: Footage
    colour: ColourConfig
    folder: JobFolder
    files: ImageFiles
    log: EventLog
    workers: int
    roots: Roots | None
    cancelled: IsCancelled
    stepped: Stepped

    def run(self, units: list[Unit], frames: FrameRange | None) -> None:
        """Solve some units and compose some frames, each as soon as its unit is solved; None composes none."""
        view = engine_frames(self.plan, self.engine, self.footage, self.colour, self.folder)
        base = plate_frames(self.plan, self.engine, self.footage, self.colour)
        composer = Composer(self.plan, self.engine, self.request.settings, base, self.files, self.colour)
        unit_of = {frame: unit for unit in self.plan.units for frame in unit.frames}
        by_unit: dict[int, list[int]] = {}
        loose = []
        solving = {unit.index for unit in units}
        for frame in frames or ():
            unit = unit_of.get(frame)
            if unit is not None and unit.index in solving:
                by_unit.setdefault(unit.index, []).append(frame)
            else:
                loose.append(frame)
        following: dict[str, list[Unit]] = {}
        for unit in units:
            # One whose predecessor is solved already begins at once.
            known = unit.follows if unit.follows in {other.key for other in units} else ""
            following.setdefault(known, []).append(unit)
        tracker = _Tracker(self.log, units, len(frames) if frames is not None else 0)
        waiting: deque[Task] = deque(self._solve_task(unit, view, tracker) for unit in following.pop("", []))
        ready: deque[Task] = deque()

        def queue_frames(numbers: list[int]) -> None:
            ready.extend(self._compose_task(composer, number, unit_of.get(number), tracker) for number in numbers)

        queue_frames(loose)
        running: set[Future[Unit | None]] = set()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                while ready or waiting or running:
                    # Writing comes first: frames appear early, and decoded plates are still in memory.
                    while len(running) < self.workers and (ready or waiting):
                        running.add(pool.submit(ready.popleft() if ready else waiting.popleft()))
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        solved = future.result()
                        if solved is not None:
                            waiting.extend(
                                self._solve_task(unit, view, tracker) for unit in following.pop(solved.key, [])
                            )
                            queue_frames(by_unit.get(solved.index, []))
            except BaseException:
                tracker.stopped = True
                raise

    def _solve_task(self, unit: Unit, view: Frames, tracker: _Tracker) -> Callable[[], Unit]:
        def work() -> Unit:
            if self.cancelled() or tracker.stopped:
                raise Cancelled
            before = time.monotonic()

            def progress(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
                nonlocal before
                now = time.monotonic()
                self.stepped(now - before)
                before = now
                tracker.unit(unit, done, text, window, pass_number)

            solve_unit(
                unit,
                self.engine,
                view,
                self.files,
                self.folder,
                progress,
                lambda: self.cancelled() or tracker.stopped,
                self.log.warn,
            )
            tracker.unit(unit, 1.0, "")
            return unit

        return work

    def _compose_task(self, composer: Composer, frame: int, unit: Unit | None, tracker: _Tracker) -> Callable[[], None]:
        def work() -> None:
            if self.cancelled() or tracker.stopped:
                raise Cancelled
            solved = unit_facts(self.folder, unit) if unit is not None else {}
            facts, fill, broken = solved.get(str(frame)), None, 0
            for index, output in enumerate(self.request.outputs):
                path = self.request.output_sequence(output).path(frame)
                key = results.frame_key(self.plan, unit, output, self.request)
                manifest = self.folder.frame_manifest(output.kind, frame)
                entry = results.kept(manifest, key, path, self.roots)
                if entry is None:
                    if fill is None and unit is not None and facts is not None:
                        fill = load_fill(self.folder, unit, frame, self.files)
                    composed = composer.write(frame, fill, output, path)
                    entry = {
                        "key": key,
                        **_entry(composed, frame, output, dict(facts or {})),
                        **results.file_facts(path, self.roots),
                    }
                    write_json(manifest, entry)
                    broken = max(broken, entry["broken_pixels"])
                coverage = entry["facts"].get("coverage", 1.0)
                self.log.emit(
                    FrameReady(frame=frame, path=path, digest=entry["sha256"], coverage=coverage, output=index)
                )
            if broken:
                self.log.warn(
                    "broken_pixels",
                    frame,
                    f"Frame {frame}: {broken} NaN or Inf pixels under the matte were replaced by their neighbours.",
                )
            tracker.frame()

        return work


def _entry(composed: Composed, frame: int, output: Output, facts: dict[str, float]) -> dict[str, Any]:
    """What a manifest says of a written frame beside its file."""
    return {
        "kind": output.kind,
        "frame": frame,
        "untouched": composed.untouched,
        "recovered": composed.recovered,
        "generated": composed.generated,
        "broken_pixels": composed.broken_pixels,
        "facts": facts,
    }


class _Tracker:
    """Adds up the progress of everything that runs."""

    def __init__(self, log: EventLog, units: list[Unit], frames: int) -> None:
        self.stopped = False
        self._log, self._frames = log, frames
        self._units = dict.fromkeys((unit.index for unit in units), 0.0)
        self._written = 0

    def unit(self, unit: Unit, done: float, text: str, window: int = 0, pass_number: int = 0) -> None:
        self._units[unit.index] = max(self._units[unit.index], done)
        self._tell("solve", unit.index, text, window, pass_number)

    def frame(self) -> None:
        self._written += 1
        self._tell("compose", 0, "")

    def _tell(self, step: str, unit: int, text: str, window: int = 0, pass_number: int = 0) -> None:
        solved = sum(self._units.values()) / len(self._units) if self._units else 1.0
        written = self._written / self._frames if self._frames else 1.0
        fraction = PLAN_SHARE + SOLVE_SHARE * solved + (1 - PLAN_SHARE - SOLVE_SHARE) * written
        # The job is done when the last event says so, not a moment before.
        self._log.progress(step, min(fraction, 0.999), text, unit, window, pass_number)
