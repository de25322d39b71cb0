"""Requests through the farm `local` with the real void-server: the same bytes as `void remove`, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import farmruns
import pytest
from farmruns import about, digests, eventually, request_of, saved
from shots import Shot, build_shot, run_in_process

from void_plugin.config import Config
from void_plugin.farm import JobRef, Site, open_farm
from void_plugin.farm.localjob import LocalJob
from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ENGINES = {
    "slow": "fakes.slow_engine:SlowEngine",
    "card": "fakes.slow_engine:CardEngine",
    "painter": "fakes.painter_engine:PainterEngine",
}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that starts the void-server of this tree, one thread a task, each unit a task."""
    for name in [name for name in os.environ if name.startswith("VOID_")]:
        monkeypatch.delenv(name)
    config = {"server_command": [sys.executable, "-m", "void_server"], "site": str(tmp_path / "site.toml")}
    (tmp_path / "config.json").write_text(json.dumps({**config, "workers": 1, "engines": ENGINES}))
    (tmp_path / "site.toml").write_text("[farm]\nunits_per_task = 1\nframes_per_task = 6\n")
    monkeypatch.setenv("VOID_CONFIG", str(tmp_path / "config.json"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    paths = [str(ROOT), str(ROOT / "server"), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


@pytest.fixture
def moving(tmp_path: Path) -> Shot:
    """A panning shot of twelve frames: three units."""
    return build_shot(tmp_path / "plates", count=12, pan=3)


def void(*arguments: str) -> subprocess.CompletedProcess[str]:
    return farmruns.void(os.environ, *arguments)


def submitted(path: str) -> str:
    done = void("submit", path, "--json")
    assert done.returncode == 0, done.stderr
    name: str = json.loads(done.stdout)["shots"][0]["job"]
    return name


def state_of(name: str) -> dict[str, object]:
    done = void("farm", "status", name, "--json")
    assert done.returncode == 0, done.stderr
    (status,) = json.loads(done.stdout)
    return status  # type: ignore[no-any-return]


def wait_for(folder: Path, pattern: str) -> None:
    eventually(lambda: list(folder.glob(pattern)), lambda: f"no {pattern} in {folder}")


def wait_until_nothing_is_left(folder: Path) -> None:
    eventually(lambda: not about(folder), lambda: f"processes {about(folder)} were left behind")


@pytest.fixture
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """Whatever the test did, no process of it is left after some time."""
    yield
    wait_until_nothing_is_left(tmp_path)


def test_a_shot_through_the_farm_has_the_bytes_of_void_remove_and_is_not_made_again(
    moving: Shot, tmp_path: Path
) -> None:
    run_in_process(request_of(moving, "server"))
    path = saved(request_of(moving), tmp_path)
    done = void("submit", path, "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Solve 3, Compose 2, Verify 1" in done.stdout
    assert digests(tmp_path / "farm") == digests(tmp_path / "server") and len(digests(tmp_path / "farm")) == 24
    theirs, ours = (
        json.loads(next((tmp_path / name / ".void").glob("*/result.json")).read_text()) for name in ("server", "farm")
    )
    for name in ("frames", "engine", "settings", "frames_asked", "warnings", "shot", "result_version"):
        assert theirs[name] == ours[name], name
    assert set(theirs) == set(ours) and theirs["summary"].keys() == ours["summary"].keys()

    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "farm").rglob("*.exr")}
    again = void("submit", path, "--wait")
    assert again.returncode == 0 and "3 of 3 units are solved already" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "farm").rglob("*.exr")} == stamps


@pytest.mark.usefixtures("nothing_left")
def test_cancelled_in_the_middle_of_solving_and_submitted_again_it_resumes_with_the_same_bytes(
    moving: Shot, tmp_path: Path
) -> None:
    run_in_process(request_of(moving, "server"))
    path = saved(request_of(moving), tmp_path)
    name = submitted(path)
    wait_for(tmp_path / "farm", ".void/*/units/*/manifest.json")
    open_farm("local", Site(), os.environ).cancel(JobRef.parse(name))
    assert void("farm", "wait", name).returncode == 1
    state = state_of(name)
    solved = {item: item.stat().st_mtime_ns for item in (tmp_path / "farm").glob(".void/*/units/*/manifest.json")}
    assert state["state"] == "cancelled" and not digests(tmp_path / "farm")
    assert 1 <= len(solved) <= 3 and not list((tmp_path / "farm").glob(".void/*/units/*/lease.json"))
    assert void("submit", path, "--wait").returncode == 0
    assert digests(tmp_path / "farm") == digests(tmp_path / "server")
    assert all(item.stat().st_mtime_ns == stamp for item, stamp in solved.items())


@pytest.mark.usefixtures("nothing_left")
def test_a_kill_of_the_process_that_runs_the_job_leaves_no_process_and_no_lock(moving: Shot, tmp_path: Path) -> None:
    wanted = request_of(moving, engine="slow", prompt=json.dumps({"step": 0.2}))
    path = saved(wanted, tmp_path)
    name = submitted(path)
    job = LocalJob(tmp_path / "state" / "void_plugin" / "farm" / "local" / name.partition(":")[2])
    wait_for(tmp_path / "farm", ".void/*/units/*/lease.json")
    os.kill(int((job.folder / "lock").read_text()), signal.SIGKILL)
    wait_until_nothing_is_left(tmp_path)
    assert state_of(name)["state"] == "failed"
    # Neither the lease of the killed job nor the lock of its folder keeps the next one waiting.
    done = void("submit", path, "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(digests(tmp_path / "farm")) == 24


@pytest.mark.usefixtures("nothing_left")
def test_a_kill_of_openjd_run_leaves_no_process_and_no_lock(moving: Shot, tmp_path: Path) -> None:
    wanted = request_of(moving, engine="slow", prompt=json.dumps({"step": 0.2}))
    path = saved(wanted, tmp_path)
    name = submitted(path)
    assert void("farm", "cancel", name).returncode == 0
    void("farm", "wait", name)
    (bundle,) = (tmp_path / "farm").glob(".void/*/farm/1")
    values = json.loads((bundle / "parameter_values.json").read_text())["parameterValues"]
    job = json.dumps({item["name"]: item["value"] for item in values})
    command = [sys.executable, "-m", "openjd", "run", str(bundle / "template.json"), "--step", "Solve", "-p", job]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        wait_for(tmp_path / "farm", ".void/*/units/*/lease.json")
        child.kill()
    wait_until_nothing_is_left(tmp_path)
    assert void("submit", path, "--wait").returncode == 0
    assert len(digests(tmp_path / "farm")) == 24


def test_a_part_of_a_shot_has_the_bytes_of_the_whole(moving: Shot, tmp_path: Path) -> None:
    run_in_process(request_of(moving, "server"))
    wanted = request_of(moving, frames=FrameRange(1005, 1006))
    done = void("submit", saved(wanted, tmp_path), "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    part, whole = digests(tmp_path / "farm"), digests(tmp_path / "server")
    assert sorted(part) == ["comp.1005.exr", "comp.1006.exr", "r.1005.exr", "r.1006.exr"]
    assert all(whole[name] == digest for name, digest in part.items())


def test_real_pixels_are_found_before_what_goes_on_from_them_is_generated(moving: Shot, tmp_path: Path) -> None:
    run_in_process(request_of(moving, "server", engine="painter"), machine=Config(engines=ENGINES))
    done = void("submit", saved(request_of(moving, engine="painter"), tmp_path), "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    # The painter's segments go on from one another, so that they are one task.
    assert "Recover 3, Solve 1, Compose 2, Verify 1" in done.stdout
    assert digests(tmp_path / "farm") == digests(tmp_path / "server")


@pytest.mark.usefixtures("nothing_left")
def test_tasks_that_need_a_gpu_share_a_model_that_is_let_go_at_the_end(
    moving: Shot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOID_DEVICE", "cpu")  # nobody counts its memory then
    run_in_process(request_of(moving, "server", engine="card"), machine=Config(engines=ENGINES))
    path = saved(request_of(moving, engine="card"), tmp_path)
    name = submitted(path)
    assert void("farm", "wait", name).returncode == 0, state_of(name)
    assert digests(tmp_path / "farm") == digests(tmp_path / "server")
    log = void("farm", "logs", name).stdout
    workers = [line.partition("which")[0] for line in log.splitlines() if "done by process" in line]
    assert len(workers) == 3 and len(set(workers)) == 1, log


@pytest.mark.usefixtures("nothing_left")
def test_too_little_memory_on_the_worker_is_told_with_what_was_asked_for(moving: Shot, tmp_path: Path) -> None:
    done = void("submit", saved(request_of(moving, engine="card"), tmp_path), "--wait", "--vram", "99000000")
    assert done.returncode == 1
    assert "99000000 MiB" in done.stdout.splitlines()[-1], done.stdout
    assert not list((tmp_path / "farm").glob(".void/*/units/*"))


def test_what_is_wrong_with_the_shot_is_told_before_anything_is_submitted(moving: Shot, tmp_path: Path) -> None:
    wanted = request_of(moving, object_matte=ImageInput(moving.plate, ("no_such_channel",)))
    done = void("submit", saved(wanted, tmp_path), "--json")
    assert done.returncode == 1
    (shot,) = json.loads(done.stdout)["shots"]
    (error,) = [finding for finding in shot["findings"] if finding["level"] == "error"]
    assert "no_such_channel" in error["text"] and shot["job"] is None


def test_a_server_without_weights_says_so_before_anything_is_submitted(moving: Shot, tmp_path: Path) -> None:
    done = void("submit", saved(request_of(moving, engine="void"), tmp_path), "--json")
    assert done.returncode == 1
    (shot,) = json.loads(done.stdout)["shots"]
    assert any(finding["code"] == "job.weights" for finding in shot["findings"]), shot["findings"]
