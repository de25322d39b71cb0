"""Small image sequences for the tests of what people see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio

Make = Callable[[int], Any]


def film(
    folder: Path,
    name: str,
    frames: Sequence[int],
    make: Make,
    channels: Sequence[str] = ("R", "G", "B"),
    window: tuple[int, int] = (0, 0),
    display: tuple[int, int] | None = None,
    **attributes: object,
) -> str:
    """Write a sequence of what `make` gives for each frame, (height, width, channels); returns its pattern.

    `window` is the upper left corner of the data window, `display` the (height, width) of the display window.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pattern = str(folder / f"{name}.%04d.exr")
    for frame in frames:
        pixels = np.ascontiguousarray(make(frame))
        kind = {"float16": "half", "float32": "float"}[str(pixels.dtype)]
        spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], len(channels), kind)
        spec.channelnames = tuple(channels)
        spec.x, spec.y = window[1], window[0]
        spec.full_height, spec.full_width = display or pixels.shape[:2]
        for key, value in attributes.items():
            spec[key] = value
        output = oiio.ImageOutput.create(pattern % frame)
        assert output.open(pattern % frame, spec), output.geterror()
        assert output.write_image(pixels), output.geterror()
        output.close()
    return pattern


def ramp(height: int, width: int, frame: int = 0) -> Any:
    """A picture in which no two pixels are alike."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([x / width, y / height, (x + y + frame) / (width + height)], -1).astype(np.float16)
