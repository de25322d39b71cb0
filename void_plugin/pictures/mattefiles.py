"""Mattes on disk: what a request begins with, and the versions that painting makes of them.

A version is a folder beside the request that appears whole or not at all; the artist's own files are never written.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from void_plugin.errors import Cancelled, FrameError, RequestError, ServerError
from void_plugin.frames import FrameRange
from void_plugin.localfiles import disk_error
from void_plugin.pictures.painting import LABELS, Sheet
from void_plugin.pictures.planes import Plane, Values
from void_plugin.pictures.reading import Absent, Frame, read

QUADMASK_ENDS = (31, 95, 191)
"""Upper ends of remove, of remove and affected, and of affected in a ready quadmask of 0 to 255."""
_VERSION = re.compile(r"v(\d+)\Z")


@dataclass(frozen=True)
class MatteFiles:
    """Where the mattes of a shot come from."""

    plate: str
    """Pattern of the plate, whose display window the mattes have."""
    mattes: Mapping[str, tuple[str, tuple[str, ...]]]
    """Pattern and channels by label; a label without files begins empty."""
    quadmask: tuple[str, tuple[str, ...]] | None = None
    """A ready quadmask in place of both."""

    def size(self, frames: Sequence[int]) -> tuple[int, int]:
        """(height, width) of the plate's display window. Raises FrameError where no frame of it can be read."""
        problem: FrameError | None = None
        for frame in frames:
            try:
                return read(self.plate, frame).size
            except Absent:
                continue
            except FrameError as error:
                problem = problem or error
        raise problem or FrameError(f"The plate {self.plate} has no file; render it first.", "frame.missing")

    def matte(self, frame: int, label: str, size: tuple[int, int]) -> Values | None:
        """The matte of a file in its own type; None where there is none. Raises FrameError."""
        pattern, channels = self.quadmask or self.mattes.get(label, ("", ()))
        if not pattern:
            return None
        try:
            found = read(pattern, frame)
        except Absent:
            return None
        if found.size != size:
            raise FrameError(
                f"Frame {frame} of the matte {pattern} is {found.size[1]}x{found.size[0]}, but the plate is "
                f"{size[1]}x{size[0]}; render both in the same format.",
                "frame.unsupported",
            )
        values = _values(found, channels, frame, pattern)
        return values if self.quadmask is None else _split(values, label)


@dataclass(frozen=True)
class Version:
    """Mattes as they were written."""

    folder: Path
    patterns: Mapping[str, str]
    """By label."""
    missing: tuple[int, ...]
    """Frames that had no matte and were not painted; they still have none."""


def save(
    files: MatteFiles,
    touched: Mapping[Sheet, Plane],
    before: Sequence[str],
    frames: Sequence[int],
    size: tuple[int, int],
    folder: Path,
    progress: Callable[[float], None] = lambda share: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Version:
    """Write the next version of the mattes into `folder`; `before` are the labels that an earlier one has.

    Raises FrameError, ServerError where the disk is full or refuses, RequestError where nothing was painted, or
    Cancelled; then nothing is left behind.
    """
    labels = [label for label in LABELS if label in before or any(sheet[1] == label for sheet in touched)]
    if not labels:
        raise RequestError("Nothing was painted yet, so there is nothing to save.")
    if files.quadmask is not None:
        labels = list(LABELS)  # a request has a quadmask or mattes, so both take its place
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder, prefix=".new-"))
    except OSError as error:
        raise _refused(error, folder) from error
    try:
        empty = _write_all(files, touched, labels, frames, size, temporary, progress, cancelled)
        made = _placed(temporary, folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise _refused(error, folder) from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return Version(made, {label: (made / f"{label}.%04d.exr").as_posix() for label in labels}, tuple(empty))


def _refused(error: OSError, folder: Path) -> ServerError:
    """The error for a folder that takes no mattes."""
    code = disk_error(error, folder).code
    if code == "server.disk_full":
        text = f"The disk that holds {folder} is full; free some space"
    else:
        text = f"Cannot write into {folder}: {error.strerror or error}; look whether you may write there"
    return ServerError(f"{text} and save the mattes again. What is painted is still here.", code)


def _write_all(
    files: MatteFiles,
    touched: Mapping[Sheet, Plane],
    labels: Sequence[str],
    frames: Sequence[int],
    size: tuple[int, int],
    folder: Path,
    progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> list[int]:
    """Write all frames of some labels; returns those that have no matte of the object."""
    empty = []
    for number, frame in enumerate(frames):
        for label in labels:
            if cancelled():
                raise Cancelled
            plane = touched.get((frame, label))
            below = files.matte(frame, label, size) if plane is None or plane.over_file else None
            if plane is None and below is None:
                if label == "remove":
                    empty.append(frame)
                    continue
                below = np.zeros(size, np.float16)  # nothing is affected there
            assert plane is not None or below is not None
            pixels = below if plane is None else plane.pixels(below)
            assert pixels is not None
            write(folder / f"{label}.{frame:04d}.exr", pixels)
        progress((number + 1) / len(frames))
    return empty


def write(path: Path, pixels: Values) -> None:
    """One matte as an EXR of its own type, with the pixels as both windows. Raises OSError."""
    height, width = pixels.shape
    spec = oiio.ImageSpec(width, height, 1, oiio.HALF if pixels.dtype == np.float16 else oiio.FLOAT)
    spec.channelnames = ("A",)
    spec.attribute("compression", "zip")
    spec.attribute("colorInteropID", "data")
    output: Any = oiio.ImageOutput.create(str(path))
    done = output is not None and output.open(str(path), spec)
    done = done and output.write_image(np.ascontiguousarray(pixels[..., None]))
    done = bool(done and output.close())
    if not done:
        text = output.geterror() if output is not None else oiio.geterror()
        raise OSError(_reason(path, pixels.nbytes), text)
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())


def _reason(path: Path, size: int) -> int:
    """Why a file of some bytes cannot be written, as the system counts errors; the library only says that it failed."""
    try:
        with open(path, "wb") as stream:
            stream.write(bytes(size))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return error.errno or errno.EIO
    return errno.EIO


def _placed(temporary: Path, folder: Path) -> Path:
    """Give a whole folder the name of the next version. Raises OSError."""
    os.chmod(temporary, 0o755)  # mkdtemp's 0700 would hide it from the rest of the show
    for _ in range(100):
        taken = [int(match.group(1)) for entry in folder.iterdir() if (match := _VERSION.match(entry.name))]
        target = folder / f"v{max(taken, default=0) + 1:03d}"
        try:
            target.mkdir()  # exclusive, so that of two who save at once only one has this number
        except FileExistsError:
            continue
        try:
            if os.name == "nt":
                target.rmdir()
            os.rename(temporary, target)
        except OSError:
            target.rmdir()
            raise
        return target
    raise OSError(errno.EEXIST, "too many versions are made at once")


def _values(found: Frame, channels: tuple[str, ...], frame: int, pattern: str) -> Values:
    try:
        values: NDArray[Any] = found.layer(channels, True)[..., 0]
    except FrameError as error:
        raise FrameError(f"Frame {frame} of {pattern} {error.message}", error.code) from error
    if values.dtype == np.uint8:
        return (values.astype(np.float32) / 255).astype(np.float16)
    return np.ascontiguousarray(values)


def _split(values: Values, label: str) -> Values:
    """One label of a ready quadmask, 0 or 1."""
    codes = np.rint(values.astype(np.float32) * (255 if values.max(initial=0) <= 1 else 1))
    low, middle, high = QUADMASK_ENDS
    chosen = codes <= middle if label == "remove" else (codes > low) & (codes <= high)
    return chosen.astype(np.float16)


def frames_of(shot: FrameRange, around: FrameRange | None, on_disk: Sequence[int]) -> list[int]:
    """The frames that a request may look at: its own, those that feed its estimates, and those that have a file."""
    return sorted({*shot, *(around or shot), *on_disk})
