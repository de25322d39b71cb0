"""The demo's two ends: write a synthetic shot with known truth, and measure what came back.

Between them the shot goes through the same removal as any user's.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import FrameError, RequestError
from void_server.curves import srgb_encode
from void_server.exr import FIXED_DATE, ImageFile, ImageFiles, NewPart
from void_server.jobfolder import JobFolder, make_folder, read_json, write_json
from void_server.scenes import CAMERAS, Scene
from void_server.tiles import Box

SHEET_ROWS = 3
"""Frames on the contact sheet: early, middle, late."""
SHEET_WIDTH = 480
"""Pixels of one picture on the sheet."""
DIFFERENCE_GAIN = 8
"""The difference to the truth is shown that much brighter than it is."""
FRAME_RATE = 24


def run(options: argparse.Namespace) -> int:
    """`void-server demo make|report`: prints one JSON line."""
    folder = Path(options.out)
    with ImageFiles(os.cpu_count() or 1) as files:
        answer = make(folder, options, files) if options.action == "make" else report(folder, files)
    print(json.dumps(answer))
    return 0


def make(folder: Path, options: argparse.Namespace, files: ImageFiles) -> dict[str, str]:
    """Write plate, mattes and truth, and say where they are."""
    if options.scene not in CAMERAS:
        raise RequestError(f"There is no scene {options.scene!r}; the demo has {', '.join(CAMERAS)}.")
    if options.frames < 1 or options.width < 64:
        raise RequestError("The demo needs at least 1 frame and a width of at least 64 pixels.")
    make_folder(folder)
    width = options.width - options.width % 2
    scene = Scene(options.scene, (width * 9 // 16, width), options.frames, options.seed)
    patterns = {name: str(folder / f"{name}.%04d.exr") for name in ("plate", "object_matte", "affected_matte", "truth")}
    for number in scene.numbers:
        frame = scene.frame(number)
        pictures: dict[str, NDArray[np.float32]] = {
            "plate": frame.plate,
            "object_matte": frame.object_matte[..., None],
            "affected_matte": (frame.affected_matte > 0.02).astype(np.float32)[..., None],
            "truth": frame.truth,
        }
        for name, picture in pictures.items():
            files.write(patterns[name] % number, [_part(picture, number)])
    facts = {**patterns, "frames": f"{scene.numbers[0]}-{scene.numbers[-1]}", "scene": options.scene}
    write_json(folder / "demo.json", {name: os.path.basename(value) for name, value in facts.items()})
    return facts


def report(folder: Path, files: ImageFiles) -> dict[str, Any]:
    """Compare the comp with the truth inside the mattes and draw the contact sheet."""
    facts = read_json(folder / "demo.json")
    first, last = (int(text) for text in facts["frames"].split("-"))
    errors: list[tuple[float, int]] = []
    rows = []
    count = last - first + 1
    shown = {first + (2 * row + 1) * count // (2 * SHEET_ROWS) for row in range(SHEET_ROWS)}
    for number in range(first, last + 1):
        plate, matte, shadow, truth, comp = (
            _read(files, folder / f"{name}.{number:04d}.exr", number)
            for name in ("plate", "object_matte", "affected_matte", "truth", "comp")
        )
        hole = (matte[..., 0] > 0.5) | (shadow[..., 0] > 0.5)
        difference = _display(comp) - _display(truth)
        if hole.any():
            errors.append((float((difference[hole] ** 2).mean()), int(hole.sum())))
        if number in shown:
            rows.append(_row(plate, matte, comp, difference))
    if not errors:
        raise FrameError("The demo's matte is empty on all frames; make it again.", "frame.verify")
    sheet = folder / "contact_sheet.png"
    _save(sheet, _sheet(rows))
    pooled = sum(error * size for error, size in errors) / sum(size for _, size in errors)
    summary = read_json(_job(folder).result)["summary"]
    return {
        "scene": facts["scene"],
        "psnr": round(_psnr(pooled), 2),
        "worst_psnr": round(_psnr(max(error for error, _ in errors)), 2),
        "coverage": summary["coverage"],
        "noise_ratio": summary.get("noise_ratio", 0.0),
        "fps": round(count / summary["seconds"], 2) if summary["seconds"] else 0.0,
        "sheet": str(sheet),
    }


def _job(folder: Path) -> JobFolder:
    """The newest job beside the demo's results."""
    jobs = sorted((folder / ".void").glob("*/result.json"), key=lambda path: path.stat().st_mtime)
    if not jobs:
        raise FrameError(f"There is no result in {folder}; run the removal before the report.", "frame.missing")
    return JobFolder(jobs[-1].parent)


def _part(picture: NDArray[np.float32], number: int) -> NewPart:
    height, width, channels = picture.shape
    names = ("R", "G", "B") if channels == 3 else ("A",)
    seconds, frames = divmod(number, FRAME_RATE)
    # SMPTE 12M packs each two digits as binary-coded decimals: hours, minutes, seconds, frames.
    fields = (seconds // 3600 % 24, seconds // 60 % 60, seconds % 60, frames)
    timecode = 0
    for value in fields:
        timecode = timecode << 8 | int(str(value), 16)
    return NewPart(
        channels=tuple((name, "half") for name in names),
        data=Box(0, 0, width, height),
        display=Box(0, 0, width, height),
        compression="zip",
        attributes=(
            ("DateTime", "string", FIXED_DATE),
            ("colorInteropID", "string", "lin_ap1_scene" if channels == 3 else "data"),
            ("FramesPerSecond", "rational", [FRAME_RATE, 1]),
            ("smpte:TimeCode", "timecode", [timecode, 0]),
        ),
        pixels=np.clip(picture, -65504, 65504).astype(np.float16),
    )


def _read(files: ImageFiles, path: Path, number: int) -> NDArray[np.float32]:
    file = ImageFile(str(path), path.name.split(".")[0], number)
    part = files.header(file)[0]
    names = part.names[:3]
    return files.read(file, part, names).astype(np.float32)


def _display(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.clip(srgb_encode(np.clip(linear, 0, 1)), 0, 1), np.float32)


def _psnr(error: float) -> float:
    return float(10 * np.log10(1 / max(error, 1e-10)))


def _row(
    plate: NDArray[np.float32],
    matte: NDArray[np.float32],
    comp: NDArray[np.float32],
    difference: NDArray[np.float32],
) -> NDArray[np.float32]:
    pictures = (
        _display(plate),
        np.repeat(matte[..., :1], 3, axis=-1),
        _display(comp),
        np.clip(np.abs(difference) * DIFFERENCE_GAIN, 0, 1),
    )
    height = round(SHEET_WIDTH * plate.shape[0] / plate.shape[1])
    small = [cv2.resize(item, (SHEET_WIDTH, height), interpolation=cv2.INTER_AREA) for item in pictures]
    return np.hstack([np.pad(np.asarray(item, np.float32), ((2, 2), (2, 2), (0, 0))) for item in small])


def _sheet(rows: list[NDArray[np.float32]]) -> NDArray[np.uint8]:
    picture = np.clip(np.vstack(rows) * 255 + 0.5, 0, 255).astype(np.uint8)
    banner = np.zeros((28, picture.shape[1], 3), np.uint8)
    titles = ("plate", "object matte", "result", f"result - truth, x{DIFFERENCE_GAIN}")
    for index, title in enumerate(titles):
        place = (index * (SHEET_WIDTH + 4) + 8, 19)
        cv2.putText(banner, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230, 230, 230), 1, cv2.LINE_AA)
    return np.vstack([banner, picture])


def _save(path: Path, picture: NDArray[np.uint8]) -> None:
    encoded, data = cv2.imencode(".png", picture[..., ::-1])
    if not encoded:
        raise FrameError(f"The contact sheet {path} cannot be encoded.", "frame.verify")
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(data.tobytes())
    temporary.replace(path)
