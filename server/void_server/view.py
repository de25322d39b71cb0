"""What an engine that works in plate pixels sees of a shot: `PlateFrames`.

Picture coordinates begin at the top left of the canvas, the union of all data windows of the shot range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server import quadmask
from void_server.affected import Preset
from void_server.colour import Colour
from void_server.crops import Crop, Mattes
from void_server.engines import KEEP, Frames, Mask, Picture
from void_server.finite import finite_pixels, is_finite, sanitised
from void_server.footage import EMPTY_MATTE, Footage, Matte, cropped
from void_server.halves import floats
from void_server.quadmask import Reach
from void_server.tiles import Box, overlap, strips, whole_blocks


class PlateFrames(Frames):
    """The shot at plate resolution, in the engine's linear encoding."""

    def __init__(
        self,
        footage: Footage,
        numbers: Sequence[int],
        canvas: Box,
        reach: Reach,
        fills: tuple[int, ...],
        colour: Colour,
        analysis: Mapping[str, NDArray[Any]] | None = None,
        without_affected: Sequence[int] = (),
        object_boxes: Sequence[Box] = (),
    ) -> None:
        """On the frames `without_affected` the affected matte counts as empty.

        `object_boxes` are those of the object over the shot, in EXR coordinates, for affected presets that need them.
        """
        self.footage, self.canvas, self.reach, self.colour = footage, canvas, reach, colour
        self.numbers = tuple(numbers)
        self.size = canvas.size
        self.enlargement = 1.0
        self.analysis = analysis or {}
        self._without_affected = frozenset(without_affected)
        self._preset, self._object_boxes = Preset.of(footage.request), tuple(object_boxes)
        self._fill_labels = fills
        self._said = repr((canvas, reach, fills, self._object_boxes))

    # -- mattes ----------------------------------------------------------------------------------------------

    def mattes(self, frame: int) -> tuple[Matte, Matte]:
        """The object and the affected matte, whether given apart, as a quadmask, or the second as a preset."""
        footage = self.footage
        if footage.has("quadmask"):
            ready = footage.matte("quadmask", frame)
            remove, affected = (cropped(ready.box, part) for part in quadmask.split_quadmask(ready.values))
        else:
            remove = footage.matte("object_matte", frame)
            affected = footage.matte("affected_matte", frame) if self._preset.name == "none" else self._made(remove)
        return remove, EMPTY_MATTE if frame in self._without_affected else affected

    def _made(self, remove: Matte) -> Matte:
        """The affected matte that the request's preset makes from an object matte."""
        return self._of_shot if self._preset.is_dynamic else self._preset.of_frame(remove, self.canvas)

    @cached_property
    def _of_shot(self) -> Matte:
        return self._preset.of_shot(self._object_boxes, self.canvas)

    def changed(self, frame: int) -> Box | None:
        """The box that can change in one frame, clipped to its data window; in EXR coordinates, None where nothing."""
        return self._crop(frame).changed

    def weights(self, frame: int) -> tuple[Box, NDArray[np.float32]] | None:
        """The box of `changed` and the blend weights in it."""
        crop = self._crop(frame)
        return None if crop.changed is None else (crop.changed, crop.weights.values)

    def object_weights(self, frame: int) -> NDArray[np.float32]:
        """The blend weights of the object alone, without what is affected, over the box of `weights`."""
        return self._crop(frame).object_weights.values

    def foreign(self, frame: int, box: Box) -> Mask:
        """True where a pixel shows something else than the background: mattes of all kinds, or nothing finite."""
        here, footage = self._exr(box), self.footage
        out = self.mattes(frame)[0].within(here) > quadmask.STITCH_THRESHOLD
        out |= footage.matte("holdout_matte", frame).within(here) > 0
        out |= footage.matte("exclude_matte", frame).within(here) > quadmask.STITCH_THRESHOLD
        data = footage.plate_part(frame)[0].data
        inside = here.within(data)
        broken = np.ones(box.size, bool)
        if inside is not None:
            area = inside.moved(-here.x0, -here.y0)
            broken[area.rows, area.columns] = np.logical_not(self._finite(frame, inside))
        return np.asarray(out | broken)

    def labels(self, frame: int, box: Box) -> NDArray[np.uint8]:
        crop = self._crop(frame)
        out = np.full(box.size, KEEP, np.uint8)
        if (both := overlap(self._exr(box), crop.box)) is not None:
            to, take = both
            out[to.rows, to.columns] = crop.labels[take.rows, take.columns]
        return out

    def usable(self, frame: int, box: Box) -> Mask:
        here = self._exr(box)
        out = np.zeros(box.size, bool)
        data = self.footage.plate_part(frame)[0].data
        inside = here.within(data)
        if inside is None:
            return out
        area = inside.moved(-here.x0, -here.y0)
        out[area.rows, area.columns] = self._finite(frame, inside)
        crop = self._crop(frame)
        if (both := overlap(here, crop.box)) is not None:
            to, take = both
            out[to.rows, to.columns] &= ~crop.blocked.mask[take.rows, take.columns]
        return out

    def hole(self, frame: int) -> Box | None:
        crop = self._crop(frame)
        return None if crop.hole is None else crop.hole.moved(-self.canvas.x0, -self.canvas.y0)

    def _crop(self, frame: int) -> Crop:
        """Everything the mattes of one frame say."""
        name = "crop", frame, frame in self._without_affected, self._said
        made: Crop = self.footage.made.get(name, lambda _: self._make_crop(frame))
        return made

    def _make_crop(self, frame: int) -> Crop:
        footage = self.footage
        holdout, exclude = footage.matte("holdout_matte", frame), footage.matte("exclude_matte", frame)
        mattes = Mattes(*self.mattes(frame), holdout, exclude)
        return mattes.crop(footage.plate_part(frame)[0].data, self.reach, self._fill_labels)

    # -- pixels ----------------------------------------------------------------------------------------------

    def plate(self, frame: int, box: Box) -> Picture:
        return self._finite_pixels(frame, box, "plate")

    def clean_plate(self, frame: int, box: Box) -> Picture | None:
        footage = self.footage
        if not footage.has("clean_plate") or footage.sequence("clean_plate").missing([frame]):
            return None
        return self._finite_pixels(frame, box, "clean_plate")

    def enlarged(self, factor: int) -> PlateFrames:
        if factor != 1:
            raise ValueError(f"the plate has no {factor} pixels to one of its own")
        return self

    def _finite_pixels(self, frame: int, box: Box, name: str) -> Picture:
        """Pixels of a box, edge-extended where the file has none, sanitised, in the engine's linear encoding."""
        here = self._exr(box)
        data = self.footage.plate_part(frame, name)[0].data
        inside = here.within(data) or _nearest(here, data)
        pixels, are_finite = self.footage.seen_plate(frame, inside, name)
        values = floats(pixels) if are_finite else sanitised(pixels)
        if inside != here:
            rows = np.clip(np.arange(here.y0, here.y1), inside.y0, inside.y1 - 1) - inside.y0
            columns = np.clip(np.arange(here.x0, here.x1), inside.x0, inside.x1 - 1) - inside.x0
            values = values[rows][:, columns]
        return self.colour.to_engine(values)

    def reduced(self, frame: int, factor: int) -> tuple[Picture, Mask]:
        high, wide = (-(-side // factor) for side in self.size)
        canvas, data = self.canvas, self.footage.plate_part(frame)[0].data
        pixels, are_finite = self.footage.seen_plate(frame, data)
        # Large factors look at a regular sample of each block, taken while still in half: the proxy of an 8K
        # frame then costs as much as that of a 2K frame, and averages as many pixels.
        step = next(step for step in range(max(1, factor // 2), 0, -1) if factor % step == 0)
        across = _sample_grid(canvas.x0, data.x0, data.x1, wide, factor, step)
        down = _sample_grid(canvas.y0, data.y0, data.y1, high, factor, step)
        values = pixels[_as_slice(down)][:, _as_slice(across)]
        per_block = factor // step
        picture, known = np.empty((high, wide, 3), np.float32), np.ones((high, wide), bool)
        for rows in strips((high, wide * per_block**2)):
            here = values[rows.start * per_block : rows.stop * per_block]
            samples = floats(here)
            if not are_finite and not is_finite(here):
                finite = finite_pixels(here)
                samples[~finite] = 0
                known[rows] = whole_blocks(finite, per_block)
            size = wide, rows.stop - rows.start
            picture[rows] = cv2.resize(samples, size, interpolation=cv2.INTER_AREA) if per_block > 1 else samples
        usable = known & ~self._blocked_blocks(frame, factor, (high, wide))
        usable &= _covered_blocks(canvas, data, factor, (high, wide))
        return self.colour.to_engine(picture), usable

    def _blocked_blocks(self, frame: int, factor: int, size: tuple[int, int]) -> Mask:
        out = np.zeros(size, bool)
        crop = self._crop(frame)
        if crop.box is None:
            return out
        box = crop.box.moved(-self.canvas.x0, -self.canvas.y0)
        first_x, first_y = box.x0 // factor, box.y0 // factor
        padded = np.zeros(((-(-box.y1 // factor) - first_y) * factor, (-(-box.x1 // factor) - first_x) * factor), bool)
        top, left = box.y0 - first_y * factor, box.x0 - first_x * factor
        padded[top : top + box.height, left : left + box.width] = crop.blocked.mask
        blocks = ~whole_blocks(~padded, factor)
        out[first_y : first_y + blocks.shape[0], first_x : first_x + blocks.shape[1]] = blocks
        return out

    def _finite(self, frame: int, inside: Box) -> Mask | bool:
        """Where the pixels of a box of the data window are finite."""
        pixels, are_finite = self.footage.seen_plate(frame, inside)
        return are_finite or finite_pixels(pixels)

    def _exr(self, box: Box) -> Box:
        return box.moved(self.canvas.x0, self.canvas.y0)


def _nearest(box: Box, data: Box) -> Box:
    """The row, column or corner pixel of the data window that edge extension continues."""
    x0 = min(max(box.x0, data.x0), data.x1 - 1)
    y0 = min(max(box.y0, data.y0), data.y1 - 1)
    return Box(x0, y0, max(x0 + 1, min(box.x1, data.x1)), max(y0 + 1, min(box.y1, data.y1)))


def _sample_grid(canvas0: int, data0: int, data1: int, blocks: int, factor: int, step: int) -> NDArray[np.int64]:
    """Indices into the data window of the samples of every block, clamped to its edges."""
    positions = canvas0 + step // 2 + step * np.arange(blocks * (factor // step))
    return np.clip(positions, data0, data1 - 1) - data0


def _as_slice(indices: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """An even run of indices as a slice, which numpy takes without copying."""
    steps = np.diff(indices)
    if indices.size > 1 and steps[0] > 0 and (steps == steps[0]).all():
        return slice(int(indices[0]), int(indices[-1]) + 1, int(steps[0]))
    return indices


def _covered_blocks(canvas: Box, data: Box, factor: int, size: tuple[int, int]) -> Mask:
    """Blocks that lie wholly inside the data window (what hangs over the canvas does not count against them)."""
    out = np.zeros(size, bool)
    x0, y0 = -(-(data.x0 - canvas.x0) // factor), -(-(data.y0 - canvas.y0) // factor)
    x1 = size[1] if data.x1 >= canvas.x1 else (data.x1 - canvas.x0) // factor
    y1 = size[0] if data.y1 >= canvas.y1 else (data.y1 - canvas.y0) // factor
    out[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = True
    return out
