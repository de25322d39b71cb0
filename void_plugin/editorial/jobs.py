"""The removals behind the shots of a timeline: one request a plate and wish, kept with what it was made for."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from void_plugin.editorial.reworked import reworked
from void_plugin.editorial.shots import Shot, position
from void_plugin.editorial.times import frames_of
from void_plugin.editorial.walk import Cut, Place, base_path
from void_plugin.errors import RequestError
from void_plugin.frames import FrameRange
from void_plugin.localfiles import write_whole
from void_plugin.request import ImageInput, Output, RemovalRequest

SCHEMA = 1
"""Version of shots.json that this package writes and the newest it reads."""
FILE = "shots.json"
"""Name of the file that says which shots a version holds."""


@dataclass(frozen=True)
class Job:
    """One removal and the shots that show its result."""

    name: str
    request: RemovalRequest
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class Version:
    """A version as it was submitted: where it lies and what it holds."""

    folder: Path
    number: int
    data: Mapping[str, Any]

    def job(self, name: str) -> Mapping[str, Any]:
        """One of its removals. Raises RequestError where shots.json does not hold it."""
        for job in self.data["jobs"]:
            if job["name"] == name:
                found: Mapping[str, Any] = job
                return found
        raise RequestError(f"{self.folder / FILE} has no job {name!r}; submit the timeline again.")

    def request(self, name: str) -> RemovalRequest:
        """The request of one of its removals, as it was last made: with `submit`, or by hand in the panel."""
        request = RemovalRequest.load(os.path.join(self.folder, self.job(name)["request"]))
        return reworked(request) or request

    def outputs(self, name: str) -> tuple[str, FrameRange]:
        """Where the result of a removal lies, and which frames were asked for."""
        job = self.job(name)
        made = reworked(RemovalRequest.load(os.path.join(self.folder, job["request"])))
        if made is not None and made.frames is not None:
            return made.output_sequence(made.outputs[0]).pattern, made.frames
        return os.path.join(os.path.abspath(self.folder), job["pattern"]), FrameRange.parse(job["frames"])


@dataclass(frozen=True)
class Making:
    """How all results of a version are made."""

    output: str = "comp"
    engine: str = "auto"
    prompt: str = ""
    colour: str = ""
    priority: int = 50


def folder_of(out: str | None, timeline: Path, number: int) -> Path:
    """The folder of a version: below `out`, else beside the timeline."""
    base = Path(os.path.abspath(out)) if out else Path(os.path.abspath(timeline)).parent / f"{stem_of(timeline)}_VOID"
    return base / f"v{number:03d}"


def stem_of(timeline: Path) -> str:
    """The name of a timeline without its ending and without that of a conformed version."""
    stem, mark, version = timeline.stem.rpartition("_VOID_v")
    return stem if mark and version.isdecimal() else timeline.stem


def jobs_of(shots: Sequence[Shot], folder: Path, number: int, making: Making) -> list[Job]:
    """The removals for shots without problems. Shots that share half of their frames share one."""
    groups: list[list[Shot]] = []
    for shot in shots:
        if shot.problems or shot.range is None:
            continue
        for group in groups:
            if _shared(group, shot, making):
                group.append(shot)
                break
        else:
            groups.append([shot])
    return [Job(group[0].name, _request(group, folder, number, making), tuple(group)) for group in groups]


def write_version(version: Path, number: int, timeline: Path, cut: Cut, jobs: Sequence[Job]) -> list[str]:
    """Write the job folders of all requests, and what they are for; returns the names of shots kept from before.

    What was written under this number for other clips of the timeline stays in it. Raises RequestError over results of
    other settings.
    """
    rows: list[dict[str, Any]] = []
    for job in jobs:
        request_file = Path(job.request.job_folder()) / "request.json"
        _refuse_other(version, job, request_file)
        write_whole(request_file, job.request.to_json())
        frames = job.request.frames
        pattern = job.request.output_sequence(job.request.outputs[0]).pattern
        rows.append(
            {
                "name": job.name,
                "request": _below(request_file, version),
                "pattern": _below(Path(pattern), version),
                "frames": str(frames),
                "shots": [shot_row(cut, shot) for shot in job.shots],
            }
        )
    kept = _keep_earlier(rows, version, timeline)
    data = {
        "schema": SCHEMA,
        "version": number,
        "timeline": timeline.name,
        "rate": cut.written_rate,
        "jobs": rows,
    }
    write_whole(version / FILE, json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    return kept


def shot_row(cut: Cut, shot: Shot, drop: bool = True) -> dict[str, Any]:
    """What is to be known of a shot, as plain values; `drop` as in `timecode`."""
    media, found = shot.media, shot.range
    first, end = shot.place.visible
    row: dict[str, Any] = {
        "name": shot.name,
        "clip": shot.place.name,
        "path": list(base_path(cut.timeline, shot.place.path)),
        "track": str(shot.place.lane.track.name or ""),
        "timecode": position(cut, shot.place, drop),
        "record": [float(first), float(end - first)],
        "source": source_of(shot.place, cut.rate),
        "reasons": list(shot.pick.reasons),
        "problems": list(shot.problems),
        "warnings": list(shot.warnings),
        "mattes": {field: matte.name for field, matte in shot.mattes.items()},
    }
    if media is not None:
        row["media"] = {
            "kind": media.kind,
            "pattern": media.pattern,
            "first": media.first,
            "count": media.count,
            "start": float(media.start),
            "rate": media.written_rate,
        }
        if shot.movie is not None:
            row["media"].update(movie=shot.movie.path, matrix=shot.movie.matrix, drop=shot.movie.drop)
    if found is not None:
        row["used"], row["delivered"], row["looked_at"] = str(found.used), str(found.delivered), str(found.looked_at)
        row["speed"], row["short"], row["beyond"] = float(found.speed), list(found.short), found.beyond
    return row


def source_of(place: Place, rate: Fraction) -> list[float]:
    """What a clip shows, as it counts itself: start and length in frames of a rate. It moves along with the clip."""
    trimmed = place.item.trimmed_range()
    return [float(frames_of(trimmed.start_time, rate)), float(frames_of(trimmed.duration, rate))]


def load_version(folder: Path) -> Version:
    """Read a version that was submitted. Raises RequestError where there is none, or a newer program's."""
    path = folder / FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"{folder} holds no {FILE}; run void otio submit first, or name its folder.") from error
    except ValueError as error:
        raise RequestError(f"{path} is not valid JSON ({error}); submit the timeline again.") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise RequestError(
            f"{path} is not of the kind that this version reads; update void_plugin, or submit again.", "request.schema"
        )
    return Version(folder, int(data["version"]), data)


def newest_version(base: Path) -> Path:
    """The folder of the newest version below a folder. Raises RequestError where there is none."""
    found = [path.parent for path in base.glob(f"v[0-9]*/{FILE}") if path.parent.name[1:].isdecimal()]
    if not found:
        raise RequestError(f"{base} holds no submitted version; run void otio submit first, or name one with --jobs.")
    return max(found, key=lambda folder: int(folder.name[1:]))


def _shared(group: Sequence[Shot], shot: Shot, making: Making) -> bool:
    """True where a shot shows so much of what a group shows that one removal serves both."""
    first = group[0]
    if _wish(first, making) != _wish(shot, making):
        return False
    assert shot.range is not None
    whole, mine = _united(group, "delivered"), shot.range.delivered
    both = min(whole.last, mine.last) - max(whole.first, mine.first) + 1
    return both * 2 >= min(len(whole), len(mine))


def _wish(shot: Shot, making: Making) -> tuple[Any, ...]:
    assert shot.media is not None
    note = shot.pick.note
    mattes = tuple(sorted((field, matte.name, matte.shift) for field, matte in shot.mattes.items()))
    return shot.media.pattern, shot.media.first, mattes, note.prompt, note.engine, note.colour


def _united(group: Sequence[Shot], which: str) -> FrameRange:
    ranges = [getattr(shot.range, which) for shot in group]
    return FrameRange(min(one.first for one in ranges), max(one.last for one in ranges))


def _request(group: Sequence[Shot], folder: Path, number: int, making: Making) -> RemovalRequest:
    shot = group[0]
    assert shot.media is not None
    note = shot.pick.note
    digits = max(4, len(str(_united(group, "delivered").last)))
    pattern = os.path.abspath(folder / shot.name / f"{shot.name}_v{number:03d}.%0{digits}d.exr")
    request = RemovalRequest(
        plate=ImageInput(shot.media.pattern),
        outputs=(Output(making.output, pattern.replace("\\", "/")),),
        shot=shot.name,
        frames=_united(group, "delivered"),
        shot_range=_united(group, "looked_at"),
        handles=max(_handles(one) for one in group),
        colour=note.colour or making.colour or shot.declared,
        prompt=note.prompt or making.prompt,
        engine=note.engine or making.engine,
        priority=making.priority,
        **{name: ImageInput(matte.pattern) for name, matte in shot.mattes.items()},  # type: ignore[arg-type]
    )
    request.check()
    return request


def _handles(shot: Shot) -> int:
    """How many of the delivered frames lie beyond the cut, at the longer end."""
    assert shot.range is not None
    used, delivered = shot.range.used, shot.range.delivered
    return max(used.first - delivered.first, delivered.last - used.last)


def _refuse_other(version: Path, job: Job, request_file: Path) -> None:
    """Keep results of other settings from being overwritten under the same number."""
    folder = version / job.name / ".void"
    others = [path for path in folder.glob("*/result.json") if path.parent != request_file.parent]
    if others:
        raise RequestError(
            f"{version / job.name} holds results of other settings; give this one a number of its own, with --version."
        )


def _keep_earlier(rows: list[dict[str, Any]], version: Path, timeline: Path) -> list[str]:
    """Add to the removals of a version those that it had for other clips; returns the names of their shots.

    Clips that are sent one after the other under one number would else lose the results of all but the last.
    """
    if not (version / FILE).is_file():
        return []
    earlier = load_version(version).data
    if earlier["timeline"] != timeline.name:
        return []
    new = [shot for row in rows for shot in row["shots"]]
    here, names = {tuple(shot["path"]) for shot in new}, {shot["name"] for shot in new}
    by_name = {row["name"]: row for row in rows}
    kept: list[str] = []
    for job in earlier["jobs"]:
        shots = [shot for shot in job["shots"] if tuple(shot["path"]) not in here]
        mine = by_name.get(job["name"])
        if not shots or (mine is not None and mine["request"] != job["request"]):
            continue  # the same name for something else: it has no results, or it would have been refused
        kept += [str(shot["name"]) for shot in shots if shot["name"] not in names]
        if mine is None:
            rows.append({**job, "shots": shots})
        else:
            mine["shots"] += shots
    return kept


def _below(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
