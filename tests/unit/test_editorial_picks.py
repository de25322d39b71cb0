"""Which clips are picked, what their notes say, and what media they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import edits
import opentimelineio as otio
import pytest
from edits import RATE, Range, Time

from void_plugin.editorial import notes
from void_plugin.editorial.conform import Conform
from void_plugin.editorial.mattes import Matte
from void_plugin.editorial.media import Media, media_of
from void_plugin.editorial.picks import Pick, Wanted, pick
from void_plugin.editorial.shots import Wishes, find_shots
from void_plugin.editorial.walk import Cut
from void_plugin.errors import RequestError


def marker(name: str = "VOID", at: float = 105, colour: str = "RED", note: str = "", keywords: Any = None) -> Any:
    said = {"Note": note, **({"Keywords": keywords} if keywords else {})}
    return otio.schema.Marker(name, Range(Time(at, RATE), Time(1, RATE)), colour, {"Resolve_OTIO": said})


def picked(base: Any, wanted: Wanted | None = None) -> list[Pick]:
    return pick(Cut(base), wanted or Wanted.usual())[0]


def names(base: Any, wanted: Wanted | None = None) -> list[str]:
    return [one.place.name for one in picked(base, wanted)]


@pytest.fixture
def base() -> Any:
    """Clips a, b, c on the first track and d over b and c on the second."""
    made = edits.timeline(
        [edits.clip(name, 100, 20) for name in "abc"], [edits.gap(20), edits.clip("d", 100, 40)], start=86400
    )
    return made


def test_nothing_is_picked_where_nothing_points_at_a_clip(base: Any) -> None:
    assert names(base) == []


@pytest.mark.parametrize(
    "one",
    [marker(), marker("void remove the crane"), marker("", keywords=["VOID"]), marker("", note="VOID: the crane")],
    ids=["name", "beginning", "keyword", "note"],
)
def test_a_marker_picks_by_name_keyword_or_note(base: Any, one: Any) -> None:
    base.tracks[0][1].markers.append(one)
    assert names(base) == ["b"] and picked(base)[0].reasons[0].startswith("marker")


def test_a_copy_of_a_marker_on_the_piece_beside_a_cut_picks_nothing(base: Any) -> None:
    base.tracks[0][1].markers.append(marker(at=300))
    assert names(base) == []


def test_a_colour_picks(base: Any) -> None:
    base.tracks[0][2].markers.append(marker("look at this", colour="GREEN"))
    assert names(base, Wanted(colours=("green",))) == ["c"]
    assert names(base, Wanted(colours=("blue",))) == []


def test_names_of_clips_and_tracks_pick_with_stars(base: Any) -> None:
    base.tracks[1].name = "VOID"
    assert names(base) == ["d"]
    assert names(base, Wanted(clips=("A", "c*"))) == ["a", "c"]
    assert names(base, Wanted(tracks=("video ?",))) == ["a", "b", "c"]


def test_all_reasons_are_kept_and_a_clip_comes_once(base: Any) -> None:
    base.tracks[1].name = "VOID"
    base.tracks[1][1].markers.append(marker())
    (one,) = picked(base)
    assert one.reasons == ["track VOID", "marker 'VOID'"]


@pytest.mark.parametrize("at", [25, 86425])
def test_a_marker_of_the_timeline_picks_what_is_seen_there(base: Any, at: float) -> None:
    base.tracks.markers.append(marker(at=at))
    assert names(base) == ["d"]
    base.tracks[1][1].enabled = False
    assert names(base) == ["b"]


def test_a_marker_over_nothing_is_told(base: Any) -> None:
    base.tracks.markers.append(marker(at=500))
    found, skipped = pick(Cut(base), Wanted.usual())
    assert not found and "no clip lies under it" in skipped[0].reason


def test_what_is_switched_off_is_told_and_not_picked(base: Any) -> None:
    base.tracks[0][0].enabled = False
    found, skipped = pick(Cut(base), Wanted(everything=True))
    assert [one.place.name for one in found] == ["b", "c", "d"]
    assert [(one.name, one.reason) for one in skipped] == [("a", "it is switched off")]


def test_tracks_of_mattes_and_of_earlier_results_hold_no_shots(base: Any) -> None:
    base.tracks[1].name = "VOID MATTE"
    out = Conform(base, 1).run({(0, 0): edits.result_for(base.tracks[0][0])}, {}).timeline
    assert names(out, Wanted(everything=True)) == ["a", "b", "c"]


def test_a_clip_in_a_nest_is_picked_unless_the_nest_is_retimed_or_dissolves() -> None:
    inside = [edits.clip("in", 100, 30)]
    base = edits.timeline([edits.nest("n", inside, 5, 20), edits.clip("b", 100, 20)])
    assert names(base, Wanted(clips=("in",))) == ["in"]
    base.tracks[0].insert(1, edits.dissolve(2, 2))
    found, skipped = pick(Cut(base), Wanted(clips=("in",)))
    assert not found and "decompose that in place" in skipped[0].reason
    del base.tracks[0][1]
    base.tracks[0][0].effects.append(otio.schema.LinearTimeWarp(time_scalar=2))
    found, skipped = pick(Cut(base), Wanted(clips=("in",)))
    assert not found and "retimed" in skipped[0].reason


def test_a_nest_or_a_gap_that_is_pointed_at_is_told(base: Any) -> None:
    one = edits.nest("compound", [edits.clip("in", 100, 30)], 5, 20)
    empty = edits.gap(4)
    for item in (one, empty):
        item.markers.append(otio.schema.Marker("VOID", Range(Time(0, RATE), Time(1, RATE)), "RED"))
    base.tracks[0].extend([empty, one])
    _, skipped = pick(Cut(base), Wanted.usual())
    assert [(one.name, one.reason) for one in skipped] == [
        ("Gap", "no clip lies there"),
        ("compound", "it is a nest; mark the clips in it"),
    ]
    _, skipped = pick(Cut(base), Wanted(clips=("comp*",)))
    assert [one.name for one in skipped] == ["compound"]


# -- notes -----------------------------------------------------------------------------------------------------


def test_a_note_is_a_prompt_or_lines_or_json() -> None:
    assert notes.parse("an empty street\nat noon").prompt == "an empty street at noon"
    found = notes.parse("Prompt: a wall\nmatte: m.####.exr\nhandles: 4\nengine: recover")
    assert (found.prompt, found.handles, found.engine) == ("a wall", 4, "recover")
    assert found.mattes == (("object_matte", "m.####.exr"),)
    assert notes.parse('{"prompt": "a wall", "handles": 2}').handles == 2
    assert notes.parse("on the left: a wall").prompt == "on the left: a wall"


@pytest.mark.parametrize(
    ("text", "said"),
    [('{"promt": "x"}', "unknown key 'promt'"), ("{x", "not valid JSON"), ("handles: some", "whole number")],
)
def test_a_note_that_is_wrong_is_a_problem_of_its_shot(base: Any, text: str, said: str) -> None:
    base.tracks[0][0].markers.append(marker(note=text))
    (one,) = picked(base)
    assert said in one.problems[0]


def test_the_comment_of_a_marker_counts_as_its_note(base: Any) -> None:
    plain = otio.schema.Marker("VOID", Range(Time(101, RATE), Time(1, RATE)), "RED")
    plain.comment = "prompt: a wall"
    base.tracks[0][0].markers.append(plain)
    assert picked(base)[0].note.prompt == "a wall"


# -- media -----------------------------------------------------------------------------------------------------


def external(url: str, length: int = 100, start: float = 0, available: bool = True) -> Media:
    shown = Range(Time(start, RATE), Time(10, RATE))
    reference = otio.schema.ExternalReference(url, Range(Time(0, RATE), Time(length, RATE)) if available else None)
    return media_of(otio.schema.Clip("c", reference, shown), "/edit")


@pytest.mark.parametrize(
    ("url", "pattern", "first"),
    [
        ("/p/sh.[1001-1100].exr", "/p/sh.%04d.exr", 1001),
        ("/p/sh.1001.exr", "/p/sh.%04d.exr", 1001),
        ("file:///p/my%20shot/sh.1001.exr", "/p/my shot/sh.%04d.exr", 1001),
        ("C:\\p\\sh.[0001-0100].exr", "C:/p/sh.%04d.exr", 1),
        ("file:///C:/p/sh.[0001-0100].exr", "C:/p/sh.%04d.exr", 1),
        ("file:////C:/p/sh.[0001-0100].exr", "C:/p/sh.%04d.exr", 1),
        ("file://C:/p/sh.[0001-0100].exr", "C:/p/sh.%04d.exr", 1),
        ("file://server/p/sh_001001.exr", "//server/p/sh_%06d.exr", 1001),
        ("plates/sh.1001.exr", "/edit/plates/sh.%04d.exr", 1001),
        ("/p/sh.####.exr", "/p/sh.%04d.exr", 0),
    ],
)
def test_every_way_of_naming_a_sequence(url: str, pattern: str, first: int) -> None:
    media = external(url)
    assert (media.kind, media.pattern, media.first, media.count) == ("sequence", pattern, first, 100)


def test_movies_and_single_pictures_are_told_apart() -> None:
    assert external("/p/a.mov").kind == "movie"
    assert external("/p/a.png", 1).kind == "still" and external("/p/a.1001.exr", 1).kind == "still"


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (otio.schema.MissingReference(), "offline"),
        (otio.schema.GeneratorReference("bars", "SMPTEBars"), "generator or title"),
        (otio.schema.ExternalReference("https://example.com/a.mov"), "no file"),
        (otio.schema.ExternalReference("/p/a.wav"), "neither an image sequence nor a movie"),
        (otio.schema.ImageSequenceReference("/p", "a.", ".exr", frame_step=2), "only every 2th file"),
    ],
)
def test_what_shows_no_plate_says_what_it_is(reference: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        media_of(otio.schema.Clip("c", reference), "/edit")


def test_media_of_unknown_length_is_what_lies_on_the_disk(tmp_path: Path) -> None:
    for frame in range(1001, 1011):
        (tmp_path / f"a.{frame}.exr").touch()
    reference = otio.schema.ImageSequenceReference(str(tmp_path), "a.", ".exr", 1001, 1, RATE, 4)
    media = media_of(otio.schema.Clip("c", reference, Range(Time(2, RATE), Time(3, RATE))), "/edit")
    assert (media.count, media.start, media.assumed) == (10, 0, True)
    by_number = media_of(otio.schema.Clip("c", reference, Range(Time(1003, RATE), Time(3, RATE))), "/edit")
    assert by_number.start == 1001, "the clip counts by file numbers"


# -- shots -----------------------------------------------------------------------------------------------------


def plates(folder: Path, name: str, first: int, count: int, below: str = "") -> None:
    for frame in range(first, first + count):
        path = folder / (below or name) / f"{name}.{frame:04d}.exr"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_handles_and_context_end_where_the_matte_ends(tmp_path: Path) -> None:
    plates(tmp_path / "p", "a", 1001, 60)
    plates(tmp_path / "m", "a", 1018, 17)
    base = edits.timeline([edits.clip("a", 20, 10, media=60, folder=str(tmp_path / "p"))])
    wishes = Wishes(8, 20, str(tmp_path / "m"))
    (shot,), _ = find_shots(Cut(base), "/edit", Wanted(everything=True), wishes)
    assert shot.problems == [] and shot.range is not None
    assert (str(shot.range.delivered), str(shot.range.looked_at)) == ("1018-1034", "1018-1034")
    assert shot.range.short == (5, 4) and "5 frames missing before, 4 after" in shot.warnings[0]


def test_a_matte_that_does_not_cover_the_cut_is_a_problem(tmp_path: Path) -> None:
    plates(tmp_path / "p", "a", 1001, 60)
    plates(tmp_path / "m", "a", 1021, 9)
    base = edits.timeline([edits.clip("a", 20, 10, media=60, folder=str(tmp_path / "p"))])
    (shot,), _ = find_shots(Cut(base), "/edit", Wanted(everything=True), Wishes(8, 20, str(tmp_path / "m")))
    assert "lacks frames 1030" in shot.problems[0]


def test_a_clip_on_the_matte_track_is_the_matte(tmp_path: Path) -> None:
    plates(tmp_path, "a", 1001, 60)
    plates(tmp_path, "m", 1001, 60)
    matte = edits.clip("m", 15, 20, media=60, folder=str(tmp_path))
    base = edits.timeline([edits.gap(5), edits.clip("a", 20, 10, media=60, folder=str(tmp_path))], [matte])
    base.tracks[1].name = "VOID MATTE"
    (shot,), _ = find_shots(Cut(base), "/edit", Wanted(everything=True), Wishes())
    assert shot.problems == [] and shot.mattes == {"object_matte": Matte(f"{tmp_path}/m/m.%04d.exr")}
    assert shot.warnings == [], "the matte over it is no layer"
    matte.source_range = Range(Time(16, RATE), Time(20, RATE))
    (shot,), _ = find_shots(Cut(base), "/edit", Wanted(everything=True), Wishes())
    assert "shows its file 1022 where the plate shows 1021" in shot.problems[0]


def test_a_movie_that_is_not_there_says_what_to_do_and_takes_frames_in_its_place(tmp_path: Path) -> None:
    reference = otio.schema.ExternalReference("/p/a.mov", Range(Time(3600, RATE), Time(60, RATE)))
    base = edits.timeline([otio.schema.Clip("a.mov", reference, Range(Time(3620, RATE), Time(10, RATE)))])
    (shot,), _ = find_shots(Cut(base), "/edit", Wanted(everything=True), Wishes())
    assert "is offline" in shot.problems[0] and "--plate-root" in shot.problems[0]
    plates(tmp_path / "p", "a", 1, 60)
    plates(tmp_path / "m", "a", 1, 60)
    wishes = Wishes(2, 4, str(tmp_path / "m"), str(tmp_path / "p"))
    (shot,), _ = find_shots(Cut(base), "/edit", Wanted(everything=True), wishes)
    assert shot.problems == [] and shot.range is not None and str(shot.range.used) == "21-30"


def test_shots_of_the_same_name_get_folders_of_their_own(base: Any) -> None:
    for item in base.tracks[0]:
        item.name = "sh.[1001-1048].exr"
    base.tracks[1][1].name = "sh_2"
    shots, _ = find_shots(Cut(base), "/edit", Wanted(everything=True), Wishes())
    assert [shot.name for shot in shots] == ["sh", "sh_2", "sh_3", "sh_2_2"]
    assert len({shot.name for shot in shots}) == 4
