"""Step three, per frame: blend a fill into the plate and write the result.

Only here are fills brought to plate resolution, decoded, feathered and written. The weight decides everything: where
it is 0 the plate's own bits are kept, and a patch is written such that merging it over adds nothing at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import FrameError
from void_plugin.request import Output
from void_plugin.settings import RenderSettings
from void_server.colour import Colour, Config
from void_server.engines import Engine, Mask
from void_server.exr import FIXED_DATE, ImageFiles, NewPart, Part, Pixels, output_compression
from void_server.fills import Fills
from void_server.finite import HALF_MAX, finite_pixels
from void_server.grained import Grainer
from void_server.halves import as_kind, floats
from void_server.pixelmath import PixelMath, per_channel
from void_server.plan import PIXELS_VERSION, Plan, base_space
from void_server.stitch import Stitched, Stitcher
from void_server.tiles import Box, strips
from void_server.view import PlateFrames

COVERAGE, WEIGHT, CHANGE, SOURCE = "void.coverage", "void.matte", "void.change", "void.source"
EXTRA_CHANNELS = {
    COVERAGE: "coverage_channel", WEIGHT: "weight_channel", CHANGE: "change_channel", SOURCE: "source_channel",
}  # fmt: skip
"""Channels that a request may ask for, each with its setting."""

Attributes = tuple[tuple[str, str, object], ...]


@dataclass(frozen=True)
class Composed:
    """A written frame: its size on disk and the shares of the frame that went where."""

    path: str
    size: int
    untouched: float
    recovered: float
    generated: float
    coverage: float
    """Share of the new pixels that comes from real ones; 1 where there are none."""
    broken_pixels: int
    """NaN or Inf plate pixels that were replaced."""
    said: tuple[str, ...]
    """Codes of what is to be said of it, as `ring_contaminated`."""


@dataclass(frozen=True)
class Patch:
    """What changes in one frame, in EXR coordinates."""

    box: Box
    pixels: Pixels
    """(height, width, 4): R, G and B premultiplied by A. Where that is 0 they are -0.0: added to any value, zero
    included, it gives that value back with all its bits."""
    touched: Mask
    """Where A is not 0."""
    recovered: NDArray[np.float32]
    change: NDArray[np.float32]
    said: tuple[str, ...] = ()

    @property
    def rgb(self) -> Pixels:
        return self.pixels[..., :3]

    @property
    def alpha(self) -> Pixels:
        return self.pixels[..., 3]

    def extra(self, channel: str) -> NDArray[np.float32]:
        """The values of a channel that a request may ask for."""
        if channel == COVERAGE:
            return self.recovered
        if channel == WEIGHT:
            return floats(self.alpha)
        if channel == SOURCE:
            return np.where(self.touched, 1 - 0.5 * self.recovered, 0).astype(np.float32)
        return self.change


class Composer:
    """Writes the frames of one planned job; safe to use from many threads."""

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        settings: RenderSettings,
        frames: PlateFrames,
        files: ImageFiles,
        config: Config,
        fills: Fills,
        maths: PixelMath,
        analysis: Mapping[str, NDArray[Any]],
    ) -> None:
        self._plan, self._settings, self._frames, self._files = plan, settings, frames, files
        self._fills = fills
        self._linear = Colour(config, plan.space)
        raster = engine.limits().raster
        # Pixels taken from one frame each have that frame's grain.
        self._averages = engine.name == "recover" and settings.recover_grain == "clean"
        self._stitcher: Stitcher | None = None
        if raster is not None:
            encoded = Colour(config, base_space(config, plan.space), plan.encoding, plan.peak)
            self._stitcher = Stitcher(plan, raster, frames, encoded, fills, maths)
        self._grainer = Grainer(plan, settings, frames, fills, analysis)
        self._extras = [name for name, setting in EXTRA_CHANNELS.items() if getattr(settings, setting)]
        self._provenance = (
            ("void/engine", "string", plan.engine),
            ("void/engine_digest", "string", plan.engine_digest),
            ("void/encoding", "string", plan.encoding or "linear"),
            ("void/seed", "string", str(settings.seed)),
            ("void/pixels_version", "string", str(PIXELS_VERSION)),
        )

    def patch(self, frame: int) -> Patch | None:
        """The change to one frame, or None where there is none. Values are in the plate's space and type."""
        if self._frames.changed(frame) is None:
            return None
        if self._fills.generated(frame) is None and self._fills.recovered(frame) is None:
            raise FrameError(f"Frame {frame} has a matte but no fill; solve its unit first.", "frame.missing")
        new = self._stitcher.stitched(frame) if self._stitcher is not None else self._on_plate(frame)
        part, names = self._frames.footage.plate_part(frame)
        kind = _kind(part, names)
        pixels, problem = self._grainer.grained(frame, new)
        pixels = self._linear.from_engine(pixels)
        made, touched = np.empty((*new.box.size, 4), kind), np.empty(new.box.size, bool)
        for rows in strips(new.box.size):
            weight = floats(as_kind(new.alpha[rows], kind))  # as the file will have it
            np.greater(weight, 0, out=touched[rows])
            light = pixels[rows] * per_channel(weight)
            np.clip(light, -HALF_MAX, HALF_MAX, out=light)
            np.copyto(light, np.float32(-0.0), where=per_channel(~touched[rows]))
            made[rows] = as_kind(cv2.merge([light, weight]), kind)
        said = tuple(code for code in (new.problem, problem) if code)
        return Patch(new.box, made, touched, new.recovered, new.change, said)

    def write(self, frame: int, output: Output, path: str) -> Composed:
        """Write one output of one frame and say what it holds."""
        if output.kind == "comp":
            # All of it is needed later: decoded at once, the patch finds its rows there.
            self._frames.footage.plate(frame, self._frames.footage.plate_part(frame)[0].data)
        patch = self.patch(frame)
        if output.kind == "patch":
            parts = [self._patch_part(frame, patch)]
        else:
            parts = self._comp_parts(frame, patch)
        size = self._files.write(path, parts)
        return self._composed(frame, patch, path, size)

    def let_go(self) -> None:
        """Keep nothing of the frames that were composed; what is asked for again is worked out again."""
        if self._stitcher is not None:
            self._stitcher.let_go()

    def _on_plate(self, frame: int) -> Stitched:
        """The fill of an engine that works in plate pixels, as it is."""
        fill, found = self._fills.generated(frame), self._frames.weights(frame)
        if fill is None or found is None:
            raise ValueError(f"frame {frame} has no fill")
        box, weights = found
        area = box.moved(-self._plan.canvas.x0, -self._plan.canvas.y0)
        if not fill.box.holds(area):
            raise FrameError(
                f"The fill of frame {frame} does not reach the matte's edge; delete the job folder and run again.",
                "frame.verify",
            )
        take = area.moved(-fill.box.x0, -fill.box.y0)
        new = np.asarray(weights > 0, np.float32)
        coverage = fill.confidence[take.rows, take.columns] * new
        return Stitched(
            box=box,
            pixels=fill.pixels[take.rows, take.columns],
            alpha=weights,
            recovered=coverage,
            change=new,
            # Outside of what is new both are 0; inside a share that real pixels do not cover has no grain.
            grainless=new if self._averages else new - coverage,
        )

    def _patch_part(self, frame: int, patch: Patch | None) -> NewPart:
        part, names = self._frames.footage.plate_part(frame)
        if patch is None:
            # An EXR cannot be empty: one transparent pixel says "nothing changed".
            box = Box(part.data.x0, part.data.y0, part.data.x0 + 1, part.data.y0 + 1)
            kind = _kind(part, names)
            nothing = np.zeros((1, 1), np.float32)
            patch = Patch(box, np.array([[[-0.0, -0.0, -0.0, 0.0]]], kind), nothing > 0, nothing, nothing)
        kind_name = "half" if patch.pixels.dtype == np.float16 else "float"
        planes = [patch.pixels]
        channels = [("R", kind_name), ("G", kind_name), ("B", kind_name), ("A", kind_name)]
        for name in self._extras:
            planes.append(as_kind(patch.extra(name), patch.pixels.dtype)[..., None])
            channels.append((name, kind_name))
        return NewPart(
            channels=tuple(channels),
            data=patch.box,
            display=part.display,
            compression=output_compression(part, self._settings.compression),
            attributes=self._attributes(part),
            pixels=np.concatenate(planes, axis=-1) if self._extras else patch.pixels,
        )

    def _comp_parts(self, frame: int, patch: Patch | None) -> list[NewPart]:
        """The plate's own parts, all channels, with the patch merged into its picture."""
        footage = self._frames.footage
        file = footage.file("plate", frame)
        picture, names = footage.plate_part(frame)
        made = []
        for part in footage.parts("plate", frame):
            kinds = {kind for _, kind in part.channels}
            if len(kinds) > 1 and "uint" in kinds:
                raise FrameError(
                    f"{file} mixes integer and floating channels, which OpenImageIO cannot write back exactly; use "
                    "--output patch and merge it over the plate.",
                    "frame.unsupported",
                )
            if part.index == picture.index and set(part.names) == set(names):
                pixels = footage.plate(frame, part.data)
                pixels = pixels.copy() if part.names == tuple(names) else _ordered(pixels, names, part.names)
            else:
                pixels = self._files.read(file, part, part.names)
            channels = list(part.channels)
            if part.index == picture.index:
                if patch is not None:
                    area = patch.box.moved(-part.data.x0, -part.data.y0)
                    under = pixels[area.rows, area.columns]
                    if part.names == tuple(names):
                        under[...] = merge_over(patch.rgb, patch.alpha, under)
                    else:
                        merged = merge_over(patch.rgb, patch.alpha, _ordered(under, part.names, names))
                        for at, name in enumerate(names):
                            under[..., part.names.index(name)] = merged[..., at]
                extra = np.zeros((*pixels.shape[:2], len(self._extras)), pixels.dtype)
                for at, name in enumerate(self._extras):
                    if patch is not None:
                        extra[area.rows, area.columns, at] = patch.extra(name)
                    channels.append((name, part.channels[0][1]))
                if self._extras:
                    pixels = np.concatenate([pixels, extra], axis=-1)
            made.append(
                NewPart(
                    channels=tuple(channels),
                    data=part.data,
                    display=part.display,
                    compression=output_compression(part, self._settings.compression),
                    attributes=self._attributes(part),
                    pixels=pixels,
                    name=part.name,
                )
            )
        return made

    def _attributes(self, part: Part) -> Attributes:
        kept = tuple(item for item in part.attributes if item[0] != "compression" and not item[0].startswith("void/"))
        if part.attribute("DateTime") is None:
            kept += (("DateTime", "string", FIXED_DATE),)
        return kept + self._provenance

    def _composed(self, frame: int, patch: Patch | None, path: str, size: int) -> Composed:
        part, _ = self._frames.footage.plate_part(frame)
        if patch is None:
            return Composed(path, size, 1.0, 0.0, 0.0, 1.0, 0, ())
        touched = patch.touched
        area, count = part.data.area, int(np.count_nonzero(touched))
        real = float(patch.recovered.sum(dtype=np.float64, where=touched))
        pixels, are_finite = self._frames.footage.seen_plate(frame, patch.box)
        broken = 0 if are_finite else int(np.count_nonzero(touched & ~finite_pixels(pixels)))
        return Composed(
            path=path,
            size=size,
            untouched=1 - count / area,
            recovered=real / area,
            generated=(count - real) / area,
            coverage=real / count if count else 1.0,
            broken_pixels=broken,
            said=patch.said,
        )


def _kind(part: Part, names: Sequence[str]) -> type[np.float16] | type[np.float32]:
    """The type of a patch: that of the plate's picture."""
    return np.float32 if any(part.kind(name) == "float" for name in names) else np.float16


def _ordered(pixels: Pixels, names: Sequence[str], wanted: Sequence[str]) -> Pixels:
    """Pixels with channels of these names in another order."""
    return np.ascontiguousarray(pixels[..., [names.index(name) for name in wanted]])


def merge_over(rgb: Pixels, alpha: Pixels, plate: Pixels) -> Pixels:
    """A premultiplied patch over plate pixels, as a host's Merge computes it; result in the plate's type.

    Where alpha is 0 the plate's bits come back, where it is 1 the patch alone: a NaN under it does not shine through.
    """
    out = plate.copy()
    limit = HALF_MAX if plate.dtype == np.float16 else np.finfo(np.float32).max
    for rows in strips(alpha.shape):
        new = alpha[rows] > 0
        if not new.any():
            continue
        merged = floats(plate[rows])
        if not np.isfinite(merged).all():
            np.nan_to_num(merged, copy=False, nan=0.0, posinf=HALF_MAX, neginf=0.0)
        merged *= per_channel(1 - floats(alpha[rows]))
        merged += floats(rgb[rows])
        np.clip(merged, -limit, limit, out=merged)
        np.copyto(out[rows], as_kind(merged, plate.dtype), where=per_channel(new))
    return out
