"""Scenes for host tests: a shot with awkward pixels, a Nuke that can remove from it, and what a person does in it.

The functions below the line run inside the host process: standard library, Python 3.7, only their source travels.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from nukes import Nuke, python
from shots import Shot, build_shot, load_exr, save_exr

AWKWARD = (-0.1, 60.0, float("nan"), float("inf"), float("-inf"), -0.0, 6e-8)
"""Values in the first pixels of the first rows of every plate, far from the matte."""
OLDEST, USUAL = "3.7", "3.11"


def awkward_shot(folder: Path, count: int = 4, size: tuple[int, int] = (72, 128)) -> Shot:
    """A small shot whose plate also holds what breaks careless arithmetic."""
    shot = build_shot(folder, count, size)
    for frame in shot.frames:
        path = folder / f"plate.{frame}.exr"
        file = load_exr(path)
        pixels = np.stack([file.planes[name] for name in "RGB"], axis=-1)
        for row, value in enumerate(AWKWARD):
            pixels[row, :3] = np.float16(value)
        save_exr(path, pixels, attributes={"colorInteropID": "lin_ap1_scene"})
        right = np.zeros(size, np.float16)
        right[:, size[1] // 2 :] = 1
        save_exr(folder / f"right_half.{frame}.exr", right, ["A"])
    return shot


def host(
    folder: Path, sidecar: str, version: str = USUAL, gui: bool = True, environment: Mapping[str, str] | None = None
) -> Nuke:
    """A Nuke of this Python, whose sidecar runs in `sidecar`, with a private server and a home of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {
        "VOID_PLUGIN_PYTHON": sidecar,
        "VOID_SERVER_COMMAND": f"{sidecar} -m void_server",
        "XDG_STATE_HOME": str(folder / "state"),
        **(environment or {}),
    }
    made = Nuke(python(version), folder / "nuke", gui=gui, environment=given)
    Path(made.environment["VOID_CONFIG"]).write_text("{}", encoding="utf-8")
    return made


def quick_host(folder: Path, version: str = USUAL, gui: bool = True, **orders: str) -> Nuke:
    """A Nuke whose sidecar does every job at once, or fails as ordered by call; see fakes/quick_sidecar.py."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orders.json").write_text(json.dumps(orders), encoding="utf-8")
    program = folder / "quick_python"
    script = Path(__file__).parent / "fakes" / "quick_sidecar.py"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} {script}\n", encoding="utf-8")
    program.chmod(0o755)
    return host(folder, str(program), version, gui, {"QUICK_SIDECAR": str(folder / "orders.json")})


def ordered(host: Nuke, **orders: str) -> None:
    """From now on these calls of the sidecar of a `quick_host` go wrong."""
    orders_file = Path(host.environment["QUICK_SIDECAR"])
    written = orders_file.with_suffix(".new")
    written.write_text(json.dumps(orders), encoding="utf-8")
    written.replace(orders_file)


def in_host() -> tuple[Callable[..., Any], ...]:
    """The functions that every scenario here may call."""
    return (connected, from_now_on, copied, with_two_views, wait, pressed, knob, state, facts)


def scene(shot: Shot, folder: Path, **more: Any) -> str:
    """What `connected` needs to know, as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "plate": shot.plate,
        "matte": shot.matte,
        "first": shot.frames.first,
        "last": shot.frames.last,
        "size": [shot.size[1], shot.size[0]],
        "script": str(folder / "sh010_v001.nk"),
        **more,
    }
    assert sys.version_info >= (3, 11)
    return json.dumps(told)


# -- inside the host -----------------------------------------------------------------------------------------------


def connected(text):  # type: ignore[no-untyped-def]
    """A saved script with a plate and a matte on a VoidRemove, as an artist would have made it."""
    import json

    import nuke

    told = json.loads(text)
    from void_plugin.hosts import nuke_host

    if nuke.GUI:
        nuke_host.install()
    with nuke.fake.apart():
        root = nuke.root()
        nuke.addFormat("{0} {1} 0 0 {0} {1} 1 shot".format(*told["size"]))
        root["format"].setValue("shot")
        root["first_frame"].setValue(told["first"])
        root["last_frame"].setValue(told["last"])
        nuke.frame(told["first"])
        reads = []
        for name in ("plate", "matte", "affected", "holdout"):
            if not told.get(name):
                reads.append(None)
                continue
            read = nuke.nodes.Read(name="read_" + name)
            read["file"].setValue(told[name])
            for knob in ("first", "origfirst"):
                read[knob].setValue(told["first"])
            for knob in ("last", "origlast"):
                read[knob].setValue(told["last"])
            read["origset"].setValue(True)
            read["raw"].setValue(True)
            if told.get("render") and name == "plate":
                # Something that changes nothing, and that nobody can know to change nothing.
                graded = nuke.nodes.Multiply(name="grade_plate", channels="rgb")
                graded.setInput(0, read)
                read = graded
            reads.append(read)
    from void_plugin.hosts import nuke_group

    node = nuke_group.create()
    with nuke.fake.apart():
        for index, read in enumerate(reads):
            node.setInput(index, read)
        node["engine"].setValue("recover")
        node["handles"].setValue(0)
        for name, value in told.get("knobs", {}).items():
            node[name].setValue(value)
        if told["script"]:
            nuke.scriptSave(told["script"])
    return node


def from_now_on(**orders):  # type: ignore[no-untyped-def]
    """What `ordered` does, from inside the host."""
    import json
    import os

    written = os.environ["QUICK_SIDECAR"] + ".new"
    with open(written, "w") as file:
        json.dump(orders, file)
    os.replace(written, os.environ["QUICK_SIDECAR"])  # the sidecar may be reading them


def copied(node):  # type: ignore[no-untyped-def]
    """A copy as the artist makes it, with the same inputs."""
    import nuke

    with nuke.fake.apart():
        for one in nuke.allNodes():
            one.setSelected(one is node)
        nuke.nodeCopy("%clipboard%")
        for one in nuke.allNodes():
            one.setSelected(False)
        copy = nuke.nodePaste("%clipboard%")
        for index in range(2):
            copy.setInput(index, node.input(index))
    return copy


def with_two_views(node, wanted):  # type: ignore[no-untyped-def]
    """Makes the script stereo, and has a node work on these views."""
    import nuke

    with nuke.fake.apart():
        nuke.addView("left")
        nuke.addView("right")
        node["views"].setValue(wanted)


def wait(node, timeout=120.0):  # type: ignore[no-untyped-def]
    """Lets the main thread run until nothing is under way on a node; its kind of state."""
    import nuke
    from void_plugin.hosts import nuke_host

    def rests():
        with nuke.fake.apart():
            return not nuke_host.session().is_busy(node)

    nuke.fake.pump(until=rests, timeout=timeout)
    nuke.fake.pump()
    return state(node)


def pressed(node, button, timeout=120.0):  # type: ignore[no-untyped-def]
    """Presses a button and lets the main thread run until all that it asked the sidecar for is answered."""
    import nuke
    from void_plugin.hosts import nuke_host

    sidecar, open_calls = nuke_host.session().sidecar, set()
    real = sidecar.call

    def noted(name, args, done=None, event=None, timeout=None):
        mark = object()
        open_calls.add(mark)

        def answered(result, error):
            if done is not None:
                done(result, error)
            open_calls.discard(mark)

        return real(name, args, answered, event, timeout)

    sidecar.call = noted
    try:
        nuke.fake.press(node, button)
        nuke.fake.pump(until=lambda: not open_calls and not nuke.fake.posted, timeout=timeout)
    finally:
        del sidecar.call
    return state(node)


def state(node):  # type: ignore[no-untyped-def]
    """Kind and text of the state that a node shows."""
    import nuke
    from void_plugin.hosts import nuke_host

    with nuke.fake.apart():
        found = nuke_host.session().state_of(node)
    return [found.kind, found.text, found.details]


def knob(node, name):  # type: ignore[no-untyped-def]
    """Value of a knob."""
    import nuke

    with nuke.fake.apart():
        return node[name].value()


def facts(node):  # type: ignore[no-untyped-def]
    """What the tests look at after a run."""
    import nuke

    with nuke.fake.apart():
        names = ("status", "version", "void_has_result", "void_job", "void_result", "void_folder", "void_uuid")
        found = {name: node[name].value() for name in names}
        found["folder"] = node["void_folder"].evaluate()
        read = node.node("VoidResult")
        found["range"] = [read[name].value() for name in ("first", "last", "origfirst", "origlast")]
        found["messages"] = list(nuke.fake.messages)
        return found
