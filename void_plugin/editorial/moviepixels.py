"""Code values of a movie's frame as RGB and back, in floating point: matrix, levels and chroma, and nothing else.

The picture stays in the movie's own encoding; what it means is said by its tag, never changed here. This is our own
arithmetic because what swscale makes of a limited range is clipped to 0..1, and footroom and headroom hold picture.
"""

import math
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import FrameError

Pixels = NDArray[np.float32]
RGB, UNSPECIFIED = 0, 2
WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""Shares of red and blue in luma by the number of the matrix (ITU-T H.273)."""
MATRICES = {1: "Rec.709", 4: "FCC", 5: "Rec.601", 6: "Rec.601", 7: "SMPTE 240M", 9: "Rec.2020"}
_PLANAR = {
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "nv16": "yuv422p",
    "nv24": "yuv444p",
    "p010le": "yuv420p10le",
    "p210le": "yuv422p10le",
    "yuyv422": "yuv422p",
    "uyvy422": "yuv422p",
    "y210le": "yuv422p10le",
    "rgb24": "gbrp",
    "bgr24": "gbrp",
    "rgb0": "gbrp",
    "bgr0": "gbrp",
    "0rgb": "gbrp",
    "0bgr": "gbrp",
    "rgba": "gbrap",
    "bgra": "gbrap",
    "argb": "gbrap",
    "abgr": "gbrap",
    "rgb48le": "gbrp16le",
    "rgb48be": "gbrp16le",
    "rgba64le": "gbrap16le",
    "rgba64be": "gbrap16le",
}
"""Interleaved formats and the planar one that holds the same numbers."""
_HALF_BAND = ((-3, -1), (-1, 9), (0, 16), (1, 9), (3, -1))
"""Taps that leave out every second sample without aliasing, in parts of 32."""


def why_not(layout: Any) -> str:
    """Why pixels of a format cannot be read, as the end of a sentence; empty where they can."""
    if layout is None or layout.name in _PLANAR:
        return "" if layout is not None else "has pixels of no known format"
    planes = [one.plane for one in layout.components]
    whole = all(8 <= one.bits <= 16 for one in layout.components)
    if len(set(planes)) != len(planes) or not whole or layout.has_palette or layout.is_bayer:
        return f"has pixels of the format {layout.name}, which is not read"
    return ""


def to_rgb(frame: av.VideoFrame, matrix: int, full: bool) -> Pixels:
    """A frame as (height, width, 3), or 4 with its alpha as stored; black is 0 and white 1, beyond is kept.

    Raises FrameError for a pixel format that is not read.
    """
    name = frame.format.name
    if name in _PLANAR:
        frame = frame.reformat(
            format=_PLANAR[name], src_color_range=frame.color_range, dst_color_range=frame.color_range
        )
    problem = why_not(frame.format)
    if problem:
        raise FrameError(f"A frame {problem}.", "frame.unsupported")
    planes = [_plane(frame, index) for index in range(len(frame.format.components))]
    bits = [one.bits for one in frame.format.components]
    alpha = [planes.pop() / np.float32((1 << bits[-1]) - 1)] if len(planes) in (2, 4) else []
    if len(planes) == 1:
        luma = _levels(planes[0], bits[0], full)
        colours = [luma, luma, luma]
    elif frame.format.is_rgb:
        colours = [_levels(one, bits[0], full) for one in planes]
    else:
        colours = _matrixed(planes, bits[0], matrix, full, (frame.height, frame.width))
    return np.stack(colours + alpha, axis=-1).astype(np.float32, copy=False)


def to_frame(pixels: Pixels, layout: str, matrix: int) -> tuple[av.VideoFrame, int]:
    """RGB(A) values as a frame of limited range in a planar Y'CbCr format, and how many pixels its levels cannot hold.

    Those are clipped. 4:4:4 and 4:2:2 are made; chroma of 4:2:2 lies on every second pixel.
    """
    height, width = pixels.shape[:2]
    frame = av.VideoFrame(width, height, layout)
    components = frame.format.components
    bits = components[0].bits
    red, blue = WEIGHTS[matrix]
    colours = pixels[..., :3].astype(np.float32)
    luma = red * colours[..., 0] + (1 - red - blue) * colours[..., 1] + blue * colours[..., 2]
    chroma = [(colours[..., 2] - luma) / (2 * (1 - blue)), (colours[..., 0] - luma) / (2 * (1 - red))]
    if components[1].width < width:
        chroma = [_halved(one) for one in chroma]
    step = 1 << (bits - 8)
    coded = [luma * (219 * step) + 16 * step, *(one * (224 * step) + 128 * step for one in chroma)]
    limits = [(step, 255 * step - 1)] * 3  # the numbers beyond are kept for sync
    if len(components) == 4:
        top = (1 << bits) - 1
        coded.append(pixels[..., 3] * np.float32(top))
        limits.append((0, top))
    beyond = 0
    for index, (values, (least, most)) in enumerate(zip(coded, limits, strict=True)):
        beyond = max(beyond, int(np.count_nonzero((values < least - 0.5) | (values > most + 0.5))))
        rows = _rows(frame.planes[components[index].plane], np.uint16)
        rows[:, : values.shape[1]] = np.clip(np.rint(values), least, most).astype(np.uint16)
    return frame, beyond


def _plane(frame: av.VideoFrame, index: int) -> Pixels:
    part = frame.format.components[index]
    plane = frame.planes[part.plane]
    kind = np.dtype(np.uint8 if part.bits == 8 else ">u2" if frame.format.is_big_endian else "<u2")
    return _rows(plane, kind)[:, : plane.width].astype(np.float32)


def _rows(plane: Any, kind: Any) -> NDArray[Any]:
    """The memory of a plane as rows, with what lies behind each for alignment."""
    return np.frombuffer(plane, kind).reshape(plane.height, -1)


def _levels(plane: Pixels, bits: int, full: bool) -> Pixels:
    if full:
        return plane / np.float32((1 << bits) - 1)
    step = 1 << (bits - 8)
    return (plane - np.float32(16 * step)) / np.float32(219 * step)


def _matrixed(planes: list[Pixels], bits: int, matrix: int, full: bool, size: tuple[int, int]) -> list[Pixels]:
    red, blue = (np.float32(one) for one in WEIGHTS[matrix])
    span = np.float32((1 << bits) - 1 if full else 224 << (bits - 8))
    luma = _levels(planes[0], bits, full)
    cb, cr = (_grown(one - np.float32(1 << (bits - 1)), size) / span for one in planes[1:])
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    return [r, (luma - red * r - blue * b) / (1 - red - blue), b]


def _grown(plane: Pixels, size: tuple[int, int]) -> Pixels:
    """Chroma at every pixel: it lies on the left one of those it is for, and between the rows."""
    for axis, (have, wanted) in enumerate(zip(plane.shape, size, strict=True)):
        factor = -(-wanted // have)
        if factor == 1:
            continue
        shift = 0.0 if axis == 1 else (factor - 1) / 2
        padded = np.pad(np.moveaxis(plane, axis, 0), ((1, 1), (0, 0)), "edge")
        whole = np.empty((have * factor, padded.shape[1]), np.float32)
        for phase in range(factor):
            at = (phase - shift) / factor
            low = math.floor(at)
            share = np.float32(at - low)
            before, after = padded[low + 1 : low + 1 + have], padded[low + 2 : low + 2 + have]
            whole[phase::factor] = before * (1 - share) + after * share if share else before
        plane = np.moveaxis(whole[:wanted], 0, axis)
    return plane


def _halved(plane: Pixels) -> Pixels:
    """Every second column, without what it could not show."""
    width = plane.shape[1]
    columns = np.arange(0, width, 2)
    parts = [plane[:, np.clip(columns + step, 0, width - 1)] * np.float32(weight / 32) for step, weight in _HALF_BAND]
    total: Pixels = np.sum(parts, axis=0, dtype=np.float32)
    return total
