"""What each task of a farm did, one small file a task, from which result.json is told what a single run would know.

The files lie in `tasks/<plan>/` of the job folder, so that those of an older plan are never taken for this one's.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from void_plugin.events import Started, Warned, from_line
from void_server.farmorder import Order
from void_server.jobfolder import JobFolder, read_json, write_json
from void_server.plan import Plan

RECORD_VERSION = 1


@dataclass(frozen=True)
class Told:
    """What all tasks of a job said together."""

    seconds: float
    """Of all solving and composing, one after the other."""
    warnings: tuple[Warned, ...]
    """Each once, those of the plan first."""


def record(folder: JobFolder, plan: Plan, order: Order, device: str, seconds: float, said: Sequence[Warned]) -> None:
    """Write down a task that has come to its end. Raises ServerError where that is not possible."""
    facts: dict[str, Any] = {
        "record_version": RECORD_VERSION,
        "step": order.step,
        "units": list(order.units),
        "frames": order.frames,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "device": device,
        "seconds": round(seconds, 3),
        "warnings": [{"code": item.code, "frame": item.frame, "text": item.text} for item in said],
    }
    write_json(_place(folder, plan) / f"{order.label}.json", facts)


def told(folder: JobFolder, plan: Plan, but: Order) -> Told:
    """What the plan and the other tasks of a job said. Raises RequestError where a record cannot be read."""
    warnings = _said_by_plan(folder)
    seconds = 0.0
    for path in sorted(_place(folder, plan).glob("[!.]*.json")):
        if path.stem == but.label:
            continue
        found = read_json(path)
        if found.get("record_version") != RECORD_VERSION:
            continue  # of another version of this program, on another worker
        seconds += found["seconds"]
        warnings += [Warned(code=item["code"], frame=item["frame"], text=item["text"]) for item in found["warnings"]]
    return Told(seconds, tuple(dict.fromkeys(warnings)))


def _said_by_plan(folder: JobFolder) -> list[Warned]:
    """Warnings since the job was last begun; the tasks of a farm write nothing there."""
    found: list[Warned] = []
    if not folder.events.exists():
        return found
    for line in folder.events.read_text(encoding="utf-8").splitlines():
        try:
            event = from_line(line)
        except ValueError:  # cut short by a kill
            continue
        if isinstance(event, Started):
            found.clear()
        elif isinstance(event, Warned):
            found.append(Warned(code=event.code, frame=event.frame, text=event.text))
    return found


def _place(folder: JobFolder, plan: Plan) -> Path:
    return folder.plan.with_name("tasks") / plan.key[:12]
