"""Runs one task of a farm: a step of a job, or a part of one, beside the tasks of other workers.

Everything that was decided when the job was planned is taken from the plan: the engine and the ranges, whatever this
worker sees or would choose. What others write may show late, so it is waited for; what others do may be the same, so
units are solved under leases.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace

from void_plugin.config import Config
from void_plugin.errors import FrameError, JobError
from void_plugin.events import Event, Progressed
from void_plugin.frames import describe
from void_plugin.request import RemovalRequest
from void_server import farmrecord, results
from void_server.allowance import Allowance
from void_server.engines import IsCancelled, Unit
from void_server.eventlog import EventLog
from void_server.farmorder import Order, check_folders, given_frames, read_plan
from void_server.jobfolder import JobFolder, remove_file
from void_server.lease import BEAT_SECONDS, Leases
from void_server.plan import Plan, plan_key, plate_frames
from void_server.preflight import NEEDED
from void_server.render import Stepped
from void_server.runner import Job, Warm
from void_server.solve import fill_path, is_solved, solved_unit
from void_server.verify import verify
from void_server.visibility import Patience

_INPUTS_CHANGED = (
    "The inputs or the colour configuration are not exactly those that the job was planned with (size and time of each "
    "file count). If they were changed since, submit the job again; copies that do not keep times are harmless."
)


@dataclass(frozen=True)
class FarmTask:
    """One task, and what the process that runs it lends."""

    order: Order
    machine: Config
    workers: int
    tell: Callable[[Event], None]
    cancelled: IsCancelled
    warm: Warm | None = None
    device: str = ""
    """Name of the device; empty takes the engine's own word."""
    stepped: Stepped = field(default=lambda seconds: None)
    beat: float = BEAT_SECONDS
    """Seconds between two signs of life of a lease."""

    def run(self) -> None:
        """Do the step. Raises VoidError for what is wrong, Cancelled where it was stopped; what is finished is kept."""
        order, folder = self.order, JobFolder(self.order.job)
        if order.step == "plan":
            self._plan(folder)
            return
        begun = time.monotonic()
        patience = Patience(order.wait_seconds, self.cancelled, self._say)
        read_plan(order, patience)
        plan = Plan.load(folder)
        request = _as_planned(order.request(), plan)
        check_folders(request, patience)
        _check_inputs(request, plan, patience)
        patience.wait_for([str(folder.analysis / f"{name}.npy") for name in plan.analysis], "estimates of the plan")
        units = self._units(plan, request, folder) if order.step == "solve" else []
        # Where real pixels are found for a model there may be neither a GPU nor its weights.
        generates = any(unit.engine == plan.engine for unit in units)
        with closing(EventLog(folder, request.request_id, None, self.tell, written=False)) as log:
            allowance = Allowance(engine=plan.engine, reason=_reason(request, plan), device=self.device)
            with Job(
                request,
                folder,
                log,
                self.machine,
                self.workers,
                self.cancelled,
                allowance=allowance,
                warm=self.warm,
                alone=False,
                stepped=self.stepped,
                runs_engine=generates,
                leases=Leases(folder, self.cancelled, self._say, self.beat),
            ) as job:
                if order.step == "verify":
                    self._verify(job, plan, patience)
                    return
                if order.step == "solve":
                    self._solve(job, plan, units, generates)
                else:
                    self._compose(job, plan, patience)
            device = self.device or job.engine.limits().devices[0]
            farmrecord.record(folder, plan, order, device, time.monotonic() - begun, log.warnings)

    # -- the steps -------------------------------------------------------------------------------------------

    def _plan(self, folder: JobFolder) -> None:
        request = self.order.request()
        check_folders(request, Patience(self.order.wait_seconds, self.cancelled, self._say))
        with closing(EventLog(folder, request.request_id, None, self.tell)) as log:
            job = Job(request, folder, log, self.machine, self.workers, self.cancelled, runs_engine=False)
            with job:
                job.plan()

    def _units(self, plan: Plan, request: RemovalRequest, folder: JobFolder) -> list[Unit]:
        """What is to be solved."""
        units = [unit for unit in plan.units if unit.index in self.order.units]
        if not self.order.units and request.frames is not None:
            units = plan.units_for(request.frames)
        return _with_needs(units, plan, folder)

    def _solve(self, job: Job, plan: Plan, units: list[Unit], generates: bool) -> None:
        if generates and job.engine.digest() != plan.engine_digest:
            raise JobError(
                f"{plan.engine} on this worker is not what the job was planned with: its weights or its memory mode "
                f"differ ({job.engine.digest()} here, {plan.engine_digest} in the plan). Name the same weights with "
                "--weights or $VOID_WEIGHTS, or submit the job again.",
                "job.weights",
            )
        digests = [
            (engine.name, plan.engine_digest if engine is job.engine else engine.digest()) for engine in job.engines
        ]
        if plan_key(job.request, job.footage, digests, job.colour) != plan.key:
            job.log.warn("inputs_changed", None, _INPUTS_CHANGED)
        job.solve(plan, units)

    def _compose(self, job: Job, plan: Plan, patience: Patience) -> None:
        frames = given_frames(self.order.frames, job.request)
        units = plan.units_for(frames)
        folder = job.folder
        patience.wait_for([str(folder.unit_manifest(unit.key)) for unit in units], "solved units")
        fills = [
            str(fill_path(folder, unit, int(frame)))
            for unit in units
            if is_solved(folder, unit)
            for frame in solved_unit(folder, unit).facts
        ]
        patience.wait_for(fills, "the frames of solved units")
        job.compose(plan, frames)
        # Tasks that compose a part leave it to the one that verifies: what is said to be done is then sure to be whole.
        if not self.order.frames:
            self._finish(job, plan)

    def _verify(self, job: Job, plan: Plan, patience: Patience) -> None:
        try:
            count = self._verified(job, plan, patience)
        except FrameError:
            # Where nobody can ask the farm, result.json says that a job has succeeded: none of before stays.
            remove_file(job.folder.result)
            raise
        self._say(f"{count} files verified")
        self._finish(job, plan)

    def _verified(self, job: Job, plan: Plan, patience: Patience) -> int:
        """How many files are there and good. Raises FrameError where some are not."""
        away: set[str] = set()
        for output in job.request.outputs:
            written = [job.request.output_sequence(output).path(frame) for frame in job.frames]
            manifests = [str(job.folder.frame_manifest(output.kind, frame)) for frame in job.frames]
            away |= set(patience.wait_for([*manifests, *written], "composed frames"))
        # Tasks end in any order and on any machine, so only now is all that they wrote sure to be seen.
        listed = results.delivered(job.folder, job.request, plan, job.frames).listed
        for output in job.request.outputs:
            sequence = job.request.output_sequence(output)
            lacking = [
                frame
                for frame in job.frames
                # One of an older plan is there and not listed.
                if sequence.path(frame) in away or output.kind not in listed.get(str(frame), {})
            ]
            if lacking:
                raise FrameError(
                    f"Frames {describe(lacking)} of {sequence.pattern} are not composed; run that step again.",
                    "frame.verify",
                )
        return verify(listed, job.request, plate_frames(plan, job.engine, job.footage, job.colour), job.files)

    def _finish(self, job: Job, plan: Plan) -> None:
        """Write result.json as one run of all steps would, with what other tasks said."""
        others = farmrecord.told(job.folder, plan, but=self.order)
        job.log.warnings[:] = dict.fromkeys([*others.warnings, *job.log.warnings])
        seconds = others.seconds + job.timings.get("render", 0.0)
        job.timings.update(render=seconds, total=seconds)
        job.finish(plan)

    def _say(self, text: str) -> None:
        self.tell(Progressed(text=text))


def _as_planned(request: RemovalRequest, plan: Plan) -> RemovalRequest:
    """The request with the ranges of the plan: what this worker sees on disk may be late."""
    return replace(request, shot_range=plan.range, frames=request.frames or plan.range)


def _check_inputs(request: RemovalRequest, plan: Plan, patience: Patience) -> None:
    """Raise FrameError naming all files of the shot that are still not there."""
    problems: list[str] = []
    for name in ("plate", *NEEDED):
        if request.input(name) is None:
            continue
        sequence, label = request.sequence(name), name.replace("_", " ")
        if not sequence.is_still:
            away = set(patience.wait_for([sequence.path(frame) for frame in plan.range], f"the {label}"))
            missing = [frame for frame in plan.range if sequence.path(frame) in away]
            said = f" is missing frames {describe(missing)} of {plan.range}"
        else:
            missing = [0] if patience.wait_for([sequence.pattern], f"the {label}") else []
            said = " is not there"
        if missing:
            problems.append(f"The {label} {sequence.pattern}{said}")
    if problems:
        raise FrameError(
            f"{'; '.join(problems)}, on this worker and after waiting {patience.seconds:g} seconds. Render or copy "
            "them there and submit the job again.",
            "frame.missing",
        )


def _with_needs(units: list[Unit], plan: Plan, folder: JobFolder) -> list[Unit]:
    """Units, and those that must be solved before them and are not: no farm keeps the order of tasks within a step."""
    wanted = {unit.key for unit in units}
    for unit in reversed(plan.units):
        if unit.key in wanted and not is_solved(folder, unit):
            wanted |= plan.needs(unit)
    return [unit for unit in plan.units if unit.key in wanted]


def _reason(request: RemovalRequest, plan: Plan) -> str:
    """Why the plan's engine was chosen, where the request left that open."""
    if request.engine == plan.engine:
        return ""
    if request.settings.source == "recovered":
        return "Only real pixels were asked for."
    return f"The engine {plan.engine} was chosen when the job was planned."
