"""The farm `slurm`: one job array a step, each waiting for the one before, each task an `openjd run`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from void_plugin.errors import FarmError
from void_plugin.farm import Farm
from void_plugin.farm.bundle import Bundle, Step
from void_plugin.farm.jobs import Artefacts, Finding, JobRef, JobStatus, Options
from void_plugin.farm.records import Record
from void_plugin.farm.slurmprograms import Partition, SlurmPrograms
from void_plugin.farm.slurmscript import FOLDER, batch_script, log_name, minutes, sbatch_options
from void_plugin.farm.slurmsite import SlurmSite, slurm_site
from void_plugin.farm.slurmstate import SubmittedStep, job_status

NOT_NOW = "requested node configuration is not available"
"""What sbatch says of nodes that are down as well as of ones that are not there."""
DEPENDENCY = "--dependency=afterok:"


class Slurm(Farm):
    """Submits to the cluster that `sbatch` on this machine talks to; workers see the bundle's folder."""

    name = "slurm"
    poll_seconds = 5.0

    def check(self, bundle: Bundle, options: Options) -> list[Finding]:
        """Asks sbatch itself about each step, without submitting anything."""
        found: list[Finding] = []
        try:
            table = slurm_site(self.site)
            if options.priority > 50 and not table.urgent_qos:
                text = (
                    "Slurm only lets users lower a priority, so it counts as 50; name an urgent_qos in the site file."
                )
                found.append(Finding("info", text, "priority"))
            if any(step.needs.vram_mib for step in bundle.steps) and not table.gpus:
                text = "Slurm knows nothing of GPU memory; list the gpus in [farm.slurm] of the site file."
                found.append(Finding("warning", text, "vram"))
            partitions = self._programs.partitions()
            for step in bundle.steps:
                found += self._check_time(step, table, partitions)
                found += self._check_step(bundle, step, table, options)
        except FarmError as error:
            found.append(Finding("error", error.message, error.code))
        return found

    def translate(self, bundle: Bundle, options: Options) -> Artefacts:
        table = slurm_site(self.site)
        files, commands = {}, []
        for step in bundle.steps:
            script = f"{FOLDER}/{step.name}.sh"
            files[script] = batch_script(bundle, self.site, table, step, options)
            words = ["sbatch", "--parsable", *sbatch_options(bundle, self.site, table, step, options)]
            if step.after:
                words.append(DEPENDENCY + ":".join(f"{{{name}}}" for name in step.after))
            commands.append((*words, f"{bundle.folder}/{script}"))
        return Artefacts(files, tuple(commands))

    def submit(self, bundle: Bundle, options: Options) -> JobRef:
        artefacts = self.translate(bundle, options)
        self.write(bundle, artefacts)
        arrays: dict[str, str] = {}
        try:
            for step, command in zip(bundle.steps, artefacts.commands, strict=True):
                arrays[step.name] = self._programs.submit([_filled(word, arrays) for word in command])
        except BaseException as error:
            self._take_back(arrays.values(), error)
            raise
        facts = {"steps": [[step.name, arrays[step.name], len(step.tasks)] for step in bundle.steps]}
        return self.records.add(arrays[bundle.steps[0].name], bundle, facts)

    def status(self, ref: JobRef) -> JobStatus:
        record = self.records.find(ref)
        steps = _steps(record)
        queue = self._programs.queue(step.array for step in steps)
        folder, result = Path(record.bundle) / FOLDER, Path(record.job_folder) / "result.json"
        return job_status(ref, steps, queue, folder, bool(record.facts.get("cancelled")), result)

    def cancel(self, ref: JobRef) -> None:
        if self.status(ref).has_ended:
            return
        record = self.records.find(ref)
        # Kept first: a task that is stopped ends like one that has failed.
        self.records.save(replace(record, facts={**record.facts, "cancelled": True}))
        arrays = [step.array for step in _steps(record)]
        try:
            self._programs.cancel(arrays, "--state=PENDING")
            # Only the script gets the signal and has openjd stop; scancel alone leaves no more than KillWait seconds.
            self._programs.cancel(arrays, "--batch", "--signal=TERM")
        except FarmError:
            self.records.save(record)
            raise

    def logs(self, ref: JobRef) -> Iterator[str]:
        record = self.records.find(ref)
        for step in _steps(record):
            for index in range(step.count):
                path = Path(record.bundle) / FOLDER / log_name(step.name, index)
                try:
                    with open(path, encoding="utf-8", errors="replace") as stream:
                        yield f"== {step.name} {index}"
                        yield from (line.rstrip("\n") for line in stream)
                except FileNotFoundError:
                    continue  # it has not run yet
                except OSError as error:
                    raise FarmError(f"Cannot read the log {path}: {error.strerror or error}.") from error

    def doctor(self) -> list[Finding]:
        try:
            table = slurm_site(self.site)
            version = self._programs.ask("sbatch", "--version").strip()
            partitions = [partition.name for partition in self._programs.partitions()]
            nodes = self._programs.ask("sinfo", "--noheader", "--Node", "--format=%f,%G").split()
        except FarmError as error:
            return [Finding("error", error.message, error.code)]
        found = [Finding("info", f"{version} answers; its partitions are {', '.join(partitions)}.")]
        for name in dict.fromkeys((table.partition, table.cpu_partition)):
            if name and name not in partitions:
                found.append(Finding("error", f"The site file names the partition {name}, which is not there."))
        for kind in table.gpus:
            word = re.compile(rf"(?:^|,){re.escape(kind.name)}(?:[,:(]|$)")
            if not any(word.search(node) for node in nodes):
                found.append(Finding("warning", f"The site file names {kind.name} in gpus, which no node has."))
        if not table.gpus:
            found.append(
                Finding("info", "The site file lists no gpus in [farm.slurm], so their memory is not asked for.")
            )
        return found

    @property
    def _programs(self) -> SlurmPrograms:
        return SlurmPrograms(self.environment)

    def _check_time(self, step: Step, table: SlurmSite, partitions: Iterable[Partition]) -> Iterator[Finding]:
        """Slurm takes a job that is too long for its partition, and never starts it."""
        name = table.partition_of(step.needs)
        wanted = minutes(step, table)
        for partition in partitions:
            is_ours = partition.name == name if name else partition.is_default
            if is_ours and 0 < partition.minutes < wanted:
                yield Finding(
                    "error",
                    f"A task of {step.name} may take {wanted} minutes, and the partition {partition.name} ends jobs "
                    f"after {partition.minutes}; set time_limit = {partition.minutes} in [farm.slurm] of the site "
                    "file, and tasks go on after a requeue.",
                    "time_limit",
                )

    def _check_step(self, bundle: Bundle, step: Step, table: SlurmSite, options: Options) -> Iterator[Finding]:
        words = sbatch_options(bundle, self.site, table, step, options)
        # The bundle's folder need not be there yet.
        words = [word for word in words if not word.startswith(("--chdir=", "--output="))]
        try:
            self._programs.ask("sbatch", "--test-only", *words, "--wrap=true")
        except FarmError as error:
            if error.code != "farm.refused":
                raise
            level = "warning" if NOT_NOW in error.message.lower() else "error"
            yield Finding(level, f"{step.name}: {error.message}", error.code)

    def _take_back(self, arrays: Iterable[str], why: BaseException) -> None:
        """Cancel what was submitted of a job that is not complete."""
        if not (submitted := list(arrays)):
            return
        try:
            self._programs.cancel(submitted)
        except FarmError as error:
            raise FarmError(
                f"{why} Its jobs {', '.join(submitted)} are in the queue and could not be cancelled: {error.message}",
                error.code,
            ) from why


def _filled(word: str, arrays: Mapping[str, str]) -> str:
    """A word of a command with the numbers of what was submitted before."""
    if not word.startswith(DEPENDENCY):
        return word
    return re.sub(r"\{(\w+)\}", lambda match: arrays[match[1]], word)


def _steps(record: Record) -> list[SubmittedStep]:
    listed: Any = record.facts["steps"]
    return [SubmittedStep(name, array, count) for name, array, count in listed]
