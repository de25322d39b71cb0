"""Slurm's programs on this machine: how they are asked, and what their answers mean."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from void_plugin.endings import how_it_ended
from void_plugin.errors import FarmError
from void_plugin.farm.asking import ask
from void_plugin.farm.slurmstate import FORMAT, Queue, read_queue

_AWAY = ("unable to contact slurm controller", "socket timed out", "connection refused", "unable to connect")
"""How they say so, in small letters."""
_NO_JOB = "invalid job id"
_PREFIXES = re.compile(r"(\w+: )?(error: )?(Batch job submission failed: |allocation failure: )?")


@dataclass(frozen=True)
class Partition:
    """One partition of the cluster."""

    name: str
    is_default: bool
    minutes: int
    """How long a job may take in it; 0 is no bound."""


@dataclass(frozen=True)
class SlurmPrograms:
    """What runs Slurm's programs, with the environment of whoever asks."""

    environment: Mapping[str, str]

    def submit(self, words: Sequence[str]) -> str:
        """Run an sbatch and give the number of the job."""
        lines = self.ask(*words).strip().splitlines()
        number = lines[-1].split(";")[0] if lines else ""  # the name of a cluster may follow
        if not number.isdecimal():
            raise FarmError(f"sbatch did not say which job it made: {lines!r}.", "farm.refused")
        return number

    def queue(self, arrays: Iterable[str]) -> Queue:
        """How the tasks of some arrays stand, as far as Slurm still knows them."""
        jobs = f"--jobs={','.join(arrays)}"
        try:
            return read_queue(self.ask("squeue", "--noheader", "--array", "--states=all", jobs, f"--format={FORMAT}"))
        except FarmError as error:
            # So it says of a single job that it has forgotten; of several it prints those that it knows.
            if _NO_JOB in error.message.lower():
                return Queue()
            raise

    def cancel(self, arrays: Iterable[str], *options: str) -> None:
        """Run scancel; what has ended before is left as it is."""
        try:
            self.ask("scancel", *options, *arrays)
        except FarmError as error:
            if _NO_JOB not in error.message.lower():
                raise

    def partitions(self) -> list[Partition]:
        """What there is to submit to."""
        found: dict[str, Partition] = {}
        for line in self.ask("sinfo", "--noheader", "--format=%P|%l").splitlines():
            name, limit = line.strip().split("|", 1)
            found[name] = Partition(name.rstrip("*"), name.endswith("*"), minutes_of(limit))
        return list(found.values())

    def ask(self, program: str, *arguments: str) -> str:
        """What a program prints. Raises FarmError where it is not there, gets no answer or refuses."""
        path = shutil.which(program, path=self.environment.get("PATH"))
        if path is None:
            raise FarmError(f"Slurm's program {program} is not on PATH; submit where Slurm is.", "farm.program")
        answer = ask([path, *arguments], self.environment)
        if answer.status == 0:
            return answer.text
        said = _PREFIXES.sub("", answer.last_words, count=1).rstrip(".") or how_it_ended(answer.status)
        if any(words in answer.complaint.lower() for words in _AWAY):
            raise FarmError(f"Slurm's controller is away ({said}); try again later.", "farm.unreachable")
        raise FarmError(f"{program} refuses: {said}.", "farm.refused")


def minutes_of(limit: str) -> int:
    """Minutes of `days-hours:minutes:seconds` as sinfo prints it, days and hours only where there are some.

    0 for `infinite`.
    """
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):\d+", limit)
    if match is None:
        return 0
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return (days * 24 + hours) * 60 + minutes
