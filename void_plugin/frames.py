"""Frame numbers and the files that hold them: `FrameRange`, `ImageSequence`, `Digest`."""

import hashlib
import os
import re
from dataclasses import dataclass
from typing import Container, Iterable, Iterator, List, Optional, Sequence, Tuple

from void_plugin.errors import RequestError

MOST_DIGITS = 12
"""Digits a frame token may ask for: more than any shot has frames, and no file name grows without bound."""
_TOKEN = re.compile(r"%(0?)(\d*)d")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class FrameRange:
    """A contiguous run of frame numbers, both ends included."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise RequestError(
                "The frame range {}-{} runs backwards; write the lower number first.".format(self.first, self.last),
                "request.range",
            )

    @classmethod
    def parse(cls, text: str) -> "FrameRange":
        """Read `1001-1024` or `1001`; negative numbers are allowed (`-5--1`)."""
        match = re.match(r"^\s*(-?\d+)(?:\s*-\s*(-?\d+))?\s*$", text)
        if match is None:
            raise RequestError(
                "{!r} is not a frame range; write one number or FIRST-LAST, for example 1001-1024.".format(text),
                "request.range",
            )
        first = int(match.group(1))
        return cls(first, first if match.group(2) is None else int(match.group(2)))

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1))

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, frame: object) -> bool:
        return isinstance(frame, int) and self.first <= frame <= self.last

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else "{}-{}".format(self.first, self.last)

    def holds(self, other: "FrameRange") -> bool:
        """True where every frame of `other` lies in this range."""
        return self.first <= other.first and other.last <= self.last

    def grown(self, count: int) -> "FrameRange":
        """This range with `count` more frames at both ends."""
        return FrameRange(self.first - count, self.last + count)

    def widened(self, outer: "FrameRange", present: Container[int]) -> "FrameRange":
        """This range with the frames beyond its ends that are there without a gap, at most up to `outer`."""
        first, last = self.first, self.last
        while first > outer.first and first - 1 in present:
            first -= 1
        while last < outer.last and last + 1 in present:
            last += 1
        return FrameRange(first, last)

    def clipped(self, limits: "FrameRange") -> "FrameRange":
        """The part of this range inside `limits`; the two must overlap."""
        return FrameRange(max(self.first, limits.first), min(self.last, limits.last))


def spans(frames: Iterable[int]) -> List[FrameRange]:
    """Group frame numbers into contiguous ranges, in order."""
    runs: List[FrameRange] = []
    for frame in sorted(set(frames)):
        if runs and frame == runs[-1].last + 1:
            runs[-1] = FrameRange(runs[-1].first, frame)
        else:
            runs.append(FrameRange(frame, frame))
    return runs


def describe(frames: Iterable[int]) -> str:
    """Frame numbers as people write them: `1001-1004, 1007`."""
    return ", ".join(str(run) for run in spans(frames))


@dataclass(frozen=True)
class ImageSequence:
    """A file name pattern with one `%04d`-style token, or a single still without one."""

    pattern: str

    def __post_init__(self) -> None:
        tokens = _TOKEN.findall(self.pattern)
        if len(tokens) > 1:
            raise RequestError(
                "The pattern {!r} holds more than one frame token; use exactly one, such as %04d.".format(self.pattern),
                "request.pattern",
            )
        if tokens and int(tokens[0][1] or 0) > MOST_DIGITS:
            raise RequestError(
                "The pattern {!r} asks for {} digits; use at most {}.".format(
                    self.pattern[:200], tokens[0][1], MOST_DIGITS
                ),
                "request.pattern",
            )
        if _TOKEN.search(os.path.dirname(self.pattern)):
            raise RequestError(
                "The pattern {!r} has its frame token in a folder name; only the file name may hold it.".format(
                    self.pattern
                ),
                "request.pattern",
            )

    @property
    def is_still(self) -> bool:
        """True where the pattern has no frame token and names one file."""
        return _TOKEN.search(self.pattern) is None

    @property
    def folder(self) -> str:
        """The folder that holds the files."""
        return os.path.dirname(self.pattern) or "."

    def path(self, frame: int) -> str:
        """The file of one frame."""
        match = _TOKEN.search(self.pattern)
        if match is None:
            return self.pattern
        width = int(match.group(2) or 0)
        # Width counts the sign, as printf does, so -5 with %04d is -005.
        number = "{:0{}d}".format(frame, width) if match.group(1) else "{:{}d}".format(frame, width or 1).strip()
        return self.pattern[: match.start()] + number + self.pattern[match.end() :]

    def on_disk(self) -> List[int]:
        """Frame numbers that exist as files now, in order; a still counts as no numbered frame."""
        match = _TOKEN.search(os.path.basename(self.pattern))
        if match is None or not os.path.isdir(self.folder):
            return []
        name = os.path.basename(self.pattern)
        regex = re.compile(re.escape(name[: match.start()]) + r"(-?\d+)" + re.escape(name[match.end() :]) + r"\Z")
        found = []
        for entry in os.listdir(self.folder):
            hit = regex.match(entry)
            # `%04d` never makes `12.exr`, so a name must be what this pattern would write.
            if hit and os.path.basename(self.path(int(hit.group(1)))) == entry:
                found.append(int(hit.group(1)))
        return sorted(found)

    def missing(self, frames: Iterable[int]) -> List[int]:
        """Those of `frames` that have no file."""
        return [frame for frame in frames if not os.path.isfile(self.path(frame))]


@dataclass(frozen=True)
class Digest:
    """SHA-256 of some bytes, in lower-case hex, and how many bytes they were."""

    sha256: str
    size: int

    @classmethod
    def of_file(cls, path: str) -> "Digest":
        """Digest of a whole file, read in pieces."""
        total, state = 0, hashlib.sha256()
        with open(path, "rb") as stream:
            for piece in iter(lambda: stream.read(_CHUNK), b""):
                state.update(piece)
                total += len(piece)
        return cls(state.hexdigest(), total)

    @classmethod
    def of_text(cls, text: str) -> "Digest":
        """Digest of UTF-8 text."""
        data = text.encode("utf-8")
        return cls(hashlib.sha256(data).hexdigest(), len(data))


def contiguous(frames: Sequence[int]) -> Tuple[Optional[FrameRange], List[int]]:
    """The range spanned by `frames` and the gaps in it; (None, []) for no frames."""
    if not frames:
        return None, []
    whole = FrameRange(min(frames), max(frames))
    have = set(frames)
    return whole, [frame for frame in whole if frame not in have]
