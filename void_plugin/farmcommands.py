"""`void submit` and `void farm`: requests onto a farm, and what becomes of the jobs."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from void_plugin.config import Config
from void_plugin.errors import FarmError, VoidError
from void_plugin.farm import FARMS, Farm, open_farm
from void_plugin.farm.jobs import Finding, JobRef, JobStatus, Options, errors_in
from void_plugin.farm.records import Records, records_below
from void_plugin.farm.site import Site, load_site
from void_plugin.farm.submission import Shot, Submission
from void_plugin.farm.template import Wanted
from void_plugin.farmversion import land
from void_plugin.progress import print_table, span

LISTED = 20
"""Jobs of a farm that `void farm status` asks about, the newest, unless it is to ask about all."""


def submit(options: argparse.Namespace, config: Config, environment: Mapping[str, str]) -> bool:
    """Run `void submit`; True where all was submitted and, where waited for, succeeded."""
    site = load_site(config.site)
    farm = open_farm(options.farm or site.default, site, environment, config.farms)
    submission = Submission(
        farm,
        config,
        environment,
        Wanted(options.vram, options.gpus, options.units_per_task),
        Options(retries=options.retries, tags=options.tags),
        options.priority,
    )
    say = (lambda text: None) if options.json else (lambda text: print(f"Planning {text}", file=sys.stderr))
    shots = submission.prepare(options.requests, say)
    wrong = sum(bool(errors_in(shot.findings)) for shot in shots)
    if wrong or options.dry_run:
        _show(shots, farm, options.json)
        if wrong and not options.dry_run:
            print(f"Nothing was submitted: {wrong} of {len(shots)} shots cannot be, as they are.", file=sys.stderr)
        return not wrong
    before = [shot.ref for shot in shots]
    shots, stopped = _submit(submission, shots)
    _show(shots, farm, options.json)
    refs = [shot.ref for shot in shots if shot.ref is not None]
    if stopped is not None:
        if len(shots) > 1:
            print(
                f"{len(refs)} of {len(shots)} shots are on the farm and go on. Submit all again for the others; what "
                "is on the farm is left alone.",
                file=sys.stderr,
            )
        raise stopped
    if not options.wait:
        return True
    try:
        return _wait(refs, lambda ref: farm, environment, options.json)
    except KeyboardInterrupt:
        for ref in refs:
            if ref not in before:
                farm.cancel(ref)
        print("Cancelled. Finished units are kept; submitting again resumes.", file=sys.stderr)
        _wait(refs, lambda ref: farm, environment, options.json)
        raise


def run(options: argparse.Namespace, config: Config, environment: Mapping[str, str]) -> bool:
    """Run one of `void farm …`; True where it did what was asked and the jobs asked about are well."""
    site = load_site(config.site)

    def farm_of(name: str) -> Farm:
        return open_farm(name, site, environment, config.farms)

    if options.action == "doctor":
        return _doctor(options, site, farm_of, options.farms or [*FARMS, *config.farms])
    refs = [ref for text in options.jobs for ref in _named(text, environment)]
    if options.action == "logs":
        for ref in refs:
            for line in farm_of(ref.farm).logs(ref):
                print(json.dumps({"line": line}) if options.json else line)
        return True
    if options.action == "wait":
        return _wait(refs, lambda ref: farm_of(ref.farm), environment, options.json)
    if options.action == "cancel":
        for ref in refs:
            farm_of(ref.farm).cancel(ref)
    if refs:
        statuses = [farm_of(ref.farm).status(ref) for ref in refs]
        _show_status(statuses, environment, options.json)
        return all([_land(status.ref, environment) for status in statuses if status.state == "succeeded"])
    known = [Records(environment, name).all() for name in (*FARMS, *config.farms)]
    listed = [records if options.all else records[-LISTED:] for records in known]
    statuses = [_status_of(record.ref, farm_of) for records in listed for record in records]
    older = sum(map(len, known)) - len(statuses)
    if older:
        print(f"{older} older jobs are not listed; void farm status --all lists them too.", file=sys.stderr)
    _show_status(statuses, environment, options.json)
    return all([_land(status.ref, environment) for status in statuses if status.state == "succeeded"])


# -- submitting ----------------------------------------------------------------------------------------------


def _submit(submission: Submission, shots: Sequence[Shot]) -> tuple[list[Shot], BaseException | None]:
    """Submit one after the other, until one is refused or Ctrl-C; why it did not come to its end."""
    done: list[Shot] = []
    for index, shot in enumerate(shots):
        try:
            done.append(shot if shot.ref is not None else submission.submit(shot))
        except FarmError as error:
            named = f"{shot.request.shot or shot.source}: {error.message}" if len(shots) > 1 else error.message
            return [*done, *shots[index:]], FarmError(named, error.code)
        except KeyboardInterrupt as error:
            return [*done, *shots[index:]], error
    return done, None


def _show(shots: Sequence[Shot], farm: Farm, as_json: bool) -> None:
    if as_json:
        told = {"farm": farm.name, "rates": _rates(farm.site), "shots": [shot.to_dict() for shot in shots]}
        print(json.dumps(told, indent=2, sort_keys=True), flush=True)
        return
    console = Console()
    for shot in shots:
        for finding in shot.findings:
            _say(finding, shot.request.shot or shot.source)
        if shot.made is not None:
            print_table(console, _rows(shot, farm))
    total = sum(shot.made.gpu_seconds for shot in shots if shot.made is not None)
    if len(shots) > 1:
        print_table(console, [("shots", str(len(shots))), ("GPU hours in all", f"{total / 3600:.1f}")])


def _rows(shot: Shot, farm: Farm) -> list[tuple[str, str]]:
    assert shot.made is not None
    bundle = shot.made.bundle
    solved = sum(unit.solved for unit in shot.made.units)
    units = f"{len(shot.made.units)}" + (f", {solved} solved already" if solved else "")
    tasks = ", ".join(f"{step.name} {len(step.tasks)}" for step in bundle.steps)
    rates = "measured here" if farm.site.rates_measured else "stated for an H200, not measured here"
    rows = [
        ("job", str(shot.ref) if shot.ref is not None else f"not submitted, for {farm.name}"),
        ("name", bundle.name),
        ("units", units),
        ("tasks", f"{bundle.tasks}: {tasks}"),
        ("GPU hours", f"{shot.made.gpu_seconds / 3600:.2f} ({rates})"),
        ("one after the other", span(sum(step.seconds for step in bundle.steps))),
        ("reads", _size(sum(bundle.inputs.values()))),
        ("folder", bundle.job_folder),
    ]
    gpus = [step.needs for step in bundle.steps if step.needs.gpus]
    if gpus:
        rows.insert(5, ("GPU", f"{gpus[0].gpus} with {gpus[0].vram_mib} MiB or more"))
    return rows


def _rates(site: Site) -> str:
    return "measured" if site.rates_measured else "stated"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _say(finding: Finding, what: str) -> None:
    print(f"{finding.level}: {what}: {finding.text}", file=sys.stderr)


def _named(text: str, environment: Mapping[str, str]) -> list[JobRef]:
    """The jobs that somebody means by a name, or by a folder, who need not have submitted them."""
    if not os.path.isdir(text):
        return [JobRef.parse(text)]
    found = records_below(text)
    for record in found:
        Records(environment, record.ref.farm).adopt(record)
    return [record.ref for record in found]


# -- following -----------------------------------------------------------------------------------------------


def _wait(
    refs: Sequence[JobRef], farm_of: Callable[[JobRef], Farm], environment: Mapping[str, str], as_json: bool
) -> bool:
    """Follow jobs to their end; True where all succeeded.

    A farm that has answered once may be away for a while: a night is long. Raises FarmError where one does not know a
    job or never answers, KeyboardInterrupt as it comes.
    """
    farms = {ref: farm_of(ref) for ref in refs}
    last: dict[JobRef, JobStatus] = {}
    away: dict[str, bool] = {}
    waiting, well = list(refs), True
    while waiting:
        for ref in list(waiting):
            try:
                now = farms[ref].status(ref)
                away[ref.farm] = False
                if now != last.get(ref):
                    _tell(now, as_json)
                last[ref] = now
                if not (now.has_ended or now.state == "unknown"):
                    continue
                last[ref] = farms[ref].brought(now)
            except FarmError as error:
                if ref.farm not in away or not error.retryable:
                    raise
                if not away[ref.farm]:
                    print(f"{error.message} Waiting goes on.", file=sys.stderr, flush=True)
                away[ref.farm] = True
                continue
            waiting.remove(ref)
            if last[ref] != now:
                _tell(last[ref], as_json)
            well = _land(ref, environment) and well
        if waiting:
            time.sleep(min(farms[ref].poll_seconds for ref in waiting))
    return well and all(status.state == "succeeded" for status in last.values())


def _land(ref: JobRef, environment: Mapping[str, str]) -> bool:
    """Commit the version of a node that a job was for, if any; False where that fails, which is told."""
    try:
        folder = land(Records(environment, ref.farm).find(ref).job_folder, environment)
    except VoidError as error:
        print(error.message, file=sys.stderr)
        return False
    if folder is not None:
        print(f"The version {folder} is complete.", file=sys.stderr)
    return True


def _tell(status: JobStatus, as_json: bool) -> None:
    if as_json:
        print(json.dumps(status.to_dict(), sort_keys=True), flush=True)
    else:
        print(_line(status), flush=True)


def _line(status: JobStatus, name: str = "") -> str:
    said = status.result if status.state == "succeeded" else status.text
    return "\t".join(part for part in (str(status.ref), status.state, f"{status.fraction:.0%}", name, said) if part)


def _status_of(ref: JobRef, farm_of: Callable[[str], Farm]) -> JobStatus:
    """How a job stands, or why that cannot be told: one farm that is away must not hide the others."""
    try:
        return farm_of(ref.farm).status(ref)
    except FarmError as error:
        return JobStatus(ref, "unknown", text=error.message)


def _show_status(found: Sequence[JobStatus], environment: Mapping[str, str], as_json: bool) -> None:
    if as_json:
        print(json.dumps([status.to_dict() for status in found], indent=2, sort_keys=True))
        return
    if not found:
        print("No jobs were submitted from here.")
    for status in found:
        names = {record.ref: record.name for record in Records(environment, status.ref.farm).all()}
        print(_line(status, names.get(status.ref, "")))


def _doctor(options: argparse.Namespace, site: Site, farm_of: Callable[[str], Farm], names: Sequence[str]) -> bool:
    found: dict[str, list[Finding]] = {}
    for name in names:
        try:
            found[name] = farm_of(name).doctor()
        except FarmError as error:  # one that cannot even be loaded is an answer, too
            found[name] = [Finding("error", error.message, error.code)]
    if options.json:
        told = {name: [finding.to_dict() for finding in findings] for name, findings in found.items()}
        print(json.dumps({"site": site.path, "farms": told}, indent=2, sort_keys=True))
    else:
        rows = [("site", site.path or "none; defaults are used")]
        for name, findings in found.items():
            rows += [(name, f"{finding.level}: {finding.text}") for finding in findings]
        print_table(Console(), rows)
    ready = [name for name, findings in found.items() if not errors_in(findings)]
    return len(ready) == len(found) if options.farms else bool(ready)
