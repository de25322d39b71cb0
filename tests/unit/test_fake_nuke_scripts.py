"""Script text of the stand-in for Nuke: what is saved comes back, in the form that real scripts have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nukes import Nuke, python, refused
from pythons import interpreters
from tclnk import available, check_nk, read_nk

if not available():
    pytest.skip("this Python was built without Tcl", allow_module_level=True)

PYTHONS = ("3.7", "3.11", "3.13")


def group_with_everything():
    """A group with a knob of every kind and a graph of shared and empty inputs."""
    import nuke

    group = nuke.nodes.Group(name="VoidRemove1", label='a "label" with [brackets], $money and {braces}\n\\ two lines')
    for knob, value in (
        (nuke.Tab_Knob("void", "VOID"), None),
        (nuke.String_Knob("text", "Text"), "été, 'quotes' \"too\" # ; \t"),
        (nuke.Multiline_Eval_String_Knob("lines", "Lines"), "one\ntwo {"),
        (nuke.File_Knob("folder", "Folder"), "[file dirname [value root.name]]/void"),
        (nuke.Int_Knob("handles", "Handles"), -8),
        (nuke.Double_Knob("mix", "Mix"), 0.1),
        (nuke.Boolean_Knob("invert", "Invert"), True),
        (nuke.Enumeration_Knob("output", "Output", ["comp", "clean plate", "a\tlabel"]), "clean plate"),
        (nuke.Channel_Knob("matte", "Matte"), "rgba.alpha"),
        (nuke.XY_Knob("point", "Point"), [3, 3]),
        (nuke.AColor_Knob("colour", "Colour"), [0, 0.5, 1, 1]),
        (nuke.Tab_Knob("more", "More", nuke.TABBEGINCLOSEDGROUP), None),
        (nuke.PyScript_Knob("go", "Go", "try:\n    x = {'a': [1]}\nexcept ValueError:\n    pass"), None),
        (nuke.Tab_Knob("more_end", None, nuke.TABENDGROUP), None),
        (nuke.Text_Knob("note", "", "a <b>note</b>"), None),
        (nuke.Link_Knob("missing", "Missing"), None),
        (nuke.String_Knob("status", "Status"), "busy"),
        (nuke.String_Knob("uuid", "UUID"), "12ab"),
    ):
        if value is not None:
            knob.setValue(value)
        group.addKnob(knob)
    group["missing"].setLink("Result.on_error")
    group["mix"].setRange(0, 2)
    group["mix"].setTooltip('0 to 2, "linear" [units]')
    group["handles"].clearFlag(nuke.STARTLINE)
    group["status"].setFlag(nuke.DO_NOT_WRITE)
    group["uuid"].setFlag(nuke.INVISIBLE)
    group["knobChanged"].setValue("if nuke.GUI:\n    pass")
    with group:
        plate, matte = nuke.nodes.Input(name="plate"), nuke.nodes.Input(name="matte", number=1)
        result = nuke.nodes.Read(name="Result", file="[value parent.folder]", before="black", raw=True)
        merge = nuke.nodes.Merge2(inputs=[plate, result, matte], operation="difference")
        switch = nuke.nodes.Switch(inputs=[merge, None, plate])
        switch["which"].setExpression("parent.output == 1 ? 0 : 2")
        nuke.nodes.Output(inputs=[switch])
    plate = nuke.nodes.Read(file="/show/plate.%04d.exr", first=1001, last=1048)
    group.setInput(0, nuke.nodes.Dot(inputs=[plate]))
    nuke.nodes.Write(inputs=[group], file_type="exr", datatype="32 bit float", file="/show/out.%04d.exr")
    nuke.nodes.Merge2(inputs=[None, plate])
    return group


@pytest.fixture(params=PYTHONS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """Runs a scenario in a fake Nuke of one Python."""
    nuke = Nuke(python(request.param), tmp_path / "host")
    return lambda scenario, *arguments: nuke.run(scenario, *arguments, helpers=[group_with_everything])


def test_a_script_that_is_saved_and_opened_is_the_same(host: Callable[..., Any], tmp_path: Path) -> None:
    def scenario(path, names):
        import nuke

        group_with_everything()
        nuke.root()["first_frame"].setValue(1001)
        nuke.addView("right")
        nuke.addFormat("100 50 0 0 100 50 2 wide")
        nuke.root()["format"].setValue("wide")
        old = nuke.toNode("VoidRemove1")
        nuke.scriptSave(path)
        before, saved = nuke.fake.trace(), not nuke.modified()
        nuke.scriptOpen(path)
        refused(old.name, ValueError)
        with nuke.fake.apart(), open(path) as file:
            first = file.read()
        nuke.scriptSave(path)
        with nuke.fake.apart(), open(path) as file:
            assert file.read() == first
        group = nuke.toNode("VoidRemove1")
        assert nuke.fake.trace() == before
        values = {}
        for name in [
            "text",
            "lines",
            "folder",
            "handles",
            "mix",
            "invert",
            "output",
            "matte",
            "point",
            "colour",
            "missing",
            "status",
            "uuid",
            "label",
        ]:
            values[name] = group[name].value()
        flags = [group["handles"].getFlag(nuke.STARTLINE), group["uuid"].visible(), group["mix"].max()]
        return [values, flags, saved, nuke.modified(), nuke.root()["format"].value().pixelAspect()]

    path = tmp_path / "script.nk"
    expected = {
        "text": "été, 'quotes' \"too\" # ; \t",
        "lines": "one\ntwo {",
        "folder": "[file dirname [value root.name]]/void",
        "handles": -8,
        "mix": 0.1,
        "invert": True,
        "output": "clean plate",
        "matte": "rgba.alpha",
        "point": [3.0, 3.0],
        "colour": [0.0, 0.5, 1.0, 1.0],
        "missing": "error",
        "status": "",
        "uuid": "12ab",
        "label": 'a "label" with [brackets], $money and {braces}\n\\ two lines',
    }
    values, flags, saved, modified, aspect = host(scenario, str(path), list(expected))
    assert values == expected
    assert [flags, saved, modified, aspect] == [[False, False, 2.0], True, False, 2.0]

    text = path.read_text(encoding="utf-8")
    assert check_nk(text, [interpreters()[version] for version in PYTHONS if version in interpreters()]) == []
    group = read_nk(text).named("VoidRemove1")
    assert group.values["text"] == values["text"]
    assert "status" not in group.values and "+DO_NOT_WRITE" in group.user["status"].flags
    assert group.user["uuid"].flags == ["+INVISIBLE"] and group.user["handles"].flags == ["-STARTLINE"]
    assert group.user["go"].options["T"].startswith("try:\n    x = {'a': [1]}")
    assert group.user["output"].options["M"] == 'comp "clean plate" "a\tlabel"'.replace("\t", "\\t")
    merge = group.named("Merge1")
    assert [node.name if node else None for node in merge.inputs] == ["plate", "Result", "matte"]
    assert [node.name if node else None for node in group.named("Switch1").inputs] == ["Merge1", None, "plate"]
    assert "mix" not in merge.values, "defaults are not written"
    assert " inputs 2+1\n" in text and "which {{" in text


def test_copies_get_names_of_their_own_and_hang_on_what_is_selected(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        seen = []
        nuke.addOnCreate(lambda: seen.append(["onCreate", nuke.thisNode().name()]), nodeClass="Group")
        nuke.addOnUserCreate(lambda: seen.append("onUserCreate"))
        nuke.addKnobChanged(lambda: seen.append([nuke.thisKnob().name(), nuke.thisNode().name()]), nodeClass="Group")
        group = group_with_everything()
        del seen[:]
        group.selectOnly()
        nuke.nodeCopy("%clipboard%")
        nuke.toNode("Read1").selectOnly()
        del seen[:]
        copy = nuke.nodePaste("%clipboard%")
        found = [copy.name(), copy.input(0).name(), copy["uuid"].value(), copy["status"].value(), copy.isSelected()]
        inner = [node.name() for node in copy.nodes()] == [node.name() for node in group.nodes()]
        steps = nuke.fake.undo_steps[-1][0]
        nuke.fake.undo()
        refused(copy.name, ValueError)
        return [found, inner, steps, [event for event in seen if event[0] != "selected"]]

    found, inner, step, seen = host(scenario)
    assert found == ["VoidRemove2", "Read1", "12ab", "", True]
    assert inner and step == "paste"
    assert seen == [["onCreate", "VoidRemove2"], ["inputChange", "VoidRemove2"]]


def test_opening_and_clearing_run_their_callbacks(host: Callable[..., Any], tmp_path: Path) -> None:
    def scenario(path):
        import nuke

        seen = []
        nuke.addOnScriptLoad(lambda: seen.append("load"))
        nuke.addOnScriptClose(lambda: seen.append("close"))
        nuke.addOnScriptSave(lambda: seen.append("save"))
        nuke.addOnCreate(lambda: seen.append("create"), nodeClass="Dot")
        refused(nuke.scriptSave, RuntimeError)
        refused(nuke.scriptName, RuntimeError)
        assert nuke.root().name() == "Root"
        nuke.nodes.Dot()
        nuke.scriptSaveAs(path)
        refused(lambda: nuke.scriptSaveAs(path, overwrite=False), RuntimeError, "exists")
        assert nuke.scriptName() == nuke.root().name() == path
        nuke.scriptClear()
        assert nuke.allNodes() == []
        nuke.scriptOpen(path)
        nuke.scriptSource(path)
        nuke.addOnScriptLoad(lambda: 1 / 0)
        nuke.scriptOpen(path)
        assert "ZeroDivisionError" in nuke.fake.tracebacks.pop()
        return seen

    assert host(scenario, str(tmp_path / "a.nk")) == (
        ["create", "save", "close", "close", "create", "load", "create", "close", "create", "load"]
    )


def test_text_that_cannot_be_read_is_an_error(host: Callable[..., Any]) -> None:
    def scenario():
        import nuke

        for text, words in (
            ("Blur {\n size 3\n", "close-brace"),
            ("Blurr {\n name a\n}\n", "Unknown command"),
            ("Blur {\n sizes 3\n}\n", "no knob 'sizes'"),
            ("Blur {\n inputs 0\n size\n}\n", "without a value"),
            ("Group {\n inputs 0\n}\n", "no end_group"),
            ("end_group\n", "without a group"),
            ("push $a\n", "can't read"),
            ("exec touch /tmp/x\n", "Unknown command"),
            ("Blur {\n inputs 0\n addUserKnob {99 a}\n}\n", "the number 99"),
            ("Read {\n inputs 0\n on_error nope\n}\n", "no entry of on_error"),
        ):
            refused(lambda text=text: nuke.scriptReadText(text), Exception, words)
        assert nuke.fake.trace()["context"] == ["root"]
        node = nuke.createNode("Blur", "size 5 label {a b}", False)
        return [node["size"].value(), node["label"].value()]

    assert host(scenario) == [5.0, "a b"]
