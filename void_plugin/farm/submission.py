"""From saved requests to jobs on a farm: collect, check, plan, check again, and only then submit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from void_plugin.config import Config
from void_plugin.errors import FarmError, VoidError
from void_plugin.farm import Farm
from void_plugin.farm.checks import check_bundle, check_request, check_together, input_files
from void_plugin.farm.earlier import Earlier, left_alone
from void_plugin.farm.jobs import Finding, JobRef, Options, errors_in
from void_plugin.farm.planning import Planner
from void_plugin.farm.template import Made, Wanted, make_bundle
from void_plugin.frames import FrameRange
from void_plugin.localfiles import replace_whole
from void_plugin.programs import server_command
from void_plugin.removal import with_frames
from void_plugin.request import RemovalRequest

FOLDER = "farm"
"""Where bundles lie below a job folder, numbered: a job that still waits must not find another's."""
REQUEST = "request.json"
SHOTS = "shots.json"
"""In a version that `void otio submit` made: which requests it holds."""
MOST_AT_ONCE = 16
"""Shots planned side by side at most: more of them read more than storage gives."""


@dataclass(frozen=True)
class Shot:
    """One request on its way to a farm."""

    source: str
    """The file that it was read from."""
    request: RemovalRequest
    findings: tuple[Finding, ...] = ()
    made: Made | None = None
    """None where an error was found before."""
    options: Options = field(default_factory=Options)
    ref: JobRef | None = None
    """The job, once it is submitted; one that was on the farm before comes without `made`."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `--json` prints them."""
        told: dict[str, Any] = {
            "request": self.source,
            "shot": self.request.shot,
            "findings": [finding.to_dict() for finding in self.findings],
            "job": None if self.ref is None else str(self.ref),
        }
        if self.made is None:
            return told
        bundle = self.made.bundle
        return told | {
            "name": bundle.name,
            "frames": bundle.frames,
            "folder": bundle.job_folder,
            "units": len(self.made.units),
            "solved": sum(unit.solved for unit in self.made.units),
            "tasks": {step.name: len(step.tasks) for step in bundle.steps},
            "gpu_hours": round(self.made.gpu_seconds / 3600, 3),
            "hours": round(sum(step.seconds for step in bundle.steps) / 3600, 3),
            "input_bytes": sum(bundle.inputs.values()),
        }


@dataclass(frozen=True)
class Submission:
    """Puts requests on one farm."""

    farm: Farm
    config: Config
    environment: Mapping[str, str]
    wanted: Wanted = field(default_factory=Wanted)
    options: Options = field(default_factory=Options)
    priority: int | None = None
    """None takes that of each request."""

    def prepare(self, sources: Sequence[str], tell: Callable[[str], None] = lambda text: None) -> list[Shot]:
        """Check and plan the requests in some files and folders; what is wrong with one stands in its findings.

        Plans into the job folders and writes nothing else, several shots side by side. `tell` is called with each file
        before its shot is waited for, in order. Raises FarmError where there is no request, RequestError where one
        cannot be read.
        """
        files = collect(sources)
        requests = [RemovalRequest.load(file) for file in files]
        together = list(check_together(requests))
        earlier = Earlier(self.farm)
        cores = self.config.workers or os.cpu_count() or 1
        at_once = min(len(files), cores, MOST_AT_ONCE)
        workers = cores // at_once if at_once > 1 else self.config.workers
        planner = Planner(self.config, self.environment, self.farm.site, workers)
        pool = ThreadPoolExecutor(at_once)
        try:
            planned = [
                pool.submit(self._planned, planner, earlier, *each) for each in zip(files, requests, strict=True)
            ]
            shots: list[Shot] = []
            for file, shot in zip(files, planned, strict=True):
                tell(file)
                shots.append(self._checked(shot.result()))
        finally:  # Ctrl-C comes to this thread, and what the others wait for ends here
            pool.shutdown(wait=False, cancel_futures=True)
            planner.end()
            pool.shutdown()
        return [replace(shots[0], findings=(*together, *shots[0].findings)), *shots[1:]]

    def submit(self, shot: Shot) -> Shot:
        """Write the bundle of a prepared shot and submit it. Raises FarmError where the farm refuses."""
        assert shot.made is not None and not errors_in(shot.findings)
        folder = _reserve(Path(shot.made.bundle.job_folder) / FOLDER)
        bundle = replace(shot.made.bundle, folder=str(folder))
        try:
            for name, text in shot.made.files.items():
                replace_whole(folder / name, text)
        except OSError as error:
            raise FarmError(f"Cannot write the bundle {folder}: {error.strerror or error}.", "farm.bundle") from error
        return replace(shot, ref=self.farm.submit(bundle, shot.options))

    def _planned(self, planner: Planner, earlier: Earlier, file: str, request: RemovalRequest) -> Shot:
        """A shot with its plan and its tasks, which the farm was not asked about yet; what is there is left alone."""
        priority = request.priority if self.priority is None else self.priority
        options = replace(self.options, priority=min(100, priority))
        try:
            request.check_results()
            findings = list(check_request(request, self.farm))
            if errors_in(findings):
                return Shot(file, request, tuple(findings))
            request = with_frames(request)
            folder = planner.meant(request).job_folder()
            if (job := earlier.same(folder)) is not None:
                return Shot(file, request, (*findings, left_alone(job)), ref=job.ref)
            findings += earlier.rivals(folder)
            plan = planner.plan(request)
            made = make_bundle(
                request,
                plan,
                self.farm.site,
                # Where it would lie: a real one is numbered when it is submitted.
                str(Path(plan.folder) / FOLDER / "0"),
                self._command(),
                self.wanted,
                self.farm.keeps_sessions,
                input_files(request, FrameRange.parse(plan.shot_range)),
            )
        except VoidError as error:
            return Shot(file, request, (Finding("error", error.message, error.code),))
        if plan.engine != request.engine:
            findings.append(Finding("info", f"The engine {request.engine} means {plan.engine} here.", "engine"))
        findings += [*plan.findings, *check_bundle(made, self.farm)]
        return Shot(file, request, tuple(findings), made, options)

    def _checked(self, shot: Shot) -> Shot:
        """A planned shot with what the farm has to say about it."""
        if shot.made is None:
            return shot
        return replace(shot, findings=(*shot.findings, *self.farm.check(shot.made.bundle, shot.options)))

    def _command(self) -> tuple[str, ...]:
        if self.farm.site.command:
            return self.farm.site.command
        return server_command(self.config, self.environment) if self.farm.is_here else ("void-server",)


def collect(sources: Sequence[str]) -> list[str]:
    """The request files behind files, job folders, folders of requests and versions of a timeline.

    Raises FarmError where there is none.
    """
    files: list[str] = []
    for source in sources:
        if not os.path.isdir(source):
            files.append(source)
            continue
        here, listed = os.path.join(source, REQUEST), os.path.join(source, SHOTS)
        if os.path.isfile(here):
            found = [here]
        elif os.path.isfile(listed):
            found = _listed(listed)
        else:
            found = sorted(str(path) for path in Path(source).glob("*.json"))
        found = found or sorted(str(path) for path in Path(source).glob(f"*/{REQUEST}"))
        if not found:
            raise FarmError(f"The folder {source} holds no request; name request files, or a folder of them.")
        files += found
    return list(dict.fromkeys(files))


def _listed(path: str) -> list[str]:
    """The requests that a version of a timeline names."""
    try:
        with open(path, encoding="utf-8") as stream:
            return [os.path.join(os.path.dirname(path), job["request"]) for job in json.load(stream)["jobs"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FarmError(f"{path} cannot be read ({error!r}); run void otio submit again.") from error


def _reserve(folder: Path) -> Path:
    """A new numbered folder below another."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = 1 + max((int(path.name) for path in folder.iterdir() if path.name.isdecimal()), default=0)
        while True:
            try:
                (folder / str(number)).mkdir()
                return folder / str(number)
            except FileExistsError:  # another submission was faster
                number += 1
    except OSError as error:
        raise FarmError(f"Cannot make a folder in {folder}: {error.strerror or error}.", "farm.bundle") from error
