"""What processes leave in Resolve that did not live to put it back, and what becomes of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fakes.resolve import Scene, difference, scenes
from resolvestages import Make, Stage, small

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_export import MOST_TRIES
from void_plugin.hosts.resolve_memory import FRESH_SECONDS
from void_plugin.hosts.resolve_snapshot import PRESETS


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return scenes.cut(tmp_path)


@pytest.fixture
def stage(scene: Scene, tmp_path: Path) -> Make:
    return lambda **knobs: Stage(scene, tmp_path, **knobs)


@pytest.mark.parametrize("after", [False, True], ids=["before its work", "after its work"])
def test_an_exception_at_any_call_of_a_recovery_leaves_the_rest_to_the_next(tmp_path: Path, after: bool) -> None:
    def left(name: str) -> Stage:
        folder = tmp_path / name
        on = Stage(small(folder), folder)
        on.render(on.begin(what="matte", track=3)["job"])
        on.bench.calls.clear()
        return on

    plain = left("plain")
    assert plain.another().recover()["failed"] == []
    count = len(plain.bench.calls)
    assert count > 50
    for index in range(count):
        on = left(str(index))
        on.bench.knobs.raises_at, on.bench.knobs.raises_after = index, after
        try:
            texts = on.another().recover()["failed"]
        except HostError as error:
            texts = [error.message]
        assert all(on.bench.calls[index]["call"] in text for text in texts)
        assert on.another().recover()["failed"] == []
        on.assert_as_before()


def test_what_a_process_has_left_is_restored_by_the_next(stage: Make) -> None:
    on = stage()
    job = on.begin(what="matte", track=3)["job"]
    on.render(job)
    assert difference(on.before, on.bench.state()) != []
    found = on.another().recover()
    assert found["failed"] == []
    assert "video tracks" in found["restored"]
    on.assert_as_before()


def test_a_render_that_nobody_waits_for_is_stopped(stage: Make) -> None:
    on = stage(frames_per_poll=1)
    on.begin()
    record = on.memory.all()[0]
    old = os.path.getmtime(record.path) - 2 * FRESH_SECONDS
    os.utime(record.path, (old, old))
    assert on.another().recover()["failed"] == []
    on.assert_as_before()


def test_an_export_that_is_under_way_elsewhere_is_left_alone(stage: Make) -> None:
    on = stage(frames_per_poll=1)
    job = on.begin()["job"]
    found = on.another().recover()
    assert "under way" in found["failed"][0]
    assert on.render(job)["state"] == "done"
    assert on.export.end(job)["failed"] == []
    on.assert_as_before()


def test_what_another_export_has_muted_is_not_taken_for_what_the_user_had(stage: Make) -> None:
    on = stage()
    job = on.begin(what="matte", track=3)["job"]
    on.render(job)  # Resolve renders no longer, and its tracks are not yet as they were
    second = on.another()
    with pytest.raises(HostError, match="under way"):
        second.begin(on.args())
    assert on.export.end(job)["failed"] == []
    job = second.begin(on.args())["job"]
    assert second.end(job)["failed"] == []
    on.assert_as_before()


def test_of_two_exports_that_begin_at_once_the_later_one_leaves_no_record(stage: Make) -> None:
    on = stage()
    first, second = ({"preset": name, "project": {"id": "project-1"}} for name in ("VOID_restore_1_1", "saver_2"))
    on.memory.claim(first["preset"], first)
    with pytest.raises(HostError, match="under way"):
        on.memory.claim(second["preset"], second)
    assert [kept.state for kept in on.memory.all()] == [first]


def test_what_could_not_be_put_back_is_in_nobodys_way_and_is_not_forgotten_for_the_next_export(stage: Make) -> None:
    on = stage()
    job = on.begin()["job"]
    on.bench.knobs.refuses["Timeline.SetMarkInOut"] = 0
    assert any("marks" in text for text in on.export.end(job)["failed"])
    del on.bench.knobs.refuses["Timeline.SetMarkInOut"]
    second = on.another()
    job = second.begin(on.args())["job"]
    assert second.end(job)["failed"] == []
    assert on.another().recover()["failed"] == []
    on.assert_as_before()


def test_what_belongs_to_another_project_waits_until_that_is_open(stage: Make) -> None:
    on = stage()
    job = on.begin()["job"]
    on.render(job)
    on.bench.world.project["id"] = "project-2"
    for _ in range(2 * MOST_TRIES):
        assert on.another().recover() == {"restored": [], "failed": []}
    on.bench.world.project["id"] = "project-1"
    assert on.another().recover()["failed"] == []
    on.assert_as_before()


def test_what_belongs_to_another_project_is_forgotten_after_a_month(stage: Make) -> None:
    on = stage()
    on.memory.keep("VOID_restore_1_1", {"preset": "VOID_restore_1_1", "project": {"id": "project-2"}, "since": 0.0})
    assert on.another().recover() == {"restored": [], "failed": []}
    on.assert_as_before()


def test_a_project_that_was_changed_during_an_export_is_to_be_opened_again(stage: Make) -> None:
    on = stage()
    job = on.begin()["job"]
    on.render(job)
    on.bench.world.project["id"] = "project-2"
    assert any("The project Feature is not open" in text for text in on.export.end(job)["failed"])
    on.bench.world.project["id"] = "project-1"
    assert on.another().recover()["failed"] == []
    on.assert_as_before()


def test_what_cannot_be_put_back_is_not_tried_for_ever(stage: Make) -> None:
    on = stage()
    job = on.begin()["job"]
    on.render(job)
    del on.bench.world.data["presets"][on.memory.all()[0].state["preset"]]
    for _ in range(MOST_TRIES):
        assert "Project.LoadRenderPreset" in on.another().recover()["failed"][0]
    assert on.another().recover() == {"restored": [], "failed": []}


def test_a_timeline_and_a_track_that_the_user_has_deleted_need_nothing_back(stage: Make, scene: Scene) -> None:
    other = scene.add_timeline("Reel 4")
    on = stage()
    job = on.begin(what="matte", track=3)["job"]
    on.render(job)
    del on.bench.world.timeline["tracks"]["video"][2]
    assert on.export.end(job)["failed"] == []
    job = on.begin()["job"]
    on.render(job)
    project = on.bench.world.project
    project["timelines"] = [one for one in project["timelines"] if one["id"] == other["id"]]
    project["timeline"] = other["id"]
    project["render"]["jobs"] = []
    assert on.export.end(job)["failed"] == []
    assert on.memory.all() == []


def test_a_job_that_was_added_in_the_last_moment_of_a_process_is_found_by_its_folder(stage: Make, scene: Scene) -> None:
    scene.user_jobs(1)
    on = stage()
    on.begin()
    record = on.memory.all()[0]
    on.memory.keep(record.state["preset"], {**record.state, "job": ""})
    on.resolve.project().stop_render()
    assert on.another().recover()["failed"] == []
    on.assert_as_before()


def test_temporary_presets_that_nobody_knows_of_are_swept(stage: Make, scene: Scene) -> None:
    on = stage()
    scene.preset(PRESETS + "4711_1")
    swept = Stage(scene, on.folder)
    assert swept.another().recover() == {
        "restored": [f"temporary render preset {PRESETS}4711_1"],
        "failed": [],
    }
    assert difference(on.before, swept.bench.state()) == []


def test_a_record_that_cannot_be_read_is_of_no_use_and_no_trouble(stage: Make) -> None:
    on = stage()
    on.memory.keep("VOID_restore_1_1", {})
    (on.folder / "memory" / "VOID_restore_1_1.restore.json").write_text("{")
    assert on.memory.all() == []
    assert on.another().recover() == {"restored": [], "failed": []}


def test_a_record_that_cannot_be_written_stops_before_anything_has_changed(stage: Make, tmp_path: Path) -> None:
    on = stage()
    (tmp_path / "memory").write_text("a file where the folder should be")
    with pytest.raises(HostError, match="correct the rights"):
        on.begin()
    assert difference(on.before, on.bench.state()) == []
