"""Writes the bundle of one request: its OpenJD template, the values of its parameters, what it reads and writes.

The template holds literals only and one extension, TASK_CHUNKING, which every OpenJD farm knows. Folders are parameters
of type PATH, the only ones that path mapping reaches. Each task is `void-server task …`, which does nothing where its
work is done already, so that submitting again resumes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from void_plugin.errors import FarmError
from void_plugin.farm.bundle import ASSETS, TEMPLATE, VALUES, Bundle, Needs, Step
from void_plugin.farm.packing import Packed, chunks, numbers, pack
from void_plugin.farm.planning import Plan, Unit
from void_plugin.farm.site import Site
from void_plugin.frames import FrameRange
from void_plugin.request import INPUTS, RemovalRequest

VRAM_MIB: Mapping[str, int] = {"auto": 40000, "full": 44000, "swap": 24000, "offload": 15000, "fp8": 20000}
"""What is asked of a GPU for each way of using its memory at 672x384; `40 GB` cards report a little less than 40960."""
GPU_MEMORY_MIB, CPU_MEMORY_MIB, CPU_CORES = 65536, 8192, 2
SOLVE_SECONDS, RECOVER_SECONDS, COMPOSE_SECONDS, VERIFY_SECONDS = 14400, 3600, 3600, 3600
"""After so long a task is ended; those of Solve and Recover for each of its units."""
START_SECONDS, STOP_SECONDS = 900, 120
"""The same for loading the model, and for letting it go."""
NOTIFY_SECONDS = 120
"""How long a solve may take to write its checkpoint once it was told to stop."""
LONGEST_NAME = 128
"""Characters of a job's name in OpenJD; 64 of a parameter's."""

RECOVER, SOLVE, COMPOSE, VERIFY = "Recover", "Solve", "Compose", "Verify"
UNITS, FRAMES = "Units", "Frames"
"""Names of the task parameters."""


@dataclass(frozen=True)
class Wanted:
    """What a submission says of the tasks themselves; zeros take what the site and the engine say."""

    vram_mib: int = 0
    gpus: int = 0
    units_per_task: int = 0


@dataclass(frozen=True)
class Made:
    """A bundle, and the texts of its files."""

    bundle: Bundle
    files: Mapping[str, str]
    """By name below the bundle's folder."""
    gpu_seconds: float
    """About how long GPUs are held, loading included; of two that a task holds both count."""
    units: tuple[Unit, ...]
    """What the tasks solve."""


def make_bundle(
    request: RemovalRequest,
    plan: Plan,
    site: Site,
    folder: str,
    command: Sequence[str] = ("void-server",),
    wanted: Wanted = Wanted(),
    keeps_sessions: bool = True,
    inputs: Mapping[str, int] | None = None,
) -> Made:
    """The bundle of a planned request; equal arguments give equal texts, and nothing is read or written.

    `folder` is where the files will lie, `command` how a worker starts void-server, and `inputs` the size of each file
    that is read, in bytes. Raises FarmError where the request cannot be put into a bundle.
    """
    return _Maker(request.rooted(), plan, site, folder, tuple(command), wanted, keeps_sessions, inputs or {}).make()


@dataclass(frozen=True)
class _Maker:
    request: RemovalRequest
    plan: Plan
    site: Site
    folder: str
    command: tuple[str, ...]
    wanted: Wanted
    keeps_sessions: bool
    inputs: Mapping[str, int]

    def make(self) -> Made:
        steps: list[Step] = []
        documents: list[dict[str, Any]] = []
        gpu_seconds = 0.0
        for name, units in ((RECOVER, self._units(real=True)), (SOLVE, self._units(real=False))):
            if units:
                packed = self._packed(units)
                step = self._solving(name, packed, tuple(step.name for step in steps))
                steps.append(step)
                documents.append(self._solving_document(step))
                loads = min(packed.loads, 1) if self.keeps_sessions else packed.loads
                gpu_seconds += step.needs.gpus * (packed.seconds + loads * self.site.rates.load)
        frames = FrameRange.parse(self.plan.frames)
        steps.append(self._composing(frames, tuple(step.name for step in steps[-1:])))
        documents.append(self._composing_document(steps[-1], frames))
        steps.append(Step(VERIFY, ({},), _CPU, VERIFY_SECONDS, (COMPOSE,), float(len(frames))))
        documents.append(_step(steps[-1], self._action(["verify", "--key", self.plan.key], VERIFY_SECONDS)))
        template = {
            "specificationVersion": "jobtemplate-2023-09",
            "extensions": ["TASK_CHUNKING"],
            "name": self._name(),
            "parameterDefinitions": self._definitions(),
            "steps": documents,
        }
        values = self._values()
        bundle = Bundle(
            folder=self.folder,
            name=self._name(),
            shot=self.request.shot,
            frames=self.plan.frames,
            job_folder=self.plan.folder,
            steps=tuple(steps),
            parameters=values,
            inputs=_by_folder(self.inputs),
            outputs=tuple(self._written()),
        )
        return Made(bundle, self._files(template, values), gpu_seconds, self.plan.units)

    def _files(self, template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
        # Single files: a folder may hold more than this shot, and a root a whole show.
        assets = {
            "inputs": {"filenames": sorted(self.inputs), "directories": []},
            "outputs": {"directories": self._written()},
            "referencedPaths": [],
        }
        return {
            TEMPLATE: _text(template),
            VALUES: _text({"parameterValues": [{"name": name, "value": value} for name, value in values.items()]}),
            ASSETS: _text({"assetReferences": assets}),
        }

    def _written(self) -> list[str]:
        """The folders of the outputs."""
        return sorted({os.path.dirname(self.request.resolve(output.pattern)) for output in self.request.outputs})

    def _name(self) -> str:
        name = f"{self.request.shot or os.path.basename(self.plan.folder)} {self.plan.engine} {self.plan.frames}"
        # A brace could begin a format string, and control characters are refused.
        return re.sub(r"[{}\x00-\x1f\x7f]+", " ", name)[:LONGEST_NAME]

    # -- parameters ------------------------------------------------------------------------------------------

    def _definitions(self) -> list[dict[str, Any]]:
        folder = {"type": "PATH", "objectType": "DIRECTORY"}
        found: list[dict[str, Any]] = [{"name": "JobFolder", **folder, "dataFlow": "INOUT"}]
        # What of a root travels, where anything does, is listed file by file in the assets.
        found += [{"name": _parameter(name), **folder, "dataFlow": "NONE"} for name in self._roots()]
        for name, value in (("CondaPackages", self.site.conda_packages), ("RezPackages", self.site.rez_packages)):
            found.append({"name": name, "type": "STRING", "default": value})
        return found

    def _values(self) -> dict[str, str]:
        roots = {_parameter(name): self.request.roots[name] for name in self._roots()}
        packages = {"CondaPackages": self.site.conda_packages, "RezPackages": self.site.rez_packages}
        return {"JobFolder": self.plan.folder, **roots, **packages}

    def _roots(self) -> list[str]:
        """The roots that are used; a request may name more."""
        given = [self.request.input(name) for name in INPUTS]
        patterns = [item.pattern for item in (*given, *self.request.outputs) if item is not None]
        return sorted({pattern[1 : pattern.index(">")] for pattern in patterns})

    # -- steps -----------------------------------------------------------------------------------------------

    def _units(self, real: bool) -> list[Unit]:
        """The units of the engine with real pixels, or all others."""
        name = self.plan.real_engine
        return [unit for unit in self.plan.units if (bool(name) and unit.engine == name) == real]

    def _packed(self, units: Sequence[Unit]) -> Packed:
        each = self.wanted.units_per_task or self.site.units_per_task
        return pack(units, self.request, self.site.rates, each, loads_each=not self.keeps_sessions)

    def _solving(self, name: str, packed: Packed, after: tuple[str, ...]) -> Step:
        uses_gpu = any(unit.device != "cpu" for task in packed.tasks for unit in task)
        needs = self._gpu() if uses_gpu else _CPU
        seconds = (SOLVE_SECONDS if uses_gpu else RECOVER_SECONDS) * packed.most
        tasks = tuple({UNITS: numbers([unit.index for unit in task])} for task in packed.tasks)
        return Step(name, tasks, needs, seconds, after, packed.seconds)

    def _gpu(self) -> Needs:
        vram = self.wanted.vram_mib or VRAM_MIB[self.site.memory]
        return Needs(CPU_CORES, GPU_MEMORY_MIB, self.wanted.gpus or 1, vram)

    def _solving_document(self, step: Step) -> dict[str, Any]:
        arguments = ["solve", "--unit", f"{{{{Task.Param.{UNITS}}}}}", "--key", self.plan.key]
        environments: list[dict[str, Any]] = []
        if step.needs.gpus:
            connection = ["--connection", "{{Session.WorkingDirectory}}/daemon.json"]
            arguments += ["--daemon", connection[1], *self._memory(step)]
            environments.append(self._daemon(connection, self._memory(step)))
        stop = {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": NOTIFY_SECONDS}
        ranges = [{"name": UNITS, "type": "STRING", "range": [task[UNITS] for task in step.tasks]}]
        action = {**self._action(arguments, step.timeout), "cancelation": stop}
        return _step(step, action, ranges, environments)

    def _memory(self, step: Step) -> list[str]:
        return ["--memory", self.site.memory, "--vram", str(step.needs.vram_mib)]

    def _daemon(self, connection: list[str], memory: list[str]) -> dict[str, Any]:
        start = [*self.command[1:], "daemon", "start", *connection, "--job", "{{Param.JobFolder}}", *memory]
        stop = [*self.command[1:], "daemon", "stop", *connection]
        actions = {
            "onEnter": {"command": self.command[0], "args": start, "timeout": START_SECONDS},
            "onExit": {"command": self.command[0], "args": stop, "timeout": STOP_SECONDS},
        }
        return {"name": "Model", "script": {"actions": actions}}

    def _composing(self, frames: FrameRange, after: tuple[str, ...]) -> Step:
        # Both ends also of a single frame, as OpenJD spells its chunks.
        found = chunks(frames, self.site.frames_per_task)
        tasks = tuple({FRAMES: f"{chunk.first}-{chunk.last}"} for chunk in found)
        return Step(COMPOSE, tasks, _CPU, COMPOSE_SECONDS, after, len(frames) * self.site.rates.compose_frame)

    def _composing_document(self, step: Step, frames: FrameRange) -> dict[str, Any]:
        chunked = {"defaultTaskCount": self.site.frames_per_task, "rangeConstraint": "CONTIGUOUS"}
        ranges = [{"name": FRAMES, "type": "CHUNK[INT]", "range": str(frames), "chunks": chunked}]
        action = self._action(
            ["compose", "--frames", f"{{{{Task.Param.{FRAMES}}}}}", "--key", self.plan.key], step.timeout
        )
        return _step(step, action, ranges)

    def _action(self, arguments: Sequence[str], timeout: int) -> dict[str, Any]:
        """`void-server task STEP JOB …` with the folders as this worker knows them."""
        step, *more = arguments
        words = [*self.command[1:], "task", step, "{{Param.JobFolder}}", *more, "--farm"]
        for name in self._roots():
            words += ["--root", f"{name}={{{{Param.{_parameter(name)}}}}}"]
        return {"command": self.command[0], "args": words, "timeout": timeout}


_CPU = Needs(CPU_CORES, CPU_MEMORY_MIB)


def _step(
    step: Step,
    action: Mapping[str, Any],
    ranges: Sequence[Mapping[str, Any]] = (),
    environments: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    document: dict[str, Any] = {"name": step.name}
    if step.after:
        document["dependencies"] = [{"dependsOn": name} for name in step.after]
    needs = step.needs
    amounts = [("vcpu", needs.cores), ("memory", needs.memory_mib), ("gpu", needs.gpus), ("gpu.memory", needs.vram_mib)]
    document["hostRequirements"] = {
        "amounts": [{"name": f"amount.worker.{name}", "min": least} for name, least in amounts if least],
        "attributes": [{"name": "attr.worker.os.family", "anyOf": ["linux"]}],
    }
    if environments:
        document["stepEnvironments"] = list(environments)
    if ranges:
        document["parameterSpace"] = {"taskParameterDefinitions": list(ranges)}
    document["script"] = {"actions": {"onRun": dict(action)}}
    return document


def _by_folder(files: Mapping[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for path, size in sorted(files.items()):
        folder = os.path.dirname(path)
        found[folder] = found.get(folder, 0) + size
    return found


def _parameter(root: str) -> str:
    name = f"Root_{root}"
    if len(name) > 64:
        raise FarmError(
            f"The root {root} has a name that is too long for OpenJD; use at most 59 letters.", "farm.bundle"
        )
    return name


def _text(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
