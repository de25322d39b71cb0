"""The last step: read every delivered frame back and prove what was promised.

Files are whole and are those that were written; windows are the plate's; outside the matte the plate's bits are there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from void_plugin.errors import FrameError, VoidError
from void_plugin.frames import Digest
from void_plugin.request import Output, RemovalRequest
from void_server.exr import ImageFile, ImageFiles, Part
from void_server.footage import Footage
from void_server.view import PlateFrames


def verify(
    listed: Mapping[str, Mapping[str, Any]], request: RemovalRequest, frames: PlateFrames, files: ImageFiles
) -> int:
    """Check all frames that are listed as in result.json and return their number.

    Raises FrameError naming every bad one.
    """
    problems: list[str] = []
    checked = 0
    for number, kinds in sorted(listed.items(), key=lambda item: int(item[0])):
        for output in request.outputs:
            if output.kind not in kinds:
                continue
            try:
                _verify_frame(int(number), kinds[output.kind], output, request, frames, files)
                checked += 1
            except VoidError as error:
                problems.append(error.message)
    if problems:
        raise FrameError("\n".join(problems), "frame.verify")
    return checked


def _verify_frame(
    frame: int,
    entry: Mapping[str, Any],
    output: Output,
    request: RemovalRequest,
    frames: PlateFrames,
    files: ImageFiles,
) -> None:
    path = request.output_sequence(output).path(frame)
    file = ImageFile(path, output.kind, frame)
    if not os.path.exists(path):
        raise FrameError(f"{file} is gone; run the job again.", "frame.verify")
    if Digest.of_file(path).sha256 != entry["sha256"]:
        raise FrameError(f"{file} is not the file that was written; run the job again.", "frame.verify")
    parts = files.header(file)
    footage = frames.footage
    plate, names = footage.plate_part(frame)
    part = parts[0] if output.kind == "patch" else parts[plate.index]
    if part.display != plate.display or abs(part.pixel_aspect - plate.pixel_aspect) > 1e-6:
        raise FrameError(f"{file} has another display window or pixel aspect than the plate.", "frame.verify")
    if output.kind == "patch":
        _verify_patch(file, part, frame, frames, files)
    else:
        _verify_comp(file, part, names, frame, footage, frames, files)


def _verify_patch(file: ImageFile, part: Part, frame: int, frames: PlateFrames, files: ImageFiles) -> None:
    changed = frames.weights(frame)
    if changed is not None and part.data != changed[0]:
        raise FrameError(f"{file} covers another region than the matte allows.", "frame.verify")
    alpha = files.read(file, part, ["A"])[..., 0]
    allowed = changed[1] > 0 if changed is not None else np.zeros(alpha.shape, bool)
    if (alpha[~allowed] != 0).any():
        raise FrameError(f"{file} has alpha outside the matte's reach.", "frame.verify")


def _verify_comp(
    file: ImageFile,
    part: Part,
    names: list[str],
    frame: int,
    footage: Footage,
    frames: PlateFrames,
    files: ImageFiles,
) -> None:
    plate, _ = footage.plate_part(frame)
    if part.data != plate.data:
        raise FrameError(f"{file} has another data window than the plate.", "frame.verify")
    touched = np.zeros(plate.data.size, bool)
    changed = frames.weights(frame)
    if changed is not None:
        area = changed[0].moved(-plate.data.x0, -plate.data.y0)
        touched[area.rows, area.columns] = changed[1] > 0
    ours = files.read(file, part, names)
    theirs = files.read(footage.file("plate", frame), plate, names)
    bits = np.uint16 if ours.dtype == np.float16 else np.uint32
    if (ours.view(bits) != theirs.view(bits))[~touched].any():
        raise FrameError(f"{file} differs from the plate outside the matte.", "frame.verify")
