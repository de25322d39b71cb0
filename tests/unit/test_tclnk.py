"""The judge of Nuke's script text: what it takes, and that it finds each fault."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

tclnk = pytest.importorskip("tclnk")
if not tclnk.available():
    pytest.skip("this Python was built without Tcl", allow_module_level=True)

GOOD = r"""#! /usr/local/Nuke16.0v4/Nuke16.0 -nx
version 16.0 v4
Root {
 inputs 0
 name /show/sh010.nk
 first_frame 1001
 addUserKnob {20 User}
 addUserKnob {1 shot l Shot}
 shot sh010
}
Read {
 inputs 0
 file /show/plate.%04d.exr
 raw true
 name Plate
}
set N1 [stack 0]
push 0
push $N1
Group {
 inputs 2
 name VoidRemove1
 knobChanged "if nuke.thisKnob().name() == 'output':\n    pass"
 addUserKnob {20 void l VOID}
 addUserKnob {20 more l More n 1}
 addUserKnob {22 remove l Remove t "Removes \"it\" \[now]" -STARTLINE T "try:\n    import a\nexcept Error:\n    \{\}"}
 addUserKnob {20 more_end n -1}
 addUserKnob {4 output l Output M {comp "clean plate"}}
 output "clean plate"
 addUserKnob {7 mix R 0 2}
 mix 0.5
 addUserKnob {41 missing T Result.on_error}
 addUserKnob {1 status +DO_NOT_WRITE}
}
 Input {
  inputs 0
  name plate
 }
 set N2 [stack 0]
 Input {
  inputs 0
  name matte
  number 1
 }
 Read {
  inputs 0
  file "\[value parent.status]"
  name Result
 }
 push $N2
 Merge2 {
  inputs 2
  mix {{parent.mix}}
  name Merge1
 }
 Output {
  name Output1
 }
end_group
Write {
 file /show/out.%04d.exr
 file_type exr
 datatype "32 bit float"
 name Write1
}
"""


def test_a_good_script_has_nothing_wrong_and_is_read_as_it_stands() -> None:
    assert tclnk.check_nk(GOOD, [sys.executable]) == []
    root = tclnk.read_nk(GOOD)
    assert root.values["first_frame"] == "1001"
    assert [node.name for node in root.children] == ["Plate", "VoidRemove1", "Write1"]
    group = root.named("VoidRemove1")
    assert group.inputs == [root.named("Plate"), None]
    assert [node.name for node in group.named("Merge1").inputs] == ["plate", "Result"]
    assert group.values["output"] == "clean plate"
    assert group.user["remove"].options["t"] == 'Removes "it" [now]'
    assert group.user["remove"].options["T"].endswith("    {}")
    assert group.user["remove"].flags == ["-STARTLINE"]
    assert root.named("Write1").inputs == [group]


@pytest.mark.parametrize(
    ("text", "instead", "words"),
    [
        (" name Plate\n}", " name Plate\n", "missing close-brace"),
        ("push $N1", "push $N7", 'can\'t read "N7"'),
        ("end_group\n", "", "'VoidRemove1' has no end_group"),
        ("version 16.0 v4", "end_group", "end_group without a group"),
        ("raw true", "raw", "a knob without a value"),
        ("raw true", "rawest true", "there is no knob rawest"),
        ("Merge2 {", "Mergeling {", "there is no such class"),
        (" inputs 2\n  mix", " inputs 5\n  mix", "1 of its inputs find nothing on the stack"),
        ("{{parent.mix}}", "{{parent.mixture}}", "asks for parent.mixture"),
        ("[value parent.status]", "[value parent.state]", "asks for parent.state"),
        ("except Error:", "except Error", "VoidRemove1.remove: expected ':'"),
        ("if nuke.thisKnob", "if (nuke.thisKnob", "VoidRemove1.knobChanged"),
        ("import a", "a = (b := 1)", "Assignment expressions are only supported in Python 3.8"),
        ("n -1", "n 1", "a group of knobs has no end"),
        ("more l More n 1", "more l More n -1", "ends before it begins"),
        ("addUserKnob {7 mix", "addUserKnob {77 mix", "no knob has this number"),
        ("R 0 2", "Q 0 2", "'Q' is not known"),
        ("addUserKnob {7 mix", "addUserKnob {7 output", "there are two"),
        ("addUserKnob {1 status", "addUserKnob {1 disable", "has a knob disable by itself"),
        ("Result.on_error", "Result.on_err", "which is not there"),
        ("+DO_NOT_WRITE}", "+DO_NOT_WRITE}\n status busy", "status is not to be written but is"),
        ("  number 1\n", "", "two Inputs have one number"),
        ("  name matte", "  name plate", "two nodes are named plate"),
        (' file_type exr\n datatype "32 bit float"', " datatype x\n file_type exr", "stands before file_type"),
        ("Root {", "exec ls -l\nRoot {", "exec: Unknown command"),
    ],
)
def test_each_fault_in_a_script_is_found(text: str, instead: str, words: str) -> None:
    assert text in GOOD
    problems = tclnk.check_nk(GOOD.replace(text, instead, 1), [sys.executable])
    assert any(words in problem for problem in problems), problems


def test_python_is_also_compiled_by_the_interpreters_that_are_named() -> None:
    broken = GOOD.replace("import a", "import a; return", 1)
    assert tclnk.check_nk(broken) == []
    assert any("'return' outside function" in problem for problem in tclnk.check_nk(broken, [sys.executable]))


def test_pasted_text_may_take_what_is_selected() -> None:
    text = "set cut_paste_input [stack 0]\nversion 16.0 v4\npush $cut_paste_input\nBlur {\n size 3\n name Blur1\n}\n"
    assert tclnk.read_nk(text, pasted_on=True).named("Blur1").inputs[0].name == "(what is selected)"
    assert tclnk.read_nk(text).named("Blur1").inputs == [None]


def test_the_table_names_only_knobs_that_the_scan_of_nuke_has(data: Path) -> None:
    scan = json.loads((data / "nuke" / "knobs_17.0.json").read_text(encoding="utf-8"))["classes"]
    shown = {kind: entry for kind, entry in tclnk.CLASSES.items() if "evidence" not in entry}
    assert len(shown) > 30
    for kind, entry in shown.items():
        names = set(tclnk.known_knobs(kind)) - {name for knobs in entry.get("types", {}).values() for name in knobs}
        assert names <= set(scan[kind]), kind
