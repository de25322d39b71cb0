"""Scenes whose mattes are known, with what a person would roughly draw on one frame in twelve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from void_plugin.pictures.cutting import Key
from void_plugin.pictures.keyframes import mattes_between

EVERY = 12
WIDTH = 1280
MARGIN = 0.06
"""How far around the object, as a share of its sides, the rough box is drawn."""


@dataclass(frozen=True)
class KeyedScene:
    """Pictures (8 bits, blue first), known mattes (0..1), and whether lines are drawn beside the box."""

    plates: Sequence[Any]
    mattes: Sequence[Any]
    lines: bool = False

    def keys(self) -> dict[int, Key]:
        """A rough box on one frame in twelve, and a zigzag over the object where it is mixed with its ground."""
        return {frame: self._key(frame) for frame in range(0, len(self.plates), EVERY)}

    def _key(self, frame: int) -> Key:
        known = self.mattes[frame] > 0.5
        down, across = np.nonzero(known)
        x0, x1, y0, y1 = across.min(), across.max() + 1, down.min(), down.max() + 1
        wide, high = MARGIN * (x1 - x0), MARGIN * (y1 - y0)
        lines = (tuple(_zigzag(known)),) if self.lines else ()
        return Key((x0 - wide, y0 - high, x1 + wide, y1 + high), inside=lines, width=WIDTH / 160)

    def likeness(self) -> list[float]:
        """Intersection over union of each frame's matte with the known one."""
        found = mattes_between(lambda frame: self.plates[frame], self.keys(), range(len(self.plates)))
        return [_likeness(matte > 0.5, self.mattes[frame] > 0.5) for frame, matte in found]


def clip(folder: Path, lines: bool) -> KeyedScene:
    """One of the shared clips, with what its quadmask says is removed."""
    plates, mattes = [], []
    size = WIDTH, WIDTH * 9 // 16
    pictures = (_frames(folder / "input_video.mp4"), _frames(folder / "quadmask_0.mp4"))
    for plate, quadmask in zip(*pictures, strict=False):
        plates.append(cv2.resize(plate, size, interpolation=cv2.INTER_AREA))
        mattes.append(cv2.resize((quadmask[..., 0] <= 95).astype(np.float32), size, interpolation=cv2.INTER_AREA))
    return KeyedScene(plates, mattes, lines)


def synthetic(camera: Any, count: int) -> KeyedScene:
    """A scene of the demo: a blurred figure that crosses a wall."""
    from void_server.scenes import Scene

    scene = Scene(camera, (WIDTH * 9 // 16, WIDTH), count)
    frames = [scene.frame(number) for number in scene.numbers]
    shown = [np.rint(np.clip(frame.plate, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8) for frame in frames]
    plates = [np.ascontiguousarray(picture[..., ::-1]) for picture in shown]
    return KeyedScene(plates, [frame.object_matte for frame in frames])


def _frames(path: Path) -> Iterator[Any]:
    capture = cv2.VideoCapture(str(path))
    while True:
        good, image = capture.read()
        if not good:
            return
        yield image


def _zigzag(known: Any) -> Iterator[tuple[float, float]]:
    reach = 2 * (WIDTH // 160) + 1
    down, across = np.nonzero(cv2.erode(known.astype(np.uint8), np.ones((reach, reach), np.uint8)))
    for number, row in enumerate(np.linspace(down.min(), down.max(), 9).astype(int)):
        there = across[down == row]
        yield float(there.max() if number % 2 == 0 else there.min()), float(row)


def _likeness(mine: Any, known: Any) -> float:
    return float((mine & known).sum() / max(1, (mine | known).sum()))
