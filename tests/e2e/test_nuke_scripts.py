"""What we write into a script, what we add to Nuke's start, and which files are taken for the plate as they are."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from nukes import Nuke
from nukescenes import OLDEST, USUAL, connected, facts, in_host, knob, pressed, quick_host, scene, state
from pythons import interpreters
from shots import Shot
from tclnk import check_nk, read_nk

ROOT = Path(__file__).parents[2]
VERSIONS = sorted({OLDEST, USUAL} & set(interpreters()))


@pytest.fixture(params=VERSIONS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Nuke:
    return quick_host(tmp_path / "host", request.param)


def run(host: Nuke, scenario: Any, *arguments: Any) -> Any:
    return host.run(scenario, *arguments, helpers=in_host())


# -- script text ---------------------------------------------------------------------------------------------------


def save_awkward_texts(text):  # type: ignore[no-untyped-def]
    import json

    import nuke

    path = json.loads(text)["script"]
    node = connected(text)
    awkward = 'a "quoted" [scene] with $money, {braces}, a \\ and\ntwo lines; é'
    with nuke.fake.apart():
        node["prompt"].setValue(awkward)
        node["label"].setValue("keep [value seed]")
        node["mix"].setExpression("frame / 2000")
    pressed(node, "render_void")
    nuke.scriptSave(path)
    with open(path, encoding="utf-8") as file:
        saved = file.read()
    before = [facts(node), knob(node, "prompt"), sorted(one.name() for one in node.nodes())]
    nuke.scriptOpen(path)
    nuke.fake.pump()
    again = nuke.toNode("VoidRemove1")
    after = [facts(again), knob(again, "prompt"), sorted(one.name() for one in again.nodes())]
    nuke.scriptSave(path)
    with open(path, encoding="utf-8") as file:
        return saved, file.read(), before, after, state(again), nuke.fake.label_of(again), nuke.root().modified()


def test_a_saved_node_is_tcl_that_nuke_knows_and_comes_back_as_it_was(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    saved, twice, before, after, seen, label, modified = run(host, save_awkward_texts, scene(tiny, tmp_path / "work"))
    assert check_nk(saved, [interpreters()[version] for version in VERSIONS]) == []
    assert saved == twice and before == after and not modified
    assert seen[:2] == ["done", "v001 · 1001-1002 · 1 s · 100 % recovered"]
    assert label.splitlines()[1:] == ["v001 · 1001-1002 · 1 s · 100 % recovered", "keep 0"]


def test_a_script_holds_nothing_volatile_and_no_place_of_this_machine(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    saved = run(host, save_awkward_texts, scene(tiny, tmp_path / "work"))[0]
    group = saved[saved.index("Group {") :]
    assert str(tmp_path) not in group and "Checking" not in group and str(Path.home()) not in group
    (node,) = [item for item in read_nk(saved).children if item.kind == "Group"]
    assert not {"status", "details"} & set(node.values)
    assert node.values["void_result"].startswith("[file dirname [value root.name]]/void/sh010/VoidRemove1/v001/")


def test_every_python_text_in_a_saved_node_is_python_of_the_oldest_nuke_and_of_the_next(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    saved = run(host, save_awkward_texts, scene(tiny, tmp_path / "work"))[0]
    (node,) = [item for item in read_nk(saved).children if item.kind == "Group"]
    scripts = [knob.options["T"] for knob in node.user.values() if knob.kind == "PyScript_Knob"]
    names = ["prev_v", "render_void", "copy_report"]
    assert len(scripts) == 14 and all(node.user[name].kind == "PyScript_Knob" for name in names)
    for script in scripts:
        ast.parse(script, feature_version=(3, 7))
        compile(script, "button", "exec")
        assert "except ImportError" in script and "nuke.message(" in script
    assert not {"knobChanged", "onCreate", "autolabel", "updateUI"} & set(node.values), "nothing runs on load"


# -- Nuke's start --------------------------------------------------------------------------------------------------


def start_up(folder, gui, broken):  # type: ignore[no-untyped-def]
    """Runs init.py and menu.py as Nuke does."""
    import sys

    import nuke

    if broken:
        sys.path[:] = [path for path in sys.path if not path.endswith("half")]
    for name in ("init.py", "menu.py") if gui else ("init.py",):
        path = folder + "/" + name
        with open(path) as file:
            exec(compile(file.read(), path, "exec"), {"__file__": path, "__name__": name, "nuke": nuke})
    ours = sorted(name for name in sys.modules if name.partition(".")[0] == "void_plugin")
    if not gui or broken:
        return ours, [], sys.path[-1]
    items = [[menu, item.name()] for menu in ("Nuke", "Nodes") for item in nuke.menu(menu).menu("VOID").items()]
    for item in nuke.menu("Nodes").menu("VOID").items():
        item.invoke()
    for name in ("Run all stale", "Run selected", "Cancel all"):
        nuke.menu("Nuke").menu("VOID").findItem(name).invoke()
    return ours, items, [node.name() for node in nuke.allNodes()]


def test_a_nuke_with_windows_gets_a_menu_that_makes_the_node(host: Nuke) -> None:
    ours, items, nodes = run(host, start_up, str(ROOT / "nuke"), True, False)
    assert "void_plugin.hosts.nuke_host" in ours and not [
        name for name in ours if "sidecar" in name and "process" not in name
    ]
    assert [name for menu, name in items if menu == "Nodes"] == ["VoidRemove"]
    assert [name for menu, name in items if menu == "Nuke"] == [
        "VoidRemove",
        "Run selected",
        "Run all stale",
        "Cancel all",
        "Panel",
    ]
    assert nodes == ["VoidRemove1"]


def test_a_render_node_loads_nothing_of_ours(host: Nuke) -> None:
    host.environment["FAKE_NUKE_GUI"] = "0"
    ours, _, last = run(host, start_up, str(ROOT / "nuke"), False, False)
    assert ours == [] and last == str(ROOT)


def test_an_installed_copy_beside_init_is_found_too(host: Nuke, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    shutil.copytree(host.half, installed)
    for name in ("init.py", "menu.py"):
        shutil.copy(ROOT / "nuke" / name, installed)
    host.environment["PYTHONPATH"] = host.environment["PYTHONPATH"].rpartition(":")[0]
    _, items, nodes = run(host, start_up, str(installed), True, False)
    assert items and nodes == ["VoidRemove1"]


def test_nuke_starts_whatever_happens_to_us(host: Nuke, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("init.py", "menu.py"):
        shutil.copy(ROOT / "nuke" / name, alone)
    running = host.start(start_up, str(alone), True, True, helpers=in_host())
    assert running.result()[0] == []
    lines = running.output().splitlines()
    assert len(lines) == 1 and lines[0].startswith("void_plugin: the menu VOID is missing: ModuleNotFoundError")


def test_only_modules_of_the_host_half_are_loaded_even_after_a_run(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    ours = run(host, run_and_list, scene(tiny, tmp_path / "work"))
    copied = {
        path.relative_to(host.half).with_suffix("").as_posix().replace("/", ".") for path in host.half.rglob("*.py")
    }
    names = {name.replace(".__init__", "") for name in copied}
    assert set(ours) <= names and "void_plugin.hosts.nuke_host" in ours


def run_and_list(text):  # type: ignore[no-untyped-def]
    import sys

    node = connected(text)
    pressed(node, "render_void")
    pressed(node, "latest_v")
    pressed(node, "copy_report")
    return sorted(name for name in sys.modules if name.partition(".")[0] == "void_plugin")


# -- the plate's own files -----------------------------------------------------------------------------------------


def ask_for_files(changes):  # type: ignore[no-untyped-def]
    import nuke
    from void_plugin.frames import FrameRange
    from void_plugin.hosts import nuke_inputs

    found = []
    for change in changes:
        nuke.fake.reset()
        with nuke.fake.apart():
            read = nuke.nodes.Read(first=1001, last=1010, origfirst=1001, origlast=1010, raw=True)
            read["file"].setValue("/show/plate.%04d.exr")
            space = {"nuke": nuke, "read": read, "out": read}
            exec(change, space)
        with nuke.fake.event("ask"):
            found.append(nuke_inputs.plain_files(space["out"], FrameRange(1002, 1009)))
    return found


PLAIN = {
    "pass": "/show/plate.%04d.exr",
    "out = nuke.nodes.Dot(inputs=[nuke.nodes.NoOp(inputs=[read])])": "/show/plate.%04d.exr",
    "read['file'].setValue('C:\\\\show\\\\plate.####.exr')": "C:/show/plate.%04d.exr",
    "read['file'].setValue('/show/plate_%06d.EXR')": "/show/plate_%06d.EXR",
    "read['raw'].setValue(False); read['colorspace'].setValue('linear')": "/show/plate.%04d.exr",
}
NOT_PLAIN = [
    "out = None",
    "out = nuke.nodes.Grade(inputs=[read])",
    "out = nuke.nodes.TimeOffset(inputs=[read])",
    "out = nuke.nodes.FrameHold(inputs=[read])",
    "out = nuke.nodes.Constant()",
    "read['file'].setValue('')",
    "read['file'].setValue('/show/plate.%04d.dpx')",
    "read['file'].setValue('/show/plate.exr')",
    "read['file'].setValue('/show/%V/plate.%04d.exr')",
    "read['file'].setValue('/show/[value seed].%04d.exr')",
    "read['file'].setValue('/show/%04d/plate.%04d.exr')",
    "read['file'].setValue('/show/pl#te.##.exr')",
    "read['raw'].setValue(False)",
    "read['raw'].setValue(False); read['colorspace'].setValue('sRGB')",
    "nuke.root()['colorManagement'].setValue('OCIO'); read['raw'].setValue(0); read['colorspace'].setValue('linear')",
    "read['premultiplied'].setValue(True)",
    "read['first'].setValue(1003)",
    "read['last'].setValue(1008)",
    "read['on_error'].setValue('black')",
    "read['frame'].setValue('frame + 1')",
    "read['frame_mode'].setValue('offset')",
    "read['disable'].setValue(True)",
    "read['useLifetime'].setValue(True)",
    "read['first'].setExpression('1001')",
]


def test_files_are_the_plate_only_where_that_is_certain(host: Nuke) -> None:
    found = run(host, ask_for_files, [*PLAIN, *NOT_PLAIN])
    assert found[: len(PLAIN)] == list(PLAIN.values())
    taken = [change for change, files in zip(NOT_PLAIN, found[len(PLAIN) :], strict=True) if files]
    assert taken == []


def send_a_time_offset(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    with nuke.fake.apart():
        offset = nuke.nodes.TimeOffset(time_offset=100)
        offset.setInput(0, node.input(0))
        matte = nuke.nodes.TimeOffset(time_offset=100)
        matte.setInput(0, node.input(1))
        node.setInput(0, offset)
        node.setInput(1, matte)
        nuke.frame(1101)
    return pressed(node, "render_void"), sorted(path.rpartition("/")[2] for _, _, _, path in nuke.fake.written)


def test_a_plate_that_was_moved_in_time_is_rendered_at_its_new_frames(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    ended, written = run(host, send_a_time_offset, scene(tiny, tmp_path / "work"))
    assert ended[0] == "done" and written == [
        f"{name}.{frame}.exr" for name in ("matte", "plate") for frame in (1101, 1102)
    ]
    record = json.loads((tmp_path / "work/void/sh010/VoidRemove1/v001/job.json").read_text())
    assert record["requests"]["main"]["frames"] == "1101-1102"
