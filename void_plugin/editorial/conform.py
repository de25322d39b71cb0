"""Results laid into a timeline: a new track above, on which nothing editorial is written anew."""

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import opentimelineio as otio

from void_plugin.editorial.media import Media
from void_plugin.editorial.runs import ONE, Piece, cut_short, fades_from_nothing, runs_of
from void_plugin.editorial.times import range_of, tidy
from void_plugin.editorial.walk import RESULTS_KEY, ZERO, Cut, Lane, base_path, facts_of, is_results, offsets, through
from void_plugin.errors import RequestError
from void_plugin.frames import FrameRange

DELIVERED, PARTIAL, FAILED = "GREEN", "YELLOW", "RED"
"""Colours of the markers: all there; fewer handles or frames than asked for; nothing."""


@dataclass(frozen=True)
class Result:
    """What was made for one clip."""

    media: Media
    """The media of the clip, as its removal saw it."""
    pattern: str
    """The files that were made; they are numbered as those of the media."""
    frames: FrameRange
    movie: str = ""
    """A movie of the same frames to refer to in place of the files; empty refers to the files."""
    partial: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What is noted on the clip: job, engine and the like."""


@dataclass
class Conformed:
    """A timeline with its results, and what is to be known of them."""

    timeline: Any
    tracks: list[str]
    warnings: list[str]
    refused: Mapping[tuple[int, ...], str] = field(default_factory=dict)
    """Clips whose result could not be laid in, and why; they got a marker."""


class Conform:
    """One conform of one timeline."""

    def __init__(self, timeline: Any, version: int, reference: str = "", placement: str = "above") -> None:
        """`reference` is image_sequence, external or empty for what the clip had; `placement` above all or own."""
        self.timeline = deepcopy(timeline)
        self._cut = Cut(self.timeline)
        self._version, self._reference, self._placement = version, reference, placement
        self._warnings: list[str] = []
        self._layers: list[_Layer] = []
        self._refused: dict[tuple[int, ...], str] = {}

    @property
    def name(self) -> str:
        """What the track of results is called."""
        return f"VOID v{self._version:03d}"

    def run(self, results: Mapping[tuple[int, ...], Result], failed: Mapping[tuple[int, ...], str]) -> Conformed:
        """Lay results, by the path of their clip, into a copy of the timeline.

        `failed` names the clips without a result, and why: they get a marker and nothing else. Raises RequestError
        where a clip is not there.
        """
        for path in (*results, *failed):
            place = self._cut.place(path)
            if place is None or not isinstance(place.item, otio.schema.Clip):
                raise RequestError(f"The timeline has no clip at {path}; it is not the one that was submitted.")
        self._leave_earlier()
        for lane in self._cut.lanes:
            picked = {path[-1]: results[path] for path in results if path[:-1] == lane.path}
            if picked:
                self._lay_lane(lane, picked)
        # Markers first: a new track changes which track a path means.
        for path, why in {**failed, **self._refused}.items():
            self._mark_failed(path, why)
        tracks = self._insert()
        return Conformed(self.timeline, tracks, self._warnings, self._refused)

    # -- one lane --------------------------------------------------------------------------------------------

    def _lay_lane(self, lane: Lane, picked: Mapping[int, Result]) -> None:
        for whole in runs_of(self._cut.places(lane), set(picked), self._cut.rate):
            try:
                run = self._windowed(whole, lane)
            except RequestError as error:
                self._refused.update((piece.place.path, error.message) for piece in whole if piece.picked)
                continue
            if fades_from_nothing(run):
                names = ", ".join(repr(piece.place.name) for piece in run if piece.picked)
                self._warnings.append(
                    f"{names} fades from or to nothing: through the fade the original shows by up to a quarter; switch "
                    "the original clip off there."
                )
            self._warnings += [
                f"{piece.place.name!r} is a transition of the kind {piece.place.item.transition_type}, which is copied "
                "as it is; look at it."
                for piece in run
                if piece.is_transition
                and piece.place.item.transition_type != otio.schema.TransitionTypes.SMPTE_Dissolve
            ]
            items = [self._item(piece, picked) for piece in run]
            self._append(lane, run[0].start, run[-1].stop, items)

    def _windowed(self, run: list[Piece], lane: Lane) -> list[Piece]:
        """The run without what the nests around it do not show."""
        if lane.window is None:
            return run
        first, end = lane.window
        if run[0].start >= first and run[-1].stop <= end:
            return run
        kept = []
        for piece in run:
            if piece.is_transition:
                shown = through(lane.window, piece.start, offsets(piece.place.item, self._cut.rate))
                if shown is None:
                    name = next(piece.place.name for piece in run if piece.picked)
                    raise RequestError(f"A nest is cut within a dissolve of {name!r}; decompose it in place.")
                if shown:
                    kept.append(piece)
            elif piece.start < end and first < piece.stop:
                begin, stop = max(piece.first, first - piece.place.start), min(piece.end, end - piece.place.start)
                kept.append(Piece(piece.place, begin, stop, piece.picked))
        return kept

    def _item(self, piece: Piece, picked: Mapping[int, Result]) -> Any:
        place = piece.place
        if piece.is_transition:
            return deepcopy(place.item)
        copy = cut_short(place.item, piece.first, piece.end, place.duration, self._cut.rate)
        if isinstance(place.item, otio.schema.Gap):
            return copy
        if not piece.picked:
            del copy.markers[:]  # those of the neighbour stay where they are
            copy.metadata[RESULTS_KEY] = {"role": "stub", "path": list(base_path(self.timeline, place.path))}
            return copy
        result = picked[place.index]
        copy.source_range = copy.trimmed_range()  # a clip without one would be as long as what was made for it
        copy.name = f"{os.path.splitext(place.name)[0]}_{self.name.replace(' ', '_')}"
        key = copy.active_media_reference_key
        copy.set_media_references({key: self._media_reference(result)}, key)
        copy.metadata[RESULTS_KEY] = {
            **result.facts,
            "role": "result",
            "path": list(base_path(self.timeline, place.path)),
            "version": self._version,
            "partial": result.partial,
        }
        colour = PARTIAL if result.partial else DELIVERED
        begin = copy.trimmed_range().start_time
        marked = otio.opentime.TimeRange(begin, otio.opentime.RationalTime(1, begin.rate))
        copy.markers.append(otio.schema.Marker(self.name, marked, colour))
        return copy

    def _media_reference(self, result: Result) -> Any:
        """Media with the numbers and times of the original, as far as it was made."""
        media = result.media
        start = media.start + result.frames.first - media.first
        available = range_of(start, Fraction(len(result.frames)), media.written_rate)
        if result.movie:
            return otio.schema.ExternalReference(os.path.abspath(result.movie).replace("\\", "/"), available)
        folder, name = os.path.split(os.path.abspath(result.pattern).replace("\\", "/"))
        head, digits, tail = _parts(name)
        if (self._reference or media.schema) == "image_sequence":
            return otio.schema.ImageSequenceReference(
                target_url_base=folder,
                name_prefix=head,
                name_suffix=tail,
                start_frame=result.frames.first,
                frame_step=1,
                rate=media.written_rate,
                frame_zero_padding=digits,
                available_range=available,
            )
        first, last = (f"{number:0{digits}d}" for number in (result.frames.first, result.frames.last))
        return otio.schema.ExternalReference(f"{folder}/{head}[{first}-{last}]{tail}", available)

    # -- the tracks of results -------------------------------------------------------------------------------

    def _append(self, lane: Lane, start: Fraction, end: Fraction, items: Sequence[Any]) -> None:
        """Put a run on the lowest layer that lies over what is lower in the cut at that time."""
        own = self._placement == "own"
        layers = [layer for layer in self._layers if not own or layer.root == lane.path[0]]
        below = [at for at, layer in enumerate(layers) if layer.holds(start, end)]
        at = below[-1] + 1 if below else 0
        if at == len(layers):
            layers.append(_Layer(lane.path[0]))
            self._layers.append(layers[-1])
        layers[at].runs.append((start, end, items))

    def _insert(self) -> list[str]:
        """Make tracks of the layers; returns their names, from below."""
        stack = self.timeline.tracks
        pictures = [at for at, track in enumerate(stack) if getattr(track, "kind", "Video") == "Video"]
        made = []
        for number, layer in enumerate(self._layers):
            track = otio.schema.Track(self.name + (f" {number + 1}" if number else ""), kind="Video")
            track.metadata[RESULTS_KEY] = {"results": self._version}
            layer.fill(track, self._cut.written_rate)
            made.append((layer.root + 1 if self._placement == "own" else pictures[-1] + 1, track))
        # From the last place to the first, so that none moves another.
        for at, track in sorted(reversed(made), key=lambda one: -one[0]):
            stack.insert(at, track)
        return [track.name for _, track in made]

    def _leave_earlier(self) -> None:
        """Switch the results of earlier versions off; they stay for comparing."""
        for track in self.timeline.tracks:
            if is_results(track):
                if facts_of(track)["results"] == self._version:
                    raise RequestError(f"The timeline has a track {self.name} already; conform the one without it.")
                track.enabled = False

    def _mark_failed(self, path: tuple[int, ...], why: str) -> None:
        """A marker on the timeline, because the tracks of the edit are not touched."""
        place = self._cut.place(path)
        assert place is not None
        marked = range_of(place.visible[0], ONE, self._cut.written_rate)
        marker = otio.schema.Marker(f"{self.name} failed: {place.name}", marked, FAILED)
        marker.comment = why
        marker.metadata[RESULTS_KEY] = {"failed": self._version}
        self.timeline.tracks.markers.append(marker)


@dataclass
class _Layer:
    """One track of results: runs that do not overlap, and over which track of the edit it belongs."""

    root: int
    runs: list[tuple[Fraction, Fraction, Sequence[Any]]] = field(default_factory=list)

    def holds(self, start: Fraction, end: Fraction) -> bool:
        """True where it holds something in this part of the cut."""
        return any(first < end and start < stop for first, stop, _ in self.runs)

    def fill(self, track: Any, rate: float) -> None:
        """Put the runs on a track, with gaps between them."""
        at = ZERO
        for start, end, items in sorted(self.runs, key=lambda run: run[0]):
            if start > at:
                track.append(otio.schema.Gap(source_range=range_of(ZERO, tidy(start - at), rate)))
            track.extend(items)
            at = end


def _parts(name: str) -> tuple[str, int, str]:
    """What stands before the frame number in a file name, its digits, and what stands after."""
    head, percent, rest = name.partition("%")
    if not percent:
        raise RequestError(f"The results {name} have no frame number in their name.")
    digits, _, tail = rest.partition("d")
    return head, int(digits or 1), tail
