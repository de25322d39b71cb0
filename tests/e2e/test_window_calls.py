"""What windows ask about servers, farms and timelines, answered for real: `recover`, the slow engine, farm `local`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edits
import opentimelineio as otio
import pytest
import soak
from edits import RATE, Range, Time
from monitored import ask, folder_of, request_of, slow_of, states, submit, user
from servers import Server, until
from shots import Shot, build_shot

from void_plugin.editorial.adapters import to_text
from void_plugin.errors import FarmError, HostError, JobError, RequestError, ServerError
from void_plugin.request import RemovalRequest

FRAMES = 8


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    return build_shot(tmp_path / "shot", count=FRAMES, size=(54, 96), pan=2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with soak.slow_server(tmp_path, "--workers", "1") as running:
        yield running


@pytest.fixture
def mary(tmp_path: Path, server: Server) -> dict[str, str]:
    """Somebody with that server and the farm `local`."""
    return user(tmp_path / "mary", server)


def ended(environment: dict[str, str], shot: str) -> dict[str, Any]:
    def look() -> Any:
        rows = [row for row in ask(environment, "jobs")["jobs"] if row["shot"] == shot and row["ended_at"]]
        return rows and rows[0]

    return until(look, 120.0, f"an end of {shot}")


# -- servers -------------------------------------------------------------------------------------------------------


def test_jobs_are_told_with_their_folder_and_the_device_at_work(mary: dict[str, str], shot: Shot) -> None:
    submit(mary, request_of(shot, "sh010"))
    ended(mary, "sh010")
    gate = shot.folder / "go"
    submit(mary, slow_of(shot, "sh020", at=shot.frames.first, until=str(gate)))
    submit(mary, slow_of(shot, "sh030", at=shot.frames.first, until=str(gate)))

    def looked() -> Any:
        told = ask(mary, "jobs")
        return told if any(row["device"] for row in told["jobs"]) else None

    told = until(looked, 60.0, "a device at work")
    gate.touch()
    assert [row["shot"] for row in told["jobs"]] == ["sh030", "sh020", "sh010"]
    assert [row["state"] for row in told["jobs"]] == ["queued", "running", "succeeded"]
    assert [row["device"] for row in told["jobs"]] == ["", "cpu", ""]
    assert [row["folder"] for row in told["jobs"]] == [str(folder_of(shot, f"sh0{n}0")) for n in (3, 2, 1)]
    assert told["everyone"] and told["complete"] and told["address"] == mary["VOID_SERVER"]
    assert not ask(mary, "jobs", most=1)["complete"]
    ended(mary, "sh030")


def test_one_of_several_is_cancelled_and_what_cannot_be_is_said(mary: dict[str, str], shot: Shot) -> None:
    gate = shot.folder / "go"
    ids = [submit(mary, slow_of(shot, f"sh0{n}0", at=shot.frames.first, until=str(gate))) for n in (1, 2)]
    told = ask(mary, "job_cancel", jobs=[ids[1], "job-of-nobody"])
    assert list(told["states"]) == [ids[1]] and list(told["refused"]) == ["job-of-nobody"]
    assert told["refused"]["job-of-nobody"].endswith(".")
    until(lambda: states(mary)["sh020"] == "cancelled", 60.0, "the end of the second")
    assert states(mary)["sh010"] in ("queued", "running")
    gate.touch()
    assert ended(mary, "sh010")["state"] == "succeeded"


def test_a_failed_job_is_run_again_and_only_what_is_missing_is_made(mary: dict[str, str], shot: Shot) -> None:
    marks = shot.folder / "marks"
    marks.mkdir()
    # The first unit of four frames is finished, then the second fails, once.
    told = {"do": "error", "at": shot.frames.first + 5, "marks": str(marks), "times": 1}
    submit(mary, slow_of(shot, "sh010", **told))
    failed = ended(mary, "sh010")
    assert failed["state"] == "failed" and failed["error_text"].endswith(".") and failed["again"]
    units = {path: path.stat().st_mtime_ns for path in folder_of(shot, "sh010").glob(".void/*/units/*/manifest.json")}
    assert units
    assert ask(mary, "job_retry", job=failed["job_id"]) == {}
    assert ended(mary, "sh010")["state"] == "succeeded"
    assert all(path.stat().st_mtime_ns == when for path, when in units.items())
    assert len(list(folder_of(shot, "sh010").glob("result.*.exr"))) == FRAMES


def test_a_version_that_failed_is_taken_up_and_committed(mary: dict[str, str], shot: Shot) -> None:
    marks, output = shot.folder / "marks", shot.folder / "out"
    marks.mkdir()
    prepared = ask(
        mary, "prepare", output=str(output), name="sh010", uuid="u1", script="", frames=str(shot.frames), bytes=1000,
        engine="slow", server="", views=["main"], test=False, kind="remove",
    )  # fmt: skip
    folder = prepared["folder"]
    request = slow_of(shot, "sh010", do="error", at=shot.frames.first + 5, marks=str(marks), times=1).to_dict()
    request["outputs"] = [{"kind": "patch", "pattern": f"{folder}/patch/sh010.%04d.exr"}]
    order = {"folder": folder, "kind": "remove", "requests": {"main": request}, "node": {"uuid": "u1"}, "facts": {}}
    with pytest.raises(JobError):
        ask(mary, "start", server="", **order)
    row = ended(mary, "sh010")
    assert row["folder"] == folder and row["again"]
    assert ask(mary, "job_retry", job=row["job_id"])["manifest"]["frames"] == str(shot.frames)
    assert Path(folder, "manifest.json").is_file()


def test_a_job_of_another_machine_is_listed_and_says_why_it_cannot_be_run_again(
    mary: dict[str, str], server: Server, tmp_path: Path, shot: Shot
) -> None:
    submit(user(tmp_path / "elsewhere", server), slow_of(shot, "sh010", do="error", at=shot.frames.first))
    row = ended(mary, "sh010")
    assert row["state"] == "failed" and row["folder"] == "" and not row["again"]
    with pytest.raises(JobError, match="run it again where it was submitted"):
        ask(mary, "job_retry", job=row["job_id"])


def test_a_version_folder_that_is_gone_is_told(mary: dict[str, str], shot: Shot) -> None:
    folder = shot.folder / "out" / "v001"
    (folder / "patch").mkdir(parents=True)
    (folder / "job.json").write_text("{}")
    outputs = [{"kind": "patch", "pattern": f"{folder}/patch/sh010.%04d.exr"}]
    data = {**slow_of(shot, "sh010", do="error", at=shot.frames.first).to_dict(), "outputs": outputs}
    submit(mary, RemovalRequest.from_json(json.dumps(data), "a test"))
    row = ended(mary, "sh010")
    (folder / "job.json").unlink()
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    with pytest.raises(HostError, match="was removed when its job was cancelled"):
        ask(mary, "job_retry", job=row["job_id"])


def test_who_is_no_supervisor_sees_their_own_jobs(tmp_path: Path, shot: Shot) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("mary maryspasswordhere123\njohn johnspasswordhere456\n")
    tokens.chmod(0o600)
    settings = tmp_path / "server.toml"
    settings.write_text(f'token_file = "{tokens}"\n[identities.mary]\nroots = ["{tmp_path}"]\n')
    with Server(tmp_path / "state", "--config", str(settings)) as server:
        people = {}
        for name, token in (("mary", "maryspasswordhere123"), ("john", "johnspasswordhere456"), ("eve", "eves")):
            people[name] = {**user(tmp_path / name, server), "VOID_TOKEN_FILE": str(tmp_path / f"{name}.token")}
            (tmp_path / f"{name}.token").write_text(token)
        submit(people["mary"], request_of(shot, "sh010"))
        assert [row["owner"] for row in ask(people["mary"], "jobs")["jobs"]] == ["mary"]
        told = ask(people["john"], "jobs")
        assert told["jobs"] == [] and not told["everyone"]
        with pytest.raises(ServerError) as refused:
            ask(people["eve"], "jobs")
        assert refused.value.code == "server.unauthenticated"
        until(lambda: ask(people["mary"], "jobs")["jobs"][0]["ended_at"], 120.0, "the end of the job")


def test_a_server_that_hangs_is_given_up_in_time(mary: dict[str, str], server: Server) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(ServerError, match="has not answered"):
            ask(mary, "jobs")
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert ask(mary, "jobs")["jobs"] == []


def test_without_a_server_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="No server is configured"):
        ask(user(tmp_path / "mary"), "jobs")


# -- farms ---------------------------------------------------------------------------------------------------------


def test_a_request_goes_to_the_farm_and_its_job_is_followed(tmp_path: Path, shot: Shot) -> None:
    mary = user(tmp_path / "mary")
    request = request_of(shot, "sh010").to_dict()
    assert ask(mary, "farms")["default"] == "local" and "slurm" in ask(mary, "farms")["farms"]
    tried = ask(mary, "farm_submit", request=request, farm="local", dry_run=True)
    assert (
        tried["findings"] == []
        and tried["job"] is None
        and tried["units"] >= 1
        and tried["input_bytes"] > 0
        and tried["farm"] == "local"
    )
    assert ask(mary, "farm_jobs")["jobs"] == []
    told = ask(mary, "farm_submit", request=request, farm="local", priority=70)
    assert told["job"].startswith("local:")

    def done() -> Any:
        row = ask(mary, "farm_jobs", farm="local")["jobs"][0]
        return row if row["state"] not in ("queued", "running") else None

    row = until(done, 120.0, "the end of the job")
    assert (row["ref"], row["state"], row["shot"], row["fraction"]) == (told["job"], "succeeded", "sh010", 1.0)
    assert row["job_folder"] == told["folder"] and row["folder"] == str(folder_of(shot, "sh010"))
    assert Path(row["result"]).is_file()
    assert len(list(folder_of(shot, "sh010").glob("result.*.exr"))) == FRAMES


def test_a_job_on_the_farm_is_cancelled_and_submitted_again(tmp_path: Path, shot: Shot) -> None:
    mary, gate = user(tmp_path / "mary"), shot.folder / "go"
    request = slow_of(shot, "sh010", at=shot.frames.first + 5, until=str(gate)).to_dict()
    ref = ask(mary, "farm_submit", request=request)["job"]
    until(lambda: ask(mary, "farm_jobs")["jobs"][0]["state"] == "running", 120.0, "a running job")
    told = ask(mary, "farm_cancel", jobs=[ref, "local:none", "no job"])
    assert set(told["refused"]) == {"local:none", "no job"}
    until(lambda: ask(mary, "farm_jobs")["jobs"][0]["state"] == "cancelled", 120.0, "its end")
    row = ask(mary, "farm_jobs")["jobs"][0]
    assert row["again"]
    gate.touch()
    again = ask(mary, "farm_submit", path=row["job_folder"], farm="local")
    assert again["folder"] == row["job_folder"] and again["job"] != ref
    until(lambda: ask(mary, "farm_jobs")["jobs"][0]["state"] == "succeeded", 120.0, "the second")


def test_what_keeps_a_request_from_a_farm_stands_in_its_findings(tmp_path: Path, shot: Shot) -> None:
    mary = user(tmp_path / "mary")
    Path(shot.plate % (shot.frames.first + 2)).unlink()
    told = ask(mary, "farm_submit", request=request_of(shot, "sh010").to_dict(), farm="local")
    assert told["job"] is None
    assert [finding["level"] for finding in told["findings"]] == ["error"]
    with pytest.raises(FarmError, match="There is no farm 'nowhere'"):
        ask(mary, "farm_submit", request=request_of(shot, "sh010").to_dict(), farm="nowhere")
    with pytest.raises(FarmError, match="There is no farm 'nowhere'"):
        ask(mary, "farm_jobs", farm="nowhere")


# -- timelines -----------------------------------------------------------------------------------------------------


@pytest.fixture
def edit(shot: Shot, tmp_path: Path) -> Path:
    """A timeline of a shot that can be sent, one that has no matte, and one that is switched off."""
    plates = tmp_path / "plates"
    for frame in shot.frames:
        for name in ("sh010", "sh020", "sh030"):
            (plates / name).mkdir(parents=True, exist_ok=True)
            os.link(shot.folder / f"plate.{frame}.exr", plates / name / f"{name}.{frame}.exr")
        (tmp_path / "mattes" / "sh010").mkdir(parents=True, exist_ok=True)
        os.link(shot.folder / f"object_matte.{frame}.exr", tmp_path / "mattes" / "sh010" / f"sh010.{frame}.exr")
    clips = [
        edits.clip(name, 86401, 4, media=FRAMES, folder=str(plates), origin=86400)
        for name in ("sh010", "sh020", "sh030")
    ]
    for clip in clips:
        clip.markers.append(otio.schema.Marker("VOID", Range(Time(86402, RATE), Time(1, RATE)), "RED"))
    clips[2].enabled = False
    path = tmp_path / "cut.otio"
    path.write_text(to_text(edits.timeline(clips)))
    return path


def test_a_timeline_gives_shots_reasons_and_requests(tmp_path: Path, edit: Path) -> None:
    mary = user(tmp_path / "mary")
    told = ask(mary, "timeline_shots", path=str(edit), matte_root=str(tmp_path / "mattes"))
    assert [row["name"] for row in told["shots"]] == ["sh010", "sh020"]
    assert told["shots"][0]["problems"] == [] and "matte" in told["shots"][1]["problems"][0]
    assert told["skipped"][0]["name"] == "sh030" and told["skipped"][0]["reason"] == "it is switched off"
    assert told["requests"] == [] and told["version"] == 1
    assert not list(tmp_path.glob("cut_VOID/*"))
    told = ask(mary, "timeline_shots", path=str(edit), matte_root=str(tmp_path / "mattes"), chosen=["sh010"])
    assert len(told["requests"]) == 1
    assert ask(mary, "open_request", path=told["requests"][0])["request"]["shot"] == "sh010"
    with pytest.raises(RequestError, match="None of these shots can be sent"):
        ask(mary, "timeline_shots", path=str(edit), matte_root=str(tmp_path / "nowhere"), chosen=["sh020"], version=2)


def test_shots_that_were_opened_before_stay_in_the_version(tmp_path: Path, edit: Path) -> None:
    mary, mattes = user(tmp_path / "mary"), tmp_path / "mattes"
    (mattes / "sh020").mkdir()
    for path in (mattes / "sh010").iterdir():
        os.link(path, mattes / "sh020" / path.name.replace("sh010", "sh020"))
    for name in ("sh010", "sh020"):
        ask(mary, "timeline_shots", path=str(edit), matte_root=str(mattes), chosen=[name])
    held = json.loads((tmp_path / "cut_VOID" / "v001" / "shots.json").read_text())
    assert [row["name"] for job in held["jobs"] for row in job["shots"]] == ["sh010", "sh020"]


def test_a_timeline_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cut.otio"
    path.write_text("no timeline")
    with pytest.raises(RequestError, match="no OTIO that can be read"):
        ask(user(tmp_path / "mary"), "timeline_shots", path=str(path))


def test_without_opentimelineio_there_is_a_sentence(tmp_path: Path, edit: Path, monkeypatch: Any) -> None:
    for name in [name for name in sys.modules if name.startswith("void_plugin.editorial")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(RequestError, match=r"void_plugin\[otio\]"):
        ask(user(tmp_path / "mary"), "timeline_shots", path=str(edit))


# -- windows -------------------------------------------------------------------------------------------------------


def test_a_panel_that_cannot_open_says_why(tmp_path: Path) -> None:
    mary = user(tmp_path / "mary")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        mary.pop(name, None)
    with pytest.raises(HostError, match="There is no screen here"):
        ask(mary, "panel", requests=[])


def test_a_panel_goes_on_by_itself(tmp_path: Path) -> None:
    pid = ask({**user(tmp_path / "mary"), "QT_QPA_PLATFORM": "offscreen"}, "panel", requests=[])["pid"]
    try:
        assert os.getpgid(pid) == pid != os.getpgid(0)
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not Path(f"/proc/{pid}").exists(), 60.0, "the end of the panel")
