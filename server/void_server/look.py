"""What frames hold: their size and how bright they get, and by how much two sequences differ.

For whoever has frames that another program has rendered, and must not load pixels itself.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

from void_plugin.errors import FrameError
from void_plugin.frames import ImageSequence
from void_server.channels import RGB
from void_server.exr import ImageFile, ImageFiles, Part, Pixels

STEP = 1 / 1024
"""A difference above this is counted; half floats around 1 are half of it apart."""


def run(options: argparse.Namespace) -> int:
    """Print what was found as one JSON line."""
    numbers = sorted({frame for span in options.frames for frame in span})
    against = ImageSequence(options.against) if options.against else None
    with ImageFiles() as files:
        found = [_seen(files, ImageSequence(options.pattern), against, number) for number in numbers]
    print(json.dumps({"frames": found}))
    return 0


def _seen(files: ImageFiles, sequence: ImageSequence, against: ImageSequence | None, number: int) -> dict[str, Any]:
    file = ImageFile(sequence.path(number), "frame", number)
    part, pixels = _read(files, file)
    finite = pixels[np.isfinite(pixels)]
    row: dict[str, Any] = {
        "frame": number,
        "size": [part.display.y1 - part.display.y0, part.display.x1 - part.display.x0],
        "channels": list(part.names),
        "least": float(finite.min()) if finite.size else 0.0,
        "most": float(finite.max()) if finite.size else 0.0,
    }
    if against is not None:
        row.update(_difference(pixels, _read(files, ImageFile(against.path(number), "frame", number))[1], file))
    return row


def _read(files: ImageFiles, file: ImageFile) -> tuple[Part, Pixels]:
    """The first part and its colours in float; what is no colour picture, all its channels."""
    part = files.header(file)[0]
    names = next((names for names in RGB if {*names} <= {*part.names}), part.names)
    return part, files.read(file, part, list(names)).astype(np.float32)


def _difference(first: Pixels, second: Pixels, file: ImageFile) -> dict[str, Any]:
    if first.shape != second.shape:
        raise FrameError(
            f"{file} is {first.shape[1]}x{first.shape[0]} with {first.shape[2]} channels, what it is compared with "
            f"{second.shape[1]}x{second.shape[0]} with {second.shape[2]}.",
            "frame.verify",
        )
    same = (first == second) | (np.isnan(first) & np.isnan(second))
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.where(same, 0.0, np.abs(first - second))
    apart[np.isnan(apart)] = np.inf  # a number on one side alone
    return {"largest": min(float(apart.max(initial=0.0)), 1e30), "over": int((apart.max(axis=-1) > STEP).sum())}
