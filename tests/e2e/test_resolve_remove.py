"""An editor runs the scripts: fake Resolve, our host in it, a real sidecar, real servers, the timeline afterwards."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, difference, void
from resolveruns import FIRST, LEFT, LENGTH, Moving, Runs, same_far_away
from servers import Server, processes_of

from void_plugin.errors import HostError
from void_plugin.frames import ImageSequence
from void_plugin.live.records import record_of


@pytest.fixture
def runs(tmp_path: Path, void_python: str, lasting: Server) -> Runs:
    """With the server of a studio."""
    return Runs(tmp_path, void_python, lasting)


@pytest.fixture
def alone(tmp_path: Path, void_python: str) -> Runs:
    """Without one, so that each run has its own."""
    return Runs(tmp_path, void_python)


def bench_of(moving: Moving, **knobs: Any) -> Bench:
    return Bench(moving.scene.data, Knobs(**knobs))


def placed(bench: Bench, track: str = "VOID") -> list[dict[str, Any]]:
    """The items on a track of results."""
    tracks = bench.state()["project"]["timelines"][0]["tracks"]["video"]
    return [item for one in tracks if one["name"] == track for item in one["items"]]


def media(bench: Bench, item: dict[str, Any]) -> dict[str, Any]:
    """What the media pool says of an item's clip."""
    found = bench.state()["project"]["clips"][item["media"]]
    assert isinstance(found, dict)
    return found


def test_a_clip_goes_out_and_its_result_comes_back_over_it(tmp_path: Path, alone: Runs) -> None:
    moving = Moving(tmp_path)
    seen = {"PAR": "CinemaScope", "Data Level": "Video", "Input Color Space": "ARRI LogC4", "Alpha mode": "Straight"}
    moving.plate["properties"].update(seen)
    bench = bench_of(moving)
    before = bench.state()
    result = alone("remove", bench, matte=moving.matte["path"], handles=1, place=True)
    assert result["ok"] and [row["state"] for row in result["rows"]] == ["placed"], result
    # Nothing is rendered where the files are what the timeline shows.
    assert bench.called("Project.AddRenderJob") == []
    (item,) = placed(bench)
    assert (item["start"], item["duration"]) == (moving.start, LENGTH)
    clip = media(bench, item)
    assert clip["first"] + item["offset"] == FIRST + LEFT
    assert clip["first"] == FIRST + LEFT - 1 and clip["last"] == FIRST + LEFT + LENGTH
    assert {key: clip["properties"][key] for key in seen} == seen
    plate, matte = ImageSequence(moving.plate["path"]), ImageSequence(moving.matte["path"])
    for number in range(clip["first"], clip["last"] + 1):
        assert same_far_away(*(Path(path) for path in (plate.path(number), clip["path"] % number, matte.path(number))))
    assert difference(before, bench.state(), void) == []
    bench.verify()


def test_what_was_sent_is_placed_later_and_can_all_be_taken_away_again(tmp_path: Path, runs: Runs) -> None:
    moving = Moving(tmp_path)
    bench = bench_of(moving)
    before = bench.state()
    result = runs("remove", bench, matte=moving.matte["path"])
    assert [row["state"] for row in result["rows"]] == ["ready"] and result["ok"], result
    assert placed(bench) == [] and any("collect places it" in text for text in runs.told)
    (row,) = runs("jobs", bench)["rows"]
    assert row["state"] == "ready" and Path(row["folder"]).name == "v001"
    assert [one["state"] for one in runs("collect", bench)["rows"]] == ["placed"]
    assert [item["start"] for item in placed(bench)] == [moving.start]
    assert runs("jobs", bench)["rows"][0]["state"] == "placed"
    assert runs("collect", bench)["rows"] == []
    assert difference(before, bench.state(), void) == []
    cleaned = runs("clean", bench)
    assert cleaned["ok"] and difference(before, bench.state()) == [], cleaned
    bench.verify()


def test_a_second_version_is_a_take_of_the_first(tmp_path: Path, runs: Runs) -> None:
    moving = Moving(tmp_path)
    bench = bench_of(moving)
    for version in (1, 2):
        (row,) = runs("remove", bench, matte=moving.matte["path"], place=True)["rows"]
        assert row["state"] == "placed" and Path(row["folder"]).name == f"v{version:03d}"
    (item,) = placed(bench)
    assert (item["start"], item["duration"]) == (moving.start, LENGTH)
    assert len(item["takes"]) == 2
    bench.verify()


def test_plate_and_matte_that_resolve_renders_are_in_step_and_everything_is_restored(
    tmp_path: Path, runs: Runs
) -> None:
    moving = Moving(tmp_path, matte_track=True)
    moving.scene.user_jobs(2)
    bench = bench_of(moving, exr_never_complete=True, delete_job_ignored=True)
    before = bench.state()
    result = runs("remove", bench, plate="render", place=True)
    assert [row["state"] for row in result["rows"]] == ["placed"], result
    assert len(bench.called("Project.AddRenderJob")) == 2
    (item,) = placed(bench)
    assert (item["start"], item["duration"]) == (moving.start, LENGTH)
    clip = media(bench, item)
    assert (clip["first"] + item["offset"], clip["last"]) == (moving.start, moving.start + LENGTH - 1)
    for at in range(LENGTH):
        source = FIRST + LEFT + at
        paths = moving.plate["path"] % source, clip["path"] % (moving.start + at), moving.matte["path"] % source
        assert same_far_away(*(Path(path) for path in paths))
    assert difference(before, bench.state(), void) == []
    assert not (record_folder(result) / "inputs").exists()
    bench.verify()


def test_the_matte_of_a_fusion_composition_is_brought_to_the_numbers_of_the_plate(tmp_path: Path, runs: Runs) -> None:
    moving = Moving(tmp_path)
    comp = moving.scene.composition(moving.item, moving.matte, savers=("VOID_MATTE", "Saver1"), first=3)
    comp["tools"]["Saver1"]["inputs"].update(Clip=str(tmp_path / "theirs" / "x.exr"), CreateDir=1)
    bench = bench_of(moving, comp_moves_time=True)
    before = bench.state()
    (row,) = runs("remove", bench, place=True)["rows"]
    assert row["state"] == "placed" and "Saver VOID_MATTE" in row["matte"], row
    assert len(bench.called("Project.AddRenderJob")) == len(bench.called("FusionComp.Render")) == 1
    clip = media(bench, placed(bench)[0])
    for at in range(LENGTH):
        source = FIRST + LEFT + at
        paths = moving.plate["path"] % source, clip["path"] % (moving.start + at), moving.matte["path"] % source
        assert same_far_away(*(Path(path) for path in paths))
    assert difference(before, bench.state(), void) == [] and not (tmp_path / "theirs").exists()
    bench.verify()


def record_folder(result: dict[str, Any], at: int = 0) -> Path:
    """The version folder of a row."""
    return Path(result["rows"][at]["folder"])


@pytest.mark.parametrize("media_fps", [25.0, 23.976])
def test_media_of_another_rate_are_rendered_so_that_the_record_range_stays(
    tmp_path: Path, runs: Runs, media_fps: float
) -> None:
    moving = Moving(tmp_path, matte_track=True, fps=media_fps)
    bench = bench_of(moving)
    (row,) = runs("remove", bench, place=True)["rows"]
    assert row["state"] == "placed" and any("renders its plate" in text for text in row["warnings"]), row
    assert [(item["start"], item["duration"]) for item in placed(bench)] == [(moving.start, LENGTH)]
    bench.verify()


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(tmp_path: Path, runs: Runs) -> None:
    moving = Moving(tmp_path)
    bench = bench_of(moving)
    before, files = bench.state(), sorted(tmp_path.rglob("*.exr"))
    result = runs("remove", bench, matte=moving.matte["path"], handles=1, dry_run=True)
    (row,) = result["rows"]
    assert row["plate"] == moving.plate["path"] and row["frames"] == f"{FIRST + LEFT - 1}-{FIRST + LEFT + LENGTH}"
    assert bench.state() == before and sorted(tmp_path.rglob("*.exr")) == files
    assert not list(tmp_path.rglob("VOID"))


# -- other machines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [True, False], ids=["by path", "uploaded"])
def test_a_server_works_by_path_or_gets_the_files_where_they_lie_outside_its_folders(
    tmp_path: Path, runs: Runs, inside: bool
) -> None:
    moving = Moving(tmp_path)
    bench = bench_of(moving)
    root = tmp_path if inside else tmp_path / "elsewhere"
    root.mkdir(exist_ok=True)
    with Server(tmp_path / "state", "--allow-root", str(root)) as server:
        runs.use(server)
        (row,) = runs("remove", bench, matte=moving.matte["path"], place=True)["rows"]
        assert row["state"] == "placed", row
        record, placing = record_of(Path(row["folder"]))
        assert record.server == server.address and placing.shot == moving.item["id"]
    assert bool([event for event in runs.events if event["kind"] == "Uploading"]) is not inside
    for number in range(FIRST + LEFT, FIRST + LEFT + LENGTH):
        paths = moving.plate["path"] % number, media(bench, placed(bench)[0])["path"] % number
        assert same_far_away(*(Path(path) for path in (*paths, moving.matte["path"] % number)))
    bench.verify()


def test_by_path_alone_media_outside_the_servers_folders_are_a_sentence_and_a_red_marker(
    tmp_path: Path, runs: Runs
) -> None:
    moving = Moving(tmp_path)
    bench = bench_of(moving)
    (tmp_path / "elsewhere").mkdir()
    with Server(tmp_path / "state", "--allow-root", str(tmp_path / "elsewhere")) as server:
        runs.use(server)
        runs.environment["VOID_TRANSFER"] = "paths"
        result = runs("remove", bench, matte=moving.matte["path"], place=True)
    (row,) = result["rows"]
    assert not result["ok"] and row["state"] == "failed" and "cannot work by path" in row["text"], row
    (marker,) = [one for one in bench.state()["project"]["timelines"][0]["tracks"]["video"][0]["items"][0]["markers"]]
    assert marker["color"] == "Red" and "cannot work by path" in marker["note"]
    bench.verify()


def test_a_job_that_is_left_to_its_server_is_collected_later(tmp_path: Path, runs: Runs) -> None:
    moving = Moving(tmp_path)
    bench = bench_of(moving)
    with Server(tmp_path / "state", "--allow-root", str(tmp_path)) as server:
        runs.use(server)
        (row,) = runs("remove", bench, matte=moving.matte["path"], wait=False)["rows"]
        assert row["state"] == "sent", row
        assert record_of(Path(row["folder"]))[0].state == "running"
        assert [one["state"] for one in runs("collect", bench, wait=True)["rows"]] == ["placed"]
    assert [(item["start"], item["duration"]) for item in placed(bench)] == [(moving.start, LENGTH)]
    bench.verify()


# -- what the user does meanwhile ----------------------------------------------------------------------------------


def test_a_clip_that_was_slipped_after_its_plate_was_rendered_gets_no_result_of_other_frames(
    tmp_path: Path, runs: Runs
) -> None:
    moving = Moving(tmp_path, matte_track=True)
    bench = bench_of(moving)
    assert [row["state"] for row in runs("remove", bench, plate="render")["rows"]] == ["ready"]
    (item,) = [one for one in bench.world.timeline["tracks"]["video"][0]["items"]]
    item["offset"] += 1
    (row,) = runs("collect", bench)["rows"]
    assert row["state"] == "failed" and "was trimmed since it was sent" in row["text"], row
    assert placed(bench) == [] and [marker["color"] for marker in item["markers"]] == ["Red"]
    item["offset"] -= 1
    assert [one["state"] for one in runs("collect", bench)["rows"]] == ["placed"]
    assert [marker["color"] for marker in item["markers"]] == ["Green"], item["markers"]
    bench.verify()


def test_a_result_with_fewer_handles_than_asked_for_has_a_yellow_marker(tmp_path: Path, runs: Runs) -> None:
    moving = Moving(tmp_path)
    bench = bench_of(moving)
    (row,) = runs("remove", bench, matte=moving.matte["path"], handles=LEFT + 1, place=True)["rows"]
    (marker,) = bench.world.place_of(moving.item["id"])[3]["markers"]
    assert row["state"] == "placed" and marker["color"] == "Yellow" and "1 frames missing before" in marker["note"]
    assert runs("collect", bench)["rows"] == []


# -- the round trip ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plate", ["files", "render"])
@pytest.mark.parametrize("graded", [False, True], ids=["plain", "graded"])
def test_frames_come_back_from_the_round_trip_as_they_went_out(
    tmp_path: Path, runs: Runs, plate: str, graded: bool
) -> None:
    moving = Moving(tmp_path)
    moving.item["grade"] = {"gain": 2.0} if graded else {}
    bench = bench_of(moving)
    before = bench.state()
    result = runs("check", bench, plate=plate)
    assert result["ok"] and (result["over"], result["largest"]) == (0, 0.0), result
    (report,) = tmp_path.rglob("report.json")
    told = json.loads(report.read_text())
    assert told["good"] and told["plate"]["route"] == plate and len(told["frames"]) == 3
    assert told["product"].startswith("DaVinci Resolve Studio 21")
    assert [path.name for path in report.parent.iterdir()] == ["report.json"]
    assert difference(before, bench.state(), void) == [] and placed(bench, "VOID SCRATCH") == []
    bench.verify()


def test_a_round_trip_that_loses_something_says_by_how_much(tmp_path: Path, runs: Runs) -> None:
    moving = Moving(tmp_path)
    moving.item["grade"] = {"gain": 2.0}
    bench = bench_of(moving, refuses={"TimelineItem.CopyGrades": 0})
    before = bench.state()
    result = runs("check", bench)
    assert not result["ok"] and result["over"] > 100 and result["largest"] > 0.1
    assert any("CopyGrades" in text for text in result["rows"][0]["warnings"])
    assert difference(before, bench.state(), void) == []
    bench.verify()


# -- what goes wrong -----------------------------------------------------------------------------------------------

FAULTS = {
    "render_fails_at": (86412, "The render failed at frame 86412"),
    "render_skips": ([86412], "left out frames 86412"),
    "render_black": (True, "black"),
    "render_truncates": ([86410, 86412, 86415], "cannot be used|damaged"),
}


@pytest.mark.parametrize("knob", FAULTS)
def test_a_render_that_went_wrong_is_told_and_nothing_of_it_is_left(tmp_path: Path, runs: Runs, knob: str) -> None:
    value, words = FAULTS[knob]
    moving = Moving(tmp_path, matte_track=True)
    bench = bench_of(moving, **{knob: value})
    before = bench.state()
    result = runs("remove", bench, plate="render")
    (row,) = result["rows"]
    assert not result["ok"] and row["state"] == "failed", row
    assert any(word in row["text"] for word in words.split("|")), row["text"]
    assert difference(before, bench.state(), void) == []
    assert list((tmp_path / "media").rglob("inputs/plate*")) == []
    bench.verify()


def test_a_failed_matte_leaves_the_plate_that_a_retry_goes_on_with(tmp_path: Path, alone: Runs) -> None:
    moving = Moving(tmp_path, matte_track=True)
    bench = bench_of(moving)
    number = len(moving.scene.timeline["tracks"]["video"])
    bench.world.timeline["tracks"]["video"][number - 1]["locked"] = True
    bench.world.timeline["tracks"]["video"][number - 1]["enabled"] = False
    (row,) = alone("remove", bench, plate="render", place=True)["rows"]
    assert row["state"] == "failed" and "locked" in row["text"], row
    assert len(bench.called("Project.AddRenderJob")) == 1
    bench.world.timeline["tracks"]["video"][number - 1]["locked"] = False
    (again,) = alone("remove", bench, plate="render", place=True, retry=True)["rows"]
    assert (again["state"], again["folder"]) == ("placed", row["folder"]), again
    assert len(bench.called("Project.AddRenderJob")) == 2, "the plate was rendered again"
    bench.verify()


def test_a_clip_without_a_matte_is_refused_and_the_others_go_on(tmp_path: Path, runs: Runs) -> None:
    moving = Moving(tmp_path, matte_track=True)
    other = moving.scene.place(moving.plate, moving.start + LENGTH, 3, offset=LEFT)
    moving.scene.select(moving.item, other)
    bench = bench_of(moving)
    result = runs("remove", bench, place=True)
    assert [row["state"] for row in result["rows"]] == ["placed", "refused"], result
    assert not result["ok"] and "has no matte" in result["rows"][1]["text"]
    bench.verify()


def test_a_job_that_is_cancelled_leaves_no_version_and_its_clip_as_it_was(tmp_path: Path, alone: Runs) -> None:
    moving = Moving(tmp_path)
    bench = bench_of(moving)
    before = bench.state()
    # An engine that would never end by itself.
    (tmp_path / "home" / "config.json").write_text('{"engines": {"slow": "slow_engine:SlowEngine"}}')
    prompt = json.dumps({"at": FIRST + LEFT, "until": str(tmp_path / "never")})

    def stop(event: dict[str, Any]) -> None:
        if event["kind"] == "Started":
            os.kill(os.getpid(), signal.SIGINT)

    result = alone("remove", bench, stop, matte=moving.matte["path"], place=True, engine="slow", prompt=prompt)
    assert result == {"cancelled": True}, result["rows"]
    assert not list(tmp_path.rglob("v001")) and placed(bench) == []
    assert difference(before, bench.state()) == [], "its marker is still there"
    bench.verify()


def test_a_job_whose_sidecar_was_killed_is_taken_up_by_collect(tmp_path: Path, alone: Runs) -> None:
    moving = Moving(tmp_path)
    bench = bench_of(moving)

    def kill(event: dict[str, Any]) -> None:
        if event["kind"] == "Started":
            for pid in processes_of(os.getpid()):
                if b"void_plugin.sidecar" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

    with pytest.raises(HostError, match="sidecar"):
        alone("remove", bench, kill, matte=moving.matte["path"])
    (row,) = alone("collect", bench, wait=False)["rows"]
    assert row["state"] == "running" and "interrupted" in row["text"], row
    assert [one["state"] for one in alone("collect", bench)["rows"]] == ["placed"]
    assert [(item["start"], item["duration"]) for item in placed(bench)] == [(moving.start, LENGTH)]
    bench.verify()


def test_a_clip_with_a_dissolve_is_cut_hard_and_that_is_said(tmp_path: Path, runs: Runs) -> None:
    moving = Moving(tmp_path)
    moving.scene.place(moving.plate, moving.start + LENGTH, 4, offset=LEFT)
    moving.scene.dissolve(moving.start + LENGTH, 2, 2)
    bench = bench_of(moving)
    (row,) = runs("remove", bench, matte=moving.matte["path"], place=True)["rows"]
    assert row["state"] == "placed" and any("transition" in text for text in row["warnings"]), row
    assert [(item["start"], item["duration"]) for item in placed(bench)] == [(moving.start, LENGTH)]


def test_a_clip_at_another_speed_is_rendered_as_the_timeline_shows_it(tmp_path: Path, runs: Runs) -> None:
    moving = Moving(tmp_path, matte_track=True)
    moving.item["speed"] = 0.5
    bench = bench_of(moving, source_unknown=True)
    (row,) = runs("remove", bench, place=True)["rows"]
    assert row["state"] == "placed" and any("it plays at 50%" in text for text in row["warnings"]), row
    assert [(item["start"], item["duration"]) for item in placed(bench)] == [(moving.start, LENGTH)]
    bench.verify()
