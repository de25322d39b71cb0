"""Shots whose truth is known: scenes of ours, the prototype's, and real clips with a figure put into them."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from numpy.typing import NDArray

from void_server.engines import Picture
from void_server.scenes import Scene, quadmask

GROW_SHARE = 0.004
"""Of the width: how much the mattes are grown for the prototype's scenes, as the prototype grows them itself."""

Curve = Callable[[Picture], Picture]


@dataclass
class Shot:
    """One scene ready to run."""

    name: str
    plates: list[Picture]
    mattes: list[NDArray[np.uint8]]
    """1 where the result is judged."""
    labels: list[NDArray[np.uint8]]
    truth: list[Picture]
    grainy: list[Picture]
    curve: Curve


def display(light: Picture) -> Picture:
    """sRGB-encoded, clipped to 0..1."""
    x = np.clip(light, 0, 1)
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055).astype(np.float32)


def log_display(light: Picture) -> Picture:
    """Log-encoded so that 60 is 1, as the prototype's evaluation of its `hdr` scene."""
    coded = np.log2(1 + np.maximum(light, 0) * 8) / math.log2(1 + 60 * 8)
    return np.asarray(np.clip(coded, 0, 1), np.float32)


def own_shot(name: str, frames: int, width: int) -> Shot:
    """A scene of ours with shadow, motion blur and grain."""
    scene = Scene(name.removeprefix("own_"), (width * 9 // 16, width), frames)  # type: ignore[arg-type]
    shots = [scene.frame(number) for number in scene.numbers]
    grow = max(1, round(GROW_SHARE * width))
    labels = [quadmask(shot.object_matte, shot.affected_matte, grow) for shot in shots]
    # Judged where figure or shadow really are, not where the matte was grown.
    mattes = [((shot.object_matte > 0) | (shot.affected_matte > 0)).astype(np.uint8) for shot in shots]
    return Shot(name, [shot.plate for shot in shots], mattes, labels, [shot.truth for shot in shots],
                [shot.grainy_truth for shot in shots], display)  # fmt: skip


def prototype_shot(name: str, scenes: ModuleType, frames: int, width: int) -> Shot:
    """One of the prototype's scenes."""
    plates, mattes, truth = scenes.scene(name, frames, width, width * 9 // 16)
    grow = max(1, round(GROW_SHARE * width))
    labels = [quadmask(matte.astype(np.float32), None, grow) for matte in mattes]
    random = np.random.default_rng(0)
    grainy = [
        (t + random.standard_normal(t.shape, np.float32) * (0.004 * np.sqrt(np.maximum(t, 1e-4)) + 0.0008)).astype(
            np.float32
        )
        for t in truth
    ]
    return Shot(name, plates, mattes, labels, truth, grainy, log_display if name == "hdr" else display)


def clip_shot(name: str, clips: Path, scenes: ModuleType, frames: int, width: int) -> Shot:
    """A real clip with the prototype's figure walking through it; the clip itself is the truth, with its grain."""
    height = width * 9 // 16
    figure, alpha = scenes.obj(height * 13 // 27, width * 13 // 96, 1)
    path = clips / name.removeprefix("clip_") / "input_video.mp4"
    reader = cv2.VideoCapture(str(path))
    plates, mattes, truth = [], [], []
    for number in range(frames):
        read, coded = reader.read()
        if not read:
            break
        small = np.asarray(cv2.resize(coded, (width, height), interpolation=cv2.INTER_AREA), np.float32)
        light = linear(small * np.float32(1 / 255))
        along = number / max(1, frames - 1)
        plate, matte = scenes.put(light, figure, alpha, (0.05 + 0.75 * along) * width, 0.35 * height)
        plates.append(plate.astype(np.float32))
        mattes.append((matte > 0.01).astype(np.uint8))
        truth.append(light)
    if not plates:
        raise SystemExit(f"{path} cannot be read")
    grow = max(1, round(GROW_SHARE * width))
    labels = [quadmask(matte.astype(np.float32), None, grow) for matte in mattes]
    return Shot(name, plates, mattes, labels, truth, truth, display)


def linear(coded: Picture) -> Picture:
    """Light of sRGB-encoded values."""
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def load_prototype(folder: Path) -> tuple[ModuleType, ModuleType] | str:
    """The prototype's engine and scenes, or why they cannot be used."""
    if not (folder / "draft_engine.py").exists():
        return f"no prototype in {folder}"
    sys.path.append(str(folder))
    engine, scenes = importlib.import_module("draft_engine"), importlib.import_module("draft_scenes")
    # Its scenes know the engine by an older name.
    sys.modules["draft"] = engine
    try:
        scenes.bg("moving_ball")
    except (AttributeError, cv2.error) as error:
        return f"the prototype's clips cannot be read ({error})"
    return engine, scenes
