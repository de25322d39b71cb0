"""Step one, once a shot: read mattes and statistics and fix every number that an estimate decides.

Everything later steps must agree on lies in plan.json, so frames 1040-1044 rendered again equal the full
render bit for bit. The plan depends on the shot range, never on which of its frames are asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import RequestError
from void_plugin.frames import Digest, FrameRange, describe
from void_plugin.request import RemovalRequest
from void_server import affected, analysis, grain
from void_server.allowance import ANYTHING, Allowance
from void_server.colour import PEAKS, WORKING_SPACE, Colour, Config, choose_peak, plate_space
from void_server.engines import Engine, Engines, Frames, IsCancelled, Tell, Unit, Warn
from void_server.footage import Footage
from void_server.jobfolder import JobFolder, write_json
from void_server.planfile import PIXELS_VERSION as PIXELS_VERSION
from void_server.planfile import PLAN_VERSION as PLAN_VERSION
from void_server.planfile import damaged, read_plan
from void_server.preflight import Preflight
from void_server.quadmask import Reach
from void_server.raster import RasterFrames
from void_server.survey import large_frames, large_sentence, refuse_large, roi_around, survey
from void_server.tiles import VOID_RASTER, Box
from void_server.units import units_of
from void_server.view import PlateFrames
from void_server.windows import evenly

COMPOSE_SETTINGS = (
    "compression", "grain", "coverage_channel", "weight_channel", "change_channel", "source_channel",
)  # fmt: skip
"""Settings that decide files and not fills, so that a change of them runs no engine again."""
GRAIN = "grain"
"""What the arrays of the grain's analysis are named by, in place of an engine."""
STATISTIC_FRAMES = 16
"""Frames looked at for the shot's peak, evenly spaced (image.md 3.3)."""
PEAK_PERCENTILE = 99.99
"""The peak ignores the brightest 0.01 %: single hot pixels must not flatten the curve for a whole shot."""


@dataclass(frozen=True)
class Plan:
    """Every number fixed for a shot. Sizes and boxes are plate pixels; boxes are in EXR coordinates."""

    key: str
    engine: str
    engine_digest: str
    real_engine: str
    """Name of the engine whose real pixels come first; empty where there is none."""
    shot_range: str
    canvas: Box
    display: Box
    pixel_aspect: float
    roi: Box
    reach: Reach
    space: str
    space_source: str
    encoding: str
    peak: float
    above_peak: float
    """Share of sampled ROI pixels above the peak: a model sees them clipped."""
    empty_frames: str
    without_affected: tuple[int, ...]
    """Frames on which the affected matte counts as empty."""
    object_boxes: tuple[Box, ...]
    """The different boxes of the object over the shot, where the affected preset needs them; EXR coordinates."""
    large_affected: str
    """Frames on which much of the engine's raster is affected."""
    most_affected: float
    """The largest share of the raster that is affected on a frame; 0 for an engine without a raster."""
    grain_area: Box
    """Where grain is looked at: the ROI that VOID would have, whatever the engine; EXR coordinates."""
    units: tuple[Unit, ...]
    analysis: Mapping[str, str]
    """SHA-256 of each array that an analysis left, as `engine.array` or `grain.array`."""

    @property
    def range(self) -> FrameRange:
        """The frames that feed every estimate."""
        return FrameRange.parse(self.shot_range)

    def units_for(self, frames: FrameRange) -> list[Unit]:
        """The units that deliver some of these frames, and those that must be solved before them."""
        wanted: set[str] = set()
        for unit in reversed(self.units):
            if unit.key in wanted or any(frame in frames for frame in unit.frames):
                wanted |= {unit.key, *self.needs(unit)}
        return [unit for unit in self.units if unit.key in wanted]

    def needs(self, unit: Unit) -> frozenset[str]:
        """Keys of the units that must be solved before this one; they stand before it in `units`.

        What it continues and, where real pixels come first, what its frames and those that go on from it really show.
        """
        found = {unit.follows} - {""}
        if self.real_engine and unit.engine == self.engine:
            shown = {frame for each in self.onwards(unit) for frame in (*each.lead, *each.frames)}
            found |= {
                other.key for other in self.units if other.engine != self.engine and not shown.isdisjoint(other.frames)
            }
        return frozenset(found)

    def onwards(self, unit: Unit) -> list[Unit]:
        """A unit and those that continue it, one after the other."""
        chain = [unit]
        for other in self.units:
            if other.follows and other.follows == chain[-1].key:
                chain.append(other)
        return chain

    def save(self, folder: JobFolder) -> None:
        """Write plan.json."""
        write_json(folder.plan, {"plan_version": PLAN_VERSION, "pixels_version": PIXELS_VERSION, **asdict(self)})

    @classmethod
    def load(cls, folder: JobFolder) -> Plan:
        """Read plan.json. Raises RequestError where it is missing, broken or of another version."""
        data = read_plan(folder)
        try:
            for name in ("canvas", "display", "roi", "grain_area"):
                data[name] = Box(**data[name])
            data["reach"] = Reach(**data["reach"])
            data["without_affected"] = tuple(data["without_affected"])
            data["object_boxes"] = tuple(Box(**box) for box in data["object_boxes"])
            data["units"] = tuple(
                Unit(
                    **{**unit, "frames": tuple(unit["frames"]), "roi": Box(**unit["roi"]), "lead": tuple(unit["lead"])}
                )
                for unit in data["units"]
            )
            return cls(**data)
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(folder, error) from error


def make_plan(
    request: RemovalRequest,
    footage: Footage,
    engines: Engines,
    config: Config,
    folder: JobFolder,
    workers: int,
    warn: Warn,
    progress: Tell,
    cancelled: IsCancelled,
    allowance: Allowance = ANYTHING,
) -> Plan:
    """Check everything, estimate everything, write plan.json; a plan that still fits is kept as it is.

    `request` has its ranges resolved. Raises the error that names every problem found.
    """
    facts = Preflight(footage, request, workers, allowance).run()
    shot_range = request.shot_range or FrameRange(0, 0)
    engine, real = engines.main, engines.real
    key = plan_key(request, footage, [(one.name, one.digest()) for one in engines], config)
    kept = _kept_plan(folder, key)
    if kept is not None:
        _warn_about(kept, request, engine, warn)
        return kept
    space, source = _space(request, footage, config, shot_range.first)
    encoding = request.settings.encoding if engine.limits().encoding == "encoded" else ""
    colour = Colour(config, space, encoding)
    colour.check()
    seen = survey(footage, engine, facts, shot_range, Colour(config, space), workers, progress, cancelled)
    boxes, roi = seen.boxes, seen.roi
    _refuse_empty(request, boxes)
    refuse_large(request, seen.affected)
    peak, above = PEAKS[0], 0.0
    if encoding == "srgb_knee":
        peak, above = _peak(seen.frames, colour, roi)
    plan = Plan(
        key=key,
        engine=engine.name,
        engine_digest=engine.digest(),
        real_engine=real.name if real is not None else "",
        shot_range=str(shot_range),
        canvas=facts.canvas,
        display=facts.display,
        pixel_aspect=facts.pixel_aspect,
        roi=roi.moved(facts.canvas.x0, facts.canvas.y0),
        reach=seen.frames.reach,
        space=space,
        space_source=source,
        encoding=encoding,
        peak=peak,
        above_peak=above,
        empty_frames=describe(frame for frame, box in boxes.items() if box is None),
        without_affected=seen.without_affected,
        object_boxes=seen.object_boxes,
        large_affected=large_frames(seen.affected),
        most_affected=max(seen.affected.values(), default=0.0),
        grain_area=roi_around(boxes, facts, VOID_RASTER).moved(facts.canvas.x0, facts.canvas.y0),
        units=(),
        analysis={},
    )
    arrays: dict[str, NDArray[Any]] = {}
    with ThreadPoolExecutor(1) as beside:
        # Neither look keeps all cores busy by itself.
        looked = beside.submit(_look_at_grain, request, seen.frames, plan, workers, cancelled)
        for one in engines:
            view = engine_frames(plan, one, footage, config)
            seen_boxes = boxes if one is engine else {frame: view.hole(frame) for frame in view.numbers}
            plan = replace(plan, units=(*plan.units, *units_of(key, one, seen_boxes, roi, len(plan.units))))
            found = one.analyse(view, lambda done, text: progress(0.2 + 0.8 * done, text), cancelled)
            arrays |= {f"{one.name}.{name}": array for name, array in found.items()}
        arrays |= {f"{GRAIN}.{name}": array for name, array in looked.result().items()}
    plan = replace(plan, analysis=analysis.save(folder, arrays))
    plan.save(folder)
    _warn_about(plan, request, engine, warn)
    return plan


def _look_at_grain(
    request: RemovalRequest, frames: PlateFrames, plan: Plan, workers: int, cancelled: IsCancelled
) -> dict[str, NDArray[Any]]:
    if request.settings.grain == "off":
        return {}
    area = plan.grain_area.moved(-plan.canvas.x0, -plan.canvas.y0)
    picked = evenly(frames.numbers, STATISTIC_FRAMES)
    return grain.analyse(frames, picked, area, workers, cancelled).to_arrays()


def engine_frames(
    plan: Plan, engine: Engine, footage: Footage, config: Config, folder: JobFolder | None = None
) -> Frames:
    """The shot as this engine sees it; with a job folder, including what its analysis found."""
    mine = [name for name in plan.analysis if name.startswith(f"{engine.name}.")]
    found = analysis.load(folder, mine) if folder is not None else {}
    arrays = {name.partition(".")[2]: array for name, array in found.items()}
    base = plate_frames(plan, engine, footage, config, arrays)
    limits = engine.limits()
    if limits.raster is None:
        return base
    colour = Colour(config, base_space(config, plan.space), plan.encoding, plan.peak)
    roi = plan.roi.moved(-plan.canvas.x0, -plan.canvas.y0)
    return RasterFrames(base, roi, limits.raster, colour, limits.snaps_grid)


def plate_beneath(view: Frames) -> PlateFrames:
    """The shot at plate resolution beneath what `engine_frames` shows an engine."""
    return view.base if isinstance(view, RasterFrames) else cast(PlateFrames, view)


def plate_frames(
    plan: Plan, engine: Engine, footage: Footage, config: Config, arrays: Mapping[str, NDArray[Any]] | None = None
) -> PlateFrames:
    """The shot at plate resolution in linear light, with the weights that `compose` blends by."""
    return PlateFrames(
        footage, list(plan.range), plan.canvas, plan.reach, engine.fills(), Colour(config, plan.space), arrays,
        plan.without_affected, plan.object_boxes,
    )  # fmt: skip


def base_space(config: Config, space: str) -> str:
    """The space `PlateFrames` hands out: the plate's own where that is linear, else the working space."""
    return space if config.is_linear(space) else WORKING_SPACE


def plan_key(request: RemovalRequest, footage: Footage, engines: Sequence[tuple[str, str]], config: Config) -> str:
    """Names everything that decides a plan: `request` has its ranges and its rate resolved, engines have a digest."""
    stable = request.rooted().to_dict()
    # Where things lie and which part is asked for does not decide pixels; file sizes and times do.
    for name in ("request_id", "frames", "priority", "roots", "outputs", "context", "handles", "shot"):
        stable.pop(name)
    stable["signature"] = footage.signature(request.shot_range or FrameRange(0, 0))
    stable["engine"] = [list(engine) for engine in engines]
    stable["ocio"] = config.source
    stable["versions"] = [PLAN_VERSION, PIXELS_VERSION]
    for name in COMPOSE_SETTINGS:
        stable["settings"].pop(name)
    return Digest.of_text(json.dumps(stable, sort_keys=True)).sha256[:32]


def _kept_plan(folder: JobFolder, key: str) -> Plan | None:
    if not folder.plan.exists():
        return None
    try:
        plan = Plan.load(folder)
    except RequestError:
        return None  # of another version or damaged: made anew, as its own message says
    if plan.key != key or not analysis.is_there(folder, plan.analysis):
        return None
    return plan


def _space(request: RemovalRequest, footage: Footage, config: Config, frame: int) -> tuple[str, str]:
    part, _ = footage.plate_part(frame)
    return plate_space(config, request.colour, part.attribute("colorInteropID"), part.attribute("chromaticities"))


def _refuse_empty(request: RemovalRequest, boxes: Mapping[int, Box | None]) -> None:
    if any(box is not None for box in boxes.values()):
        return
    name = "quadmask" if request.quadmask is not None else "object matte"
    pattern = request.sequence(name.replace(" ", "_")).pattern
    shot = f" of {request.shot}" if request.shot else ""
    raise RequestError(
        f"The {name}{shot} ({pattern}) is empty on all frames {describe(boxes)}; draw it, or name the channel that "
        "holds it.",
        "request.matte_empty",
    )


def _peak(frames: PlateFrames, colour: Colour, roi: Box) -> tuple[float, float]:
    """The shot's peak in AP1 and the share of sampled pixels above it."""
    picked = evenly(frames.numbers, STATISTIC_FRAMES)
    base = Colour(colour.config, base_space(colour.config, colour.space))
    stride = max(1, round((roi.area / 250_000) ** 0.5))
    samples = []
    for frame in picked:
        pixels = frames.plate(frame, roi)[::stride, ::stride]
        samples.append(base.working(pixels).max(axis=-1).ravel())
    values = np.concatenate(samples)
    peak = choose_peak(float(np.percentile(values, PEAK_PERCENTILE)))
    return peak, float((values > peak).mean())


def _warn_about(plan: Plan, request: RemovalRequest, engine: Engine, warn: Warn) -> None:
    for code, sentence in engine.advice():
        warn(code, None, sentence)
    if plan.empty_frames:
        warn(
            "matte_empty",
            None,
            f"The matte is empty on frames {plan.empty_frames}; the plate stays as it is there.",
        )
    if affected.ignored(request):
        warn("affected_preset_ignored", None, affected.ignored(request))
    if plan.large_affected:
        warn("affected_large", None, large_sentence(plan.large_affected, plan.most_affected))
    if plan.space_source == "default":
        warn(
            "colour_untagged",
            None,
            f"The plate carries no colour tag; it is taken as {plan.space}. If it differs, name its space, with "
            "--colour or in the knob plate colour of Nuke.",
        )
    if plan.above_peak:
        warn(
            "above_peak",
            None,
            f"{plan.above_peak:.3%} of the pixels around the object are brighter than {plan.peak:g}; the model sees "
            "them clipped there, the plate keeps them.",
        )
