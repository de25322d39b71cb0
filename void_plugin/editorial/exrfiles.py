"""EXR frames that the client writes and reads itself: those out of movies, and those on their way into one."""

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import OpenImageIO as oiio

from void_plugin.editorial.moviepixels import Pixels
from void_plugin.editorial.times import NTSC, timecode
from void_plugin.errors import FrameError
from void_plugin.localfiles import disk_error

HALF_BITS = 12
"""Code values of up to so many bits are written as half floats, which keep them to one part in 4096."""
FIXED_DATE = "1970:01:01 00:00:00"
"""OpenImageIO would stamp the present, and no two runs would write the same bytes."""
_DROP = 1 << 6
"""The bit of a timecode that says it drops numbers."""
_MOST_COUNTED = 30
"""Fastest rate whose frames the timecode of a picture file can number."""


def write(path: str, pixels: Pixels, bits: int, facts: Mapping[str, Any], names: Sequence[str] = ()) -> None:
    """Write a frame as ZIP EXR in one step; `facts` are attributes by name, as OpenImageIO spells them.

    `names` are those of the channels where they are not R, G, B and A.

    Raises ServerError where the folder cannot be written to, FrameError where OpenImageIO fails.
    """
    height, width, channels = pixels.shape
    spec = oiio.ImageSpec(width, height, channels, "half" if bits <= HALF_BITS else "float")
    if names:
        spec.channelnames = tuple(names)
    spec.attribute("compression", "zip")
    for name, value in facts.items():
        if name == "smpte:TimeCode":
            spec.attribute(name, "timecode", value)
        elif isinstance(value, Fraction):
            spec.attribute(name, "rational", [value.numerator, value.denominator])
        else:
            spec.attribute(name, value)
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{os.path.splitext(name)[0]}-{os.getpid()}-{threading.get_ident()}.exr")
    try:
        os.makedirs(folder, exist_ok=True)
        with open(temporary, "wb"):
            pass  # the system's own words where it cannot be written
        out: Any = oiio.ImageOutput.create(temporary)
        if not out.open(temporary, spec) or not out.write_image(np.ascontiguousarray(pixels)) or not out.close():
            raise FrameError(f"The frame {path} cannot be written ({out.geterror().strip()}); is its disk full?")
        os.replace(temporary, path)
    except OSError as error:
        raise disk_error(error, folder) from error  # type: ignore[arg-type]
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def read(path: str) -> tuple[Pixels, dict[str, Any]]:
    """The pixels of an EXR over its display window, as (height, width, channels), and its attributes by name.

    Taken are R, G, B and A where there is one. Raises FrameError where it cannot be read, or has no colours.
    """
    source = oiio.ImageInput.open(path)
    if source is None:
        raise FrameError(f"The frame {path} cannot be read ({oiio.geterror().strip()}); render it again.")
    try:
        spec = source.spec()
        names = list(spec.channelnames)
        wanted = [names.index(one) for one in "RGBA" if one in names]
        if len(wanted) < 3:
            raise FrameError(f"The frame {path} has no channels R, G and B.", "frame.unsupported")
        data = source.read_image("float")
    finally:
        source.close()
    if data is None:
        raise FrameError(f"The frame {path} cannot be read ({source.geterror().strip()}); render it again.")
    pixels = np.zeros((spec.full_height, spec.full_width, len(wanted)), np.float32)
    top, left = spec.y - spec.full_y, spec.x - spec.full_x
    first_y, first_x = max(0, top), max(0, left)
    last_y, last_x = min(spec.full_height, top + spec.height), min(spec.full_width, left + spec.width)
    if first_y < last_y and first_x < last_x:
        part = data[first_y - top : last_y - top, first_x - left : last_x - left]
        pixels[first_y:last_y, first_x:last_x] = part[..., wanted]
    return pixels, {one.name: one.value for one in spec.extra_attribs}


def time_code(frame: int, rate: Fraction, drop: bool) -> tuple[int, int] | None:
    """The timecode of a frame as EXR keeps it; None at rates that its two digits cannot count."""
    if round(rate / NTSC if rate % 1 else rate) > _MOST_COUNTED:
        return None
    text = timecode(frame, rate, drop)
    packed = 0
    for part, shift in zip(text.replace(";", ":").split(":"), (24, 16, 8, 0), strict=True):
        packed |= (int(part) // 10 << 4 | int(part) % 10) << shift
    return (packed | (_DROP if ";" in text else 0), 0)


def drops(code: Sequence[int]) -> bool:
    """True where the timecode of an EXR drops numbers."""
    return bool(int(code[0]) & _DROP)
