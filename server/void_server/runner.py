"""Runs a job's steps and reports events: the one driver behind `task all`, farm tasks and the server's worker.

Units and frames run side by side on a few threads; finished ones are committed at once, so a job that is killed
and started again does only what is missing.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from void_plugin.config import Config as MachineConfig
from void_plugin.errors import Cancelled, RequestError
from void_plugin.events import Finished, FrameReady, Started
from void_plugin.frames import Digest, FrameRange, describe
from void_plugin.request import Output, RemovalRequest
from void_server import results
from void_server.colour import Config as ColourConfig
from void_server.compose import Composed, Composer
from void_server.engines import Engine, Frames, IsCancelled, Unit, choose_engine, open_engine
from void_server.eventlog import EventLog
from void_server.exr import ImageFiles
from void_server.footage import Footage
from void_server.jobfolder import JobFolder, write_json, write_text
from void_server.plan import Plan, engine_frames, make_plan, plate_frames
from void_server.preflight import resolve_ranges
from void_server.solve import is_solved, load_fill, solve_unit, unit_facts

PLAN_SHARE, SOLVE_SHARE = 0.25, 0.6
"""Rough shares of a job's time for the progress bar; the rest is composing."""


@dataclass
class Job:
    """One request on this machine; use as a context manager, which ends its reader processes."""

    request: RemovalRequest
    folder: JobFolder
    log: EventLog
    machine: MachineConfig
    workers: int
    cancelled: IsCancelled = lambda: False
    timings: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Job:
        self.folder.create()
        self._asked = self.request
        self.files = ImageFiles(self.workers)
        self.request = resolve_ranges(self.request)
        self.colour = ColourConfig.chosen(os.environ, self.machine.ocio)
        self.footage = Footage(self.files, self.request, self.machine.cache_bytes)
        name, self.reason = choose_engine(self.request.engine, self.machine.engines)
        self.engine: Engine = open_engine(name, self.request.settings, self.workers, self.machine.engines)
        return self

    def __exit__(self, *_: object) -> None:
        self.files.close()

    @property
    def frames(self) -> FrameRange:
        """The frames asked for."""
        if self.request.frames is None:
            raise RequestError("The request has no resolved frame range.", "request.range")
        return self.request.frames

    def start(self) -> None:
        """Keep the request beside its results and say what runs."""
        # As it was asked: with the ranges found on disk filled in, it would belong to another job folder.
        write_text(self.folder.request, self._asked.rooted().to_json())
        self.log.emit(
            Started(
                engine=self.engine.name,
                device=self.engine.limits().devices[0],
                folder=str(self.folder.path),
                frames=str(self.frames),
                reason=self.reason,
            )
        )

    # -- the steps -------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Step one."""
        begun = time.monotonic()
        plan = make_plan(
            self.request,
            self.footage,
            self.engine,
            self.colour,
            self.folder,
            self.workers,
            self.log.warn,
            lambda done, text: self.log.progress("plan", PLAN_SHARE * done, text),
            self.cancelled,
        )
        self.timings["plan"] = time.monotonic() - begun
        return plan

    def solve(self, plan: Plan, units: list[Unit]) -> None:
        """Step two for some units."""
        self._run(plan, units, FrameRange(0, 0), compose=False)

    def compose(self, plan: Plan, frames: FrameRange) -> None:
        """Step three for some frames, whose units are solved."""
        missing = [unit.index for unit in plan.units_for(frames) if not is_solved(self.folder, unit)]
        if missing:
            raise RequestError(
                f"Units {describe(missing)} of {self.folder.path} are not solved yet; run `void-server task solve` "
                "for them first.",
                "request.plan",
            )
        self._run(plan, [], frames, compose=True)

    def run(self) -> None:
        """All steps; the last event says that the job is done."""
        begun = time.monotonic()
        self.start()
        plan = self.plan()
        self._run(plan, plan.units_for(self.frames), self.frames, compose=True)
        self.timings["total"] = time.monotonic() - begun
        self.finish(plan)

    def finish(self, plan: Plan) -> None:
        """Write result.json and say that the job is done."""
        summary = results.write(
            self.folder, self.request, plan, self.frames, self.reason, self.timings, self.log.warnings
        )
        low = summary["low_coverage"]
        if low:
            self.log.warn(
                "low_coverage",
                None,
                f"On frames {low} part of what is behind the object is seen in no other frame (lowest coverage "
                f"{summary['lowest_coverage']:.0%}); extend the range, give a clean plate, or use VOID.",
            )
        self.log.emit(Finished(result=str(self.folder.result), summary=summary))

    # -- running side by side --------------------------------------------------------------------------------

    def _run(self, plan: Plan, units: list[Unit], frames: FrameRange, compose: bool) -> None:
        begun = time.monotonic()
        view = engine_frames(plan, self.engine, self.footage, self.colour, self.folder)
        base = plate_frames(plan, self.engine, self.footage, self.colour)
        composer = Composer(plan, self.engine, self.request.settings, base, self.files, self.colour)
        unit_of = {frame: unit for unit in plan.units for frame in unit.frames}
        by_unit: dict[int, list[int]] = {}
        loose = []
        solving = {unit.index for unit in units}
        for frame in frames if compose else ():
            unit = unit_of.get(frame)
            if unit is not None and unit.index in solving:
                by_unit.setdefault(unit.index, []).append(frame)
            else:
                loose.append(frame)
        tracker = _Tracker(self.log, units, len(frames) if compose else 0)
        waiting: deque[Callable[[], Unit | None]] = deque(self._solve_task(unit, view, tracker) for unit in units)
        ready: deque[Callable[[], Unit | None]] = deque()

        def queue_frames(numbers: list[int]) -> None:
            ready.extend(self._compose_task(plan, composer, number, unit_of.get(number), tracker) for number in numbers)

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
                            queue_frames(by_unit.get(solved.index, []))
            except BaseException:
                tracker.stopped = True
                raise
        self.timings["render"] = self.timings.get("render", 0.0) + time.monotonic() - begun

    def _solve_task(self, unit: Unit, view: Frames, tracker: _Tracker) -> Callable[[], Unit]:
        def work() -> Unit:
            if self.cancelled() or tracker.stopped:
                raise Cancelled
            solve_unit(
                unit,
                self.engine,
                view,
                self.files,
                self.folder,
                lambda done, text: tracker.unit(unit, done, text),
                lambda: self.cancelled() or tracker.stopped,
            )
            tracker.unit(unit, 1.0, "")
            return unit

        return work

    def _compose_task(
        self, plan: Plan, composer: Composer, frame: int, unit: Unit | None, tracker: _Tracker
    ) -> Callable[[], None]:
        def work() -> None:
            if self.cancelled() or tracker.stopped:
                raise Cancelled
            solved = unit_facts(self.folder, unit) if unit is not None else {}
            facts, fill, broken = solved.get(str(frame)), None, 0
            for output in self.request.outputs:
                path = self.request.output_sequence(output).path(frame)
                key = results.frame_key(plan, unit, output, self.request)
                manifest = self.folder.frame_manifest(output.kind, frame)
                entry = results.kept(manifest, key, path)
                if entry is None:
                    if fill is None and unit is not None and facts is not None:
                        fill = load_fill(self.folder, unit, frame, self.files)
                    entry = _entry(composer.write(frame, fill, output, path), frame, output, key, dict(facts or {}))
                    write_json(manifest, entry)
                    broken = max(broken, entry["broken_pixels"])
                self.log.emit(
                    FrameReady(
                        frame=frame, path=path, digest=entry["sha256"], coverage=entry["facts"].get("coverage", 1.0)
                    )
                )
            if broken:
                self.log.warn(
                    "broken_pixels",
                    frame,
                    f"Frame {frame}: {broken} NaN or Inf pixels under the matte were replaced by their neighbours.",
                )
            tracker.frame()

        return work


def _entry(composed: Composed, frame: int, output: Output, key: str, facts: dict[str, float]) -> dict[str, Any]:
    """The manifest that commits a written frame."""
    return {
        "key": key,
        "kind": output.kind,
        "frame": frame,
        "size": composed.size,
        "modified": os.stat(composed.path).st_mtime_ns,
        "sha256": Digest.of_file(composed.path).sha256,
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

    def unit(self, unit: Unit, done: float, text: str) -> None:
        self._units[unit.index] = max(self._units[unit.index], done)
        self._tell("solve", unit.index, text)

    def frame(self) -> None:
        self._written += 1
        self._tell("compose", 0, "")

    def _tell(self, step: str, unit: int, text: str) -> None:
        solved = sum(self._units.values()) / len(self._units) if self._units else 1.0
        written = self._written / self._frames if self._frames else 1.0
        fraction = PLAN_SHARE + SOLVE_SHARE * solved + (1 - PLAN_SHARE - SOLVE_SHARE) * written
        # The job is done when the last event says so, not a moment before.
        self._log.progress(step, min(fraction, 0.999), text, unit)


def load_job_request(path: str) -> tuple[RemovalRequest, JobFolder]:
    """The request behind a request file or a job folder, and its job folder."""
    file = os.path.join(path, "request.json") if os.path.isdir(path) else path
    request = RemovalRequest.load(file)
    if not request.request_id:
        request = replace(request, request_id=Digest.of_text(request.to_json()).sha256[:32])
    return request, JobFolder(request.job_folder())
