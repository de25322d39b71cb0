"""Requests through a real Slurm with the real void-server: the same bytes as `void remove`, whatever happens."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from farmruns import digests, request_of, saved
from shots import Shot, build_shot, run_in_process
from slurmfarm import GPU_NODES, TABLE, SlurmFarm

from void_plugin.config import Config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
PATHS = os.pathsep.join([str(ROOT), str(ROOT / "server"), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
LEASE = "lease.json"
SERVER = [sys.executable, "-m", "void_server"]
ENGINES = {"card": "fakes.slow_engine:CardEngine"}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, slurm_farm: SlurmFarm, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine from which one submits to Slurm, whose workers start the void-server of this tree.

    Each unit is a task, so that a shot of twelve frames is a graph of six.
    """
    for name in [name for name in os.environ if name.startswith("VOID_")]:
        monkeypatch.delenv(name)
    for name in ("PATH", "SLURM_CONF", "TMPDIR"):
        monkeypatch.setenv(name, slurm_farm.environment[name])
    worker = ["env", f"PYTHONPATH={PATHS}", *SERVER]
    openjd = [sys.executable, "-m", "openjd"]
    config = {"server_command": SERVER, "site": str(tmp_path / "site.toml"), "workers": 1, "engines": ENGINES}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "site.toml").write_text(
        f'[farm]\ndefault = "slurm"\nunits_per_task = 1\nframes_per_task = 6\n'
        f"command = {json.dumps(worker)}\nopenjd = {json.dumps(openjd)}\n[farm.slurm]\n{TABLE}"
    )
    monkeypatch.setenv("VOID_CONFIG", str(tmp_path / "config.json"))
    monkeypatch.setenv("VOID_DEVICE", "cpu")  # nobody counts the memory of the GPUs, which are none
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", PATHS)
    yield
    slurm_farm.wait_until(lambda: not slurm_farm.processes(), "the end of all processes of tasks")
    left = slurm_farm.scratch / f"void-slurm-{os.getuid()}"
    assert not [*left.glob("[0-9]*")], "tasks have left files beside their work"


@pytest.fixture
def moving(tmp_path: Path) -> Shot:
    """A panning shot of twelve frames: three units."""
    return build_shot(tmp_path / "plates", count=12, pan=3)


def card(gate: Path) -> dict[str, str]:
    """An engine for GPUs that does not get past frame 1011, in the last unit, before there is a file."""
    return {"engine": "card", "prompt": json.dumps({"at": 1011, "until": str(gate)})}


def solved(folder: Path) -> dict[Path, int]:
    """Manifests of the units that are done, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob(".void/*/units/*/manifest.json")}


def at_the_gate(farm: SlurmFarm, folder: Path) -> dict[Path, int]:
    """Wait until the last unit is being solved and the others are, and give these."""
    leases = f".void/*/units/*/{LEASE}"
    farm.wait_until(lambda: len(solved(folder)) == 2 and len([*folder.glob(leases)]) == 1, "two units out of three")
    return solved(folder)


def void(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "void_plugin.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def must(*arguments: str) -> str:
    done = void(*arguments)
    assert done.returncode == 0, f"{shlex.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


def submitted(path: str, *options: str) -> str:
    name: str = json.loads(must("submit", path, "--json", *options))["shots"][0]["job"]
    assert name.startswith("slurm:")
    return name


def state_of(name: str) -> dict[str, Any]:
    (status,) = json.loads(must("farm", "status", name, "--json"))
    return dict(status)


def log_of(name: str) -> str:
    return must("farm", "logs", name)


def nodes_of(farm: SlurmFarm, name: str) -> set[str]:
    """Where the tasks of a job's first step ran."""
    return set(farm.run("squeue", "-h", "-r", "--states=all", f"--jobs={name.split(':')[1]}", "--format=%N").split())


def test_a_shot_through_slurm_has_the_bytes_of_void_remove(moving: Shot, tmp_path: Path, slurm_farm: SlurmFarm) -> None:
    must("remove", "--request", saved(request_of(moving, "alone"), tmp_path))
    path = saved(request_of(moving), tmp_path)
    told = json.loads(must("submit", path, "--dry-run", "--json"))
    assert told["shots"][0]["tasks"] == {"Solve": 3, "Compose": 2, "Verify": 1}
    name = submitted(path)
    must("farm", "wait", name)
    assert digests(tmp_path / "farm") == digests(tmp_path / "alone") and len(digests(tmp_path / "farm")) == 24
    assert nodes_of(slurm_farm, name) == {"cpu1"}
    result = Path(state_of(name)["result"])
    theirs, ours = (json.loads(path.read_text()) for path in (next(tmp_path.glob("alone/.void/*/result.json")), result))
    for key in ("frames", "engine", "settings", "frames_asked", "warnings", "shot", "result_version"):
        assert theirs[key] == ours[key], key
    assert set(theirs) == set(ours) and theirs["summary"].keys() == ours["summary"].keys()

    done, stamps = solved(tmp_path / "farm"), {path: path.stat().st_mtime_ns for path in tmp_path.glob("farm/*.exr")}
    again = submitted(path)
    must("farm", "wait", again)
    assert log_of(again).count("openjd_status: cached") == 3, log_of(again)
    assert solved(tmp_path / "farm") == done
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("farm/*.exr")} == stamps


def test_memory_that_one_kind_of_gpu_has_is_found_there(moving: Shot, tmp_path: Path, slurm_farm: SlurmFarm) -> None:
    run_in_process(request_of(moving, "alone", engine="card"), machine=Config(engines=ENGINES))
    path = saved(request_of(moving, engine="card"), tmp_path)
    name = submitted(path, "--vram", "100000", "--units-per-task", "3")
    must("farm", "wait", name)
    assert digests(tmp_path / "farm") == digests(tmp_path / "alone") and len(digests(tmp_path / "farm")) == 24
    assert nodes_of(slurm_farm, name) == {"gpu1"}
    workers = {line.partition("which")[0] for line in log_of(name).splitlines() if "done by process" in line}
    assert len(workers) == 1, "units of one task share a model"
    done = void("submit", path, "--vram", "200000")
    assert done.returncode == 1 and "the largest in [farm.slurm] has 143771 MiB" in done.stderr


def test_a_node_that_is_lost_in_the_middle_of_a_solve_changes_no_byte(
    moving: Shot, tmp_path: Path, slurm_farm: SlurmFarm
) -> None:
    gate = tmp_path / "gate"
    name = submitted(saved(request_of(moving, **card(gate)), tmp_path))
    done = at_the_gate(slurm_farm, tmp_path / "farm")
    assert nodes_of(slurm_farm, name) <= set(GPU_NODES)
    squeue = ["squeue", "-h", "-r", f"--jobs={name.split(':')[1]}", "--states=RUNNING", "--format=%K %N"]
    slurm_farm.wait_until(lambda: len(slurm_farm.run(*squeue).splitlines()) == 1)
    index, node = slurm_farm.run(*squeue).split()
    slurm_farm.lose_node(node)
    assert state_of(name)["state"] == "running"
    slurm_farm.bring_back(node)
    gate.touch()
    must("farm", "wait", name)
    assert "Restarts=1" in slurm_farm.run("scontrol", "show", "job", f"{name.split(':')[1]}_{index}")
    run_in_process(request_of(moving, "alone", **card(gate)), machine=Config(engines=ENGINES))
    assert digests(tmp_path / "farm") == digests(tmp_path / "alone") and len(digests(tmp_path / "farm")) == 24
    assert solved(tmp_path / "farm").items() >= done.items()


def test_cancelled_in_the_middle_of_a_solve_and_submitted_again_it_resumes_with_the_same_bytes(
    moving: Shot, tmp_path: Path, slurm_farm: SlurmFarm
) -> None:
    gate = tmp_path / "gate"
    path = saved(request_of(moving, **card(gate)), tmp_path)
    name = submitted(path)
    done = at_the_gate(slurm_farm, tmp_path / "farm")
    must("farm", "cancel", name)
    assert void("farm", "wait", name).returncode == 1 and state_of(name)["state"] == "cancelled"
    assert solved(tmp_path / "farm") == done and not digests(tmp_path / "farm")
    assert not list(tmp_path.glob(f"farm/.void/*/units/*/{LEASE}"))
    slurm_farm.wait_until(lambda: not slurm_farm.processes(), "the end of what was cancelled, models and all")
    gate.touch()
    must("submit", path, "--wait")
    run_in_process(request_of(moving, "alone", **card(gate)), machine=Config(engines=ENGINES))
    assert digests(tmp_path / "farm") == digests(tmp_path / "alone") and len(digests(tmp_path / "farm")) == 24
    assert solved(tmp_path / "farm").items() >= done.items()
