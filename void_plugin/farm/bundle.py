"""One job as a queue manager gets it: an Open Job Description bundle, and what its tasks are.

A bundle is a folder with `template.json`, `parameter_values.json` and `asset_references.json`. Farms that speak OpenJD
take it as it is. For the others `Bundle.steps` lists the tasks, and `task_command` says what runs one of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from void_plugin.farm.site import Site

TEMPLATE, VALUES, ASSETS = "template.json", "parameter_values.json", "asset_references.json"
"""Names of a bundle's files, as Deadline Cloud wants them."""

TaskValues = Mapping[str, str]
"""Values of the task parameters of one task, by name."""


@dataclass(frozen=True)
class Needs:
    """What one task asks of a worker; memory in MiB."""

    cores: int = 1
    memory_mib: int = 0
    gpus: int = 0
    vram_mib: int = 0
    """Of each GPU; 0 where there is none."""


@dataclass(frozen=True)
class Step:
    """One step of a job and its tasks, which may run in any order and side by side."""

    name: str
    tasks: tuple[TaskValues, ...]
    needs: Needs
    timeout: int
    """Seconds after which a task is ended, with all that surrounds it (warming up, cooling down)."""
    after: tuple[str, ...] = ()
    """Steps of which every task must have succeeded before this one begins."""
    seconds: float = 0.0
    """About how long all its tasks take one after the other, from the site's rates."""


@dataclass(frozen=True)
class Bundle:
    """A job that lies ready to be submitted."""

    folder: str
    """Absolute path, on this machine, of the folder that holds the files; workers must see it, by this name or by the
    one that path mapping gives it, except where the bundle travels."""
    name: str
    """What the job is called in the queue: shot, engine and frames."""
    shot: str
    frames: str
    """Frames that are delivered, such as `1001-1048`."""
    job_folder: str
    """The request's job folder: plan, units, events, result.json."""
    steps: tuple[Step, ...]
    """In an order in which each stands after those it waits for."""
    parameters: Mapping[str, str]
    """Values of the OpenJD job parameters, by name."""
    inputs: Mapping[str, int] = field(default_factory=dict)
    """Folders that are read, and how many bytes of them."""
    outputs: tuple[str, ...] = ()
    """Folders that are written."""

    @property
    def template(self) -> str:
        """Path of template.json."""
        return str(Path(self.folder) / TEMPLATE)

    @property
    def tasks(self) -> int:
        """Number of tasks of all steps."""
        return sum(len(step.tasks) for step in self.steps)


def task_command(bundle: Bundle, site: Site, step: str, tasks: Sequence[TaskValues]) -> list[str]:
    """The command with which a worker runs some tasks of a step, one after the other in one session.

    Everything is in the arguments: no file beside the bundle's template is read.
    """
    command = [*site.openjd, "run", site.there(bundle.template), "--step", step, "--extensions", "TASK_CHUNKING"]
    command += ["--job-param", _compact(dict(bundle.parameters)), "--tasks", _compact([dict(task) for task in tasks])]
    if site.path_mapping:
        command += ["--path-mapping-rules", _compact(mapping_rules(site))]
    return command


def mapping_rules(site: Site) -> dict[str, object]:
    """The site's path mapping as OpenJD wants it."""
    rules = [
        {"source_path_format": "POSIX", "source_path": mapping.here, "destination_path": mapping.there}
        for mapping in site.path_mapping
    ]
    return {"version": "pathmapping-1.0", "path_mapping_rules": rules}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
