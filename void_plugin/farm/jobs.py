"""What is said about a job on a farm: how it is named, what is wanted of it, how it stands, what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from void_plugin.errors import FarmError

STATES = ("queued", "running", "succeeded", "failed", "cancelled", "unknown")
"""How a job or a step can stand; `unknown` where the queue manager has forgotten it."""
ENDED = ("succeeded", "failed", "cancelled")
LEVELS = ("error", "warning", "info")
"""How bad a finding is: an error keeps a job from being submitted."""

_REF = re.compile(r"([a-z0-9][a-z0-9_-]*):(\S+)\Z")


@dataclass(frozen=True)
class JobRef:
    """A job of one farm, written `slurm:1234`."""

    farm: str
    id: str

    def __str__(self) -> str:
        return f"{self.farm}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> JobRef:
        """Read `farm:id`. Raises FarmError for anything else."""
        match = _REF.match(text)
        if match is None:
            raise FarmError(
                f"{text!r} names no job of a farm; write it as `void submit` printed it, for example slurm:1234.",
                "farm.job_unknown",
            )
        return cls(match.group(1), match.group(2))


@dataclass(frozen=True)
class Options:
    """What a submission says beside the bundle; a farm that cannot do something says so in a finding."""

    priority: int = 50
    """0..100, higher goes first; each farm maps it on its own scale."""
    retries: int = 2
    """How often the queue manager may run a failed task again."""
    tags: tuple[str, ...] = ()
    """Names that the site gives to kinds of workers: Slurm features, OpenCue tags, Deadline groups."""


@dataclass(frozen=True)
class Finding:
    """One thing worth saying before a job is submitted, or about a farm: a sentence and how bad it is."""

    level: str
    """One of `LEVELS`."""
    text: str
    code: str = ""

    def to_dict(self) -> dict[str, str]:
        """Plain values."""
        return asdict(self)


def errors_in(findings: Iterable[Finding]) -> list[Finding]:
    """Those findings that keep a job from being submitted."""
    return [finding for finding in findings if finding.level == "error"]


@dataclass(frozen=True)
class StepStatus:
    """How one step of a job stands; counts are tasks."""

    name: str
    state: str
    total: int = 0
    done: int = 0
    """Tasks that succeeded."""
    running: int = 0
    failed: int = 0


@dataclass(frozen=True)
class JobStatus:
    """How a job stands now."""

    ref: JobRef
    state: str
    """One of `STATES`."""
    fraction: float = 0.0
    """How much of the job is done, in 0..1."""
    text: str = ""
    """What it does, or why it failed, in a sentence."""
    steps: tuple[StepStatus, ...] = ()
    result: str = ""
    """Path of result.json once the job has succeeded."""

    @property
    def has_ended(self) -> bool:
        """True where nothing more will happen."""
        return self.state in ENDED

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `--json` prints them."""
        return {**asdict(self), "ref": str(self.ref), "steps": [asdict(step) for step in self.steps]}


@dataclass(frozen=True)
class Artefacts:
    """A bundle in the words of one queue manager."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Text of each file, by its name below the bundle's folder."""
    commands: tuple[tuple[str, ...], ...] = ()
    """What is run to submit, in order; a value of an earlier answer stands as `{name}`."""
