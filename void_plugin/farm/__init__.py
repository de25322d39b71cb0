"""The farm: what any queue manager must do for us, and which ones there are.

We write no scheduler. A job is one OpenJD bundle (`bundle.Bundle`); a backend hands it to a queue manager and asks
that how the job stands. Backends are looked up by name in a short table, or in this machine's own configuration.
"""

from __future__ import annotations

import pkgutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from void_plugin.errors import FarmError
from void_plugin.farm.bundle import Bundle, Needs, Step, TaskValues, task_command
from void_plugin.farm.jobs import (
    Artefacts,
    Finding,
    JobRef,
    JobStatus,
    Options,
    StepStatus,
    errors_in,
)
from void_plugin.farm.records import Record, Records
from void_plugin.farm.site import Site, load_site
from void_plugin.localfiles import replace_whole

__all__ = [
    "FARMS", "Farm", "open_farm",
    "Bundle", "Step", "Needs", "TaskValues", "task_command",
    "JobRef", "JobStatus", "StepStatus", "Options", "Finding", "Artefacts", "errors_in",
    "Record", "Records", "Site", "load_site",
]  # fmt: skip

FARMS: Mapping[str, str] = {
    "local": "void_plugin.farm.local:Local",
    "slurm": "void_plugin.farm.slurm:Slurm",
    "deadline-cloud": "void_plugin.farm.deadline_cloud:DeadlineCloud",
    "opencue": "void_plugin.farm.opencue:OpenCue",
    "deadline10": "void_plugin.farm.deadline10:Deadline10",
}
"""The backends that come with us, each as `module:Class`."""

POLL_SECONDS = 2.0
"""How often `wait` asks; a backend that can be told sooner overrides it."""


class Farm(ABC):
    """One queue manager. Objects are cheap; nothing is started, read or asked before a method is called.

    Every method raises FarmError, in a sentence, where the queue manager's program is absent, refuses or does not
    answer in time. None of them waits for a job, save `wait`.
    """

    name: str
    """As it stands in `FARMS` and before the colon of a job's name."""
    keeps_sessions: bool = False
    """True where tasks that one worker runs in a row share a session, so that the model stays loaded between them."""
    is_here: bool = False
    """True where this machine does the work."""
    carries_files: bool = False
    """True where inputs travel to workers that share no storage with this machine."""
    poll_seconds: float = POLL_SECONDS

    def __init__(self, site: Site, environment: Mapping[str, str]) -> None:
        self.site, self.environment = site, environment
        self.records = Records(environment, self.name)

    # -- before a job is there ---------------------------------------------------------------------------------

    def check(self, bundle: Bundle, options: Options) -> list[Finding]:
        """What this farm has to say about a bundle before it is submitted; nothing is changed."""
        return []

    @abstractmethod
    def translate(self, bundle: Bundle, options: Options) -> Artefacts:
        """The bundle in this farm's words: pure, the same for equal arguments, nothing is read or written."""

    @abstractmethod
    def submit(self, bundle: Bundle, options: Options) -> JobRef:
        """Write what `translate` gives into the bundle's folder, run its commands, keep a record, name the job.

        All or nothing: where a later command fails, what earlier ones submitted is cancelled before the error leaves.
        """

    # -- a job that is there -----------------------------------------------------------------------------------

    @abstractmethod
    def status(self, ref: JobRef) -> JobStatus:
        """How a job stands now. Raises FarmError with `farm.job_unknown` for one that is neither here nor there."""

    @abstractmethod
    def cancel(self, ref: JobRef) -> None:
        """Ask for a job to be stopped; tasks write a checkpoint first. One that has ended is left as it is.

        From then on `cancelled` is true among the facts of its record, for as long as it takes to stop.
        """

    @abstractmethod
    def logs(self, ref: JobRef) -> Iterator[str]:
        """The lines that the job's tasks have written so far, step by step, without line ends."""

    def wait(
        self, ref: JobRef, tell: Callable[[JobStatus], None], pause: Callable[[float], None] = time.sleep
    ) -> JobStatus:
        """Follow a job to its end and return its last state; `tell` gets each that differs from the one before."""
        last: JobStatus | None = None
        while True:
            now = self.status(ref)
            if now != last:
                tell(now)
            if now.has_ended or now.state == "unknown":
                return self.brought(now)
            last = now
            pause(self.poll_seconds)

    def brought(self, status: JobStatus) -> JobStatus:
        """How a job stands that has ended and was waited for, once what it wrote is here.

        To be overridden where results travel.
        """
        return status

    # -- the farm itself ---------------------------------------------------------------------------------------

    @abstractmethod
    def doctor(self) -> list[Finding]:
        """What is here and what is not: programs, their versions, reachability, the site's table. Never raises."""

    # -- for backends ------------------------------------------------------------------------------------------

    def write(self, bundle: Bundle, artefacts: Artefacts) -> None:
        """Put the files of a translation into the bundle's folder."""
        for name, text in artefacts.files.items():
            path = Path(bundle.folder) / name
            try:
                replace_whole(path, text)
            except OSError as error:
                raise FarmError(f"Cannot write {path}: {error.strerror or error}.") from error


def open_farm(name: str, site: Site, environment: Mapping[str, str], more: Mapping[str, str] | None = None) -> Farm:
    """A farm by name; `more` are those of this machine's configuration, as `module:Class`.

    Raises FarmError for a name that is not known or cannot be loaded.
    """
    known = {**FARMS, **(more or {})}
    if name not in known:
        raise FarmError(f"There is no farm {name!r}; known are {', '.join(known)}.", "farm.unknown")
    try:
        found = pkgutil.resolve_name(known[name])
    except (ImportError, AttributeError, ValueError) as error:
        raise FarmError(f"The farm {name} cannot be loaded as {known[name]}: {error}.", "farm.unknown") from error
    if not (isinstance(found, type) and issubclass(found, Farm)):
        raise FarmError(f"The farm {name} is {known[name]}, which is no Farm.", "farm.unknown")
    farm: Farm = found(site, environment)
    return farm
