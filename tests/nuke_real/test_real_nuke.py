"""What only a real Nuke can show. Where VOID_NUKE names one: pytest -m nuke

Each test starts `nuke -t`, which takes a licence. The sidecar and a private server run in a Python with this checkout,
with the engine `recover`, so that nothing but Nuke is needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from nukescenes import awkward_shot
from nukestarts import void
from pythons import ROOT
from realnuke import VARIABLE, RealNuke, command
from shots import Shot, bits, load_exr

pytestmark = pytest.mark.nuke

FAR = 12
"""Pixels from the matte beyond which nothing may change."""


@pytest.fixture
def starts(tmp_path: Path, void_python: str) -> Callable[[Path | None], RealNuke]:
    """A Nuke with the plug-in of a folder, or without any."""
    if not command():
        pytest.skip(f"no Nuke is named by ${VARIABLE}")
    return lambda plugin: RealNuke(command(), tmp_path / "nuke", plugin, void_python)


@pytest.fixture
def nuke(starts: Callable[[Path | None], RealNuke]) -> RealNuke:
    return starts(ROOT / "nuke")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    """Four frames whose plate has awkward pixels."""
    return awkward_shot(tmp_path_factory.mktemp("small"))


# -- inside Nuke ---------------------------------------------------------------------------------------------------


def about():  # type: ignore[no-untyped-def]
    import sys

    import nuke

    ours = sorted(name for name in sys.modules if name.partition(".")[0] == "void_plugin")
    from void_plugin.hosts import nuke_host

    return {"before": ours, "path": nuke.pluginPath(), "file": nuke_host.__file__, "version": nuke.NUKE_VERSION_STRING}


def make_script(path, plate, matte, first, last, width, height):  # type: ignore[no-untyped-def]
    """Saves a script with a connected VoidRemove; tells what of it is not as our table says."""
    import sys

    import nuke
    from void_plugin.hosts import nuke_group
    from void_plugin.hosts.nuke_knobs import BUTTON, HIDDEN, INPUTS, KNOBS

    root = nuke.root()
    nuke.addFormat(f"{width} {height} 0 0 {width} {height} 1 shot")
    root["format"].setValue("shot")
    root["first_frame"].setValue(first)
    root["last_frame"].setValue(last)
    reads = []
    for file in (plate, matte):
        read = nuke.nodes.Read()
        read["file"].setValue(file)
        for name, value in (("first", first), ("last", last), ("origfirst", first), ("origlast", last)):
            read[name].setValue(value)
        read["origset"].setValue(True)
        read["raw"].setValue(True)
        reads.append(read)
    node = nuke_group.create()
    for index, read in enumerate(reads):
        node.setInput(index, read)
    wrong = []
    for item in KNOBS + HIDDEN:
        knob = node.knob(item.name)
        if knob is None or knob.Class() != nuke_group._CLASSES[item.kind]:
            wrong.append([item.name, "class", None if knob is None else knob.Class()])
        elif item.label and knob.label() != item.label:
            wrong.append([item.name, "label", knob.label()])
        elif item.kind == "button" and knob.value() != BUTTON.format(action=item.default):
            wrong.append([item.name, "script", knob.value()])
        elif item.kind in ("string", "text", "file", "int", "float", "enum", "bool") and knob.value() != item.default:
            wrong.append([item.name, "value", str(knob.value())])
        elif item.kind == "enum" and list(knob.values()) != list(item.choices):
            wrong.append([item.name, "choices", list(knob.values())])
    for item in HIDDEN:
        if node.knob(item.name) is not None and node[item.name].visible():
            wrong.append([item.name, "visible", ""])
    node["engine"].setValue("recover")
    node["handles"].setValue(0)
    nuke.scriptSave(path)
    return {
        "wrong": wrong,
        "inputs": [node.maxInputs(), len(INPUTS)],
        "connected": [node.input(index) is not None for index in range(len(INPUTS))],
        "inner": sorted(inner.name() for inner in node.nodes()),
        "foreign": [name for name in ("grpc", "google.protobuf", "numpy") if name in sys.modules],
    }


def render(path, out, first, last, output):  # type: ignore[no-untyped-def]
    """Opens a script and renders the node and its plate, each to float EXRs; tells what is loaded and in the script."""
    import sys

    import nuke

    nuke.scriptOpen(path)
    node = nuke.toNode("VoidRemove1")
    there = sorted(item.name() for item in nuke.allNodes())
    node["output"].setValue(output)
    for name, source in (("node", node), ("plate", node.input(0))):
        write = nuke.nodes.Write()
        write["file"].setValue(f"{out}/{name}.%04d.exr")
        write["file_type"].setValue("exr")
        write["channels"].setValue("rgb")
        write["raw"].setValue(True)
        write["create_directories"].setValue(True)
        write["datatype"].setValue("32 bit float")
        write.setInput(0, source)
        nuke.execute(write, first, last, 1)
    return {
        "class": node.Class(),
        "nodes": there,
        "version": node["version"].value(),
        "seed": node["seed"].value(),
        "ours": sorted(name for name in sys.modules if name.partition(".")[0] == "void_plugin"),
    }


# -- what came of it -----------------------------------------------------------------------------------------------


def scripted(nuke: RealNuke, small: Shot, path: Path) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = small.size
    frames = small.frames
    return nuke.run(make_script, path.as_posix(), small.plate, small.matte, frames.first, frames.last, width, height)


def pictures(folder: Path, frame: int) -> tuple[np.ndarray, np.ndarray]:
    """What the node and its plate look like."""
    files = [load_exr(folder / f"{name}.{frame}.exr") for name in ("node", "plate")]
    node, plate = (np.stack([file.over(file.display, name, np.float32) for name in "RGB"], -1) for file in files)
    return node, plate


def same_bits(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where two pictures have the same bits; -0.0 and 0.0 are one."""
    return (bits(first) == bits(second)) | ((first == 0) & (second == 0))


def test_nuke_finds_the_plugin_and_loads_nothing_of_it_before_it_is_needed(nuke: RealNuke) -> None:
    told = nuke.run(about)
    assert told["before"] == [] and str(ROOT / "nuke") in [str(Path(path)) for path in told["path"]]
    assert Path(told["file"]) == ROOT / "void_plugin" / "hosts" / "nuke_host.py"


def test_nuke_reads_what_install_wrote(
    starts: Callable[[Path | None], RealNuke], void_python: str, tmp_path: Path
) -> None:
    folder = tmp_path / "my nuke ü"
    done = void(tmp_path / "home", void_python, "nuke", "install", "--nuke-dir", str(folder))
    assert done.returncode == 0, done.stderr
    told = starts(folder).run(about)
    assert str(folder / "void_plugin") in [str(Path(path)) for path in told["path"]] and told["before"] == []
    assert Path(told["file"]) == folder / "void_plugin" / "void_plugin" / "hosts" / "nuke_host.py"


def test_the_node_is_what_the_table_says(nuke: RealNuke, small: Shot, tmp_path: Path) -> None:
    told = scripted(nuke, small, tmp_path / "shot" / "sh010_v001.nk")
    assert told["wrong"] == [] and told["foreign"] == []
    assert told["inputs"] == [4, 4] and told["connected"] == [True, True, False, False]
    assert {"VoidResult", "VoidComp", "VoidOutput", "plate", "matte", "affected", "holdout"} <= {*told["inner"]}


def test_a_new_node_passes_its_plate_through_also_where_there_is_no_plugin(
    starts: Callable[[Path | None], RealNuke], nuke: RealNuke, small: Shot, tmp_path: Path
) -> None:
    script = tmp_path / "shot" / "sh010_v001.nk"
    scripted(nuke, small, script)
    told = starts(None).run(render, script.as_posix(), (tmp_path / "out").as_posix(), 1001, 1002, "comp")
    assert told["class"] == "Group" and told["ours"] == [] and told["version"] == 0
    for frame in (1001, 1002):
        node, plate = pictures(tmp_path / "out", frame)
        assert same_bits(node, plate).all() and np.isnan(plate).any() and (plate == 60.0).any()


def test_a_node_removes_without_windows_and_its_script_renders_without_the_plugin(
    starts: Callable[[Path | None], RealNuke], nuke: RealNuke, small: Shot, tmp_path: Path
) -> None:
    script = tmp_path / "shot" / "sh010_v001.nk"
    scripted(nuke, small, script)
    batch = str(ROOT / "nuke" / "void_batch.py")
    done = nuke.start("-t", batch, script.as_posix(), "--node", "VoidRemove1", "--save")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "shot" / "void" / "sh010" / "VoidRemove1" / "v001"
    assert f"void_batch: {folder.as_posix()}" in done.stdout
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["frames"] == "1001-1004"
    (tmp_path / "shot").rename(tmp_path / "elsewhere")  # paths are relative to the script
    moved = tmp_path / "elsewhere" / script.name
    told = starts(None).run(render, moved.as_posix(), (tmp_path / "out").as_posix(), 1001, 1004, "comp")
    assert told["ours"] == [] and told["version"] == 1 and len(told["nodes"]) == 3
    for frame in small.frames:
        node, plate = pictures(tmp_path / "out", frame)
        near = cv2.dilate((small.mattes[frame] > 0).astype(np.uint8), np.ones((2 * FAR + 1, 2 * FAR + 1), np.uint8))
        assert same_bits(node, plate)[near == 0].all()
        inside = small.mattes[frame] > 0.9
        assert np.abs(node[inside] - plate[inside]).mean() > 0.1


def test_a_batch_that_cannot_run_says_why(nuke: RealNuke, small: Shot, tmp_path: Path) -> None:
    script = tmp_path / "shot" / "sh010_v001.nk"
    scripted(nuke, small, script)
    done = nuke.start("-t", str(ROOT / "nuke" / "void_batch.py"), script.as_posix(), "--node", "VoidRemove7")
    assert done.returncode == 1 and "it has VoidRemove1." in done.stdout + done.stderr
