"""What a clip shows: which files, numbered from where, and which time of the media the first of them is."""

import os
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any
from urllib.parse import unquote, urlsplit

import opentimelineio as otio

from void_plugin.editorial.times import exact_rate, frames_of, tidy
from void_plugin.errors import RequestError
from void_plugin.frames import FrameRange, ImageSequence, contiguous
from void_plugin.patterns import to_pattern

MOVIES = frozenset(
    (".mov", ".mp4", ".m4v", ".mxf", ".mkv", ".avi", ".webm", ".braw", ".r3d", ".ari", ".mts", ".m2ts", ".wmv", ".crm")
)
PICTURES = frozenset((".exr", ".dpx", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".cin", ".tga", ".bmp", ".hdr"))
_BRACKETS = re.compile(r"\[(\d+)-(\d+)\](?=\.[^.]+\Z)")
_NUMBER = re.compile(r"(?:(?<=[._-])|\A)(\d+)(?=\.[^.]+\Z)")
ZERO = Fraction(0)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")


@dataclass(frozen=True)
class Media:
    """The media of one clip; times are frames of its own rate."""

    kind: str
    """sequence, still or movie."""
    pattern: str
    """File pattern with a `%04d` token, or one file."""
    first: int
    """Number of the file that shows the first frame."""
    start: Fraction
    """Time of the first frame, as the clip counts it; mostly its timecode."""
    count: int
    """How many frames there are; 0 where nothing says it."""
    written_rate: float
    schema: str
    """Which kind of OTIO reference named it: image_sequence or external."""
    assumed: bool = False
    """True where nothing says which time the first frame is, so that 0 was taken."""

    @property
    def rate(self) -> Fraction:
        """Frames a second, exact."""
        return exact_rate(self.written_rate)

    @property
    def files(self) -> FrameRange | None:
        """The numbers of its files; None where nothing says how many there are."""
        return FrameRange(self.first, self.first + self.count - 1) if self.count else None

    def taken_from(self, pattern: str) -> "Media":
        """The same media as a sequence of files that somebody has made from it, first file for first frame."""
        whole, _ = contiguous(ImageSequence(pattern).on_disk())
        if whole is None:
            return replace(self, kind="sequence", pattern=pattern, first=0)
        return replace(self, kind="sequence", pattern=pattern, first=whole.first, count=self.count or len(whole))


def media_of(clip: Any, folder: str) -> Media:
    """The media of a clip; relative paths are taken from `folder`.

    Raises RequestError, with what it is, where a clip shows no files that could be read.
    """
    reference = clip.media_reference
    name = clip.name or "a clip"
    if isinstance(reference, otio.schema.ImageSequenceReference):
        return _sequence(reference, name, folder, clip)
    if isinstance(reference, otio.schema.ExternalReference):
        return _external(reference, name, folder, clip)
    if isinstance(reference, otio.schema.GeneratorReference):
        raise RequestError(f"{name!r} is a generator or title and has no plate.")
    raise RequestError(f"{name!r} is offline: the timeline names no file for it; relink it in the editor.")


def path_of(url: str, folder: str) -> str:
    """The file path behind an OTIO target, with forward slashes. Raises RequestError for what is no file."""
    if _DRIVE.match(url):
        return url.replace("\\", "/")
    parts = urlsplit(url)
    if parts.scheme == "file":
        host = "" if parts.netloc in ("", "localhost") else f"//{unquote(parts.netloc)}"
        path = host + unquote(parts.path)
        drive = re.match(r"/+(?=[A-Za-z]:[\\/])", path)  # programs differ in how many slashes they write before it
        return path[drive.end() :].replace("\\", "/") if drive else path
    if parts.scheme and "://" in url:
        raise RequestError(f"The media {url} is no file; copy it to a disk and relink the clip.")
    return url if os.path.isabs(url) else os.path.join(folder, url).replace("\\", "/")


def _sequence(reference: Any, name: str, folder: str, clip: Any) -> Media:
    if reference.frame_step != 1:
        raise RequestError(f"{name!r} shows only every {reference.frame_step}th file of its sequence; relink it whole.")
    base = path_of(reference.target_url_base, folder).rstrip("/")
    digits = reference.frame_zero_padding
    token = f"%0{digits}d" if digits > 1 else "%d"
    pattern = f"{base}/{reference.name_prefix}{token}{reference.name_suffix}"
    return _numbered(pattern, reference.start_frame, reference, clip, "image_sequence")


def _external(reference: Any, name: str, folder: str, clip: Any) -> Media:
    path = path_of(reference.target_url, folder)
    ending = os.path.splitext(path)[1].lower()
    bracket = _BRACKETS.search(path)
    if bracket is not None:
        pattern = f"{path[: bracket.start()]}%0{len(bracket.group(1))}d{path[bracket.end() :]}"
        return _numbered(pattern, int(bracket.group(1)), reference, clip, "external")
    if ending in PICTURES:
        pattern = to_pattern(path)
        if not ImageSequence(pattern).is_still:
            whole, _ = contiguous(ImageSequence(pattern).on_disk())
            return _numbered(pattern, whole.first if whole else 0, reference, clip, "external")
        number = _NUMBER.search(os.path.basename(path))
        known = reference.available_range or clip.source_range
        many = known is not None and known.duration.value > 1
        if number is not None and many:  # as Premiere names the first file for all
            stem = path[: len(path) - len(os.path.basename(path)) + number.start()]
            pattern = f"{stem}%0{len(number.group())}d{ending_of(path, number)}"
            return _numbered(pattern, int(number.group()), reference, clip, "external")
        return _made("still", path, 0, reference, clip, "external")
    if ending not in MOVIES:
        raise RequestError(f"{name!r} shows {path}, which is neither an image sequence nor a movie; relink it.")
    return _made("movie", path, 0, reference, clip, "external")


def ending_of(path: str, number: re.Match[str]) -> str:
    """What follows a frame number in the name of a file."""
    return os.path.basename(path)[number.end() :]


def _numbered(pattern: str, first: int, reference: Any, clip: Any, schema: str) -> Media:
    made = _made("sequence", pattern, first, reference, clip, schema)
    if made.count:
        return made
    # Nothing says how long it is: the disk does, and the clip shows by its own numbers how it counts.
    whole, _ = contiguous(ImageSequence(pattern).on_disk())
    if whole is None:
        return made
    begin = ZERO if clip.source_range is None else frames_of(clip.source_range.start_time, made.rate)
    start = Fraction(whole.first) if begin >= len(whole) and whole.first <= begin <= whole.last else ZERO
    return replace(made, first=whole.first, count=len(whole), start=start, assumed=True)


def _made(kind: str, pattern: str, first: int, reference: Any, clip: Any, schema: str) -> Media:
    available = reference.available_range
    if available is not None:
        rate = float(available.duration.rate)
        start = frames_of(available.start_time, exact_rate(rate))
        count = int(frames_of(available.duration, exact_rate(rate)))
        return Media(kind, pattern, first, tidy(start), count, rate, schema)
    rate = float(getattr(reference, "rate", 0) or 0)
    if rate <= 1 and clip.source_range is not None:  # 1 is what the schema says where nobody has said anything
        rate = float(clip.source_range.start_time.rate)
    return Media(kind, pattern, first, ZERO, 0, rate or 24.0, schema, assumed=True)
