"""The shot that composing is measured on: grainy plates, an object over a tenth of the frame, its shadow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_server.exr import FIXED_DATE, ImageFiles, NewPart
from void_server.tiles import Box

SIZE = (1080, 1920)
FIRST = 1001
OBJECT_RADII = (200, 330)
"""Half axes (down, across) of the object: 10 % of the frame."""
PAN = 3
GRAIN = 0.02
"""Standard deviation of the grain at light 1, as its square root below: what leaves zip 0.6 of a plate's bytes."""


def octaves(size: tuple[int, int], random: np.random.Generator) -> np.ndarray[Any, Any]:
    """Light as a photograph has it: detail of all sizes, the coarser the stronger, and a few highlights."""
    light = np.zeros((*size, 3), np.float32)
    for cell in (3, 9, 30, 120, 480):
        cells = random.normal(size=(size[0] // cell + 3, size[1] // cell + 3, 3)).astype(np.float32)
        grown = cv2.resize(cells, (size[1] + cell, size[0] + cell), interpolation=cv2.INTER_CUBIC)
        light += grown[: size[0], : size[1]] * np.float32(0.16 * cell**0.25)
    return np.asarray(0.18 * np.exp2(light), np.float32)


def write_shot(folder: Path, count: int) -> None:
    """Plates (half RGB, zip) that pan over a set, the matte of an ellipse that crosses them, that of its shadow."""
    height, width = SIZE
    world = octaves((height, width + PAN * count), np.random.default_rng(7))
    with ImageFiles() as files:
        for index in range(count):
            light = world[:, PAN * index : PAN * index + width].copy()
            centre = (width // 4 + 8 * index % (width // 2), height // 2)
            figure, shadow = np.zeros(SIZE, np.float32), np.zeros(SIZE, np.float32)
            cv2.ellipse(figure, centre, OBJECT_RADII[::-1], 0, 0, 360, 1, -1)
            below = (centre[0] + 120, centre[1] + OBJECT_RADII[0] + 60)
            cv2.ellipse(shadow, below, (360, 70), 0, 0, 360, 1, -1)
            figure, shadow = (cv2.GaussianBlur(matte, (0, 0), 2.0) for matte in (figure, shadow))
            light = light * (1 - 0.5 * shadow[..., None]) * (1 - figure[..., None]) + 0.4 * figure[..., None]
            draws = np.random.default_rng(index).standard_normal(light.shape, np.float32)
            light += draws * np.float32(GRAIN) * np.sqrt(light)
            for name, pixels, channels in (("plate", light, "RGB"), ("object", figure, "A"), ("shadow", shadow, "A")):
                part = NewPart(
                    channels=tuple((channel, "half") for channel in channels),
                    data=Box(0, 0, width, height),
                    display=Box(0, 0, width, height),
                    compression="zip",
                    attributes=(("DateTime", "string", FIXED_DATE), ("colorInteropID", "string", "lin_ap1_scene")),
                    pixels=pixels.reshape(height, width, -1).astype(np.float16),
                )
                files.write(str(folder / f"{name}.{FIRST + index}.exr"), [part])


def request_for(folder: Path, kind: str, count: int, engine: str) -> RemovalRequest:
    """The job that makes outputs of one kind from the first frames of the shot."""
    frames = FrameRange(FIRST, FIRST + count - 1)
    return RemovalRequest(
        plate=ImageInput(str(folder / "plate.%04d.exr")),
        object_matte=ImageInput(str(folder / "object.%04d.exr")),
        affected_matte=ImageInput(str(folder / "shadow.%04d.exr")),
        frames=frames,
        shot_range=frames,
        outputs=(Output(kind, str(folder / f"{kind}{count}" / "out.%04d.exr")),),
        engine=engine,
    )
