"""Step two, per unit: run the engine and commit its fills.

A unit's folder holds one file of arrays a frame and `manifest.json`, whose rename commits the unit. Fills are kept in
the engine's own encoding: half for linear light, float where half would lose codes of an encoded curve. They are arrays
and not images because nobody but `compose` looks at them, and an uncompressed EXR takes five times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import Cancelled, JobError, RequestError
from void_server.beneath import told
from void_server.engines import KEEP, Engine, Fill, Frames, IsCancelled, Progress, Unit, Warn, unheard
from void_server.finite import HALF_MAX
from void_server.halves import as_kind, floats
from void_server.jobfolder import JobFolder, make_folder, read_json, remove_folder, write_json
from void_server.likeness import Likeness, Pair, compare
from void_server.shelf import UNREADABLE, JobShelf, load_arrays, save_arrays
from void_server.tiles import Box, fit, strips
from void_server.windows import evenly

COMPARED_FRAMES = 16
"""Generated frames that are held against their plates, evenly spaced (image.md 3.3, step 1)."""
PLACE, SAMPLES = "place", "samples"
"""Arrays of a fill's file: its box and how many samples a pixel has along each side; the picture and its coverage."""
_NOTHING_UNTOUCHED = (
    "Nearly all of what the model sees is to be changed, so its colours cannot be matched to what stays; look at the "
    "colours of the result, or draw the mattes tighter."
)


@dataclass(frozen=True)
class Solved:
    """What a committed unit says of itself, beside its fills."""

    facts: Mapping[str, Mapping[str, float]]
    """The engine's numbers about each frame that has a fill, by frame number as text."""
    likeness: Likeness
    skipped: bool
    """True where nothing had to be generated, so that there are no fills."""


@dataclass(frozen=True)
class StoredFill:
    """A fill as its file has it: what comes of it is the same, whether the file was read or not."""

    frame: int
    box: Box
    samples: NDArray[Any]
    """(height, width, 4): the picture and the share that came from real pixels; half or float32."""
    scale: int

    def fill(self) -> Fill:
        """The fill for composing, in the coordinates of the unit's `Frames`; it knows no facts."""
        # Apart, as numpy takes six times as long for three channels that lie among four.
        size = self.samples.shape[:2]
        pixels, confidence = np.empty((*size, 3), np.float32), np.empty(size, np.float32)
        for rows in strips(size):
            values = floats(self.samples[rows])
            cv2.cvtColor(values, cv2.COLOR_BGRA2BGR, pixels[rows])
            cv2.extractChannel(values, 3, confidence[rows])
        return Fill(self.frame, self.box, pixels, confidence, {}, self.scale)


def _forgotten(kept: StoredFill) -> None:
    """Where nobody composes in this process."""


def is_solved(folder: JobFolder, unit: Unit) -> bool:
    """True where the unit was committed."""
    return folder.unit_manifest(unit.key).exists()


def solved_unit(folder: JobFolder, unit: Unit) -> Solved:
    """What a committed unit says of itself."""
    found = read_json(folder.unit_manifest(unit.key))
    likeness = Likeness.of(found["likeness"]) if "likeness" in found else Likeness()
    return Solved(found["facts"], likeness, found.get("skipped", False))


def skip_unit(folder: JobFolder, unit: Unit) -> None:
    """Commit a unit of which nothing has to be generated."""
    make_folder(folder.unit(unit.key))
    write_json(folder.unit_manifest(unit.key), {"key": unit.key, "unit": unit.index, "facts": {}, "skipped": True})


def solve_unit(
    unit: Unit,
    engine: Engine,
    frames: Frames,
    folder: JobFolder,
    progress: Progress,
    cancelled: IsCancelled,
    warn: Warn = unheard,
    before: Likeness | None = None,
    shared: bool = False,
    keep: Callable[[StoredFill], None] = _forgotten,
) -> None:
    """Fill every frame of a unit and commit it; a committed unit is left as it is.

    `keep` is given every fill once it is written, before the unit is committed.
    `before` is the likeness of what this unit continues. Where a unit is `shared`, another process may take it over at
    any time: then its folder is never emptied, and nothing is written once `cancelled`. Raises JobError where the
    engine breaks its contract.
    """
    if is_solved(folder, unit):
        return
    place = folder.unit(unit.key)
    shelf = JobShelf(folder, unit, warn)
    if not shared:
        remove_folder(place)  # what a killed run left half-done
    make_folder(place)
    facts: dict[str, dict[str, float]] = {}
    wanted = [frame for frame in unit.frames if frames.hole(frame) is not None]
    compared = set(evenly(wanted, COMPARED_FRAMES)) if engine.limits().raster is not None else set()
    pairs: list[Pair] = []
    for fill in engine.solve(unit, frames, progress, cancelled, shelf):
        _check(fill, engine, frames, set(wanted) - {int(frame) for frame in facts})
        if shared and cancelled():
            raise Cancelled
        kept = _kept(fill, engine)
        box = kept.box
        place_of = [box.x0, box.y0, box.x1, box.y1, kept.scale]
        save_arrays(fill_path(folder, unit, fill.frame), {PLACE: np.array(place_of), SAMPLES: kept.samples})
        keep(kept)
        facts[str(fill.frame)] = {name: float(value) for name, value in fill.facts.items()}
        if fill.frame in compared:
            pairs.append(_pair(fill, frames))
    if len(facts) != len(wanted):
        raise JobError(f"The engine {engine.name} left out frames of unit {unit.index}; report this.")
    manifest: dict[str, Any] = {"key": unit.key, "unit": unit.index, "facts": facts}
    if engine.limits().raster is not None:
        likeness = compare(pairs)
        if before is not None and before.known:
            likeness = before  # one for the whole take, as its colours must not step
        manifest["likeness"] = likeness.values()
        if not likeness.known and wanted:
            warn("nothing_untouched", None, _NOTHING_UNTOUCHED)
    if shared and cancelled():
        raise Cancelled
    write_json(folder.unit_manifest(unit.key), manifest)
    shelf.clear()


def _pair(fill: Fill, frames: Frames) -> Pair:
    picture = fill.pixels if fill.scale == 1 else fit(fill.pixels, fill.box.size)
    return Pair(picture, frames.plate(fill.frame, fill.box), frames.labels(fill.frame, fill.box) == KEEP)


def fill_path(folder: JobFolder, unit: Unit, frame: int) -> Path:
    """Where the fill of a frame lies."""
    return folder.unit(unit.key) / f"fill.{frame}.npz"


def load_fill(folder: JobFolder, unit: Unit, frame: int) -> Fill:
    """A committed fill, in the coordinates of the unit's `Frames`. Raises RequestError where it cannot be read."""
    path = fill_path(folder, unit, frame)
    try:
        arrays = load_arrays(path)
        x0, y0, x1, y1, scale = (int(value) for value in arrays[PLACE])
        return StoredFill(frame, Box(x0, y0, x1, y1), arrays[SAMPLES], scale).fill()
    except UNREADABLE as error:
        raise RequestError(
            f"The fill of frame {frame} in unit {unit.index} cannot be read: {told(str(path))} ({error}). Delete the "
            "job folder and run again.",
            "request.plan",
        ) from error


def _check(fill: Fill, engine: Engine, frames: Frames, missing: set[int]) -> None:
    whole = Box(0, 0, frames.size[1], frames.size[0])
    if fill.frame not in missing:
        raise JobError(f"The engine {engine.name} returned frame {fill.frame}, which was not asked for; report this.")
    size = fill.box.height * fill.scale, fill.box.width * fill.scale
    if not whole.holds(fill.box) or fill.pixels.shape != (*size, 3) or fill.confidence.shape != size:
        raise JobError(f"The engine {engine.name} returned frame {fill.frame} with wrong dimensions; report this.")
    if not np.isfinite(fill.pixels).all():
        raise JobError(f"The engine {engine.name} returned NaN or Inf on frame {fill.frame}; report this.")


def _kept(fill: Fill, engine: Engine) -> StoredFill:
    half = engine.limits().encoding == "linear"
    samples = np.empty((*fill.confidence.shape, 4), np.float16 if half else np.float32)
    for rows in strips(fill.confidence.shape):
        both = cv2.merge([fill.pixels[rows], fill.confidence[rows]])
        samples[rows] = as_kind(np.clip(both, -HALF_MAX, HALF_MAX, out=both), np.float16) if half else both
    return StoredFill(fill.frame, fill.box, samples, fill.scale)
