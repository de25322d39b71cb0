"""Contact sheets at 100 % around the seam, as a compositor looks: plate, truth, hard paste, ours, and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from void_plugin.settings import RenderSettings
from void_server.curves import srgb_encode

from .metrics import Picture, region_of
from .scenes import SceneFrame
from .shots import Shot
from .standin import Kind

TILE = (300, 340)
"""Height and width of one crop, in plate pixels."""
GAP = 3
BRIGHT = 0.4
"""Light that the brightest hundredth of a truth is shown at, at least: near-black is looked at with the gain up."""
SETTINGS = RenderSettings()
"""As a user has it who sets nothing."""
TITLES = ("plate", "truth", "hard paste", "ours", "hard - truth x8", "ours - truth x8")


def write(folder: Path, shot: Shot, kind: Kind, settings: RenderSettings = SETTINGS) -> Path:
    """One picture a shot: two frames, the seam at the object's side and at its foot."""
    ran = shot.ours(kind, settings)
    ours, hard = shot.pictures(ran), shot.others(kind, ran.plan)["hard paste"]
    gain = max(1.0, BRIGHT / float(np.percentile(shot.frames[0].truth, 99)))
    rows = [_titles()]
    for index in sorted({0, len(shot.frames) // 2}):
        frame = shot.frames[index]
        for rows_, columns in _places(frame, shot.unit):
            box = np.s_[rows_, columns]
            crops = [_shown(picture[box] * gain) for picture in (frame.plate, frame.truth, hard[index], ours[index])]
            wrong = [np.clip(0.5 + 8 * (crop - crops[1]), 0, 1) for crop in crops[2:]]
            rows.append(np.hstack([_padded(crop) for crop in (*crops, *wrong)]))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{shot.name}_{kind}.png"
    cv2.imwrite(str(path), (np.vstack(rows)[..., ::-1] * 255 + 0.5).astype(np.uint8))
    return path


def _shown(light: Picture) -> Picture:
    return np.asarray(np.clip(srgb_encode(light), 0, 1), np.float32)


def _places(frame: SceneFrame, unit: float) -> Sequence[tuple[slice, slice]]:
    """Around the left end of the region at half height of the object, and around the right end of its lowest part."""
    region = region_of(frame.object_matte, frame.affected_matte, unit)
    rows = np.flatnonzero((frame.object_matte > 0.5).any(axis=1))
    middle = int(rows[len(rows) // 2])
    side = middle, int(np.flatnonzero(region[middle])[0])
    low = int(rows[-1]) - 4
    foot = low, int(np.flatnonzero(region[low])[-1])
    return [_around(at, region.shape) for at in (side, foot)]


def _around(at: tuple[int, int], size: tuple[int, ...]) -> tuple[slice, slice]:
    spans = []
    for place, length, side in zip(at, TILE, size, strict=False):
        first = min(max(0, place - length // 2), max(0, side - length))
        spans.append(slice(first, min(first + length, side)))
    return spans[0], spans[1]


def _padded(crop: Picture) -> Picture:
    height, width = TILE
    margin = (0, height - crop.shape[0] + GAP), (0, width - crop.shape[1] + GAP), (0, 0)
    return np.asarray(np.pad(crop, margin), np.float32)


def _titles() -> Picture:
    strip = np.zeros((24, (TILE[1] + GAP) * len(TITLES), 3), np.uint8)
    for index, title in enumerate(TITLES):
        at = index * (TILE[1] + GAP) + 6, 17
        cv2.putText(strip, title, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return (strip / 255).astype(np.float32)
