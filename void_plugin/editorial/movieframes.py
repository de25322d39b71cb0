"""Frames of a movie as EXR files: exactly those that are wanted, each written once, numbered as in the movie."""

import json
import os
import re
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from void_plugin.editorial import exrfiles
from void_plugin.editorial.moviepixels import Pixels, to_rgb
from void_plugin.editorial.movies import FIRST, Movie, opened
from void_plugin.errors import FrameError
from void_plugin.frames import Digest, FrameRange, ImageSequence, describe, spans
from void_plugin.localfiles import write_whole

DECODER = 1
"""Number of this way of making pixels; frames that another has made are not taken for ours."""
FACTS = "movie.json"
_WRITERS = 4
"""Frames that are written at once; each of 4K takes half a gigabyte meanwhile."""
_MARGIN = 2
"""Frames more that are asked of a movie in front of the first wanted, before it is read from its start."""


def decode(movie: Movie, frames: Iterable[int], base: Path, say: Callable[[str], None]) -> str:
    """Write those of the wanted frames below a folder that are not there yet; returns their pattern.

    `frames` are numbers from 1. Raises FrameError where one cannot be decoded, ServerError where none can be written.
    """

    def write(path: str, number: int, frame: Any) -> None:
        exrfiles.write(path, _pixels(movie, frame), movie.bits, _facts(movie, number))

    return _decode(movie, frames, 0, base, "", say, write)


def decode_matte(movie: Movie, frames: Iterable[int], shift: int, base: Path, say: Callable[[str], None]) -> str:
    """The same of a matte, as one channel: its alpha, or where that is opaque or missing its red.

    `frames` are numbers of the plate, those of the movie with `shift` added.
    """
    pattern = pattern_for(movie, base, shift, "matte")
    if not ImageSequence(pattern).missing(frames := list(frames)):
        return pattern
    opaque = _is_opaque(movie)

    def write(path: str, number: int, frame: Any) -> None:
        pixels = _pixels(movie, frame)
        matte = np.clip(pixels[..., :1] if opaque else pixels[..., 3:], 0, 1)
        facts = {**_facts(movie, number), "colorInteropID": "data"}
        exrfiles.write(path, matte, movie.bits, facts, ("A",))

    return _decode(movie, frames, shift, base, "matte", say, write)


def pattern_for(movie: Movie, base: Path, shift: int = 0, use: str = "") -> str:
    """The pattern of a movie's frames below a folder; another one when the movie is another, or was changed."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(movie.path).stem).strip("_") or "movie"
    told = os.stat(movie.path)
    facts = [os.path.abspath(movie.path), told.st_size, told.st_mtime_ns, DECODER, shift, use]
    facts += [movie.turn] if movie.turn else []
    digits = max(4, len(str(FIRST + movie.count - 1 + shift)))
    folder = f"{base.as_posix()}/{stem}-{Digest.of_text(json.dumps(facts)).sha256[:8]}"
    return f"{folder}/{stem}.%0{digits}d.exr"


def _decode(
    movie: Movie,
    frames: Iterable[int],
    shift: int,
    base: Path,
    use: str,
    say: Callable[[str], None],
    write: Callable[[str, int, Any], None],
) -> str:
    pattern = pattern_for(movie, base, shift, use)
    files = ImageSequence(pattern)
    missing = sorted(set(frames) - set(files.on_disk()))
    if not missing:
        return pattern
    wanted = [number - shift for number in missing]
    say(f"decoding frames {describe(wanted)} of {movie.path}")
    facts = {"movie": os.path.abspath(movie.path), "colour": movie.colour, "decoder": DECODER, "schema": 1}
    write_whole(Path(files.folder) / FACTS, json.dumps(facts, indent=2, sort_keys=True) + "\n")
    # Decoding is quick; turning into RGB and compressing take the time, and are done beside it.
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(_WRITERS) as pool:
        for run in spans(wanted):
            for number, frame in _run(movie, run):
                waiting.append(pool.submit(write, files.path(number + shift), number, frame))
                if len(waiting) > _WRITERS:
                    waiting.popleft().result()
        for one in waiting:
            one.result()
    return pattern


def _pixels(movie: Movie, frame: Any) -> Pixels:
    """A frame as players show it, in RGB or RGBA."""
    return np.rot90(to_rgb(frame, movie.matrix, movie.full), movie.turn // 90)


def _is_opaque(movie: Movie) -> bool:
    """True where a movie has no alpha, or shows all through the one in its middle."""
    middle = FIRST + movie.count // 2
    _, frame = next(_run(movie, FrameRange(middle, middle)))
    pixels = _pixels(movie, frame)
    return pixels.shape[2] < 4 or float(pixels[..., 3].min()) >= 1


def _facts(movie: Movie, number: int) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "colorInteropID": movie.colour,
        "DateTime": exrfiles.FIXED_DATE,
        "FramesPerSecond": movie.rate,
        "PixelAspectRatio": float(movie.pixel_aspect),
    }
    code = None
    if movie.start is not None:
        code = exrfiles.time_code(movie.start + number - FIRST, movie.rate, movie.drop)
    if code is not None:
        facts["smpte:TimeCode"] = code
    if movie.reel:
        facts["reelName"] = movie.reel
    return facts


def _run(movie: Movie, run: FrameRange) -> Iterator[tuple[int, Any]]:
    """The frames of a run, each exactly once and in order."""
    wanted = iter(run)
    due = next(wanted)
    for start in [FIRST] if movie.counted else _starts(run.first):
        for number, frame in _from(movie, start):
            if number > due:
                break  # entered too late: what it begins with needs pictures before it
            if number < due:
                continue
            if frame.is_corrupt and start > FIRST:
                break
            if frame.is_corrupt:
                raise FrameError(f"Frame {number} of the movie {movie.path} is damaged; copy it from its source again.")
            yield number, frame
            following = next(wanted, None)
            if following is None:
                return
            due = following
    raise FrameError(f"Frame {due} of the movie {movie.path} cannot be decoded; copy it from its source again.")


def _starts(first: int) -> list[int]:
    """Where to enter a movie for a frame: at it, then earlier, then at the start."""
    starts = [first, first - _MARGIN, first - 50, first - 300, FIRST]
    return list(dict.fromkeys(max(FIRST, one) for one in starts))


def _from(movie: Movie, number: int) -> Iterator[tuple[int, Any]]:
    """Decoded frames with their numbers, from the key frame before a frame on."""
    with opened(movie.path) as (container, stream):
        if number > FIRST:
            container.seek(movie.times[number - FIRST], stream=stream, backward=True, any_frame=False)
        for index, frame in enumerate(container.decode(stream)):
            at = FIRST + index if movie.counted else _number(movie, frame.pts)
            if at is not None:
                yield at, frame


def _number(movie: Movie, time: int | None) -> int | None:
    """The number of the frame that is shown at a time; None for what lies outside of the movie."""
    if time is None:
        return None
    half = Fraction(1) / (2 * movie.rate * movie.time_base)
    index = bisect_left(movie.times, time - half)
    if index == len(movie.times) or abs(movie.times[index] - time) >= half:
        return None
    return FIRST + index
