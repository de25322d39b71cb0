"""Results as movies beside their EXR frames: ProRes 4444 or DNxHR, in the encoding, levels and time of the frames.

A movie is made for editors whose disks or habits want one; the EXR stay what a result is. Pixels are put into the
levels of video and into chroma, and nothing else: what is scene-linear has no place in such a movie and is refused.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from void_plugin.editorial import colourtags, exrfiles
from void_plugin.editorial.moviepixels import WEIGHTS, to_frame
from void_plugin.editorial.movies import open_movie
from void_plugin.editorial.times import same_time, timecode
from void_plugin.errors import FrameError, RequestError
from void_plugin.frames import FrameRange, ImageSequence
from void_plugin.localfiles import disk_error

_LIMITED = 1
_REC709, _REC2020 = 1, 9


@dataclass(frozen=True)
class Kind:
    """One kind of movie that results can be delivered as."""

    name: str
    codec: str
    layout: str
    with_alpha: str
    """Pixel format where the frames have an alpha; empty where the codec has none."""
    options: Mapping[str, str]
    least: tuple[int, int] = (1, 1)
    """Smallest height and width."""
    matrix: int = 0
    """The only matrix that its pictures say, by its number; 0 where they say any."""


KINDS: Mapping[str, Kind] = {
    "prores4444": Kind(
        "ProRes 4444",
        "prores_ks",
        "yuv444p10le",
        "yuva444p10le",
        {"profile": "4444", "alpha_bits": "16", "vendor": "apl0"},
    ),
    "dnxhr": Kind("DNxHR HQX", "dnxhd", "yuv422p10le", "", {"profile": "dnxhr_hqx"}, (120, 256), _REC709),
    "dnxhr444": Kind("DNxHR 444", "dnxhd", "yuv444p10le", "", {"profile": "dnxhr_444"}, (120, 256), _REC709),
}


@dataclass(frozen=True)
class Source:
    """The frames of a result and how they are timed."""

    shot: str
    pattern: str
    frames: FrameRange
    rate: Fraction
    start: int
    """Timecode of the first frame, as frames from midnight."""
    drop: bool = False
    matrix: int = 0
    """That of the movie which the plate came from, by its number; 0 chooses by the colour."""
    colour: str = ""
    """What the frames are encoded in where they do not say it."""


def movie_path(pattern: str, kind: str) -> Path:
    """Where the movie of a result lies: beside its frames."""
    name = os.path.basename(pattern).partition("%")[0].rstrip("._")
    return Path(os.path.dirname(pattern)) / f"{name}_{kind}.mov"


def deliver(kind: str, source: Source) -> list[str]:
    """Make the movie of a result where it is not there yet, or older than a frame; returns what it loses, as sentences.

    Raises RequestError where such a movie cannot hold the frames, FrameError where one cannot be read, ServerError
    where the folder cannot be written to.
    """
    made, path, files = KINDS[kind], movie_path(source.pattern, kind), ImageSequence(source.pattern)
    missing = files.missing(source.frames)
    if missing:
        raise FrameError(f"{source.shot} has no frame {files.path(missing[0])}; submit it again.", "frame.missing")
    if _is_there(path, source, files):
        return []
    temporary = path.with_name(f".{path.stem}-{os.getpid()}.mov")
    try:
        lost = _write(temporary, made, source, files)
        os.replace(temporary, path)
    except av.FFmpegError as error:
        raise FrameError(f"{path} cannot be written ({getattr(error, 'strerror', '') or error}).") from error
    except OSError as error:
        raise disk_error(error, path.parent) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
    return [lost] if lost else []


def _is_there(path: Path, source: Source, files: ImageSequence) -> bool:
    try:
        made = os.stat(path).st_mtime_ns
        movie = open_movie(str(path))
    except (OSError, FrameError):
        return False
    newest = max(os.stat(files.path(frame)).st_mtime_ns for frame in source.frames)
    same = movie.count == len(source.frames) and movie.rate == source.rate
    return same and same_time(movie.start, source.start, movie.rate, movie.drop) and made >= newest


def _write(path: Path, kind: Kind, source: Source, files: ImageSequence) -> str:
    """Write all frames; returns a sentence where values lie beyond what the movie can hold."""
    pixels, facts = exrfiles.read(files.path(source.frames.first))
    identity = _identity(source, facts)
    alpha = pixels.shape[2] == 4 and bool(kind.with_alpha)
    layout = kind.with_alpha if alpha else kind.layout
    size = pixels.shape[:2]
    _check(kind, source, size)
    primaries, transfer = colourtags.movie_tags(identity)
    wanted = source.matrix if source.matrix in WEIGHTS else _REC2020 if primaries == _REC2020 else _REC709
    matrix = kind.matrix or wanted
    clipped = 0
    with av.open(str(path), "w", format="mov") as container:
        stream: Any = container.add_stream(kind.codec, rate=source.rate, options=dict(kind.options))
        stream.width, stream.height, stream.pix_fmt, stream.time_base = size[1], size[0], layout, 1 / source.rate
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = primaries, transfer, matrix
        context.color_range = _LIMITED
        aspect = float(facts.get("PixelAspectRatio", 1.0))
        context.sample_aspect_ratio = Fraction(aspect).limit_denominator(1000)
        stream.metadata["timecode"] = timecode(source.start, source.rate, _drops(source, facts))
        if facts.get("reelName"):
            stream.metadata["reel_name"] = str(facts["reelName"])
        for index, number in enumerate(source.frames):
            if index:
                pixels, _ = exrfiles.read(files.path(number))
            if pixels.shape[:2] != size:
                raise FrameError(f"The frame {files.path(number)} of {source.shot} has another size than the first.")
            frame, beyond = to_frame(pixels, layout, matrix)
            clipped += beyond
            frame.pts, frame.time_base = index, 1 / source.rate
            frame.color_primaries, frame.color_trc, frame.colorspace = primaries, transfer, matrix
            frame.color_range = _LIMITED
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if not clipped:
        return ""
    return f"{source.shot}: {clipped} pixels lie beyond the levels of {kind.name} and are clipped in it."


def _drops(source: Source, facts: Mapping[str, Any]) -> bool:
    """Whether timecode drops numbers: as the frames themselves have it, and else as their media does."""
    code = facts.get("smpte:TimeCode")
    return source.drop if code is None else exrfiles.drops(code)


def _identity(source: Source, facts: Mapping[str, Any]) -> str:
    told = str(facts.get("colorInteropID", ""))
    if told in ("", colourtags.UNKNOWN) and source.colour:
        told = source.colour if "_" in source.colour else colourtags.interop_id(source.colour)
    if told.removeprefix("ocio:").startswith("lin_"):
        raise RequestError(
            f"The frames of {source.shot} are scene-linear ({told}), and a movie would clip them; deliver the EXR, or "
            "make the movie in the editor with its own transform."
        )
    return told or colourtags.UNKNOWN


def _check(kind: Kind, source: Source, size: tuple[int, int]) -> None:
    if size[0] < kind.least[0] or size[1] < kind.least[1]:
        raise RequestError(
            f"{kind.name} begins at {kind.least[1]}x{kind.least[0]}, and {source.shot} has {size[1]}x{size[0]}; "
            "deliver it as prores4444."
        )
    if "422" in kind.layout and size[1] % 2:
        raise RequestError(
            f"{kind.name} needs an even width, and {source.shot} is {size[1]} wide; deliver it as prores4444."
        )
