"""What goes wrong while a node removes: at each call into Nuke, in its render, in the sidecar, in what the artist set up.

The sidecar does every job at once (`fakes/quick_sidecar.py`), so that hundreds of runs take seconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nukescenes import awkward_shot, in_host, quick_host, scene
from nukes import Nuke
from shots import Shot


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    """Two frames of next to nothing."""
    return awkward_shot(tmp_path_factory.mktemp("tiny"), 2, (24, 40))


@pytest.fixture
def host(tmp_path: Path) -> Nuke:
    return quick_host(tmp_path / "host")


def ordered(host: Nuke, **orders: str) -> None:
    """From now on these calls of the sidecar go wrong."""
    Path(host.environment["QUICK_SIDECAR"]).write_text(json.dumps(orders), encoding="utf-8")


def run(host: Nuke, scenario: Any, *arguments: Any, timeout: float = 120.0) -> Any:
    return host.run(scenario, *arguments, helpers=(*in_host(), folders), timeout=timeout)


def folders(text):  # type: ignore[no-untyped-def]
    """Names of the version folders of the node, once nothing is being given back any more."""
    import json
    import os
    import time

    import nuke

    place = os.path.join(os.path.dirname(json.loads(text)["script"]), "void", "sh010", "VoidRemove1")
    end = time.time() + 10

    def listed():
        found = sorted(os.listdir(place)) if os.path.isdir(place) else []
        return [name for name in found if os.path.isdir(os.path.join(place, name))]

    # The sidecar gives a folder back while Nuke goes on; what is finished stays.
    while True:
        found = listed()
        if time.time() > end or all(os.path.exists(os.path.join(place, name, "manifest.json")) for name in found):
            return found
        nuke.fake.pump()
        time.sleep(0.01)


# -- every call into Nuke ------------------------------------------------------------------------------------------


def fail_at_each_call(text, proxy, inside):  # type: ignore[no-untyped-def]
    import gc
    import json
    import os
    import shutil

    import nuke

    place = os.path.join(os.path.dirname(json.loads(text)["script"]), "void")
    nuke.fake.buttons_run_inside(inside)
    kinds, wrong, number = {}, [], 0
    while True:
        nuke.fake.reset()
        shutil.rmtree(place, ignore_errors=True)
        node = connected(text)  # noqa: F821
        with nuke.fake.apart():
            nuke.root()["proxy"].setValue(proxy)
            nuke.frame(1002)
            for one in nuke.allNodes():
                one.setSelected(one.name() == "read_matte")
            nuke.root().setModified(False)
        before = nuke.fake.trace()
        nuke.fake.fail_at(number)
        nuke.fake.press(node, "render_void")
        kind, told, _ = wait(node)  # noqa: F821
        nobody_failed = bool(nuke.fake._bench._failures)
        gc.collect()  # the ordered exception holds itself by its traceback, and with it a progress bar
        after = nuke.fake.trace()
        if kind == "done":
            after["modified"] = False  # a new version is a change of the script
        kinds[kind] = kinds.get(kind, 0) + 1
        left, says = folders(text), knob(node, "status")  # noqa: F821
        changed = sorted(name for name in before if before[name] != after[name])
        good = {
            "done": left == ["v001"] and says == told,
            "failed": says == told and (not left or "press Latest" in says),
            "empty": not left and len(nuke.fake.messages) == 1,  # nothing began, and a box says why
        }
        if changed or nuke.fake.faults or nuke.fake.tracebacks or not good.get(kind):
            faults = nuke.fake.faults + nuke.fake.tracebacks
            wrong.append([number, kind, told, says, left, changed, faults, nuke.fake.messages])
        if nobody_failed:
            return {"calls": number, "kinds": kinds, "wrong": wrong[:10]}
        number += 1


@pytest.mark.slow
@pytest.mark.parametrize(("proxy", "inside"), [(True, False), (False, True)])
def test_whichever_call_into_nuke_fails_the_script_is_as_before_and_the_node_says_it(
    host: Nuke, tiny: Shot, tmp_path: Path, proxy: bool, inside: bool
) -> None:
    found = run(host, fail_at_each_call, scene(tiny, tmp_path / "work", render=True), proxy, inside, timeout=280)
    assert found["wrong"] == []
    assert found["calls"] > 250 and found["kinds"]["failed"] > 150 and found["kinds"]["done"] > 30
