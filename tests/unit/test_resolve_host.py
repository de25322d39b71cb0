"""The host process in Resolve: the strict fake on one side, a real sidecar process that asks on the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, Scene, difference, process, scenes
from pythons import ROOT
from servers import until

from void_plugin.bridge import Sidecar
from void_plugin.errors import HostError, ServerError, VoidError
from void_plugin.hosts import resolve_host
from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_commands import ResolveHost
from void_plugin.hosts.resolve_host import ACTIONS, serve
from void_plugin.hosts.resolve_memory import Memory
from void_plugin.hosts.resolve_outside import outside_command, start_outside
from void_plugin.hosts.resolve_service import Service

SIDECAR = [sys.executable, str(ROOT / "tests" / "fakes" / "asking_sidecar.py")]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return scenes.cut(tmp_path)


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Sidecar]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VOID_", "XDG_"))}
    kept.update(XDG_STATE_HOME=str(tmp_path / "state"), XDG_CONFIG_HOME=str(tmp_path / "config"))
    made = Sidecar(SIDECAR, kept, "resolve 21.0", str(tmp_path / "logs"))
    yield made
    made.close(10)


class Script:
    """One run of a script in Resolve."""

    def __init__(self, scene: Scene, sidecar: Sidecar, folder: Path, **knobs: Any) -> None:
        self.bench = Bench(scene.data, Knobs(**knobs))
        self.before = self.bench.state()
        self.told: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.host = ResolveHost(Resolve(self.bench.resolve), Memory(str(folder / "memory")), self.told.append)
        self.service = Service(self.host, sidecar)
        self.out = folder / "out"
        self.out.mkdir(exist_ok=True)
        self.shot = scene.track(1)["items"][0]["id"]

    def run(self, asks: list[Any], then: str = "", action: str = "remove", event: Any = None) -> dict[str, Any]:
        return self.service.run(action, {"asks": asks, "then": then}, event or self.events.append)

    def begin(self) -> list[Any]:
        first, last = 86400, 86411
        args = {"shot": self.shot, "what": "plate", "track": 1, "folder": str(self.out), "name": "sh010", "preset": ""}
        return ["export_begin", {**args, "first": first, "last": last}]

    def assert_as_before(self) -> None:
        assert difference(self.before, self.bench.state()) == []
        assert self.host.export.recover() == {"restored": [], "failed": []}
        self.bench.verify()


@pytest.fixture
def script(scene: Scene, sidecar: Sidecar, tmp_path: Path) -> Script:
    return Script(scene, sidecar, tmp_path)


def test_what_the_sidecar_asks_is_answered_in_order(script: Script, tmp_path: Path) -> None:
    path = f"{tmp_path.as_posix()}/edit.otio"
    result = script.run(
        [
            ["context", {}],
            ["shots", {"pick": "selected"}],
            ["timeline_otio", {"path": path}],
            ["leftovers", {}],
            ["tell", {"text": "One clip."}],
        ],
        action="collect",
    )
    context, shots, otio, leftovers, told = result["answers"]
    assert result["action"] == "collect"
    assert context["timeline"]["name"] == "Reel 3"
    assert [shot["id"] for shot in shots["shots"]] == [script.shot]
    assert otio == {"path": path}
    assert leftovers == {"restored": [], "failed": []}
    assert told == {}
    assert script.told == ["One clip."]
    script.assert_as_before()


def test_every_answer_comes_from_the_thread_that_serves(script: Script) -> None:
    seen = set()
    plain = script.host.commands["context"]

    def watched(args: dict[str, Any]) -> dict[str, Any]:
        seen.add(threading.current_thread())
        return plain(args)

    script.host.commands["context"] = watched
    script.run([["context", {}]] * 3)
    assert seen == {threading.current_thread()}


def test_an_export_is_begun_watched_and_ended(script: Script) -> None:
    polls = [["export_poll", {"job": "<job>"}]] * 6
    result = script.run([script.begin(), *polls, ["export_end", {"job": "<job>"}]])
    begun, *states, ended = result["answers"]
    assert begun["codec"] == "RGBHalfZIP"
    assert states[-1]["state"] == "done"
    assert ended["failed"] == []
    assert len(list(script.out.iterdir())) == 12
    script.assert_as_before()


def test_an_error_of_resolve_is_the_sidecars_to_see(script: Script) -> None:
    missing = ["export_begin", {**script.begin()[1], "shot": "item-gone"}]
    result = script.run([missing, ["shots", {"pick": "loud"}], ["context", {}]])
    assert result["answers"][0]["code"] == "host.resolve"
    assert "item-gone" in result["answers"][0]["error"]
    assert "loud" in result["answers"][1]["error"]
    assert result["answers"][2]["studio"]


def test_a_question_with_arguments_of_another_version_says_so(script: Script) -> None:
    result = script.run([["tell", {}], ["export_begin", {"what": "plate"}], ["sing", {}]])
    assert [one["code"] for one in result["answers"]] == ["host.call"] * 3
    assert "same version" in result["answers"][0]["error"]
    script.assert_as_before()


def test_an_export_that_the_sidecar_forgets_is_put_back(script: Script) -> None:
    assert script.run([script.begin()])["answers"][0]["job"]
    script.assert_as_before()


def test_an_export_is_put_back_where_the_sidecar_fails(script: Script) -> None:
    with pytest.raises(ServerError, match="the farm is gone"):
        script.run([script.begin()], then="the farm is gone")
    script.assert_as_before()


def test_an_export_is_put_back_where_the_sidecar_dies(script: Script) -> None:
    with pytest.raises(HostError):
        script.run([script.begin()], then="die")
    script.assert_as_before()


@pytest.mark.parametrize(("then", "error"), [("the farm is gone", ServerError), ("", HostError)])
def test_what_cannot_be_put_back_is_in_the_error(script: Script, then: str, error: type[VoidError]) -> None:
    script.bench.knobs.refuses["Timeline.SetMarkInOut"] = 0
    with pytest.raises(error, match=then + ".*in and out marks could not be restored"):
        script.run([script.begin()], then)


def test_a_wish_to_stop_ends_the_call_and_puts_back(script: Script) -> None:
    result = script.run([script.begin()], then="wait", event=lambda event: script.service.stop())
    assert result == {"cancelled": True}
    script.assert_as_before()


def test_a_question_after_the_end_is_turned_away(script: Script) -> None:
    script.run([])
    with pytest.raises(HostError, match="has ended"):
        script.service._ask("context", {})


def test_a_fault_of_our_own_in_a_command_is_an_answer_and_ends_nothing(script: Script) -> None:
    def broken(args: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError("a fault")

    script.host.commands["context"] = broken
    result = script.run([["context", {}], ["tell", {"text": "still here"}]])
    assert result["answers"][0]["code"] == "host.failed"
    assert script.told == ["still here"]


def test_the_commands_of_the_other_half_are_found_when_they_are_asked_for(script: Script) -> None:
    result = script.run([["jobs", {}], ["clean", {}], ["unplace", {"item": "item-gone"}]])
    assert result["answers"][0] == {"jobs": []}
    assert set(result["answers"][1]["removed"]) == {"items", "tracks", "markers", "bins"}
    assert result["answers"][2] == {}
    script.assert_as_before()


def test_every_command_of_the_table_exists(script: Script) -> None:
    names = {"context", "shots", "timeline_otio", "export_begin", "export_poll", "export_end", "place", "unplace"}
    assert set(script.host.commands) == names | {"mark", "jobs", "clean", "leftovers", "tell"}


def test_an_unknown_action_is_refused_before_anything_is_started(script: Script) -> None:
    with pytest.raises(HostError, match="'dance'"):
        serve(script.host.resolve, "dance", {})
    assert script.bench.calls == []


def test_signals_are_a_wish_to_stop_and_are_as_before_afterwards(
    scene: Scene, sidecar: Sidecar, tmp_path: Path
) -> None:
    before = signal.getsignal(signal.SIGINT)
    resolve = Resolve(Bench(scene.data).resolve)
    result = serve(
        resolve, "remove", {"then": "wait"}, sidecar=sidecar, event=lambda event: os.kill(os.getpid(), signal.SIGINT)
    )
    assert result == {"cancelled": True}
    assert signal.getsignal(signal.SIGINT) is before


def test_what_runs_have_left_is_looked_for_where_the_environment_says(
    scene: Scene, sidecar: Sidecar, tmp_path: Path
) -> None:
    places = {"XDG_STATE_HOME": str(tmp_path / "mine")}
    memory = Memory.of(places)
    memory.keep("VOID_restore_1_1", {"preset": "VOID_restore_1_1", "project": {"id": "of long ago"}, "since": 0.0})
    resolve = Resolve(Bench(scene.data).resolve)
    asked = {"asks": [["leftovers", {}]]}
    assert serve(resolve, "jobs", asked, sidecar=sidecar, environment=places)["answers"] == [
        {"restored": [], "failed": []}
    ]
    assert memory.all() == [], "it was looked for elsewhere"


def test_a_menu_script_gets_a_sentence_and_a_code_where_nothing_can_be_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("VOID_PLUGIN_PYTHON", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    told = []
    scene = scenes.cut(tmp_path)
    assert resolve_host.run("dance", {}, {"resolve": Bench(scene.data).resolve}, told.append) == 1
    assert told == [
        "VOID: There is no action 'dance'; there are {}.".format(", ".join(ACTIONS)),
    ]


def test_the_action_outside_of_resolve_is_one_command() -> None:
    assert outside_command("/py", "remove", {"pick": "all"}) == [
        *("/py", "-I", "-X", "utf8", "-m", "void_plugin.hosts.resolve_host"),
        *("remove", "--options", '{"pick": "all"}'),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for Python is a shell script")
def test_a_script_inside_of_resolve_starts_it_outside_and_says_where_it_speaks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python, notes = tmp_path / "python", tmp_path / "notes"
    python.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {notes}.part && mv {notes}.part {notes}\n")
    python.chmod(0o755)
    monkeypatch.setenv("VOID_PLUGIN_PYTHON", str(python))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    said = start_outside("collect", {"place": True})
    until(notes.exists)
    assert notes.read_text().splitlines() == outside_command("", "collect", {"place": True})[1:]
    assert "set to Local" in said
    assert str(tmp_path / "state") in said


def test_a_python_that_is_not_there_cannot_go_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VOID_PLUGIN_PYTHON", str(tmp_path / "no python"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with pytest.raises(HostError, match="cannot be started"):
        start_outside("collect", {})


def outside(folder: Path, action: str, scene: Scene | None = None, **knobs: Any) -> subprocess.CompletedProcess[str]:
    """The external transport in a process of its own, with the fake as the Resolve that runs, or with none."""
    world = folder / "world.json"
    if scene is not None:
        process.save(world, Bench(scene.data, Knobs(**knobs)))
    places = {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder), "VOID_CONFIG": str(folder / "config.json")}
    environment = {**os.environ, **process.environment(world), **places}
    environment.pop("VOID_PLUGIN_PYTHON", None)
    (folder / "config.json").write_text("{}")
    command = [sys.executable, "-m", "void_plugin.hosts.resolve_host", action]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_without_a_resolve_that_answers_the_external_transport_says_what_to_set(tmp_path: Path) -> None:
    done = outside(tmp_path, "jobs")
    assert done.returncode == 1
    assert done.stderr.startswith("VOID: No Resolve answers scriptapp('Resolve')")


@pytest.mark.parametrize("why", ["preference", "edition"])
def test_a_resolve_that_answers_nobody_is_like_none(scene: Scene, tmp_path: Path, why: str) -> None:
    if why == "edition":
        scene.free()
    done = outside(tmp_path, "jobs", scene, external=why != "preference")
    assert (done.returncode, "External scripting using to Local" in done.stderr) == (1, True)


def test_without_a_python_for_the_sidecar_nothing_in_resolve_is_touched(scene: Scene, tmp_path: Path) -> None:
    done = outside(tmp_path, "remove", scene)
    assert done.returncode == 1
    assert "No Python with void_plugin is known" in done.stderr
    bench = process.load(tmp_path / "world.json")
    assert difference(Bench(scene.data).state(), bench.state()) == []
    bench.verify()


def test_wrong_usage_of_the_external_transport_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        resolve_host.main(["remove", "--options", "["])
    assert ended.value.code == 2
    assert "not JSON" in capsys.readouterr().err
