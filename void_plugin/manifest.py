"""manifest.json: what a version folder holds once it is finished. Writing it is what makes it a version."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from void_plugin import __version__
from void_plugin.jobrecord import JobRecord, now, read_object
from void_plugin.localfiles import write_whole

SCHEMA = 1
"""Version of manifest.json that this package writes and the newest it reads."""
NAME = "manifest.json"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished version.

    Raises HostError where there is none, where it is damaged, and where only a newer plug-in can read it.
    """
    return read_object(folder, NAME, SCHEMA)


def is_finished(folder: Path) -> bool:
    """True where there is a manifest, readable or not."""
    return (folder / NAME).exists()


def commit(folder: Path, record: JobRecord, inputs_digest: str, seconds: float) -> dict[str, Any]:
    """Write the manifest of a job all of whose views have finished, and return it. Raises ServerError."""
    outcomes = record.views
    manifest = {
        "schema": SCHEMA,
        "plugin": __version__,
        "version": record.version,
        "kind": record.kind,
        "made": now(),
        "node": {key: value for key, value in record.node.items() if key != "settings"},
        "settings": record.node.get("settings", {}),
        "facts": dict(record.facts),
        "frames": record.frames,
        "engine": next((outcome["engine"] for outcome in outcomes.values()), ""),
        "views": {
            view: {key: outcome[key] for key in ("patch", "cleanplate", "overlay", "result")}
            for view, outcome in outcomes.items()
        },
        "summary": together(outcome["summary"] for outcome in outcomes.values()),
        "inputs": {"digest": inputs_digest},
        "seconds": round(seconds, 3),
        "warnings": [warning for outcome in outcomes.values() for warning in outcome["warnings"]],
    }
    write_whole(folder / NAME, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return manifest


def together(summaries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The summaries of all views as one: counts add up, shares are means, the lowest is the lowest of all.

    What is no number is that of the first view.
    """
    all_of = list(summaries)
    found: dict[str, Any] = dict(all_of[0]) if all_of else {}
    for key, value in found.items():
        values = [summary[key] for summary in all_of if type(summary.get(key)) in (int, float)]
        if len(values) < 2:
            continue
        if key.startswith("lowest_"):
            found[key] = min(values)
        else:
            found[key] = sum(values) if type(value) is int else sum(values) / len(values)
    return found
