"""The steps one by one, as a farm runs them, and the proof at the end."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from shots import Shot, load_exr, save_exr

from void_plugin.frames import FrameRange
from void_plugin.request import Output


def task(step: str, job: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "void_server", "task", step, str(job), "--workers", "2", *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def saved(given: Shot, **changes: object) -> Path:
    path = given.folder / "request.json"
    outputs = (Output("patch", given.out("patch")), Output("comp", given.out("comp")))
    path.write_text(given.request(outputs=outputs, **changes).to_json())
    return path


def digests(shot: Shot) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (shot.folder / "out").glob("*.exr")}


def test_steps_run_one_by_one_give_what_all_of_them_give(shot: Shot) -> None:
    job = saved(shot)
    assert task("all", job).returncode == 0
    whole = digests(shot)
    shutil.rmtree(shot.folder / "out")
    assert task("plan", job).returncode == 0
    assert not digests(shot)
    for unit in ("1", "0"):
        assert task("solve", job, "--unit", unit).returncode == 0
    assert not digests(shot)
    assert task("compose", job, "--frames", "1005-1008").returncode == 0
    assert len(digests(shot)) == 8
    assert task("compose", job).returncode == 0
    assert digests(shot) == whole
    done = task("verify", job)
    assert done.returncode == 0 and "16 files verified" in done.stderr


def test_a_job_folder_stands_for_its_request(shot: Shot) -> None:
    job = saved(shot)
    assert task("all", job).returncode == 0
    folders = list((shot.folder / "out/.void").iterdir())
    assert len(folders) == 1
    assert task("all", folders[0]).returncode == 0
    assert task("all", folders[0] / "request.json").returncode == 0
    assert list((shot.folder / "out/.void").iterdir()) == folders, "no second folder for the same job"


def test_composing_before_solving_says_what_to_run(shot: Shot) -> None:
    job = saved(shot)
    done = task("compose", job)
    assert done.returncode == 65 and "plan.json" in done.stderr
    task("plan", job)
    done = task("compose", job)
    assert done.returncode == 65 and "solve" in done.stderr and "Units 0-1" in done.stderr


def test_a_damaged_fill_is_told_with_its_frame_and_file(shot: Shot) -> None:
    job = saved(shot)
    assert task("solve", job).returncode == 65, "not planned yet"
    task("plan", job)
    assert task("solve", job).returncode == 0
    (fill,) = (shot.folder / "out/.void").glob("*/units/*/fill.1003.npz")
    data = bytearray(fill.read_bytes())
    data[len(data) // 2] ^= 1
    fill.write_bytes(data)
    done = task("compose", job, "--frames", "1003-1003")
    assert done.returncode == 65 and "frame 1003" in done.stderr and str(fill) in done.stderr
    assert "Delete the job folder" in done.stderr and not digests(shot)


def test_verify_finds_a_changed_a_lost_and_a_truncated_frame(shot: Shot) -> None:
    job = saved(shot)
    task("all", job)
    path = Path(shot.out("comp") % 1003)
    comp = load_exr(path)
    pixels = np.stack([comp.planes[name] for name in "RGB"], axis=-1).copy()
    pixels[0, 0, 0] = 7
    save_exr(path, pixels)
    Path(shot.out("comp") % 1004).unlink()
    truncated = Path(shot.out("patch") % 1005)
    truncated.write_bytes(truncated.read_bytes()[:-50])
    done = task("verify", job)
    assert done.returncode == 65
    for frame in ("1003", "1004", "1005"):
        assert f"Frame {frame}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_deleted_result_is_written_again_by_the_same_command(shot: Shot) -> None:
    job = saved(shot)
    task("all", job)
    before = digests(shot)
    Path(shot.out("comp") % 1003).unlink()
    task("all", job)
    assert digests(shot) == before


def test_result_json_says_what_was_delivered(shot: Shot) -> None:
    job = saved(shot, frames=FrameRange(1002, 1004), shot="sh010")
    task("all", job)
    result = json.loads(next((shot.folder / "out/.void").glob("*/result.json")).read_text())
    assert (
        result["shot"] == "sh010"
        and result["engine"] == "recover"
        and list(result["frames"]) == ["1002", "1003", "1004"]
    )
    entry = result["frames"]["1003"]["comp"]
    assert entry["sha256"] == digests(shot)["comp.1003.exr"]
    assert (
        entry["untouched"] + entry["recovered"] + entry["generated"] == 1
        or abs(entry["untouched"] + entry["recovered"] + entry["generated"] - 1) < 1e-6
    )
    assert 0.9 < entry["facts"]["coverage"] <= 1 and result["summary"]["frames"] == 3


def test_a_broken_plan_is_told_by_name(shot: Shot) -> None:
    job = saved(shot)
    task("plan", job)
    plan = next((shot.folder / "out/.void").glob("*/plan.json"))
    plan.write_text("{}")
    done = task("solve", job)
    assert done.returncode == 65 and str(plan) in done.stderr
    assert task("plan", job).returncode == 0 and task("solve", job).returncode == 0


def test_events_end_with_one_last_event_and_are_numbered(shot: Shot) -> None:
    done = task("all", saved(shot), "--events")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["kind"] == "Started" and events[-1]["kind"] == "Finished"
    assert len({event["job"] for event in events}) == 1 and events[0]["job"]
    fractions = [event["fraction"] for event in events if event["kind"] == "Progressed"]
    assert fractions == sorted(fractions)


def test_the_demo_measures_its_own_result(tmp_path: Path) -> None:
    def demo(action: str) -> dict[str, object]:
        size = ["--scene", "pan", "--frames", "5", "--width", "320"] if action == "make" else []
        command = [sys.executable, "-m", "void_server", "demo", action, "--out", str(tmp_path), *size]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        return answer

    made = demo("make")
    request = {
        "schema": 1,
        "engine": "recover",
        "plate": {"pattern": made["plate"]},
        "object_matte": {"pattern": made["object_matte"]},
        "affected_matte": {"pattern": made["affected_matte"]},
        "settings": {"recover_affected": "fill"},
        "outputs": [{"kind": "comp", "pattern": str(tmp_path / "comp.%04d.exr")}],
    }
    (tmp_path / "request.json").write_text(json.dumps(request))
    assert task("all", tmp_path / "request.json").returncode == 0
    figures = demo("report")
    assert isinstance(figures["psnr"], float) and 20 < figures["psnr"] < 80
    sheet = Path(str(figures["sheet"]))
    assert sheet.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
