"""What can go wrong while a node removes: each call into Nuke, its render, the sidecar, what the artist set up.

The sidecar does every job at once (`fakes/quick_sidecar.py`), so that hundreds of runs take seconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nukes import Nuke
from nukescenes import connected, facts, in_host, knob, ordered, pressed, quick_host, scene, wait
from shots import Shot


@pytest.fixture
def host(tmp_path: Path) -> Nuke:
    return quick_host(tmp_path / "host")


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
        node = connected(text)
        with nuke.fake.apart():
            nuke.root()["proxy"].setValue(proxy)
            nuke.frame(1002)
            for one in nuke.allNodes():
                one.setSelected(one.name() == "read_matte")
            nuke.root().setModified(False)
        before = nuke.fake.trace()
        nuke.fake.fail_at(number)
        nuke.fake.press(node, "render_void")
        kind, told, _ = wait(node)
        nobody_failed = nuke.fake.failures_left > 0
        gc.collect()  # the ordered exception holds itself by its traceback, and with it a progress bar
        after = nuke.fake.trace()
        if kind == "done":
            after["modified"] = False  # a new version is a change of the script
        kinds[kind] = kinds.get(kind, 0) + 1
        left, says = folders(text), knob(node, "status")
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


def fail_at_each_call_about_the_farm(text, standing, button):  # type: ignore[no-untyped-def]
    """Submits, or presses a button on what the farm makes, with another call into Nuke failing each time."""
    import gc
    import json
    import os
    import shutil

    import nuke

    place = os.path.join(os.path.dirname(json.loads(text)["script"]), "void")
    kinds, wrong, number = {}, [], 0
    while True:
        nuke.fake.reset()
        shutil.rmtree(place, ignore_errors=True)
        node = connected(text)
        if button != "submit_farm":
            nuke.fake.press(node, "submit_farm")
            wait(node)
            with open(os.environ["QUICK_SIDECAR"], "w") as stream:
                json.dump({"farm": standing} if standing else {}, stream)
        with nuke.fake.apart():
            nuke.frame(1002)
            nuke.root().setModified(False)
        before = nuke.fake.trace()
        nuke.fake.fail_at(number)
        nuke.fake.press(node, button)
        kind, told, _ = wait(node)
        nuke.fake.pump(until=lambda: not nuke.fake.posted)
        nobody_failed = nuke.fake.failures_left > 0
        gc.collect()  # the ordered exception holds itself by its traceback, and with it a progress bar
        after = nuke.fake.trace()
        if kind == "done":
            after["modified"] = False  # a new version is a change of the script
        kinds[kind] = kinds.get(kind, 0) + 1
        begun = kind == "farm" or button != "submit_farm"
        left = sorted(os.listdir(os.path.join(place, "sh010", "VoidRemove1"))) if begun else folders(text)
        says = knob(node, "status")
        changed = sorted(name for name in before if before[name] != after[name])
        good = {
            "farm": left == ["v001"] and says == told,  # where the button did nothing, a box says why
            "done": left == ["v001"] and says == told,
            "cancelled": left == [] and says == told,
            "failed": says == told and (begun or left == []),
            "empty": len(nuke.fake.messages) == 1 and left == [],
        }
        if changed or nuke.fake.faults or nuke.fake.tracebacks or not good.get(kind):
            faults = nuke.fake.faults + nuke.fake.tracebacks
            wrong.append([number, kind, told, says, left, changed, faults, nuke.fake.messages])
        if nobody_failed:
            return {"calls": number, "kinds": kinds, "wrong": wrong[:10], "last": kind}
        number += 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("button", "standing", "last"),
    [
        ("submit_farm", None, "farm"),
        ("latest_v", None, "done"),
        ("latest_v", {"jobs": ["quick:1"], "state": "running", "fraction": 0.5, "text": ""}, "farm"),
        ("cancel_void", None, "cancelled"),
    ],
)
def test_whichever_call_into_nuke_fails_about_the_farm_the_script_is_as_before_and_the_node_says_it(
    host: Nuke, tiny: Shot, tmp_path: Path, button: str, standing: Any, last: str
) -> None:
    text = scene(tiny, tmp_path / "work")
    found = run(host, fail_at_each_call_about_the_farm, text, standing, button, timeout=280)
    assert found["wrong"] == []
    assert found["last"] == last and found["calls"] > 10


# -- the render of the inputs --------------------------------------------------------------------------------------


def stop_the_render(text, how, after):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    before = nuke.fake.trace()
    if how == "cancel":
        nuke.fake.cancel_render_after(after)
    elif how == "class":
        nuke.fake.fail_named("nuke.executeMultiple", nuke.CancelledError("stop"))
    else:
        nuke.fake.fill_disk_after(after)
    nuke.fake.press(node, "render_void")
    stopped = wait(node)
    as_before = nuke.fake.trace() == before
    left, told = folders(text), list(nuke.fake.messages)
    nuke.fake.fill_disk_after(None)
    nuke.fake.press(node, "render_void")
    return stopped, as_before, left, told, wait(node)[0]


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_render_that_the_artist_cancels_leaves_nothing_and_no_box(
    host: Nuke, tiny: Shot, tmp_path: Path, after: int
) -> None:
    stopped, as_before, left, told, again = run(
        host, stop_the_render, scene(tiny, tmp_path / "work", render=True), "cancel", after
    )
    assert stopped[:2] == ["cancelled", "Cancelled"] and as_before and left == [] and told == []
    assert again == "done"


def test_the_exception_of_newer_nukes_is_a_cancel_too(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    stopped, as_before, left, told, _ = run(host, stop_the_render, scene(tiny, tmp_path / "work"), "class", 0)
    assert stopped[0] == "cancelled" and as_before and left == [] and told == []


def test_a_disk_that_fills_up_while_rendering_is_told_in_nukes_words_and_nothing_is_left(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    stopped, as_before, left, told, again = run(
        host, stop_the_render, scene(tiny, tmp_path / "work", render=True), "disk", 1
    )
    assert stopped[0] == "failed" and "Nuke could not render the inputs of frames 1001-1002: " in stopped[1]
    assert as_before and left == [] and told == [["message", stopped[1]]] and again == "done"


# -- the sidecar ---------------------------------------------------------------------------------------------------


def press_once(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    nuke.fake.press(node, "render_void")
    first = wait(node)
    found = facts(node)
    left = folders(text)
    nuke.fake.press(node, "render_void")
    return first, found, left, wait(node)


def test_a_sidecar_that_dies_while_checking_is_told_and_the_button_works_again(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    ordered(host, prepare="die")
    first, found, left, again = run(host, press_once, scene(tiny, tmp_path / "work"))
    assert first[0] == "failed" and "The sidecar ended with exit code 9" in first[1] and "log is" in first[1]
    assert found["messages"] == [["message", first[1]]] and left == [] and again[0] == "done"


def kill_while_rendering(text, stops):  # type: ignore[no-untyped-def]
    """The sidecar is killed in the middle of the render of the inputs, which the artist then stops or not."""
    import os

    import nuke
    from void_plugin.hosts import nuke_host

    node = connected(text)
    killed = []

    def kill():
        if not killed:
            killed.append(nuke_host.session().sidecar.ask("panel", {"requests": []})["pid"])
            os.kill(killed[0], 9)
            if stops:
                nuke.fake.cancel_render_after(0)

    nuke.addBeforeFrameRender(kill)
    nuke.fake.press(node, "render_void")
    return wait(node)[0], folders(text), facts(node)["void_job"], list(nuke.fake.messages)


@pytest.mark.parametrize("stops", [False, True])
def test_a_sidecar_that_dies_while_nuke_renders_costs_nothing(
    host: Nuke, tiny: Shot, tmp_path: Path, stops: bool
) -> None:
    found = run(host, kill_while_rendering, scene(tiny, tmp_path / "work", render=True), stops)
    assert found == [["done", ["v001"], "", []], ["cancelled", [], "", []]][stops]


def test_a_sidecar_that_dies_while_a_job_runs_is_followed_by_another_that_takes_it_up(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    ordered(host, start="die")
    first, found, left, _ = run(host, press_once, scene(tiny, tmp_path / "work"))
    assert first[0] == "done" and found["version"] == 1 and found["void_job"] == "" and left == ["v001"]
    assert found["messages"] == []


def test_a_job_that_fails_is_told_in_the_node_and_its_folder_says_so(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    ordered(host, start="The GPU is on fire.")
    work = tmp_path / "work"
    first, found, _, again = run(host, press_once, scene(tiny, work))
    assert first == again and first[:2] == ["failed", "The GPU is on fire."]
    assert found["status"] == "The GPU is on fire." and found["messages"] == [] and not found["void_has_result"]
    record = json.loads((work / "void/sh010/VoidRemove1/v001/job.json").read_text())
    assert record["state"] == "failed" and not (work / "void/sh010/VoidRemove1/v001/manifest.json").exists()


def cancel_a_job(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    nuke.fake.press(node, "render_void")
    nuke.fake.pump(until=lambda: "Running" in knob(node, "status"))
    with nuke.fake.apart():
        enabled = node["cancel_void"].enabled()
    refused = len(nuke.fake.messages)
    nuke.fake.press(node, "render_void")  # busy
    told = nuke.fake.messages[refused:]
    bars = len(nuke.fake.tasks)
    nuke.fake.press(node, "cancel_void")
    cancelling = knob(node, "status")
    ended = wait(node)
    with nuke.fake.apart():
        still = node["cancel_void"].enabled()
    nuke.fake.press(node, "cancel_void")  # nothing runs
    return enabled, told, bars, cancelling, ended, still, folders(text), facts(node), len(nuke.fake.tasks)


def test_a_running_job_is_cancelled_by_its_button_and_the_version_goes(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    ordered(host, start="wait")
    enabled, told, bars, cancelling, ended, still, left, found, bars_after = run(
        host, cancel_a_job, scene(tiny, tmp_path / "work")
    )
    assert enabled and not still and bars == 1 and bars_after == 0
    assert len(told) == 1 and "is busy" in told[0][1] and "Press Cancel first" in told[0][1]
    assert cancelling == "Cancelling" and ended[0] == "cancelled"
    assert left == [] and found["void_job"] == ""


def cancel_by_bar(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    nuke.fake.press(node, "render_void")
    nuke.fake.pump(until=lambda: knob(node, "status").startswith(("Running", "Queued")))
    nuke.fake.cancel_tasks()
    return wait(node)[0], len(nuke.fake.tasks)


@pytest.mark.parametrize("how", ["wait", "queue"])
def test_the_cancel_of_nukes_own_bar_is_the_same_also_in_a_queue(
    host: Nuke, tiny: Shot, tmp_path: Path, how: str
) -> None:
    ordered(host, start=how)
    assert run(host, cancel_by_bar, scene(tiny, tmp_path / "work")) == ["cancelled", 0]


# -- what the artist set up ----------------------------------------------------------------------------------------


def change_and_press(text, change):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    with nuke.fake.apart():
        exec(change, {"nuke": nuke, "node": node})
    nuke.fake.press(node, "render_void")
    ended = wait(node)
    return ended, list(nuke.fake.messages), folders(text), len(nuke.fake.written)


BAD_INPUT = [
    ("node.setInput(0, None)", "Nothing is connected to plate"),
    ("node.setInput(1, None)", "Nothing is connected to matte"),
    ("node['matte_channel'].setValue('rgba.red')", "The input matte (read_matte) has no rgba.red; it has rgba.alpha"),
    ("node['range_mode'].setValue('custom')", "The frame range is custom but empty"),
    (
        "node['range_mode'].setValue('custom'); node['frame_range'].setValue('990-1001')",
        "The frame range 990-1001 lies outside the plate, which has 1001-1002",
    ),
    ("node['range_mode'].setValue('custom'); node['frame_range'].setValue('all')", "'all' is not a frame range"),
    ("nuke.root()['first_frame'].setValue(900); node['range_mode'].setValue('global')", "lies outside the plate"),
    ("nuke.root()['name'].setValue('')", "Save the script, or give a folder on the Output tab"),
    ("node['views'].setValue('left')", "The project has no view left; it has main"),
    ("node['guidance'].setValue(99.0)", "The setting void_guidance is 99.0"),
    (
        "m = nuke.nodes.Reformat(format='square_256'); m.setInput(0, nuke.toNode('read_matte')); node.setInput(1, m)",
        "The input matte is 256x256, but the plate is 40x24",
    ),
    ("node['void_node_version'].setValue(99)", "was made by a newer void_plugin (node version 99"),
]


@pytest.mark.parametrize(("change", "sentence"), BAD_INPUT)
def test_bad_input_is_told_in_a_sentence_before_anything_is_rendered(
    host: Nuke, tiny: Shot, tmp_path: Path, change: str, sentence: str
) -> None:
    ended, told, left, written = run(host, change_and_press, scene(tiny, tmp_path / "work"), change)
    assert len(told) == 1 and sentence in told[0][1]
    assert ended[0] in ("failed", "empty") and left == [] and written == 0


def test_everything_that_is_wrong_is_told_at_once(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    ordered(host, prepare="The server box:1 is away.")
    change = "node.setInput(1, None); node['range_mode'].setValue('custom'); node['frame_range'].setValue('1001')"
    ended, told, _, _ = run(host, change_and_press, scene(tiny, tmp_path / "work"), change)
    sentences = told[0][1].split("\n\n")
    assert sentences[0].startswith("Nothing is connected to matte") and sentences[1] == "The server box:1 is away."
    assert ended[1].endswith("(and 1 more)") and "The server box:1 is away." in ended[2]


# -- how long Nuke is held up --------------------------------------------------------------------------------------


def watch_the_main_thread(text):  # type: ignore[no-untyped-def]
    import nuke
    from void_plugin.hosts import nuke_host

    node = connected(text)
    nuke.fake.label_of(node)
    nuke.fake.answer(True)
    nuke.fake.slow_files(0.5)
    began = len(nuke.fake.events)
    ended = []
    buttons = "render_void", "latest_v", "restore_settings", "make_read", "test_frame", "preview_mask", "connect"
    for button in (*buttons, "submit_farm", "prev_v", "latest_v", "clean_versions", "copy_report"):
        ended.append(pressed(node, button)[0])
    with nuke.fake.event("load"):
        nuke_host.loaded()
    ended.append(wait(node)[0])
    nuke.fake.label_of(node)
    nuke.fake.update_ui(node)
    on_main = [[call.name, str(call.what)] for call in nuke.fake.file_calls if call.main]
    posted = [[event.count, event.longest] for event in nuke.fake.events[began:] if event.name.startswith("posted")]
    return ended, on_main, posted, len(nuke.fake.file_calls)


def test_however_slow_the_disks_are_the_main_thread_never_waits_for_them(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    ended, on_main, posted, watched = run(host, watch_the_main_thread, scene(tiny, tmp_path / "work", render=True))
    assert ended == ["done"] * 7 + ["farm"] * 2 + ["done"] * 4 and on_main == [] and watched > 0
    # Four renders (two removals, a test, a preview), and Restore settings, which sets each knob once.
    many = sorted(count for count, _ in posted if count > 20)
    assert len(many) == 5 and many[0] < 60, posted
