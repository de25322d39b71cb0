"""What became of each clip, and the placing of results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from void_plugin.errors import VoidError
from void_plugin.live.hostside import HostSide
from void_plugin.live.plans import Plan
from void_plugin.live.records import Placing
from void_plugin.manifest import read_manifest

BAD = ("refused", "failed", "cancelled")
"""States of a row that are no success; the others are planned, left out, sent, running, ready and placed."""

MOST = 3
"""Sentences about single frames that the note of a marker holds."""


@dataclass
class Row:
    """One clip."""

    name: str
    state: str = "planned"
    text: str = ""
    folder: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What was planned for it; empty where nothing was."""
    warnings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they go to the host."""
        about = {"name": self.name, "state": self.state, "text": self.text, "folder": self.folder}
        return {**self.facts, **about, "warnings": list(self.warnings)}


class Rows:
    """The rows of an action, in the order in which the clips were picked."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}

    def add(self, plan: Plan) -> None:
        """A clip for which something is planned."""
        row = plan.row()
        # The list of the plan itself: what is found later is to be shown too.
        self._rows[plan.shot.name] = Row(plan.shot.name, facts=row, warnings=plan.warnings)
        if plan.problems:
            self.end(plan.shot.name, "refused", " ".join(plan.problems))

    def end(self, name: str, state: str, text: str, folder: Path | None = None) -> None:
        """Say what became of a clip, so far or in the end."""
        row = self._rows.setdefault(name, Row(name))
        row.state, row.text = state, text
        row.folder = folder.as_posix() if folder is not None else row.folder

    def warn(self, name: str, text: str) -> None:
        """Something worth knowing of a clip."""
        row = self._rows.setdefault(name, Row(name))
        if text not in row.warnings:
            row.warnings.append(text)

    def result(self, text: str = "") -> dict[str, Any]:
        """The result of the action: `ok`, a `text` and the `rows`."""
        rows = list(self._rows.values())
        counts: dict[str, int] = {}
        for row in rows:
            counts[row.state] = counts.get(row.state, 0) + 1
        told = ", ".join(f"{count} {state}" for state, count in counts.items())
        good = not any(row.state in BAD for row in rows)
        return {"ok": good, "text": text or (f"{told}." if told else ""), "rows": [row.to_dict() for row in rows]}


def lines_of(result: Mapping[str, Any]) -> list[str]:
    """The result of an action as lines for people."""
    lines = []
    for row in result.get("rows") or ():
        facts = [f"{key} {row[key]}" for key in ("frames", "plate", "matte", "colour") if row.get(key)]
        said = row.get("text") or "; ".join(facts)
        lines.append(f"{row.get('name')}: {row.get('state')}. {said}".rstrip())
        lines += [f"  {text}" for text in row.get("warnings") or ()]
    return [*lines, *(result.get("warnings") or ()), *([result["text"]] if result.get("text") else [])]


def place(host: HostSide, folder: Path, placing: Placing) -> tuple[str, str]:
    """Lay a finished version over its clip and mark it; returns the state and a sentence. Never raises VoidError.

    Its marker says that it is partial where there is something to look at in the frames themselves.
    """
    try:
        made = _of_frames(read_manifest(folder).get("warnings") or ())
        done = host.place(placing.args(folder))
    except VoidError as error:
        return "failed", _marked(host, folder, placing, "failed", error.message)
    flaws = [*placing.flaws, *made]
    warnings = [*flaws, *(str(text) for text in done.get("warnings") or ())]
    how = "as a take of" if done.get("as") == "take" else "on"
    text = f"v{placing.version:03d} is {how} track {done.get('track')}."
    state = "done" if done.get("complete", True) and not flaws else "partial"
    return "placed", _marked(host, folder, placing, state, " ".join([text, *warnings]))


def _of_frames(warnings: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a job has said of single frames, as a few sentences; what it has said of all is told while it runs."""
    texts = [str(warning["text"]) for warning in warnings if warning.get("frame") is not None]
    more = [f"The same or alike for {len(texts) - MOST} more."] if len(texts) > MOST else []
    return texts[:MOST] + more


def _marked(host: HostSide, folder: Path, placing: Placing, state: str, note: str) -> str:
    try:
        host.mark(placing.shot, placing.job, folder.as_posix(), state, note)
    except VoidError as error:
        return f"{note} Its marker could not be set: {error.message}"
    return note
