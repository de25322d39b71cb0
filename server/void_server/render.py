"""Runs the units and frames of a planned job side by side and commits each as soon as it is finished."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from void_plugin.errors import Cancelled, VoidError
from void_plugin.events import FrameReady
from void_plugin.frames import FrameRange
from void_plugin.request import Output, RemovalRequest
from void_server import analysis, results
from void_server.beneath import Roots
from void_server.colour import Config as ColourConfig
from void_server.compose import Composed, Composer
from void_server.engines import Engines, Frames, IsCancelled, Unit
from void_server.eventlog import PLAN_SHARE, SOLVE_SHARE, EventLog
from void_server.exr import ImageFiles
from void_server.fills import Fills
from void_server.footage import Footage
from void_server.jobfolder import JobFolder, write_json
from void_server.lease import Lease, Leases
from void_server.likeness import Likeness
from void_server.plan import GRAIN, Plan, engine_frames, plate_beneath
from void_server.processes import FreedMemory
from void_server.recovered import is_whole
from void_server.solve import is_solved, skip_unit, solve_unit, solved_unit
from void_server.view import PlateFrames

PROBLEMS = {
    "ring_contaminated": "what lies around the region differs from the generated picture by more than colour, so its "
    "colours were matched as a whole only; look at the seam, or draw what moves there into the exclude matte.",
    "ring_missing": "too little of the plate lies around the region to match colours at its edge; they were matched as "
    "a whole only.",
    "scatter_not_here": "there is too little clean plate to take grain from; it was made instead, as by --grain synth.",
}
"""What is said of a frame that was composed in another way than it should have been."""

BYTES_A_PIXEL = 6
"""Of a plate: three halves."""

Stepped = Callable[[float], None]
"""Called with the seconds that one step of the engine took."""
Task = Callable[[], Unit | None]


@dataclass
class Render:
    """Everything that solving and composing need, and the threads that do it."""

    request: RemovalRequest
    plan: Plan
    engines: Engines
    footage: Footage
    colour: ColourConfig
    folder: JobFolder
    files: ImageFiles
    log: EventLog
    workers: int
    roots: Roots | None
    cancelled: IsCancelled
    stepped: Stepped
    leases: Leases | None = None
    """Given, other processes may be at the same units: each is solved under its lease."""
    freed: FreedMemory = field(default_factory=FreedMemory)

    def run(self, units: list[Unit], frames: FrameRange | None) -> None:
        """Solve some units and compose some frames, each as soon as its unit is solved; None composes none."""
        views = {
            engine.name: engine_frames(self.plan, engine, self.footage, self.colour, self.folder)
            for engine in self.engines
        }
        fills = Fills(self.plan, self.folder)
        engine = self.engines.main
        # What the mattes of a frame say is found once, for the engine and for composing.
        base = plate_beneath(views[engine.name])
        composer = Composer(
            self.plan,
            engine,
            self.request.settings,
            base,
            self.files,
            self.colour,
            fills,
            engine.maths(),
            analysis.load(self.folder, [name for name in self.plan.analysis if name.startswith(f"{GRAIN}.")]),
        )
        last = {frame: unit for unit in units for frame in unit.frames}
        by_unit: dict[int, list[int]] = {}
        loose = []
        for frame in frames or ():
            # The main engine's unit comes after the other's.
            unit = last.get(frame)
            if unit is None:
                loose.append(frame)
            else:
                by_unit.setdefault(unit.index, []).append(frame)
        asked = {unit.key for unit in units}
        needs = {unit.key: self.plan.needs(unit) & asked for unit in units}
        tracker = _Tracker(self.log, units, len(frames) if frames is not None else 0)
        held = list(units)
        waiting: deque[Task] = deque()
        ready: deque[Task] = deque()
        unwritten = 0

        def release(solved: str = "") -> None:
            for unit in [unit for unit in held if not needs[unit.key] - {solved}]:
                held.remove(unit)
                waiting.append(self._solve_task(unit, views, base, fills, tracker))
            for unit in held:
                needs[unit.key] -= {solved}

        def queue_frames(numbers: list[int]) -> None:
            nonlocal unwritten
            unwritten += len(numbers)
            ready.extend(self._compose_task(composer, number, fills, tracker) for number in numbers)

        release()
        unsolved = {unit.key for unit in units}
        self._share_memory(units)
        queue_frames(loose)
        running: set[Future[Unit | None]] = set()
        with ThreadPoolExecutor(self.workers + 1) as pool:
            try:
                while ready or waiting or running:
                    # Writing comes first: frames appear early, and decoded plates are still in memory. One thread more
                    # writes while others wait for disks and readers.
                    while len(running) < self.workers + bool(ready) and (ready or waiting):
                        running.add(pool.submit(ready.popleft() if ready else waiting.popleft()))
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    self.freed.give_back()
                    for future in done:
                        solved = future.result()
                        if solved is None:
                            unwritten -= 1
                        else:
                            release(solved.key)
                            unsolved -= {solved.key}
                            if not unsolved:
                                self._read_whole()
                            queue_frames(by_unit.get(solved.index, []))
                    if not unwritten:
                        composer.let_go()  # what comes next is of another unit, which needs room to be solved
            except BaseException:
                tracker.stopped = True
                raise

    def _share_memory(self, units: list[Unit]) -> None:
        """Decide what of the plate is read and kept."""
        frame_bytes = self.plan.canvas.area * BYTES_A_PIXEL
        if not units:
            # Composing alone looks at a frame and its neighbours, then never again.
            self.footage.keep_few(frame_bytes)
        if not units or self.footage.can_keep(len(self.plan.range) * frame_bytes):
            self._read_whole()

    def _read_whole(self) -> None:
        """Read frames whole where that is how they are written: what the engine sees is then not decoded twice."""
        if any(output.kind == "comp" for output in self.request.outputs):
            self.footage.read_whole()

    def _solve_task(
        self,
        unit: Unit,
        views: Mapping[str, Frames],
        base: PlateFrames,
        fills: Fills,
        tracker: _Tracker,
    ) -> Callable[[], Unit]:
        def work() -> Unit:
            if self.cancelled() or tracker.stopped:
                raise Cancelled
            before = time.monotonic()

            def progress(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
                nonlocal before
                now = time.monotonic()
                self.stepped(now - before)
                before = now
                self.freed.give_back()  # a unit may take hours, and see more frames than stay in memory
                tracker.unit(unit, done, text, window, pass_number)

            def solve(cancelled: IsCancelled) -> None:
                if not self._is_needless(unit, base, fills):
                    solve_unit(
                        unit,
                        self.engines.named(unit.engine),
                        views[unit.engine],
                        self.folder,
                        progress,
                        cancelled,
                        self.log.warn,
                        self._likeness_before(unit),
                        shared=self.leases is not None,
                        keep=lambda kept: fills.keep(unit, kept),
                    )

            self._under_lease(unit, solve, lambda: self.cancelled() or tracker.stopped)
            analysis.let_go(views[unit.engine].analysis.values())
            tracker.unit(unit, 1.0, "")
            return unit

        return work

    def _under_lease(self, unit: Unit, solve: Callable[[IsCancelled], None], stopped: IsCancelled) -> None:
        """Solve a unit alone, or find that another process has; again where that took it over and left it undone."""
        if self.leases is None:
            solve(stopped)
            return
        while not is_solved(self.folder, unit):
            with self.leases.held(unit.key, f"unit {unit.index}") as lease:
                if lease is not None:
                    _solve_as_holder(lease, solve, stopped)

    def _is_needless(self, unit: Unit, base: PlateFrames, fills: Fills) -> bool:
        """True where real pixels fill all of a unit that a model would generate, which then is committed as it is.

        A unit that another continues is needed as long as that one is.
        """
        if not self.plan.real_engine or unit.engine != self.plan.engine:
            return False
        if is_solved(self.folder, unit):
            return True
        if not all(is_whole(self.plan, each, base, fills) for each in self.plan.onwards(unit)):
            return False
        skip_unit(self.folder, unit)
        return True

    def _likeness_before(self, unit: Unit) -> Likeness | None:
        before = next((other for other in self.plan.units if other.key == unit.follows), None)
        return None if before is None else solved_unit(self.folder, before).likeness

    def _compose_task(self, composer: Composer, frame: int, fills: Fills, tracker: _Tracker) -> Callable[[], None]:
        def work() -> None:
            if self.cancelled() or tracker.stopped:
                raise Cancelled
            broken, said = 0, list[str]()
            for index, output in enumerate(self.request.outputs):
                path = self.request.output_sequence(output).path(frame)
                key = results.frame_key(self.plan, frame, output, self.request)
                manifest = self.folder.frame_manifest(output.kind, frame)
                entry = results.kept(manifest, key, path, self.roots)
                if entry is None:
                    composed = composer.write(frame, output, path)
                    entry = {
                        "key": key,
                        **_entry(composed, frame, output, dict(fills.facts(frame)), bool(self.plan.real_engine)),
                        **results.file_facts(path, self.roots),
                    }
                    write_json(manifest, entry)
                    broken = max(broken, entry["broken_pixels"])
                    said += [code for code in composed.said if code not in said]
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
            for code in said:
                self.log.warn(code, frame, f"Frame {frame}: {PROBLEMS[code]}")
            tracker.frame()

        return work


def _entry(composed: Composed, frame: int, output: Output, facts: dict[str, float], mixed: bool) -> dict[str, Any]:
    """What a manifest says of a written frame beside its file; `mixed` where real pixels stand beside others."""
    if mixed and facts:
        facts["coverage"] = composed.coverage
    return {
        "kind": output.kind,
        "frame": frame,
        "untouched": composed.untouched,
        "recovered": composed.recovered,
        "generated": composed.generated,
        "broken_pixels": composed.broken_pixels,
        "facts": facts,
    }


def _solve_as_holder(lease: Lease, solve: Callable[[IsCancelled], None], stopped: IsCancelled) -> None:
    """Solve under a lease, or give up without a word once another process has taken it over."""
    try:
        solve(lambda: stopped() or lease.is_lost())
    except (Cancelled, VoidError):
        # The other one writes the same files, so what went wrong may be no fault at all.
        if stopped() or not lease.is_lost():
            raise


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
