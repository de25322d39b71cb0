"""The stand-in for Nuke refuses what Nuke would punish, in every Python that a Nuke has had."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.fakenuke import overrides, signatures
from nukes import FAKE, Nuke, python, refused

PYTHONS = ("3.7", "3.11", "3.13")


@pytest.fixture(params=PYTHONS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """Runs a scenario in a fake Nuke of one Python."""
    nuke = Nuke(python(request.param), tmp_path / "host")
    return nuke.run


def test_names_that_nuke_has_not_are_errors(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        node = nuke.nodes.Blur()
        refused(lambda: nuke.exectue, AttributeError, "exectue")
        refused(lambda: node.setXYPos, AttributeError, "setXYPos")
        refused(lambda: node["size"].setValues, AttributeError)
        refused(lambda: nuke.nodes.Blurr, AttributeError)
        refused(lambda: nuke.createNode("Blurr"), RuntimeError, "Unknown command")
        refused(lambda: setattr(node, "size", 3), AttributeError)
        refused(lambda: nuke.env["nope"], KeyError)

    host(scenario)


def test_what_nuke_has_and_the_fake_has_not_says_so(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        refused(lambda: nuke.zoom(1.0, [0, 0]), NotImplementedError, "nuke.zoom is not modelled")
        refused(lambda: nuke.zoom(), TypeError)
        refused(lambda: nuke.Panel, NotImplementedError)
        refused(lambda: nuke.nodes.Blur().sample, NotImplementedError, "nuke.Node.sample")

    host(scenario)


def test_wrong_arguments_are_errors(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        node, write = nuke.nodes.Blur(), nuke.nodes.Write()
        refused(lambda: nuke.message(), TypeError, "prompt")
        refused(lambda: nuke.toNode("a", "b"), TypeError)
        refused(lambda: nuke.frame(1.0), TypeError, "no int")
        refused(lambda: nuke.allNodes(recurse=True), TypeError)
        refused(lambda: node.setXYpos(1.5, 2), TypeError)
        refused(lambda: node.setInput(0, "Blur1"), TypeError)
        refused(lambda: nuke.executeMultiple([write], [(1.0, 2, 1)], ["main"]), TypeError, "whole numbers")
        refused(lambda: nuke.executeMultiple([write], [(1, 2, 1)], [1]), TypeError)
        refused(lambda: nuke.Int_Knob(3), TypeError)
        refused(lambda: nuke.Enumeration_Knob("a", "A"), TypeError)
        refused(lambda: nuke.ProgressTask("a", 3), TypeError)
        # These the stubs refuse though Nuke takes them.
        node.dependencies()
        node.dependent()

    host(scenario)


def test_knobs_exist_or_not(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        write = nuke.nodes.Write()
        refused(lambda: write["filee"], NameError)
        assert write.knob("filee") is None
        refused(lambda: write["compression"], NameError)
        write["file_type"].setValue("exr")
        compression = write["compression"]
        compression.setValue("Zip (1 scanline)")
        write["file_type"].setValue(" ")
        refused(lambda: write["compression"], NameError)
        refused(compression.value, ValueError)
        before = nuke.allNodes()
        refused(lambda: nuke.nodes.Write(datatype="32 bit float", file_type="exr"), NameError)
        assert nuke.allNodes() == before
        nuke.nodes.Write(file_type="exr", datatype="32 bit float")

    host(scenario)


def test_values_of_the_wrong_kind_are_errors(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        read = nuke.nodes.Read()
        refused(lambda: read["first"].setValue(1001.0), TypeError)
        refused(lambda: read["file"].setValue(3), TypeError)
        refused(lambda: read["raw"].setValue("yes"), TypeError)
        refused(lambda: read["on_error"].setValue("ignore"), ValueError, "no entry of on_error")
        refused(lambda: read["tile_color"].setValue(0.5), TypeError)
        read["first"].setValue(1001)
        read["on_error"].setValue(1)
        read["tile_color"].setValue(0xFF0000FF)
        mix = nuke.nodes.Merge2()["mix"]
        mix.setValue(1)
        return [read["first"].value(), read["on_error"].value(), read["tile_color"].value(), mix.value()]

    assert host(scenario) == [1001, "black", 0xFF0000FF, 1.0]


def test_a_handle_of_something_deleted_is_dead(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        group = nuke.nodes.Group()
        with group:
            inner = nuke.nodes.NoOp()
        after = nuke.nodes.Dot()
        knob = group["label"]
        nuke.delete(group)
        for call in (group.name, inner.name, knob.value, lambda: group["label"], lambda: after.setInput(0, group)):
            refused(call, ValueError, "not attached to a node")

    host(scenario)


def test_connections_are_checked(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        first, second, group = nuke.nodes.Blur(), nuke.nodes.Blur(), nuke.nodes.Group()
        with group:
            plate, matte = nuke.nodes.Input(name="plate"), nuke.nodes.Input(name="matte", number=1)
        assert group.maxInputs() == 2
        assert group.setInput(1, first)
        assert second.setInput(0, first)
        assert not first.setInput(0, second)
        refused(lambda: group.setInput(2, first), RuntimeError, "2 inputs")
        refused(lambda: first.setInput(0, plate), RuntimeError, "not in one group")
        matte["number"].setValue(0)
        refused(group.maxInputs, RuntimeError, "one number")
        del nuke.fake.faults[:]
        nuke.delete(first)
        return [second.input(0), group.inputs() if matte["number"].setValue(1) else None]

    assert host(scenario) == [None, 0]


def test_names_are_unique_in_their_group(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        merge, other = nuke.nodes.Merge2(), nuke.nodes.Merge2()
        group = nuke.nodes.Group(name="VoidRemove1")
        with group:
            inner = nuke.nodes.Merge2()
            deep = nuke.nodes.Group()
            with deep:
                nuke.nodes.Read(name="Plate")
        second = nuke.nodes.Group()
        second.setName("VoidRemove1")
        refused(lambda: second.setName("no good"), ValueError)
        refused(lambda: second.setName("VoidRemove1", uncollide=False), ValueError)
        plate = nuke.toNode("VoidRemove1.Group1.Plate")
        with group:
            assert nuke.toNode("Group1.Plate") is plate
        return [
            [node.name() for node in (merge, other, inner, second)],
            plate.fullName(),
            [node.fullName() for node in nuke.allNodes("Read", group=nuke.root(), recurseGroups=True)],
            len(nuke.allNodes()),
            nuke.toNode("Plate"),
        ]

    assert host(scenario) == [
        ["Merge1", "Merge2", "Merge1", "VoidRemove2"],
        "VoidRemove1.Group1.Plate",
        ["VoidRemove1.Group1.Plate"],
        4,
        None,
    ]


def test_groups_are_entered_and_left_in_order(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        outer, other = nuke.nodes.Group(), nuke.nodes.Group()
        outer.begin()
        other.begin()
        refused(outer.end, RuntimeError, "begun last")
        del nuke.fake.faults[:]
        other.end()
        assert nuke.thisGroup() is outer
        outer.end()
        refused(lambda: outer.run(lambda: 1 / 0), ZeroDivisionError)
        return nuke.fake.trace()["context"]

    assert host(scenario) == ["root"]


def test_user_knobs_are_added_once_and_belong_to_one_node(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        node, other = nuke.nodes.NoOp(), nuke.nodes.NoOp()
        knob = nuke.Double_Knob("strength", "Strength")
        node.addKnob(knob)
        refused(lambda: node.addKnob(nuke.Int_Knob("strength")), RuntimeError, "already has a knob")
        refused(lambda: node.addKnob(nuke.Int_Knob("label")), RuntimeError, "already has a knob")
        refused(lambda: other.addKnob(knob), RuntimeError, "already belongs")
        refused(lambda: node.addKnob(nuke.Text_Knob("")), RuntimeError, "a name")
        refused(lambda: node.removeKnob(node["label"]), ValueError)
        del nuke.fake.faults[:]
        node.removeKnob(knob)
        return [name for name in node.knobs() if name not in other.knobs()]

    assert host(scenario) == ["User"]


def test_expressions_follow_other_knobs(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        group = nuke.nodes.Group()
        group.addKnob(nuke.Enumeration_Knob("output", "Output", ["comp", "patch", "source"]))
        group.addKnob(nuke.File_Knob("result", "Result"))
        group.addKnob(nuke.Double_Knob("mix", "Mix"))
        with group:
            switch, read = nuke.nodes.Switch(), nuke.nodes.Read(file="[value parent.result]", name="Result")
            link = nuke.nodes.Multiply()
        switch["which"].setExpression("parent.output == 2 || !parent.mix ? 1 + 2 * 2 : frame - 1")
        link["value"].setExpression("parent.mix", 3)
        group["mix"].setValue(0.5)
        group["result"].setValue("[file dirname [value root.name]]/x.%04d.exr")
        nuke.root()["name"].setValue("/show/sh010.nk")
        nuke.frame(7)
        found = [switch["which"].value(), read["file"].evaluate(12), read["file"].value(), link["value"].value()]
        group["output"].setValue("source")
        found += [switch["which"].value(), switch["which"].hasExpression(), switch["which"].toScript()]
        switch["which"].setExpression("parent.nothing")
        refused(switch["which"].value, ValueError, "no knob 'nothing'")
        link["value"].setValue(1)
        assert not link["value"].hasExpression()
        return found

    assert host(scenario) == [
        6.0,
        "/show/x.0012.exr",
        "[value parent.result]",
        [1.0, 1.0, 1.0, 0.5],
        5.0,
        True,
        '{{"parent.output == 2 || !parent.mix ? 1 + 2 * 2 : frame - 1"}}',
    ]


def test_callbacks_run_with_their_node_and_what_they_raise_is_kept(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        seen = []

        def note(what):
            seen.append([what, nuke.thisNode().name()])

        def changed():
            seen.append([nuke.thisKnob().name(), nuke.thisNode().name()])
            nuke.thisNode()["label"].setValue("again")

        nuke.addOnCreate(note, ("created",), nodeClass="Blur")
        nuke.addOnUserCreate(note, ("by hand",), nodeClass="Blur")
        nuke.addOnDestroy(note, ("destroyed",), nodeClass="Blur")
        blur = nuke.nodes.Blur()
        nuke.createNode("Blur")
        nuke.nodes.Dot()
        nuke.addKnobChanged(changed, nodeClass="Blur")
        blur["size"].setValue(3)
        blur["size"].setValue(3)
        nuke.removeKnobChanged(changed, nodeClass="Blur")
        blur["size"].setValue(4)
        nuke.delete(blur)
        nuke.addAutolabel(lambda: "label of " + nuke.thisNode().name(), nodeClass="Dot")
        seen.append(nuke.fake.label_of(nuke.toNode("Dot1")))
        nuke.addOnCreate(lambda: 1 / 0, nodeClass="NoOp")
        nuke.nodes.NoOp()
        assert "ZeroDivisionError" in nuke.fake.tracebacks.pop()
        return seen

    assert host(scenario) == [
        ["created", "Blur1"],
        ["created", "Blur2"],
        ["by hand", "Blur2"],
        ["size", "Blur1"],
        ["destroyed", "Blur1"],
        "label of Dot1",
    ]


def test_undo_and_modified_are_counted_and_taken_back(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        blur = nuke.nodes.Blur()
        nuke.fake.reset_changes()
        assert not nuke.modified()
        before = nuke.fake.trace()
        nuke.frame(5)
        blur.setSelected(True)
        assert not nuke.modified(), "looking around changes nothing"
        blur.setSelected(False)
        nuke.frame(1)
        nuke.Undo.disable()
        blur["size"].setValue(9)
        blur["size"].setValue(0)
        nuke.Undo.enable()
        assert nuke.modified() and nuke.fake.undo_steps == []
        nuke.Undo.begin("Fails")
        group = nuke.nodes.Group(inputs=[])
        blur.addKnob(nuke.Int_Knob("handles"))
        blur["size"].setValue(3)
        blur.setName("Other")
        nuke.delete(blur)
        nuke.Undo.cancel()
        nuke.root().setModified(False)
        assert nuke.fake.trace() == before
        assert blur.knob("handles") is None and blur["size"].value() == 0
        refused(group.name, ValueError)
        with nuke.Undo():
            nuke.Undo.name("Both")
            blur["size"].setValue(1)
            blur["label"].setValue("x")
        dot = nuke.nodes.Dot(inputs=[blur])
        steps = nuke.fake.undo_steps
        nuke.delete(blur)
        nuke.fake.undo()
        assert dot.input(0) is blur
        nuke.fake.undo()
        nuke.fake.undo()
        nuke.fake.undo()
        assert blur["size"].value() == 0
        refused(nuke.Undo.end, RuntimeError)
        refused(nuke.Undo.enable, RuntimeError)
        refused(lambda: nuke.Undo("name"), TypeError)
        del nuke.fake.faults[:]
        return steps

    assert host(scenario) == [["Both", 2], ["create Dot1", 1], ["connect Dot1", 1]]


def test_the_fake_is_never_looser_than_the_stubs(tmp_path: Path) -> None:
    def scenario():
        from fakenuke.strict import Handle, function, handle

        class Node(Handle):
            def setXYPos(self, x, y):
                pass

        refused(lambda: handle(Node), ImportError, "no nuke.Node.setXYPos")
        refused(lambda: function()(lambda: None), ImportError)

    Nuke(python("3.11"), tmp_path / "host").run(scenario)


@pytest.mark.parametrize("path", sorted([*FAKE.glob("fakenuke/*.py"), *FAKE.glob("nuke/*.py")]), ids=lambda p: p.name)
def test_the_fake_is_written_for_the_oldest_host(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_signatures_come_from_the_stubs_and_overrides_win() -> None:
    table = signatures.read()
    assert len(table["functions"]) > 250 and len(table["classes"]) > 90 and len(table["constants"]) > 100
    assert table["functions"]["message"] == [[["prompt", "plain", False, "str"]]]
    assert [name for name, *_ in table["functions"]["execute"][1]][:2] == ["nameOrNode", "frameRangeSet"]
    assert table["classes"]["Node"]["methods"]["dependencies"] == [[["what", "plain", True, "int"]]]
    assert all(source for _, source in overrides.SIGNATURES.values())
    json.dumps(table)
