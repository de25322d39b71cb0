"""A picture for each frame of what would be removed, so that no client has to work out a quadmask itself.

The plate in its own space with the object in red, what it did to the scene in green, both at once in yellow and the
holdout in blue, each mixed over it by half. The channel `void.quadmask` holds the four values over 255.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import Cancelled
from void_plugin.events import Finished, FrameReady
from void_plugin.frames import describe
from void_server import results
from void_server.colour import Colour, plate_space
from void_server.engines import AFFECTED, OVERLAP, REMOVE
from void_server.exr import FIXED_DATE, NewPart, output_compression
from void_server.preflight import Preflight
from void_server.quadmask import Reach
from void_server.runner import Job
from void_server.view import HALF_MAX, PlateFrames

QUADMASK = "void.quadmask"
"""Channel of the labels."""
COLOURS = {REMOVE: (1.0, 0.0, 0.0), AFFECTED: (0.0, 1.0, 0.0), OVERLAP: (1.0, 1.0, 0.0)}
HOLDOUT_COLOUR = (0.0, 0.0, 1.0)
MIX = 0.5
"""Share of the colour; the rest is the plate."""


@dataclass(frozen=True)
class Shown:
    """A written frame: its number, path and SHA-256, and the share of its pixels by label."""

    frame: int
    path: str
    sha256: str
    shares: dict[int, float]


def run(job: Job, announced: bool = False) -> None:
    """Write a preview of every frame asked for to the first output; the last event says that the job is done."""
    job.start(announced)
    frames = list(job.frames)
    request = replace(job.request, shot_range=job.frames)  # what lies around is not looked at
    facts = Preflight(job.footage, request, job.workers, job.allowance).run()
    part, _ = job.footage.plate_part(frames[0])
    space, _ = plate_space(
        job.colour, request.colour, part.attribute("colorInteropID"), part.attribute("chromaticities")
    )
    view = PlateFrames(
        job.footage,
        frames,
        facts.canvas,
        Reach.for_width(facts.display.width),
        job.engine.fills(),
        Colour(job.colour, space),
    )

    def write(frame: int) -> Shown:
        if job.cancelled():
            raise Cancelled
        return _write(job, view, frame)

    shown: list[Shown] = []
    with ThreadPoolExecutor(job.workers) as pool:
        for found in pool.map(write, frames):
            shown.append(found)
            job.log.emit(FrameReady(frame=found.frame, path=found.path, digest=found.sha256, coverage=1.0))
            job.log.progress("compose", min(0.999, len(shown) / len(frames)))
    empty = [found.frame for found in shown if not found.shares[REMOVE] + found.shares[OVERLAP]]
    if empty:
        job.log.warn("matte_empty", None, f"The matte is empty on frames {describe(empty)}; nothing is removed there.")
    names = (("object", REMOVE), ("overlap", OVERLAP), ("affected", AFFECTED))
    summary = {name: round(sum(found.shares[label] for found in shown) / len(shown), 6) for name, label in names}
    job.log.emit(Finished(summary={"frames": len(shown), "engine": job.engine.name, **summary}))


def _write(job: Job, view: PlateFrames, frame: int) -> Shown:
    part, names = job.footage.plate_part(frame)
    data = part.data
    plate = job.footage.plate(frame, data)
    labels = view.labels(frame, data.moved(-view.canvas.x0, -view.canvas.y0))
    picture = plate.astype(np.float32)
    for label, colour in COLOURS.items():
        _mix(picture, labels == label, colour)
    if job.footage.has("holdout_matte"):
        _mix(picture, job.footage.matte("holdout_matte", frame).within(data) > 0, HOLDOUT_COLOUR)
    kind = "float" if any(part.kind(name) == "float" for name in names) else "half"
    pixels = np.concatenate([picture, labels[..., None].astype(np.float32) / 255], axis=-1)
    if kind == "half":
        with np.errstate(invalid="ignore"):
            pixels = np.clip(pixels, -HALF_MAX, HALF_MAX).astype(np.float16)
    attributes = tuple(item for item in part.attributes if item[0] not in ("compression", "DateTime"))
    new = NewPart(
        channels=tuple((name, kind) for name in ("R", "G", "B", QUADMASK)),
        data=data,
        display=part.display,
        compression=output_compression(part, job.request.settings.compression),
        attributes=(*attributes, ("DateTime", "string", FIXED_DATE)),
        pixels=np.ascontiguousarray(pixels),
    )
    path = job.request.output_sequence(job.request.outputs[0]).path(frame)
    job.files.write(path, [new])
    facts = results.file_facts(path, job.allowance.roots)
    shares = {label: float((labels == label).mean()) for label in COLOURS}
    return Shown(frame, path, facts["sha256"], shares)


def _mix(picture: NDArray[np.float32], where: NDArray[np.bool_], colour: tuple[float, float, float]) -> None:
    picture[where] = picture[where] * np.float32(1 - MIX) + np.array(colour, np.float32) * np.float32(MIX)
