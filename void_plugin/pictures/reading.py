"""Frames from disk as they are shown: the display window filled from the data window, in the type of the file.

OpenImageIO reads; a frame keeps its halves, because the display takes them as they are.
"""

import os
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from void_plugin.errors import FrameError
from void_plugin.frames import ImageSequence

Pixels = NDArray[Any]
Region = tuple[int, int, int, int]
"""x0, y0, x1, y1 of the display window, y down, ends excluded."""
_RGB = (("R", "G", "B"), ("red", "green", "blue"))
_MATTE = ("A", "alpha", "R", "red", "Y")


class Absent(Exception):
    """There is no file for this frame."""


@dataclass(frozen=True)
class Frame:
    """One frame over its display window."""

    pixels: Pixels
    """(height, width, channels), float16, float32 or uint8; zero where the data window has none."""
    names: tuple[str, ...]
    pixel_aspect: float
    tag: str
    """What the file says of its colour: the value of `oiio:ColorSpace`; empty where it says nothing."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the display window."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def layer(self, wanted: tuple[str, ...], matte: bool) -> Pixels:
        """The three channels of a picture or the one of a matte. Raises FrameError naming what there is."""
        chosen = _one(self.names, wanted) if matte else _three(self.names, wanted)
        if chosen is None:
            what = ", ".join(wanted) or ("A" if matte else "R, G, B")
            raise FrameError(f"has no channels {what}; it has {', '.join(self.names)}.", "frame.unsupported")
        first = chosen[0]
        if chosen == list(range(first, first + len(chosen))):
            return self.pixels[..., first : first + len(chosen)]
        return self.pixels[..., chosen]


def read(pattern: str, frame: int) -> Frame:
    """One frame of a sequence. Raises Absent, or FrameError with frame and path where it cannot be read."""
    path = ImageSequence(pattern).path(frame)
    source = oiio.ImageInput.open(path)
    if source is None:
        if not os.path.exists(path):
            raise Absent(path)
        raise FrameError(f"Frame {frame} ({path}) cannot be read: {oiio.geterror() or 'unknown format'}.")
    try:
        return _read(source, frame, path)
    finally:
        source.close()


def fitted(pixels: Pixels, region: Region | None, size: tuple[int, int], draft: bool) -> Pixels:
    """The part of a picture that is seen, made smaller until it fits a (height, width); never made larger."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = region or (0, 0, width, height)
    seen = pixels[max(0, y0) : min(height, y1), max(0, x0) : min(width, x1)]
    scale = min(1.0, size[0] / max(1, seen.shape[0]), size[1] / max(1, seen.shape[1]))
    if scale >= 1.0 or seen.size == 0:
        return seen
    rows, columns = (max(1, round(side * scale)) for side in seen.shape[:2])
    if draft:
        return seen[_picked(seen.shape[0], rows)][:, _picked(seen.shape[1], columns)]
    kind = seen.dtype
    whole = seen.astype(np.float32) if kind == np.float16 else np.ascontiguousarray(seen)
    small = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(small.reshape(rows, columns, -1), kind)


def _picked(old: int, new: int) -> NDArray[np.intp]:
    """The pixel of the old row in which the middle of each new one lies."""
    return (2 * np.arange(new) + 1) * old // (2 * new)


def _read(source: Any, frame: int, path: str) -> Frame:
    spec = source.spec()
    if spec.deep:
        raise FrameError(
            f"Frame {frame} ({path}) is a deep image and cannot be shown; flatten it.", "frame.unsupported"
        )
    kind = {"half": np.float16, "uint8": np.uint8}.get(str(spec.format), np.float32)
    name = {np.float16: oiio.HALF, np.uint8: oiio.UINT8}.get(kind, oiio.FLOAT)
    data = source.read_image(0, 0, 0, spec.nchannels, name)
    if data is None:
        raise FrameError(f"Frame {frame} ({path}) cannot be read: {source.geterror() or 'it is damaged'}.")
    data = np.asarray(data).reshape(spec.height, spec.width, spec.nchannels)
    tag = spec.getattribute("oiio:ColorSpace")
    aspect = float(spec.getattribute("PixelAspectRatio") or 1.0)
    names = tuple(spec.channelnames)
    return Frame(_windowed(data, spec), names, aspect, tag if isinstance(tag, str) else "")


def _windowed(data: Pixels, spec: Any) -> Pixels:
    """The data window laid into the display window."""
    shape = (spec.full_height, spec.full_width)
    left, top = spec.x - spec.full_x, spec.y - spec.full_y
    if (left, top) == (0, 0) and shape == data.shape[:2]:
        return data
    whole = np.zeros((*shape, data.shape[2]), data.dtype)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(shape[1], left + data.shape[1]), min(shape[0], top + data.shape[0])
    if x0 < x1 and y0 < y1:
        whole[y0:y1, x0:x1] = data[y0 - top : y1 - top, x0 - left : x1 - left]
    return whole


def _three(names: tuple[str, ...], wanted: tuple[str, ...]) -> list[int] | None:
    lowered = [name.lower() for name in names]
    layer = f"{wanted[0]}." if len(wanted) == 1 else ""
    for triple in (wanted,) if len(wanted) == 3 else tuple(tuple(layer + one for one in rgb) for rgb in _RGB):
        if all(one.lower() in lowered for one in triple):
            return [lowered.index(one.lower()) for one in triple]
    return [0, 0, 0] if len(names) in (1, 2) and not wanted else None


def _one(names: tuple[str, ...], wanted: tuple[str, ...]) -> list[int] | None:
    lowered = [name.lower() for name in names]
    asked = wanted[0] if wanted else ""
    for name in (asked, *(f"{asked}.{one}" for one in _MATTE)) if asked else _MATTE:
        if name.lower() in lowered:
            return [lowered.index(name.lower())]
    return [0] if len(names) == 1 else None
