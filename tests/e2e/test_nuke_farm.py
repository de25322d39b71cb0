"""A person presses Submit to farm: stand-in Nuke, real sidecar and `void submit`, the farm `local`, the node again.

openjd really runs the tasks with the engine `recover`, and the result is that of Remove bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from farmruns import about, eventually
from nukes import Nuke
from nukescenes import awkward_shot, connected, facts, host, in_host, knob, scene, wait
from pythons import ROOT, sidecar_python
from servers import processes_of, until
from shots import Shot

pytestmark = pytest.mark.slow
ENGINES = {"slow": "fakes.slow_engine:SlowEngine"}
VOLATILE = ("made", "seconds", "version", "node", "inputs")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    """Eight frames: two units."""
    return awkward_shot(tmp_path_factory.mktemp("small"), 8)


@pytest.fixture(scope="session")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with this checkout and the fakes, for the sidecar, `void submit` and the tasks."""
    return sidecar_python(tmp_path_factory.mktemp("sidecar"), ROOT / "tests")


@pytest.fixture
def nuke(tmp_path: Path, sidecar: str) -> Iterator[Nuke]:
    """A Nuke on a machine whose site names the farm `local`."""
    made = host(tmp_path / "host", sidecar, environment={"TMPDIR": str(tmp_path)})
    command = [sidecar, "-I", "-m", "void_server"]
    site = f'[farm]\ndefault = "local"\nunits_per_task = 1\nframes_per_task = 4\ncommand = {json.dumps(command)}\n'
    (tmp_path / "site.toml").write_text(site)
    config = {"site": str(tmp_path / "site.toml"), "server_command": command, "engines": ENGINES, "workers": 1}
    Path(made.environment["VOID_CONFIG"]).write_text(json.dumps(config))
    yield made
    eventually(lambda: not about(tmp_path), lambda: f"processes {about(tmp_path)} were left behind")


def run(nuke: Nuke, scenario: Any, *arguments: Any, timeout: float = 250.0) -> Any:
    return nuke.run(scenario, *arguments, helpers=(*in_host(), submit, until_there, come_back), timeout=timeout)


def versions(tmp_path: Path) -> Path:
    return tmp_path / "work/void/sh010/VoidRemove1"


def record(folder: Path) -> Any:
    return json.loads((folder / "job.json").read_text())


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("patch/*.exr"))}


# -- inside the host -----------------------------------------------------------------------------------------------


def submit(node):  # type: ignore[no-untyped-def]
    """Presses the button, and waits until the node is free."""
    import nuke

    nuke.fake.press(node, "submit_farm")
    return wait(node)


def until_there(node):  # type: ignore[no-untyped-def]
    """Presses Latest again and again, until the farm's version is shown or has failed; what the node said each time."""
    import time

    import nuke

    seen = []
    while True:
        nuke.fake.press(node, "latest_v")
        seen.append(wait(node))
        if seen[-1][0] != "farm":
            return seen
        time.sleep(0.2)


def come_back(text):  # type: ignore[no-untyped-def]
    """Another Nuke that opens the script."""
    import json

    import nuke
    from void_plugin.hosts import nuke_host

    nuke_host.install()
    nuke.scriptOpen(json.loads(text)["script"])
    node = nuke.toNode("VoidRemove1")
    nuke.fake.pump()
    return node, wait(node)


# -- from the button to the version --------------------------------------------------------------------------------


def submit_and_remove(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    before = nuke.fake.trace()
    submitted = submit(node), facts(node), knob(node, "status")
    with nuke.fake.apart():
        free = node["cancel_void"].enabled(), node["render_void"].label()
    changed = sorted(name for name, value in nuke.fake.trace().items() if before[name] != value)
    bars = len(nuke.fake.tasks)
    seen = until_there(node)
    shown = facts(node)
    nuke.fake.press(node, "render_void")
    return submitted, free, changed, bars, seen, shown, wait(node)


def test_a_version_of_the_farm_is_that_of_remove_bit_for_bit_with_the_same_manifest(
    nuke: Nuke, small: Shot, tmp_path: Path
) -> None:
    submitted, free, changed, bars, seen, shown, removed = run(nuke, submit_and_remove, scene(small, tmp_path / "work"))
    (kind, text, details), told, status = submitted
    folder = versions(tmp_path) / "v001"
    (job,) = [item["job"] for item in record(folder)["farm"]["jobs"].values()]
    assert kind == "farm" and text == status == f"On the farm: {job}, v001"
    assert f"void farm logs {job}" in details and f"Folder: {folder}" in details
    assert told["void_job"].endswith("/v001") and told["messages"] == [] and not told["void_has_result"]
    assert free == [True, "Remove"] and changed == [] and bars == 0
    assert seen[-1][0] == "done" and seen[-1][1].startswith("v001 · 1001-1008") and "recovered" in seen[-1][1]
    assert all(kind == "farm" and text.startswith("On the farm: ") for kind, text, _ in seen[:-1])
    assert shown["version"] == 1 and shown["void_job"] == "" and shown["range"] == [1001, 1008, 1001, 1008]
    assert removed[0] == "done" and not (folder / "inputs").exists() and record(folder)["state"] == "done"
    other = versions(tmp_path) / "v002"
    assert digests(folder) == digests(other) and len(digests(folder)) == 8
    first, second = (json.loads((place / "manifest.json").read_text()) for place in (folder, other))
    timings = {first["summary"].pop("seconds"), second["summary"].pop("seconds")}
    assert len(timings) and first.keys() == second.keys()
    for name in first.keys() - {*VOLATILE, "views"}:
        assert first[name] == second[name], name
    assert first["views"]["main"].keys() == second["views"]["main"].keys()
    assert first["views"]["main"]["patch"] == second["views"]["main"]["patch"]


def submit_and_leave(text):  # type: ignore[no-untyped-def]
    import json

    import nuke

    node = connected(text)
    ended = submit(node)
    nuke.scriptSave(json.loads(text)["script"])
    return ended


def only_come_back(text):  # type: ignore[no-untyped-def]
    import nuke

    node, ended = come_back(text)
    return ended, facts(node), list(nuke.fake.messages)


def test_nuke_may_be_closed_and_the_script_shows_the_version_when_it_is_opened_again(
    nuke: Nuke, small: Shot, tmp_path: Path
) -> None:
    text = scene(small, tmp_path / "work", render=True)
    assert run(nuke, submit_and_leave, text)[0] == "farm"
    folder = versions(tmp_path) / "v001"
    eventually(lambda: list(folder.glob("patch/.void/*/result.json")), lambda: "no result")
    eventually(lambda: not about(tmp_path), lambda: f"{about(tmp_path)} still run")
    assert not (folder / "manifest.json").exists(), "nobody has looked yet"
    ended, told, messages = run(nuke, only_come_back, text)
    assert ended[0] == "done" and told["version"] == 1 and told["void_job"] == "" and messages == []
    assert (folder / "manifest.json").exists() and not (folder / "inputs").exists()


def submit_held(text, gate):  # type: ignore[no-untyped-def]
    """A job that waits for a file."""
    import json

    import nuke

    node = connected(text)
    with nuke.fake.apart():
        node["engine"].setValues(["auto", "slow", "recover"])
        node["engine"].setValue("slow")
        node["prompt"].setValue(json.dumps({"at": 1006, "until": gate}))
    return node, submit(node)


def look_at_a_held_job(text, gate):  # type: ignore[no-untyped-def]
    import json
    import time

    import nuke

    node, _ = submit_held(text, gate)
    nuke.scriptSave(json.loads(text)["script"])
    seen = []
    while not seen or "running" not in seen[-1][1]:
        nuke.fake.press(node, "latest_v")
        seen.append(wait(node))
        nuke.fake.pump()
        time.sleep(0.1)
    nuke.fake.pump(until=lambda: nuke.fake.messages)
    said = list(nuke.fake.messages)
    open(gate, "w").close()
    return seen[-1], said, until_there(node)[-1], facts(node)


def test_latest_says_how_far_the_farm_is_and_shows_the_version_once_it_is_there(
    nuke: Nuke, small: Shot, tmp_path: Path
) -> None:
    gate = str(tmp_path / "go")
    running, said, ended, told = nuke.run(
        look_at_a_held_job,
        scene(small, tmp_path / "work"),
        gate,
        helpers=(*in_host(), submit, until_there, submit_held),
        timeout=250,
    )
    assert running[0] == "farm" and " %" in running[1] and running[1].startswith("On the farm: local:")
    assert "There is no such finished version." in said[0][1] and "v001 (On the farm: local:" in said[0][1]
    assert ended[0] == "done" and told["version"] == 1


# -- cancel and failure --------------------------------------------------------------------------------------------


def submit_and_cancel(text, gate):  # type: ignore[no-untyped-def]
    import nuke

    node, ended = submit_held(text, gate)
    nuke.fake.press(node, "cancel_void")
    cancelled = wait(node)
    with nuke.fake.apart():
        enabled = node["cancel_void"].enabled()
    return ended, cancelled, facts(node), enabled


def test_cancel_takes_the_job_back_from_the_farm_and_leaves_nothing(nuke: Nuke, small: Shot, tmp_path: Path) -> None:
    ended, cancelled, told, enabled = nuke.run(
        submit_and_cancel,
        scene(small, tmp_path / "work"),
        str(tmp_path / "never"),
        helpers=(*in_host(), submit, submit_held),
        timeout=250,
    )
    assert ended[0] == "farm" and cancelled[0] == "cancelled" and not enabled
    assert told["void_job"] == "" and told["messages"] == [] and list(versions(tmp_path).iterdir()) == []


def submit_what_fails(text):  # type: ignore[no-untyped-def]
    import json

    import nuke

    node = connected(text)
    with nuke.fake.apart():
        node["engine"].setValues(["auto", "slow", "recover"])
        node["engine"].setValue("slow")
        node["prompt"].setValue(json.dumps({"do": "error", "at": 1006}))
    submit(node)
    failed = until_there(node)[-1]
    with nuke.fake.apart():
        node["engine"].setValue("recover")
    nuke.fake.press(node, "render_void")
    return failed, wait(node), facts(node)


def test_a_job_that_fails_on_the_farm_is_said_in_the_node_with_the_command_for_its_log(
    nuke: Nuke, small: Shot, tmp_path: Path
) -> None:
    failed, again, told = run(nuke, submit_what_fails, scene(small, tmp_path / "work"))
    assert failed[0] == "failed" and "the engine is broken" in failed[1] and "void farm logs local:" in failed[1]
    assert record(versions(tmp_path) / "v001")["state"] == "failed"
    assert again[0] == "done" and told["version"] == 2


def submit_once(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    return submit(node), list(nuke.fake.messages), len(nuke.fake.written), facts(node)["void_job"]


def test_without_a_farm_the_button_says_what_to_do_and_renders_nothing(nuke: Nuke, small: Shot, tmp_path: Path) -> None:
    Path(nuke.environment["VOID_CONFIG"]).write_text("{}")
    ended, told, written, noted = run(nuke, submit_once, scene(small, tmp_path / "work"))
    assert ended[0] == "failed" and "No farm is configured on this machine" in told[0][1] and len(told) == 1
    assert written == 0 and noted == "" and not (tmp_path / "work/void").exists()


# -- killed --------------------------------------------------------------------------------------------------------


def submit_and_lose(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    nuke.fake.press(node, "submit_farm")
    nuke.fake.pump(until=lambda: "Submitting" in knob(node, "status"))
    print("SUBMITTING", flush=True)
    return wait(node), facts(node), until_there(node)[-1]


def test_a_sidecar_that_is_killed_while_it_submits_is_followed_by_one_that_finds_the_job(
    nuke: Nuke, small: Shot, tmp_path: Path
) -> None:
    running = nuke.start(submit_and_lose, scene(small, tmp_path / "work"), helpers=(*in_host(), submit, until_there))
    until(lambda: "SUBMITTING" in running.output() or running.process.poll() is not None, what="the job")

    def children(word: bytes) -> list[int]:
        found = [pid for pid in processes_of(running.process.pid) if pid != running.process.pid]
        return [pid for pid in found if word in Path(f"/proc/{pid}/cmdline").read_bytes()]

    until(lambda: children(b"submit"), what="void submit")
    os.kill(children(b"void_plugin.sidecar")[0], signal.SIGKILL)
    ended, told, last = running.result(250)
    # `void submit` went on and held the folder, so that the next sidecar has found its job.
    assert ended[0] in ("farm", "done") and told["messages"] == [] and last[0] == "done"
    assert record(versions(tmp_path) / "v001")["farm"]["jobs"]
    assert [path.name for path in versions(tmp_path).iterdir()] == ["v001"]
