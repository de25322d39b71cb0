"""What a plan tells whoever spreads its units over a farm, as one line beside the events.

A client takes from it which units there are, what each waits for and what it needs; it never reads plan.json itself.
"""

from __future__ import annotations

import json
from typing import Any

from void_plugin import __version__
from void_plugin.frames import FrameRange, describe
from void_server.engines import Engines
from void_server.jobfolder import JobFolder
from void_server.plan import PIXELS_VERSION, PLAN_VERSION, Plan
from void_server.solve import is_solved

FACTS_VERSION = 1
"""Layout of the line."""


def planned_line(folder: JobFolder, plan: Plan, frames: FrameRange, engines: Engines) -> str:
    """The units that some frames need, in the order in which they can be solved.

    Its kind is one that a reader of events passes over.
    """
    index = {unit.key: unit.index for unit in plan.units}
    devices = {engine.name: engine.limits().devices[0] for engine in engines}
    units: list[dict[str, Any]] = [
        {
            "index": unit.index,
            "key": unit.key,
            "engine": unit.engine,
            "device": devices[unit.engine],
            "frames": describe(unit.frames),
            "count": len(unit.frames),
            "needs": sorted(index[key] for key in plan.needs(unit)),
            "solved": is_solved(folder, unit),
        }
        for unit in plan.units_for(frames)
    ]
    facts = {
        "schema": 1,
        "kind": "Planned",
        "facts_version": FACTS_VERSION,
        "version": __version__,
        "plan_version": PLAN_VERSION,
        "pixels_version": PIXELS_VERSION,
        "folder": str(folder.path),
        "key": plan.key,
        "engine": plan.engine,
        "real_engine": plan.real_engine,
        "frames": str(frames),
        "shot_range": plan.shot_range,
        "units": units,
    }
    return json.dumps(facts, sort_keys=True)
