"""Tasks of a farm as real processes: what they deliver, how they share a job, and what they say when all goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benches import eventually, gone, slow
from farmtasks import SERVER, FarmJob, ended_pid, farm_job, go_on, pause, solve_whole, with_gpus
from shots import Shot, build_shot, load_exr, save_exr
from tinyvoid import build_weights

from void_plugin.request import Output
from void_plugin.settings import RenderSettings
from void_server.planfile import PIXELS_VERSION, PLAN_VERSION


@pytest.fixture
def long_shot(tmp_path: Path) -> Shot:
    """A panning shot of twelve frames: three units."""
    return build_shot(tmp_path / "long", count=12, pan=3)


def without_times(result: dict[str, Any]) -> dict[str, Any]:
    """A result.json without what no two runs have in common."""
    summary = {name: value for name, value in result["summary"].items() if name != "seconds"}
    volatile = ("timings", "request_id")
    return {**{name: value for name, value in result.items() if name not in volatile}, "summary": summary}


def spoil_a_pixel(shot: Shot, frame: int) -> None:
    """Put a NaN under the matte, which is worth a warning."""
    plate = load_exr(shot.plate % frame)
    pixels = np.stack([plate.planes[name] for name in "RGB"], axis=-1).copy()
    y, x = np.argwhere(shot.mattes[frame] > 0.9)[40]
    pixels[y, x] = np.nan
    save_exr(Path(shot.plate % frame), pixels)


# -- what is delivered --------------------------------------------------------------------------------------------


def test_tasks_on_many_workers_deliver_what_one_run_of_all_steps_does(long_shot: Shot) -> None:
    spoil_a_pixel(long_shot, 1006)
    save_exr(Path(long_shot.matte % 1012), np.zeros(long_shot.size, np.float16), ["A"])
    outputs = (Output("patch", long_shot.out("a")), Output("comp", long_shot.out("b")))
    request = long_shot.request(outputs=outputs, shot="sh010")
    wanted, result = solve_whole(long_shot, request)
    assert {item["code"] for item in result["warnings"]} >= {"broken_pixels", "matte_empty"}
    job = farm_job(long_shot, request)
    solves = [job.starting("solve", "--unit", index) for index in (2, 0, 1)]
    assert [solve.ended().code for solve in solves] == [0, 0, 0]
    chunks = [job.starting("compose", "--frames", frames) for frames in ("1005-1012", "1001-1004")]
    assert [chunk.ended().code for chunk in chunks] == [0, 0]
    job.must("verify")
    assert job.bytes() == wanted
    assert without_times(job.result) == without_times(result)
    assert job.result["timings"]["total"] > 0
    assert not job.leases()


def test_units_may_be_packed_and_composing_all_frames_writes_the_result(shot: Shot) -> None:
    wanted, _ = solve_whole(shot, shot.request())
    job = farm_job(shot)
    job.must("solve", "--unit", "0-1")
    job.must("compose")
    assert job.bytes() == wanted and len(job.result["frames"]) == 8


def test_a_job_can_be_planned_by_a_task_too(shot: Shot) -> None:
    job = farm_job(shot)
    plan = job.plan
    (job.folder / "plan.json").unlink()
    job.must("plan")
    assert job.plan == plan


def test_progress_goes_from_nothing_to_all_of_the_task(shot: Shot) -> None:
    job = farm_job(shot, slow(shot, step=0.3))
    percents = [int(text) for text in job.must("solve", "--unit", "0").of("progress")]
    assert percents == sorted(set(percents)) and percents[-1] == 100
    assert percents[0] < 50, "a task counts its own work, not that of the job"
    job.must("solve", "--unit", "1")
    # Three frames may be finished before the first of them is told.
    composed = [int(text) for text in job.must("compose", "--frames", "1001-1008").of("progress")]
    assert composed[-1] == 100 and composed[0] < 50


def test_solved_units_are_found_without_loading_anything(shot: Shot) -> None:
    job = farm_job(shot)
    job.must("solve", "--unit", "0")
    manifest = job.unit(0) / "manifest.json"
    before = manifest.stat().st_mtime_ns
    words = ("-X", "importtime", *SERVER[1:], "task", "solve", str(job.folder), "--farm", "--unit", "0")
    done = job.start(*words, command=(sys.executable,)).ended()
    assert done.code == 0 and done.of("status") == ["cached"] and done.of("progress") == ["100"]
    assert "void_server.planfile" in done.complaint and "numpy" not in done.complaint
    assert manifest.stat().st_mtime_ns == before


# -- many at once -------------------------------------------------------------------------------------------------


def marked(shot: Shot, **told: Any) -> tuple[Path, Any]:
    """A request whose engine leaves a mark each time that it comes to frame 1002."""
    marks = shot.folder / "marks"
    marks.mkdir()
    return marks, slow(shot, at=1002, marks=str(marks), times=99, **told)


def test_of_two_that_race_for_a_unit_one_solves_and_the_other_waits(shot: Shot) -> None:
    marks, request = marked(shot, step=0.4)
    job = farm_job(shot, request)
    racers = [job.starting("solve", "--unit", "0") for _ in range(2)]
    done = [racer.ended() for racer in racers]
    assert [item.code for item in done] == [0, 0]
    assert len(list(marks.iterdir())) == 1
    waited = [any("Waiting while process" in text for text in item.of("status")) for item in done]
    assert sorted(waited) == [False, True]
    assert job.solved() == [0] and not job.leases()


def test_who_waits_for_a_unit_can_be_stopped(shot: Shot) -> None:
    job = farm_job(shot, slow(shot, step=30))
    holder = job.starting("solve", "--unit", "0")
    eventually(job.leases, "a lease")
    waiter = job.starting("solve", "--unit", "0")
    waiter.until("Waiting while process")
    waiter.terminate()
    assert waiter.ended().code == 143
    assert job.leases(), "it is the other one's"
    holder.terminate()
    assert holder.ended().code == 143 and not job.leases()


def test_a_stopped_task_keeps_what_is_finished_and_goes_on_from_there(long_shot: Shot) -> None:
    request = slow(long_shot, step=0.3)
    wanted, _ = solve_whole(long_shot, request)
    job = farm_job(long_shot, request)
    task = job.starting("solve", "--unit", "0-2", "--workers", "1")
    eventually(job.solved, "a first unit")
    task.terminate()
    done = task.ended()
    assert done.code == 143 and any("stopped" in text for text in done.of("status")) and not done.of("fail")
    finished = job.solved()
    assert 0 < len(finished) < 3 and not job.leases()
    stamps = [(job.unit(index) / "manifest.json").stat().st_mtime_ns for index in finished]
    job.must("solve", "--unit", "0-2")
    assert [(job.unit(index) / "manifest.json").stat().st_mtime_ns for index in finished] == stamps
    job.must("compose")
    assert job.bytes() == wanted


def test_the_lease_of_a_killed_worker_is_taken_over_at_once(shot: Shot) -> None:
    request = slow(shot, step=0.3)
    wanted, _ = solve_whole(shot, request)
    job = farm_job(shot, request)
    victim = job.starting("solve", "--unit", "0")
    eventually(lambda: list(job.unit(0).glob("fill.*")), "a first frame")
    pause(victim.pid)  # so that it cannot end before the other waits
    waiter = job.starting("solve", "--unit", "0")
    waiter.until("Waiting while process")
    victim.kill()
    victim.ended()
    done = waiter.ended()
    assert done.code == 0 and any(f"process {victim.pid} on" in text and "gone" in text for text in done.of("status"))
    assert not job.leases() and not list(job.folder.rglob("*.tmp"))
    job.must("solve")
    job.must("compose")
    assert job.bytes() == wanted


def test_one_that_stood_still_and_was_taken_over_does_no_harm(shot: Shot) -> None:
    request = slow(shot, step=0.5)
    wanted, _ = solve_whole(shot, request)
    job = farm_job(shot, request)
    sleeper = job.starting("solve", "--unit", "0")
    eventually(lambda: list(job.unit(0).glob("fill.*")), "a first frame")
    pause(sleeper.pid)
    lease = job.unit(0) / "lease.json"
    # As if it were another machine's, so that its silence is all that can be seen of it, and of a quick beat.
    facts = {**json.loads(lease.read_text()), "machine": "another", "every": 0.1}
    with open(lease, "r+b") as stream:
        stream.write(json.dumps(facts).encode().ljust(511))
    other = job.task("solve", "--unit", "0")
    assert other.code == 0 and any("Taking over unit 0" in text for text in other.of("status"))
    go_on(sleeper.pid)
    assert sleeper.ended().code == 0
    assert not job.leases()
    job.must("solve")
    job.must("compose")
    job.must("verify")
    assert job.bytes() == wanted


def test_a_task_solves_what_its_units_continue_from(shot: Shot) -> None:
    job = farm_job(shot)
    plan = job.plan
    # As for a shot that is longer than a model can see at once.
    plan["units"][1] |= {"follows": plan["units"][0]["key"], "lead": plan["units"][0]["frames"][-1:]}
    (job.folder / "plan.json").write_text(json.dumps(plan))
    job.must("solve", "--unit", "1")
    assert job.solved() == [0, 1]


@pytest.mark.slow
def test_a_generated_unit_is_preceded_by_real_pixels_that_are_found_without_a_gpu(long_shot: Shot) -> None:
    weights = build_weights(long_shot.folder / "weights", passes=1)
    settings = RenderSettings(void_raster="48x32", void_short_clips="short", void_passes=1, void_steps=3)
    request = long_shot.request(engine="void", settings=settings)
    model = {"VOID_DEVICE": "cpu", "VOID_WEIGHTS": str(weights)}
    wanted, result = solve_whole(long_shot, request, **model)
    job = farm_job(long_shot, request, **model)
    engines = [unit["engine"] for unit in job.plan["units"]]
    assert engines == ["recover", "recover", "recover", "void"]
    # All but generating is done where there is neither a GPU nor any weights.
    plain = FarmJob(job.shot, request, {**job.environment, "VOID_DEVICE": "cuda", "VOID_WEIGHTS": "/nowhere"})
    done = plain.task("solve", "--unit", "3")
    assert done.code == 69 and not job.solved(), done.of("fail")
    solves = [job.starting("solve", "--unit", 3), plain.starting("solve", "--unit", 1)]
    assert [solve.ended().code for solve in solves] == [0, 0]
    assert job.solved() == [0, 1, 2, 3]
    plain.must("compose")
    plain.must("verify")
    assert job.bytes() == wanted and without_times(job.result) == without_times(result)


def test_a_task_ends_with_whoever_began_its_session(shot: Shot) -> None:
    job = farm_job(shot, slow(shot, step=30))
    # As a farm's worker does it: each task in a session of its own.
    script = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True).wait()"
    words = [*SERVER, "task", "solve", str(job.folder), "--farm", "--unit", "0"]
    owner = job.start("-c", script, *words, command=(sys.executable,))
    lease = eventually(job.leases, "a lease")[0]
    pid = eventually(
        lambda: lease.exists() and lease.read_text().strip() and json.loads(lease.read_text())["pid"], "it"
    )
    assert pid != owner.pid
    owner.kill()
    owner.ended()
    eventually(lambda: gone(pid), "the end of the task")
    assert not job.leases()


def test_a_task_whose_session_was_killed_before_it_began_does_nothing(shot: Shot) -> None:
    job = farm_job(shot, slow(shot, step=30)).planned()
    job.environment["VOID_OWNER_PID"] = str(ended_pid())
    assert job.task("solve", "--unit", "0").code == 143
    assert not job.solved() and not job.leases()


# -- storage that is late, or elsewhere ---------------------------------------------------------------------------


def test_an_input_that_appears_late_is_waited_for(shot: Shot) -> None:
    job = farm_job(shot)
    plate, away = Path(shot.plate % 1003), shot.folder / "away"
    plate.rename(away)
    task = job.starting("solve", "--unit", "0")
    assert str(plate) in task.until("Waiting for the plate")
    away.rename(plate)
    assert task.ended().code == 0


def test_a_unit_that_appears_late_is_waited_for(shot: Shot) -> None:
    job = farm_job(shot, slow(shot))
    composing = job.starting("compose", "--frames", "1001-1004")
    composing.until("Waiting for solved units")
    job.must("solve", "--unit", "0")
    assert composing.ended().code == 0


def test_a_plan_that_appears_late_is_waited_for(shot: Shot) -> None:
    job = farm_job(shot)
    away = job.folder.with_name("away")
    job.folder.rename(away)
    task = job.starting("solve", "--unit", "0")
    task.until("Waiting for the job folder")
    away.rename(job.folder)
    assert task.ended().code == 0


def test_waiting_can_be_stopped(shot: Shot) -> None:
    job = farm_job(shot)
    Path(shot.plate % 1003).unlink()
    task = job.starting("solve")
    task.until("Waiting for the plate")
    task.terminate()
    assert task.ended().code == 143


def test_inputs_that_never_appear_are_named(shot: Shot) -> None:
    job = farm_job(shot)
    for path in (shot.plate % 1003, shot.plate % 1004, shot.matte % 1007):
        Path(path).unlink()
    done = job.task("solve", "--unit", "0")
    assert done.code == 65
    (said,) = done.of("fail")
    assert "plate" in said and "1003-1004" in said and "object matte" in said and "1007" in said


def test_composing_what_was_never_solved_says_so(shot: Shot) -> None:
    done = farm_job(shot).task("compose", "--frames", "1001-1004")
    assert done.code == 65 and "Units 0 of" in done.of("fail")[0]


def test_verifying_what_was_never_composed_names_the_frames(shot: Shot) -> None:
    job = farm_job(shot)
    job.must("solve")
    job.must("compose", "--frames", "1001-1006")
    done = job.task("verify")
    assert done.code == 65 and "Frames 1007-1008" in done.of("fail")[0]
    assert not (job.folder / "result.json").exists(), "a result is whole or not there"


def test_a_frame_of_an_older_plan_does_not_count_as_composed(shot: Shot) -> None:
    job = farm_job(shot)
    job.must("solve")
    job.must("compose", "--frames", "1001-1008")
    (manifest,) = job.folder.glob("frames/*.1007.json")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "key": "of-another"}))
    done = job.task("verify")
    assert done.code == 65 and "Frames 1007 of" in done.of("fail")[0]
    assert not (job.folder / "result.json").exists()


def test_a_file_that_is_not_what_was_composed_takes_the_result_back(shot: Shot) -> None:
    job = farm_job(shot)
    job.must("solve")
    job.must("compose", "--frames", "1001-1008")
    assert not (job.folder / "result.json").exists(), "nobody has looked at the files yet"
    job.must("verify")
    first = next((shot.folder / "out").glob("*.1003.exr"))
    first.write_bytes(first.read_bytes()[:-1] + b"?")
    done = job.task("verify")
    assert done.code == 65 and f"({first}) is not the file that was written" in done.of("fail")[0], done.of("fail")
    assert not (job.folder / "result.json").exists()
    job.must("compose")
    job.must("verify")
    assert (job.folder / "result.json").exists()


def moved(job: FarmJob, name: str) -> tuple[FarmJob, list[str]]:
    """The same files at another path, as another machine has them, and the words that say so."""
    place = job.shot.folder.with_name(name)
    place.symlink_to(job.shot.folder)
    roots = json.loads((job.folder / "request.json").read_text())["roots"]
    words = [f"--root={root}={place / Path(path).relative_to(job.shot.folder)}" for root, path in roots.items()]
    other = FarmJob(job.shot, job.request, job.environment)
    other.folder = place / job.folder.relative_to(job.shot.folder)
    return other, words


def test_workers_with_folders_of_their_own_make_one_result(shot: Shot) -> None:
    wanted, result = solve_whole(shot, shot.request())
    here = farm_job(shot)
    asked = (here.folder / "request.json").read_bytes()
    there, words = moved(here, "other")
    there.must("solve", "--unit", "0", *words)
    here.must("solve", "--unit", "1")
    there.must("compose", "--frames", "1001-1004", *words)
    here.must("compose", "--frames", "1005-1008")
    there.must("verify", *words)
    assert here.bytes() == wanted
    assert without_times(here.result) == without_times(result), "frames of both are listed"
    assert (here.folder / "request.json").read_bytes() == asked


def test_a_shot_that_lies_elsewhere_altogether_is_found_by_its_roots(shot: Shot) -> None:
    wanted, _ = solve_whole(shot, shot.request())
    job = farm_job(shot)
    place = shot.folder.with_name("mounted")
    roots = json.loads((job.folder / "request.json").read_text())["roots"]
    shot.folder.rename(place)
    job.folder = place / job.folder.relative_to(shot.folder)
    words = [f"--root={root}={place / Path(path).relative_to(shot.folder)}" for root, path in roots.items()]
    done = job.must("solve", *words)
    assert not [line for line in done.said if "not exactly those" in line], "moved is not changed"
    job.must("compose", *words)
    job.must("verify", *words)
    assert {path.name for path in (place / "out").glob("*.exr")} == set(wanted)
    assert not shot.folder.exists(), "nothing was written to where they lay before"


def test_path_mapping_rules_of_openjd_find_the_roots(shot: Shot) -> None:
    job = farm_job(shot)
    place = shot.folder.with_name("mounted")
    shot.folder.rename(place)
    job.folder = place / job.folder.relative_to(shot.folder)
    rules = place / "rules.json"
    rule = {"source_path_format": "POSIX", "source_path": str(shot.folder), "destination_path": str(place)}
    rules.write_text(json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": [rule]}))
    job.must("solve", "--unit", "0", "--path-mapping", rules)
    rules.write_text("{}")  # what a session without rules writes
    assert job.task("solve", "--unit", "1", "--path-mapping", rules).code == 69


def test_a_worker_without_a_mapped_root_says_which(shot: Shot) -> None:
    job = farm_job(shot)
    done = job.task("solve", "--unit", "0", "--root", f"output={shot.folder}/nowhere")
    assert done.code == 69
    assert f"no folder {shot.folder}/nowhere" in done.of("fail")[0] and "<output>" in done.of("fail")[0]


def test_frames_that_are_rendered_after_planning_change_nothing(shot: Shot) -> None:
    wanted, _ = solve_whole(shot, shot.request())
    job = farm_job(shot)
    for pattern in (shot.plate, shot.matte):
        shutil.copy(pattern % 1008, pattern % 1009)
    job.must("solve")
    job.must("compose")
    job.must("verify")
    assert job.bytes() == wanted and job.result["frames_asked"] == "1001-1008"


def test_workers_run_the_engine_of_the_plan_whatever_they_would_choose(shot: Shot) -> None:
    marks, request = marked(shot)
    job = farm_job(shot, request)
    asked = json.loads((job.folder / "request.json").read_text())
    (job.folder / "request.json").write_text(json.dumps({**asked, "engine": "auto"}))
    job.must("solve")
    job.must("compose")
    assert len(list(marks.iterdir())) == 1 and job.result["engine"] == "slow"
    assert job.result["reason"] == "The engine slow was chosen when the job was planned."


def test_changed_inputs_are_warned_about(shot: Shot) -> None:
    job = farm_job(shot)
    os.utime(shot.plate % 1002)
    done = job.must("solve")
    assert any("not exactly those" in line for line in done.said)
    job.must("compose")
    assert "inputs_changed" in [item["code"] for item in job.result["warnings"]]


# -- what is wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("--unit", "7"), 65, "does not know unit 7, it has units 0-1"),
        (("--unit", "0", "--key", "of-another"), 65, "is not the one that this task was submitted for"),
        (("--unit", "0", "--root", "nowhere=/tmp"), 64, "has no root nowhere"),
        (("--unit", "0", "--root", "plate=here"), 64, "absolute path"),
        (("--unit", "0", "--path-mapping", "/nowhere/rules.json"), 64, "cannot be read"),
        (("--unit", "0", "--events"), 64, "leave out --events"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_task_that_cannot_be_meant_is_refused_in_a_sentence(
    shot: Shot, words: tuple[str, ...], code: int, part: str
) -> None:
    job = farm_job(shot)
    done = job.task("solve", *words)
    assert done.code == code
    (said,) = done.of("fail")
    assert part in said and said.endswith(".")
    assert not job.solved() and not job.leases() and "Traceback" not in done.complaint


def test_a_farm_runs_steps_and_not_all_of_them_at_once(shot: Shot) -> None:
    done = farm_job(shot).task("all")
    assert done.code == 64 and "plan, solve, compose, verify" in done.of("fail")[0]


def test_frames_that_the_job_does_not_deliver_are_refused(shot: Shot) -> None:
    job = farm_job(shot)
    job.must("solve")
    done = job.task("compose", "--frames", "1007-1010")
    assert done.code == 64 and "1001-1008" in done.of("fail")[0]


@pytest.mark.parametrize("step", ["compose", "verify"])
def test_what_follows_solving_is_refused_where_the_job_was_planned_anew(shot: Shot, step: str) -> None:
    job = farm_job(shot)
    job.must("solve")
    done = job.task(step, "--key", "of-another")
    assert done.code == 65 and "is not the one that this task was submitted for" in done.of("fail")[0]


def test_the_key_of_the_plan_and_that_of_a_unit_are_both_taken(shot: Shot) -> None:
    job = farm_job(shot)
    job.must("solve", "--unit", "0", "--key", job.plan["key"])
    job.must("solve", "--unit", "1", "--key", job.plan["units"][1]["key"])


def test_a_plan_of_another_version_is_refused(shot: Shot) -> None:
    job = farm_job(shot)
    (job.folder / "plan.json").write_text(json.dumps({**job.plan, "plan_version": 1}))
    for words in (("solve", "--unit", "0"), ("compose",), ("verify",)):
        done = job.task(*words)
        assert done.code == 65 and "another version" in done.of("fail")[0]


def test_a_damaged_plan_is_refused(shot: Shot) -> None:
    job = farm_job(shot)
    (job.folder / "plan.json").write_text(json.dumps({"plan_version": PLAN_VERSION, "pixels_version": PIXELS_VERSION}))
    done = job.task("solve", "--unit", "0")
    assert done.code == 65 and "damaged" in done.of("fail")[0]


def test_a_job_folder_that_is_not_here_is_no_bad_plan(shot: Shot) -> None:
    job = farm_job(shot)
    job.folder.rename(job.folder.with_name("away"))
    done = job.task("solve", "--unit", "0")
    assert done.code == 69 and str(job.folder) in done.of("fail")[0]


def test_an_engine_that_cannot_run_here_ends_with_its_own_sentence(shot: Shot) -> None:
    job = farm_job(shot, slow(shot))
    plan = job.plan
    # Planned where it could run.
    plan["engine"], plan["units"] = "absent", [{**unit, "engine": "absent"} for unit in plan["units"]]
    (job.folder / "plan.json").write_text(json.dumps(plan))
    done = job.task("solve", "--unit", "0")
    assert done.code == 69 and "There is no GPU here." in done.of("fail")[0]


def test_other_weights_than_those_of_the_plan_are_refused(shot: Shot) -> None:
    job = farm_job(shot)
    (job.folder / "plan.json").write_text(json.dumps({**job.plan, "engine_digest": "of other weights"}))
    done = job.task("solve", "--unit", "0")
    assert done.code == 69 and "of other weights" in done.of("fail")[0]


def test_a_fault_of_the_engine_fails_the_task_and_is_told(shot: Shot) -> None:
    done = farm_job(shot, slow(shot, do="error", at=1002)).task("solve", "--unit", "0")
    assert done.code == 65 and "the engine is broken" in done.of("fail")[0] and "Traceback" in done.complaint


def test_memory_that_runs_out_has_a_code_of_its_own_and_is_not_tried_again(shot: Shot) -> None:
    marks, request = marked(shot, do="memory")
    done = farm_job(shot, request).task("solve", "--unit", "0")
    assert done.code == 71 and "out of memory" in done.of("fail")[0]
    assert len(list(marks.iterdir())) == 1


def test_a_job_that_somebody_else_plans_is_tried_again_and_then_left(shot: Shot) -> None:
    job = farm_job(shot)
    holder = "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True)"
    other = job.start("-c", f"{holder}; time.sleep(600)", job.folder / "lock", command=(sys.executable,))
    other.until("held")
    task = job.starting("solve", "--unit", "0")
    task.until("Trying again in 2 seconds")
    other.kill()
    other.ended()
    assert task.ended().code == 0
    assert job.solved() == [0]


def test_a_full_disk_is_tried_again_and_then_told_with_figures(shot: Shot) -> None:
    """A really full disk: the job folder on a small file system with 8 kB left, in a namespace of the test's own."""
    mount = ["unshare", "-rm", "sh", "-c"]
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small file system")
    job = farm_job(shot, shot.request(engine="identity"))
    copy = shot.folder / "copy"
    shutil.copytree(job.folder, copy)
    task = " ".join([*SERVER, "task", "solve", f'"{job.folder}"', "--farm", "--unit", "0"])
    script = f'''mount -t tmpfs -o size=400k tmpfs "{job.folder}" && cp -r "{copy}/." "{job.folder}"
        dd if=/dev/zero of="{job.folder}/filler" bs=1k 2>/dev/null; truncate -s -8K "{job.folder}/filler"
        {task}; echo "code $?"; find "{job.folder}" -name "*.tmp" -o -name "lease*"'''
    done = job.start(*mount, script, command=()).ended()
    assert "code 75" in done.said, (done.said, done.complaint)
    assert len([text for text in done.of("status") if "Trying again" in text]) == 2
    assert "disk is full" in done.of("fail")[0] and "MB" in done.of("fail")[0]
    assert done.said[done.said.index("code 75") + 1 :] == [], "no lease and no temporary file is left"


# -- GPUs ---------------------------------------------------------------------------------------------------------


def test_too_little_memory_on_the_gpu_is_found_before_anything_is_loaded(shot: Shot) -> None:
    marks, request = marked(shot)
    job = farm_job(shot, request)
    with_gpus(job, "GPU-1, NVIDIA L4, 23034")
    done = job.task("solve", "--unit", "0", "--vram", "40000")
    assert done.code == 71
    assert "40000 MiB" in done.of("fail")[0] and "NVIDIA L4 with 23034 MiB" in done.of("fail")[0]
    assert not list(marks.iterdir())
    job.must("solve", "--unit", "0", "--vram", "20000")


def test_a_worker_that_has_no_gpu_for_the_task_says_so(shot: Shot) -> None:
    job = farm_job(shot, slow(shot))
    with_gpus(job)
    done = job.task("solve", "--unit", "0", "--vram", "40000")
    assert done.code == 69 and "shows it none" in done.of("fail")[0]


def test_a_reader_that_goes_away_does_not_end_a_task(shot: Shot) -> None:
    job = farm_job(shot, slow(shot, step=0.2))
    task = job.starting("solve", "--unit", "0")
    task.until("solves unit 0")
    assert task.process.stdout is not None
    task.process.stdout.close()
    assert task.process.wait(120) == 0
    assert job.solved() == [0]
    assert task.process.stderr is not None
    assert "BrokenPipe" not in task.process.stderr.read()
    task.process.stderr.close()


def test_ctrl_c_stops_a_task_like_a_farm_does(shot: Shot) -> None:
    job = farm_job(shot, slow(shot, step=30))
    task = job.starting("solve", "--unit", "0")
    eventually(job.leases, "a lease")
    task.process.send_signal(signal.SIGINT)
    assert task.ended().code == 143 and not job.leases()
