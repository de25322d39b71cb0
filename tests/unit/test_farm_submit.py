"""`void submit` and `void farm` as they are typed, with `tests/fakes/fake_worker.py` in the place of void-server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from farmbenches import WORKER

from void_plugin import cli
from void_plugin.farm import Records
from void_plugin.farm.submission import collect
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose void-server is the fake one, in a folder with eight frames of a plate and a matte."""
    for name in [name for name in os.environ if name.startswith("VOID_")]:
        monkeypatch.delenv(name)
    (tmp_path / "config.json").write_text(json.dumps({"server_command": WORKER, "site": str(tmp_path / "site.toml")}))
    (tmp_path / "site.toml").write_text("[farm]\nunits_per_task = 1\nframes_per_task = 4\n")
    monkeypatch.setenv("VOID_CONFIG", str(tmp_path / "config.json"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    )
    monkeypatch.chdir(tmp_path)
    for name in ("plate", "matte"):
        (tmp_path / name).mkdir()
        for frame in range(1001, 1009):
            (tmp_path / name / f"{name}.{frame}.exr").write_bytes(b"0123456789")


def saved(name: str = "sh010", **changes: Any) -> str:
    """A request file, whose inputs and outputs are absolute."""
    here = Path.cwd()
    values: dict[str, Any] = {
        "plate": ImageInput(str(here / "plate" / "plate.%04d.exr")),
        "object_matte": ImageInput(str(here / "matte" / "matte.%04d.exr")),
        "outputs": (Output("patch", str(here / "out" / f"{name}.%04d.exr")),),
        "shot": name,
        "engine": "recover",
    }
    path = here / f"{name}.json"
    path.write_text(RemovalRequest(**{**values, **changes}).to_json())
    return str(path)


def configure(**more: Any) -> None:
    """Add to what this machine's configuration says."""
    path = Path("config.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))


@pytest.fixture
def meeting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where each plan leaves a file with the number of its threads, and waits for a second one."""
    folder = tmp_path / "meeting"
    folder.mkdir()
    monkeypatch.setenv("FAKE_PLAN", json.dumps({"meet": str(folder), "count": 2}))
    return folder


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def job_folder() -> Path:
    (folder,) = Path("out/.void").iterdir()
    return folder


def bundles() -> list[str]:
    return sorted(path.parent.name for path in Path("out/.void").glob("*/farm/*/template.json"))


def tell_worker(path: str, **what: Any) -> None:
    """What the tasks of a request are told; its job folder is made for that."""
    request = RemovalRequest.load(path)
    folder = Path(replace(request, frames=FrameRange(1001, 1008)).job_folder())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fake.json").write_text(json.dumps(what))


# -- before anything is submitted ----------------------------------------------------------------------------


def test_a_dry_run_tells_units_tasks_gpu_hours_and_bytes_and_submits_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["submit", saved(), "--dry-run", "--json"]) == 0
    (shot,) = told(capsys)["shots"]
    assert shot["units"] == 2 and shot["tasks"] == {"Solve": 2, "Compose": 2, "Verify": 1}
    assert shot["gpu_hours"] == 0 and shot["hours"] > 0 and shot["input_bytes"] == 160 and shot["frames"] == "1001-1008"
    assert shot["job"] is None and not bundles()
    assert cli.main(["farm", "status"]) == 0 and "No jobs" in capsys.readouterr().out


def test_a_dry_run_for_people_says_whose_rates_it_counts_by(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_PLAN", json.dumps({"device": "cuda", "solved": [1]}))
    assert cli.main(["submit", saved(engine="void"), "--dry-run"]) == 0
    said = capsys.readouterr()
    assert "GPU hours: 0.02 (stated" in said.out and "units: 2, 1 solved already" in said.out
    assert "1 with 40000 MiB or more" in said.out and "1 of 2 units are solved" in said.err
    Path("site.toml").write_text("[farm.rates]\nload = 360\nstep = 12\n")
    assert cli.main(["submit", saved(engine="void"), "--dry-run"]) == 0
    assert "GPU hours: 0.20 (measured" in capsys.readouterr().out


def test_the_options_of_a_submission_reach_the_bundle(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_PLAN", json.dumps({"device": "cuda"}))
    options = ["--vram", "80000", "--gpus", "2", "--units-per-task", "2", "--wait"]
    assert cli.main(["submit", saved(engine="void"), *options]) == 0
    assert "holds 2 GPUs" in capsys.readouterr().err
    (path,) = Path("out/.void").glob("*/farm/1/template.json")
    solve = json.loads(path.read_text())["steps"][0]
    amounts = {item["name"]: item["min"] for item in solve["hostRequirements"]["amounts"]}
    assert amounts["amount.worker.gpu"] == 2 and amounts["amount.worker.gpu.memory"] == 80000
    assert solve["parameterSpace"]["taskParameterDefinitions"][0]["range"] == ["0-1"]
    assert solve["stepEnvironments"][0]["name"] == "Model"


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"plate": ImageInput("nowhere/plate.%04d.exr")}, "frame.missing", "nowhere"),
        ({"object_matte": ImageInput("matte/other.%04d.exr")}, "frame.missing", "other"),
        ({"frames": FrameRange(1001, 1010)}, "frame.missing", "1009-1010"),
        ({"outputs": (Output("patch", "plate/clean/c.%04d.exr"),)}, "output_inside_input", "plate"),
        ({"outputs": (Output("patch", "matte/c.%04d.exr"),)}, "output_inside_input", "object matte"),
        ({"outputs": (Output("comp", "out/look.%04d.png"),)}, "request.output", ".exr"),
        ({"outputs": (Output("patch", "sh010.json/c.%04d.exr"),)}, "unwritable", "sh010.json"),
    ],
)
def test_what_is_wrong_with_a_request_is_an_error_before_anything_is_planned(
    capsys: pytest.CaptureFixture[str], changes: dict[str, Any], code: str, named: str
) -> None:
    assert cli.main(["submit", saved(**changes), "--json"]) == 1
    (shot,) = told(capsys)["shots"]
    errors = [finding for finding in shot["findings"] if finding["level"] == "error"]
    assert code in [finding["code"] for finding in errors] and any(named in finding["text"] for finding in errors)
    assert not bundles() and not list(Path().glob("**/calls.jsonl"))


def test_an_error_in_one_shot_keeps_all_back(capsys: pytest.CaptureFixture[str]) -> None:
    bad = saved("sh020", plate=ImageInput("nowhere.%04d.exr"))
    assert cli.main(["submit", saved(), bad]) == 1
    said = capsys.readouterr().err
    assert "error: sh020: No file" in said and not bundles()
    assert said.splitlines()[-1] == "Nothing was submitted: 1 of 2 shots cannot be, as they are."


@pytest.mark.parametrize(("cores", "shots", "threads"), [(2, 4, "1"), (5, 2, "2")])
def test_shots_are_planned_side_by_side_on_all_cores_and_told_in_order(
    meeting: Path, capsys: pytest.CaptureFixture[str], cores: int, shots: int, threads: str
) -> None:
    configure(workers=cores)
    paths = [saved(name) for name in ("sh020", "sh010", "sh040", "sh030")[:shots]]
    assert cli.main(["submit", *paths, "--dry-run", "--json"]) == 0
    assert [shot["request"] for shot in told(capsys)["shots"]] == paths
    assert [path.read_text() for path in meeting.iterdir()] == [threads] * shots
    assert cli.main(["submit", *paths, "--dry-run"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("Planning")] == [f"Planning {path}" for path in paths]


def test_a_shot_that_cannot_be_planned_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    paths = [saved("sh010"), saved("sh020", plate=ImageInput("nowhere.%04d.exr")), saved("sh030")]
    assert cli.main(["submit", *paths, "--json"]) == 1
    assert ["units" in shot for shot in told(capsys)["shots"]] == [True, False, True]


def test_ctrl_c_while_planning_ends_all_plans_and_begins_no_other(meeting: Path) -> None:
    configure(workers=2)
    paths = [saved(name) for name in ("sh010", "sh020", "sh030")]
    wanted = json.dumps({"meet": str(meeting), "count": 99})
    command = [sys.executable, "-m", "void_plugin.cli", "submit", *paths]
    with subprocess.Popen(
        command, env={**os.environ, "FAKE_PLAN": wanted}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        wait_until(lambda: len(list(meeting.iterdir())) == 2, child)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130 and not out and "Traceback" not in err
    wait_until(lambda: not any(Path("/proc", path.name).exists() for path in meeting.iterdir()))
    assert len(list(meeting.iterdir())) == 2 and not bundles()


def test_two_requests_that_write_the_same_files_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    first = saved("sh010")
    second = saved("sh020", outputs=RemovalRequest.load(first).outputs, prompt="another")
    assert cli.main(["submit", first, second]) == 1
    assert "2 of the requests write" in capsys.readouterr().err


def test_an_error_of_planning_is_that_of_the_shot(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_PLAN", json.dumps({"fail": "job.weights"}))
    assert cli.main(["submit", saved(), "--json"]) == 1
    (shot,) = told(capsys)["shots"]
    assert shot["findings"] == [{"level": "error", "code": "job.weights", "text": "The fake cannot plan."}]


def test_a_void_server_of_another_version_is_warned_about_and_one_of_another_kind_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_PLAN", json.dumps({"changes": {"version": "0.0.9"}, "warn": "The matte is odd."}))
    assert cli.main(["submit", saved(), "--dry-run"]) == 0
    said = capsys.readouterr().err
    assert "warning: sh010: void-server here is version 0.0.9" in said and "The matte is odd." in said
    monkeypatch.setenv("FAKE_PLAN", json.dumps({"changes": {"facts_version": 2}}))
    assert cli.main(["submit", saved(), "--dry-run"]) == 1
    assert "install the same version" in capsys.readouterr().err


def test_a_void_server_that_says_nothing_is_told_with_its_last_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_PLAN", "not JSON")
    assert cli.main(["submit", saved(), "--dry-run"]) == 1
    assert "Planning ended with exit code 1 and said: json.decoder" in capsys.readouterr().err


def test_more_memory_than_the_farm_has_is_told_with_both_figures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("site.toml").write_text("[farm]\ngpu_memory_mib = 24000\n")
    monkeypatch.setenv("FAKE_PLAN", json.dumps({"device": "cuda"}))
    assert cli.main(["submit", saved(engine="void"), "--dry-run"]) == 1
    said = capsys.readouterr().err
    assert "40000 MiB" in said and "24000 MiB" in said
    assert cli.main(["submit", saved(engine="void"), "--dry-run", "--vram", "24000"]) == 0


def test_auto_is_replaced_so_that_all_workers_do_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["submit", saved(engine="auto"), "--dry-run"]) == 0
    assert "The engine auto means recover here" in capsys.readouterr().err
    Path("site.toml").write_text("[farm]\nengine = 'void'\n")
    assert cli.main(["submit", saved(engine="auto"), "--dry-run"]) == 0
    assert "The engine auto means void here" in capsys.readouterr().err


def test_a_folder_stands_for_the_requests_in_it(tmp_path: Path) -> None:
    first, second = saved("sh010"), saved("sh020")
    (tmp_path / "config.json").unlink()
    assert collect([str(tmp_path)]) == [first, second]
    job = tmp_path / "jobs" / "one"
    job.mkdir(parents=True)
    (job / "request.json").write_text(Path(first).read_text())
    (job / "plan.json").write_text("{}")
    assert collect([str(job)]) == collect([str(tmp_path / "jobs")]) == [str(job / "request.json")]
    assert collect([first, first]) == [first]


def test_a_version_of_a_timeline_that_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("v001").mkdir()
    for text in ("[]", "{", '{"jobs": [{}]}'):
        Path("v001/shots.json").write_text(text)
        assert cli.main(["submit", "v001"]) == 1
        assert "shots.json cannot be read" in capsys.readouterr().err


def test_a_folder_without_requests_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert cli.main(["submit", "empty"]) == 1
    assert "holds no request" in capsys.readouterr().err


def test_an_unknown_farm_is_refused_before_planning(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["submit", saved(), "--farm", "tractor"]) == 1
    assert "no farm 'tractor'" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--priority", "101"], ["--gpus", "-1"], []])
def test_wrong_usage_ends_with_2(option: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["submit", *option, *(["x.json"] if option else [])])
    assert ended.value.code == 2


# -- jobs ----------------------------------------------------------------------------------------------------


def test_a_job_is_submitted_waited_for_and_found_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["submit", saved(), "--wait"]) == 0
    said = capsys.readouterr().out
    name = next(line.removeprefix("job: ") for line in said.splitlines() if line.startswith("job: "))
    assert name.startswith("local:") and said.splitlines()[-1].endswith("result.json") and "succeeded" in said
    assert cli.main(["farm", "status", "--json"]) == 0
    (status,) = told(capsys)
    assert status["ref"] == name and status["state"] == "succeeded"
    assert [step["done"] for step in status["steps"]] == [2, 2, 1]
    assert cli.main(["farm", "status"]) == 0
    assert capsys.readouterr().out.split("\t")[:4] == [name, "succeeded", "100%", "sh010 recover 1001-1008"]
    assert cli.main(["farm", "wait", name]) == 0
    assert cli.main(["farm", "logs", name]) == 0
    assert "did compose" in capsys.readouterr().out
    assert cli.main(["farm", "cancel", name, "--json"]) == 0
    assert told(capsys)[0]["state"] == "succeeded"


def test_waiting_brings_results_that_travel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = json.loads((tmp_path / "config.json").read_text())
    farms = {"carrying": "fakes.carrying_farm:CarryingFarm"}
    (tmp_path / "config.json").write_text(json.dumps({**config, "farms": farms}))
    assert cli.main(["submit", saved(), "--farm", "carrying", "--wait"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "succeeded" in line]
    assert len(lines) == 2 and "result.json" not in lines[0] and lines[1].endswith("result.json")


def test_submitting_again_is_a_new_job_in_the_same_job_folder(capsys: pytest.CaptureFixture[str]) -> None:
    path = saved()
    assert cli.main(["submit", path, "--wait", "--json"]) == 0 == cli.main(["submit", path, "--wait"])
    assert bundles() == ["1", "2"] and job_folder()


def limited(count: int) -> list[str]:
    """Three requests, and a farm that takes only so many jobs."""
    configure(farms={"silent": "fakes.silent_farm:SilentFarm", "moody": "fakes.moody_farm:MoodyFarm"})
    Path("limit").write_text(str(count))
    Path("site.toml").write_text("[farm]\nengine = 'recover'\n")
    return [saved(name, engine="auto") for name in ("sh010", "sh020", "sh030")]


def jobs_of(capsys: pytest.CaptureFixture[str]) -> list[str | None]:
    return [shot["job"] for shot in told(capsys)["shots"]]


def test_where_a_farm_refuses_one_of_many_shots_what_is_there_is_told_and_left_alone_when_submitted_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = limited(2)
    assert cli.main(["submit", *paths, "--farm", "moody", "--json"]) == 1
    said = capsys.readouterr()
    assert [shot["job"] for shot in json.loads(said.out)["shots"]] == ["moody:1", "moody:2", None]
    assert "2 of 3 shots are on the farm and go on. Submit all again" in said.err
    assert said.err.splitlines()[-1] == "sh030: The moody farm is full."
    limited(3)
    assert cli.main(["submit", *paths, "--farm", "moody", "--dry-run"]) == 0
    assert "sh010: It is on the farm already as moody:1 (queued, 0%)" in capsys.readouterr().err
    assert cli.main(["submit", *paths, "--farm", "moody", "--json"]) == 0
    assert jobs_of(capsys) == ["moody:1", "moody:2", "moody:3"]
    assert bundles() == ["1", "1", "1", "2"], "one of them was refused"


def test_a_folder_stands_for_the_newest_job_whose_results_lie_there_as_they_lie_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, *_ = limited(9)
    assert cli.main(["submit", path, "--farm", "moody"]) == 0 == cli.main(["farm", "cancel", "moody:1"])
    assert cli.main(["submit", path, "--farm", "moody"]) == 0
    Path("out").rename("mounted")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    capsys.readouterr()
    assert cli.main(["farm", "status", "mounted", "--json"]) == 0
    (status,) = told(capsys)
    assert status["ref"] == "moody:2"
    (record,) = Records(os.environ, "moody").all()
    assert Path(record.bundle, "template.json").is_file() and Path(record.job_folder).parts[-3:-1] == (
        "mounted",
        ".void",
    )


def test_what_was_cancelled_or_has_ended_is_submitted_anew(capsys: pytest.CaptureFixture[str]) -> None:
    paths = limited(9)
    assert cli.main(["submit", *paths, "--farm", "moody"]) == 0
    assert cli.main(["farm", "cancel", "moody:1"]) == 0
    Path("moody:2").write_text("failed")
    capsys.readouterr()
    assert cli.main(["submit", *paths, "--farm", "moody", "--json"]) == 0
    assert jobs_of(capsys) == ["moody:4", "moody:5", "moody:3"]


def test_a_job_that_still_writes_the_same_files_with_other_settings_is_warned_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    limited(9)
    assert cli.main(["submit", saved(), "--farm", "moody"]) == 0
    assert cli.main(["submit", saved(prompt="an empty street"), "--farm", "moody", "--dry-run"]) == 0
    said = capsys.readouterr().err
    assert "warning: sh010: The job moody:1 (queued) was submitted with other settings" in said
    assert "void farm cancel moody:1" in said
    assert cli.main(["farm", "cancel", "moody:1"]) == 0
    assert cli.main(["submit", saved(prompt="an empty street"), "--farm", "moody", "--dry-run"]) == 0
    assert "other settings" not in capsys.readouterr().err


def test_ctrl_c_between_many_shots_tells_which_are_on_the_farm() -> None:
    paths = limited(9)
    Path("hold").write_text("2")
    command = [sys.executable, "-m", "void_plugin.cli", "submit", *paths, "--farm", "moody", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        wait_until(Path("held").exists, child)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130 and "Traceback" not in err
    assert [shot["job"] for shot in json.loads(out)["shots"]] == ["moody:1", None, None]
    assert "1 of 3 shots are on the farm" in err


def test_a_farm_that_is_away_for_a_while_does_not_end_the_wait(capsys: pytest.CaptureFixture[str]) -> None:
    paths = limited(9)
    Path("answers").write_text(json.dumps(["queued", "away", "away", "succeeded"]))
    assert cli.main(["submit", paths[0], "--farm", "moody", "--wait"]) == 0
    said = capsys.readouterr()
    assert said.err.count("The moody farm is away. Waiting goes on.") == 1
    Path("answers").write_text(json.dumps(["away"]))
    assert cli.main(["farm", "wait", "moody:1"]) == 1, "it was never there"


def test_status_says_how_many_older_jobs_it_leaves_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("void_plugin.farmcommands.LISTED", 2)
    assert cli.main(["submit", *limited(9), "--farm", "moody"]) == 0
    capsys.readouterr()
    assert cli.main(["farm", "status"]) == 0
    said = capsys.readouterr()
    assert "1 older jobs are not listed" in said.err and len(said.out.splitlines()) == 2
    assert cli.main(["farm", "status", "--all"]) == 0
    said = capsys.readouterr()
    assert said.err == "" and len(said.out.splitlines()) == 3


def test_a_job_that_fails_ends_the_wait_with_1_and_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    path = saved()
    tell_worker(path, fail="solve")
    assert cli.main(["submit", path, "--wait"]) == 1
    assert "The fake cannot solve." in capsys.readouterr().out


@pytest.mark.parametrize("step", ["start", "solve"])
def test_what_a_step_started_is_ended_where_it_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setenv("FAKE_PLAN", json.dumps({"device": "cuda"}))
    path = saved(engine="void")
    tell_worker(path, fail=step)
    assert cli.main(["submit", path, "--wait", "--json"]) == 1
    (last,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()[-1:]]
    assert last["state"] == "failed" and last["text"] == f"The fake cannot {step}."
    assert [task["state"] for task in last["steps"]] == ["failed", "queued", "queued"]
    assert cli.main(["farm", "logs", last["ref"]]) == 0
    assert "Solve ends what it started" in capsys.readouterr().out


def test_a_name_that_is_none_and_a_job_that_nobody_knows_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["farm", "status", "1234"]) == 1
    assert "names no job" in capsys.readouterr().err
    assert cli.main(["farm", "wait", "local:1234"]) == 1
    assert "was not submitted" in capsys.readouterr().err


def test_the_doctor_tells_of_every_farm(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["farm", "doctor", "local"]) == 0
    assert "openjd-sessions" in capsys.readouterr().out
    assert cli.main(["farm", "doctor", "--json"]) == 0
    assert "local" in told(capsys)["farms"]
    assert cli.main(["farm", "doctor", "tractor"]) == 1


def test_a_farm_that_cannot_be_loaded_is_an_answer_of_the_doctor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "farms": {"ours": "no.such:Farm"}}))
    assert cli.main(["farm", "doctor", "--json"]) == 0
    assert told(capsys)["farms"]["ours"][0]["level"] == "error"


def wait_until(true: Callable[[], bool], child: subprocess.Popen[str] | None = None) -> None:
    """Wait for something, of a child as long as that lives; where it does not come, tell what the child has said."""
    deadline = time.monotonic() + 180
    while not true():
        ended = child is not None and child.poll() is not None
        if (ended and not true()) or time.monotonic() > deadline:
            said: Any = "nothing"
            if child is not None:
                child.kill()
                said = child.communicate(timeout=60)
            pytest.fail(f"It did not come; the child {'had ended' if ended else 'was killed'}, and said: {said}")
        time.sleep(0.05)


def test_a_plan_without_temporary_files_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert cli.main(["submit", saved(), "--json"]) == 1
    (finding,) = [one for shot in told(capsys)["shots"] for one in shot["findings"] if one["level"] == "error"]
    assert finding["code"] == "farm.plan" and "$TMPDIR" in finding["text"], finding


def has_call(what: str) -> bool:
    return any(what in calls.read_text() for calls in Path().glob("out/.void/*/calls.jsonl"))


def test_ctrl_c_while_waiting_cancels_the_job_and_ends_with_130() -> None:
    path = saved()
    tell_worker(path, seconds=600)
    command = [sys.executable, "-m", "void_plugin.cli", "submit", path, "--wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        wait_until(lambda: has_call("begun"), child)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130 and "cancelled" in out and "submitting again resumes" in err
    assert "Traceback" not in err


def test_ctrl_c_while_waiting_for_somebody_elses_job_leaves_it_alone(capsys: pytest.CaptureFixture[str]) -> None:
    path = saved()
    tell_worker(path, seconds=600)
    assert cli.main(["submit", path, "--json"]) == 0
    name = told(capsys)["shots"][0]["job"]
    command = [sys.executable, "-m", "void_plugin.cli", "farm", "wait", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None and name in child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 130 and "Traceback" not in err
    assert cli.main(["farm", "status", name, "--json"]) == 0
    assert told(capsys)[0]["state"] == "running"
    assert cli.main(["farm", "cancel", name]) == 0
    assert cli.main(["farm", "wait", name]) == 1
