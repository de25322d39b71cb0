"""Image files through OpenImageIO in child processes: headers, native region reads, atomic writes.

Pixels keep the type they have in the file (half stays half), so what is not touched survives bit for bit.
Boxes are in EXR coordinates, y down; the data window says which pixels a file has, the display window
which the shot shows.
"""

from __future__ import annotations

import json
import mmap
import os
import queue
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import FrameError, JobError, RequestError, VoidError, from_code
from void_server.beneath import told
from void_server.jobfolder import write_error
from void_server.tiles import Box

T = TypeVar("T")
Pixels = NDArray[Any]
"""(height, width, channels), float16, float32, uint32 or (in a PNG) uint8 as in the file."""

READ_TIMEOUT_SECONDS = 120.0
"""A frame that takes longer is taken for damaged or stuck storage; an 8K PIZ frame takes about five."""
LOSSY = ("b44", "b44a", "dwaa", "dwab", "pxr24")
"""Codecs that are never inherited: a result compressed with them is not the plate outside the matte."""
FIXED_DATE = "1970:01:01 00:00:00"
"""Stands in where a plate has no DateTime: OpenImageIO would stamp the present, and no two runs would agree."""


class ImageFile(NamedTuple):
    """A file and how to name it to the user."""

    path: str
    what: str = "plate"
    frame: int | None = None

    def __str__(self) -> str:
        number = "" if self.frame is None else f"Frame {self.frame} of the "
        return f"{number or 'The '}{self.what} ({told(self.path)})"


@dataclass(frozen=True)
class Part:
    """One part of a file (most EXRs have one)."""

    index: int
    name: str
    view: str
    channels: tuple[tuple[str, str], ...]
    """(name, type) with type half, float or uint."""
    data: Box
    display: Box
    tile: tuple[int, int]
    deep: bool
    pixel_aspect: float
    compression: str
    attributes: tuple[tuple[str, str, Any], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.channels)

    def kind(self, name: str) -> str:
        """The type of one channel."""
        return dict(self.channels)[name]

    def attribute(self, name: str) -> Any | None:
        """An attribute's value, or None where the file has none of that name."""
        return next((value for key, _, value in self.attributes if key == name), None)


@dataclass(frozen=True)
class NewPart:
    """A part to write."""

    channels: tuple[tuple[str, str], ...]
    """(name, type) with type half, float or uint; byte in a PNG."""
    data: Box
    display: Box
    compression: str
    attributes: tuple[tuple[str, str, Any], ...]
    pixels: Pixels
    name: str = ""


class ImageFiles:
    """A pool of reader processes; safe to use from many threads, each call takes one process for itself.

    Where folders are given in `below`, nothing outside them is read or written.
    """

    def __init__(self, workers: int = 1, below: Sequence[str] = ()) -> None:
        self._below = tuple(below)
        self._idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(max(1, workers)):
            self._idle.put(None)  # started when first needed
        self._size = max(1, workers)

    def __enter__(self) -> ImageFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        for child in [self._idle.get() for _ in range(self._size)]:
            if child is not None:
                child.stop()
            self._idle.put(None)

    def header(self, file: ImageFile) -> tuple[Part, ...]:
        """All parts of a file. Raises FrameError where it cannot be opened, is deep or has unusable channels."""
        with self._child() as child:
            reply = child.ask(file, {"do": "header", "path": file.path})
        if reply["kind"] != "openexr":
            raise FrameError(f"{file} is a {reply['kind']} file; convert it to EXR first.", "frame.unsupported")
        parts = tuple(_part(index, item) for index, item in enumerate(reply["parts"]))
        for part in parts:
            if part.deep:
                raise FrameError(
                    f"{file} is a deep image; flatten it (DeepToImage) and use the flat render.", "frame.unsupported"
                )
        return parts

    def read(self, file: ImageFile, part: Part, channels: Sequence[str], box: Box | None = None) -> Pixels:
        """Pixels of some channels, in the order asked for; the box must lie in the part's data window.

        Channels of one type are read natively; half beside float comes back as float32 (lossless).
        """
        return self.made_of(file, part, channels, box, np.array)

    def made_of(
        self, file: ImageFile, part: Part, channels: Sequence[str], box: Box | None, make: Callable[[Pixels], T]
    ) -> T:
        """What is made of the pixels that `read` gives, where their reader put them: `make` copies what it keeps."""
        box = box or part.data
        kinds = {part.kind(name) for name in channels}
        if not kinds <= {"half", "float", "uint"} or (len(kinds) > 1 and "uint" in kinds):
            raise FrameError(
                f"{file} has channels {', '.join(channels)} of types {', '.join(sorted(kinds))}, which cannot be "
                "read together; choose half or float channels.",
                "frame.unsupported",
            )
        if len(kinds) > 1:
            return make(self._read_mixed(file, part, channels, box))
        ordered = sorted(channels, key=part.names.index)
        request = {"do": "read", "path": file.path, "part": part.index, "channels": ordered}
        with self._child() as child:
            reply = child.ask(file, {**request, "box": [box.x0, box.y0, box.x1, box.y1]})
            pixels = child.pixels(reply["shape"], reply["dtype"])
            if ordered != list(channels):
                pixels = pixels[..., [ordered.index(name) for name in channels]]
            return make(pixels)

    def _read_mixed(self, file: ImageFile, part: Part, channels: Sequence[str], box: Box) -> Pixels:
        out = np.empty((*box.size, len(channels)), np.float32)
        for kind in ("half", "float"):
            at = [index for index, name in enumerate(channels) if part.kind(name) == kind]
            out[..., at] = self.read(file, part, [channels[index] for index in at], box)
        return out

    def write(self, path: str, parts: Sequence[NewPart]) -> int:
        """Write a PNG where the name says so, else an EXR, in one step (temporary name, fsync, rename).

        Returns its size in bytes.

        Raises ServerError where the folder is not writable or the disk is full, RequestError where it is not allowed.
        """
        with self._child() as child:
            offset, descriptions = 0, []
            for part in parts:
                pixels = np.ascontiguousarray(part.pixels)
                child.put(pixels, offset)
                descriptions.append(
                    {
                        "channels": part.channels,
                        "data": [part.data.x0, part.data.y0, part.data.x1, part.data.y1],
                        "display": [part.display.x0, part.display.y0, part.display.x1, part.display.y1],
                        "compression": part.compression,
                        "attributes": part.attributes,
                        "name": part.name,
                        "dtype": pixels.dtype.str,
                        "offset": offset,
                    }
                )
                # Aligned, so that numpy may map every part wherever the last one ended.
                offset += -(-pixels.nbytes // 64) * 64
            try:
                reply = child.ask(ImageFile(path, "result"), {"do": "write", "path": path, "parts": descriptions})
            except RequestError:  # about the path, which says all
                raise
            except VoidError as error:
                reason = error.message.split("cannot be used: ")[-1].rstrip(".")
                raise write_error(path, offset, "No space" in reason, reason) from error
        return int(reply["size"])

    @contextmanager
    def _child(self) -> Iterator[_Child]:
        child = self._idle.get()
        try:
            if child is None:
                child = _Child(self._below)
            yield child
        finally:
            self._idle.put(child if child is not None and child.alive else None)


class _Child:
    """One reader process and the memory shared with it."""

    def __init__(self, below: Sequence[str]) -> None:
        self._memory = os.memfd_create("void_pixels")
        self._map: mmap.mmap | None = None
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "void_server.exr_child", str(self._memory), *below],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # OpenEXR prints about malformed files; the answer says it better
            pass_fds=[self._memory],
            env=environment,
        )
        self.alive = True

    def ask(self, file: ImageFile, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and wait for its answer; an answer that says why not becomes an error."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise JobError("The image reader has no pipes.", "job.crashed")
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
            ready = select.select([stdout], [], [], READ_TIMEOUT_SECONDS)[0]
            line = stdout.readline() if ready else b""
        except BrokenPipeError:
            ready, line = [stdout], b""
        except BaseException:
            self.stop()
            raise
        if not line:
            self.stop()
            what = "crashed the reader" if ready else f"did not decode within {READ_TIMEOUT_SECONDS:.0f} s"
            raise FrameError(f"{file} {what}; it is damaged. Render or copy it again.", "frame.unreadable")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise from_code(reply["code"], f"{file} cannot be used: {told(reply['error'])}.")
        return reply

    def pixels(self, shape: Sequence[int], dtype: str) -> Pixels:
        """The pixels of the last answer, in shared memory: copy before the next request."""
        count = int(np.prod(shape))
        size = max(1, count * np.dtype(dtype).itemsize)
        return np.frombuffer(memoryview(self._mapped(size))[:size], dtype, count).reshape(shape)

    def put(self, pixels: Pixels, offset: int) -> None:
        """Place pixels at an offset of the shared memory."""
        target: Pixels = np.frombuffer(self._mapped(offset + pixels.nbytes), pixels.dtype, pixels.size, offset)
        target[:] = pixels.reshape(-1)

    def _mapped(self, size: int) -> mmap.mmap:
        if self._map is None or len(self._map) < size:
            if os.fstat(self._memory).st_size < size:
                os.ftruncate(self._memory, size)
            self._map = mmap.mmap(self._memory, os.fstat(self._memory).st_size)
        return self._map

    def stop(self) -> None:
        """End the process; its answer, if any, is lost."""
        if not self.alive:
            return
        self.alive = False
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # bytes that the dead process never took
                    stream.close()
        self._map = None
        os.close(self._memory)


def _part(index: int, item: dict[str, Any]) -> Part:
    return Part(
        index=index,
        name=item["name"],
        view=item["view"],
        channels=tuple((name, kind) for name, kind in item["channels"]),
        data=Box(*item["data"]),
        display=Box(*item["display"]),
        tile=(item["tile"][0], item["tile"][1]),
        deep=item["deep"],
        pixel_aspect=item["pixel_aspect"] or 1.0,
        compression=item["compression"].split(":")[0],
        attributes=tuple((name, kind, value) for name, kind, value in item["attributes"]),
    )


def output_compression(plate: Part, wanted: str) -> str:
    """The codec of a result: what the user asked for, else the plate's own where it is lossless, else zip."""
    if wanted:
        return wanted
    return "zip" if plate.compression in LOSSY else plate.compression
