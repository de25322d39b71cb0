"""A picture for each frame of what would be removed, so that no client has to work out a quadmask itself.

The plate with what the engine is told over it, mixed by half: red what is removed (0), green what is affected (127),
yellow what is both (63), blue the holdout; what has no tint is kept (255). An engine with a raster is told of whole
cells and soft edges otherwise than the mattes look, so its labels are those of its raster, each raster pixel a block of
the plate, and a white line shows the ROI, which is all of the plate that it sees.

An EXR has the plate's own space, type and windows, and a channel `void.quadmask` with the four values over 255. A PNG
is for looking at only: 8 bits with the sRGB curve, clipped at white, the display window and what hangs over it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import Cancelled, RequestError
from void_plugin.events import Finished, FrameReady
from void_plugin.frames import describe
from void_plugin.request import RemovalRequest
from void_server import affected, results
from void_server.colour import Colour, plate_space
from void_server.engines import AFFECTED, KEEP, OVERLAP, REMOVE, Picture
from void_server.exr import FIXED_DATE, NewPart, Part, output_compression
from void_server.finite import HALF_MAX, sanitised
from void_server.overlay import TINTS, enlarged, outline, tint
from void_server.preflight import PlateFacts, Preflight
from void_server.raster import labels_on_raster
from void_server.runner import Job
from void_server.survey import Survey, large_frames, large_sentence, refuse_large, survey
from void_server.tiles import Box

QUADMASK = "void.quadmask"
"""Channel of the labels."""


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
    request = _looked_at(job)
    facts = Preflight(job.footage, request, job.workers, job.allowance).run()
    part, _ = job.footage.plate_part(frames[0])
    space, _ = plate_space(
        job.colour, request.colour, part.attribute("colorInteropID"), part.attribute("chromaticities")
    )
    seen = survey(
        job.footage,
        job.engine,
        facts,
        request.shot_range or job.frames,
        Colour(job.colour, space),
        job.workers,
        lambda done, text: job.log.progress("plan", done, text),
        job.cancelled,
    )
    painter = _Painter(job, seen, facts, Colour(job.colour, space, "srgb"))

    def write(frame: int) -> Shown:
        if job.cancelled():
            raise Cancelled
        return painter.write(frame)

    shown: list[Shown] = []
    with ThreadPoolExecutor(job.workers) as pool:
        for found in pool.map(write, frames):
            shown.append(found)
            job.log.emit(FrameReady(frame=found.frame, path=found.path, digest=found.sha256, coverage=1.0))
            job.log.progress("compose", min(0.999, 0.2 + 0.8 * len(shown) / len(frames)))
    _warn(job, seen, shown)
    names = (("object", REMOVE), ("overlap", OVERLAP), ("affected", AFFECTED))
    summary = {name: round(sum(found.shares[label] for found in shown) / len(shown), 6) for name, label in names}
    facts_of_all = {"frames": len(shown), "engine": job.engine.name, **summary, **_roi(job, seen, facts)}
    job.log.emit(Finished(summary=facts_of_all))


def _roi(job: Job, seen: Survey, facts: PlateFacts) -> dict[str, list[int]]:
    """The box of the display window that an engine with a raster sees, for clients that draw its grid."""
    if job.engine.limits().raster is None:
        return {}
    box = seen.roi.moved(facts.canvas.x0 - facts.display.x0, facts.canvas.y0 - facts.display.y0)
    return {"roi": [box.x0, box.y0, box.x1, box.y1]}


def _looked_at(job: Job) -> RemovalRequest:
    """The request with the shot range that decides what is shown: the frames alone, where they say it all."""
    if job.engine.limits().raster is not None or affected.Preset.of(job.request).is_dynamic:
        return job.request
    return replace(job.request, shot_range=job.frames)


def _warn(job: Job, seen: Survey, shown: list[Shown]) -> None:
    empty = [found.frame for found in shown if not found.shares[REMOVE] + found.shares[OVERLAP]]
    if empty:
        job.log.warn("matte_empty", None, f"The matte is empty on frames {describe(empty)}; nothing is removed there.")
    ignored = affected.ignored(job.request)
    if ignored:
        job.log.warn("affected_preset_ignored", None, ignored)
    large = large_frames(seen.affected)
    try:
        refuse_large(job.request, seen.affected)
    except RequestError as error:  # the very thing to look at in a preview
        job.log.warn("affected_large", None, error.message)
    else:
        if large:
            job.log.warn("affected_large", None, large_sentence(large, max(seen.affected.values())))


class _Painter:
    """Writes the pictures of one job; safe to use from many threads."""

    def __init__(self, job: Job, seen: Survey, facts: PlateFacts, display: Colour) -> None:
        self._job, self._seen, self._facts, self._display = job, seen, facts, display
        self._sequence = job.request.output_sequence(job.request.outputs[0])
        self._limits = job.engine.limits()

    def write(self, frame: int) -> Shown:
        """Paint and write one frame."""
        path = self._sequence.path(frame)
        part, names = self._job.footage.plate_part(frame)
        if path.lower().endswith(".png"):
            page = self._facts.canvas.joined(self._facts.display)
            labels = self._labels(frame, page)
            new = self._png(frame, part, page, labels)
        else:
            labels = self._labels(frame, part.data)
            kind = "float" if any(part.kind(name) == "float" for name in names) else "half"
            new = self._exr(frame, part, labels, kind)
        self._job.files.write(path, [new])
        facts = results.file_facts(path, self._job.allowance.roots)
        return Shown(frame, path, facts["sha256"], {label: float((labels == label).mean()) for label in TINTS})

    def _labels(self, frame: int, page: Box) -> NDArray[np.uint8]:
        """What the engine is told, over a box in EXR coordinates."""
        view, canvas = self._seen.frames, self._facts.canvas
        if self._limits.raster is None:
            return view.labels(frame, page.moved(-canvas.x0, -canvas.y0))
        told = labels_on_raster(view, self._seen.roi, self._limits.raster, frame, snaps_grid=self._limits.snaps_grid)
        roi = self._seen.roi.moved(canvas.x0, canvas.y0)
        labels = np.full(page.size, KEEP, np.uint8)
        inside = roi.within(page)
        if inside is not None:
            to, take = inside.moved(-page.x0, -page.y0), inside.moved(-roi.x0, -roi.y0)
            labels[to.rows, to.columns] = enlarged(told, roi.size)[take.rows, take.columns]
        return labels

    def _draw(self, frame: int, picture: Picture, page: Box, labels: NDArray[np.uint8]) -> None:
        tint(picture, labels, self._job.footage.matte("holdout_matte", frame).within(page) > 0)
        if self._limits.raster is not None:
            canvas = self._facts.canvas
            outline(picture, self._seen.roi.moved(canvas.x0 - page.x0, canvas.y0 - page.y0))

    def _exr(self, frame: int, part: Part, labels: NDArray[np.uint8], kind: str) -> NewPart:
        picture = self._job.footage.plate(frame, part.data).astype(np.float32)
        self._draw(frame, picture, part.data, labels)
        pixels = np.concatenate([picture, labels[..., None].astype(np.float32) / 255], axis=-1)
        if kind == "half":
            with np.errstate(invalid="ignore"):
                pixels = np.clip(pixels, -HALF_MAX, HALF_MAX).astype(np.float16)
        attributes = tuple(item for item in part.attributes if item[0] not in ("compression", "DateTime"))
        return NewPart(
            channels=tuple((name, kind) for name in ("R", "G", "B", QUADMASK)),
            data=part.data,
            display=part.display,
            compression=output_compression(part, self._job.request.settings.compression),
            attributes=(*attributes, ("DateTime", "string", FIXED_DATE)),
            pixels=np.ascontiguousarray(pixels),
        )

    def _png(self, frame: int, part: Part, page: Box, labels: NDArray[np.uint8]) -> NewPart:
        picture = np.zeros((*page.size, 3), np.float32)
        inside = part.data.moved(-page.x0, -page.y0)
        plate = sanitised(self._job.footage.plate(frame, part.data))
        picture[inside.rows, inside.columns] = np.clip(self._display.to_engine(plate), 0, 1)
        self._draw(frame, picture, page, labels)
        whole = Box(0, 0, page.width, page.height)
        return NewPart(
            channels=tuple((name, "byte") for name in "RGB"),
            data=whole,
            display=whole,
            compression="",
            attributes=(),
            pixels=np.rint(picture * 255).astype(np.uint8),
        )
