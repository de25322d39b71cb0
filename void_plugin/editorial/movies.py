"""What a movie file holds: every frame by its number, rate, timecode, size, and what its code values mean.

Frames of a movie are numbered from 1, as Nuke, RV and ffmpeg number them. Nothing here is an estimate: a movie whose
frames do not follow at one rate has no frame numbers, and is refused.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av

from void_plugin.editorial import colourtags
from void_plugin.editorial.moviepixels import MATRICES, RGB, UNSPECIFIED, WEIGHTS, why_not
from void_plugin.editorial.times import exact_rate, frame_of
from void_plugin.errors import FrameError, RequestError

FIRST = 1
"""Number of a movie's first frame."""
ASSUMED = "g24_rec709_display"
"""What a movie is taken for where its tags say nothing that has an id: what every player does."""
_HD = 720
"""From this height on a movie without a matrix is taken for Rec.709, below for Rec.601, as decoders do."""
_FULL_RANGE = 2
_PROGRESSIVE = (0, 1)
_LOOK = 24
"""Pictures that are looked at for the order of their times."""


@dataclass(frozen=True)
class Movie:
    """One movie, opened and found fit to be decoded frame by frame."""

    path: str
    rate: Fraction
    times: tuple[int, ...]
    """Presentation time of every frame, in parts of `time_base`, ascending."""
    time_base: Fraction
    start: int | None
    """Timecode of the first frame, as frames from midnight; None where it has none."""
    drop: bool
    reel: str
    size: tuple[int, int]
    """Height and width as players show it."""
    turn: int
    """Degrees by which players turn it against the clock: 0, 90, 180 or 270. Its frames are taken so turned."""
    pixel_aspect: Fraction
    matrix: int
    full: bool
    bits: int
    colour: str
    """Its colorInteropID by its tags; `unknown` where they do not say it."""
    counted: bool
    """True where times in the file contradict the order of its pictures, so that they can only be counted."""
    remarks: tuple[str, ...]
    """What is assumed and what is to be known, as sentences without their end."""

    @property
    def count(self) -> int:
        """How many frames it has."""
        return len(self.times)

    @property
    def tagged(self) -> bool:
        """True where its tags say its colour space."""
        return self.colour != colourtags.UNKNOWN

    @property
    def declared(self) -> str:
        """The colour space that a removal takes its frames for."""
        return self.colour if self.tagged else ASSUMED


def open_movie(path: str) -> Movie:
    """Read what a movie holds. Raises FrameError where it cannot be read, or cannot be decoded frame by frame."""
    with opened(path) as (container, stream):
        context = stream.codec_context
        # Taken before a picture is decoded: some decoders overwrite them with what the picture does not say.
        tags = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        times, base = _times(path, container, stream), Fraction(stream.time_base)
        rate = _rate(path, times, base, stream)
        frame, counted = _first(path)
        _refuse(path, stream, frame)
        remarks: list[str] = []
        matrix, full, colour = _encoding(path, frame, tags, remarks)
        start, drop = _timecode(container, stream, rate, remarks)
        aspect, turn = Fraction(stream.sample_aspect_ratio or 1), _turn(path, frame)
        size = (frame.height, frame.width)
        if turn % 180:
            aspect, size = 1 / aspect, (frame.width, frame.height)
        parts = frame.format.components
        if counted:
            remarks.append("its times contradict the order of its pictures, so it is read from its start each time")
        if aspect != 1:
            remarks.append(f"its pixels are {float(aspect):.4g} times as wide as high; the EXR say so")
        if turn:
            remarks.append(f"players turn it by {turn} degrees, and so are its EXR")
        if any(part.is_alpha for part in parts):
            remarks.append("its alpha is kept, and its colours are not multiplied by it")
        told = [container.metadata, *(one.metadata for one in container.streams)]
        return Movie(
            path=path,
            rate=rate,
            times=times,
            time_base=base,
            start=start,
            drop=drop,
            reel=next((str(one["reel_name"]) for one in told if one.get("reel_name")), ""),
            size=size,
            turn=turn,
            pixel_aspect=aspect,
            matrix=matrix,
            full=full,
            bits=max(part.bits for part in parts),
            colour=colour,
            counted=counted,
            remarks=tuple(remarks),
        )


class Movies:
    """Movies by their path, each opened once: one is often the media of many clips."""

    def __init__(self) -> None:
        self._known: dict[str, Movie] = {}

    def open(self, path: str) -> Movie:
        """A movie, as `open_movie` gives it."""
        if path not in self._known:
            self._known[path] = open_movie(path)
        return self._known[path]


@contextmanager
def opened(path: str) -> Iterator[tuple[Any, Any]]:
    """The container and the stream of pictures of a movie. Raises FrameError where it has none."""
    if not os.path.isfile(path):
        raise FrameError(
            f"The movie {path} is offline; mount its disk, relink it, or name EXR of it with --plate-root.",
            "frame.missing",
        )
    try:
        container = av.open(path)
    except (av.FFmpegError, OSError) as error:
        raise FrameError(
            f"The movie {path} cannot be read ({_plain(error)}); render it to EXR, and name that with --plate-root."
        ) from error
    with container:
        stream = container.streams.best("video")
        if stream is None:
            raise FrameError(f"The movie {path} holds no pictures.", "frame.unsupported")
        stream.thread_type = "AUTO"  # type: ignore[attr-defined]
        try:
            yield container, stream
        except av.FFmpegError as error:
            raise FrameError(f"The movie {path} cannot be decoded ({_plain(error)}); make it anew.") from error


def _plain(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error)


# -- frames and their times ----------------------------------------------------------------------------------------


def _times(path: str, container: Any, stream: Any) -> tuple[int, ...]:
    """The presentation time of every frame that is shown."""
    entries = [] if stream.index_entries is None else list(stream.index_entries)
    kind = container.format.name
    if "mov" in kind and entries and len(entries) == stream.frames:
        # The index knows in which order frames are decoded; shown are the same steps, from where the stream starts.
        shown = sorted(one.timestamp for one in entries if not one.is_discard)
        begin = stream.start_time if stream.start_time is not None else shown[0]
        return tuple(begin + time - shown[0] for time in shown)
    if "mxf" in kind and stream.duration and stream.time_base == 1 / Fraction(stream.guessed_rate):
        begin = stream.start_time or 0  # one frame a tick, and reading on through all of it would take minutes
        return tuple(range(begin, begin + stream.duration))
    packets = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
    times = [packet.pts for packet in packets]
    if not times or None in times:
        raise FrameError(
            f"The movie {path} does not say when its frames are shown; copy it into MOV or MXF, or render it to EXR.",
            "frame.unsupported",
        )
    return tuple(sorted(times))


def _rate(path: str, times: tuple[int, ...], base: Fraction, stream: Any) -> Fraction:
    """Frames a second, the same all through."""
    if len(times) == 1:
        return exact_rate(float(stream.average_rate or stream.guessed_rate or 24))
    lasting, most = (times[-1] - times[0]) * base, len(times) - 1
    nominal = [Fraction(one) for one in (stream.average_rate, stream.guessed_rate) if one]
    # Times in milliseconds do not tell 23.976 from its neighbours; what is said and fits is the exact one.
    said = (exact_rate(float(one)) for one in (*nominal, most / lasting))
    rate = next((one for one in said if abs(lasting * one - most) <= 2 * base * one), most / lasting)
    steps = {after - before for before, after in pairwise(times)}
    off = max(abs(step * base * rate - 1) for step in steps)
    if off > base * rate * Fraction(101, 100) + Fraction(1, 100):
        raise FrameError(
            f"The movie {path} has a variable frame rate: its frames last from {_milliseconds(min(steps) * base)} to "
            f"{_milliseconds(max(steps) * base)} ms. Transcode it to a constant rate, or render it to EXR and name "
            "that with --plate-root.",
            "frame.unsupported",
        )
    return rate


def _milliseconds(time: Fraction) -> str:
    return f"{float(time * 1000):.4g}"


def _timecode(container: Any, stream: Any, rate: Fraction, remarks: list[str]) -> tuple[int | None, bool]:
    said = str(stream.metadata.get("timecode") or container.metadata.get("timecode") or "")
    if not said:
        return None, False
    try:
        return frame_of(said, rate)
    except RequestError:
        remarks.append(f"its timecode {said} is none at {float(rate):.5g} frames a second, and is left out")
        return None, False


# -- pictures ------------------------------------------------------------------------------------------------------


def _first(path: str) -> tuple[Any, bool]:
    """The first picture, and whether times contradict the order in which pictures are decoded to be shown."""
    with opened(path) as (fresh, again):
        # Some writers of MXF and AVI say only in which order pictures are decoded.
        doubtful = again.codec_context.has_b_frames and not any(one in fresh.format.name for one in ("mov", "matroska"))
        shown = []
        for frame in fresh.decode(again):
            shown.append(frame)
            if len(shown) == (_LOOK if doubtful else 1):
                break
    if not shown:
        raise FrameError(f"The movie {path} holds no frame that can be decoded.")
    stamps = [frame.pts for frame in shown]
    return shown[0], None in stamps or stamps != sorted(stamps)


def _refuse(path: str, stream: Any, frame: Any) -> None:
    if frame.interlaced_frame or stream.codec_context.field_order not in _PROGRESSIVE:
        raise FrameError(
            f"The movie {path} is interlaced; deinterlace it to EXR first, and name that with --plate-root.",
            "frame.unsupported",
        )
    problem = why_not(frame.format)
    if problem:
        raise FrameError(
            f"The movie {path} {problem}; render it to EXR, and name that with --plate-root.", "frame.unsupported"
        )


def _turn(path: str, frame: Any) -> int:
    """Degrees by which players turn a picture against the clock. Raises FrameError for what is no quarter turn."""
    for one in frame.side_data:
        if one.type.name == "DISPLAYMATRIX":
            a, b, _, c, d, *_ = struct.unpack("=9i", bytes(one))
            if a * d < b * c or frame.rotation % 90:
                raise FrameError(
                    f"The movie {path} is mirrored or turned askew by players; render it to EXR as it is to be seen, "
                    "and name that with --plate-root.",
                    "frame.unsupported",
                )
    return int(frame.rotation) % 360


def _encoding(path: str, frame: Any, tags: tuple[int, int, int, int], remarks: list[str]) -> tuple[int, bool, str]:
    """Matrix, full range or not, and colorInteropID: by what the picture says, else by what its container says."""
    own = (frame.color_primaries, frame.color_trc, frame.colorspace)
    primaries, transfer, matrix = (
        said if mine in (0, UNSPECIFIED) else mine for mine, said in zip(own, tags, strict=False)
    )
    others = MATRICES.get(own[2]), MATRICES.get(tags[2])
    if None not in others and others[0] != others[1]:
        remarks.append(f"its pictures say the colour matrix {others[0]}, which is taken, and its container {others[1]}")
    full = _full(frame, frame.color_range or tags[3], remarks)
    return _matrix(path, frame, matrix, remarks), full, colourtags.movie_id(primaries, transfer)


def _matrix(path: str, frame: Any, said: int, remarks: list[str]) -> int:
    if frame.format.is_rgb or len(frame.format.components) < 3:
        return RGB
    if said in WEIGHTS:
        return said
    if said not in (UNSPECIFIED, RGB):
        raise FrameError(
            f"The movie {path} has the colour matrix number {said}, which is not read; render it to EXR, and name that "
            "with --plate-root.",
            "frame.unsupported",
        )
    taken = 1 if frame.height >= _HD else 6
    remarks.append(f"nothing says its colour matrix; taken by its size for {MATRICES[taken]}")
    return taken


def _full(frame: Any, said: int, remarks: list[str]) -> bool:
    if frame.format.name.startswith("yuvj"):
        return True
    if said:
        if said != _FULL_RANGE and frame.format.is_rgb:
            remarks.append("its tags say that its RGB has the limited range of video, and it is read so")
        return said == _FULL_RANGE
    if frame.format.is_rgb:
        return True
    remarks.append("nothing says its levels; taken for the limited range of video")
    return False
