"""One clip on its way to a version folder: reserved, its plate and matte put there, and the request for it."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from void_plugin.desk import Desk
from void_plugin.errors import HostError
from void_plugin.hostcall import HostCall
from void_plugin.inputfiles import FOLDER
from void_plugin.live.choices import Choices
from void_plugin.live.exports import Export, Exports
from void_plugin.live.films import decoded
from void_plugin.live.mattes import digits, renumbered
from void_plugin.live.plans import Plan
from void_plugin.live.records import Placing, tags_of
from void_plugin.live.routes import RENDER, short_of
from void_plugin.live.timelinefacts import Context
from void_plugin.preparation import prepare
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings

BYTES_A_PIXEL = 8
"""Of a rendered plate and matte, in half floats that compress a little."""


@dataclass
class Sending:
    """One clip that can be sent."""

    plan: Plan
    folder: Path
    placing: Placing
    begun: bool = False
    """True where its job was started before, and only has to go on."""

    @property
    def name(self) -> str:
        """Name of the clip."""
        return self.plan.shot.name


def reserved(desk: Desk, call: HostCall, plan: Plan, context: Context, choices: Choices) -> Sending | None:
    """Check server and disk for a clip and reserve its next version; None, with its problems, where that cannot be."""
    assert plan.plate is not None and plan.output is not None
    shot, plate = plan.shot, plan.plate
    height, width = shot.source.size or context.size
    frames = len(plate.looked_at) if plate.movie else shot.length * (plate.route == RENDER)
    frames += shot.length * plan.mattes.rendered
    args = {
        "output": plan.output.as_posix(),
        "name": shot.name,
        "uuid": shot.id,
        "script": f"{context.project.get('name', '')}/{context.timeline['name']}",
        "frames": str(plate.delivered),
        "bytes": frames * height * width * BYTES_A_PIXEL,
        "engine": plan.note.engine or choices.engine,
        "server": choices.server,
    }
    part = HostCall("prepare", args, call.tell, call.ask)
    with call.running(part):
        answer = prepare(desk, part)
    for problem in answer["problems"]:
        (plan.problems if problem["level"] == "error" else plan.warnings).append(problem["text"])
    if not answer["folder"]:
        return None
    folder, version = Path(answer["folder"]), int(answer["version"])
    pattern = f"comp/{shot.name}_VOID_v{version:03d}.%0{digits(plate.delivered)}d.exr"
    placing = Placing(
        job=uuid.uuid4().hex[:16],
        project=str(context.project.get("id", "")),
        timeline=str(context.timeline.get("id", "")),
        shot=shot.id,
        name=shot.name,
        record=shot.record,
        left=shot.left if plate.steady else None,
        route=plate.route,
        used=str(plate.used),
        delivered=str(plate.delivered),
        version=version,
        pattern=pattern,
        tags=tags_of(shot, plate, context),
        copies=plate.route != RENDER,
        flaws=tuple(filter(None, [short_of(plate, plan.note.handles or 0)])),
    )
    return Sending(plan, folder, placing)


def export(sending: Sending, exports: Exports, context: Context, choices: Choices, check: Callable[[], None]) -> None:
    """Let the editor render, or decode, what is not on disk; what is there from before is kept.

    Raises VoidError or Cancelled.
    """
    plan, placing = sending.plan, sending.placing
    assert plan.plate is not None
    shot, inputs = plan.shot, sending.folder / FOLDER
    if plan.plate.route == RENDER and not placing.has_export("plate"):
        made = exports.run(Export(shot, "plate", shot.track, shot.frames, inputs, None, choices.preset))
        sending.placing = sending.placing.with_export("plate", made.files.pattern, made.baked)
    if plan.plate.movie is not None:  # what was decoded before is not decoded again
        pattern = decoded(plan.plate.movie, plan.plate.looked_at, inputs / "movie", check)
        sending.placing = sending.placing.with_export("plate", pattern, False)
    if plan.mattes.rendered and not sending.placing.has_export("matte"):
        numbers, track, saver = plan.plate.used, plan.mattes.track or shot.track, plan.mattes.saver
        # A Saver knows nothing of the timeline, so that its size has to be looked at.
        size = context.size if saver else None if plan.plate.route == RENDER else shot.source.size
        made = exports.run(Export(shot, "matte", track, shot.frames, inputs, size, "", numbers, saver))
        files = made.files
        sending.placing = sending.placing.with_export("matte", files.pattern, made.baked, files.warnings)


def start_args(sending: Sending, context: Context, choices: Choices, check: Callable[[], None]) -> dict[str, Any]:
    """The arguments of the sidecar's `start`. Mattes that are numbered otherwise are linked. Raises VoidError."""
    plan, placing = sending.plan, sending.placing
    assert plan.plate is not None
    mattes = renumbered(plan.mattes, plan.plate.looked_at, sending.folder / FOLDER, check)
    if plan.mattes.rendered:
        mattes["object_matte"] = str(placing.exported["matte"]["pattern"])
    plate = plan.plate.pattern or str(placing.exported["plate"]["pattern"])
    request = RemovalRequest(
        plate=ImageInput(plate),
        outputs=(Output("comp", (sending.folder / placing.pattern).as_posix()),),
        shot=sending.name,
        frames=plan.plate.delivered,
        shot_range=plan.plate.looked_at,
        handles=plan.handles,
        colour=plan.colour,
        prompt=plan.note.prompt,
        engine=plan.note.engine or choices.engine,
        priority=choices.priority,
        settings=_settings(choices.settings),
        **{name: ImageInput(pattern) for name, pattern in mattes.items()},  # type: ignore[arg-type]
    )
    request.check()
    node = {"uuid": plan.shot.id, "name": plan.shot.name, "script": str(context.project.get("name", ""))}
    return {
        "folder": sending.folder.as_posix(),
        "kind": "remove",
        "requests": {"main": request.to_dict()},
        "node": {**node, "settings": dict(choices.settings)},
        "facts": placing.facts(context),
        "server": choices.server,
    }


def _settings(given: Mapping[str, Any]) -> RenderSettings:
    try:
        return replace(RenderSettings(), **given)
    except TypeError as error:
        raise HostError(f"The settings {', '.join(given)} are not all known here.", "host.call") from error
