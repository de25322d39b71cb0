"""Values that Nuke hands out and takes: formats, frame ranges, boxes."""

import re

from .strict import Handle, handle

FORMATS = (
    ("PC_Video", 640, 480, 1.0),
    ("HD_720", 1280, 720, 1.0),
    ("HD_1080", 1920, 1080, 1.0),
    ("UHD_4K", 3840, 2160, 1.0),
    ("1K_Super_35(full-ap)", 1024, 778, 1.0),
    ("2K_Super_35(full-ap)", 2048, 1556, 1.0),
    ("square_256", 256, 256, 1.0),
)


@handle
class Format(Handle):
    """A named size with a pixel aspect."""

    def __init__(self, *size):
        if len(size) == 7:
            self._width, self._height, self._pixel_aspect = size[0], size[1], float(size[6])
            self._box = tuple(size[2:6])
        else:
            self._width, self._height = size[:2] if size else (0, 0)
            self._pixel_aspect = float(size[2]) if len(size) > 2 else 1.0
            self._box = (0, 0, self._width, self._height)
        self._name = ""

    def width(self):
        return self._width

    def height(self):
        return self._height

    def pixelAspect(self):
        return self._pixel_aspect

    def name(self):
        return self._name

    def setName(self, name):
        self._name = name

    def x(self):
        return self._box[0]

    def y(self):
        return self._box[1]

    def r(self):
        return self._box[2]

    def t(self):
        return self._box[3]

    def _text(self):
        aspect = "{:g}".format(self._pixel_aspect)
        parts = [self._width, self._height] + list(self._box) + [aspect, self._name]
        return " ".join(str(part) for part in parts).strip()

    def __str__(self):
        return self._text()


def format_from_text(text):
    """The format that script text gives: `1920 1080 0 0 1920 1080 1 HD_1080`, or `1920 1080`; else None."""
    parts = text.split()
    if len(parts) < 2 or not (parts[0].isdigit() and parts[1].isdigit()):
        return None
    if len(parts) >= 7:
        numbers = [int(float(part)) for part in parts[:6]]
        made = Format(*(numbers + [float(parts[6])]))
        made._name = " ".join(parts[7:])
    else:
        made = Format(int(parts[0]), int(parts[1]), float(parts[2]) if len(parts) > 2 else 1.0)
    return made


def standard_formats():
    """The formats of a new script by name; Nuke has more."""
    made = {}
    for name, width, height, aspect in FORMATS:
        made[name] = Format(width, height, aspect)
        made[name]._name = name
    return made


@handle
class FrameRange(Handle):
    """Frames from first to last by an increment."""

    def __init__(self, first, last=None, increment=1):
        if isinstance(first, str):
            match = re.match(r"^(-?\d+)(?:-(-?\d+))?(?:x(-?\d+))?$", first.strip())
            if not match:
                raise ValueError("{!r} is no frame range".format(first))
            first, last, increment = [int(part) if part else None for part in match.groups()]
        self._first = first
        self._last = first if last is None else last
        self._increment = increment or 1

    def first(self):
        return self._first

    def last(self):
        return self._last

    def increment(self):
        return self._increment

    def frames(self):
        return len(self._frames())

    def minFrame(self):
        return min(self._first, self._last)

    def maxFrame(self):
        return max(self._first, self._last)

    def isInRange(self, n):
        return n in self._frames()

    def _frames(self):
        step = abs(self._increment)
        if self._first <= self._last:
            return list(range(self._first, self._last + 1, step))
        return list(range(self._first, self._last - 1, -step))

    def __iter__(self):
        return iter(self._frames())

    def __str__(self):
        return "{}-{}".format(self._first, self._last) + ("x{}".format(self._increment) if self._increment > 1 else "")


@handle
class FrameRanges(Handle):
    """Several frame ranges."""

    def __init__(self, ranges=()):
        if isinstance(ranges, str):
            ranges = [FrameRange(part) for part in re.split(r"[,\s]+", ranges.strip())]
        self._ranges = list(ranges)

    def add(self, r):
        self._ranges.append(r)

    def clear(self):
        del self._ranges[:]

    def size(self):
        return len(self._ranges)

    def toFrameList(self):
        return sorted({frame for part in self._ranges for frame in part._frames()})

    def minFrame(self):
        return min(part.minFrame() for part in self._ranges)

    def maxFrame(self):
        return max(part.maxFrame() for part in self._ranges)

    def __iter__(self):
        return iter(self._ranges)


@handle
class Info(Handle):
    """A box: left, bottom, width, height."""

    def __init__(self, x, y, w, h):
        self._box = (float(x), float(y), float(w), float(h))

    def x(self):
        return self._box[0]

    def y(self):
        return self._box[1]

    def w(self):
        return self._box[2]

    def h(self):
        return self._box[3]
