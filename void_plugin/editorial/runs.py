"""The dissolve rule: what a track of results must hold besides the results, so that no edge pops or shows a ghost.

A result laid over its clip alone would pop where a dissolve ends, and one that fades to nothing would let the removed
object shine through. So the transition is copied, together with a stub of the neighbour as long as the transition
needs it: after the stub the untouched clip below goes on with the same picture. Clips that touch are one run and share
their transitions; a neighbour that cannot be cut short is taken whole.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from void_plugin.editorial.ranges import speed_of
from void_plugin.editorial.times import exact_rate, frames_of, range_of
from void_plugin.editorial.walk import ZERO, Place, offsets
from void_plugin.errors import RequestError

ONE = Fraction(1)


@dataclass(frozen=True)
class Piece:
    """A part of an item that belongs on the track of results; `first` and `end` are frames from the item's start."""

    place: Place
    first: Fraction
    end: Fraction
    picked: bool

    @property
    def start(self) -> Fraction:
        """Its first frame in the cut."""
        return self.place.start + self.first

    @property
    def stop(self) -> Fraction:
        """The frame of the cut after its last."""
        return self.place.start + self.end

    @property
    def is_transition(self) -> bool:
        """True for a transition, which has no length of its own."""
        return isinstance(self.place.item, otio.schema.Transition)

    @property
    def whole(self) -> bool:
        """True where nothing of the item is left out."""
        return self.first == ZERO and self.end == self.place.duration


def runs_of(places: Sequence[Place], picked: set[int], rate: Fraction) -> list[list[Piece]]:
    """The runs that a track of results must hold for the picked items, named by index, of one track."""
    kept = _Kept(places, picked, rate)
    runs: list[list[Piece]] = []
    joined = False
    for place in places:
        for piece in kept.pieces(place.index):
            if joined and piece.first == ZERO:
                runs[-1].append(piece)
            else:
                runs.append([piece])
            joined = piece.end == place.duration
        if not kept.pieces(place.index):
            joined = False
    return [run for run in runs if any(piece.picked for piece in run)]


def cut_short(item: Any, first: Fraction, end: Fraction, whole: Fraction, rate: Fraction) -> Any:
    """A copy of an item that shows only its frames `first` to `end` out of `whole` frames of the cut."""
    copy = deepcopy(item)
    if first == ZERO and end == whole:
        return copy
    trimmed = item.trimmed_range()
    written = trimmed.start_time.rate
    begin = frames_of(trimmed.start_time, exact_rate(written))
    speed = speed_of(item)
    lost = whole - end if speed < 0 else first
    begin += lost / rate * exact_rate(written) * abs(speed)
    start = range_of(begin, ZERO, written).start_time
    length = (end - first) / rate * exact_rate(trimmed.duration.rate)
    duration = range_of(ZERO, length, trimmed.duration.rate).duration
    copy.source_range = otio.opentime.TimeRange(start, duration)
    return copy


def fades_from_nothing(run: Sequence[Piece]) -> bool:
    """True where a run begins or ends in a fade, which no layer above can repeat without a ghost."""
    if run[0].is_transition or run[-1].is_transition:
        return True
    return any(isinstance(piece.place.item, otio.schema.Gap) for piece in run)


class _Kept:
    """Which parts of the items of a track are kept, found by widening until nothing is missing."""

    def __init__(self, places: Sequence[Place], picked: set[int], rate: Fraction) -> None:
        self._places, self._picked, self._rate = places, picked, rate
        self._whole = set(picked)
        self._heads: dict[int, Fraction] = {}
        self._tails: dict[int, Fraction] = {}
        self._transitions: set[int] = set()
        while self._widen():
            pass

    def pieces(self, index: int) -> list[Piece]:
        place = self._places[index]
        if index in self._transitions:
            return [Piece(place, ZERO, ZERO, False)]
        if index in self._whole:
            return [Piece(place, ZERO, place.duration, index in self._picked)]
        head, tail = self._heads.get(index, ZERO), self._tails.get(index, ZERO)
        if head + tail > place.duration:  # a short gap between two fades
            return [Piece(place, ZERO, place.duration, False)]
        parts = ((ZERO, head), (place.duration - tail, place.duration))
        return [Piece(place, first, end, False) for first, end in parts if end > first]

    def _widen(self) -> bool:
        """Take in what is needed by what there is; True where something was added."""
        before = (len(self._whole), len(self._transitions))
        for place in self._places:
            at = place.index
            if not isinstance(place.item, otio.schema.Transition) or at in self._transitions:
                continue
            if at - 1 in self._whole or at + 1 in self._whole:
                self._transitions.add(at)
                reach_in, reach_out = offsets(place.item, self._rate)
                # One frame at least, for a transition needs something beside it to mix with.
                self._keep(at - 1, self._tails, max(reach_in, ONE))
                self._keep(at + 1, self._heads, max(reach_out, ONE))
        return before != (len(self._whole), len(self._transitions))

    def _keep(self, index: int, side: dict[int, Fraction], length: Fraction) -> None:
        if not 0 <= index < len(self._places) or index in self._whole:
            return
        side[index] = length
        place = self._places[index]
        if isinstance(place.item, otio.schema.Gap):
            return  # what fades from it on its other side shows through it, and must not be shown twice
        head = max(self._heads.get(index, ZERO), self._reach(index - 1, 1) if index in self._tails else ZERO)
        tail = max(self._tails.get(index, ZERO), self._reach(index + 1, 0) if index in self._heads else ZERO)
        if head + tail > place.duration or not _can_be_cut(place.item):
            self._whole.add(index)

    def _reach(self, index: int, side: int) -> Fraction:
        """How far a transition on the other side of an item reaches into it."""
        if not 0 <= index < len(self._places):
            return ZERO
        item = self._places[index].item
        return offsets(item, self._rate)[side] if isinstance(item, otio.schema.Transition) else ZERO


def _can_be_cut(item: Any) -> bool:
    """False where a copy with another start would not move as the item does: keys count from its start, ramps too."""
    for effect in item.effects:
        said = effect.metadata.get("Resolve_OTIO")
        for one in (said.get("Parameters") or ()) if hasattr(said, "get") else ():
            if hasattr(one, "get") and one.get("Key Frames"):
                return False
    try:
        speed_of(item)
    except RequestError:
        return False
    return True
