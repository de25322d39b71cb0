"""Image sequences that are no EXR as EXR: exactly those files that are wanted, each once, under its own number.

Code values are kept as they are, 0 to 1 for the whole range; what they mean is declared beside them, never changed
here. A frame has the time of the file it was made from, so that one which was rendered again is taken again.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio

from void_plugin.editorial import exrfiles
from void_plugin.editorial.colourtags import UNKNOWN
from void_plugin.editorial.moviepixels import Pixels
from void_plugin.errors import FrameError
from void_plugin.frames import Digest, ImageSequence, describe

ENDINGS = (".dpx", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".cin", ".tga", ".bmp")
_READERS = 4
"""Frames that are read and written at once."""
_CODE = "smpte:TimeCode"


def is_scan(pattern: str) -> bool:
    """True for files that can be taken here in place of EXR."""
    return os.path.splitext(pattern)[1].lower() in ENDINGS


def take(pattern: str, frames: Iterable[int], rate: Fraction, base: Path, say: Callable[[str], None]) -> str:
    """Write those of the wanted frames below a folder that are not there yet; returns their pattern.

    Raises FrameError where one cannot be read, ServerError where none can be written.
    """

    def write(source: str, path: str) -> None:
        pixels, bits, facts = _read(source)
        exrfiles.write(path, pixels, bits, {**facts, "colorInteropID": UNKNOWN, "FramesPerSecond": rate})

    return _take(pattern, frames, base, "", say, write)


def take_matte(pattern: str, frames: Iterable[int], base: Path, say: Callable[[str], None]) -> str:
    """The same of a matte, as one channel: its alpha, or where that is opaque or missing its red."""
    files = ImageSequence(pattern)
    numbers = [0] if files.is_still else list(frames)
    middle, _, _ = _read(files.path(numbers[len(numbers) // 2]))
    opaque = middle.shape[2] < 4 or float(middle[..., 3].min()) >= 1

    def write(source: str, path: str) -> None:
        pixels, bits, facts = _read(source)
        if pixels.shape[2] < 4 and not opaque:
            raise FrameError(f"The matte {source} has no alpha, and others of its sequence have; render it again.")
        matte = np.clip(pixels[..., :1] if opaque else pixels[..., 3:], 0, 1)
        exrfiles.write(path, matte, bits, {**facts, "colorInteropID": "data"}, ("A",))

    return _take(pattern, numbers, base, "matte", say, write)


def _take(
    pattern: str,
    frames: Iterable[int],
    base: Path,
    use: str,
    say: Callable[[str], None],
    write: Callable[[str, str], None],
) -> str:
    whole = os.path.abspath(pattern).replace("\\", "/")
    stem = os.path.splitext(os.path.basename(whole))[0]
    label = stem.partition("%")[0].rstrip("._-") or "scan"
    folder = f"{base.as_posix()}/{label}-{Digest.of_text(f'{whole} {use}').sha256[:8]}"
    files, made = ImageSequence(whole), ImageSequence(f"{folder}/{stem}.exr")
    wanted = [number for number in frames if _time(made.path(number)) != _time(files.path(number))]
    if wanted:
        say(f"taking frames {describe(wanted)} of {pattern}" if not files.is_still else f"taking {pattern}")

    def one(number: int) -> None:
        source, path = files.path(number), made.path(number)
        time = _time(source)
        write(source, path)
        os.utime(path, ns=(time, time))

    with ThreadPoolExecutor(_READERS) as pool:
        for _ in pool.map(one, wanted):
            pass
    return made.pattern


def _time(path: str) -> int:
    """When a file was changed, in nanoseconds; 0 where there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return 0


def _read(path: str) -> tuple[Pixels, int, Mapping[str, Any]]:
    """The pixels of a picture as (height, width, 3 or 4), how many bits a value has, and what it says of itself."""
    config = oiio.ImageSpec()
    config.attribute("oiio:UnassociatedAlpha", 1)  # colours as they are stored
    source = oiio.ImageInput.open(path, config)
    if source is None:
        raise FrameError(f"The frame {path} cannot be read ({oiio.geterror().strip()}); render it again.")
    try:
        spec = source.spec()
        pixels = source.read_image("float")
        problem = source.geterror().strip()
    finally:
        source.close()
    if pixels is None:
        raise FrameError(f"The frame {path} cannot be read ({problem}); render it again.")
    pixels = pixels.reshape(spec.height, spec.width, spec.nchannels)
    if spec.nchannels < 3:  # grey, with its alpha where there is one
        pixels = np.concatenate([pixels[..., :1]] * 3 + [pixels[..., 1:]], axis=-1)
    bits = spec.get_int_attribute("oiio:BitsPerSample", 8 * spec.format.size())
    facts = {"DateTime": exrfiles.FIXED_DATE, "PixelAspectRatio": spec.get_float_attribute("PixelAspectRatio", 1.0)}
    code = spec.getattribute(_CODE)
    return pixels[..., :4], bits, {**facts, _CODE: tuple(code)} if code else facts
