"""What a timeline shows, frame by frame, by the rules of OpenTimelineIO alone; shares no code with void_plugin."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import opentimelineio as otio

NOTHING = ("", Fraction(0))
Picture = dict[tuple[str, Fraction], Fraction]
"""Folder of the media and frame of it, and how much of each is shown; `NOTHING` lets through what lies below."""


class Track:
    """One track whose children are whole frames long."""

    def __init__(self, track: Any, cleaned: Mapping[str, str]) -> None:
        """`cleaned` gives the folder that stands for another."""
        self.items: list[tuple[int, int, Any]] = []
        self.cleaned = cleaned
        self.length = 0
        for child in track:
            length = 0 if isinstance(child, otio.schema.Transition) else round(child.duration().value)
            self.items.append((self.length, self.length + length, child))
            self.length += length
        self.at = cache(self._at)
        self.inner: dict[int, Track] = {}

    def _at(self, frame: int) -> Picture:
        for index, (at, _, item) in enumerate(self.items):
            if isinstance(item, otio.schema.Transition):
                before, after = round(item.in_offset.value), round(item.out_offset.value)
                if at - before <= frame < at + after:
                    share = Fraction(2 * (frame - at + before) + 1, 2 * (before + after))
                    return mix({}, (self._show(index - 1, frame), 1 - share), (self._show(index + 1, frame), share))
        for index, (at, end, _) in enumerate(self.items):
            if at <= frame < end:
                return self._show(index, frame)
        return {NOTHING: Fraction(1)}

    def _show(self, index: int, frame: int) -> Picture:
        """What a child shows at a frame, also beyond its own length, as in a transition."""
        if not 0 <= index < len(self.items):
            return {NOTHING: Fraction(1)}
        at, end, item = self.items[index]
        if isinstance(item, otio.schema.Gap):
            return {NOTHING: Fraction(1)}
        if isinstance(item, otio.schema.Stack):
            inner = self.inner.setdefault(index, Track(item[0], self.cleaned))
            return inner.at(frame - at + round(item.trimmed_range().start_time.value))
        speed = Fraction(1)
        for effect in item.effects:
            speed = Fraction(effect.time_scalar)
        start = Fraction(item.source_range.start_time.value).limit_denominator(1000)
        offset = frame - at if speed >= 0 else end - 1 - frame
        folder = item.media_reference.target_url_base
        return {(self.cleaned.get(folder, folder), start + offset * abs(speed)): Fraction(1)}


def mix(into: Picture, *parts: tuple[Picture, Fraction]) -> Picture:
    for picture, share in parts:
        for sample, weight in picture.items():
            into[sample] = into.get(sample, Fraction(0)) + weight * share
    return into


def stacked(tracks: list[Track], frame: int) -> Picture:
    """What all tracks together show, the last on top."""
    seen: Picture = {}
    left = Fraction(1)
    for track in reversed(tracks):
        picture = dict(track.at(frame))
        through = picture.pop(NOTHING, Fraction(0))
        mix(seen, (picture, left))
        left *= through
        if not left:
            break
    return seen


def judge(base: Any, out: Any, cleaned: Mapping[tuple[int, ...], tuple[str, str]], everywhere: bool) -> int:
    """Fail unless the result shows the base with every cleaned clip in place of its original.

    `cleaned` gives, by path of the clip, the folder of the original and of the result. `everywhere` is False where
    results lie over all tracks and so over what covered their clip: then each track is judged by itself. Returns how
    many frames of cleaned clips were judged.
    """
    others = [track for track in out.tracks if "void" not in track.metadata]
    assert [track.to_json_string() for track in others] == [track.to_json_string() for track in base.tracks]
    assert out.global_start_time == base.global_start_time
    after = [(Track(track, {}), "void" in track.metadata) for track in out.tracks]
    plain, wanted = [], []
    for number, track in enumerate(base.tracks):
        names = {old: new for path, (old, new) in cleaned.items() if path[0] == number}
        plain.append(Track(track, {}))
        wanted.append(Track(track, names))
    judged = 0
    for frame in range(max(track.length for track, _ in after) + 1):
        faded = False
        for before, truth in zip(plain, wanted, strict=True):
            if before.at(frame) == truth.at(frame):
                continue
            if NOTHING in truth.at(frame):  # a fade, through which the original shows; that is warned of
                faded = True
                continue
            judged += 1
            if not everywhere:
                seen = [track.at(frame) for track, ours in after if ours]
                assert truth.at(frame) in seen, (frame, truth.at(frame), seen)
        if everywhere and not faded:
            found, due = stacked([track for track, _ in after], frame), stacked(wanted, frame)
            assert found == due, (frame, found, due)
    return judged
