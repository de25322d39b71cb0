"""Both ways to Resolve in processes of their own, installed as a user has them, and what is left when one dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, difference, void
from pythons import ROOT, interpreters
from resolveruns import LENGTH, Moving, Runs
from resolves import Outside
from servers import Server, processes_of, until

from void_plugin.bridge import Sidecar
from void_plugin.errors import HostError
from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_host import serve
from void_plugin.resolveinstall import install

World = Callable[..., Outside]
PLAIN = next(iter(interpreters().values()))
"""The oldest Python here, in which nothing is installed."""


@pytest.fixture
def runs(tmp_path: Path, void_python: str) -> Runs:
    return Runs(tmp_path, void_python)


def items(state: dict[str, Any], track: str = "VOID") -> list[tuple[int, int]]:
    """Start and length of what lies on a track of results."""
    tracks = state["project"]["timelines"][0]["tracks"]["video"]
    return [(item["start"], item["duration"]) for one in tracks if one["name"] == track for item in one["items"]]


class Void:
    """`void resolve` as a user runs it."""

    def __init__(self, runs: Runs, python: str, world: Outside) -> None:
        self.python = python
        self.environment = {**runs.environment, **world.environment, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.python, "-I", "-m", "void_plugin.cli", "resolve", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            start_new_session=True,
        )

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, error = process.communicate(timeout=240)
        return subprocess.CompletedProcess(arguments, process.returncode, out, error)


# -- from a terminal -----------------------------------------------------------------------------------------------


def test_from_a_terminal_a_clip_is_sent_placed_listed_and_all_of_it_removed(
    tmp_path: Path, runs: Runs, void_python: str, outside: World, lasting: Server
) -> None:
    runs.use(lasting)
    moving = Moving(tmp_path)
    world = outside(moving.scene)
    before = world.state()
    cli = Void(runs, void_python, world)
    matte = ("--matte", moving.matte["path"], "--engine", "recover")
    dry = cli("remove", *matte, "--dry-run", "--json")
    assert dry.returncode == 0, dry.stderr
    assert json.loads(dry.stdout)["rows"][0]["plate"] == moving.plate["path"]
    assert world.state() == before
    sent = cli("remove", *matte, "--handles", "0")
    assert sent.returncode == 0 and "sh010: ready." in sent.stdout, sent.stdout + sent.stderr
    assert cli("jobs").stdout.count("ready") == 1
    collected = cli("collect")
    assert collected.returncode == 0 and "placed" in collected.stdout, collected.stderr
    assert items(world.state()) == [(moving.start, LENGTH)]
    assert difference(before, world.state(), void) == []
    cleaned = cli("clean")
    assert cleaned.returncode == 0 and world.state() == before, difference(before, world.state())


def test_from_a_terminal_what_is_in_the_way_is_one_sentence(
    tmp_path: Path, runs: Runs, void_python: str, outside: World
) -> None:
    moving = Moving(tmp_path)
    moving.scene.untitled()
    cli = Void(runs, void_python, outside(moving.scene))
    refused = cli("remove")
    assert refused.returncode == 1 and "save it under a name" in refused.stderr and refused.stdout == ""
    cli.environment["VOID_FAKE_RESOLVE_WORLD"] = str(tmp_path / "nowhere")
    away = cli("jobs", "--json")
    assert away.returncode == 1 and "External scripting using" in away.stderr and "void otio" in away.stderr


def test_ctrl_c_stops_the_render_and_leaves_resolve_as_it_was(
    tmp_path: Path, runs: Runs, void_python: str, outside: World
) -> None:
    moving = Moving(tmp_path, matte_track=True)
    moving.scene.user_jobs(1)
    world = outside(moving.scene, frames_per_poll=0)
    before = world.state()
    cli = Void(runs, void_python, world)
    running = cli.start("remove", "--plate", "render", "--json")
    until(lambda: world.bench().called("Project.StartRendering"), 120, "a render")
    interrupt(running)
    assert running.wait(60) == 130
    running.communicate()
    assert difference(before, world.state()) == []
    assert not list(tmp_path.rglob("v001"))


def interrupt(running: subprocess.Popen[str]) -> None:
    """What Ctrl-C does to `void` and to the process that talks to Resolve; the fake's own helpers are not meant."""
    for pid in processes_of(running.pid):
        if pid == running.pid or b"resolve_host" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGINT)


# -- from the menu -------------------------------------------------------------------------------------------------


def menu(script: Path, runs: Runs, world: Outside) -> subprocess.CompletedProcess[str]:
    """Runs a menu script as fuscript does: in a process of its own, with the global `resolve`."""
    path = os.pathsep.join([str(ROOT / "tests")])
    return subprocess.run(
        [PLAIN, "-m", "fakes.resolve", str(script)],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=script.parent,
        env={**runs.environment, **world.environment, "PYTHONPATH": path},
    )


def test_the_installed_scripts_of_the_menu_do_it_all(
    tmp_path: Path, runs: Runs, void_python: str, outside: World
) -> None:
    moving = Moving(tmp_path, matte_track=True)
    world = outside(moving.scene, frames_per_poll=LENGTH)  # each poll that renders starts a process
    before = world.state()
    fusion = tmp_path / "Fusion"
    install(fusion, void_python, runs.environment)
    scripts = fusion / "Scripts" / "Utility"
    done = menu(scripts / "VOID Remove Object.py", runs, world)
    assert "sh010: ready." in done.stdout, done.stdout + done.stderr
    assert "ready" in menu(scripts / "VOID Jobs.py", runs, world).stdout
    assert "placed" in menu(scripts / "VOID Collect Results.py", runs, world).stdout
    assert items(world.state()) == [(moving.start, LENGTH)]
    trip = menu(scripts / "VOID Check Round Trip.py", runs, world)
    assert "passed" in trip.stdout and "report.json" in trip.stdout, trip.stdout + trip.stderr
    assert difference(before, world.state(), void) == []


def test_a_script_of_the_menu_whose_other_half_is_missing_says_so(tmp_path: Path, runs: Runs, outside: World) -> None:
    script = tmp_path / "VOID Jobs.py"
    text = (ROOT / "resolve" / "VOID Jobs.py").read_text(encoding="utf-8")
    script.write_text(text.replace('FOLDER = ""', 'FOLDER = "/no/where"'), encoding="utf-8")
    said = menu(script, runs, outside(Moving(tmp_path).scene))
    assert "void resolve install" in said.stdout and "Traceback" not in said.stderr


# -- what dies -----------------------------------------------------------------------------------------------------


def test_where_the_sidecar_is_killed_in_the_middle_of_a_render_the_host_puts_everything_back(
    tmp_path: Path, runs: Runs
) -> None:
    moving = Moving(tmp_path, matte_track=True)
    bench = Bench(moving.scene.data, Knobs(frames_per_poll=0))
    before = bench.state()
    sidecar = runs.sidecar()

    def kill() -> None:
        until(lambda: bench.called("Project.StartRendering"), 120, "a render")
        for pid in processes_of(os.getpid()):
            if b"void_plugin.sidecar" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(HostError, match="sidecar"):
        run(bench, sidecar, runs, plate="render")
    killer.join()
    assert difference(before, bench.state()) == []
    sidecar.close(10)
    bench.verify()


def test_where_the_host_is_killed_in_the_middle_of_a_render_the_next_run_puts_everything_back(
    tmp_path: Path, runs: Runs, void_python: str, outside: World
) -> None:
    moving = Moving(tmp_path, matte_track=True)
    world = outside(moving.scene, frames_per_poll=0)
    before = world.state()
    cli = Void(runs, void_python, world)
    running = cli.start("remove", "--plate", "render")
    until(lambda: world.bench().called("Project.StartRendering"), 120, "a render")
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert difference(before, world.state()) != []
    # A record that was touched a moment ago is of a process that may live.
    for record in (tmp_path / "home").rglob("*.restore.json"):
        os.utime(record, (1, 1))
    assert cli("jobs").returncode == 0
    assert difference(before, world.state()) == []


def run(bench: Bench, sidecar: Sidecar, runs: Runs, **options: Any) -> dict[str, Any]:
    options = {"engine": "recover", **options}
    return serve(Resolve(bench.resolve), "remove", options, runs.told.append, sidecar, environment=runs.environment)
