"""How many frames an engine takes at once: legal clip lengths, mirrored padding, segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class ClipLengths:
    """Frame counts an engine accepts: `minimum`, then every `step` up to `maximum`."""

    minimum: int
    step: int
    maximum: int


VOID_LENGTHS = ClipLengths(minimum=85, step=8, maximum=197)
"""Clip lengths of VOID: 8k+5 frames give an even number of latent frames; 85 is its window, 197 the longest
upstream sends (Netflix/void-model, `temporal_padding`)."""


VOID_SHORT_LENGTHS = ClipLengths(minimum=5, step=8, maximum=197)
"""The same without upstream's padding to a whole window."""


def padded_length(count: int, lengths: ClipLengths) -> int:
    """The smallest legal length that holds `count` frames. Raises ValueError beyond the maximum."""
    if count > lengths.maximum:
        raise ValueError(f"{count} frames do not fit into clips of at most {lengths.maximum}")
    over = max(0, count - lengths.minimum)
    return lengths.minimum + -(-over // lengths.step) * lengths.step


def evenly(items: Sequence[T], count: int) -> list[T]:
    """At most so many of the items, the first and the last and others evenly between them."""
    count = min(len(items), count)
    return [items[round(index * (len(items) - 1) / max(1, count - 1))] for index in range(count)]


def mirrored(count: int, length: int) -> list[int]:
    """Indices 0..count-1 played forwards, backwards, forwards … up to `length`; the end frames are repeated.

    The first `count` entries are the real frames, so trimming is `[:count]`. Order of upstream's loader:
    0..n-1, n-1..0, 0..n-1, …
    """
    if count < 1:
        raise ValueError("no frames to pad")
    period = 2 * count
    return [index if index < count else period - 1 - index for index in (step % period for step in range(length))]


def pad(items: Sequence[T], lengths: ClipLengths) -> list[T]:
    """A clip padded to a legal length by mirroring in time."""
    return [items[index] for index in mirrored(len(items), padded_length(len(items), lengths))]


@dataclass(frozen=True)
class Segment:
    """A run of frames that an engine takes at once: `lead` is only looked at, `frames` are delivered."""

    lead: tuple[int, ...]
    frames: tuple[int, ...]


def looked_at(count: int, stride: int) -> list[int]:
    """Those of the indices 0..count-1 that an engine looks at: every `stride`-th from the first, and the last."""
    return sorted({*range(0, count, stride), *range(count)[-1:]})


def segments(frames: Sequence[int], longest: int, overlap: int = 0, stride: int = 1) -> list[Segment]:
    """Frames cut into runs of at most `longest`, as few and as equal as can be, so that none is a single frame.

    Every run but the first begins with the `overlap` frames that the one before ends with. An engine looks at every
    `stride`-th frame, counted from the very first: runs end on such a frame, and overlaps, which may grow for it,
    begin and end on one. Raises ValueError where runs would never come to an end.
    """
    seen = looked_at(len(frames), stride)
    most, shared = (longest - 1) // stride + 1, -(-(overlap - 1) // stride) + 1 if overlap else 0
    if not 0 <= shared < most:
        raise ValueError(f"runs of {longest} frames cannot overlap by {overlap}")
    count = max(1, -(-(len(seen) - shared) // (most - shared)))
    total = len(seen) + (count - 1) * shared
    ends = [round(index * total / count) - max(0, index - 1) * shared for index in range(count + 1)]
    found = []
    for first, last in pairwise(ends):
        if last > first:
            begin, end = (seen[first - 1] + 1 if first else 0), seen[last - 1] + 1
            lead = seen[first - shared] if first and shared else begin
            found.append(Segment(tuple(frames[lead:begin]), tuple(frames[begin:end])))
    return found
