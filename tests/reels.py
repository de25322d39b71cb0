"""Movies that tests make themselves: every frame tells its number, and a chart tells its colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

NTSC24, NTSC30 = Fraction(24000, 1001), Fraction(30000, 1001)
Planes = Sequence[NDArray[Any]]


def planes_of(layout: str, size: tuple[int, int]) -> list[tuple[int, int]]:
    """(height, width) of each plane of a format."""
    frame = av.VideoFrame(size[1], size[0], layout)
    return [(plane.height, plane.width) for plane in frame.planes]


def numbered(layout: str, size: tuple[int, int], number: int) -> Planes:
    """A picture that shows `number` as eight bars, light for 1; within all limits of levels."""
    bits = av.VideoFormat(layout).components[0].bits
    made = []
    for index, (height, width) in enumerate(planes_of(layout, size)):
        plane = np.full((height, width), 128 if index in (1, 2) else 60)
        if index in (0, 3):
            for bit in range(8):
                if number >> bit & 1:
                    plane[:, bit * width // 8 : (bit + 1) * width // 8] = 200
        made.append(plane << (bits - 8))
    return made


def number_of(pixels: NDArray[Any]) -> int:
    """The number that a decoded picture shows."""
    width = pixels.shape[1]
    middle = [pixels[pixels.shape[0] // 2, (2 * bit + 1) * width // 16, 1] for bit in range(8)]
    return sum((value > 0.5) << bit for bit, value in enumerate(middle))


def chart(layout: str, size: tuple[int, int], seed: int = 5) -> Planes:
    """Random flat blocks in the whole range of every plane, 16 pixels each."""
    bits = av.VideoFormat(layout).components[0].bits
    random = np.random.default_rng(seed)
    made = []
    shapes = planes_of(layout, size)
    for index, (height, width) in enumerate(shapes):
        block = (16 * height // size[0], 16 * width // size[1])
        cells = (-(-height // block[0]), -(-width // block[1]))
        low, high = (0, (1 << bits) - 1) if index == 3 else (8 << (bits - 8), 247 << (bits - 8))
        values = random.integers(low, high + 1, cells)
        made.append(np.kron(values, np.ones(block, values.dtype))[:height, :width])
    return made


def write_movie(
    path: Path,
    codec: str,
    layout: str,
    frames: int = 30,
    *,
    size: tuple[int, int] = (128, 256),
    rate: Fraction = NTSC24,
    options: dict[str, str] | None = None,
    timecode: str = "",
    tags: tuple[int, int, int] = (1, 1, 1),
    levels: int = 1,
    picture: Callable[[str, tuple[int, int], int], Planes] = numbered,
    times: Sequence[int] = (),
    prepare: Callable[[Any], None] = lambda stream: None,
) -> Path:
    """A movie of `frames` pictures; `picture` makes the planes of each, `times` says when they are shown, in frames."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, options=dict(options or {}))
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], layout
        stream.time_base = 1 / rate
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = tags
        context.color_range = levels
        if timecode:
            stream.metadata["timecode"] = timecode
        prepare(stream)
        for index in range(frames):
            frame = av.VideoFrame(size[1], size[0], layout)
            for plane, values in zip(frame.planes, picture(layout, size, index + 1), strict=True):
                kind = np.uint8 if values.max() < 256 and frame.format.components[0].bits == 8 else np.uint16
                rows = np.frombuffer(plane, kind).reshape(plane.height, -1)
                rows[:, : values.shape[1]] = values
            frame.pts = times[index] if times else index
            frame.time_base = 1 / rate
            frame.color_primaries, frame.color_trc, frame.colorspace = tags
            frame.color_range = levels
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
