"""The fake Resolve is as strict as it says: names, arguments, keys, handles, and what must never be called."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from fakes.resolve import Bench, Broken, Knobs, difference, scenes, void


@pytest.fixture
def no_forbidden_calls() -> None:
    """Here they are made on purpose."""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(scenes.cut(tmp_path).data)


def project(bench):
    return bench.resolve.GetProjectManager().GetCurrentProject()


def timeline(bench):
    return project(bench).GetCurrentTimeline()


def test_a_name_that_resolve_does_not_have_raises_and_is_noted(bench: Bench) -> None:
    with pytest.raises(AttributeError, match="GetTimelineCont"):
        project(bench).GetTimelineCont()
    assert "GetTimelineCont" in bench.breaches[0]
    with pytest.raises(AssertionError, match="GetTimelineCont"):
        bench.verify()


def test_hasattr_is_noted_and_dir_tells_the_truth(bench: Bench) -> None:
    assert "GetSelectedClips" in dir(timeline(bench))
    bench.verify()
    hasattr(timeline(bench), "GetSelection")
    assert bench.breaches


@pytest.mark.parametrize(
    ("version", "there"), [((21, 0, 4, 1, ""), True), ((21, 0, 3, 7, ""), False), ((19, 1, 3, 7, ""), False)]
)
def test_newer_calls_are_only_in_newer_versions(tmp_path: Path, version: tuple, there: bool) -> None:
    bench = Bench(scenes.cut(tmp_path, version=version).data)
    assert ("GetSelectedClips" in dir(timeline(bench))) is there
    assert ("GetMarkInOut" in dir(timeline(bench))) is (version[0] >= 20)


def test_wrong_arguments_raise(bench: Bench) -> None:
    edit = timeline(bench)
    with pytest.raises(TypeError, match="takes 1 to 1 arguments, not 0"):
        edit.SetName()
    with pytest.raises(TypeError, match="trackType must be str"):
        edit.GetTrackCount(1)
    with pytest.raises(TypeError, match="no keyword"):
        edit.GetTrackCount(trackType="video")
    with pytest.raises(TypeError, match="deprecated"):
        project(bench).GetRenderJobs()
    assert len(bench.breaches) == 4


def test_settings_with_a_key_that_there_is_not_raise(bench: Bench) -> None:
    with pytest.raises(KeyError, match="Codec"):
        project(bench).SetRenderSettings({"Codec": "RGBHalf"})
    with pytest.raises(TypeError, match="MarkIn must be int"):
        project(bench).SetRenderSettings({"MarkIn": "86400"})
    pool = project(bench).GetMediaPool()
    with pytest.raises(KeyError, match="mediaPoolItem"):
        pool.AppendToTimeline([{"startFrame": 0}])


@pytest.mark.parametrize("name", ["DeleteAllRenderJobs", "CloseProject", "SetCurrentDatabase", "Quit"])
def test_forbidden_calls_raise_and_do_nothing(bench: Bench, name: str) -> None:
    before = bench.state()
    manager = bench.resolve.GetProjectManager()
    owners = {"Quit": bench.resolve, "DeleteAllRenderJobs": project(bench)}
    arguments = {"CloseProject": (project(bench),), "SetCurrentDatabase": ({"DbType": "Disk", "DbName": "x"},)}
    with pytest.raises(Broken, match="never"):
        getattr(owners.get(name, manager), name)(*arguments.get(name, ()))
    assert bench.state() == before
    assert name in bench.breaches[0]


def test_handles_do_not_compare(bench: Bench) -> None:
    with pytest.raises(TypeError, match="GetUniqueId"):
        assert timeline(bench) == timeline(bench)


def test_a_call_breaks_where_it_is_told_to(tmp_path: Path) -> None:
    bench = Bench(scenes.cut(tmp_path).data, Knobs(raises_midway={"Timeline.AddTrack": 2}))
    edit = timeline(bench)
    assert edit.AddTrack("video")
    with pytest.raises(Broken, match=r"Timeline\.AddTrack"):
        edit.AddTrack("video")
    assert edit.GetTrackCount("video") == 4
    bench.verify()


def test_the_call_at_an_index_breaks_before_or_after_its_work(tmp_path: Path) -> None:
    scene = scenes.cut(tmp_path).data
    for after, count in ((False, 3), (True, 4)):
        bench = Bench(scene, Knobs(raises_at=3, raises_after=after))
        edit = timeline(bench)
        with pytest.raises(Broken):
            edit.AddTrack("video")
        assert edit.GetTrackCount("video") == count


def test_a_call_refuses_or_lies_where_it_is_told_to(tmp_path: Path) -> None:
    scene = scenes.cut(tmp_path).data
    knobs = Knobs(refuses={"Timeline.AddTrack": 1, "MediaPool.ImportMedia": 0}, lies={"Timeline.SetTrackName": 0})
    bench = Bench(scene, knobs)
    before = bench.state()
    assert timeline(bench).AddTrack("video") is False
    assert project(bench).GetMediaPool().ImportMedia(["/x.exr"]) == []
    assert timeline(bench).SetTrackName("video", 1, "x") is True
    assert bench.state() == before


def test_every_call_is_recorded_with_what_it_was_given(bench: Bench) -> None:
    project(bench).SetRenderSettings({"MarkIn": 86400})
    assert [call["call"] for call in bench.calls] == [
        *("Resolve.GetProjectManager", "ProjectManager.GetCurrentProject", "Project.SetRenderSettings")
    ]
    assert bench.called("Project.SetRenderSettings") == [[{"MarkIn": 86400}]]
    assert bench.calls[-1]["result"] is True


def test_the_state_goes_through_json_and_makes_the_same_resolve(bench: Bench) -> None:
    state = bench.state()
    assert Bench(json.loads(json.dumps(state))).state() == state


def test_the_difference_names_what_changed_and_leaves_out_what_is_ours(bench: Bench) -> None:
    before = bench.state()
    edit = timeline(bench)
    edit.AddTrack("video")
    edit.SetTrackName("video", 4, "VOID v001")
    edit.AddMarker(20.0, "Green", "VOID", "", 1.0, "void:{}")
    assert difference(before, bench.state(), void) == []
    assert len(difference(before, bench.state())) == 2
    edit.SetTrackName("video", 1, "Plates")
    edit.DeleteMarkerAtFrame(5.0)
    found = difference(before, bench.state(), void)
    assert len(found) == 2
    assert "name was 'Video 1' and is 'Plates'" in found[0]
    assert "is gone" in found[1]


def test_the_free_edition_has_no_studio_calls_and_a_window_then_blocks(tmp_path: Path) -> None:
    scene = scenes.cut(tmp_path)
    scene.free()
    bench = Bench(scene.data)
    assert bench.resolve.GetProductName() == "DaVinci Resolve"
    assert timeline(bench).GetCurrentVideoItem().CreateMagicMask("F") is False
    assert timeline(bench).AddTrack("video") is False
    assert timeline(bench).GetTrackCount("video") == 3


def test_saving_the_untitled_project_would_never_return(tmp_path: Path) -> None:
    scene = scenes.cut(tmp_path)
    scene.untitled()
    bench = Bench(scene.data)
    with pytest.raises(Broken, match="blocks for ever"):
        bench.resolve.GetProjectManager().SaveProject()


def test_scripts_in_two_threads_are_a_breach(bench: Bench) -> None:
    bench.thread = threading.get_ident()
    bench.resolve.GetProductName()

    def call() -> None:
        with pytest.raises(RuntimeError):
            bench.resolve.GetProductName()

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert "another thread" in bench.breaches[0]


def test_the_user_may_do_something_before_a_call(bench: Bench) -> None:
    bench.before("Resolve.GetCurrentPage", 2, lambda data: data.update(page="color"))
    assert [bench.resolve.GetCurrentPage() for _ in range(3)] == ["edit", "color", "color"]


def test_a_resolve_without_a_project_a_timeline_or_a_database_says_nothing(tmp_path: Path) -> None:
    scene = scenes.cut(tmp_path)
    scene.no_timeline()
    scene.wedged()
    bench = Bench(scene.data)
    assert timeline(bench) is None
    assert bench.resolve.GetProjectManager().GetCurrentDatabase() is None
    scene.no_project()
    bench = Bench(scene.data)
    assert project(bench) is None and bench.resolve.GetCurrentPage() is None


def test_collaboration_shows_in_the_projects_attributes_and_in_stale_bins(tmp_path: Path) -> None:
    scene = scenes.cut(tmp_path)
    scene.collaborative([scene.project["root"]["folders"][0]])
    bench = Bench(scene.data)
    attributes = bench.resolve.GetProjectManager().GetProjectAttributesInCurrentFolder()
    assert attributes["Feature"]["liveCollaborationMode"] is True
    root = project(bench).GetMediaPool().GetRootFolder()
    assert [folder.GetIsFolderStale() for folder in [root, *root.GetSubFolderList()]] == [False, True]
