"""Runs a job's steps and reports events: the one driver behind `task all`, farm tasks and the server's worker.

Units and frames run side by side on a few threads; finished ones are committed at once, so a job that is killed
and started again does only what is missing.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from void_plugin.config import Config as MachineConfig
from void_plugin.errors import RequestError
from void_plugin.events import Finished, Started
from void_plugin.frames import Digest, FrameRange, describe
from void_plugin.request import RemovalRequest
from void_server import results
from void_server.allowance import ANYTHING, Allowance
from void_server.beneath import Roots
from void_server.colour import Config as ColourConfig
from void_server.engines import Engine, IsCancelled, Kept, Setup, Unit, choose_engine, open_engines
from void_server.eventlog import PLAN_SHARE, EventLog
from void_server.exr import ImageFiles
from void_server.folderlock import locked
from void_server.footage import Footage
from void_server.jobfolder import JobFolder, write_text
from void_server.lease import Leases
from void_server.plan import Plan, make_plan
from void_server.preflight import open_folder, resolve_ranges
from void_server.rate import with_rate
from void_server.render import Render, Stepped
from void_server.solve import is_solved

_TEMPORARY = re.compile(r"\.(.+?)(?:\.\d+)?\.\d+\.tmp\Z")
"""What a file is called while it is written: its name, perhaps a thread, the process."""


@dataclass(frozen=True)
class Warm:
    """What a process that runs one job after another keeps between them."""

    files: ImageFiles
    colour: ColourConfig
    kept: Kept


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
    allowance: Allowance = ANYTHING
    warm: Warm | None = None
    """Given, it is used and left open."""
    alone: bool = True
    """False lets other processes do single steps in the same job folder."""
    stepped: Stepped = lambda seconds: None
    runs_engine: bool = True
    """False where only what the engine would change is asked for: it need not be able to run here."""
    leases: Leases | None = None
    """What units are solved under where other processes may be at the same ones."""

    def __enter__(self) -> Job:
        with ExitStack() as opened:
            self.folder.create()
            opened.enter_context(locked(self.folder, self.alone, self.log.warn))
            self._asked = self.request
            if self.warm is None:
                self.colour = ColourConfig.chosen(os.environ, self.machine.ocio)
                self.files = opened.enter_context(ImageFiles(self.workers, job_roots(self.allowance)))
            else:
                self.colour, self.files = self.warm.colour, self.warm.files
            self.request = resolve_ranges(self.request)
            self.footage = Footage(self.files, self.request, self.machine.cache_bytes, self.allowance.digests)
            self.request, self._rate_assumed = with_rate(self.request, self.footage)
            name, self.reason = pick_engine(self.request, self.machine, self.allowance, self.runs_engine)
            setup = Setup(
                settings=self.request.settings,
                prompt=self.request.prompt,
                workers=self.workers,
                machine=self.machine,
                kept=self.warm.kept if self.warm is not None else Kept(),
                warn=self.log.warn,
            )
            self.engines = open_engines(name, setup)
            if self.alone:
                sweep(self.folder, self.request, self.allowance.roots)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def engine(self) -> Engine:
        """The engine that was asked for."""
        return self.engines.main

    @property
    def frames(self) -> FrameRange:
        """The frames asked for."""
        if self.request.frames is None:
            raise RequestError("The request has no resolved frame range.", "request.range")
        return self.request.frames

    def start(self, announced: bool = False) -> None:
        """Keep the request beside its results and say what runs, where that was not said before."""
        # As it was asked: with the ranges found on disk filled in, it would belong to another job folder.
        write_text(self.folder.request, self._asked.rooted().to_json())
        if not announced:
            self.log.emit(
                Started(
                    engine=self.engine.name,
                    device=self.allowance.device or self.engine.limits().devices[0],
                    folder=str(self.folder.path),
                    frames=str(self.frames),
                    reason=self.reason,
                )
            )

    # -- the steps -------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """Step one."""
        self.request.check_results()
        begun = time.monotonic()
        if self._rate_assumed and self.engine.limits().stride > 1:
            self.log.warn(
                "rate_assumed",
                None,
                "The plate does not say how many frames a second it has; it is taken as "
                f"{self.request.settings.fps:g}. Name its rate with --fps if it differs.",
            )
        plan = make_plan(
            self.request,
            self.footage,
            self.engines,
            self.colour,
            self.folder,
            self.workers,
            self.log.warn,
            lambda done, text: self.log.progress("plan", PLAN_SHARE * done, text),
            self.cancelled,
            self.allowance,
        )
        self.timings["plan"] = time.monotonic() - begun
        return plan

    def solve(self, plan: Plan, units: list[Unit]) -> None:
        """Step two for some units. Raises RequestError where one continues a unit that is neither solved nor named."""
        there = {unit.key for unit in plan.units if is_solved(self.folder, unit)} | {unit.key for unit in units}
        lacking = {unit.index: plan.needs(unit) - there for unit in units if not is_solved(self.folder, unit)}
        missing = frozenset().union(*lacking.values())
        if missing:
            first = describe(unit.index for unit in plan.units if unit.key in missing)
            raise RequestError(
                f"Units {describe(index for index, keys in lacking.items() if keys)} of {self.folder.path} "
                f"continue the result of units {first}; run `void-server task solve` for those first.",
                "request.plan",
            )
        self._render(plan, units, None)

    def compose(self, plan: Plan, frames: FrameRange) -> None:
        """Step three for some frames, whose units are solved."""
        missing = [unit.index for unit in plan.units_for(frames) if not is_solved(self.folder, unit)]
        if missing:
            raise RequestError(
                f"Units {describe(missing)} of {self.folder.path} are not solved yet; run `void-server task solve` "
                "for them first.",
                "request.plan",
            )
        self._render(plan, [], frames)

    def run(self, announced: bool = False) -> None:
        """All steps; the last event says that the job is done."""
        begun = time.monotonic()
        self.start(announced)
        plan = self.plan()
        self._render(plan, plan.units_for(self.frames), self.frames)
        self.timings["total"] = time.monotonic() - begun
        self.finish(plan)

    def finish(self, plan: Plan) -> None:
        """Write result.json and say that the job is done."""
        delivered = results.delivered(self.folder, self.request, plan, self.frames)
        summary = delivered.summary
        low = summary["low_coverage"]
        known = any(item.code == "low_coverage" for item in self.log.warnings)  # by another task of a farm
        if low and not known and not self.engine.limits().generates:
            self.log.warn(
                "low_coverage",
                None,
                f"On frames {low} part of what is behind the object is seen in no other frame (lowest coverage "
                f"{summary['lowest_coverage']:.0%}); extend the range, give a clean plate, or use VOID.",
            )
        results.write(
            self.folder, self.request, plan, self.frames, delivered, self.reason, self.timings, self.log.warnings
        )
        self.log.emit(Finished(result=str(self.folder.path / self.folder.result.name), summary=summary))

    def _render(self, plan: Plan, units: list[Unit], frames: FrameRange | None) -> None:
        begun = time.monotonic()
        Render(
            request=self.request,
            plan=plan,
            engines=self.engines,
            footage=self.footage,
            colour=self.colour,
            folder=self.folder,
            files=self.files,
            log=self.log,
            workers=self.workers,
            roots=self.allowance.roots,
            cancelled=self.cancelled,
            stepped=self.stepped,
            leases=self.leases,
        ).run(units, frames)
        self.timings["render"] = self.timings.get("render", 0.0) + time.monotonic() - begun


def load_job_request(path: str) -> tuple[RemovalRequest, JobFolder]:
    """The request behind a request file or a job folder, and its job folder."""
    file = os.path.join(path, "request.json") if os.path.isdir(path) else path
    request = RemovalRequest.load(file)
    if not request.request_id:
        request = replace(request, request_id=Digest.of_text(request.to_json()).sha256[:32])
    return request, JobFolder(request.job_folder())


def pick_engine(
    request: RemovalRequest, machine: MachineConfig, allowance: Allowance, runs: bool = True
) -> tuple[str, str]:
    """The engine, and why where the request said `auto`. Raises JobError where it is to run and cannot here."""
    name = allowance.engine or request.engine
    # Asked for real pixels only, an engine is another one wherever it is asked.
    if name != "auto" and not runs and request.settings.source != "recovered":
        return name, allowance.reason
    name, reason = choose_engine(name, machine, request.settings)
    return name, allowance.reason or reason


def job_roots(allowance: Allowance) -> tuple[str, ...]:
    """The folders that reader processes may open files below; none means all."""
    return () if allowance.roots is None else allowance.roots.folders


def sweep(folder: JobFolder, request: RemovalRequest, roots: Roots | None) -> None:
    """Remove the temporary files that a killed run of this job left; only the one that is alone there may."""
    handle = os.open(folder.plan.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for _, _, names, below in os.fwalk(".", dir_fd=handle):
            _remove_temporary([name for name in names if _TEMPORARY.match(name)], below)
    finally:
        os.close(handle)
    for output in request.outputs:
        sequence = request.output_sequence(output)
        if not os.path.isdir(sequence.folder):
            continue
        ours = {os.path.basename(sequence.path(frame)) for frame in request.frames or ()}
        handle = open_folder(os.path.abspath(sequence.folder), roots)
        try:
            left = [match for name in os.listdir(handle) if (match := _TEMPORARY.match(name)) is not None]
            _remove_temporary([match.group() for match in left if match.group(1) in ours], handle)
        finally:
            os.close(handle)


def _remove_temporary(names: Sequence[str], folder: int) -> None:
    for name in names:
        # That of a living process belongs to another job that, wisely or not, writes the same frames.
        if not _lives(name.split(".")[-2]):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)


def _lives(process: str) -> bool:
    """True for the number of a process that has not ended, were it only that nobody has asked how it ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text("ascii", "replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return False
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    return facts["Tgid"].strip() == process and facts["State"].strip()[0] not in "ZX"
