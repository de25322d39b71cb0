"""What tests of the farm build on: plans and bundles without a shot, and a farm's configuration in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from void_plugin.farm import Artefacts, Bundle, Options, open_farm
from void_plugin.farm.planning import Plan, Unit
from void_plugin.farm.site import PathMapping, Site
from void_plugin.farm.template import Made, Wanted, make_bundle
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings

KEY = "0123456789abcdef0123456789abcdef"
JOB = "/shows/xy/sh010/comp/.void/sh010-0123456789ab"


def request_of(**changes: Any) -> RemovalRequest:
    """A request on a show's storage; nothing of it exists."""
    values: dict[str, Any] = {
        "plate": ImageInput("/shows/xy/sh010/plate/sh010.%04d.exr"),
        "object_matte": ImageInput("/shows/xy/sh010/roto/object.%04d.exr"),
        "outputs": (Output("patch", "/shows/xy/sh010/comp/sh010.%04d.exr"),),
        "frames": FrameRange(1001, 1048),
        "shot": "sh010",
        "engine": "recover",
        "request_id": "f" * 32,
    }
    return RemovalRequest(**{**values, **changes})


def recover_units(frames: FrameRange, first: int = 0) -> list[Unit]:
    """As the engine recover cuts a shot: runs of four frames."""
    starts = range(frames.first, frames.last + 1, 4)
    return [
        Unit(first + index, f"{first + index:032x}", "recover", "cpu", min(4, frames.last - start + 1))
        for index, start in enumerate(starts)
    ]


def void_units(frames: FrameRange, first: int = 0, after: Sequence[Unit] = ()) -> list[Unit]:
    """As the engine void cuts a shot: segments of up to 197 frames that share 17, each going on from the one before."""
    found: list[Unit] = []
    start = frames.first
    while True:
        last = min(frames.last, start + (196 if not found else 179))
        index = first + len(found)
        needs = tuple(unit.index for unit in after) + ((index - 1,) if found else ())
        found.append(Unit(index, f"{index:032x}", "void", "cuda", last - start + 1, needs))
        if last == frames.last:
            return found
        start = last + 1


def plan_of(request: RemovalRequest, units: Sequence[Unit], real: bool = False) -> Plan:
    return Plan(
        folder=JOB,
        key=KEY,
        engine=request.engine,
        real_engine="recover" if real else "",
        frames=str(request.frames),
        shot_range=str(request.shot_range or request.frames),
        units=tuple(units),
    )


def fixed_bundles() -> dict[str, Made]:
    """The bundles that tests/golden/bundles holds, by the name of their folder."""
    inputs = {"/shows/xy/sh010/plate/sh010.1001.exr": 3_000_000, "/shows/xy/sh010/roto/object.1001.exr": 40_000}
    recover = request_of()
    long = FrameRange(1001, 1500)
    hybrid = request_of(engine="void", frames=long, prompt="an empty street")
    real = recover_units(long)
    generated = request_of(
        engine="void",
        settings=RenderSettings(source="generated", void_passes=2),
        affected_matte=ImageInput("<show>/sh010/roto/affected.%04d.exr"),
        clean_plate=ImageInput("<show>/sh010/clean/clean.1020.exr"),
        outputs=(
            Output("patch", "/shows/xy/sh010/comp/sh010.%04d.exr"),
            Output("comp", "<show>/sh010/comped/sh010.%04d.exr"),
        ),
        roots={"show": "/shows/xy"},
    )
    site = Site(
        command=("/opt/void/bin/python", "-m", "void_server"),
        memory="offload",
        path_mapping=(PathMapping("/shows", "/mnt/shows"),),
        conda_packages="void-server=0.1",
    )
    one = request_of(frames=FrameRange(1020, 1020), shot_range=FrameRange(1001, 1048), shot="sh{{010}}")
    where = f"{JOB}/farm/1"
    return {
        "recover": make_bundle(recover, plan_of(recover, recover_units(FrameRange(1001, 1048))), Site(), where),
        "hybrid": make_bundle(
            hybrid, plan_of(hybrid, [*real, *void_units(long, len(real), real)], real=True), Site(), where,
            inputs=inputs,
        ),
        "generated": make_bundle(
            generated, plan_of(generated, void_units(FrameRange(1001, 1048))), site, where, site.command,
            Wanted(vram_mib=80000, gpus=2),
        ),
        "packed": make_bundle(
            hybrid, plan_of(hybrid, [*real, *void_units(long, len(real), real)], real=True),
            replace(Site(), frames_per_task=100), where, wanted=Wanted(units_per_task=50), keeps_sessions=False,
        ),
        "one_frame": make_bundle(one, plan_of(one, recover_units(FrameRange(1017, 1020), 4)), Site(), where),
    }  # fmt: skip


QUEUE_SITES: Mapping[str, Mapping[str, Any]] = {
    "opencue": {
        "python": ["/opt/opencue/bin/python"],
        "cuebot": ["cuebot1", "cuebot2:8443"],
        "facility": "lax",
        "show": "xy",
        "tags": ["general"],
        "limits": ["void"],
        "gpus": [{"name": "gpu48", "vram_mib": 48000}, {"name": "gpu80", "vram_mib": 81000}],
    },
    "deadline-cloud": {
        "profile": "studio",
        "farm_id": "farm-" + "f" * 32,
        "queue_id": "queue-" + "9" * 32,
        "storage_profile_id": "sp-" + "5" * 32,
        "max_failed_tasks": 3,
    },
    "deadline10": {
        "pool": "comp",
        "secondary_pool": "all",
        "group": "linux",
        "limits": ["void"],
        "gpu_limits": ["gpu"],
        "department": "comp",
        "gpus": [{"name": "gpu48", "vram_mib": 48000}, {"name": "gpu80", "vram_mib": 81000}],
    },
}
"""A site's table for each of the queue managers whose translations tests/golden/queues holds."""


def queue_artefacts(farm: str, bundle: Bundle) -> Artefacts:
    """A bundle in the words of a farm at that site."""
    site = Site(path="site.toml", openjd=("/opt/void/bin/openjd",), sections={farm: QUEUE_SITES[farm]})
    artefacts = open_farm(farm, site, {}).translate(bundle, Options(priority=70, retries=2))
    ours = str(Path(__file__).parents[1])
    commands = tuple(tuple(word.replace(ours, "/opt/void") for word in command) for command in artefacts.commands)
    return Artefacts(artefacts.files, commands)
