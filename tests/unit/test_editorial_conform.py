"""Conformed timelines: judged frame by frame by an oracle that shares no code with the conform."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import opentimelineio as otio
import oracle
import pytest
from edits import RATE, Range, Time, clip, dissolve, gap, nest, result_for, timeline
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from void_plugin.editorial.adapters import to_text
from void_plugin.editorial.conform import Conform, Result
from void_plugin.editorial.picks import Wanted, pick
from void_plugin.editorial.walk import Cut
from void_plugin.errors import RequestError
from void_plugin.frames import FrameRange

TIMELINES = 2100
Picked = dict[tuple[int, ...], Result]


@st.composite
def tracks(draw: st.DrawFn, name: str) -> list[Any]:
    """Items of a legal track: transitions stand between clips, nests or gaps that are long enough for them."""
    items: list[Any] = []
    free = 0  # what the last item has left for a transition behind it
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from("cccccgn"))
        length = draw(st.integers(1, 7 if kind == "n" else 12))
        spent = 0
        if free > 0 and draw(st.booleans()):
            before, spent = draw(st.integers(0, free)), draw(st.integers(0, length))
            if before + spent:
                items.append(dissolve(before, spent))
        start = draw(st.integers(100, 300))
        if kind == "c":
            items.append(clip(f"{name}{number}", start, length, draw(st.sampled_from([1, 1, 1, 2, 0.5, -1, -2, 0]))))
        elif kind == "g":
            items.append(gap(length))
        else:
            parts: list[Any] = [clip(f"{name}{number}n{at}", 100, draw(st.integers(5, 9))) for at in range(2)]
            if draw(st.booleans()):
                parts.insert(1, dissolve(draw(st.integers(1, 2)), draw(st.integers(1, 2))))
            items.append(nest(f"{name}{number}", parts, draw(st.integers(0, 3)), length))
        free = length - spent
    return items


@st.composite
def edits(draw: st.DrawFn) -> tuple[Any, Picked]:
    """A timeline and results for some of the clips on its tracks."""
    made = timeline(*(draw(tracks("abc"[number])) for number in range(draw(st.integers(1, 3)))))
    cut = Cut(made)
    found, _ = pick(cut, Wanted(everything=True))
    return made, {one.place.path: result_for(one.place.item) for one in found if draw(st.booleans())}


def cleaned(picked: Picked) -> dict[tuple[int, ...], tuple[str, str]]:
    """Folders of the originals and of the results, for the oracle."""
    return {
        path: (result.media.pattern.rpartition("/")[0], result.pattern.rpartition("/")[0])
        for path, result in picked.items()
    }


@pytest.mark.slow
@settings(max_examples=TIMELINES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(edit=edits(), placement=st.sampled_from(["above", "own"]))
def test_results_show_the_cleaned_clip_wherever_the_cut_shows_it_and_nothing_else_differs(
    edit: tuple[Any, Picked], placement: str
) -> None:
    base, picked = edit
    before = to_text(base)
    conformed = Conform(base, 1, placement=placement).run(picked, {})
    out = conformed.timeline
    assert to_text(base) == before and not conformed.refused
    again = otio.adapters.read_from_string(to_text(out), "otio_json")
    oracle.judge(base, again, cleaned(picked), placement == "own" or len(base.tracks) == 1)
    originals = {place.item.name: place for place in Cut(base).clips()}
    for place in Cut(again).clips():
        if place.item.name.endswith("_VOID_v001"):
            original = originals[place.item.name.removesuffix("_VOID_v001")]
            assert (place.start, place.end) == original.visible
            if original.visible == (original.start, original.end):
                assert place.item.source_range == original.item.source_range


def test_the_oracle_finds_each_of_the_usual_mistakes() -> None:
    base = timeline([clip("a", 100, 10), dissolve(2, 3), clip("b", 100, 10), dissolve(1, 1), clip("c", 100, 9)])
    picked = {(0, 2): result_for(base.tracks[0][2])}
    right = Conform(base, 1).run(picked, {}).timeline
    assert oracle.judge(base, right, cleaned(picked), True) == 10 + 2 + 1

    def late(track: Any) -> None:
        track[0].source_range = Range(Time(0, RATE), track[0].source_range.duration + Time(1, RATE))

    def without_stub(track: Any) -> None:
        del track[-1]
        del track[-1]

    def other_stub(track: Any) -> None:
        track[1].source_range = Range(Time(100, RATE), track[1].source_range.duration)

    def without_fade(track: Any) -> None:
        del track[2]

    for spoil in (late, without_stub, other_stub, without_fade):
        wrong = deepcopy(right)
        spoil(wrong.tracks[1])
        with pytest.raises(AssertionError):
            oracle.judge(base, wrong, cleaned(picked), True)


def test_a_dissolve_is_copied_with_a_stub_of_the_neighbour_as_long_as_it_needs() -> None:
    base = timeline([clip("a", 100, 20, speed=2), dissolve(4, 6), clip("b", 300, 30)])
    picked = {(0, 2): result_for(base.tracks[0][2])}
    track = Conform(base, 1).run(picked, {}).timeline.tracks[1]
    lead, stub, fade, result = track
    assert isinstance(lead, otio.schema.Gap) and lead.duration() == Time(16, RATE)
    assert stub.name == "a" and stub.source_range == Range(Time(132, RATE), Time(4, RATE))
    assert fade.is_equivalent_to(base.tracks[0][1])
    assert result.name == "b_VOID_v001" and result.source_range == base.tracks[0][2].source_range


def test_two_picked_clips_that_touch_share_their_dissolve() -> None:
    base = timeline([clip("a", 100, 20), dissolve(4, 6), clip("b", 300, 30)])
    picked = {(0, at): result_for(base.tracks[0][at]) for at in (0, 2)}
    track = Conform(base, 1).run(picked, {}).timeline.tracks[1]
    assert [item.name for item in track] == ["a_VOID_v001", "dissolve", "b_VOID_v001"]


def test_a_neighbour_with_keyed_effects_is_taken_whole() -> None:
    neighbour = clip("a", 100, 20)
    keyed = {"Parameters": [{"Key Frames": {"3": {"Value": 1.0}}}], "Effect Name": "Transform", "Enabled": True}
    neighbour.effects.append(otio.schema.Effect("", "Resolve Effect", {"Resolve_OTIO": keyed}))
    base = timeline([neighbour, dissolve(4, 6), clip("b", 300, 30)])
    track = Conform(base, 1).run({(0, 2): result_for(base.tracks[0][2])}, {}).timeline.tracks[1]
    assert track[0].source_range == neighbour.source_range and track[0].effects[0].is_equivalent_to(keyed_of(neighbour))


def keyed_of(item: Any) -> Any:
    return item.effects[0]


def test_a_fade_from_black_is_warned_of() -> None:
    base = timeline([gap(10), dissolve(0, 6), clip("b", 300, 30)])
    conformed = Conform(base, 1).run({(0, 2): result_for(base.tracks[0][2])}, {})
    assert [text for text in conformed.warnings if "fades from or to nothing" in text]


def test_a_wipe_is_copied_and_named_for_a_human_to_look_at() -> None:
    wipe = dissolve(4, 6)
    wipe.transition_type = "Custom_Transition"
    conformed = Conform(timeline([clip("a", 100, 20), wipe, clip("b", 300, 30)]), 1)
    made = conformed.run({(0, 2): result_for(clip("b", 300, 30))}, {})
    assert "of the kind Custom_Transition, which is copied" in made.warnings[0]
    assert made.timeline.tracks[1][2].is_equivalent_to(wipe)


def test_a_result_changes_only_media_name_metadata_and_adds_its_marker() -> None:
    original = clip("a.[1001-1048].exr", 100, 20, speed=-1)
    original.metadata["Resolve_OTIO"] = {"Link Group ID": 3}
    original.effects.append(otio.schema.Effect("", "Resolve Effect", {"Resolve_OTIO": {"Effect Name": "Transform"}}))
    original.markers.append(otio.schema.Marker("VOID", Range(Time(105, RATE), Time(1, RATE)), "RED"))
    base = timeline([original])
    out = Conform(base, 2).run({(0, 0): result_for(original)}, {}).timeline
    result = out.tracks[1][0]
    assert result.name == "a.[1001-1048]_VOID_v002" and out.tracks[1].name == "VOID v002"
    assert result.metadata["Resolve_OTIO"] == original.metadata["Resolve_OTIO"]
    assert [effect.to_json_string() for effect in result.effects] == [e.to_json_string() for e in original.effects]
    assert [marker.name for marker in result.markers] == ["VOID", "VOID v002"] and result.markers[1].color == "GREEN"
    reference = result.media_reference
    assert isinstance(reference, otio.schema.ImageSequenceReference)
    assert (reference.start_frame, reference.available_range) == (1001, original.media_reference.available_range)
    assert not reference.target_url_base.endswith("/") and "://" not in reference.target_url_base


def test_a_clip_that_shows_all_of_its_media_stays_as_long_as_it_is() -> None:
    item = clip("a", 0, 10, media=60)
    item.source_range = None
    base = timeline([item, clip("b", 100, 10)])
    result = Result(result_for(item).media, "/clean/a/a.%04d.exr", FrameRange(1001, 1059))
    out = Conform(base, 1).run({(0, 0): result, (0, 1): result_for(base.tracks[0][1])}, {}).timeline
    assert out.tracks[1][0].source_range == Range(Time(0, RATE), Time(60, RATE))
    assert [place.start for place in Cut(out).clips()] == [0, 60, 0, 60]


def test_a_part_of_the_media_keeps_its_numbers_and_its_time() -> None:
    original = clip("a", 100, 20)
    result = result_for(original)
    part = Result(result.media, result.pattern, FrameRange(1093, 1128), partial=True)
    out = Conform(timeline([original]), 1).run({(0, 0): part}, {}).timeline
    reference = out.tracks[1][0].media_reference
    assert reference.start_frame == 1093
    assert reference.available_range == Range(Time(92, RATE), Time(36, RATE))
    assert out.tracks[1][0].markers[-1].color == "YELLOW"


def test_results_can_be_named_as_external_references() -> None:
    original = clip("a", 100, 20)
    out = Conform(timeline([original]), 1, reference="external").run({(0, 0): result_for(original)}, {}).timeline
    assert out.tracks[1][0].media_reference.target_url == "/clean/a/a.[1001-2000].exr"


def test_a_second_version_lies_above_and_switches_the_first_off() -> None:
    base = timeline([clip("a", 100, 20)])
    first = Conform(base, 1).run({(0, 0): result_for(base.tracks[0][0])}, {}).timeline
    second = Conform(first, 2).run({(0, 0): result_for(base.tracks[0][0])}, {}).timeline
    assert [(track.name, track.enabled) for track in second.tracks] == [
        ("Video 1", True),
        ("VOID v001", False),
        ("VOID v002", True),
    ]
    with pytest.raises(RequestError, match="has a track VOID v002 already"):
        Conform(second, 2).run({(0, 0): result_for(base.tracks[0][0])}, {})


def test_a_clip_in_a_nest_is_laid_over_what_the_nest_shows_of_it() -> None:
    inside = [clip("a", 100, 30), clip("b", 200, 30)]
    base = timeline([gap(7), nest("n", inside, 10, 40)])
    path = (0, 1, 0, 0)
    track = Conform(base, 1).run({path: result_for(inside[0])}, {}).timeline.tracks[1]
    assert [item.duration().value for item in track] == [7, 20]
    assert track[1].source_range == Range(Time(110, RATE), Time(20, RATE))
    path = (0, 1, 0, 1)
    track = Conform(base, 1).run({path: result_for(inside[1])}, {}).timeline.tracks[1]
    assert [item.duration().value for item in track] == [27, 20]
    assert track[1].source_range == Range(Time(200, RATE), Time(20, RATE))


def test_layered_results_keep_their_order() -> None:
    base = timeline([clip("a", 100, 20)], [clip("b", 100, 20)])
    picked = {(at, 0): result_for(base.tracks[at][0]) for at in (0, 1)}
    out = Conform(base, 1).run(picked, {}).timeline
    assert [[item.name for item in track] for track in out.tracks[2:]] == [["a_VOID_v001"], ["b_VOID_v001"]]
    assert [track.name for track in out.tracks[2:]] == ["VOID v001", "VOID v001 2"]


def test_a_failed_clip_gets_a_marker_on_the_timeline_and_no_result() -> None:
    base = timeline([gap(5), clip("a", 100, 20), clip("b", 100, 20)])
    out = Conform(base, 1).run({(0, 2): result_for(base.tracks[0][2])}, {(0, 1): "It ran out of memory."}).timeline
    (marker,) = out.tracks.markers
    assert (marker.color, marker.comment) == (
        "RED",
        "It ran out of memory.",
    ) and marker.marked_range.start_time.value == 5
    assert [item.name for item in out.tracks[1]] == ["", "b_VOID_v001"]


def test_sound_stays_behind_the_picture() -> None:
    base = timeline([clip("a", 100, 20)])
    base.tracks.append(otio.schema.Track("Audio 1", kind="Audio"))
    out = Conform(base, 1).run({(0, 0): result_for(base.tracks[0][0])}, {}).timeline
    assert [track.name for track in out.tracks] == ["Video 1", "VOID v001", "Audio 1"]
