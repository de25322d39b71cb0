"""Frames rendered by Resolve, which afterwards is as it was before: on the strict fake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.resolve import Scene, scenes
from resolvestages import Make, Stage, mean


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return scenes.cut(tmp_path)


@pytest.fixture
def stage(scene: Scene, tmp_path: Path) -> Make:
    return lambda **knobs: Stage(scene, tmp_path, **knobs)


def test_the_frames_of_a_shot_are_rendered_and_resolve_is_as_before(stage: Make) -> None:
    on = stage()
    begun, done, ended = on.whole()
    assert done == {"state": "done", "percent": 100, "eta_ms": 0, "text": "Resolve has rendered the plate."}
    assert on.files() == [f"sh010.{frame:08d}.exr" for frame in range(86400, 86412)]
    assert ended["failed"] == []
    assert (begun["codec"], begun["baked"]) == ("RGBHalfZIP", True)
    assert "baked into this plate" in begun["text"]
    on.assert_as_before()


def test_what_is_read_as_it_was_is_said_by_name(stage: Make) -> None:
    ended = stage().whole()[2]
    assert {"render settings", "render mode", "video tracks", "in and out marks", "playhead", "page"} <= set(
        ended["restored"]
    )


def test_progress_says_how_far_it_is(stage: Make) -> None:
    on = stage()
    job = on.begin()["job"]
    found = on.export.poll(job)
    assert found["state"] == "rendering"
    assert 0 < found["percent"] < 100
    assert found["eta_ms"] > 0
    on.export.end(job)
    on.assert_as_before()


def test_the_users_own_preset_is_loaded_and_said(stage: Make, scene: Scene) -> None:
    scene.preset()
    on = stage()
    begun = on.whole()[0]
    assert not begun["baked"]
    assert "'VOID Plate'" in begun["text"]
    on.assert_as_before()


def test_a_preset_of_the_users_with_loss_gets_another_codec(stage: Make, scene: Scene) -> None:
    scene.preset(codec="RGBHalfDWAA")
    on = stage()
    assert on.whole()[0]["codec"] == "RGBHalfZIP"
    on.assert_as_before()


def test_a_grade_is_in_the_plate_without_the_preset_and_not_in_it_with(stage: Make, scene: Scene) -> None:
    graded = scene.track(1)["items"][0]
    graded["grade"] = {"gain": 0.5}
    on = stage()
    on.whole()
    first = on.folder / "out" / on.files()[0]
    with_grade = mean(first)
    first.unlink()
    scene.preset()
    for path in (on.folder / "out").iterdir():
        path.unlink()
    on = stage()
    on.whole()
    assert mean(first) == pytest.approx(2 * with_grade, rel=1e-3)


def test_tracks_above_are_not_in_the_plate(stage: Make, scene: Scene) -> None:
    shot = scene.track(1)["items"][0]
    scene.generator("White", shot["start"], shot["duration"], track=2, solid=1.0)
    on = stage()
    on.whole()
    assert mean(on.folder / "out" / on.files()[0]) != 1.0
    on.assert_as_before()


def test_tracks_that_show_nothing_there_are_left_alone(stage: Make) -> None:
    on = stage()
    on.whole()
    assert on.bench.called("Timeline.SetTrackEnable") == []


def test_the_matte_track_is_rendered_alone_though_the_user_has_muted_it(stage: Make) -> None:
    on = stage()
    begun, _, _ = on.whole(what="matte", track=3, name="sh010_matte", preset="")
    white, all_pixels = 20 * 16, scenes.WIDTH * scenes.HEIGHT
    assert mean(on.folder / "out" / on.files()[0]) == pytest.approx(white / all_pixels)
    assert "baked" not in begun["text"]
    on.assert_as_before()


def test_only_the_frames_that_are_wanted_are_rendered(stage: Make) -> None:
    on = stage()
    on.whole(first=86402, last=86404)
    assert on.files() == [f"sh010.{frame:08d}.exr" for frame in (86402, 86403, 86404)]
    on.assert_as_before()


def test_a_second_export_goes_on_after_the_first(stage: Make) -> None:
    on = stage()
    on.whole()
    on.whole(what="matte", track=3, name="sh010_matte", preset="")
    on.assert_as_before()


def test_the_jobs_and_presets_of_the_user_are_untouched(stage: Make, scene: Scene) -> None:
    scene.user_jobs(2)
    scene.preset("Dailies", "mov", "ProRes4444")
    on = stage()
    on.whole()
    on.assert_as_before()


@pytest.mark.parametrize("page", ["media", "cut", "fusion", "color", "fairlight", "deliver"])
def test_the_page_that_was_open_is_open_again(stage: Make, scene: Scene, page: str) -> None:
    scene.data["page"] = page
    on = stage(enable_needs_edit_page=True)
    on.whole(what="matte", track=3)
    on.assert_as_before()


def test_a_resolve_without_marks_is_served_too(stage: Make, scene: Scene) -> None:
    scene.data["version"] = [19, 1, 3, 7, ""]
    on = stage()
    before = json.dumps(on.before["project"]["timelines"][0]["tracks"])
    assert on.whole()[2]["failed"] == []
    assert json.dumps(on.bench.state()["project"]["timelines"][0]["tracks"]) == before
    on.bench.verify()


def test_marks_that_were_not_set_are_cleared_again(stage: Make, scene: Scene) -> None:
    scene.timeline["marks"] = {}
    on = stage()
    on.whole()
    on.assert_as_before()


def test_another_timeline_that_the_user_has_opened_meanwhile_gives_way_to_the_first(stage: Make, scene: Scene) -> None:
    other = scene.add_timeline("Reel 4")
    on = stage()
    job = on.begin(what="matte", track=3)["job"]
    on.render(job)
    project = on.resolve.project()
    project.open_timeline(project.find_timeline(other["id"]))
    assert on.export.end(job)["failed"] == []
    on.before["project"]["timelines"][1]["playhead"] = other["start"]
    on.assert_as_before()
