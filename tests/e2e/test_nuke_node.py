"""One node, many buttons: versions, copies, undo, states, groups, views, scripts that are closed and opened.

The sidecar does every job at once (`fakes/quick_sidecar.py`); the real one is in test_nuke_remove.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nukes import Nuke
from nukescenes import (
    OLDEST,
    USUAL,
    connected,
    copied,
    facts,
    in_host,
    knob,
    ordered,
    pressed,
    quick_host,
    scene,
    state,
    wait,
    with_two_views,
)
from pythons import interpreters
from shots import Shot

VERSIONS = sorted({OLDEST, USUAL, "3.13"} & set(interpreters()))


@pytest.fixture(params=VERSIONS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Nuke:
    return quick_host(tmp_path / "host", request.param)


def run(host: Nuke, scenario: Any, *arguments: Any) -> Any:
    return host.run(scenario, *arguments, helpers=(*in_host(), shown))


def shown(node):  # type: ignore[no-untyped-def]
    """Version, folder's name and state of a node."""
    found = facts(node)
    return [found["version"], found["folder"].rpartition("/")[2], state(node)[0], found["range"][:2]]


# -- versions ------------------------------------------------------------------------------------------------------


def walk_versions(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    seen = []
    for seed in (1, 2, 3):
        with nuke.fake.apart():
            node["seed"].setValue(seed)
        pressed(node, "render_void")
        seen.append(shown(node))
    for button in ("prev_v", "prev_v", "prev_v", "next_v", "latest_v"):
        pressed(node, button)
        seen.append(shown(node))
    pressed(node, "prev_v")
    with nuke.fake.apart():
        node["seed"].setValue(9)
        node["output"].setValue("source")
    steps = len(nuke.fake.undo_steps)
    pressed(node, "restore_settings")
    restored = [knob(node, "seed"), knob(node, "output"), nuke.fake.undo_steps[steps:]]
    pressed(node, "make_read")
    read = nuke.toNode("Read1")
    with nuke.fake.apart():
        made = {name: read[name].value() for name in ("file", "raw", "first", "last", "before", "on_error")}
    return seen, restored, made, list(nuke.fake.messages), knob(node, "status")


def test_versions_are_kept_and_walked_and_their_settings_come_back(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    seen, restored, made, told, status = run(host, walk_versions, scene(tiny, tmp_path / "work"))
    assert seen == [
        *[[number, f"v{number:03d}", "done", [1001, 1002]] for number in (1, 2, 3)],
        [2, "v002", "older", [1001, 1002]],
        [1, "v001", "older", [1001, 1002]],
        [1, "v001", "older", [1001, 1002]],
        [2, "v002", "older", [1001, 1002]],
        [3, "v003", "done", [1001, 1002]],
    ]
    assert restored[:2] == [2, "source"] and [name for name, _ in restored[2]] == ["Restore settings"]
    place = "[file dirname [value root.name]]/void/sh010/VoidRemove1/v002/patch/sh010_VoidRemove1.%04d.exr"
    assert made == {
        "file": place, "raw": True, "first": 1001, "last": 1002, "before": "black", "on_error": "error"
    }  # fmt: skip
    assert len(told) == 1 and told[0][1].startswith("There is no such finished version.")
    assert status == "v002 · 1001-1002 · 1 s · 100 % recovered (latest v003)"


def clean_versions(text, agree):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    for _ in range(3):
        pressed(node, "render_void")
    pressed(node, "prev_v")
    nuke.fake.answer(agree)
    pressed(node, "clean_versions")
    nuke.fake.pump()
    asked = [told for kind, told in nuke.fake.messages if kind == "ask"]
    pressed(node, "latest_v")
    return asked, [told for kind, told in nuke.fake.messages if kind == "message"], shown(node)


@pytest.mark.parametrize("agree", [True, False])
def test_versions_that_nobody_shows_are_deleted_when_the_artist_agrees(
    host: Nuke, tiny: Shot, tmp_path: Path, agree: bool
) -> None:
    asked, told, now = run(host, clean_versions, scene(tiny, tmp_path / "work"), agree)
    assert len(asked) == 1 and "v001  0.0 MB" in asked[0] and "v003" in asked[0] and "v002" not in asked[0]
    assert now[0] == (2 if agree else 3) and (told == ["2 versions deleted, 0.0 MB freed."]) == agree
    left = sorted(path.name for path in (tmp_path / "work/void/sh010/VoidRemove1").glob("v*"))
    assert left == (["v002"] if agree else ["v001", "v002", "v003"])


def undo_a_result(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    with nuke.fake.apart():
        node["label"].setValue("hero [value seed]")
        nuke.root().setModified(False)
    steps = nuke.fake.undo_steps
    pressed(node, "render_void")
    pressed(node, "render_void")
    grown = nuke.fake.undo_steps[len(steps) :]
    label = nuke.fake.label_of(node)
    nuke.fake.undo()
    nuke.fake.update_ui(node)
    once = [*shown(node)[:2], knob(node, "status"), knob(node, "void_job")]
    nuke.fake.undo()
    nuke.fake.update_ui(node)
    twice = [*shown(node)[:3], knob(node, "status"), knob(node, "void_job")]
    return grown, label, once, twice, knob(node, "void_has_result"), knob(node, "label")


def test_a_result_is_one_step_of_undo_and_never_touches_the_label(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    grown, label, once, twice, has, own = run(host, undo_a_result, scene(tiny, tmp_path / "work"))
    assert [name for name, _ in grown] == ["Show v001", "Show v002"]
    assert label == "VoidRemove1\nv002 · 1001-1002 · 1 s · 100 % recovered\nhero 0"
    assert once == [1, "v001", "v001 · 1001-1002 · 1 s · 100 % recovered", ""]
    assert twice == [0, "", "empty", "No result yet", ""] and has is False and own == "hero [value seed]"


def try_things_out(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    with nuke.fake.apart():
        nuke.frame(1002)
    pressed(node, "render_void")
    seen = []
    for button in ("test_frame", "preview_mask"):
        pressed(node, button)
        seen.append([*shown(node), knob(node, "output"), knob(node, "void_preview")])
    with nuke.fake.apart():
        preview = node.node("VoidPreview")
        seen.append([preview["first"].value(), preview["last"].value()])
    pressed(node, "latest_v")
    return seen, shown(node)


def test_a_test_frame_and_a_preview_make_no_version(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    seen, latest = run(host, try_things_out, scene(tiny, tmp_path / "work"))
    assert seen[0] == [1, "test", "done", [1002, 1002], "comp", ""]
    assert seen[1][:5] == [1, "test", "done", [1002, 1002], "mask"]
    assert seen[1][5].endswith("/preview/overlay/sh010_VoidRemove1.%04d.exr") and seen[2] == [1002, 1002]
    assert latest == [1, "v001", "done", [1001, 1002]]


# -- copies and several nodes --------------------------------------------------------------------------------------


def copy_and_run(text):  # type: ignore[no-untyped-def]
    node = connected(text)
    pressed(node, "render_void")
    first = facts(node)
    copy = copied(node)
    as_copied = facts(copy)
    pressed(copy, "render_void")
    return first, as_copied, facts(copy), facts(node)


def test_a_copy_keeps_showing_the_old_result_until_it_runs_and_then_has_a_life_of_its_own(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    first, as_copied, copy, node = run(host, copy_and_run, scene(tiny, tmp_path / "work"))
    for name in ("void_uuid", "void_result", "version", "range", "folder"):
        assert as_copied[name] == first[name]
    assert copy["void_uuid"] != first["void_uuid"] and node == first
    # The versions of a copy lie in the folder of its own name.
    assert copy["folder"].endswith("/void/sh010/VoidRemove2/v001")


def run_several(text):  # type: ignore[no-untyped-def]
    import nuke
    from void_plugin.hosts import nuke_group, nuke_host

    one = connected(text)
    nodes = [one]
    for _ in range(2):
        other = nuke_group.create()
        with nuke.fake.apart():
            for index in range(2):
                other.setInput(index, one.input(index))
            other["handles"].setValue(0)
        nodes.append(other)
    with nuke.fake.apart():
        for node in nuke.allNodes():
            node.setSelected(node in nodes)
    with nuke.fake.event("menu"):
        nuke_host.run_selected()
    for node in nodes:
        wait(node)
    return [shown(node) for node in nodes], [facts(node)["folder"] for node in nodes]


def test_several_nodes_run_side_by_side(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    found, places = run(host, run_several, scene(tiny, tmp_path / "work"))
    assert found == [[1, "v001", "done", [1001, 1002]]] * 3 and len(set(places)) == 3


def run_with_a_loop_in_the_render(text):  # type: ignore[no-untyped-def]
    import time

    import nuke
    from void_plugin.hosts import nuke_group, nuke_host

    one = connected(text)
    other = nuke_group.create()
    with nuke.fake.apart():
        for index in range(2):
            other.setInput(index, one.input(index))
    ran, deep = [], []

    def loop():
        # Nuke's progress window keeps its event loop going, and with it what was posted: here the other's answer.
        deep.append(1)
        count, end = nuke.fake.pump(), time.time() + 60
        while not ran and not count and time.time() < end:
            count = nuke.fake.pump()
        ran.append([len(deep), count])
        deep.pop()

    nuke.addBeforeFrameRender(loop)
    with nuke.fake.apart():
        for node in nuke.allNodes():
            node.setSelected(node in (one, other))
    with nuke.fake.event("menu"):
        nuke_host.run_selected()
    ended = [wait(one)[0], wait(other)[0]]
    return ended, max(depth for depth, _ in ran), sum(count for _, count in ran)


def test_no_render_begins_inside_another_also_where_nuke_runs_what_was_posted_meanwhile(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    ended, depth, posted = run(host, run_with_a_loop_in_the_render, scene(tiny, tmp_path / "work"))
    assert ended == ["done", "done"] and depth == 1 and posted > 0


def inside_a_group(text):  # type: ignore[no-untyped-def]
    import nuke
    from void_plugin.hosts import nuke_group

    outer = connected(text)
    with nuke.fake.apart():
        group = nuke.nodes.Group(name="Shot")
        with group:
            inputs = [nuke.nodes.Input(name=f"in{number}") for number in range(2)]
            for number, one in enumerate(inputs):
                one["number"].setValue(number)
        for index in range(2):
            group.setInput(index, outer.input(index))
        group.begin()
    node = nuke_group.create()
    with nuke.fake.apart():
        group.end()
        for index, one in enumerate(inputs):
            node.setInput(index, one)
        node["handles"].setValue(0)
    found = []
    for inside in (True, False):
        nuke.fake.buttons_run_inside(inside)
        pressed(node, "render_void")
        found.append(shown(node))
    with nuke.fake.apart():
        group.setName("Renamed")
        button = node["render_void"].label()
    pressed(node, "prev_v")
    found.append([button])
    return found, shown(node), facts(node)["folder"], nuke.fake.messages


def test_a_node_inside_a_group_is_found_also_when_the_group_is_renamed(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    found, last, place, told = run(host, inside_a_group, scene(tiny, tmp_path / "work"))
    assert [row[:3] for row in found] == [[1, "v001", "done"], [2, "v002", "done"], ["Re-run"]]
    assert last[:3] == [1, "v001", "older"] and place.endswith("/Shot_VoidRemove1/v001") and told == []


def two_views(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    with_two_views(node, "left, right")
    pressed(node, "render_void")
    views = sorted({(view, path.rpartition("/inputs/")[2]) for _, frame, view, path in nuke.fake.written})
    return shown(node), facts(node)["void_result"], views


def test_views_are_rendered_apart_and_shown_together(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    now, result, views = run(host, two_views, scene(tiny, tmp_path / "work"))
    assert now == [1, "v001", "done", [1001, 1002]]
    assert result.endswith("/v001/patch/%V/sh010_VoidRemove1.%04d.exr")
    assert ["left", "left/plate.1001.exr"] in views and ["right", "right/matte.1002.exr"] in views and len(views) == 8


# -- states --------------------------------------------------------------------------------------------------------


def change_upstream(text):  # type: ignore[no-untyped-def]
    import nuke
    from void_plugin.hosts import nuke_host

    node = connected(text)
    pressed(node, "render_void")
    with nuke.fake.apart():
        nuke.root().setModified(False)
    seen = []

    def look():
        nuke.fake.update_ui(node)
        with nuke.fake.apart():
            seen.append([state(node)[0], node["tile_color"].value(), nuke.root().modified()])

    look()
    with nuke.fake.apart():
        nuke.toNode("grade_plate")["value"].setValue(2.0)
        nuke.root().setModified(False)
    look()
    with nuke.fake.apart():
        nuke.frame(1002)  # hashes of another frame say nothing
        nuke.toNode("grade_plate")["value"].setValue(1.0)
        nuke.root().setModified(False)
    look()
    with nuke.fake.apart():
        nuke.frame(1001)
    look()
    with nuke.fake.apart():
        nuke.toNode("grade_plate")["value"].setValue(3.0)
    nuke.fake.update_ui(node)
    with nuke.fake.event("menu"):
        nuke_host.run_stale()
    wait(node)
    return seen, shown(node)


def test_a_change_upstream_is_told_in_amber_and_never_marks_the_script(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    seen, last = run(host, change_upstream, scene(tiny, tmp_path / "work", render=True))
    assert [kind for kind, _, _ in seen] == ["done", "stale", "stale", "done"]
    assert not any(modified for _, _, modified in seen)
    assert seen[0][1] == seen[3][1] != seen[1][1]
    assert last[:3] == [2, "v002", "done"]


def look_at_a_run(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    with nuke.fake.apart():
        nuke.root().setModified(False)
    steps = nuke.fake.undo_steps
    nuke.fake.press(node, "render_void")
    nuke.fake.pump(until=lambda: "Running" in knob(node, "status"))
    with nuke.fake.apart():
        seen = [nuke.root().modified(), node["tile_color"].value(), nuke.fake.undo_steps == steps]
    label = nuke.fake.label_of(node)
    bar = dict(nuke.fake.tasks[0])
    nuke.fake.press(node, "cancel_void")
    wait(node)
    with nuke.fake.apart():
        return (
            seen,
            label,
            bar["message"],
            nuke.root().modified(),
            nuke.fake.undo_steps == steps,
            node["tile_color"].value(),
        )


def test_progress_is_shown_without_undo_steps_and_without_modifying_the_script(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    ordered(host, start="wait")
    seen, label, bar, modified, same, colour = run(host, look_at_a_run, scene(tiny, tmp_path / "work"))
    assert seen == [False, 0x3C5A8CFF, True] and not modified and same and colour == 0
    assert label.startswith("VoidRemove1\nRunning") and bar.startswith("VoidRemove1: Running")


# -- scripts that are closed and opened ----------------------------------------------------------------------------


def close_and_open(text):  # type: ignore[no-untyped-def]
    import json
    import os

    import nuke
    from void_plugin.hosts import nuke_host

    path = json.loads(text)["script"]
    node = connected(text)
    nuke.fake.press(node, "render_void")
    nuke.fake.pump(until=lambda: "Running" in knob(node, "status"))
    nuke.scriptSave(path)
    nuke.scriptClear()
    nuke.fake.pump()
    nuke.scriptOpen(path)
    opened = [nuke.toNode("VoidRemove1"), nuke.root().modified()]
    nuke.fake.pump()
    running = state(opened[0])[0]
    with open(os.environ["QUICK_SIDECAR"], "w") as file:
        file.write("{}")
    nuke.fake.press(opened[0], "cancel_void")
    cancelled = wait(opened[0])[0]
    pressed(opened[0], "render_void")
    return running, opened[1], cancelled, shown(opened[0]), len(nuke_host.session()._stories)


def test_a_script_that_is_closed_and_opened_goes_on_with_its_job(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    ordered(host, start="wait")
    running, modified, cancelled, now, left = run(host, close_and_open, scene(tiny, tmp_path / "work"))
    assert running == "running" and not modified and cancelled == "cancelled" and left == 0
    assert now[2] == "done"


def leave_with_a_job(text):  # type: ignore[no-untyped-def]
    import json

    import nuke

    node = connected(text)
    nuke.fake.press(node, "render_void")
    nuke.fake.pump(until=lambda: "Running" in knob(node, "status"))
    nuke.scriptSave(json.loads(text)["script"])
    return facts(node)["void_job"]


def come_back(text):  # type: ignore[no-untyped-def]
    import json

    import nuke
    from void_plugin.hosts import nuke_host

    nuke_host.install()
    nuke.scriptOpen(json.loads(text)["script"])
    at_once = nuke.fake.posted
    node = nuke.toNode("VoidRemove1")
    nuke.fake.pump()
    ended = wait(node)
    before = shown(node)
    told = list(nuke.fake.messages)
    pressed(node, "render_void")
    return at_once, ended, before, told, shown(node), knob(node, "void_job")


def test_a_job_is_taken_up_by_the_next_nuke_that_opens_the_script(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    ordered(host, start="wait")
    text = scene(tiny, tmp_path / "work")
    job = run(host, leave_with_a_job, text)
    assert job == "[file dirname [value root.name]]/void/sh010/VoidRemove1/v001"
    ordered(host)
    posted, ended, before, told, after, noted = run(host, come_back, text)
    assert posted == 1, "opening the script is not held up"
    assert ended[0] == "done" and before == [1, "v001", "done", [1001, 1002]] and told == []
    assert after == [2, "v002", "done", [1001, 1002]] and noted == ""


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: _record(folder, user="anna", machine="box7"), "is a job of anna on box7; only they can"),
        (lambda folder: _record(folder, schema=99, plugin="9.9"), "was written by a newer void_plugin (9.9"),
        (lambda folder: (folder / "job.json").unlink(), "has no job.json"),
        (lambda folder: (folder / "job.json").write_text("{"), "is damaged"),
    ],
)
def test_a_job_that_cannot_be_taken_up_is_told_and_blocks_nothing(
    tiny: Shot, tmp_path: Path, spoil: Any, sentence: str
) -> None:
    host = quick_host(tmp_path / "host", start="wait")
    text = scene(tiny, tmp_path / "work")
    run(host, leave_with_a_job, text)
    ordered(host)
    spoil(tmp_path / "work/void/sh010/VoidRemove1/v001")
    _, ended, _, told, after, _ = run(host, come_back, text)
    assert ended[0] == "failed" and sentence in ended[1] and told == [], "nobody pressed anything"
    assert after[1:3] == ["v002", "done"]


def _record(folder: Path, **changes: Any) -> None:
    file = folder / "job.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


# -- older nodes, other buttons ------------------------------------------------------------------------------------


def upgrade_a_node(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    pressed(node, "render_void")
    with nuke.fake.apart():
        # As an older plug-in would have left it: without a few knobs, with another graph inside.
        for name in ("rate", "helper_channels", "void_preview"):
            node.removeKnob(node[name])
        node["mix"].setExpression("frame / 2000")
        node["void_node_version"].setValue(0)
        nuke.delete(node.node("VoidDifference"))
        node.node("VoidResult")["on_error"].setValue("black")
    before = [shown(node), node.input(0).name(), node.input(1).name()]
    pressed(node, "render_void")
    with nuke.fake.apart():
        after = [shown(node), node.input(0).name(), node.input(1).name()]
        kept = [node["mix"].hasExpression(), node["missing_frames"].value(), node["rate"].value()]
        inner = sorted(one.name() for one in node.nodes())
    return before, after, kept, inner, list(nuke.fake.messages), knob(node, "void_node_version")


def test_a_node_of_an_older_plug_in_is_upgraded_in_place_and_told(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    before, after, kept, inner, told, version = run(host, upgrade_a_node, scene(tiny, tmp_path / "work"))
    assert before == [[1, "v001", "done", [1001, 1002]], "read_plate", "read_matte"]
    assert after == [[2, "v002", "done", [1001, 1002]], "read_plate", "read_matte"]
    assert kept == [True, "black", "native"] and "VoidDifference" in inner and len(inner) == 13
    assert len(told) == 1 and "was upgraded from node version 0 to 2" in told[0][1] and version == 2


def ask_the_server(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    with nuke.fake.apart():
        node["engine"].setValues(["auto", "studio_special"])
        node["engine"].setValue("studio_special")
    pressed(node, "connect")
    with nuke.fake.apart():
        engines = [node["engine"].values(), node["engine"].value()]
    pressed(node, "copy_report")
    return engines, [told for _, told in nuke.fake.messages], knob(node, "details")


def test_engines_are_those_of_the_server_and_the_stored_one_stays(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    engines, told, details = run(host, ask_the_server, scene(tiny, tmp_path / "work"))
    assert engines == [["auto", "identity", "recover", "void", "studio_special"], "studio_special"]
    assert "Engine recover: can run" in told[0] and "Engine void: cannot run: no GPU" in told[0]
    assert told[0] in details
    assert "engine: studio_special" in told[1] and "Log: " in told[1] and "void_plugin 0." in told[1]


def test_a_server_that_is_away_leaves_the_choice_alone(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    ordered(host, capabilities="The server box:1 is away.")
    engines, told, _ = run(host, ask_the_server, scene(tiny, tmp_path / "work"))
    assert engines == [["auto", "studio_special"], "studio_special"]
    assert told[0].startswith("Not connected: The server box:1 is away.")


def press_latest(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    pressed(node, "latest_v")
    return [told for _, told in nuke.fake.messages], shown(node)


def test_a_version_of_a_newer_plug_in_is_not_shown_but_named(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    text = scene(tiny, tmp_path / "work")
    run(host, walk_versions, text)
    for number in (1, 2, 3):
        file = tmp_path / f"work/void/sh010/VoidRemove1/v{number:03d}/manifest.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "schema": 99}))
    told, now = run(host, press_latest, text)
    assert told == ["There is no such finished version. In the folder: v001 is newer, v002 is newer, v003 is newer."]
    assert now[:3] == [0, "", "empty"]


def buttons_without_a_result(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    for button in ("prev_v", "next_v", "latest_v", "restore_settings", "make_read", "reveal", "clean_versions"):
        pressed(node, button)
        nuke.fake.pump()
    return [told for _, told in nuke.fake.messages], shown(node)


def test_buttons_say_in_a_sentence_that_there_is_nothing_yet(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    told, now = run(host, buttons_without_a_result, scene(tiny, tmp_path / "work"))
    assert len(told) == 7 and all(text.endswith(".") for text in told)
    assert now[:3] == [0, "", "empty"]


def rename_while_running(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    nuke.fake.press(node, "render_void")
    nuke.fake.pump(until=lambda: "Running" in knob(node, "status"))
    with nuke.fake.apart():
        node.setName("Hero")
    nuke.fake.press(node, "render_void")
    busy = [told for _, told in nuke.fake.messages]
    nuke.fake.press(node, "cancel_void")
    first = wait(node)[0]
    nuke.fake.press(node, "render_void")
    nuke.fake.pump(until=lambda: "Running" in knob(node, "status"))
    with nuke.fake.apart():
        nuke.delete(node)
    from void_plugin.hosts import nuke_host

    with nuke.fake.event("menu"):
        nuke_host.cancel_all()
    nuke.fake.pump(until=lambda: not nuke_host.session()._stories)
    return busy, first


def test_a_node_may_be_renamed_or_deleted_while_it_runs(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    ordered(host, start="wait")
    busy, first = run(host, rename_while_running, scene(tiny, tmp_path / "work"))
    assert len(busy) == 1 and busy[0].startswith("Hero is busy") and first == "cancelled"
    assert list((tmp_path / "work/void/sh010/Hero").iterdir()) == []


# -- the menu ------------------------------------------------------------------------------------------------------


def open_the_panel(place, orders):  # type: ignore[no-untyped-def]
    """From the menu, once well and once not; what was opened and what is said."""
    import os

    import nuke
    from void_plugin.hosts import nuke_host

    panels = os.path.join(os.path.dirname(os.environ["QUICK_SIDECAR"]), "panels")
    nuke_host.install()
    command = nuke.menu("Nuke").menu("VOID").findItem("Panel")
    command.invoke()
    nuke.fake.pump(until=lambda: os.path.exists(panels))
    before = len(nuke.fake.messages)
    with open(os.environ["QUICK_SIDECAR"], "w") as stream:
        stream.write(orders)
    command.invoke()
    nuke.fake.pump(until=lambda: len(nuke.fake.messages) > before)
    with open(panels) as stream:
        return before, stream.read(), list(nuke.fake.messages)


def test_the_panel_is_opened_from_the_menu_and_says_why_it_cannot_be(host: Nuke, tmp_path: Path) -> None:
    orders = json.dumps({"panel": "There is no screen here."})
    before, opened, said = run(host, open_the_panel, str(tmp_path), orders)
    assert before == 0 and opened == "opened" and said[-1][1] == "There is no screen here."


# -- on the farm ---------------------------------------------------------------------------------------------------

RUNNING = {"jobs": ["quick:1"], "state": "running", "fraction": 0.5, "text": "Solve 3 of 6"}


def go_on_while_the_farm_works(text, orders):  # type: ignore[no-untyped-def]
    """Two versions, a third on the farm: looks at the others, removes again, and looks at what the farm has made."""
    import nuke

    node = connected(text)
    pressed(node, "render_void")
    pressed(node, "render_void")
    pressed(node, "submit_farm")
    found = [[*shown(node), state(node)[1]]]
    with open(orders[0], "w") as stream:
        stream.write(orders[1])
    for button in ("prev_v", "next_v"):
        pressed(node, button)
        with nuke.fake.apart():
            enabled = node["cancel_void"].enabled()
        found.append([*shown(node), state(node)[1], enabled])
    nuke.fake.press(node, "latest_v")
    wait(node)
    found.append([*shown(node), state(node)[1]])
    label = nuke.fake.label_of(node)
    pressed(node, "render_void")
    found.append([*shown(node), facts(node)["void_job"]])
    return found, label, list(nuke.fake.messages)


def test_the_artist_goes_on_while_the_farm_works_and_the_node_says_both(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    orders = host.environment["QUICK_SIDECAR"], json.dumps({"farm": RUNNING})
    found, label, told = run(host, go_on_while_the_farm_works, scene(tiny, tmp_path / "work"), orders)
    line = "On the farm: quick:1, v003"
    assert found[0] == [2, "v002", "farm", [1001, 1002], line]
    assert found[1] == [1, "v001", "farm", [1001, 1002], line, True]
    assert found[2] == [2, "v002", "farm", [1001, 1002], line, True]
    assert found[3] == [2, "v002", "farm", [1001, 1002], f"{line}, running 50 %"]
    assert f"{line}, running 50 %" in label
    assert found[4] == [4, "v004", "done", [1001, 1002], ""] and told == []


def change_upstream_while_the_farm_works(text):  # type: ignore[no-untyped-def]
    import nuke

    node = connected(text)
    pressed(node, "render_void")
    with nuke.fake.apart():
        nuke.toNode("grade_plate")["value"].setValue(2.0)
    pressed(node, "submit_farm")
    nuke.fake.press(node, "latest_v")
    wait(node)
    seen = [shown(node)]
    for value in (2.0, 3.0):
        with nuke.fake.apart():
            nuke.toNode("grade_plate")["value"].setValue(value)
        nuke.fake.update_ui(node)
        seen.append(state(node)[0])
    return seen


def test_a_version_of_the_farm_is_older_than_what_changed_since_it_was_submitted(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    text = scene(tiny, tmp_path / "work", render=True)
    seen = run(host, change_upstream_while_the_farm_works, text)
    assert seen == [[2, "v002", "done", [1001, 1002]], "done", "stale"]


# -- every Python that a Nuke may have -----------------------------------------------------------------------------


def press_everything(text):  # type: ignore[no-untyped-def]
    node = connected(text)
    buttons = "render_void", "latest_v", "restore_settings", "make_read", "test_frame", "preview_mask", "connect"
    buttons += ("submit_farm",)
    return [pressed(node, button)[0] for button in buttons]


@pytest.mark.parametrize("version", [f"3.{minor}" for minor in range(7, 14)])
def test_every_button_works_in_every_python_that_a_nuke_may_have(version: str, tiny: Shot, tmp_path: Path) -> None:
    host = quick_host(tmp_path / "host", version)
    assert run(host, press_everything, scene(tiny, tmp_path / "work", render=True)) == ["done"] * 7 + ["farm"]
