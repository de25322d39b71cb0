"""The farms that the contract suite is run over, each with what it needs to run in a test.

A bench gives a farm whose workers run `tests/fakes/fake_worker.py`. A new backend adds its bench to `BENCHES`.
"""

from __future__ import annotations

import json
import os
import sys
import time
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clouds import FARM, QUEUE, Cloud
from cues import CueFarm
from deadlines import PROGRAM, Repository
from farms import plan_of, recover_units, request_of
from slurmfarm import TABLE, SlurmFarm

from void_plugin.farm import Bundle, Farm, JobRef, JobStatus, Options, Site, open_farm
from void_plugin.farm.template import Wanted, make_bundle
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output

FAKES = Path(__file__).parent / "fakes"
WORKER = (sys.executable, str(FAKES / "fake_worker.py"))
PATIENCE = 120.0
"""Seconds after which a test gives up on a job; how long it takes decides nothing."""


class Bench(ABC):
    """One farm, set up below a folder of its own; use as a context manager."""

    name: str
    uses: tuple[str, ...] = ()
    """Fixtures that the bench is made of, beside its folder."""
    poll_seconds = 0.2
    """How often its farm is asked; less often where a program has to start for that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @property
    def site(self) -> Site:
        """What the site file would say."""
        return Site(command=WORKER, openjd=(sys.executable, "-m", "openjd"))

    def farm(self) -> Farm:
        """The farm as a user has it, but that it is asked more often."""
        farm = open_farm(self.name, self.site, self.environment)
        farm.poll_seconds = self.poll_seconds
        return farm

    @abstractmethod
    def absent(self) -> Farm | None:
        """The farm on a machine where its program is not; None where there is nothing that could be absent."""

    def bundle(self, **told: Any) -> Bundle:
        """A bundle of two solving, two composing and one verifying task; `told` is what the fake worker is told."""
        show = self.folder / "show"
        request = request_of(
            plate=ImageInput(str(show / "plate" / "sh010.%04d.exr")),
            object_matte=ImageInput(str(show / "roto" / "object.%04d.exr")),
            outputs=(Output("patch", str(show / "comp" / "sh010.%04d.exr")),),
            frames=FrameRange(1001, 1008),
        )
        job = show / "comp" / ".void" / "sh010"
        for path in (show / "plate", show / "roto", job):
            path.mkdir(parents=True, exist_ok=True)
        (job / "fake.json").write_text(json.dumps(told))
        (job / "calls.jsonl").unlink(missing_ok=True)
        bundle_folder = job / "farm" / str(1 + len(list(job.glob("farm/*"))))
        bundle_folder.mkdir(parents=True)
        plan = replace(plan_of(request, recover_units(FrameRange(1001, 1008))), folder=str(job))
        site = replace(self.site, frames_per_task=4)
        read = {str(path): path.stat().st_size for path in show.rglob("*.exr")}
        made = make_bundle(request, plan, site, str(bundle_folder), WORKER, Wanted(units_per_task=1), inputs=read)
        for name, text in made.files.items():
            (bundle_folder / name).write_text(text)
        return made.bundle

    def submit(self, **told: Any) -> tuple[Farm, JobRef]:
        """A job that was just submitted."""
        farm = self.farm()
        return farm, farm.submit(self.bundle(**told), Options())

    def until(self, farm: Farm, ref: JobRef, wanted: Callable[[JobStatus], bool]) -> JobStatus:
        """Wait for a state of a job."""
        deadline = time.monotonic() + PATIENCE
        while not wanted(status := farm.status(ref)):
            assert time.monotonic() < deadline, f"still {status}"
            time.sleep(self.poll_seconds / 2)
        return status

    def ended(self, farm: Farm, ref: JobRef) -> JobStatus:
        """Let a job go on to its end."""
        return self.until(farm, ref, lambda status: status.has_ended)

    def calls(self) -> list[dict[str, str]]:
        """What the fake worker was called with since the last bundle was made."""
        path = self.folder / "show" / "comp" / ".void" / "sh010" / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


class LocalBench(Bench):
    name = "local"

    def absent(self) -> Farm | None:
        return None  # what it needs is a package of this Python, which cannot be taken away for one test


class OpenCueBench(Bench):
    """A real RQD, told by a stand-in Cuebot what to run."""

    name = "opencue"
    poll_seconds = 1.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.cue = CueFarm(folder / "cue")
        self.environment.update(self.cue.environment)

    def __enter__(self) -> Bench:
        self.cue.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self.cue.__exit__(*failure)

    @property
    def site(self) -> Site:
        return self._site(self.cue.python)

    def absent(self) -> Farm | None:
        return open_farm(self.name, self._site(["/nowhere/bin/python"]), self.environment)

    def _site(self, python: list[str]) -> Site:
        table = {"python": python, "cuebot": [self.cue.cuebot], "show": "testing"}
        return replace(super().site, sections={self.name: table})


class DeadlineCloudBench(Bench):
    """The real `deadline` command, talking to a stand-in service that runs jobs with openjd."""

    name = "deadline-cloud"
    poll_seconds = 1.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.cloud = Cloud(folder / "cloud")
        self.environment = {**self.cloud.environment, "XDG_STATE_HOME": str(folder / "state")}

    def __enter__(self) -> Bench:
        self.cloud.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self.cloud.__exit__(*failure)

    @property
    def site(self) -> Site:
        return self._site(self.cloud.command)

    def absent(self) -> Farm | None:
        return open_farm(self.name, self._site(["/nowhere/bin/deadline"]), self.environment)

    def _site(self, command: list[str]) -> Site:
        table = {"command": command, "farm_id": FARM, "queue_id": QUEUE}
        return replace(super().site, sections={self.name: table})


class Deadline10Bench(Bench):
    """A stand-in deadlinecommand, and behind it a stand-in repository and its worker."""

    name = "deadline10"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.repository = Repository()
        self.environment["FAKE_DEADLINE"] = self.repository.url

    def __enter__(self) -> Bench:
        self.repository.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self.repository.__exit__(*failure)

    @property
    def site(self) -> Site:
        return replace(super().site, sections={self.name: {"command": PROGRAM}})

    def absent(self) -> Farm | None:
        site = replace(super().site, sections={self.name: {"command": ["/nowhere/deadlinecommand"]}})
        return open_farm(self.name, site, self.environment)


class Deadline10ServiceBench(Deadline10Bench):
    """The same, through the web service."""

    @property
    def site(self) -> Site:
        return replace(super().site, sections={self.name: {"url": self.repository.url}})

    def absent(self) -> Farm | None:
        return None  # there is no program


class SlurmBench(Bench):
    """A real Slurm of three nodes."""

    name = "slurm"
    uses = ("slurm_farm",)

    def __init__(self, folder: Path, slurm: SlurmFarm) -> None:
        super().__init__(folder)
        self.slurm = slurm
        self.environment.update(slurm.environment)

    @property
    def site(self) -> Site:
        return replace(super().site, sections={"slurm": tomllib.loads(TABLE)})

    def absent(self) -> Farm | None:
        return open_farm(self.name, self.site, {**self.environment, "PATH": "/nowhere"})


BENCHES: Mapping[str, type[Bench]] = {
    "local": LocalBench,
    "opencue": OpenCueBench,
    "deadline-cloud": DeadlineCloudBench,
    "deadline10": Deadline10Bench,
    "deadline10-service": Deadline10ServiceBench,
    "slurm": SlurmBench,
}
