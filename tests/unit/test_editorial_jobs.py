"""Requests for shots, runs of several jobs, and results found again in an edit that has moved on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import edits
import opentimelineio as otio
import pytest
from edits import RATE, Range, Time

from void_plugin.editorial.check import check
from void_plugin.editorial.collect import collect
from void_plugin.editorial.conform import Conform
from void_plugin.editorial.jobs import Making, folder_of, jobs_of, load_version, newest_version, stem_of, write_version
from void_plugin.editorial.picks import Wanted
from void_plugin.editorial.shots import Shot, Wishes, find_shots
from void_plugin.editorial.submit import CANCELLED, DONE, FAILED, is_done, run_jobs
from void_plugin.editorial.walk import Cut
from void_plugin.errors import RequestError
from void_plugin.farm.submission import collect as requests_in
from void_plugin.request import RemovalRequest


@pytest.fixture
def base(tmp_path: Path) -> Any:
    """Clips a, b of media of their own, with mattes, that lie as empty files."""
    for name in "ab":
        for frame in range(1001, 1061):
            for kind in ("p", "m"):
                path = tmp_path / kind / name / f"{name}.{frame}.exr"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    return edits.timeline([edits.clip(name, 20, 10, media=60, folder=str(tmp_path / "p")) for name in "ab"])


def shots_of(base: Any, folder: Path, **wishes: Any) -> list[Shot]:
    shots, _ = find_shots(Cut(base), str(folder), Wanted(everything=True), Wishes(matte_root=f"{folder}/m", **wishes))
    assert not [shot.problems for shot in shots if shot.problems]
    return shots


def submitted(base: Any, folder: Path, number: int = 1, **wishes: Any) -> list[Any]:
    version = folder_of(None, folder / "cut.otio", number)
    jobs = jobs_of(shots_of(base, folder, **wishes), version, number, Making(engine="recover"))
    write_version(version, number, folder / "cut.otio", Cut(base), jobs)
    return jobs


def deliver(request: RemovalRequest) -> None:
    """What a finished removal leaves."""
    assert request.frames is not None
    for output in request.outputs:
        sequence = request.output_sequence(output)
        Path(sequence.folder).mkdir(parents=True, exist_ok=True)
        for frame in request.frames:
            Path(sequence.path(frame)).write_bytes(b"\x76\x2f\x31\x01")
    told = {"frames_asked": str(request.frames), "engine": "recover", "plan_key": "k", "summary": {}, "colour": {}}
    Path(request.job_folder(), "result.json").write_text(json.dumps(told))


def test_a_request_delivers_handles_and_looks_at_the_context(base: Any, tmp_path: Path) -> None:
    first, second = submitted(base, tmp_path, handles=4, context=6)
    assert [job.name for job in (first, second)] == ["a", "b"]
    assert (str(first.request.frames), str(first.request.shot_range)) == ("1017-1034", "1011-1040")
    assert first.request.handles == 4 and first.request.outputs[0].kind == "comp"
    assert first.request.outputs[0].pattern == f"{tmp_path}/cut_VOID/v001/a/a_v001.%04d.exr"
    saved = RemovalRequest.load(str(Path(first.request.job_folder()) / "request.json"))
    assert saved == first.request


def test_shots_that_share_half_of_their_frames_share_a_removal(base: Any, tmp_path: Path) -> None:
    folder = str(tmp_path / "p")
    for start in (24, 50):
        base.tracks[0].append(edits.clip("a", start, 10, media=60, folder=folder))
    jobs = submitted(base, tmp_path, handles=2, context=0)
    assert [(job.name, str(job.request.frames), len(job.shots)) for job in jobs] == [
        ("a", "1019-1036", 2),
        ("b", "1019-1032", 1),
        ("a_3", "1049-1060", 1),
    ]


def test_a_note_says_more_than_the_command_line(base: Any, tmp_path: Path) -> None:
    marker = otio.schema.Marker("VOID", Range(Time(21, RATE), Time(1, RATE)), "RED")
    marker.comment = "prompt: a wall\nhandles: 1"
    base.tracks[0][0].markers.append(marker)
    shots, _ = find_shots(Cut(base), str(tmp_path), Wanted.usual(), Wishes(matte_root=f"{tmp_path}/m"))
    (job,) = jobs_of(shots, tmp_path / "v001", 1, Making(prompt="a street"))
    assert job.request.prompt == "a wall" and str(job.request.frames) == "1020-1031"


def test_what_is_done_is_not_run_again_and_one_failure_stops_no_other(base: Any, tmp_path: Path) -> None:
    jobs = submitted(base, tmp_path)
    ran: list[str] = []

    def run(request: RemovalRequest) -> int:
        ran.append(request.shot)
        if request.shot == "a":
            return FAILED
        deliver(request)
        return DONE

    said: list[str] = []
    assert run_jobs(jobs, run, said.append) == FAILED and ran == ["a", "b"]
    assert said[-1].startswith("1 of 2 failed")
    assert run_jobs(jobs, run, said.append) == FAILED and ran == ["a", "b", "a"]
    assert [is_done(job.request) for job in jobs] == [False, True]
    deliver(jobs[0].request)
    assert run_jobs(jobs, run, said.append) == DONE and ran == ["a", "b", "a"]
    Path(jobs[1].request.output_sequence(jobs[1].request.outputs[0]).path(1025)).unlink()
    assert not is_done(jobs[1].request)


def test_a_farm_takes_all_removals_of_a_version(base: Any, tmp_path: Path) -> None:
    jobs = submitted(base, tmp_path)
    files = requests_in([str(newest_version(tmp_path / "cut_VOID"))])
    assert [RemovalRequest.load(file) for file in files] == [job.request for job in jobs] and len(files) == 2


def test_after_a_stop_nothing_else_starts(base: Any, tmp_path: Path) -> None:
    ran: list[str] = []

    def run(request: RemovalRequest) -> int:
        ran.append(request.shot)
        return CANCELLED

    assert run_jobs(submitted(base, tmp_path), run, lambda text: None) == CANCELLED and ran == ["a"]


def test_results_are_found_again_in_an_edit_that_was_slipped_and_reordered(base: Any, tmp_path: Path) -> None:
    for job in submitted(base, tmp_path, handles=4):
        deliver(job.request)
    first, second = list(base.tracks[0])
    del base.tracks[0][:]
    second.source_range = Range(Time(23, RATE), Time(10, RATE))
    base.tracks[0].extend([edits.gap(7), second, first])
    found = collect(Cut(base), str(tmp_path), load_version(newest_version(tmp_path / "cut_VOID")))
    assert {path: result.facts["job"] for path, result in found.results.items()} == {(0, 1): "b", (0, 2): "a"}
    assert not found.failed and not found.warnings
    second.source_range = Range(Time(30, RATE), Time(10, RATE))
    found = collect(Cut(base), str(tmp_path), load_version(newest_version(tmp_path / "cut_VOID")))
    assert "The cut now shows frames 1031-1040, and 1017-1034 were made" in found.failed[(0, 1)]


def test_clips_of_one_name_that_have_moved_are_told_apart_by_what_they_show(base: Any, tmp_path: Path) -> None:
    folder = str(tmp_path / "p")
    base.tracks[0].append(edits.clip("a", 45, 10, media=60, folder=folder))
    for job in submitted(base, tmp_path, handles=0):
        deliver(job.request)
    version = load_version(newest_version(tmp_path / "cut_VOID"))
    later = edits.timeline([])
    inserted = edits.clip("a", 0, 10, media=60, folder=folder)
    later.tracks[0].extend([inserted, *(item.clone() for item in base.tracks[0])])
    found = collect(Cut(later), str(tmp_path), version)
    frames = {path: str(result.frames) for path, result in found.results.items()}
    assert frames == {(0, 1): "1021-1030", (0, 2): "1021-1030", (0, 3): "1046-1055"} and not found.failed

    # Now none shows what the third did, and none of its name lies where it lay.
    later.tracks[0][3].source_range = Range(Time(46, RATE), Time(9, RATE))
    found = collect(Cut(later), str(tmp_path), version)
    assert set(found.results) == {(0, 1), (0, 2)}
    assert any("a_2: the clip has moved, and which of the 3 that are called 'a'" in text for text in found.warnings)


def test_clips_that_are_sent_one_after_the_other_under_one_number_all_get_their_results(
    base: Any, tmp_path: Path
) -> None:
    version = folder_of(None, tmp_path / "cut.otio", 1)

    def submit(name: str) -> list[str]:
        shots, _ = find_shots(Cut(base), str(tmp_path), Wanted(clips=(name,)), Wishes(matte_root=f"{tmp_path}/m"))
        jobs = jobs_of(shots, version, 1, Making())
        kept = write_version(version, 1, tmp_path / "cut.otio", Cut(base), jobs)
        for job in jobs:
            deliver(job.request)
        return kept

    assert submit("a") == [] and submit("b") == ["a"] and submit("b") == ["a"]
    assert set(collect(Cut(base), str(tmp_path), load_version(version)).results) == {(0, 0), (0, 1)}
    # The same part of the same media once more: one removal, and both clips show it.
    base.tracks[0].append(base.tracks[0][1].clone())
    base.tracks[0][2].markers.append(otio.schema.Marker("VOID", Range(Time(21, RATE), Time(1, RATE)), "RED"))
    shots, _ = find_shots(Cut(base), str(tmp_path), Wanted.usual(), Wishes(matte_root=f"{tmp_path}/m"))
    write_version(version, 1, tmp_path / "cut.otio", Cut(base), jobs_of(shots, version, 1, Making()))
    assert set(collect(Cut(base), str(tmp_path), load_version(version)).results) == {(0, 0), (0, 1), (0, 2)}
    # Another timeline has other clips in the same places.
    assert write_version(version, 1, tmp_path / "other.otio", Cut(base), jobs_of(shots, version, 1, Making())) == []


def test_the_newest_version_is_that_of_the_highest_number(base: Any, tmp_path: Path) -> None:
    for number in (999, 1000):
        submitted(base, tmp_path, number)
    assert newest_version(tmp_path / "cut_VOID").name == "v1000"


def test_a_movie_comes_back_as_the_frames_that_were_taken_for_it(base: Any, tmp_path: Path) -> None:
    movie = otio.schema.ExternalReference("/footage/a.mov", Range(Time(86400, RATE), Time(60, RATE)))
    base.tracks[0][0].media_reference = movie
    base.tracks[0][0].source_range = Range(Time(86420, RATE), Time(10, RATE))
    for job in submitted(base, tmp_path, plate_root=f"{tmp_path}/p", handles=2):
        deliver(job.request)
    found = collect(Cut(base), str(tmp_path), load_version(tmp_path / "cut_VOID" / "v001"))
    out = Conform(base, 1).run(found.results, found.failed).timeline
    reference = out.tracks[1][0].media_reference
    assert isinstance(reference, otio.schema.ImageSequenceReference) and reference.start_frame == 1019
    assert reference.available_range == Range(Time(86418, RATE), Time(14, RATE))
    assert check(out, base, str(tmp_path)) == []
    reference.start_frame = 1020
    assert "shows file 1022 where its clip shows 1021" in str(check(out, base, str(tmp_path))[0])


def test_a_clip_that_is_gone_is_left_out_and_told(base: Any, tmp_path: Path) -> None:
    for job in submitted(base, tmp_path):
        deliver(job.request)
    del base.tracks[0][0]
    found = collect(Cut(base), str(tmp_path), load_version(tmp_path / "cut_VOID" / "v001"))
    assert list(found.results) == [(0, 0)] and "no clip 'a' is in the timeline any more" in found.warnings[0]
    del base.tracks[0][0]
    base.tracks[0].append(edits.clip("z", 20, 10))
    with pytest.raises(RequestError, match="None of the shots"):
        collect(Cut(base), str(tmp_path), load_version(tmp_path / "cut_VOID" / "v001"))


def test_other_media_under_the_same_name_get_no_result(base: Any, tmp_path: Path) -> None:
    for job in submitted(base, tmp_path):
        deliver(job.request)
    base.tracks[0][0].media_reference.available_range = Range(Time(10, RATE), Time(60, RATE))
    found = collect(Cut(base), str(tmp_path), load_version(tmp_path / "cut_VOID" / "v001"))
    assert "other media" in found.failed[(0, 0)]


def test_a_version_that_is_not_there_or_newer_says_so(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="holds no submitted version"):
        newest_version(tmp_path)
    with pytest.raises(RequestError, match="run void otio submit first"):
        load_version(tmp_path)
    (tmp_path / "shots.json").write_text('{"schema": 2}')
    with pytest.raises(RequestError, match="update void_plugin"):
        load_version(tmp_path)


def test_the_name_of_an_edit_is_that_without_our_ending() -> None:
    assert [stem_of(Path(name)) for name in ("cut.otio", "cut_VOID_v001.otio", "cut_VOID_vx.otio")] == [
        "cut",
        "cut",
        "cut_VOID_vx",
    ]
