"""What the mattes of a shot decide before any pixel of the plate is looked at: holes, the ROI, how much is affected.

`plan` writes it down and the preview shows it, so that both tell the same of a shot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from typing import TypeVar

from void_plugin.errors import Cancelled, RequestError
from void_plugin.frames import FrameRange, describe
from void_plugin.request import RemovalRequest
from void_server.affected import Preset, object_box
from void_server.colour import Colour
from void_server.engines import Engine, IsCancelled, Tell
from void_server.footage import Footage
from void_server.preflight import PlateFacts
from void_server.quadmask import AFFECTED_THRESHOLD, Reach
from void_server.raster import affected_on_raster
from void_server.tiles import Box, plan_roi
from void_server.view import PlateFrames

LARGE_AFFECTED = 0.25
"""Share of the raster from which it is told: samples released with the model reach about as much (image.md 7)."""
MOST_AFFECTED = 0.4
"""Share of the raster above which a shot is refused: a model that may change this much keeps little (image.md 7)."""

T = TypeVar("T")


@dataclass(frozen=True)
class Survey:
    """What the mattes of one shot say."""

    frames: PlateFrames
    boxes: Mapping[int, Box | None]
    """The box to fill of every frame, in picture coordinates."""
    roi: Box
    """In picture coordinates; the whole picture for an engine that works in plate pixels."""
    without_affected: tuple[int, ...]
    """Frames on which the affected matte counts as empty."""
    object_boxes: tuple[Box, ...]
    """The different boxes of the object over the shot, where the affected preset needs them; EXR coordinates."""
    affected: Mapping[int, float]
    """The share of the engine's raster that is 63 or 127, by frame; empty for an engine without one."""


def survey(
    footage: Footage,
    engine: Engine,
    facts: PlateFacts,
    shot_range: FrameRange,
    colour: Colour,
    workers: int,
    progress: Tell,
    cancelled: IsCancelled,
) -> Survey:
    """Look at every matte of a shot. Raises RequestError where a path for the affected preset misses the picture."""
    limits, numbers = engine.limits(), list(shot_range)
    preset = Preset.of(footage.request)
    each = partial(_each, numbers, workers, cancelled)
    object_boxes: tuple[Box, ...] = ()
    if preset.is_dynamic:
        seen = each(lambda frame: object_box(footage.matte("object_matte", frame)), lambda _: None)
        object_boxes = tuple(dict.fromkeys(box for box in seen.values() if box is not None))
        _refuse_path_outside(footage.request, preset, object_boxes, facts.canvas)
    reach = Reach.for_width(facts.display.width)
    view = partial(
        PlateFrames, footage, numbers, facts.canvas, reach, engine.fills(), colour, object_boxes=object_boxes
    )
    bare = _without_affected(view(), preset, cancelled) if limits.snaps_grid else ()
    frames = view(without_affected=bare)
    boxes = each(frames.hole, lambda done: progress(0.2 * done, "mattes"))
    roi = roi_around(boxes, facts, engine.limits().raster)
    shares: dict[int, float] = {}
    if limits.raster is not None:
        raster, snaps = limits.raster, limits.snaps_grid
        shares = each(lambda frame: affected_on_raster(frames, roi, raster, frame, snaps_grid=snaps), lambda _: None)
    return Survey(frames, boxes, roi, bare, object_boxes, shares)


def _each(
    numbers: list[int],
    workers: int,
    cancelled: IsCancelled,
    work: Callable[[int], T],
    told: Callable[[float], None],
) -> dict[int, T]:
    """What `work` finds on every frame; `told` learns which share of them is done."""
    found: dict[int, T] = {}
    with ThreadPoolExecutor(workers) as pool:
        for frame, value in zip(numbers, pool.map(work, numbers), strict=True):
            if cancelled():
                raise Cancelled
            found[frame] = value
            told(len(found) / len(numbers))
    return found


def large_frames(affected: Mapping[int, float]) -> str:
    """The frames on which so much is affected that it should be told."""
    return describe(frame for frame, share in affected.items() if share >= LARGE_AFFECTED)


def large_sentence(frames: str, most: float) -> str:
    """The warning about those frames; `most` is the largest share."""
    return (
        f"The affected area is up to {most:.0%} of what the model sees on frames {frames}; the more is affected, the "
        f"less of the plate it keeps, and above {MOST_AFFECTED:.0%} nothing is rendered."
    )


def refuse_large(request: RemovalRequest, affected: Mapping[int, float]) -> None:
    """Raise RequestError where more is affected than a model can be asked to change."""
    over = {frame: share for frame, share in affected.items() if share > MOST_AFFECTED}
    if not over:
        return
    worst = max(over, key=lambda frame: over[frame])
    shot = f" of {request.shot}" if request.shot else ""
    others = f" ({len(over)} frames are above it: {describe(over)})" if len(over) > 1 else ""
    preset = Preset.of(request).name
    advice = "draw the affected matte closer to what the object does to the scene"
    if preset != "none":
        advice = f"choose another affected preset than {preset}, or draw an affected matte"
    raise RequestError(
        f"The affected area{shot} is {over[worst]:.0%} of what the model sees on frame {worst}, and at most "
        f"{MOST_AFFECTED:.0%} can be{others}; {advice}. `void preview` shows it.",
        "request.affected_large",
    )


def _refuse_path_outside(request: RemovalRequest, preset: Preset, boxes: tuple[Box, ...], canvas: Box) -> None:
    if preset.name != "path" or not boxes or preset.of_shot(boxes, canvas).box is not None:
        return
    raise RequestError(
        f"The affected_path '{request.settings.affected_path[:80]}' misses the picture, which has x from {canvas.x0} "
        f"to {canvas.x1 - 1} and y from {canvas.y0} at the top to {canvas.y1 - 1}; give points inside it."
    )


def _without_affected(frames: PlateFrames, preset: Preset, cancelled: IsCancelled) -> tuple[int, ...]:
    """The first frame, where the affected matte comes and goes, or is one of things that will move.

    VOID never saw anything affected on the first frame; a shadow or reflection that is there on all frames is not
    affected by what happens later, and stays (void_model.md 9, rule 6).
    """
    first = frames.numbers[0]
    if not _is_affected(frames, first):
        return ()
    if preset.is_dynamic:  # there on all frames because it is a union, and not because it stands still
        return (first,)
    for frame in frames.numbers[1:]:
        if cancelled():
            raise Cancelled
        if not _is_affected(frames, frame):
            return (first,)
    return ()


def _is_affected(frames: PlateFrames, frame: int) -> bool:
    return bool((frames.mattes(frame)[1].values > AFFECTED_THRESHOLD).any())


def roi_around(boxes: Mapping[int, Box | None], facts: PlateFacts, raster: tuple[int, int] | None) -> Box:
    """The ROI of a raster (height, width) around what changes, in picture coordinates; without a raster the canvas."""
    canvas = Box(0, 0, facts.canvas.width, facts.canvas.height)
    there = [box for box in boxes.values() if box is not None]
    if raster is None or not there:
        return canvas
    return plan_roi(reduce(Box.joined, there), canvas, raster, facts.pixel_aspect)
