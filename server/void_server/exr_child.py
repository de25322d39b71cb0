"""The only process that parses image files: reads EXR and writes EXR and PNG for `exr.ImageFiles`, one request a line.

Plates come from anywhere, and a malformed EXR can crash, hang or exhaust whatever decodes it. So decoding
happens here, under a memory limit, and the parent survives, names the file and goes on. It also gives
decoding and encoding a process each: OpenImageIO holds Python's lock while it compresses.

Started as `python -m void_server.exr_child FD [ROOT…]`, where FD is a shared memory file that carries the pixels; JSON
requests come in on stdin and one JSON answer a request goes out on stdout. Where there are roots, every file is opened
below them, and OpenImageIO gets the open file in place of its name.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import OpenImageIO as oiio

from void_plugin.errors import RequestError
from void_server.beneath import Roots
from void_server.processes import ready_for_pictures

MEMORY_LIMIT = 2 << 30
"""Private memory of one reader in bytes. Shared pixel memory does not count, so any sane plate fits."""
LONGEST_SECONDS = 150
"""The kernel ends a reader that is at one request for longer; its parent gives up before."""
STRIP_BYTES = 64 << 20
"""Decoded bytes held at once; large enough that a strip costs nothing extra, small beside the limit."""
NUMPY_TYPES = {"half": np.float16, "float": np.float32, "uint": np.uint32}
OIIO_TYPES = {"half": oiio.HALF, "float": oiio.FLOAT, "uint": oiio.UINT, "byte": oiio.UINT8}

# Not carried from a plate to a result. The ACES flag makes OpenImageIO refuse every file that is not strictly
# RGB(A); a thumbnail would show the removed object; the rest is about the file, not about the picture.
DROPPED = ("acesImageContainerFlag", "openexr:chunkCount", "oiio:subimages", "oiio:subimagename", "oiio:RowsPerChunk")


class Refused(Exception):
    """The file cannot be used; the text goes to the user after the frame and path."""

    def __init__(self, text: str, code: str = "frame.unreadable") -> None:
        super().__init__(text)
        self.code = code


def last_error(source: Any = None) -> str:
    """OpenImageIO's pending error as one line; malformed files put bytes in it that are not UTF-8."""
    try:
        text = source.geterror() if source is not None else oiio.geterror()
    except UnicodeDecodeError:
        text = "the header holds text that is not UTF-8"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:300] if lines else ""


@contextlib.contextmanager
def refusing(path: str) -> Iterator[None]:
    """Turns what is wrong with a path into the answer that says so."""
    try:
        yield
    except RequestError as error:
        raise Refused(error.message.rstrip("."), error.code) from error
    except FileNotFoundError as error:
        raise Refused("there is no such file", "frame.missing") from error
    except OSError as error:
        raise Refused(f"it cannot be opened ({error.strerror or error})") from error


@contextlib.contextmanager
def opened(path: str, roots: Roots | None) -> Iterator[Any]:
    """An open image, closed afterwards; refuses what OpenImageIO cannot open or complains about."""
    with contextlib.ExitStack() as closing:
        if roots is None:
            if not os.path.isfile(path):
                raise Refused("there is no such file", "frame.missing")
            source, reason = attempt(path)
        else:
            with refusing(path):
                descriptor = roots.open_file(path)
            closing.callback(os.close, descriptor)
            source, reason = attempt(f"/proc/self/fd/{descriptor}")
            if source is None:
                reason = why_not(descriptor, path)
        if source is None:
            if "ubsampled" in reason:
                raise Refused(
                    "it stores luminance and chroma subsampled (YC); render the plate as plain RGB", "frame.unsupported"
                )
            if "format reader" in reason:  # what OpenImageIO says of a broken magic number; it only repeats the path
                raise Refused("it is damaged or not an EXR")
            raise Refused(f"it is damaged or not an EXR ({reason})")
        closing.callback(source.close)
        yield source


def attempt(name: str) -> tuple[Any, str]:
    """The open image, or None and why not."""
    source = oiio.ImageInput.open(name)
    return source, "" if source is not None else last_error() or "OpenImageIO gives no reason"


def why_not(descriptor: int, path: str) -> str:
    """Why an open file is no image: OpenImageIO only says so of a name that ends as the format's names do."""
    with tempfile.TemporaryDirectory(prefix="void_") as folder:
        name = os.path.join(folder, "image" + os.path.splitext(path)[1])
        os.symlink(f"/proc/self/fd/{descriptor}", name)
        source, reason = attempt(name)
    if source is not None:
        source.close()
        reason = "it is of a format that its name does not say"
    return reason.replace(name, path)


def refuse_pending(source: Any) -> None:
    """OpenImageIO reads around some faults and only leaves a message: such a file is damaged all the same."""
    reason = last_error(source)
    if reason:
        raise Refused(f"it is damaged ({reason})")


def plain(value: Any) -> Any:
    """An attribute value as JSON can carry it."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def header(roots: Roots | None, path: str) -> dict[str, Any]:
    """Every part of a file: windows, channels with their own types, and all attributes."""
    parts: list[dict[str, Any]] = []
    with opened(path, roots) as source:
        kind = source.format_name()
        while source.seek_subimage(len(parts), 0):
            spec = source.spec()
            formats = spec.channelformats or (spec.format,) * spec.nchannels
            parts.append(
                {
                    "name": spec.get_string_attribute("oiio:subimagename"),
                    "view": spec.get_string_attribute("view"),
                    "channels": [[name, str(form)] for name, form in zip(spec.channelnames, formats, strict=True)],
                    "data": [spec.x, spec.y, spec.x + spec.width, spec.y + spec.height],
                    "display": [
                        spec.full_x,
                        spec.full_y,
                        spec.full_x + spec.full_width,
                        spec.full_y + spec.full_height,
                    ],
                    "tile": [spec.tile_width, spec.tile_height],
                    "deep": bool(spec.deep),
                    "pixel_aspect": spec.get_float_attribute("PixelAspectRatio", 1.0),
                    "compression": spec.get_string_attribute("compression", "none"),
                    "attributes": [
                        [item.name, str(item.type), plain(item.value)]
                        for item in spec.extra_attribs
                        if item.name not in DROPPED and not item.name.startswith("thumbnail")
                    ],
                }
            )
        # The search for one more part ends with a message of its own on some files; clear only that one.
        reason = last_error(source)
        if reason and not source.seek_subimage(0, 0):
            raise Refused(f"it is damaged ({reason})")
    if not parts:
        raise Refused("it holds no picture")
    return {"kind": kind, "parts": parts}


class Shared:
    """The memory that both processes see; grows, never shrinks."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.map: mmap.mmap | None = None

    def view(self, size: int) -> memoryview:
        """The first `size` bytes."""
        size = max(size, 1)
        if self.map is None or len(self.map) < size:
            if os.fstat(self.descriptor).st_size < size:
                os.ftruncate(self.descriptor, size)
            self.map = mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size)
        return memoryview(self.map)[:size]


def runs(indices: list[int]) -> list[tuple[int, int]]:
    """Contiguous runs of channel indices as (first, end)."""
    found: list[tuple[int, int]] = []
    for index in indices:
        if found and found[-1][1] == index:
            found[-1] = (found[-1][0], index + 1)
        else:
            found.append((index, index + 1))
    return found


def read(
    shared: Shared, roots: Roots | None, path: str, part: int, channels: list[str], box: list[int]
) -> dict[str, Any]:
    """Decode a box of channels of one type into shared memory as (height, width, channel); natively, no conversion."""
    with opened(path, roots) as source:
        if not source.seek_subimage(part, 0):
            raise Refused(f"it has no part {part}")
        spec = source.spec()
        names = list(spec.channelnames)
        formats = [str(form) for form in spec.channelformats] or [str(spec.format)] * spec.nchannels
        indices = [names.index(name) for name in channels]
        kinds = {formats[index] for index in indices}
        if len(kinds) != 1:
            raise Refused("its channels have different types")
        kind = kinds.pop()
        x0, y0, x1, y1 = box
        dtype = np.dtype(NUMPY_TYPES[kind])
        shape = (y1 - y0, x1 - x0, len(channels))
        out: np.ndarray[Any, Any] = np.frombuffer(
            shared.view(dtype.itemsize * shape[0] * shape[1] * shape[2]), dtype
        ).reshape(shape)
        row_bytes = max(1, spec.width * len(channels) * dtype.itemsize)
        rows = max(1, STRIP_BYTES // row_bytes)
        if spec.tile_width:
            rows = max(1, rows // spec.tile_height) * spec.tile_height
        start = spec.y + (y0 - spec.y) // rows * rows if spec.tile_width else y0
        at = 0
        for first, end in runs(indices):
            for top in range(start, y1, rows):
                strip, left, above = read_rows(source, spec, part, top, min(top + rows, y1), first, end, box, kind)
                lo, hi = max(top, y0), min(top + rows, y1)
                out[lo - y0 : hi - y0, :, at : at + end - first] = strip[lo - above : hi - above, x0 - left : x1 - left]
            at += end - first
        refuse_pending(source)
    return {"shape": list(shape), "dtype": dtype.str}


def read_rows(
    source: Any, spec: Any, part: int, top: int, end: int, first: int, last: int, box: list[int], kind: str
) -> tuple[Any, int, int]:
    """Rows [top, end) of some channels; returns the pixels and the absolute x and y of their first one."""
    if not spec.tile_width:
        pixels = source.read_scanlines(part, 0, top, end, 0, first, last, OIIO_TYPES[kind])
        left, above = spec.x, top
    else:
        wide, high = spec.tile_width, spec.tile_height
        left = spec.x + (box[0] - spec.x) // wide * wide
        above = spec.y + (top - spec.y) // high * high
        right = min(spec.x + spec.width, spec.x - (spec.x - box[2]) // wide * wide)
        below = min(spec.y + spec.height, spec.y - (spec.y - end) // high * high)
        pixels = source.read_tiles(part, 0, left, right, above, below, 0, 1, first, last, OIIO_TYPES[kind])
    if pixels is None:
        reason = last_error(source) or "its pixels cannot be decoded"
        raise Refused(f"it is damaged or still being written ({reason})")
    pixels = np.asarray(pixels)
    return pixels.reshape(pixels.shape[-3:] if pixels.ndim >= 3 else (*pixels.shape, 1)), left, above


def write(shared: Shared, roots: Roots | None, path: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Encode the pixels in shared memory to a temporary file beside `path`, then rename it there."""
    place, name = os.path.split(path)
    temporary = f".{name}.{os.getpid()}.tmp"
    try:
        if roots is None:
            folder = os.open(place or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        else:
            folder = roots.open_folder(place)
        with contextlib.ExitStack() as closing:
            closing.callback(os.close, folder)
            forget(temporary, folder)  # of a killed process that had the same number
            # Made here and not by OpenImageIO, which would write through a link of that name.
            descriptor = os.open(
                temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder
            )
            closing.callback(os.close, descriptor)
            closing.callback(forget, temporary, folder)
            handle = f"/proc/self/fd/{descriptor}"
            try:
                encode(shared, handle, parts, "png" if name.lower().endswith(".png") else "exr")
            except Refused as refusal:
                raise Refused(str(refusal).replace(handle, path), refusal.code) from refusal
            os.fsync(descriptor)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            return {"size": os.fstat(descriptor).st_size}
    except RequestError as error:
        raise Refused(error.message.rstrip("."), error.code) from error
    except OSError as error:
        raise Refused(f"{error.strerror or error}", "server.unwritable") from error


def forget(name: str, folder: int) -> None:
    """Remove a file where it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def encode(shared: Shared, temporary: str, parts: list[dict[str, Any]], form: str) -> None:
    """Write the pixels in shared memory as one EXR of one or more parts, or as one PNG."""
    # By format name, because what is given here does not end as such files do.
    target = oiio.ImageOutput.create(form)
    if target is None:
        raise Refused(f"this OpenImageIO cannot write {form.upper()}", "server.unwritable")
    specs = [output_spec(part) for part in parts]
    if not (target.open(temporary, tuple(specs)) if len(specs) > 1 else target.open(temporary, specs[0])):
        raise Refused(last_error(target), "server.unwritable")
    try:
        for index, (part, spec) in enumerate(zip(parts, specs, strict=True)):
            if index and not target.open(temporary, spec, "AppendSubimage"):
                raise Refused(last_error(target), "server.unwritable")
            dtype = np.dtype(part["dtype"])
            shape = (spec.height, spec.width, spec.nchannels)
            count = shape[0] * shape[1] * shape[2]
            whole = shared.view(part["offset"] + count * dtype.itemsize)
            pixels = np.frombuffer(whole, dtype, count, part["offset"]).reshape(shape)
            if not target.write_image(pixels):
                raise Refused(last_error(target), "server.unwritable")
    except BaseException:
        target.close()
        raise
    if not target.close():
        raise Refused(last_error(target), "server.unwritable")


def output_spec(part: dict[str, Any]) -> Any:
    """OpenImageIO's description of one part to write."""
    x0, y0, x1, y1 = part["data"]
    spec = oiio.ImageSpec(x1 - x0, y1 - y0, len(part["channels"]), OIIO_TYPES[part["channels"][0][1]])
    spec.channelnames = [name for name, _ in part["channels"]]
    kinds = [kind for _, kind in part["channels"]]
    if len(set(kinds)) > 1:
        spec.channelformats = tuple(oiio.TypeDesc(kind) for kind in kinds)
    spec.x, spec.y = x0, y0
    spec.full_x, spec.full_y = part["display"][0], part["display"][1]
    spec.full_width, spec.full_height = part["display"][2] - spec.full_x, part["display"][3] - spec.full_y
    for name, kind, value in part["attributes"]:
        if kind == "string":
            spec.attribute(name, value)
        else:
            spec.attribute(name, oiio.TypeDesc(kind), tuple(value) if isinstance(value, list) else value)
    if part["compression"]:
        spec.attribute("compression", part["compression"])
    if part.get("name"):
        spec.attribute("oiio:subimagename", part["name"])
    return spec


def answer(shared: Shared, roots: Roots | None, request: dict[str, Any]) -> dict[str, Any]:
    """Do what one request asks and return its answer."""
    operation = request.pop("do")
    if operation == "header":
        return header(roots, **request)
    if operation == "read":
        return read(shared, roots, **request)
    return write(shared, roots, **request)


def main() -> None:
    """Answer requests until stdin ends."""
    ready_for_pictures()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # One thread each: the parent runs as many of these processes as it has workers.
    oiio.attribute("threads", 1)
    oiio.attribute("exr_threads", 1)
    oiio.attribute("limits:imagesize_MB", 4096)
    oiio.attribute("limits:channels", 256)
    shared = Shared(int(sys.argv[1]))
    roots = Roots(sys.argv[2:]) if sys.argv[2:] else None
    for line in sys.stdin:
        # Whoever asked may be gone, and a decoder that never returns would notice nothing else.
        signal.alarm(LONGEST_SECONDS)
        try:
            reply = answer(shared, roots, json.loads(line))
        except Refused as refusal:
            reply = {"error": str(refusal), "code": refusal.code}
        except MemoryError:
            reply = {"error": "it needs more memory than a picture may take", "code": "frame.unreadable"}
        except (OSError, ValueError, KeyError, UnicodeDecodeError) as error:
            reply = {"error": f"it cannot be used ({error})", "code": "frame.unreadable"}
        signal.alarm(0)
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
