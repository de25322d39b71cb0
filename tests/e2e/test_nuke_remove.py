"""A person presses Remove: stand-in Nuke, real sidecar, real server, the engine `recover`, and the comp in Nuke again.

What comes out of the node is compared with its plate bit for bit outside the matte.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nukes import FAKE, Nuke
from nukescenes import (
    OLDEST,
    USUAL,
    awkward_shot,
    connected,
    facts,
    host,
    in_host,
    knob,
    pressed,
    scene,
    state,
    wait,
)
from pythons import interpreters, sidecar_python
from servers import processes_of, until
from shots import Shot, bits

VERSIONS = sorted({OLDEST, USUAL, "3.13"} & set(interpreters()))
FAR = 12
"""Pixels from the matte beyond which nothing may change (architecture.md 5), at any size here."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    """Four frames whose plate has awkward pixels."""
    return awkward_shot(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with this checkout, for the sidecar and its server."""
    return sidecar_python(tmp_path_factory.mktemp("sidecar"))


@pytest.fixture
def nuke(tmp_path: Path, sidecar: str) -> Nuke:
    return host(tmp_path / "host", sidecar)


def run(nuke: Nuke, scenario: Any, *arguments: Any, timeout: float = 200.0) -> Any:
    return nuke.run(scenario, *arguments, helpers=(*in_host(), pictures), timeout=timeout)


def pictures(node, frames):  # type: ignore[no-untyped-def]
    """Files with the plate, the node and its matte at these frames."""
    import nuke

    found = []
    for frame in frames:
        plate = nuke.fake.evaluate(node.input(0), frame, ("rgba.red", "rgba.green", "rgba.blue"))
        comp = nuke.fake.evaluate(node, frame, ("rgba.red", "rgba.green", "rgba.blue"))
        matte = nuke.fake.evaluate(node.input(1), frame, ("rgba.alpha",))
        found.append([plate, comp, matte])
    return found


def far(matte: np.ndarray) -> np.ndarray:
    """Where a matte is at least so far away that nothing may change."""
    import cv2

    kernel = np.ones((2 * FAR + 1, 2 * FAR + 1), np.uint8)
    return cv2.dilate((matte > 0).astype(np.uint8), kernel) == 0


def same_bits(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where two pictures have the same bits; -0.0 and 0.0 are one."""
    return (bits(first) == bits(second)) | ((first == 0) & (second == 0))


def checked(files: list[list[str]], changes: bool = True) -> None:
    """The comp is the plate outside the matte, and without the object inside."""
    for plate_file, comp_file, matte_file in files:
        plate, comp, matte = np.load(plate_file), np.load(comp_file), np.load(matte_file)[..., 0]
        outside = far(matte)
        assert outside.mean() > 0.3 and np.isnan(plate[outside]).any() and np.isinf(plate[outside]).any()
        assert (plate[outside] == 60.0).any() and (plate[outside] < 0).any()
        assert same_bits(plate, comp)[outside].all()
        if changes:
            inside = matte > 0.9
            assert np.abs(plate[inside] - comp[inside]).mean() > 0.1


# -- from the button to the comp -----------------------------------------------------------------------------------


def remove_and_look(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    before = nuke.fake.trace()
    steps = nuke.fake.undo_steps
    nuke.fake.press(node, "render_void")
    ended = wait(node)
    after = nuke.fake.trace()
    changed = sorted(name for name in before if before[name] != after[name])
    files = pictures(node, range(1001, 1005))
    with nuke.fake.apart():
        node["mix"].setValue(0.0)
        none = pictures(node, [1001])
        node["mix"].setValue(1.0)
        shown = {}
        for output in ("patch", "clean plate", "difference", "source"):
            node["output"].setValue(output)
            shown[output] = nuke.fake.evaluate(node, 1001)
        node["output"].setValue("comp")
        outside = pictures(node, [1000])
        node["disable"].setValue(True)
        disabled = pictures(node, [1001])
    written = sorted({path.rpartition("/")[2] for _, _, _, path in nuke.fake.written})
    grown = nuke.fake.undo_steps[len(steps) :]
    events = [event.count for event in nuke.fake.events if event.name.startswith("posted")]
    return ended, facts(node), changed, files, none, shown, outside, disabled, written, grown, events


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("render", [True, False], ids=["rendered", "plain Read"])
def test_the_comp_is_the_plate_bit_for_bit_outside_the_matte_and_without_the_object_inside(
    tmp_path: Path, sidecar: str, small: Shot, version: str, render: bool
) -> None:
    text = scene(small, tmp_path / "work", render=render)
    found = run(host(tmp_path / "host", sidecar, version), remove_and_look, text)
    ended, told, changed, files, none, shown, outside, disabled, written, grown, events = found
    assert ended[0] == "done" and "recovered" in ended[1] and "1001-1004" in ended[1]
    assert told["version"] == 1 and told["range"] == [1001, 1004, 1001, 1004] and told["messages"] == []
    assert changed == ["modified"] and [name for name, _ in grown][:1] == ["Show v001"]
    checked(files)
    for plate, comp, _ in (*none, *disabled):
        assert same_bits(np.load(plate), np.load(comp)).all()
    # Before the first frame the patch is black with alpha 0, and a plate that holds its first frame shows through.
    for plate, comp, _ in outside:
        assert same_bits(np.load(plate), np.load(comp)).all()
    plate, comp = np.load(files[0][0]), np.load(files[0][1])
    assert same_bits(np.load(shown["clean plate"])[..., :3], comp).all()
    assert same_bits(np.load(shown["source"])[..., :3], plate).all()
    patch = np.load(shown["patch"])
    assert np.isfinite(patch).all() and (patch[..., 3][far(np.load(files[0][2])[..., 0])] == 0).all()
    # A plain EXR Read is sent as its own files; only the matte is rendered then.
    plates = [name for name in written if name.startswith("plate")]
    assert len(plates) == (4 if render else 0) and len(written) - len(plates) == 4
    assert sorted(events)[-2] <= 20 < sorted(events)[-1]
    folder = tmp_path / "work/void/sh010/VoidRemove1/v001"
    assert not (folder / "inputs").exists() and len(list((folder / "patch").glob("*.exr"))) == 4


def remove_with_everything(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    ended = [pressed(node, "test_frame"), facts(node)]
    ended += [pressed(node, "preview_mask")]
    overlay = nuke.fake.evaluate(node, 1002)
    with nuke.fake.apart():
        node["output"].setValue("comp")
    ended += [pressed(node, "render_void"), facts(node)]
    return ended, overlay, pictures(node, [1001, 1004])


def test_test_frame_preview_float_plate_holdout_and_full_frames(nuke: Nuke, small: Shot, tmp_path: Path) -> None:
    knobs = {
        "datatype": "32 bit float",
        "write_cleanplate": True,
        "helper_channels": True,
        "grain": "off",
        "compression": "piz",
        "range_mode": "custom",
        "frame_range": "1002-1003",
        "handles": 1,
        "context": 5,
    }
    text = scene(
        small,
        tmp_path / "work",
        render=True,
        knobs=knobs,
        affected=small.matte,
        holdout=str(small.folder / "right_half.%04d.exr"),
    )
    ended, overlay, files = run(nuke, remove_with_everything, text)
    test, after_test, preview, done, after = ended
    assert test[0] == "done" and test[1].startswith("test · 1001") and after_test["version"] == 0
    assert preview[0] == "done" and preview[1].startswith("preview")
    assert np.load(overlay).shape == (72, 128, 4)
    assert done[0] == "done", done
    assert after["range"] == [1001, 1004, 1001, 1004] and after["version"] == 1
    checked(files[:1])
    # On the last frame the object stands in the half that is held out, so nothing may change at all.
    plate, comp, matte = (np.load(file) for file in files[1])
    assert same_bits(plate, comp).all() and matte.max() == 1
    folder = tmp_path / "work/void/sh010/VoidRemove1/v001"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["settings"]["context"] == 5 and manifest["facts"]["format"] == [128, 72]
    assert len(list((folder / "cleanplate").glob("*.exr"))) == 4


def press_with(text, change):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    with nuke.fake.apart():
        exec(change, {"nuke": nuke, "node": node})
    return pressed(node, "render_void"), list(nuke.fake.messages), len(nuke.fake.written)


def test_folder_engine_and_matte_that_cannot_be_used_are_told_together(nuke: Nuke, small: Shot, tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.write_text("")
    change = f"node['output_dir'].setValue({str(file / 'out')!r}); node['engine'].setValue('void')"
    change += "; node['matte_channel'].setValue('rgba.red')"
    ended, told, written = run(nuke, press_with, scene(small, tmp_path / "work"), change)
    sentences = told[0][1].split("\n\n")
    assert ended[0] == "failed" and written == 0 and len(told) == 1 and len(sentences) == 3
    assert (
        "has no rgba.red" in sentences[0] and "would lie in a file" in sentences[1] and "void" in sentences[2].lower()
    )


def test_a_server_that_is_away_is_told_before_anything_is_rendered(nuke: Nuke, small: Shot, tmp_path: Path) -> None:
    change = "node['server'].setValue('127.0.0.1:1')"
    ended, told, written = run(nuke, press_with, scene(small, tmp_path / "work"), change)
    assert ended[0] == "failed" and "127.0.0.1:1" in told[0][1] and written == 0
    assert not (tmp_path / "work/void").exists()


# -- the script without us -----------------------------------------------------------------------------------------


def save_a_result(text):  # type: ignore[no-untyped-def]
    import json

    import nuke

    node = connected(text)
    pressed(node, "render_void")
    nuke.scriptSave(json.loads(text)["script"])
    return pictures(node, [1002])


def open_without_us(path, gui):  # type: ignore[no-untyped-def]
    import sys

    import nuke

    nuke.scriptOpen(path)
    node = nuke.toNode("VoidRemove1")
    files = pictures(node, [1002])
    with nuke.fake.apart():
        write = nuke.nodes.Write(name="out", file=path + ".%04d.exr", file_type="exr", channels="rgb", raw=True)
        write.setInput(0, node)
        write["datatype"].setValue("32 bit float")
    nuke.execute(write, 1001, 1004)
    if gui:
        for button in ("render_void", "latest_v", "cancel_void"):
            nuke.fake.press(node, button)
    ours = [name for name in sys.modules if name.partition(".")[0] == "void_plugin"]
    return files, list(nuke.fake.messages), len(nuke.fake.written), ours


@pytest.mark.parametrize("gui", [True, False], ids=["with windows", "nuke -x"])
def test_a_saved_script_opens_and_renders_without_our_package(
    nuke: Nuke, small: Shot, tmp_path: Path, gui: bool
) -> None:
    text = scene(small, tmp_path / "work")
    (_, mine, _), = run(nuke, save_a_result, text)  # fmt: skip
    moved = tmp_path / "moved"
    (tmp_path / "work").rename(moved)  # the paths in it are relative to the script
    nuke.environment.update(PYTHONPATH=str(FAKE), FAKE_NUKE_GUI="1" if gui else "0")
    path = str(moved / "sh010_v001.nk")
    files, told, written, ours = nuke.run(open_without_us, path, gui, helpers=(pictures,))
    assert same_bits(np.load(mine), np.load(files[0][1])).all() and written == 4 and ours == []
    assert len(told) == (3 if gui else 0)
    assert all("is not on the Python path" in told_text and "void nuke install" in told_text for _, told_text in told)


# -- killed --------------------------------------------------------------------------------------------------------


def remove_slowly(text):  # type: ignore[no-untyped-def]
    """Tells when the job runs, and goes on when the test has done its worst."""
    import nuke

    node = connected(text)
    nuke.fake.press(node, "render_void")
    nuke.fake.pump(until=lambda: "Running" in knob(node, "status"))
    print("RUNNING", flush=True)
    ended = wait(node)
    first = facts(node)
    nuke.fake.press(node, "render_void")
    return ended, first, wait(node), facts(node)


def started(nuke: Nuke, scenario: Any, *arguments: Any) -> Any:
    """A scenario that has said that its job runs."""
    running = nuke.start(scenario, *arguments, helpers=(*in_host(), pictures))
    until(lambda: "RUNNING" in running.output() or running.process.poll() is not None, what="the job")
    return running


def children(pid: int, word: str) -> list[int]:
    """Processes below one whose command line has a word in it."""
    found = []
    for child in processes_of(pid):
        try:
            line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if word in line and child != pid:
            found.append(child)
    return found


@pytest.fixture
def slow_shot(tmp_path: Path) -> Shot:
    """A shot that takes a few seconds."""
    return awkward_shot(tmp_path / "slow", 12, (216, 384))


@pytest.mark.parametrize("victim", ["void_plugin.sidecar", "void_server"])
def test_whoever_is_killed_while_a_job_runs_it_is_taken_up_or_told_and_the_button_works(
    nuke: Nuke, slow_shot: Shot, tmp_path: Path, victim: str
) -> None:
    running = started(nuke, remove_slowly, scene(slow_shot, tmp_path / "work"))
    victims = until(lambda: children(running.process.pid, victim), what=victim)
    os.kill(victims[0], signal.SIGKILL)
    ended, first, again, second = running.result(200)
    if victim == "void_plugin.sidecar":
        assert ended[0] == "done" and first["version"] == 1, "another sidecar took the job up"
        assert second["version"] == 2
    else:
        assert ended[0] in ("done", "failed") and first["void_job"] == ("" if ended[0] == "done" else first["void_job"])
        assert ended[0] == "done" or ended[1].endswith(".")
    assert again[0] == "done" and second["messages"] == []


def cancel_slowly(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    nuke.fake.press(node, "render_void")
    nuke.fake.pump(until=lambda: "Running" in knob(node, "status"))
    nuke.fake.press(node, "cancel_void")
    return wait(node), facts(node), state(node)


def test_a_cancelled_job_leaves_nothing_and_the_server_stops(nuke: Nuke, slow_shot: Shot, tmp_path: Path) -> None:
    ended, told, _ = run(nuke, cancel_slowly, scene(slow_shot, tmp_path / "work"))
    assert ended[0] == "cancelled" and told["void_job"] == "" and not told["void_has_result"]
    assert list((tmp_path / "work/void/sh010/VoidRemove1").iterdir()) == []


def leave_slowly(text):  # type: ignore[no-untyped-def]
    import json

    import nuke

    node = connected(text)
    nuke.fake.press(node, "render_void")
    nuke.fake.pump(until=lambda: "Running" in knob(node, "status"))
    nuke.scriptSave(json.loads(text)["script"])
    print("RUNNING", flush=True)
    nuke.fake.pump(until=lambda: False)


def come_back(text):  # type: ignore[no-untyped-def]
    import json

    import nuke
    from void_plugin.hosts import nuke_host

    nuke_host.install()
    nuke.scriptOpen(json.loads(text)["script"])
    node = nuke.toNode("VoidRemove1")
    nuke.fake.pump()
    return wait(node), facts(node), pictures(node, [1003])


def test_a_job_outlives_its_nuke_and_is_taken_up_when_the_script_is_opened_again(
    nuke: Nuke, slow_shot: Shot, tmp_path: Path
) -> None:
    text = scene(slow_shot, tmp_path / "work")
    running = started(nuke, leave_slowly, text)
    running.process.kill()
    running.process.wait()
    until(lambda: not children(1, str(tmp_path)), what="the end of what the dead Nuke had started")
    ended, told, files = run(nuke, come_back, text)
    assert ended[0] == "done" and told["version"] == 1 and told["void_job"] == "" and told["messages"] == []
    checked(files)


# -- without windows -----------------------------------------------------------------------------------------------


def only_save(text):  # type: ignore[no-untyped-def]
    connected(text)


BATCH = """
import sys

import nuke
sys.argv = ["void_batch.py"] + {arguments!r}
try:
    exec(compile(open({program!r}).read(), {program!r}, "exec"), {{"__name__": "__main__"}})
finally:
    assert not nuke.fake.faults and not nuke.fake.tracebacks, (nuke.fake.faults, nuke.fake.tracebacks)
    nuke.fake.close()
"""


@pytest.fixture
def batch(nuke: Nuke) -> Iterator[Any]:
    """Runs nuke/void_batch.py in a Nuke without windows."""

    def run_batch(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = str(Path(__file__).parents[2] / "nuke" / "void_batch.py")
        source = BATCH.format(arguments=list(arguments), program=program)
        environment = {**nuke.environment, "FAKE_NUKE_GUI": "0"}
        command = [nuke.python, "-s", "-c", source]
        return subprocess.run(
            command, env=environment, cwd=nuke.folder, text=True, capture_output=True, timeout=200, check=False
        )

    yield run_batch


def test_a_node_runs_without_windows_prints_its_way_and_saves_where_asked(
    nuke: Nuke, batch: Any, small: Shot, tmp_path: Path
) -> None:
    text = scene(small, tmp_path / "work")
    run(nuke, only_save, text)
    script = json.loads(text)["script"]
    done = batch(script, "--node", "VoidRemove1", "--frames", "1002-1003", "--save")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "void_batch: VoidRemove1: Rendering the inputs" in lines
    assert lines[-1] == f"void_batch: {tmp_path}/work/void/sh010/VoidRemove1/v001"
    assert "v001 · 1002-1003" in done.stdout
    _, told, _ = run(nuke, come_back, text)
    assert told["version"] == 1 and told["range"][:2] == [1002, 1003]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--node", "VoidRemove7"], 1, "has no VoidRemove called VoidRemove7; it has VoidRemove1."),
        (["--node", "VoidRemove1", "--frames", "1-2"], 1, "The frame range 1-2 lies outside the plate"),
        (["--node", "VoidRemove1", "--server", "127.0.0.1:1"], 1, "127.0.0.1:1"),
        ([], 2, "--node"),
    ],
)
def test_a_batch_that_cannot_run_says_why_and_returns_its_code(
    nuke: Nuke, batch: Any, small: Shot, tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    text = scene(small, tmp_path / "work")
    run(nuke, only_save, text)
    done = batch(json.loads(text)["script"], *arguments)
    assert done.returncode == code and sentence in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
