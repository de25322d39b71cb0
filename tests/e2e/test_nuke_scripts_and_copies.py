"""Which node a job belongs to: one script after another in the same Nuke, nodes that were copied, nodes that come back.

The sidecar does every job at once (`fakes/quick_sidecar.py`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nukes import Nuke
from nukescenes import connected, copied, facts, from_now_on, in_host, knob, quick_host, scene, state, wait
from shots import Shot


@pytest.fixture
def host(tmp_path: Path) -> Nuke:
    return quick_host(tmp_path / "host", start="wait")


def run(host: Nuke, scenario: Any, *arguments: Any) -> Any:
    return host.run(scenario, *arguments, helpers=(*in_host(), begin, end_its_job, begin_beside_a_copy), timeout=60)


# -- inside the host -----------------------------------------------------------------------------------------------


def begin(node):  # type: ignore[no-untyped-def]
    """Presses Remove, and waits until the job runs."""
    import nuke

    nuke.fake.press(node, "render_void")
    nuke.fake.pump(until=lambda: "Running" in knob(node, "status"))


def end_its_job():  # type: ignore[no-untyped-def]
    """Kills the sidecar, so that another one takes the job up, which is done at once now."""
    import os

    from void_plugin.hosts import nuke_host

    from_now_on()
    os.kill(nuke_host.session().sidecar.ask("panel", {"requests": []})["pid"], 9)


def begin_beside_a_copy(text, first, second):  # type: ignore[no-untyped-def]
    """The job of a node in the first script runs; in the second lies its copy, with the same uuid."""
    import nuke
    from void_plugin.hosts import nuke_host

    nuke_host.install()
    node = connected(text)
    with nuke.fake.apart():
        node["void_uuid"].setValue("the same in both")
        nuke.scriptSave(second)
        nuke.root()["name"].setValue(first)
    begin(node)
    nuke.scriptSave(first)


# -- one script after another --------------------------------------------------------------------------------------


def open_another_shot(text):  # type: ignore[no-untyped-def]
    """The node of one shot was copied into another, which is opened while the first one's job runs."""
    import json
    import os

    import nuke
    from void_plugin.hosts import nuke_host

    first = json.loads(text)["script"]
    second = os.path.join(os.path.dirname(os.path.dirname(first)), "other", "sh020_v001.nk")
    os.makedirs(os.path.dirname(second))
    begin_beside_a_copy(text, first, second)
    nuke.scriptOpen(second)
    nuke.fake.pump()
    other = nuke.toNode("VoidRemove1")
    seen = [state(other)[0], nuke.fake.label_of(other), nuke_host.session().is_busy(other)]
    from_now_on()
    begun = nuke.fake.messages[:]
    nuke.fake.press(other, "render_void")
    own = [wait(other)[0], facts(other)["folder"], begun, list(nuke.fake.messages)]
    nuke.scriptSave(second)
    nuke.scriptOpen(first)
    nuke.fake.pump()
    node = nuke.toNode("VoidRemove1")
    still = state(node)[0]
    nuke.fake.press(node, "cancel_void")
    return seen, own, still, wait(node)[0], facts(node), nuke_host.session()._stories == {}


def test_a_job_never_shows_in_another_script_whose_node_was_copied_from_its_own(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    seen, own, still, cancelled, told, over = run(host, open_another_shot, scene(tiny, tmp_path / "work"))
    assert seen == ["empty", "VoidRemove1\nNo result yet", False]
    assert own == ["done", f"{tmp_path}/other/void/sh020/VoidRemove1/v001", [], []]
    assert still == "running" and cancelled == "cancelled" and told["void_job"] == "" and over


def finish_while_another_shot_is_open(text):  # type: ignore[no-untyped-def]
    import json
    import os

    import nuke
    from void_plugin.hosts import nuke_host

    first = json.loads(text)["script"]
    second = os.path.join(os.path.dirname(first), "sh020_v001.nk")
    begin_beside_a_copy(text, first, second)
    story = next(iter(nuke_host.session()._stories.values()))
    nuke.scriptOpen(second)
    nuke.fake.pump()
    end_its_job()
    nuke.fake.pump(until=lambda: story.is_over)
    other = nuke.toNode("VoidRemove1")
    seen = [state(other)[:2], facts(other)["void_folder"]]
    nuke.scriptOpen(first)
    nuke.fake.pump()
    node = nuke.toNode("VoidRemove1")
    return seen, wait(node)[0], facts(node), list(nuke.fake.messages)


def test_a_job_that_ends_while_another_script_is_open_is_shown_in_its_own(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    seen, ended, told, messages = run(host, finish_while_another_shot_is_open, scene(tiny, tmp_path / "work"))
    assert seen == [["empty", "No result yet"], ""]
    assert ended == "done" and told["version"] == 1 and told["void_job"] == "" and messages == []


def revert(text):  # type: ignore[no-untyped-def]
    """Opens the script as it was saved before the farm got the job."""
    import json

    import nuke
    from void_plugin.hosts import nuke_host

    nuke_host.install()
    node = connected(text)
    from_now_on()
    nuke.fake.press(node, "render_void")
    wait(node)
    nuke.scriptSave(json.loads(text)["script"])
    nuke.fake.press(node, "submit_farm")
    submitted = wait(node)[0]
    nuke.scriptOpen(json.loads(text)["script"])
    nuke.fake.pump()
    node = nuke.toNode("VoidRemove1")
    with nuke.fake.apart():
        return submitted, state(node)[:2], node["cancel_void"].enabled()


def test_a_script_that_is_opened_again_says_what_it_was_saved_with(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    submitted, now, can_be_cancelled = run(host, revert, scene(tiny, tmp_path / "work"))
    assert submitted == "farm" and not can_be_cancelled
    assert now == ["done", "v001 · 1001-1002 · 1 s · 100 % recovered"]


def open_twice(text):  # type: ignore[no-untyped-def]
    """Opens a script with a running job twice before Nuke comes to anything else."""
    import json

    import nuke
    from void_plugin.hosts import nuke_host

    nuke_host.install()
    for _ in range(2):
        nuke.scriptOpen(json.loads(text)["script"])
    node = nuke.toNode("VoidRemove1")
    nuke.fake.pump(until=lambda: "Running" in knob(node, "status"))
    noted = facts(node)["void_job"]
    end_its_job()
    return noted, wait(node)[0], facts(node)["void_job"], len(nuke_host.session()._stories)


def test_a_script_that_is_opened_twice_at_once_has_its_job_taken_up_once(
    host: Nuke, tiny: Shot, tmp_path: Path
) -> None:
    text = scene(tiny, tmp_path / "work")
    run(host, leave_with_a_copy, text)
    noted, ended, after, left = run(host, open_twice, text)
    assert noted.endswith("/VoidRemove1/v001") and ended == "done" and after == "" and left == 0


# -- copies --------------------------------------------------------------------------------------------------------


def leave_with_a_copy(text):  # type: ignore[no-untyped-def]
    import json

    import nuke

    node = connected(text)
    begin(node)
    copy = copied(node)
    nuke.scriptSave(json.loads(text)["script"])
    return facts(copy)["void_job"], facts(copy)["void_uuid"] == facts(node)["void_uuid"]


def come_back_to_both(text):  # type: ignore[no-untyped-def]
    import json

    import nuke
    from void_plugin.hosts import nuke_host

    nuke_host.install()
    nuke.scriptOpen(json.loads(text)["script"])
    nuke.fake.pump()
    nodes = [nuke.toNode("VoidRemove1"), nuke.toNode("VoidRemove2")]
    modified = nuke.root().modified()
    ended = [wait(node)[:2] for node in nodes]
    return ended, [facts(node) for node in nodes], modified, list(nuke.fake.messages)


def test_of_two_nodes_with_one_uuid_the_one_that_began_the_job_gets_it(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    text = scene(tiny, tmp_path / "work")
    job, same = run(host, leave_with_a_copy, text)
    assert job.endswith("/VoidRemove1/v001") and same
    Path(host.environment["QUICK_SIDECAR"]).write_text("{}")
    ended, (node, copy), modified, messages = run(host, come_back_to_both, text)
    assert [kind for kind, _ in ended] == ["done", "empty"] and not modified and messages == []
    assert node["version"] == 1 and node["void_job"] == ""
    assert copy["version"] == 0 and copy["void_job"] == "" and copy["void_uuid"] not in ("", node["void_uuid"])


# -- nodes that come back ------------------------------------------------------------------------------------------


def delete_and_undo(text):  # type: ignore[no-untyped-def]
    import nuke
    from void_plugin.hosts import nuke_host

    node = connected(text)
    begin(node)
    story = next(iter(nuke_host.session()._stories.values()))
    with nuke.fake.apart():
        nuke.Undo.begin("Delete")
        nuke.delete(node)
        nuke.Undo.end()
    seen = len(nuke_host.session()._stories)
    heard = story.state
    nuke.fake.pump(until=lambda: story.state != heard)  # an event that finds no node
    nuke.fake.undo()
    end_its_job()
    nuke.fake.pump(until=lambda: story.is_over)
    node = nuke.toNode("VoidRemove1")
    return seen, state(node)[:2], facts(node), list(nuke.fake.messages)


def test_a_node_whose_deletion_was_undone_gets_its_result(host: Nuke, tiny: Shot, tmp_path: Path) -> None:
    seen, ended, told, messages = run(host, delete_and_undo, scene(tiny, tmp_path / "work"))
    assert seen == 1 and ended[0] == "done" and told["version"] == 1 and messages == []
    assert json.loads((tmp_path / "work/void/sh010/VoidRemove1/v001/manifest.json").read_text())["version"] == 1
