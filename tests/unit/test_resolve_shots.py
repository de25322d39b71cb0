"""The clips of a timeline of Resolve, on the strict fake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, Scene, difference, scenes

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_context import context
from void_plugin.hosts.resolve_shots import retimed, shots, timeline_otio
from void_plugin.hosts.resolve_sources import pattern_of


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return scenes.cut(tmp_path)


def look(scene: Scene, pick: str = "all", **knobs: Any) -> list[dict[str, Any]]:
    """The clips of a scene, which must change nothing."""
    bench = Bench(scene.data, Knobs(**knobs))
    before = bench.state()
    found = shots(Resolve(bench.resolve), pick)["shots"]
    assert difference(before, bench.state()) == []
    bench.verify()
    json.dumps(found)
    return found


def names(found: list[dict[str, Any]]) -> list[str]:
    return [shot["name"].split(".")[0] for shot in found]


def by_name(scene: Scene, name: str, **knobs: Any) -> dict[str, Any]:
    return next(shot for shot in look(scene, **knobs) if shot["name"].startswith(name))


def texts(shot: dict[str, Any], level: str) -> list[str]:
    return [problem["text"] for problem in shot["problems"] if problem["level"] == level]


# -- picking -----------------------------------------------------------------------------------------------------


def test_the_selected_clips_are_picked(scene: Scene) -> None:
    assert names(look(scene, "selected")) == ["sh010"]


def test_nothing_selected_picks_nothing(scene: Scene) -> None:
    scene.select()
    assert look(scene, "selected") == []


def test_a_resolve_that_cannot_tell_what_is_selected_picks_nothing(scene: Scene) -> None:
    scene.data["version"] = [21, 0, 3, 7, ""]
    assert look(scene, "selected") == []
    assert names(look(scene, "playhead")) == ["sh010"]


def test_the_clip_under_the_playhead_is_picked(scene: Scene) -> None:
    scene.timeline["playhead"] = 86420
    assert names(look(scene, "playhead")) == ["sh020"]
    scene.timeline["playhead"] = 86413
    assert look(scene, "playhead") == []


@pytest.mark.parametrize("name", ["VOID MATTE", "VOID"])
def test_under_the_playhead_a_matte_or_a_result_is_looked_through(scene: Scene, name: str) -> None:
    track = scene.add_track(name)
    scene.place(scene.sequence("over", 24), 86400, 12, track=track)
    assert names(look(scene, "playhead")) == ["sh010"]
    scene.track(1)["items"][0]["enabled"] = False
    assert look(scene, "playhead") == []


def test_a_result_that_is_selected_is_no_shot_and_what_the_user_has_put_beside_it_is(scene: Scene) -> None:
    track = scene.add_track("VOID")
    result, theirs = scene.sequence("result", 24), scene.sequence("theirs", 24)
    result["third_party"] = {"VOID": 'void:{"job":"job-7","kind":"result"}'}
    scene.select(*(scene.place(clip, at, 12, track=track) for clip, at in ((result, 86400), (theirs, 86412))))
    assert names(look(scene, "selected")) == ["theirs"]


def test_clips_with_a_marker_void_are_picked_with_its_note(scene: Scene) -> None:
    items = scene.track(1)["items"]
    scene.mark(items[1], 2, "VOID", note="prompt: an empty street")
    found = look(scene, "markers")
    assert [(shot["name"], shot["note"]) for shot in found] == [("sh020.[0101-0124].exr", "prompt: an empty street")]


def test_a_marker_void_of_the_timeline_picks_the_topmost_clip_that_is_shown_under_it(scene: Scene) -> None:
    over = scene.place(scene.sequence("over", 24), 86400, 12, track=2)
    scene.mark(scene.timeline, 3, "void this")
    assert names(look(scene, "markers")) == ["over"]
    over["enabled"] = False
    assert names(look(scene, "markers")) == ["sh010"]
    over["enabled"] = True
    scene.track(2, enabled=False)
    assert names(look(scene, "markers")) == ["sh010"]


def test_a_marker_of_ours_picks_nothing_and_is_read(scene: Scene) -> None:
    values = {"job": "job-7", "folder": "/shows/v001"}
    item = scene.track(1)["items"][0]
    scene.mark(item, 5, "VOID", custom="void:" + json.dumps(values), note="sent")
    assert look(scene, "markers") == []
    shot = by_name(scene, "sh010")
    assert (shot["void"], shot["note"]) == (values, "")


def test_all_leaves_out_mattes_and_our_own_results(scene: Scene) -> None:
    track = scene.add_track("VOID")
    scene.place(scene.sequence("result", 24), 86400, 12, track=track)
    assert names(look(scene)) == ["sh010", "sh020", "sh030", "Solid Color", "Text"]


def test_an_unknown_way_to_pick_is_named(scene: Scene) -> None:
    with pytest.raises(HostError, match="'loud'"):
        shots(Resolve(Bench(scene.data).resolve), "loud")


def test_transitions_are_no_clips(scene: Scene) -> None:
    scene.dissolve(86426)
    assert names(look(scene)) == ["sh010", "sh020", "sh030", "Solid Color", "Text"]


def test_an_item_that_says_nothing_of_itself_is_left_out(scene: Scene) -> None:
    assert names(look(scene, refuses={"TimelineItem.GetStart": 1})) == ["sh020", "sh030", "Solid Color", "Text"]


# -- what is known -----------------------------------------------------------------------------------------------


def test_a_sequence_at_full_speed_has_all_that_the_plate_needs(scene: Scene, tmp_path: Path) -> None:
    shot = by_name(scene, "sh010")
    assert shot["record"] == [86400, 86412]
    assert (shot["track"], shot["track_name"], shot["locked"]) == (1, "Video 1", False)
    assert (shot["left"], shot["retimed"]) == (4, False)
    assert shot["matte_track"] == 3
    assert not shot["generator"]
    assert not shot["offline"]
    assert not shot["fusion"]
    media = shot["media"]
    assert media["pattern"] == f"{tmp_path.as_posix()}/media/sh010/sh010.%04d.exr"
    assert (media["kind"], media["first"], media["last"], media["frames"]) == ("sequence", 1001, 1024, 24)
    assert (media["fps"], media["resolution"], media["start_tc"]) == (24.0, [36, 64], "00:59:59:00")
    assert shot["problems"] == []


def test_a_clip_at_twice_its_speed_is_retimed_and_its_attached_matte_is_seen(scene: Scene) -> None:
    shot = by_name(scene, "sh020")
    assert shot["retimed"] is True
    assert [path.rsplit("/", 1)[-1] for path in shot["attached_mattes"]] == ["sh020_roto.%04d.exr"]


def test_a_movie_is_a_movie_and_a_still_a_still(scene: Scene) -> None:
    scene.place(scene.still("card"), 86450, 5)
    assert by_name(scene, "sh030")["media"]["kind"] == "movie"
    assert by_name(scene, "card")["media"]["kind"] == "still"


@pytest.mark.parametrize("name", ["Solid Color", "Text"])
def test_generators_and_titles_cannot_be_sent(scene: Scene, name: str) -> None:
    shot = by_name(scene, name)
    assert shot["generator"]
    assert shot["media"]["kind"] == "none"
    assert "no footage" in texts(shot, "error")[0]


def test_offline_media_is_to_be_relinked(scene: Scene) -> None:
    clip = next(iter(scene.project["clips"].values()))
    scene.offline(clip)
    shot = by_name(scene, "sh010")
    assert shot["offline"]
    assert "relink" in texts(shot, "error")[0]


def test_a_locked_track_is_said(scene: Scene) -> None:
    scene.track(1, locked=True)
    shot = by_name(scene, "sh010")
    assert shot["locked"]
    assert "locked track Video 1" in texts(shot, "warning")[0]


def test_media_of_another_rate_counts_as_retimed(scene: Scene) -> None:
    scene.place(scene.sequence("slow", 48, fps=25.0), 86450, 10)
    shot = by_name(scene, "slow")
    assert shot["retimed"] is True
    assert "25 frames a second" in texts(shot, "warning")[0]


def test_media_at_24000_1001_is_not_of_another_rate_than_23_976(tmp_path: Path) -> None:
    scene = scenes.Scene(tmp_path, rate="23.976")
    scene.place(scene.sequence("plate", 24, fps=23.976024), 86400, 12)
    assert by_name(scene, "plate")["retimed"] is False


def test_a_source_start_that_slips_by_one_proves_nothing(scene: Scene) -> None:
    assert by_name(scene, "sh010", source_start_slip=True)["retimed"] is None
    assert by_name(scene, "sh020", source_start_slip=True)["retimed"] is True


def test_a_source_end_that_is_inclusive_proves_nothing(scene: Scene) -> None:
    assert by_name(scene, "sh010", source_end_inclusive=True)["retimed"] is None
    assert by_name(scene, "sh020", source_end_inclusive=True)["retimed"] is True


def test_sources_that_are_not_said_prove_nothing(scene: Scene) -> None:
    assert by_name(scene, "sh010", source_unknown=True)["retimed"] is None


@pytest.mark.parametrize(
    ("span", "expected"), [(12, False), (11, None), (13, None), (-12, True), (0, True), (24, True)]
)
def test_a_speed_is_told_from_the_frames_that_are_shown(span: int, expected: Any) -> None:
    assert retimed(span, 12, 24.0, 24.0) is expected


def test_a_matte_that_covers_a_part_of_the_shot_is_said(scene: Scene) -> None:
    scene.track(3)["items"][0]["duration"] = 6
    shot = by_name(scene, "sh010")
    assert shot["matte_track"] == 3
    assert "do not cover" in texts(shot, "warning")[0]


def test_two_mattes_side_by_side_cover_the_shot(scene: Scene) -> None:
    scene.track(3)["items"][0]["duration"] = 6
    roto = scene.sequence("second_half", 24)
    scene.place(roto, 86406, 6, track=3)
    assert by_name(scene, "sh010")["problems"] == []


def test_a_fusion_comp_is_seen(scene: Scene) -> None:
    shot = scene.track(1)["items"][0]
    scene.composition(shot, scene.sequence("roto"), savers=("VOID_MATTE", "Saver1"))
    found = by_name(scene, "sh010")
    assert found["fusion"]
    assert found["savers"] == [["Composition 1", "VOID_MATTE"], ["Composition 1", "Saver1"]]


def test_a_composition_that_cannot_be_read_is_said_and_the_clip_is_there(scene: Scene) -> None:
    scene.composition(scene.track(1)["items"][0], scene.sequence("roto"))
    found = by_name(scene, "sh010", refuses={"TimelineItem.GetFusionCompByName": 0})
    assert found["fusion"] and found["savers"] == []
    assert "TimelineItem.GetFusionCompByName" in texts(found, "warning")[0]


@pytest.mark.parametrize(("key", "value", "words"), [("Opacity", 50.0, "50 % opacity"), ("CompositeMode", 3, "mode")])
def test_a_clip_that_is_blended_is_warned_about(scene: Scene, key: str, value: float, words: str) -> None:
    scene.track(1)["items"][0]["properties"][key] = value
    assert words in texts(by_name(scene, "sh010"), "warning")[0]


def test_a_compound_clip_has_no_files_and_is_no_generator(scene: Scene) -> None:
    clip = scene.sequence("nest", 24)
    clip.update(kind="timeline", path="")
    scene.place(clip, 86450, 10)
    shot = by_name(scene, "nest")
    assert shot["media"]["kind"] == "none"
    assert not shot["generator"]


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/p/sh.[1001-1048].exr", "/p/sh.%04d.exr"),
        ("C:\\p\\sh_[0001-12000].dpx", "C:/p/sh_%04d.dpx"),
        ("/p/[7-9].tif", "/p/%01d.tif"),
        ("/p [1-2]/take.mov", "/p [1-2]/take.mov"),
        ("/p/sh.exr", "/p/sh.exr"),
    ],
)
def test_files_are_named_by_a_pattern_with_forward_slashes(path: str, pattern: str) -> None:
    assert pattern_of(path) == pattern


# -- the export of the timeline ----------------------------------------------------------------------------------


def test_the_timeline_is_written_as_otio_and_nothing_changes(scene: Scene, tmp_path: Path) -> None:
    bench = Bench(scene.data)
    before = bench.state()
    path = f"{tmp_path.as_posix()}/edit.otio"
    assert timeline_otio(Resolve(bench.resolve), path) == {"path": path}
    assert json.loads((tmp_path / "edit.otio").read_text())["OTIO_SCHEMA"] == "Timeline.1"
    assert difference(before, bench.state()) == []


def test_an_export_that_resolve_refuses_names_the_call_and_the_file(scene: Scene, tmp_path: Path) -> None:
    bench = Bench(scene.data, Knobs(refuses={"Timeline.Export": 0}))
    with pytest.raises(HostError, match=r"Timeline\.Export\('.*edit\.otio'.*refused; see that the folder"):
        timeline_otio(Resolve(bench.resolve), f"{tmp_path}/edit.otio")


# -- a call that breaks, at every index ----------------------------------------------------------------------------


def test_an_exception_at_any_call_names_it_and_changes_nothing(scene: Scene, tmp_path: Path) -> None:
    def ask(bench: Bench) -> None:
        resolve = Resolve(bench.resolve)
        context(resolve)
        for pick in ("selected", "playhead", "markers", "all"):
            shots(resolve, pick)
        timeline_otio(resolve, f"{tmp_path.as_posix()}/edit.otio")

    plain = Bench(scene.data)
    ask(plain)
    for index in range(len(plain.calls)):
        bench = Bench(scene.data, Knobs(raises_at=index))
        before = bench.state()
        with pytest.raises(HostError) as caught:
            ask(bench)
        assert bench.calls[index]["call"] in caught.value.message
        assert "try again" in caught.value.message
        assert difference(before, bench.state()) == []
        bench.verify()


@pytest.mark.parametrize(("change", "told"), [({}, False), ({"ZoomX": 1.5}, True), ({"FlipX": True}, True)])
def test_whether_a_clip_is_sized_is_told(scene: Scene, change: dict[str, Any], told: bool) -> None:
    (item,) = [one for one in scene.track(1)["items"] if one["name"].startswith("sh010")]
    item["properties"].update(change)
    assert by_name(scene, "sh010")["transformed"] is told
