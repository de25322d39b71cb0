"""What a job delivered: the manifest of each frame, and result.json made from them.

result.json is the one file that hosts, farm and panel read. It has a version of its own, keeps frames of earlier
runs of the same plan, and names files by root, not by absolute path.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

from void_plugin.events import Warned
from void_plugin.frames import Digest, FrameRange, describe
from void_plugin.request import Output, RemovalRequest
from void_server.beneath import Roots
from void_server.jobfolder import JobFolder, read_json, write_json
from void_server.plan import COMPOSE_SETTINGS, PIXELS_VERSION, Plan

RESULT_VERSION = 1
"""Layout of result.json."""
LOW_COVERAGE = 0.9
"""Below this share of real pixels a frame is named to the user (draft_engine.md 4)."""


def frame_key(plan: Plan, frame: int, output: Output, request: RemovalRequest) -> str:
    """Names everything that decides one output frame; equal keys mean equal files."""
    parts = [
        plan.key,
        *(unit.key for unit in plan.units if frame in unit.frames),
        output.kind,
        # By root: a folder has other paths on other machines.
        request.rooted().outputs[request.outputs.index(output)].pattern,
        *(getattr(request.settings, name) for name in COMPOSE_SETTINGS),
    ]
    return Digest.of_text(json.dumps(parts)).sha256[:32]


def kept(manifest: Path, key: str, path: str, roots: Roots | None = None) -> dict[str, Any] | None:
    """The manifest of a frame that is already there exactly as it would be written, else None."""
    if not manifest.exists():
        return None
    try:
        with opened(path, roots) as stream:
            state = os.fstat(stream.fileno())
    except OSError:  # not there, or nothing that could be kept: writing it says what is wrong
        return None
    entry: dict[str, Any] = read_json(manifest)
    same = entry["key"] == key and entry["size"] == state.st_size and entry["modified"] == state.st_mtime_ns
    return entry if same else None


def file_facts(path: str, roots: Roots | None = None) -> dict[str, Any]:
    """Size, modification time and SHA-256 of a written frame, all of one and the same file."""
    with opened(path, roots) as stream:
        state = os.fstat(stream.fileno())
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"size": state.st_size, "modified": state.st_mtime_ns, "sha256": digest}


def opened(path: str, roots: Roots | None) -> BufferedReader:
    """A file to read, below the roots where there are any."""
    return open(path if roots is None else roots.open_file(path), "rb")


class Delivered(NamedTuple):
    """What is there of a plan."""

    listed: dict[str, dict[str, Any]]
    """What result.json says of each frame, by its number and the kind of output."""
    summary: dict[str, Any]
    """Of the frames asked for."""


def delivered(folder: JobFolder, request: RemovalRequest, plan: Plan, frames: FrameRange) -> Delivered:
    """Look what is there of all frames of a plan, and sum up those asked for."""
    listed: dict[str, dict[str, Any]] = {}
    for output in request.outputs:
        for frame in plan.range:
            manifest = folder.frame_manifest(output.kind, frame)
            if not manifest.exists():
                continue
            entry = read_json(manifest)
            if entry["key"] == frame_key(plan, frame, output, request):
                listed.setdefault(str(frame), {})[output.kind] = {
                    name: entry[name]
                    for name in ("sha256", "size", "untouched", "recovered", "generated", "broken_pixels", "facts")
                }
    asked = [entry for frame, entry in listed.items() if int(frame) in frames]
    return Delivered(listed, _summary(asked, frames, listed))


def write(
    folder: JobFolder,
    request: RemovalRequest,
    plan: Plan,
    frames: FrameRange,
    there: Delivered,
    reason: str,
    timings: Mapping[str, float],
    warnings: Sequence[Warned],
) -> None:
    """Write result.json, and add to the summary what is known of the job."""
    summary = there.summary
    summary["seconds"] = round(timings.get("total", 0.0), 3)
    summary["engine"], summary["reason"] = plan.engine, reason
    write_json(
        folder.result,
        {
            "result_version": RESULT_VERSION,
            "pixels_version": PIXELS_VERSION,
            "request_id": request.request_id,
            "shot": request.shot,
            "engine": plan.engine,
            "engine_digest": plan.engine_digest,
            "reason": reason,
            "settings": asdict(request.settings),
            "prompt": request.prompt,
            "plan_key": plan.key,
            "colour": {"space": plan.space, "from": plan.space_source, "encoding": plan.encoding, "peak": plan.peak},
            "outputs": [asdict(output) for output in request.rooted().outputs],
            "frames_asked": str(frames),
            "frames": there.listed,
            "summary": summary,
            "timings": {name: round(seconds, 3) for name, seconds in timings.items()},
            "warnings": [{"code": item.code, "frame": item.frame, "text": item.text} for item in warnings],
        },
    )


def _summary(
    entries: Sequence[Mapping[str, Any]], frames: FrameRange, listed: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    firsts = [next(iter(entry.values())) for entry in entries]
    count = max(1, len(firsts))
    coverages = {
        frame: next(iter(entry.values()))["facts"]["coverage"]
        for frame, entry in listed.items()
        if int(frame) in frames and "coverage" in next(iter(entry.values()))["facts"]
    }
    noise = [entry["facts"]["noise_ratio"] for entry in firsts if "noise_ratio" in entry["facts"]]
    summary: dict[str, Any] = {
        "frames": len(firsts),
        "untouched": round(sum(entry["untouched"] for entry in firsts) / count, 6),
        "recovered": round(sum(entry["recovered"] for entry in firsts) / count, 6),
        "generated": round(sum(entry["generated"] for entry in firsts) / count, 6),
        "broken_pixels": sum(entry["broken_pixels"] for entry in firsts),
        "coverage": round(sum(coverages.values()) / len(coverages), 4) if coverages else 1.0,
        "lowest_coverage": round(min(coverages.values()), 4) if coverages else 1.0,
        "low_coverage": describe(int(frame) for frame, share in coverages.items() if share < LOW_COVERAGE),
    }
    summary["shares"] = _shares(summary["recovered"], summary["generated"])
    if noise:
        summary["noise_ratio"] = round(sum(noise) / len(noise), 3)
    return summary


def _shares(recovered: float, generated: float) -> str:
    """What the new pixels are, in words: `81 % recovered, 19 % generated`."""
    total = recovered + generated
    if not total:
        return "nothing changed"
    # Never 100 % of one where there is some of the other.
    percent = 100 * recovered / total
    whole = round(percent) if percent in (0, 100) else min(99, max(1, round(percent)))
    parts = [f"{share} % {name}" for name, share in (("recovered", whole), ("generated", 100 - whole)) if share]
    return ", ".join(parts)
