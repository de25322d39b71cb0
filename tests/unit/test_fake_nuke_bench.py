"""Around the stand-in for Nuke: threads, events, boxes, menus, errors to order, file access, scenarios."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nukes import Nuke, python, refused

PYTHONS = ("3.7", "3.11", "3.13")


@pytest.fixture(params=PYTHONS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """Runs a scenario in a fake Nuke of one Python."""
    nuke = Nuke(python(request.param), tmp_path / "host")
    return nuke.run


def test_the_main_thread_is_guarded_and_faults_are_kept_though_caught(host: Callable[..., Any]) -> None:
    def scenario():
        import threading

        import nuke

        node, seen = nuke.nodes.Blur(), []

        def work():
            for call in (node.name, lambda: node["size"], nuke.allNodes, lambda: nuke.String_Knob("a")):
                refused(call, RuntimeError, "not on the main thread")
            nuke.executeInMainThread(seen.append, ("posted",))
            seen.append(nuke.executeInMainThreadWithResult(node.name))
            seen.append(nuke.executeInMainThreadWithResult(lambda: 1 / 0))

        thread = threading.Thread(target=work)
        thread.start()
        nuke.fake.pump(until=lambda: not thread.is_alive())
        refused(lambda: nuke.executeInMainThreadWithResult(node.name), RuntimeError, "for ever")
        refused(lambda: nuke.executeInMainThread(seen.append, ("text")), RuntimeError, "no tuple")
        refused(lambda: nuke.fake.pump(until=lambda: False, timeout=0.05), TimeoutError)
        found = [len(nuke.fake.faults), "ZeroDivisionError" in nuke.fake.tracebacks[0]]
        del nuke.fake.faults[:], nuke.fake.tracebacks[:]
        return [seen, found]

    assert host(scenario) == [["posted", "Blur1", None], [6, True]]


def test_buttons_run_in_main_with_their_node(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        node = nuke.nodes.Group(name="VoidRemove1")
        node.addKnob(nuke.PyScript_Knob("go", "Go", "nuke.message(nuke.thisNode().name() + nuke.thisKnob().name())"))
        node.addKnob(nuke.PyScript_Knob("where", "Where", "nuke.message(nuke.thisGroup().fullName())"))
        node.addKnob(nuke.PyScript_Knob("bad", "Bad", "nope"))
        nuke.fake.press(node, "go")
        nuke.fake.press(node, "where")
        nuke.fake.buttons_run_inside()
        nuke.fake.press(node, "where")
        nuke.fake.press(node, "bad")
        assert "NameError" in nuke.fake.tracebacks.pop()
        event = nuke.fake.events[0]
        return [[text for _, text in nuke.fake.messages], event.name, event.count]

    assert host(scenario) == [["VoidRemove1go", "root", "VoidRemove1"], "button go", 5]


def test_what_is_shown_is_kept_and_nobody_is_waited_for(host: Callable[..., Any]) -> None:
    def scenario():
        import gc

        import nuke

        nuke.message("hello")
        nuke.fake.answer(True, False)
        answers = [nuke.ask("a?"), nuke.ask("b?")]
        refused(lambda: nuke.ask("c?"), RuntimeError, "nobody answers")
        task = nuke.ProgressTask("Removing")
        task.setProgress(50)
        task.setMessage("half")
        refused(lambda: task.setProgress(101), RuntimeError)
        refused(lambda: task.setProgress(50.0), TypeError)
        del nuke.fake.faults[:]
        nuke.fake.cancel_tasks()
        shown = [dict(record) for record in nuke.fake.tasks], task.isCancelled()
        task = None
        gc.collect()
        return [nuke.fake.messages, answers, shown, nuke.fake.tasks, len(nuke.fake.finished_tasks), task]

    shown = {"title": "Removing", "message": "half", "progress": 50, "updates": 1}
    messages = [["message", "hello"], ["ask", "a?"], ["ask", "b?"], ["ask", "c?"]]
    assert host(scenario) == [messages, [True, False], [[shown], True], [], 1, None]


def test_menus_hold_commands(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        menu = nuke.menu("Nodes").addMenu("VOID", icon="void.png")
        menu.addCommand("Remove", "nuke.message('text')")
        menu.addCommand("More/Stop", lambda: nuke.message("call"))
        refused(lambda: menu.addCommand("Bad", 3), TypeError)
        nuke.menu("Nodes").findItem("VOID/Remove").invoke()
        nuke.menu("Nodes").findItem("VOID/More/Stop").invoke()
        return [text for _, text in nuke.fake.messages] + [item.name() for item in menu.items()]

    assert host(scenario) == ["text", "call", "Remove", "More"]


def test_calls_are_counted_and_fail_to_order(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        node = nuke.nodes.Blur()
        count = len(nuke.fake.calls)
        nuke.fake.fail_at(2)
        node.name()
        node.xpos()
        refused(node.ypos, RuntimeError, "ordered failure")
        node.ypos()
        nuke.fake.fail_named("WH_Knob.setValue", MemoryError())
        refused(lambda: node["size"].setValue(3), MemoryError)
        with nuke.fake.apart():
            node.name()
        assert nuke.fake.failures_left == 0
        nuke.fake.fail_at(1)
        assert nuke.fake.failures_left == 1
        with nuke.fake.event("menu"):
            node.name()
        assert [nuke.fake.events[-1].name, nuke.fake.events[-1].count] == ["menu", 1]
        assert nuke.fake.calls.pop().event == "menu"
        return [call.name for call in nuke.fake.calls[count:]]

    names = ["Node.name", "Node.xpos", "Node.ypos", "Node.ypos", "Node.__getitem__", "WH_Knob.setValue"]
    assert host(scenario) == names


def test_file_access_is_noted_with_its_thread(host: Callable[..., Any], tmp_path: Path) -> None:
    def scenario(folder):
        import os
        import pathlib
        import subprocess
        import sys
        import threading
        import time

        import nuke

        nuke.nodes.Blur()
        nuke.fake.slow_files(0.01)

        def work():
            os.makedirs(os.path.join(folder, "a/b"))
            pathlib.Path(folder, "a", "c").write_text("x")
            with open(os.path.join(folder, "a", "d"), "w") as file:
                file.write("x")
            subprocess.Popen([sys.executable, "-S", "-c", "pass"], stdin=subprocess.PIPE).communicate()

        began = time.time()
        thread = threading.Thread(target=work, name="worker")
        thread.start()
        thread.join()
        slow = time.time() - began >= 0.04
        nuke.scriptSave(folder + "/a.nk")
        with nuke.fake.apart():
            os.listdir(folder)
        assert all(not call.main for call in nuke.fake.file_calls)
        os.path.exists(folder)
        os.stat(folder)
        return [slow, [[call.name, call.thread] for call in nuke.fake.file_calls]]

    slow, calls = host(scenario, str(tmp_path))
    assert slow
    assert [call for call in calls if call[1] == "worker"] == [
        ["os.makedirs", "worker"],
        ["pathlib.Path.write_text", "worker"],
        ["builtins.open", "worker"],
        ["subprocess.Popen.__init__", "worker"],
    ]
    assert calls[-2:] == [["os.path.exists", "MainThread"], ["os.stat", "MainThread"]]


def test_without_a_gui_there_are_no_boxes_and_menus(tmp_path: Path) -> None:
    def scenario():
        import nuke

        refused(lambda: nuke.menu("Nodes"), RuntimeError, "without a GUI")
        refused(lambda: nuke.message("x"), RuntimeError, "without a GUI")
        del nuke.fake.faults[:]
        return [nuke.GUI, nuke.env["gui"], "-t" in nuke.rawArgs, nuke.NUKE_VERSION_STRING, nuke.NUKE_VERSION_MAJOR]

    host = Nuke(python("3.11"), tmp_path / "host", gui=False, version="17.0v3")
    assert host.run(scenario) == [False, False, True, "17.0v3", 17]


def test_a_scenario_fails_for_what_it_hides(tmp_path: Path) -> None:
    def hides_a_fault():
        import nuke

        refused(lambda: nuke.executeInMainThreadWithResult(len), RuntimeError)

    def hides_a_traceback():
        import nuke

        nuke.executeInMainThread(lambda: 1 / 0)
        nuke.fake.pump()

    def loads_grpc():
        import sys

        sys.modules["grpc"] = sys

    def raises():
        raise KeyError("mine")

    def hangs():
        import time

        time.sleep(60)

    host = Nuke(python("3.11"), tmp_path / "host")
    with pytest.raises(AssertionError, match="for ever"):
        host.run(hides_a_fault)
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        host.run(hides_a_traceback)
    with pytest.raises(AssertionError, match="loaded inside the host: grpc"):
        host.run(loads_grpc)
    with pytest.raises(AssertionError, match=r"test_fake_nuke\.py.*KeyError: 'mine'|KeyError: 'mine'"):
        host.run(raises)
    with pytest.raises(AssertionError, match="did not end"):
        host.run(hangs, timeout=1.0)
