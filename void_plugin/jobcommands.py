"""`void jobs`, `status`, `cancel` and `delete`: what a server's queue holds, and what becomes of it."""

import argparse
import json
import sys
import time
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from void_plugin.answers import JobInfo
from void_plugin.channel import find_server
from void_plugin.client import VoidClient
from void_plugin.config import Config
from void_plugin.errors import VoidError
from void_plugin.events import Failed, Finished
from void_plugin.patience import USUAL_SECONDS, Patience
from void_plugin.progress import display_for, print_table, span

WATCH_SECONDS = 300.0
"""How long a watch waits for a server that has gone away."""


def run(options: argparse.Namespace, config: Config, environment: Mapping[str, str]) -> bool:
    """Run one of the commands; True where it did what was asked. Raises VoidError where the server refuses."""
    address = find_server(config, environment)
    seconds = WATCH_SECONDS if getattr(options, "watch", False) else USUAL_SECONDS
    patience = Patience(address, seconds, lambda text: print(text, file=sys.stderr))
    with VoidClient.connect(config, environment, address, patience) as client:
        if options.command == "jobs":
            return _jobs(options, client)
        if options.command == "status":
            return _watch(options, client) if options.watch else _status(options, client)
        return _each(options, client)


def _jobs(options: argparse.Namespace, client: VoidClient) -> bool:
    jobs = client.jobs(options.state or (), options.all, options.limit)
    if options.json:
        print(json.dumps([job.to_dict() for job in jobs], indent=2, sort_keys=True))
        return True
    console = Console()
    if not jobs:
        print("No jobs.", file=console.file)
        return True
    columns = ["job", "shot", "frames", "engine", "state", "submitted"]
    rows = [[job.job_id, job.shot, job.frames, job.engine, _state(job), _moment(job.submitted_at)] for job in jobs]
    if options.all:
        columns.insert(1, "owner")
        rows = [[row[0], job.owner, *row[1:]] for row, job in zip(rows, jobs, strict=True)]
    if not console.is_terminal:
        for row in rows:
            print("\t".join(row), file=console.file)
        return True
    table = Table(*columns, box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
    return True


def _status(options: argparse.Namespace, client: VoidClient) -> bool:
    job = client.get(options.job)
    if options.json:
        print(json.dumps(job.to_dict(), indent=2, sort_keys=True))
        return True
    rows = [
        ("job", job.job_id),
        ("shot", job.shot),
        ("kind", job.kind),
        ("state", _state(job)),
        ("frames", job.frames),
        ("engine", job.engine),
        ("owner", job.owner),
        ("submitted", _moment(job.submitted_at)),
        ("began", "" if job.started_at is None else _moment(job.started_at)),
        ("ended", "" if job.ended_at is None else _moment(job.ended_at)),
        ("why", job.error_text),
    ]
    print_table(Console(), [(name, value) for name, value in rows if value])
    return True


def _watch(options: argparse.Namespace, client: VoidClient) -> bool:
    """Show the events of a job to its end; True where it succeeded."""
    last = None
    with display_for(Console(), options.json) as display:
        for last in client.watch(options.job):
            display.show(last)
    if isinstance(last, Finished):
        display.summary([])
        return True
    if isinstance(last, Failed):
        print(last.text, file=sys.stderr)
    elif not options.json:
        print("The job was cancelled.", file=sys.stderr)
    return False


def _each(options: argparse.Namespace, client: VoidClient) -> bool:
    """Cancel or delete every job named; what fails for one is told and does not keep the others from it."""
    outcome: dict[str, str] = {}
    failed = 0
    for job_id in options.jobs:
        try:
            if options.command == "delete":
                client.delete(job_id)
                outcome[job_id] = "deleted"
            else:
                outcome[job_id] = _state(client.cancel(job_id))
        except VoidError as error:
            if error.code.startswith("server.") and error.code != "server.forbidden":
                raise
            failed += 1
            print(error.message, file=sys.stderr)
    if options.json:
        print(json.dumps(outcome, indent=2, sort_keys=True))
    else:
        for job_id, text in outcome.items():
            print(f"{job_id}: {text}")
    return not failed


def _state(job: JobInfo) -> str:
    """Where a job stands, in a few words; what takes a long time says how long."""
    if job.stopping:
        return "stopping"
    if job.state == "queued":
        when = f", starts in {span(job.eta_seconds)}" if job.eta_seconds > 0 else ""
        return f"queued, {job.position} before it{when}"
    if job.state == "running":
        left = f", {span(job.eta_seconds)} left" if job.eta_seconds > 0 else ""
        return f"running, {job.fraction:.0%}{left}"
    return job.state


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
