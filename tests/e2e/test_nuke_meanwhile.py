"""What the artist presses while something else is under way, and what is said where a button cannot do its work.

The sidecar does every job at once (`fakes/quick_sidecar.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nukes import Nuke
from nukescenes import (
    connected,
    facts,
    from_now_on,
    in_host,
    knob,
    pressed,
    quick_host,
    scene,
    state,
    wait,
    with_two_views,
)
from shots import Shot


@pytest.fixture
def host(tmp_path: Path) -> Nuke:
    return quick_host(tmp_path / "host")


def run(host: Nuke, scenario: Any, *arguments: Any, timeout: float = 60.0) -> Any:
    return host.run(scenario, *arguments, helpers=in_host(), timeout=timeout)


# -- while a job runs ----------------------------------------------------------------------------------------------


def walk_while_a_job_waits(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    for _ in range(2):
        pressed(node, "render_void")
    from_now_on(start="queue")
    nuke.fake.press(node, "render_void")
    nuke.fake.pump(until=lambda: "Queued" in knob(node, "status"))
    before = facts(node)["version"]
    nuke.fake.press(node, "prev_v")
    nuke.fake.pump(until=lambda: facts(node)["version"] != before)
    nuke.fake.pump()
    with nuke.fake.apart():
        seen = [facts(node)["version"], state(node)[0], node["cancel_void"].enabled(), node["status"].value()]
    nuke.fake.press(node, "cancel_void")
    return before, seen, wait(node)[0], facts(node)["version"]


def test_a_version_can_be_looked_at_while_a_job_waits_which_is_still_told_and_cancelled(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    before, seen, ended, version = run(host, walk_while_a_job_waits, scene(tiny, tmp_path / "work"))
    assert before == 2 and seen == [1, "queued", True, "Queued, 3 before it"]
    assert ended == "cancelled" and version == 1


# -- while the farm works ------------------------------------------------------------------------------------------


def try_out_while_the_farm_works(text, button, fails):  # type: ignore[no-untyped-def]
    """Tests a frame while the farm makes a version, leaves, comes back, and takes the job back."""
    import json

    import nuke
    from void_plugin.hosts import nuke_host

    nuke_host.install()
    node = connected(text)
    pressed(node, "submit_farm")
    job = facts(node)["void_job"]
    farm = {"jobs": ["quick:1"], "state": "queued", "fraction": 0.0, "text": ""}
    if fails:
        from_now_on(farm=farm, start="The GPU is on fire.")
    else:
        from_now_on(farm=farm)
    pressed(node, button)
    seen = [state(node)[:2], facts(node)["void_job"] == job, knob(node, "details")]
    with nuke.fake.apart():
        seen.append(node["cancel_void"].enabled())
    nuke.scriptSave(json.loads(text)["script"])
    nuke.scriptOpen(json.loads(text)["script"])
    nuke.fake.pump()
    node = nuke.toNode("VoidRemove1")
    again = wait(node)[:2]
    nuke.fake.press(node, "cancel_void")
    return seen, again, wait(node)[0], facts(node)["void_job"], list(nuke.fake.messages)


@pytest.mark.parametrize("button", ["test_frame", "preview_mask"])
def test_what_is_tried_out_while_the_farm_works_leaves_its_job_with_the_node(
    host: Nuke, tiny: Shot, tmp_path: Path, button: str
) -> None:
    text = scene(tiny, tmp_path / "work")
    (told, noted, details, enabled), again, ended, job, said = run(
        host, try_out_while_the_farm_works, text, button, False
    )
    assert told == again == ["farm", "On the farm: quick:1, v001"] and noted and enabled
    assert details.splitlines()[1].startswith("test · " if button == "test_frame" else "preview · ")
    assert ended == "cancelled" and job == "" and said == []


def test_a_test_frame_that_fails_while_the_farm_works_is_told_and_leaves_the_job_with_the_node(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    text = scene(tiny, tmp_path / "work")
    (told, noted, _, _), again, ended, _, _ = run(host, try_out_while_the_farm_works, text, "test_frame", True)
    assert told == ["failed", "The GPU is on fire."] and noted
    assert again == ["farm", "On the farm: quick:1, v001"] and ended == "cancelled"


# -- what has changed upstream -------------------------------------------------------------------------------------


def try_out_a_change(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    pressed(node, "render_void")
    seen = []

    def look():
        nuke.fake.update_ui(node)
        seen.append(state(node)[1].split(" · ")[0])

    look()
    with nuke.fake.apart():
        nuke.toNode("grade_plate")["value"].setValue(2.0)
    look()
    pressed(node, "test_frame")
    look()
    pressed(node, "latest_v")
    look()
    pressed(node, "render_void")
    look()
    return seen


def test_each_version_is_measured_by_the_inputs_that_it_was_made_of(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    seen = run(host, try_out_a_change, scene(tiny, tmp_path / "work", render=True))
    assert seen == ["v001", "Upstream changed since v001", "test", "Upstream changed since v001", "v002"]


# -- views ---------------------------------------------------------------------------------------------------------


def one_of_two_views(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    with_two_views(node, "left left")
    pressed(node, "render_void")
    pressed(node, "make_read")
    with nuke.fake.apart():
        read = nuke.toNode("Read1")["file"].value()
    return facts(node)["void_result"], read, sorted({view for _, _, view, _ in nuke.fake.written})


def test_the_patch_of_one_view_is_never_shown_in_another(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    result, read, views = run(host, one_of_two_views, scene(tiny, tmp_path / "work"))
    assert result == read and result.endswith("/v001/patch/%V/sh010_VoidRemove1.%04d.exr") and views == ["left"]
    record = json.loads((tmp_path / "work/void/sh010/VoidRemove1/v001/job.json").read_text())
    (output,) = record["requests"]["left"]["outputs"]
    assert output["pattern"].endswith("/v001/patch/left/sh010_VoidRemove1.%04d.exr")


# -- what cannot be done -------------------------------------------------------------------------------------------


def clean_what_is_held(text):  # type: ignore[no-untyped-def]
    import fcntl

    import nuke

    node = connected(text)
    for _ in range(3):
        pressed(node, "render_void")
    folder = facts(node)["folder"].replace("v003", "v001")
    nuke.fake.answer(True)
    with open(folder + "/job.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        pressed(node, "clean_versions")
        nuke.fake.pump(until=lambda: [kind for kind, _ in nuke.fake.messages if kind == "message"])
    return [told for kind, told in nuke.fake.messages if kind == "message"]


def test_a_version_that_cannot_be_deleted_is_told_with_the_reason(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    (told,) = run(host, clean_what_is_held, scene(tiny, tmp_path / "work"))
    first, second = told.splitlines()
    assert first == "1 version deleted, 0.0 MB freed."
    assert second.startswith(f"Not deleted: {tmp_path}/work/void/sh010/VoidRemove1/v001 is being worked on by ")


def run_selected_with_a_newer_one(text):  # type: ignore[no-untyped-def]
    import nuke
    from void_plugin.hosts import nuke_group, nuke_host

    one = connected(text)
    newer = [nuke_group.create() for _ in range(2)]
    with nuke.fake.apart():
        for node in newer:
            node["void_node_version"].setValue(99)
        for node in nuke.allNodes():
            node.setSelected(node in (one, *newer))
    with nuke.fake.event("menu"):
        nuke_host.run_selected()
    return wait(one)[0], [told for _, told in nuke.fake.messages]


def test_of_several_selected_nodes_those_that_cannot_run_do_not_keep_the_others_from_it(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    ended, told = run(host, run_selected_with_a_newer_one, scene(tiny, tmp_path / "work"))
    assert ended == "done" and len(told) == 2 and all("was made by a newer void_plugin" in text for text in told)


def fail_at_each_call_of_a_button(text, button):  # type: ignore[no-untyped-def]
    """Presses a button about versions, with another call into Nuke failing each time."""
    import gc
    import json
    import os
    import shutil

    import nuke

    place = os.path.join(os.path.dirname(json.loads(text)["script"]), "void")
    wrong, number = [], 0
    nuke.fake.reset()
    shutil.rmtree(place, ignore_errors=True)
    node = connected(text)
    for seed in (1, 2):
        with nuke.fake.apart():
            node["seed"].setValue(seed)
        pressed(node, "render_void")
    while True:
        with nuke.fake.apart():
            node["version"].setValue(2)
            node["void_folder"].setValue(place + "/sh010/VoidRemove1/v002")
            node["seed"].setValue(9)
            for one in nuke.allNodes("Read"):
                if one.name().startswith("Read"):
                    nuke.delete(one)
            nuke.root().setModified(False)
        before, said = nuke.fake.trace(), len(nuke.fake.messages)
        nuke.fake.fail_at(number)
        pressed(node, button)
        nuke.fake.pump()
        nobody_failed = nuke.fake.failures_left > 0
        gc.collect()
        after, told = nuke.fake.trace(), nuke.fake.messages[said:]
        done = [knob(node, "version"), knob(node, "seed"), len(after["nodes"]) - len(before["nodes"])] != [2, 9, 0]
        if done:
            after.update({name: before[name] for name in ("modified", "nodes", "inputs")})
        changed = sorted(name for name in before if before[name] != after[name])
        # Either it is done, or a box says why not; a box about a part of it that nobody sees is welcome too.
        if changed or nuke.fake.faults or nuke.fake.tracebacks or len(told) > 1 or not (done or told):
            wrong.append([number, changed, done, told, nuke.fake.faults + nuke.fake.tracebacks])
            del nuke.fake.tracebacks[:]
        if nobody_failed:
            return {"calls": number, "wrong": wrong[:10]}
        number += 1


@pytest.mark.slow
@pytest.mark.parametrize("button", ["prev_v", "restore_settings", "make_read"])
def test_whichever_call_into_nuke_fails_a_button_about_versions_does_its_work_or_says_why(
    host: Nuke, tiny: Shot, tmp_path: Path, button: str
) -> None:
    found = run(host, fail_at_each_call_of_a_button, scene(tiny, tmp_path / "work"), button, timeout=280)
    assert found["wrong"] == [] and found["calls"] > 20


# -- without windows -----------------------------------------------------------------------------------------------


def only_save(text):  # type: ignore[no-untyped-def]
    connected(text)


def run_without_windows(path, what, raised):  # type: ignore[no-untyped-def]
    """The batch entry, where a call into Nuke raises."""
    import os

    import nuke
    from void_plugin.hosts.nuke_batch import main

    errors = {"interrupt": KeyboardInterrupt(), "refuse": RuntimeError("the disk is read-only")}
    nuke.fake.fail_named(what, errors[raised])
    code = main([path, "--node", "VoidRemove1", "--save"])
    place = os.path.join(os.path.dirname(path), "void", "sh010", "VoidRemove1")
    left = sorted(name for name in os.listdir(place) if not name.startswith(".")) if os.path.isdir(place) else []
    return code, left, [node.name() for node in nuke.allNodes("Group")]


@pytest.mark.parametrize(
    ("what", "raised", "code", "left", "said"),
    [
        ("nuke.executeMultiple", "interrupt", 130, [], "void_batch: VoidRemove1: Cancelled"),
        ("nuke.scriptOpen", "interrupt", 130, [], ""),
        ("nuke.scriptSave", "refuse", 1, ["v001"], "sh010_v001.nk: the disk is read-only"),
    ],
)
def test_a_batch_that_is_interrupted_or_cannot_save_ends_with_its_code_and_nothing_half_done(
    tiny: Shot, tmp_path: Path, what: str, raised: str, code: int, left: list[str], said: str
) -> None:
    text = scene(tiny, tmp_path / "work", render=True)
    run(quick_host(tmp_path / "host"), only_save, text)
    windowless = quick_host(tmp_path / "windowless", gui=False)
    running = windowless.start(run_without_windows, json.loads(text)["script"], what, raised)
    ended, versions, groups = running.result(60)
    assert (ended, versions) == (code, left) and groups in (["VoidRemove1"], [])
    assert said in running.output() and "Traceback" not in running.output()
