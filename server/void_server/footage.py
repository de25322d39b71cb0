"""The images of a request, decoded when asked for and kept in bounded memory.

`Footage` knows files, channels and windows; it knows nothing of engines. Boxes are in EXR coordinates.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from void_plugin.frames import FrameRange, ImageSequence
from void_plugin.request import INPUTS, RemovalRequest
from void_server.channels import matte_channel, plate_channels
from void_server.exr import ImageFile, ImageFiles, Part, Pixels
from void_server.finite import is_finite
from void_server.halves import as_kind, floats
from void_server.quadmask import STITCH_THRESHOLD
from void_server.tiles import Box, box_of, onto

T = TypeVar("T")
ROW_MARGIN = 64
"""Rows read beyond a request, so that the next one a few pixels off needs no second decode."""

WHOLE = 1 << 30
"""Rows that no picture has."""
MATTE_SHARE = 16
"""One part in so many of the memory for plates is for mattes as well: once looked at they are seldom asked for."""
MADE_BYTES = 48 << 20
"""What views make of mattes takes about ten bits a pixel around them: a quarter of a megabyte a frame of 2K."""
FEW_FRAMES = 12
"""Frames of a plate that composing keeps: a frame's neighbours within a unit, for some threads at once."""

_LOWEST_HALF = np.float16(STITCH_THRESHOLD).view(np.int16)
_ONE_HALF = np.float16(1).view(np.uint16)
"""Bits of 1.0: those of every half in 0..1 are no larger, all others' are."""


class ByteCache(Generic[T]):
    """Keeps the most recently used values up to a number of bytes; one thread makes each value."""

    def __init__(self, limit: int, size: Callable[[T], int]) -> None:
        self._limit, self._size = limit, size
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[T | None], T], fits: Callable[[T], bool] = lambda _: True) -> T:
        """The value for a key; made (from the present one, where there is one that does not fit) when needed."""
        with self._lock:
            value = self._values.get(key)
            if value is not None and fits(value):
                self._values.move_to_end(key)
                return value
            turn = self._making.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                value = self._values.get(key)
            if value is None or not fits(value):
                value = make(value)
                self._keep(key, value)
        return value

    def limit(self, limit: int) -> None:
        """Keep no more than this many bytes from now on."""
        with self._lock:
            self._limit = limit
            self._drop()

    def clear(self) -> None:
        """Let go of everything; what is asked for again is made anew."""
        with self._lock:
            self._values.clear()
            self._bytes = 0

    def _keep(self, key: Hashable, value: T) -> None:
        with self._lock:
            old = self._values.pop(key, None)
            self._bytes += self._size(value) - (self._size(old) if old is not None else 0)
            self._values[key] = value
            self._drop()
            self._making.pop(key, None)

    def _drop(self) -> None:
        while self._bytes > self._limit and len(self._values) > 1:
            _, dropped = self._values.popitem(last=False)
            self._bytes -= self._size(dropped)


@dataclass(frozen=True)
class Matte:
    """The part of a matte that is not zero: values 0..1, clipped, NaN taken as 0."""

    box: Box | None
    samples: NDArray[Any]
    """Half where its file is: many are kept at once."""

    @property
    def values(self) -> NDArray[np.float32]:
        """Its values over its box."""
        return floats(self.samples) if self.samples.dtype == np.float16 else self.samples

    def within(self, box: Box) -> NDArray[np.float32]:
        """The matte over a box, 0 where it has no pixels."""
        return np.zeros(box.size, np.float32) if self.box is None else onto(self.values, self.box, box)


EMPTY_MATTE = Matte(None, np.zeros((0, 0), np.float32))


def cropped(box: Box | None, values: NDArray[np.float32]) -> Matte:
    """A matte with these values over a box, cropped to what is not zero; empty without a box."""
    found = None if box is None else box_of(values > 0, (box.x0, box.y0))
    if box is None or found is None:
        return EMPTY_MATTE
    area = found.moved(-box.x0, -box.y0)
    return Matte(found, values[area.rows, area.columns])


def _matte(pixels: Pixels, data: Box, name: str) -> Matte:
    """The matte that the pixels of a data window are, for the input of this name; in memory of its own."""
    if name == "quadmask":
        return Matte(data, np.nan_to_num(pixels.astype(np.float32), nan=255.0))
    lowest: float | np.int16 = 0.0 if name == "holdout_matte" else STITCH_THRESHOLD
    if pixels.dtype == np.float16 and name != "holdout_matte":
        # Positive halves sort like their bit patterns; comparing integers is fifty times faster. NaN passes and is
        # taken out below.
        present = pixels.view(np.int16) > _LOWEST_HALF
    else:
        present = pixels > lowest
    box = box_of(present, (data.x0, data.y0))
    if box is None:
        return EMPTY_MATTE
    area = box.moved(-data.x0, -data.y0)
    here = pixels[area.rows, area.columns]
    if here.dtype == np.float16 and here.view(np.uint16).max() <= _ONE_HALF:
        return Matte(box, here.copy())
    values = np.clip(np.nan_to_num(floats(here), nan=0.0, posinf=1.0), 0, 1)
    return Matte(box, as_kind(values, np.float16) if here.dtype == np.float16 else values)


@dataclass(frozen=True)
class _Rows:
    top: int
    pixels: Pixels
    are_finite: bool
    """Found out once, as they lie together: all pixels are asked for many times, in small parts."""

    def hold(self, box: Box) -> bool:
        return self.top <= box.y0 and box.y1 <= self.top + self.pixels.shape[0]


class Footage:
    """Plate and mattes of a request."""

    def __init__(
        self,
        files: ImageFiles,
        request: RemovalRequest,
        cache_bytes: int,
        digests: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """`digests` has the SHA-256 of uploaded files by input and frame number."""
        self.files, self.request = files, request
        self._digests = digests or {}
        self._cache_bytes, self._margin = cache_bytes, ROW_MARGIN
        self._headers: ByteCache[tuple[Part, ...]] = ByteCache(1 << 16, lambda _: 1)
        self._rows: ByteCache[_Rows] = ByteCache(cache_bytes, lambda rows: rows.pixels.nbytes)
        self._mattes: ByteCache[Matte] = ByteCache(cache_bytes // MATTE_SHARE, lambda matte: matte.samples.nbytes)
        self.made: ByteCache[Any] = ByteCache(MADE_BYTES, lambda made: made.bytes)
        """What views make of mattes, by names of theirs; here because several views of one job make the same."""

    def can_keep(self, plate_bytes: int) -> bool:
        """Whether that much of a plate stays in memory once it is decoded."""
        return plate_bytes <= self._cache_bytes

    def keep_few(self, frame_bytes: int) -> None:
        """Keep as much of plate and mattes as composing looks at, where no engine looks around in them."""
        self._rows.limit(min(self._cache_bytes, FEW_FRAMES * frame_bytes))
        # A matte is cropped, and has a third of a plate's bytes where it covers all of the frame.
        self._mattes.limit(min(self._cache_bytes // MATTE_SHARE, FEW_FRAMES * frame_bytes // 8))

    def read_whole(self) -> None:
        """Decode frames of the plate whole from now on: what will be needed whole is then never decoded twice."""
        self._margin = WHOLE

    def has(self, name: str) -> bool:
        """True where the request has this input."""
        return self.request.input(name) is not None

    def sequence(self, name: str) -> ImageSequence:
        """The files of an input."""
        return self.request.sequence(name)

    def file(self, name: str, frame: int) -> ImageFile:
        """One file of an input, named as errors name it."""
        return ImageFile(self.sequence(name).path(frame), name.replace("_", " "), frame)

    def parts(self, name: str, frame: int) -> tuple[Part, ...]:
        """All parts of one file."""
        file = self.file(name, frame)
        return self._headers.get(file.path, lambda _: self.files.header(file))

    def plate_part(self, frame: int, name: str = "plate") -> tuple[Part, list[str]]:
        """The part of a plate (or clean plate) that holds its picture, and the three channel names."""
        parts = self.parts(name, frame)
        given = self.request.input(name)
        wanted = given.channels if given is not None else ()
        index, names = plate_channels(parts, wanted, self.request.view, self.file(name, frame))
        return parts[index], names

    def plate(self, frame: int, box: Box, name: str = "plate") -> Pixels:
        """Plate pixels in the file's own type; the box must lie in the data window."""
        return self.seen_plate(frame, box, name)[0]

    def seen_plate(self, frame: int, box: Box, name: str = "plate") -> tuple[Pixels, bool]:
        """Plate pixels, and True where they are known to be finite, all of them; else some may be."""
        part, names = self.plate_part(frame, name)

        def decode(present: _Rows | None) -> _Rows:
            top, bottom = box.y0 - self._margin, box.y1 + self._margin
            if present is not None:
                top, bottom = min(top, present.top), max(bottom, present.top + present.pixels.shape[0])
            top, bottom = max(top, part.data.y0), min(bottom, part.data.y1)
            rows = Box(part.data.x0, top, part.data.x1, bottom)
            pixels = self.files.read(self.file(name, frame), part, names, rows)
            return _Rows(top, pixels, is_finite(pixels))

        rows = self._rows.get((name, frame), decode, lambda rows: rows.hold(box))
        area = box.moved(-part.data.x0, -rows.top)
        return rows.pixels[area.rows, area.columns], rows.are_finite

    def matte(self, name: str, frame: int) -> Matte:
        """A matte, cropped to what is not zero; `EMPTY_MATTE` where the request has none of that name."""
        if not self.has(name):
            return EMPTY_MATTE
        return self._mattes.get((name, frame), lambda _: self._decode_matte(name, frame))

    def matte_part(self, name: str, frame: int) -> tuple[Part, str]:
        """The part and channel of a matte."""
        parts = self.parts(name, frame)
        given = self.request.input(name)
        wanted = given.channels if given is not None else ()
        index, channel = matte_channel(parts, wanted, self.request.view, self.file(name, frame))
        return parts[index], channel

    def _decode_matte(self, name: str, frame: int) -> Matte:
        part, channel = self.matte_part(name, frame)

        def made(pixels: Pixels) -> Matte:
            return _matte(pixels[..., 0], part.data, name)

        return self.files.made_of(self.file(name, frame), part, [channel], None, made)

    def signature(self, frames: FrameRange) -> list[list[Any]]:
        """What tells the files that feed the shot from others: SHA-256 where uploaded, else size and time."""
        found: list[list[Any]] = []
        for name in INPUTS:
            if not self.has(name):
                continue
            known, still = self._digests.get(name, {}), self.sequence(name).is_still
            for frame in frames:
                path = self.sequence(name).path(frame)
                digest = next(iter(known.values()), None) if still else known.get(str(frame))
                if digest is not None:
                    found.append([name, frame, digest])
                elif os.path.isfile(path):
                    state = os.stat(path)
                    found.append([name, frame, state.st_size, state.st_mtime_ns])
        return found
