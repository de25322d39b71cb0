"""Proof that a conformed timeline is the edit with results over it: nothing moved, nothing lost, every file there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from void_plugin.editorial.adapters import to_text
from void_plugin.editorial.media import Media, media_of
from void_plugin.editorial.movies import open_movie
from void_plugin.editorial.ranges import file_at, source_range, speed_of
from void_plugin.editorial.times import frames_of, same_time
from void_plugin.editorial.walk import Cut, Place, facts_of, is_results, real_path
from void_plugin.errors import FrameError, RequestError
from void_plugin.frames import FrameRange, ImageSequence, describe

EXR = b"\x76\x2f\x31\x01"
"""How every EXR file begins."""
_NEAR = Fraction(1, 1000)
"""Part of a frame that two positions may differ by, for they pass through floating point."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


def check(out: Any, base: Any, folder: str) -> list[Finding]:
    """What is wrong with a conformed timeline, against the edit that it was made from; empty where nothing is.

    `folder` is where relative paths of the media begin.
    """
    findings = list(_base(out, base))
    if findings:
        return findings  # places in the edit mean nothing any more
    cut, edit = Cut(out), Cut(base)
    had = {facts_of(track)["results"] for track in base.tracks if is_results(track)}
    ours = [
        lane
        for lane in cut.lanes
        if not lane.nested and is_results(lane.track) and facts_of(lane.track)["results"] not in had
    ]
    for lane in ours:
        if not lane.track.enabled:
            findings.append(Finding(lane.track.name, "the track of results is switched off."))
        findings += _track(cut, edit, cut.places(lane), folder)
    if not any(facts_of(place.item).get("role") == "result" for lane in ours for place in cut.places(lane)):
        findings.append(Finding(out.name or "timeline", "it holds no results that the edit did not hold."))
    return findings


# -- the edit ------------------------------------------------------------------------------------------------------


def _base(out: Any, base: Any) -> Iterator[Finding]:
    if _plain(out.global_start_time) != _plain(base.global_start_time):
        yield Finding("timeline", "it begins at another time, or runs at another rate, than the edit.")
    if _shell(out.tracks) != _shell(base.tracks):
        yield Finding("timeline", "its range, effects, markers or notes are not those of the edit.")
    known = {facts_of(track)["results"] for track in base.tracks if is_results(track)}
    kept = [track for track in out.tracks if not is_results(track) or facts_of(track)["results"] in known]
    if len(kept) != len(base.tracks):
        yield Finding("timeline", f"it has {len(kept)} tracks besides the results, and the edit {len(base.tracks)}.")
        return
    for one, other in zip(kept, base.tracks, strict=True):
        if _track_text(one) != _track_text(other):
            yield Finding(other.name or "a track", f"it is not as in the edit{_difference(one, other)}.")


def _plain(value: Any) -> str:
    return "" if value is None else str(json.loads(otio.adapters.write_to_string(value, "otio_json")))


def _shell(stack: Any) -> str:
    """A stack without its tracks and without the markers that a conform sets."""
    data = json.loads(to_text(stack))
    data["children"] = []
    data["markers"] = [marker for marker in data["markers"] if "failed" not in (marker["metadata"].get("void") or {})]
    return json.dumps(data, sort_keys=True)  # as text, for a number that is none equals not even itself


def _track_text(track: Any) -> str:
    if not is_results(track):
        return to_text(track)
    data = json.loads(to_text(track))
    del data["enabled"]  # results of earlier versions are switched off
    return json.dumps(data, sort_keys=True)


def _difference(one: Any, other: Any) -> str:
    for index, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if to_text(mine) != to_text(theirs):
            return f", from item {index + 1} on ({theirs.name or theirs.schema_name()})"
    return "" if len(one) == len(other) else f": {len(one)} items in place of {len(other)}"


# -- the results ---------------------------------------------------------------------------------------------------


def _track(cut: Cut, edit: Cut, places: list[Place], folder: str) -> Iterator[Finding]:
    originals: dict[int, Place] = {}
    for place in places:
        if isinstance(place.item, otio.schema.Gap | otio.schema.Transition):
            continue
        path = facts_of(place.item).get("path")
        original = edit.place(real_path(edit.timeline, tuple(path))) if path else None
        if original is None:
            yield Finding(place.name, "nothing says which clip of the edit it stands for.")
            continue
        originals[place.index] = original
        try:
            yield from _item(cut, edit, place, original, folder)
        except RequestError as error:
            yield Finding(place.name, error.message)
    for place in places:
        if isinstance(place.item, otio.schema.Transition):
            yield from _transition(places, place, originals)
        elif facts_of(place.item).get("role") == "result" and place.index in originals:
            yield from _edges(places, place, originals[place.index])


def _item(cut: Cut, edit: Cut, place: Place, original: Place, folder: str) -> Iterator[Finding]:
    result = facts_of(place.item).get("role") == "result"
    first, end = original.visible
    if result and (abs(place.start - first) > _NEAR or abs(place.end - end) > _NEAR):
        yield Finding(place.name, f"it lies at {_span(place.start, place.end)}, its clip at {_span(first, end)}.")
        return
    if place.start < first - _NEAR or place.end > end + _NEAR:
        yield Finding(
            place.name, f"it lies at {_span(place.start, place.end)}, beyond its clip at {_span(first, end)}."
        )
        return
    mine, theirs = place.item, original.item
    if [to_text(one) for one in mine.effects] != [to_text(one) for one in theirs.effects]:
        yield Finding(place.name, "its effects or speed are not those of its clip.")
        return
    if mine.enabled != theirs.enabled:
        yield Finding(place.name, "it is switched on or off otherwise than its clip.")
    shown, due = mine.trimmed_range(), theirs.trimmed_range()
    if shown.start_time.rate != due.start_time.rate or shown.duration.rate != due.duration.rate:
        yield Finding(place.name, "its rate is not that of its clip.")
        return
    speed = speed_of(theirs)
    lost = original.end - place.end if speed < 0 else place.start - original.start
    begin = frames_of(due.start_time, edit.rate) + lost * abs(speed)
    if abs(frames_of(shown.start_time, edit.rate) - begin) > _NEAR:
        yield Finding(place.name, "it shows other frames of its media than its clip.")
    if result:
        yield from _media(cut, edit, place, original, folder)
    elif isinstance(mine, otio.schema.Clip) and to_text(mine.media_reference) != to_text(theirs.media_reference):
        yield Finding(place.name, "the part of the neighbour in a dissolve shows other media.")


def _media(cut: Cut, edit: Cut, place: Place, original: Place, folder: str) -> Iterator[Finding]:
    media, source = media_of(place.item, folder), _source(place, original, folder)
    if media.kind == "movie":
        made = FrameRange.parse(str(facts_of(place.item).get("made", "0")))
        media = replace(media, first=made.first)
    if media.written_rate != source.written_rate:
        yield Finding(
            place.name, f"its media runs at {media.written_rate:g}, that of its clip at {source.written_rate:g}."
        )
        return
    first, end = original.visible
    for at in (first, end - 1):
        shown, due = file_at(cut, place, media, at), file_at(edit, original, source, at)
        if shown != due:
            yield Finding(place.name, f"it shows file {shown} where its clip shows {due}.")
            return
    used, due_range = source_range(cut, place, media, 0, 0), source_range(edit, original, source, 0, 0)
    if used.used != due_range.used:
        yield Finding(place.name, f"it holds frames {used.used} of the {due_range.used} that the cut shows.")
    yield from _movie(place.name, media) if media.kind == "movie" else _files(place.name, media)


def _source(place: Place, original: Place, folder: str) -> Media:
    """The media of the original, numbered as the files that were taken for it."""
    media = media_of(original.item, folder)
    facts = facts_of(place.item)
    if media.kind == "sequence" and media.pattern.lower().endswith(".exr") and not facts.get("instead"):
        return media
    media = replace(media, first=int(facts.get("first", media.first)), count=media.count or int(facts.get("count", 0)))
    if "start" not in facts:
        return media
    rate = float(facts["rate"]) if media.assumed else media.written_rate
    return replace(media, start=Fraction(facts["start"]), count=int(facts["count"]), written_rate=rate)


def _movie(name: str, media: Media) -> Iterator[Finding]:
    try:
        movie = open_movie(media.pattern)
    except FrameError as error:
        yield Finding(name, error.message)
        return
    if (movie.count, movie.rate) != (media.count, media.rate):
        yield Finding(
            name,
            f"{media.pattern} has {movie.count} frames of {float(movie.rate):.5g} a second, not the {media.count} of "
            f"{media.written_rate:g} that the timeline says.",
        )
    elif not same_time(movie.start, int(media.start), movie.rate, movie.drop):
        yield Finding(name, f"{media.pattern} does not begin at the timecode that the timeline says.")


def _files(name: str, media: Media) -> Iterator[Finding]:
    sequence = ImageSequence(media.pattern)
    missing, broken = [], []
    for frame in media.files or ():
        try:
            with open(sequence.path(frame), "rb") as stream:
                if stream.read(len(EXR)) != EXR:
                    broken.append(frame)
        except OSError:
            missing.append(frame)
    if missing:
        yield Finding(name, f"{media.pattern} lacks frames {describe(missing)}.")
    if broken:
        yield Finding(name, f"{media.pattern} holds no EXR at frames {describe(broken)}.")


def _transition(places: list[Place], place: Place, originals: dict[int, Place]) -> Iterator[Finding]:
    """A dissolve of the results must be that of the edit at the same cut."""
    for beside, step in ((originals.get(place.index - 1), 1), (originals.get(place.index + 1), -1)):
        if beside is None:
            continue
        at = beside.index + step
        track = beside.lane.track
        if not 0 <= at < len(track) or to_text(track[at]) != to_text(place.item):
            yield Finding(place.name, f"the transition beside {beside.name!r} is not that of the edit.")


def _edges(places: list[Place], place: Place, original: Place) -> Iterator[Finding]:
    """A clip that dissolves in the edit must do so among the results."""
    track = original.lane.track
    for step, edge, whole in ((-1, place.start, original.start), (1, place.end, original.end)):
        at, here = original.index + step, place.index + step
        dissolves = 0 <= at < len(track) and isinstance(track[at], otio.schema.Transition) and edge == whole
        has = 0 <= here < len(places) and isinstance(places[here].item, otio.schema.Transition)
        beyond = here + step
        beside = 0 <= beyond < len(places)
        if dissolves and not has:
            yield Finding(place.name, "its clip begins or ends in a transition, and it does not.")
        elif has and not beside and 0 <= at + step < len(track):
            yield Finding(place.name, "the other side of its transition is missing.")


def _span(first: Fraction, end: Fraction) -> str:
    return f"frames {float(first):g} to {float(end):g}"
