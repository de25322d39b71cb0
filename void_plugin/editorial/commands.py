"""`void otio shots`, `submit`, `conform` and `check`: what an editor's assistant types."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from void_plugin.editorial import adapters, check
from void_plugin.editorial.collect import collect
from void_plugin.editorial.conform import Conform
from void_plugin.editorial.jobs import (
    FILE,
    Making,
    folder_of,
    jobs_of,
    load_version,
    newest_version,
    shot_row,
    stem_of,
    write_version,
)
from void_plugin.editorial.picks import Skipped, Wanted
from void_plugin.editorial.plates import FOLDER, take_plates
from void_plugin.editorial.results import deliver_all
from void_plugin.editorial.shots import Shot, Wishes, find_shots
from void_plugin.editorial.submit import CANCELLED, DONE, FAILED, run_jobs
from void_plugin.editorial.times import timecode
from void_plugin.editorial.walk import Cut
from void_plugin.errors import RequestError
from void_plugin.request import RemovalRequest

Run = Callable[[RemovalRequest], int]
"""Runs one request, shows it, and returns its exit code."""


def run(options: argparse.Namespace, run_one: Run) -> int:
    """Run one of the commands; returns its exit code. Raises VoidError where it cannot."""
    if options.otio == "shots":
        return _shots(options)
    if options.otio == "submit":
        return _submit(options, run_one)
    if options.otio == "conform":
        return _conform(options)
    return _check(options)


def _shots(options: argparse.Namespace) -> int:
    opened, cut, shots, skipped = _found(options)
    if options.json:
        rows = [shot_row(cut, shot, not options.non_drop) for shot in shots]
        gone = [{"name": one.name, "timecode": _when(cut, one, options), "reason": one.reason} for one in skipped]
        data = {"timeline": opened.path.name, "rate": cut.written_rate, "shots": rows, "skipped": gone}
        print(json.dumps({**data, "warnings": list(opened.warnings)}, indent=2, sort_keys=True, ensure_ascii=False))
    else:
        _print_shots(cut, shots, options)
        _print_remarks(cut, shots, skipped, options)
    return FAILED if any(shot.problems for shot in shots) else DONE


def _submit(options: argparse.Namespace, run_one: Run) -> int:
    if options.deliver and options.output != "comp":
        raise RequestError("A movie holds whole frames and no patch; leave --deliver out, or say --output comp.")
    opened, cut, shots, skipped = _found(options)
    version = folder_of(options.out, opened.path, options.version)
    take_plates(shots, version.parent / FOLDER, _say)
    _print_remarks(cut, shots, skipped, options)
    making = Making(options.output, options.engine, options.prompt, options.colour, options.priority)
    jobs = jobs_of(shots, version, options.version, making)
    if not jobs:
        raise RequestError("No shot can be sent; what stands in the way of each is said above.")
    kept = write_version(version, options.version, opened.path, cut, jobs)
    if kept:
        _say(f"{version.name} also holds {', '.join(kept)} from before; --version begins one without.")
    left_out = any(shot.problems for shot in shots)
    if options.dry_run:
        for job in jobs:
            print(Path(job.request.job_folder()) / "request.json")
        return FAILED if left_out else DONE
    code = run_jobs(jobs, run_one, _say)
    if options.deliver and code != CANCELLED and deliver_all(options.deliver, load_version(version), _say, _warn):
        code = code or FAILED
    return code or (FAILED if left_out else DONE)


def _conform(options: argparse.Namespace) -> int:
    opened = _opened(options)
    base = opened.path.parent / f"{stem_of(opened.path)}_VOID"
    folder = Path(options.jobs) if options.jobs else base
    version = load_version(folder if (folder / FILE).is_file() else newest_version(folder))
    out = Path(options.out or opened.path.parent / f"{stem_of(opened.path)}_VOID_v{version.number:03d}.otio")
    if out.suffix.lower() != ".otio":
        raise RequestError(f"The conformed timeline is written as OTIO; end {out} with .otio.")
    if out.exists() and (not options.overwrite or out.samefile(opened.path)):
        raise RequestError(f"{out} exists; name another with --out, or say --overwrite where it is no edit of yours.")
    cut = Cut(opened.timeline)
    if options.deliver:
        deliver_all(options.deliver, version, _say, _warn)
    found = collect(cut, opened.folder, version, options.deliver or "")
    for text in found.warnings:
        _warn(text)
    conform = Conform(opened.timeline, version.number, options.sequence_ref or "", options.placement)
    made = conform.run(found.results, found.failed)
    made.timeline.name = f"{opened.timeline.name or stem_of(opened.path)} VOID v{version.number:03d}"
    for text in (*made.warnings, *made.refused.values()):
        _warn(text)
    if out.resolve().parent != opened.path.resolve().parent and _relative(opened.timeline):
        _warn(f"media of the edit have relative paths, which {out.parent} changes; write it beside the edit.")
    adapters.write_otio(made.timeline, out)
    again = adapters.open_timeline(str(out))
    findings = check.check(again.timeline, opened.timeline, opened.folder)
    _print_findings(findings)
    laid = len(found.results) - len(made.refused)
    print(f"{out}: {laid} results on {', '.join(made.tracks) or 'no track'}")
    return FAILED if findings or found.failed or made.refused else DONE


def _check(options: argparse.Namespace) -> int:
    opened = _opened(options)
    edit = adapters.open_timeline(options.against, options.timeline or "", options.rate)
    findings = check.check(opened.timeline, edit.timeline, edit.folder)
    if options.json:
        print(json.dumps([{"where": one.where, "text": one.text} for one in findings], indent=2, ensure_ascii=False))
    elif findings:
        _print_findings(findings)
    else:
        print("Nothing differs but the results: tracks, ranges and files are as they must be.")
    return FAILED if findings else DONE


# -- what they share -----------------------------------------------------------------------------------------------


def _opened(options: argparse.Namespace) -> adapters.Opened:
    opened = adapters.open_timeline(options.file, options.timeline or "", options.rate)
    for text in opened.warnings:
        _warn(text)
    return opened


def _relative(timeline: Any) -> bool:
    """True where a clip names its media by a path that counts from the timeline's folder."""
    urls = []
    for clip in timeline.find_clips():
        reference = clip.media_reference
        urls.append(getattr(reference, "target_url", None) or getattr(reference, "target_url_base", None) or "/")
    return any("://" not in url and not re.match(r"[/\\]|[A-Za-z]:", url) for url in urls)


def _found(options: argparse.Namespace) -> tuple[adapters.Opened, Cut, list[Shot], list[Skipped]]:
    opened = _opened(options)
    cut = Cut(opened.timeline)
    colour = getattr(options, "colour", "")
    wishes = Wishes(options.handles, options.context, options.matte_root or "", options.plate_root or "", colour)
    shots, skipped = find_shots(cut, opened.folder, _wanted(options), wishes)
    if not shots and not skipped:
        raise RequestError(
            "No clip is picked: give a clip a marker that begins with VOID, put it on a track called VOID, or use "
            "--marker, --marker-colour, --clip, --track or --all."
        )
    return opened, cut, shots, skipped


def _wanted(options: argparse.Namespace) -> Wanted:
    given = Wanted(
        tuple(options.marker or ()),
        tuple(options.marker_colour or ()),
        tuple(options.clip or ()),
        tuple(options.track or ()),
        options.all,
    )
    return Wanted.usual() if given == Wanted() else given


def _when(cut: Cut, one: Skipped, options: argparse.Namespace) -> str:
    return timecode(int(cut.start + one.start), cut.rate, not options.non_drop and cut.drops)


def _print_shots(cut: Cut, shots: Sequence[Shot], options: argparse.Namespace) -> None:
    console = Console()
    columns = ["shot", "timecode", "track", "frames", "with handles", "speed", "state"]
    rows = [_row(shot_row(cut, shot, not options.non_drop)) for shot in shots]
    if not console.is_terminal:
        for row in rows:
            print("\t".join(row), file=console.file)
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def _row(row: dict[str, Any]) -> list[str]:
    speed = f"{row['speed']:.0%}" if "speed" in row else ""
    state = "cannot be sent" if row["problems"] else "look at the warnings" if row["warnings"] else "ready"
    return [row["name"], row["timecode"], row["track"], row.get("used", ""), row.get("delivered", ""), speed, state]


def _print_remarks(cut: Cut, shots: Sequence[Shot], skipped: Sequence[Skipped], options: argparse.Namespace) -> None:
    for shot in shots:
        for text in shot.problems:
            print(text if shot.name in text else f"{shot.name}: {text}", file=sys.stderr)
        for text in shot.warnings:
            _warn(f"{shot.name}: {text}")
    for one in skipped:
        _warn(f"{one.name} at {_when(cut, one, options)} is left out: {one.reason}")


def _print_findings(findings: Sequence[check.Finding]) -> None:
    for one in findings:
        print(one, file=sys.stderr)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
