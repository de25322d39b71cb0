"""Markers of jobs on clips in Resolve: one a job, found by its tag; those of the user's are never touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, Scene, difference
from resolveplaces import changed, cut, every_failure, refused

from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_marks import jobs, mark


@pytest.fixture
def case(tmp_path: Path) -> tuple[Scene, dict[str, Any]]:
    return cut(tmp_path)


def state(shot: dict[str, Any], job: str = "job-1", state: str = "sent", note: str = "") -> dict[str, Any]:
    return {"shot": shot["id"], "job": job, "folder": f"/shows/{job}/v001", "state": state, "note": note}


def markers(bench: Bench, shot: dict[str, Any]) -> list[dict[str, Any]]:
    return bench.world.place_of(shot["id"])[3]["markers"]


def ours(bench: Bench, shot: dict[str, Any]) -> list[tuple[str, str, float]]:
    found = [one for one in markers(bench, shot) if one["customData"].startswith("void:")]
    assert all(one["name"] == "VOID" for one in found)
    return [(one["color"], one["note"], one["frame"]) for one in found]


@pytest.mark.parametrize(
    ("name", "color"), [("sent", "Yellow"), ("done", "Green"), ("partial", "Yellow"), ("failed", "Red")]
)
def test_a_job_is_shown_in_the_colour_of_its_state_on_the_first_frame_that_is_seen(
    case: Any, name: str, color: str
) -> None:
    scene, shot = case
    bench = Bench(scene.data)
    before = bench.state()
    mark(Resolve(bench.resolve), state(shot, state=name, note="6 frames are short"))
    # A marker of a clip counts the frames of its media: the first four of this one are cut off.
    assert ours(bench, shot) == [(color, "6 frames are short", 4.0)]
    assert changed(before, bench) == []


def test_the_marker_of_a_job_that_was_cancelled_is_taken_away_and_no_other(case: Any) -> None:
    scene, shot = case
    bench = Bench(scene.data)
    before = bench.state()
    resolve = Resolve(bench.resolve)
    mark(resolve, state(shot, "job-1"))
    mark(resolve, state(shot, "job-2"))
    mark(resolve, state(shot, "job-2", "cancelled"))
    assert [one["job"] for one in jobs(resolve)["jobs"]] == ["job-1"]
    mark(resolve, state(shot, "job-1", "cancelled"))
    mark(resolve, state(shot, "job-1", "cancelled"))
    assert difference(before, bench.state()) == []


def test_a_job_has_one_marker_that_changes_in_place(case: Any) -> None:
    scene, shot = case
    bench = Bench(scene.data)
    resolve = Resolve(bench.resolve)
    mark(resolve, state(shot))
    mark(resolve, state(shot, state="failed", note="No matte."))
    mark(resolve, state(shot, state="failed", note="No matte on 1004."))
    assert ours(bench, shot) == [("Red", "No matte on 1004.", 4.0)]
    bench.verify()


def test_a_new_job_replaces_the_marker_of_one_that_has_ended_and_leaves_one_that_runs(case: Any) -> None:
    scene, shot = case
    bench = Bench(scene.data)
    resolve = Resolve(bench.resolve)
    mark(resolve, state(shot, "job-1", "done"))
    mark(resolve, state(shot, "job-2", "sent"))
    mark(resolve, state(shot, "job-3", "sent"))
    assert [job["job"] for job in jobs(resolve)["jobs"]] == ["job-2", "job-3"]


def test_a_frame_that_has_a_marker_of_the_users_is_passed_over(case: Any) -> None:
    scene, shot = case
    for frame in range(4, 11):
        scene.mark(shot, frame, "VOID", "Yellow", note="mine")
    bench = Bench(scene.data)
    before = bench.state()
    mark(Resolve(bench.resolve), state(shot))
    assert ours(bench, shot) == [("Yellow", "", 11.0)]
    assert changed(before, bench) == []


def test_a_clip_without_a_free_frame_is_refused(case: Any) -> None:
    scene, shot = case
    for frame in range(4, 16):
        scene.mark(shot, frame)
    bench = Bench(scene.data)
    before = bench.state()
    refused(lambda: mark(Resolve(bench.resolve), state(shot)), "TimelineItem.AddMarker", "delete a marker")
    assert difference(before, bench.state()) == []


def test_jobs_are_listed_with_where_they_are(case: Any) -> None:
    scene, shot = case
    second = scene.timeline["tracks"]["video"][0]["items"][1]
    scene.mark(second, 3, "VOID", custom="void:{cut short")
    scene.mark(second, 4, "VOID", custom="somebody else's")
    bench = Bench(scene.data)
    resolve = Resolve(bench.resolve)
    mark(resolve, state(second, "job-2", "done"))
    mark(resolve, state(shot, "job-1"))
    before = bench.state()
    first, other = jobs(resolve)["jobs"]
    assert first == {
        "job": "job-1",
        "folder": "/shows/job-1/v001",
        "state": "sent",
        "shot": shot["id"],
        "name": shot["name"],
        "record": [86400, 86412],
    }
    assert (other["job"], other["state"], other["record"]) == ("job-2", "done", [86418, 86426])
    assert difference(before, bench.state()) == []


def test_a_clip_on_a_timeline_that_the_user_has_left_is_marked_there(case: Any) -> None:
    scene, shot = case
    other = scene.add_timeline("Reel 4")
    scene.project["timeline"] = other["id"]
    scene.data["page"] = "fusion"
    bench = Bench(scene.data)
    before = bench.state()
    mark(Resolve(bench.resolve), state(shot))
    assert len(ours(bench, shot)) == 1
    assert changed(before, bench) == []
    assert jobs(Resolve(bench.resolve)) == {"jobs": []}


@pytest.mark.parametrize("current", [True, False])
def test_a_clip_on_a_locked_track_is_left_alone(case: Any, current: bool) -> None:
    scene, shot = case
    scene.track(1, locked=True)
    if not current:
        scene.project["timeline"] = scene.add_timeline("Reel 4")["id"]
    bench = Bench(scene.data)
    before = bench.state()
    refused(lambda: mark(Resolve(bench.resolve), state(shot)), "Video 1", "locked", "unlock it")
    assert difference(before, bench.state()) == []


def test_a_clip_that_is_gone_and_a_state_that_there_is_not_are_refused(case: Any) -> None:
    scene, shot = case
    bench = Bench(scene.data)
    refused(lambda: mark(Resolve(bench.resolve), {**state(shot), "shot": "item-none"}), "no longer on any timeline")
    refused(lambda: mark(Resolve(bench.resolve), state(shot, state="lost")), "'lost'")
    bench.world.data["project"] = None
    refused(lambda: jobs(Resolve(bench.resolve)), "no project open")


def test_where_the_connection_breaks_the_marker_is_the_old_or_the_new_one(case: Any) -> None:
    scene, shot = case
    scene.mark(shot, 4, "mine")
    bench = Bench(scene.data)
    mark(Resolve(bench.resolve), state(shot))
    before = bench.state()
    scene.project["timeline"] = scene.add_timeline("Reel 4")["id"]
    for other_is_current in (False, True):
        data = bench.world.data
        if other_is_current:
            data["project"]["timelines"].append(scene.project["timelines"][-1])
            data["project"]["timeline"] = scene.project["timeline"]
            before = Bench(data).state()
        for broken, error, call in every_failure(data, lambda resolve: mark(resolve, state(shot, state="done"))):
            assert changed(before, broken) == [], call
            if error is not None:
                assert call in error.message
                assert difference(before, broken.state()) == [], call
            else:
                assert ours(broken, shot) == [("Green", "", 5.0)], call


@pytest.mark.parametrize("knobs", [{"refuses": {"TimelineItem.AddMarker": 1}}, {"lies": {"TimelineItem.AddMarker": 1}}])
def test_a_marker_that_is_not_set_on_one_frame_is_set_on_another(case: Any, knobs: dict[str, Any]) -> None:
    scene, shot = case
    bench = Bench(scene.data, Knobs(**knobs))
    mark(Resolve(bench.resolve), state(shot))
    assert ours(bench, shot) == [("Yellow", "", 5.0)]


@pytest.mark.parametrize("how", ["refuses", "lies"])
def test_markers_that_cannot_be_deleted_or_set_at_all_are_refused(case: Any, how: str) -> None:
    scene, shot = case
    bench = Bench(scene.data)
    mark(Resolve(bench.resolve), state(shot))
    for call in ("TimelineItem.DeleteMarkerByCustomData", "TimelineItem.AddMarker"):
        broken = Bench(bench.world.data, Knobs(**{how: {call: 0}}))
        refused(lambda broken=broken: mark(Resolve(broken.resolve), state(shot, state="done")), call)  # type: ignore[misc]
        assert changed(bench.state(), broken) == []
