"""Versions that a farm makes: a real `void submit`, the farm `local` whose tasks do next to nothing, real folders."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deadlines import PROGRAM, Repository
from farmbenches import WORKER
from farmruns import about, eventually

from void_plugin import cli, farmsubmit, farmversion
from void_plugin.claim import claimed, is_claimed
from void_plugin.desk import Desk
from void_plugin.errors import Cancelled, FarmError, FrameError, HostError, VoidError
from void_plugin.farm import JobRef, Records
from void_plugin.farm.asking import within
from void_plugin.farmjobs import FarmJobs
from void_plugin.frames import FrameRange
from void_plugin.hostcall import HostCall
from void_plugin.jobrecord import JobRecord
from void_plugin.manifest import read_manifest
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.sidecalls import CALLS
from void_plugin.versions import remove_folder

ROOT = Path(__file__).parents[2]
FRAMES = FrameRange(1001, 1004)
FARMS = {"carrying": "fakes.carrying_farm:CarryingFarm", "silent": "fakes.silent_farm:SilentFarm"}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with a site of its own, whose void-server is the fake of this folder."""
    for name in [name for name in os.environ if name.startswith("VOID_")]:
        monkeypatch.delenv(name)
    config = {"server_command": WORKER, "site": str(tmp_path / "site.toml"), "farms": FARMS}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "site.toml").write_text(f"[farm]\ncommand = {json.dumps(WORKER)}\n")
    monkeypatch.setenv("VOID_CONFIG", str(tmp_path / "config.json"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.chdir(tmp_path)
    yield
    eventually(lambda: not about(tmp_path), lambda: f"processes {about(tmp_path)} were left behind")


@pytest.fixture
def desk() -> Desk:
    return Desk(dict(os.environ))


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out ü"


class Asked:
    """One call, with what it told."""

    def __init__(self, name: str, /, **args: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self.call = HostCall(name, args, self.events.append, lambda *_: {})

    def end(self, desk: Desk) -> dict[str, Any]:
        return CALLS[self.call.name](desk, self.call)


def ask(desk: Desk, name: str, /, **args: Any) -> dict[str, Any]:
    return Asked(name, **args).end(desk)


def prepare(desk: Desk, output: Path, **changes: Any) -> dict[str, Any]:
    args = {"output": str(output), "name": "VoidRemove1", "uuid": "u1", "script": "/shots/a.nk", "bytes": 1000,
            "frames": str(FRAMES), "engine": "recover", "server": "127.0.0.1:1", "views": ["main"], "on_farm": True,
            "farm": "", "test": False, "kind": "remove"}  # fmt: skip
    return ask(desk, "prepare", **{**args, **changes})


def submission(desk: Desk, output: Path, views: tuple[str, ...] = ("main",), farm: str = "") -> tuple[Path, Asked]:
    """A reserved folder with rendered inputs, and the call that submits it."""
    prepared = prepare(desk, output, farm=farm)
    assert prepared["problems"] == [], prepared
    folder = Path(prepared["folder"])
    requests = {view: request_in(folder, view).to_dict() for view in views}
    node = {"uuid": "u1", "name": "VoidRemove1", "script": "/shots/a.nk", "settings": {"seed": 7}, "version": 2}
    facts = {"format": [1920, 1080]}
    return folder, Asked("submit", folder=str(folder), requests=requests, node=node, facts=facts, server="", farm=farm)


def request_in(folder: Path, view: str) -> RemovalRequest:
    inputs = folder / "inputs" / view
    inputs.mkdir(parents=True)
    for name in ("plate", "matte"):
        for frame in FRAMES:
            (inputs / f"{name}.{frame}.exr").write_bytes(f"{name} {view} {frame}".encode() * 100)
    return RemovalRequest(
        plate=ImageInput(f"{inputs}/plate.%04d.exr"),
        object_matte=ImageInput(f"{inputs}/matte.%04d.exr"),
        outputs=(Output("patch", f"{folder}/patch/{view}/VoidRemove1.%04d.exr"),),
        shot=f"sh010_{view}",
        frames=FRAMES,
        shot_range=FRAMES,
        engine="recover",
        priority=70,
    )


def submitted(desk: Desk, output: Path, **how: Any) -> tuple[Path, list[str]]:
    """A version that the farm makes, and its jobs."""
    folder, asked = submission(desk, output, **how)
    told = asked.end(desk)["farm"]
    assert told["state"] == "queued" and JobRecord.load(folder).state == "farm"
    return folder, told["jobs"]


def tasks(monkeypatch: pytest.MonkeyPatch, desk: Desk, **told: Any) -> None:
    """What the tasks of jobs that are planned from now on are told."""
    monkeypatch.setitem(desk.environment, "FAKE_PLAN", json.dumps({"tasks": told}))  # type: ignore[arg-type]


def attach(desk: Desk, folder: Path) -> dict[str, Any]:
    return ask(desk, "attach", folder=str(folder), uuid="u1")


def landed(desk: Desk, folder: Path) -> dict[str, Any]:
    """The manifest of a version, asked for until it is there."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found.append(attach(desk, folder))
        return "manifest" in found[-1]

    eventually(there, lambda: found[-1])
    return found[-1]["manifest"]  # type: ignore[no-any-return]


def until_ended(desk: Desk, name: str) -> None:
    ref = JobRef.parse(name)
    farm = FarmJobs(desk.environment).farm_of(ref)
    eventually(lambda: farm.status(ref).has_ended, lambda: farm.status(ref))


def row(desk: Desk, output: Path, look: bool = False) -> dict[str, Any]:
    (found,) = ask(desk, "versions", output=str(output), look=look)["versions"]
    return found  # type: ignore[no-any-return]


# -- before anything is rendered ------------------------------------------------------------------------------------


def test_without_a_site_the_button_says_what_to_do(desk: Desk, output: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"server_command": WORKER}))
    (problem,) = prepare(desk, output)["problems"]
    assert "No farm is configured" in problem["text"] and "$VOID_SITE" in problem["text"]
    assert problem["level"] == "error" and not output.exists()


@pytest.mark.parametrize(
    ("farm", "site", "words"),
    [
        ("tractor", "", "There is no farm 'tractor'; known are local, slurm"),
        ("", 'default = "tractor"', "There is no farm 'tractor'"),
        ("", 'colour = "blue"', "the unknown key 'colour' in [farm]"),
        ("slurm", "", "Slurm's program sbatch is not on PATH"),
        ("local", 'command = ["/no/such/void-server"]', "starts void-server as /no/such/void-server"),
        ("silent", "", "The farm silent did not answer within 0.1 seconds"),
    ],
)
def test_a_farm_that_cannot_be_used_is_told_before_anything_is_rendered(
    desk: Desk, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, farm: str, site: str, words: str
) -> None:
    monkeypatch.setattr("void_plugin.preparation.FARM_SECONDS", 0.1 if farm == "silent" else 60.0)
    desk = Desk({**desk.environment, "PATH": "/nowhere", "FAKE_SILENT": "1"})
    (tmp_path / "site.toml").write_text(f"[farm]\n{site}\n")
    problems = prepare(desk, output, farm=farm)["problems"]
    assert len(problems) == 1 and words in problems[0]["text"], problems
    assert not output.exists()


def test_no_server_is_asked_for_what_goes_to_the_farm(desk: Desk, output: Path) -> None:
    assert prepare(desk, output, engine="void") == {"problems": [], "version": 1, "folder": f"{output}/v001"}
    (problem,) = prepare(desk, output, on_farm=False)["problems"]
    assert "127.0.0.1:1" in problem["text"]


def test_a_machine_that_cannot_plan_is_told(desk: Desk, output: Path, tmp_path: Path) -> None:
    config = {"site": str(tmp_path / "site.toml"), "server_command": ["/no/such/void-server"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (problem,) = prepare(desk, output)["problems"]
    assert "is planned on this machine, where void-server is not to be found as /no/such" in problem["text"]


# -- from the button to the version ---------------------------------------------------------------------------------


def test_a_job_on_the_farm_becomes_a_version_as_one_of_a_server_does(desk: Desk, output: Path) -> None:
    folder, (job,) = submitted(desk, output)
    record = JobRecord.load(folder)
    assert record.farm["name"] == "local" and record.job_names == [job] and record.user and record.began
    assert (folder / record.farm["jobs"]["main"]["folder"] / "plan.json").parent.is_dir()
    (kept,) = Records(desk.environment, "local").all()
    assert str(kept.ref) == job and kept.shot == "sh010_main"
    manifest = landed(desk, folder)
    assert manifest == read_manifest(folder) == attach(desk, folder)["manifest"]
    view = manifest["views"]["main"]
    assert view["patch"] == "patch/main/VoidRemove1.%04d.exr" and (folder / view["result"]).is_file()
    assert manifest["settings"] == {"seed": 7} and manifest["node"]["uuid"] == "u1" and manifest["version"] == 1
    assert manifest["engine"] == "recover" and manifest["summary"]["recovered"] == 0.1
    assert manifest["warnings"] == [{"view": "main", "code": "fake", "frame": None, "text": "It is a fake."}]
    assert manifest["seconds"] >= 0 and len(manifest["inputs"]["digest"]) == 64 and manifest["frames"] == "1001-1004"
    assert not (folder / "inputs").exists() and JobRecord.load(folder).state == "done"
    assert row(desk, output)["state"] == "done" and desk.leave() == set()


def test_two_views_are_two_jobs_and_one_version(desk: Desk, output: Path) -> None:
    folder, jobs = submitted(desk, output, views=("left", "right"))
    assert len(set(jobs)) == 2
    manifest = landed(desk, folder)
    assert set(manifest["views"]) == {"left", "right"} and manifest["summary"]["recovered"] == pytest.approx(0.1)
    assert [item["view"] for item in manifest["warnings"]] == ["left", "right"]


def test_until_it_is_there_the_version_says_how_it_stands(
    desk: Desk, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks(monkeypatch, desk, until=str(tmp_path / "go"))
    folder, (job,) = submitted(desk, output)
    found = row(desk, output)
    assert found["state"] == "farm" and job in found["text"] and "farm" not in found, "nobody was asked"
    eventually(lambda: attach(desk, folder)["farm"]["state"] == "running", lambda: attach(desk, folder))
    told = row(desk, output, look=True)["farm"]
    assert told["jobs"] == [job] and told["state"] == "running" and (folder / "inputs").exists()
    kept = ask(desk, "delete", output=str(output), folders=[str(folder)])["kept"]
    assert "cancel it there first" in kept[0]["text"] and folder.exists()
    with pytest.raises(HostError, match="it is farm; it was kept"):
        ask(desk, "release", folder=str(folder))
    with pytest.raises(HostError, match="is farm already"):
        request = JobRecord.load(folder).requests
        ask(desk, "submit", folder=str(folder), requests=request, node={}, facts={}, server="", farm="")
    (tmp_path / "go").touch()
    until_ended(desk, job)
    assert row(desk, output, look=True)["state"] == "done" and read_manifest(folder)["version"] == 1


def test_what_was_warned_of_before_submitting_is_told(
    desk: Desk, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(desk.environment, "FAKE_PLAN", json.dumps({"warn": "The matte is thin."}))  # type: ignore[arg-type]
    _, asked = submission(desk, output)
    asked.end(desk)
    assert [event["text"] for event in asked.events if event["kind"] == "Warned"] == ["The matte is thin."]


def test_sidecars_that_pick_up_at_once_make_one_version(desk: Desk, output: Path) -> None:
    folder, (job,) = submitted(desk, output)
    until_ended(desk, job)
    line = threading.Barrier(4)

    def pick_up(number: int) -> dict[str, Any]:
        line.wait()
        return attach(Desk(dict(desk.environment)), folder)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(pick_up, range(4)))
    assert [answer["manifest"] for answer in found] == [read_manifest(folder)] * 4


def test_whoever_looks_while_another_picks_up_waits_for_it_and_who_only_lists_does_not(
    desk: Desk, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("void_plugin.claim.PATIENCE_SECONDS", 0.0)
    folder, (job,) = submitted(desk, output)
    until_ended(desk, job)
    asked = Asked("attach", folder=str(folder), uuid="u1")
    with ThreadPoolExecutor(1) as pool:
        with claimed(folder, "ann"):
            found = pool.submit(asked.end, desk)
            assert "being worked on" in row(desk, output, look=True)["text"] and not found.done()
        assert found.result(60)["manifest"] == read_manifest(folder)


def test_nobody_else_is_kept_from_picking_it_up(desk: Desk, output: Path) -> None:
    folder, (job,) = submitted(desk, output)
    until_ended(desk, job)
    replace(JobRecord.load(folder), user="anna", machine="box7").save(folder)
    # Another user knows nothing of the job: what is on disk has to do.
    shutil.rmtree(Path(desk.environment["XDG_STATE_HOME"]))
    assert landed(desk, folder)["version"] == 1


def test_a_job_that_its_farm_has_forgotten_counts_once_every_file_is_there(desk: Desk, output: Path) -> None:
    folder, (job,) = submitted(desk, output)
    until_ended(desk, job)
    shutil.rmtree(Path(desk.environment["XDG_STATE_HOME"]))
    frame = folder / "patch/main/VoidRemove1.1003.exr"
    text = frame.read_text()
    for broken in (lambda: frame.write_text("cut"), frame.unlink):
        broken()
        told = attach(desk, folder)["farm"]
        assert told["state"] == "unknown" and "was not submitted by this user" in told["text"]
    frame.write_text(text)
    assert landed(desk, folder)["version"] == 1


# -- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_job_that_fails_is_a_failed_version_with_the_farms_sentence_and_resubmitted_it_lands(
    desk: Desk, output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks(monkeypatch, desk, fail="compose")
    folder, (job,) = submitted(desk, output)
    until_ended(desk, job)
    for _ in range(2):
        with pytest.raises(FarmError, match=f"The fake cannot compose. Its log: void farm logs {job}"):
            attach(desk, folder)
    found = row(desk, output)
    assert found["state"] == "failed" and "The fake cannot compose." in found["text"] and (folder / "inputs").exists()
    tasks(monkeypatch, desk)
    monkeypatch.setenv("FAKE_PLAN", desk.environment["FAKE_PLAN"])
    (place,) = folder.glob("patch/main/.void/*")
    assert cli.main(["submit", str(place), "--wait"]) == 0
    assert f"The version {folder} is complete." in capsys.readouterr().err
    assert attach(desk, folder)["manifest"] == read_manifest(folder)
    assert JobRecord.load(folder).job_names != [job] and row(desk, output)["state"] == "done"


def test_who_lists_versions_hears_of_a_failed_one_that_was_submitted_again(
    desk: Desk, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks(monkeypatch, desk, fail="compose")
    folder, (job,) = submitted(desk, output)
    until_ended(desk, job)
    eventually(lambda: row(desk, output, look=True)["state"] == "failed", lambda: row(desk, output))
    tasks(monkeypatch, desk, until=str(tmp_path / "go"))
    monkeypatch.setenv("FAKE_PLAN", desk.environment["FAKE_PLAN"])
    (place,) = folder.glob("patch/main/.void/*")
    assert cli.main(["submit", str(place)]) == 0
    found = row(desk, output, look=True)
    (again,) = found["farm"]["jobs"]
    assert found["state"] == "farm" and again != job and row(desk, output)["state"] == "failed"
    (tmp_path / "go").touch()
    until_ended(desk, again)
    assert row(desk, output, look=True)["state"] == "done" and read_manifest(folder)["version"] == 1


def test_what_the_farm_refuses_is_told_and_nothing_is_submitted(desk: Desk, output: Path, tmp_path: Path) -> None:
    folder, asked = submission(desk, output)
    (tmp_path / "site.toml").write_text("[farm]\nframes_per_task = 0\n")
    with pytest.raises(FarmError, match="frames_per_task"):
        asked.end(desk)
    assert JobRecord.load(folder).state == "reserved", "that was no fault of the version"
    (tmp_path / "site.toml").write_text(f"[farm]\ncommand = {json.dumps(WORKER)}\n")
    desk.environment["FAKE_PLAN"] = json.dumps({"fail": "request.matte_empty"})  # type: ignore[index]
    with pytest.raises(FarmError, match="The fake cannot plan"):
        asked.end(desk)
    record = JobRecord.load(folder)
    assert record.state == "failed" and record.error["text"] == "The fake cannot plan."
    assert not Records(desk.environment, "local").all()
    desk.environment["FAKE_PLAN"] = "{}"  # type: ignore[index]
    assert asked.end(desk)["farm"]["jobs"] and landed(desk, folder)


def test_all_views_are_submitted_or_none(desk: Desk, output: Path) -> None:
    desk = Desk({**desk.environment, "FAKE_LIMIT": "1"})
    folder, asked = submission(desk, output, views=("left", "right"), farm="silent")
    with pytest.raises(FarmError, match="The silent farm is full"):
        asked.end(desk)
    (kept,) = Records(desk.environment, "silent").all()
    assert kept.facts == {"cancelled": True} and JobRecord.load(folder).state == "failed"


def test_inputs_that_are_not_all_there_are_told_before_anything_is_submitted(desk: Desk, output: Path) -> None:
    folder, asked = submission(desk, output)
    (folder / "inputs/main/matte.1002.exr").unlink()
    with pytest.raises(FrameError, match=r"matte\.%04d\.exr lacks frames 1002"):
        asked.end(desk)
    assert not Records(desk.environment, "local").all()


def test_a_farm_that_does_not_answer_loses_nothing(desk: Desk, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farmversion, "STATUS_SECONDS", 0.1)
    folder, (job,) = submitted(desk, output, farm="silent")
    told = attach(desk, folder)["farm"]
    assert told["jobs"] == [job] and told["state"] == "unknown" and "did not answer within 0.1 seconds" in told["text"]
    told = ask(desk, "cancel_farm", folder=str(folder))["farm"]
    assert "It was not cancelled" in told["text"] and JobRecord.load(folder).state == "farm" and folder.exists()


def test_a_question_to_a_farm_gives_its_answer_or_its_error() -> None:
    def broken() -> None:
        raise FarmError("It is away.")

    assert within(60, "x", lambda: 3) == 3
    with pytest.raises(FarmError, match="It is away"):
        within(60, "x", broken)


# -- whoever submits dies -------------------------------------------------------------------------------------------


def test_a_job_whose_name_was_never_noted_is_found_again(desk: Desk, output: Path) -> None:
    folder, (job,) = submitted(desk, output)
    record = JobRecord.load(folder)
    replace(record, farm={"name": "local", "jobs": {}}).save(folder)
    assert landed(desk, folder)["version"] == 1 and JobRecord.load(folder).job_names == [job]


def test_a_version_that_was_never_submitted_says_so(desk: Desk, output: Path) -> None:
    folder, (job,) = submitted(desk, output)
    until_ended(desk, job)
    shutil.rmtree(Path(desk.environment["XDG_STATE_HOME"]))
    record = replace(JobRecord.load(folder), farm={"name": "local", "jobs": {}})
    replace(record, machine="box7").save(folder)
    assert "being submitted by" in attach(desk, folder)["farm"]["text"], "who knows what goes on there"
    record.save(folder)
    with pytest.raises(FarmError, match=r"The job was not submitted: .* Press Submit to farm again"):
        attach(desk, folder)
    assert row(desk, output)["state"] == "failed"


def test_a_host_that_goes_while_it_submits_leaves_the_job_to_the_farm(desk: Desk, output: Path, tmp_path: Path) -> None:
    desk.environment["FAKE_PLAN"] = json.dumps({"until": str(tmp_path / "planned")})  # type: ignore[index]
    folder, asked = submission(desk, output)
    with ThreadPoolExecutor(2) as pool:
        ended = pool.submit(asked.end, desk)
        eventually(lambda: list(folder.glob("patch/main/.void/*")), lambda: "nothing is planned")
        asked.call.leave()
        (tmp_path / "planned").touch()
        assert len(ended.result(60)["farm"]["jobs"]) == 1
    assert landed(desk, folder)["version"] == 1


# -- cancel ---------------------------------------------------------------------------------------------------------


def test_cancelling_stops_the_job_on_the_farm_and_removes_the_version(
    desk: Desk, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks(monkeypatch, desk, until=str(tmp_path / "never"))
    folder, (job,) = submitted(desk, output)
    with pytest.raises(Cancelled):
        ask(desk, "cancel_farm", folder=str(folder))
    assert list(output.iterdir()) == []
    (status,) = json.loads(void("farm", "status", job, "--json").stdout)
    assert status["state"] == "cancelled"


@pytest.mark.parametrize("when", ["while it is planned", "on the farm"])
def test_a_folder_is_let_go_before_it_is_removed_as_windows_wants_it(
    desk: Desk, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    held: list[bool] = []

    def watched(folder: Path) -> None:
        held.append(is_claimed(folder))
        remove_folder(folder)

    for module in (farmsubmit, farmversion):
        monkeypatch.setattr(module, "remove_folder", watched)
    if when == "on the farm":
        tasks(monkeypatch, desk, until=str(tmp_path / "never"))
        folder, _ = submitted(desk, output)
        asked = Asked("cancel_farm", folder=str(folder))
    else:
        folder, asked = submission(desk, output)
        asked.call.cancel()
    with pytest.raises(Cancelled):
        asked.end(desk)
    assert held == [False] and list(output.iterdir()) == []


def test_a_job_that_was_faster_than_its_cancel_is_a_version(desk: Desk, output: Path) -> None:
    folder, (job,) = submitted(desk, output)
    until_ended(desk, job)
    assert ask(desk, "cancel_farm", folder=str(folder))["manifest"] == read_manifest(folder)
    assert ask(desk, "cancel_farm", folder=str(folder))["manifest"] == read_manifest(folder)


def test_a_job_cancelled_on_the_farm_is_a_failed_version(
    desk: Desk, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks(monkeypatch, desk, until=str(tmp_path / "never"))
    folder, (job,) = submitted(desk, output)
    assert void("farm", "cancel", job).returncode == 0
    assert void("farm", "wait", job).returncode == 1
    with pytest.raises(FarmError, match=f"The job {job} was cancelled on the farm"):
        attach(desk, folder)
    assert row(desk, output)["state"] == "failed"
    assert ask(desk, "delete", output=str(output), folders=[str(folder)])["deleted"] == [str(folder)]


def test_tasks_that_do_not_stop_keep_the_folder(
    desk: Desk, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farmversion, "STOP_SECONDS", 0.0)
    tasks(monkeypatch, desk, until=str(tmp_path / "go"), stops=3.0)
    folder, _ = submitted(desk, output)
    eventually(lambda: list(folder.glob("patch/main/.void/*/calls.jsonl")), lambda: "no task has begun")
    with pytest.raises(FarmError, match="have not stopped within 0 seconds; delete the version later"):
        ask(desk, "cancel_farm", folder=str(folder))
    assert JobRecord.load(folder).state == "failed" and folder.exists()


def test_cancelled_while_it_is_planned_nothing_is_left(desk: Desk, output: Path, tmp_path: Path) -> None:
    desk.environment["FAKE_PLAN"] = json.dumps({"until": str(tmp_path / "never")})  # type: ignore[index]
    folder, asked = submission(desk, output)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(asked.end, desk)
        eventually(lambda: list(folder.glob("patch/main/.void/*")), lambda: "nothing is planned")
        asked.call.cancel()
        with pytest.raises(Cancelled):
            ended.result(60)
    assert list(output.iterdir()) == [] and not Records(desk.environment, "local").all()


def test_only_whose_job_it_is_can_cancel_it(
    desk: Desk, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks(monkeypatch, desk, until=str(tmp_path / "go"))
    folder, (job,) = submitted(desk, output)
    replace(JobRecord.load(folder), user="anna", machine="box7").save(folder)
    with pytest.raises(HostError, match="is a job of anna on box7"):
        ask(desk, "cancel_farm", folder=str(folder))
    (tmp_path / "go").touch()
    until_ended(desk, job)


def test_who_does_not_wait_for_the_answer_of_the_farm_has_not_cancelled_its_job(desk: Desk, output: Path) -> None:
    folder, (job,) = submitted(desk, output)
    asked = Asked("attach", folder=str(folder), uuid="u1")
    asked.call.cancel()
    assert asked.end(desk)["farm"]["jobs"] == [job] and JobRecord.load(folder).state == "farm"
    asked = Asked("attach", folder=str(folder), uuid="u1")
    asked.call.leave()
    with pytest.raises(Cancelled):
        asked.end(desk)
    assert landed(desk, folder)["version"] == 1


# -- from outside a host --------------------------------------------------------------------------------------------


def void(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "void_plugin.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("action", [("wait",), ("status",), ("status", "all")])
def test_a_wrangler_who_asks_for_the_job_makes_it_a_version(desk: Desk, output: Path, action: tuple[str, ...]) -> None:
    folder, (job,) = submitted(desk, output)
    until_ended(desk, job)
    names = [] if "all" in action else [job]
    done = void("farm", action[0], *names, "--json")
    assert done.returncode == 0 and f"The version {folder} is complete." in done.stderr
    assert read_manifest(folder)["version"] == 1 and not (folder / "inputs").exists()
    again = void("farm", action[0], *names)
    assert again.returncode == 0 and again.stderr == ""


def test_a_wrangler_with_another_account_names_the_folder_of_the_version(
    desk: Desk, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Repository() as repository:
        openjd = json.dumps([sys.executable, "-m", "openjd"])
        (tmp_path / "site.toml").write_text(
            f"[farm]\ncommand = {json.dumps(WORKER)}\nopenjd = {openjd}\n"
            f"[farm.deadline10]\ncommand = {json.dumps(PROGRAM)}\n"
        )
        monkeypatch.setenv("FAKE_DEADLINE", repository.url)
        folder, (job,) = submitted(
            Desk({**desk.environment, "FAKE_DEADLINE": repository.url}), output, farm="deadline10"
        )
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "wrangler"))
        unknown = void("farm", "wait", job)
        assert unknown.returncode == 1 and "name the folder of its results" in unknown.stderr
        done = void("farm", "wait", str(folder))
        assert done.returncode == 0 and f"The version {folder} is complete." in done.stderr, done
        assert done.stdout.startswith(f"{job}\t") and read_manifest(folder)["version"] == 1
        (place,) = folder.glob("patch/main/.void/*")
        for named in (job, str(place), str(folder / "patch/main")):
            assert "did verify" in void("farm", "logs", named).stdout
    nothing = void("farm", "status", str(tmp_path))
    assert nothing.returncode == 1 and "No job was submitted for" in nothing.stderr


def test_a_version_that_cannot_be_made_is_told_to_the_wrangler(desk: Desk, output: Path) -> None:
    folder, (job,) = submitted(desk, output)
    until_ended(desk, job)
    (folder / "inputs/main/plate.1002.exr").unlink()
    done = void("farm", "wait", job)
    assert done.returncode == 1 and "plate.%04d.exr lacks frames 1002" in done.stderr
    assert not (folder / "manifest.json").exists() and JobRecord.load(folder).state == "farm"


def test_a_job_whose_version_was_deleted_is_only_a_job(desk: Desk, output: Path) -> None:
    folder, (job,) = submitted(desk, output)
    until_ended(desk, job)
    shutil.rmtree(folder)
    done = void("farm", "wait", job)
    assert done.returncode == 0 and done.stderr == ""


def test_results_that_travel_are_fetched_by_who_waits_for_them(desk: Desk, output: Path) -> None:
    folder, (job,) = submitted(desk, output, farm="carrying")
    until_ended(desk, job)
    (result,) = folder.glob("patch/main/.void/*/result.json")
    away = result.rename(result.with_name("away.json"))
    told = row(desk, output, look=True)["farm"]
    assert told["state"] == "succeeded" and "is not to be seen here yet" in told["text"]
    with contextlib.suppress(VoidError):
        attach(desk, folder)
    assert Path("fetched").exists()
    away.rename(result)
    assert landed(desk, folder)["version"] == 1
