"""A real clip as a shot: its frames and quadmask beside the repository, with an inpainted picture as the truth.

Nobody knows what was behind the object; what is judged here is by eye, and only whether the seam shows.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.curves import srgb_decode
from void_server.quadmask import split_quadmask
from void_server.scenes import FIRST_FRAME

from .jobs import Studio
from .metrics import curve_for
from .scenes import SceneFrame
from .shots import Shot

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "clips"
WIDTH, COUNT = 1920, 4
GROW, RADIUS = 9, 7
"""Pixels of the reduced clip by which the hole is grown before it is inpainted, and what OpenCV looks at around it."""
INPAINT_WIDTH = 640


def real_shot(name: str, studio: Studio) -> Shot | None:
    """The first frames of a clip by name, or None where it is not beside the repository."""
    plates = _video(CLIPS / name / "input_video.mp4")
    labels = _video(CLIPS / name / "quadmask_0.mp4")
    if not plates or not labels:
        return None
    frames = []
    for index, (plate, label) in enumerate(zip(plates, labels, strict=True)):
        remove, affected = (_sized(part, plate.shape[:2]) for part in split_quadmask(label[..., 0].astype(np.float32)))
        clean = _inpainted(plate, (remove > 0) | (affected > 0))
        light, truth = (_halved(srgb_decode(picture[..., ::-1] / np.float32(255))) for picture in (plate, clean))
        frames.append(SceneFrame(FIRST_FRAME + index, light, truth, truth, truth, _halved(remove), _halved(affected)))
    written = studio.write(
        {frame.number: (frame.plate, frame.object_matte, frame.affected_matte) for frame in frames},
        {frame.number: frame.truth for frame in frames},
        space="lin_rec709_scene",
    )
    return Shot(name, studio, written, frames, plates[0].shape[1] / 1920, curve_for(1.0))


def _video(path: Path) -> list[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(path))
    frames: list[NDArray[np.uint8]] = []
    while len(frames) < COUNT:
        there, picture = capture.read()
        if not there:
            break
        if "quadmask" not in path.name:
            height = round(picture.shape[0] * WIDTH / picture.shape[1] / 2) * 2
            picture = cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA)
        frames.append(np.asarray(picture, np.uint8))
    return frames


def _sized(matte: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Fitted, with an edge a pixel soft, as a roto has it."""
    fitted = cv2.resize(matte, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(fitted, (3, 3), 0.6), np.float32)


def _inpainted(picture: NDArray[np.uint8], hole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The picture with the hole filled in at a reduced size; the rest is as it was."""
    size = INPAINT_WIDTH, round(picture.shape[0] * INPAINT_WIDTH / picture.shape[1])
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (GROW, GROW))
    mask = cv2.dilate(cv2.resize(hole.astype(np.uint8), size, interpolation=cv2.INTER_AREA), disc)
    filled = cv2.inpaint(small, mask, RADIUS, cv2.INPAINT_TELEA)
    whole = picture.shape[1], picture.shape[0]
    wide = cv2.resize(filled, whole, interpolation=cv2.INTER_CUBIC)
    # Softly back into the frame itself, or the reduced picture would make a seam of its own.
    share = cv2.resize(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 2.0), whole, interpolation=cv2.INTER_LINEAR)
    share = np.maximum(share, hole.astype(np.float32))[..., None]
    return np.asarray(picture * (1 - share) + wide * share + 0.5, np.uint8)


def _halved(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(picture.astype(np.float16), np.float32)
