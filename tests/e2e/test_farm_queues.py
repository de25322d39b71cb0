"""Requests through the queue managers that we only talk to, with the real void-server on their workers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cues import CueFarm
from farmbenches import BENCHES, Bench, OpenCueBench
from farmruns import about, digests, eventually, machine, request_of, saved, void
from shots import Shot, build_shot, run_in_process

from void_server.gpus import LOCKS

pytestmark = pytest.mark.slow


@pytest.fixture
def moving(tmp_path: Path) -> Shot:
    """A panning shot of twelve frames: three units."""
    return build_shot(tmp_path / "plates", count=12, pan=3)


class Night:
    """One farm at work, and the machine that submits to it."""

    def __init__(self, folder: Path, bench: Bench, environment: Mapping[str, str]) -> None:
        self.folder, self.bench, self.environment = folder, bench, environment

    def void(self, *arguments: str) -> str:
        """What a command that must succeed prints."""
        done = void(self.environment, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def submitted(self, path: str, *more: str) -> str:
        """The name of a job that was just submitted."""
        name: str = json.loads(self.void("submit", path, "--json", *more))["shots"][0]["job"]
        return name

    def state(self, name: str) -> str:
        (status,) = json.loads(void(self.environment, "farm", "status", name, "--json").stdout)
        return str(status["state"])


def night(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    for variable in [
        variable for variable in os.environ if variable.startswith("VOID_") and variable != "VOID_REQUIRE"
    ]:
        monkeypatch.delenv(variable)
    # Workers get it from this process, as stand-ins run them, or from RQD, which starts with it.
    names = ("VOID_CONFIG", "XDG_STATE_HOME", "TMPDIR", "PYTHONPATH")
    for variable, value in machine(folder, name, {}).items():
        monkeypatch.setenv(variable, value)
    with BENCHES[name](folder / "bench") as bench:
        ours = machine(folder, name, bench.site.sections[name])
        yield Night(folder, bench, {**bench.environment, **{variable: ours[variable] for variable in names}})


@pytest.fixture(params=["deadline-cloud", "deadline10", "opencue"])
def any_night(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    yield from night(request.param, tmp_path, monkeypatch)


@pytest.fixture
def cue_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    yield from night("opencue", tmp_path, monkeypatch)


def test_a_shot_through_the_farm_has_the_bytes_of_void_remove(any_night: Night, moving: Shot) -> None:
    run_in_process(request_of(moving, "server"))
    path = saved(request_of(moving), any_night.folder)
    name = any_night.submitted(path)
    done = void(any_night.environment, "farm", "wait", name)
    assert done.returncode == 0, (done.stdout, done.stderr, any_night.void("farm", "logs", name))
    found = digests(any_night.folder / "farm")
    assert found == digests(any_night.folder / "server") and len(found) == 24
    (result,) = (any_night.folder / "farm").glob(".void/*/result.json")
    assert json.loads(result.read_text())["shot"] == "sh010"


def test_a_frame_that_rqd_kills_leaves_nothing_and_is_gone_on_with(cue_night: Night, moving: Shot) -> None:
    folder = cue_night.folder
    run_in_process(request_of(moving, "server"))
    wanted = request_of(moving, engine="slow", prompt=json.dumps({"step": 0.2}))
    name = cue_night.submitted(saved(wanted, folder))
    has_begun(cue_night, name)
    kept = set(about(folder)) - set(tasks(folder))
    cue_night.void("farm", "cancel", name)
    eventually(lambda: cue_night.state(name) == "cancelled", lambda: cue_night.void("farm", "status", name))
    assert bench_of(cue_night).reports()[-1]["signal"] == 9
    eventually(lambda: set(about(folder)) <= kept, lambda: about(folder))
    # The lease of the killed task keeps the next one waiting no longer than it takes to see that it is dead.
    again = cue_night.submitted(saved(wanted, folder))
    eventually(lambda: cue_night.state(again) == "succeeded", lambda: cue_night.void("farm", "logs", again))
    assert len(digests(folder / "farm")) == 24


def test_a_frame_that_rqd_kills_leaves_no_model_on_its_gpu(cue_night: Night, moving: Shot) -> None:
    """The daemon that keeps the model is in a session of its own, which RQD's SIGKILL does not reach."""
    folder = cue_night.folder
    name = submitted_for_gpu(cue_night, moving, 8000)
    lock = Path(LOCKS) / f"void-gpu-{bench_of(cue_night).gpu}.lock"
    eventually(
        lambda: list((folder / "farm").glob(".void/*/units/*/lease.json")), lambda: cue_night.void("farm", "logs", name)
    )
    assert any("void_server.daemon" in line for line in about(folder).values()) and lock.exists()
    cue_night.void("farm", "cancel", name)
    eventually(lambda: not tasks(folder), lambda: about(folder))
    assert not lock.exists()


def test_a_frame_uses_the_gpu_that_rqd_gave_it_and_no_larger_one(cue_night: Night, moving: Shot) -> None:
    name = submitted_for_gpu(cue_night, moving, 20000)
    said = "asks for a GPU with 20000 MiB and found A small one with 8192 MiB"
    eventually(lambda: said in cue_night.void("farm", "logs", name), lambda: cue_night.void("farm", "logs", name))
    cue_night.void("farm", "cancel", name)
    eventually(lambda: not tasks(cue_night.folder), lambda: about(cue_night.folder))


def submitted_for_gpu(night: Night, shot: Shot, vram: int) -> str:
    """A job whose first task takes a model and would not end for ten minutes."""
    path = saved(request_of(shot, engine="card", prompt=json.dumps({"step": 600})), night.folder)
    return night.submitted(path, "--vram", str(vram), "--retries", "0")


def has_begun(night: Night, name: str) -> None:
    """Wait until a task of a job solves a unit."""
    leases = night.folder / "farm" / ".void"
    eventually(lambda: list(leases.glob("*/units/*/lease.json")), lambda: night.void("farm", "logs", name))


def bench_of(found: Night) -> CueFarm:
    assert isinstance(found.bench, OpenCueBench)
    return found.bench.cue


def tasks(folder: Path) -> list[int]:
    """Processes that belong to tasks: what openjd runs, and what that started."""
    return [pid for pid, line in about(folder).items() if "void_server" in line or "openjd" in line]
