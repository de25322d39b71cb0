"""Shots of any size and length: a textured world that pans to and fro, and an object of known size before it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from void_plugin.request import ImageInput, Output, RemovalRequest
from void_server.exr import FIXED_DATE, ImageFiles, NewPart
from void_server.tiles import Box

FIRST = 1001
MATTE = (420, 260)
"""Height and width of the object in pixels, where the plate grows and the matte does not."""
PAN = 2
"""Pixels that the world moves a frame."""
DISTINCT = 24
"""Frames until everything turns round: longer shots are links to these, so that 400 frames of 4K fit on a disk."""


@dataclass(frozen=True)
class Pan:
    """A shot on disk."""

    folder: Path

    def request(self, out: Path, engine: str = "recover", kind: str = "patch") -> RemovalRequest:
        """The job that removes its object."""
        return RemovalRequest(
            plate=ImageInput(str(self.folder / "plate.%04d.exr")),
            object_matte=ImageInput(str(self.folder / "matte.%04d.exr")),
            outputs=(Output(kind, str(out / f"{kind}.%04d.exr")),),
            engine=engine,
        )


def write_pan(folder: Path, size: tuple[int, int], count: int, matte: tuple[int, int]) -> Pan:
    """Plates (half RGB, uncompressed) and mattes; the object crosses by a tenth of its width and 8 px a frame."""
    folder.mkdir(parents=True)
    height, width = size
    world = _world(height, width + PAN * DISTINCT)
    with ImageFiles(2) as files:
        for index in range(min(count, DISTINCT)):
            plate = world[:, PAN * index : PAN * index + width].copy()
            alpha = np.zeros((height, width, 1), np.float16)
            y = (height - matte[0]) // 2
            x = (width - matte[1]) // 4 + (8 + matte[1] // 10) * index % max(1, (width - matte[1]) // 2)
            alpha[y : y + matte[0], x : x + matte[1]] = 1
            plate[y : y + matte[0], x : x + matte[1]] = [0.8, 0.1, 0.05]
            for name, pixels, channels in (("plate", plate, "RGB"), ("matte", alpha, "A")):
                box = Box(0, 0, width, height)
                part = NewPart(
                    channels=tuple((channel, "half") for channel in channels),
                    data=box,
                    display=box,
                    compression="none" if name == "plate" else "zip",
                    attributes=(("DateTime", "string", FIXED_DATE), ("colorInteropID", "string", "lin_ap1_scene")),
                    pixels=pixels,
                )
                files.write(str(folder / f"{name}.{FIRST + index}.exr"), [part])
    for index in range(DISTINCT, count):
        turn = index % (2 * DISTINCT - 2)
        there = min(turn, 2 * DISTINCT - 2 - turn)
        for name in ("plate", "matte"):
            os.link(folder / f"{name}.{FIRST + there}.exr", folder / f"{name}.{FIRST + index}.exr")
    return Pan(folder)


def _world(height: int, width: int) -> np.ndarray:
    random = np.random.default_rng(7)
    world = np.zeros((height, width, 3), np.float32)
    for cell in (6, 24, 150):
        cells = random.random((height // cell + 2, width // cell + 2, 3), np.float32)
        world += cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR) * np.float32(0.2)
    return world.astype(np.float16)
