"""Nuke's script text, judged by a real Tcl interpreter: what any .nk that we write is held against.

A .nk is a Tcl program. A safe interpreter runs it with every command taken away but `set`; what it calls is recorded.
Independent of the fake Nuke, but for its tables of node classes, knobs and knob numbers.

    assert check_nk(path.read_text()) == []
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes.fakenuke.fakenuke.constants import KNOB_TYPES

TABLE = json.loads((Path(__file__).parent / "fakes" / "fakenuke" / "knobs.json").read_text(encoding="utf-8"))
CLASSES = TABLE["classes"]
USER_KNOBS = {number: name for name, number in KNOB_TYPES.items()}
_OPTIONS = ("l", "t", "T", "M", "n")


class NkError(ValueError):
    """The text is no script that Nuke could run."""


@dataclass
class UserKnob:
    """One `addUserKnob` line."""

    kind: str
    name: str
    options: dict[str, str] = field(default_factory=dict)
    """`l` label, `t` tooltip, `T` text or command, `M` entries, `R` range, `n` which kind of tab."""
    flags: list[str] = field(default_factory=list)
    """With their sign: `+INVISIBLE`, `-STARTLINE`."""


@dataclass
class NkNode:
    """One node of a script."""

    kind: str
    values: dict[str, str]
    """Knob values as Nuke would get them, unquoted once."""
    user: dict[str, UserKnob]
    inputs: list[NkNode | None] = field(default_factory=list)
    children: list[NkNode] = field(default_factory=list)
    parent: NkNode | None = None
    starved: int = 0
    """How many inputs found the stack empty."""

    @property
    def name(self) -> str:
        return self.values.get("name", "")

    def below(self) -> Iterator[NkNode]:
        """Every node inside, at any depth."""
        for child in self.children:
            yield child
            yield from child.below()

    def named(self, name: str) -> NkNode:
        """The node inside of this name; KeyError when there is none."""
        for child in self.children:
            if child.name == name:
                return child
        raise KeyError(name)


def available() -> bool:
    """Whether this Python was built with Tcl."""
    return importlib.util.find_spec("_tkinter") is not None


def read_nk(text: str, pasted_on: bool = False) -> NkNode:
    """The script as a node of the class Root with its nodes inside. `pasted_on`: something is selected to paste on."""
    import tkinter

    reader = _Reader(tkinter.Tcl(), pasted_on)
    try:
        reader.tcl.call("set", "text", text)
        reader.tcl.eval("interp eval inner $text")
    except tkinter.TclError as error:
        # What a command raised reaches this place as text only, so it is kept.
        raise reader.problem or NkError(str(error)) from None
    if len(reader.groups) > 1:
        raise NkError(f"the group {reader.groups[-1][0].name!r} has no end_group")
    return reader.root


class _Reader:
    """Receives the commands of one script."""

    def __init__(self, tcl: Any, pasted_on: bool) -> None:
        self.tcl = tcl
        self.root = NkNode("Root", {}, {})
        selected: list[NkNode | None] = [NkNode("", {"name": "(what is selected)"}, {})]
        self.groups = [(self.root, selected if pasted_on else [])]
        self.tokens: dict[str, NkNode | None] = {"0": None}
        self.problem: NkError | None = None
        tcl.eval("interp create -safe inner")
        for name in tcl.splitlist(tcl.eval("inner eval {info commands}")):
            if name not in ("set", "unknown"):
                tcl.eval(f"interp hide inner {name}")
        commands = {"unknown": self.command, "push": self.push, "stack": self.stack, "end_group": self.end_group}
        for name, function in commands.items():
            tcl.createcommand(f"outer_{name}", function)
            tcl.eval(f"interp alias inner {name} {{}} outer_{name}")

    def failure(self, text: str) -> NkError:
        self.problem = NkError(text)
        return self.problem

    def push(self, token: str) -> str:
        if token not in self.tokens:
            raise self.failure(f"push {token}: there is no such node")
        self.groups[-1][1].append(self.tokens[token])
        return token

    def stack(self, depth: str) -> str:
        waiting = self.groups[-1][1]
        if int(depth) >= len(waiting):
            return "0"
        node = waiting[-1 - int(depth)]
        token = "0" if node is None else f"node{id(node)}"
        self.tokens[token] = node
        return token

    def end_group(self) -> str:
        if len(self.groups) == 1:
            raise self.failure("end_group without a group")
        self.groups.pop()
        return ""

    def command(self, kind: str, *arguments: str) -> str:
        if kind in ("version", "define_window_layout_xml"):
            return ""
        if len(arguments) != 1:
            raise self.failure(f"{kind}: Unknown command")
        words = self.tcl.splitlist(arguments[0])
        if len(words) % 2:
            raise self.failure(f"{kind} holds a knob without a value: {words[-1]}")
        values: dict[str, str] = {}
        user: dict[str, UserKnob] = {}
        for name, value in zip(words[::2], words[1::2], strict=True):
            if name == "addUserKnob":
                knob = self.user_knob(value)
                if knob.name in user:
                    raise self.failure(f"addUserKnob {knob.name}: there are two")
                user[knob.name] = knob
            else:
                values[name] = value
        if kind == "Root":
            values.pop("inputs", None)
            self.root.values, self.root.user = values, user
            return ""
        inside, waiting = self.groups[-1]
        node = NkNode(kind, values, user, parent=inside)
        for _ in range(sum(int(part) for part in values.pop("inputs", "1").split("+"))):
            node.starved += not waiting
            node.inputs.append(waiting.pop() if waiting else None)
        inside.children.append(node)
        waiting.append(node)
        if kind == "Group":
            self.groups.append((node, []))
        return ""

    def user_knob(self, text: str) -> UserKnob:
        words = list(self.tcl.splitlist(text))
        if len(words) < 2 or not words[0].isdigit() or int(words[0]) not in USER_KNOBS:
            raise self.failure(f"addUserKnob {{{text}}}: no knob has this number")
        knob = UserKnob(USER_KNOBS[int(words[0])], words[1])
        rest = words[2:]
        while rest:
            word = rest.pop(0)
            if re.fullmatch(r"[+-][A-Z_]+", word):
                knob.flags.append(word)
            elif word == "R" and len(rest) > 1:
                knob.options["R"] = f"{rest.pop(0)} {rest.pop(0)}"
            elif word in _OPTIONS and rest:
                knob.options[word] = rest.pop(0)
            else:
                raise self.failure(f"addUserKnob {{{text}}}: {word!r} is not known")
        return knob


def check_nk(text: str, pythons: Sequence[str] = (), pasted_on: bool = False) -> list[str]:
    """What is wrong with a script, a sentence each. `pythons`: interpreters that must compile its Python too."""
    try:
        root = read_nk(text, pasted_on)
    except NkError as error:
        return [str(error)]
    problems, code = [], {}
    for node in [root, *root.below()]:
        problems += _wrong_with(node)
        code.update(_python_of(node))
    for where, source in code.items():
        try:
            ast.parse(source, feature_version=(3, 7))
        except SyntaxError as error:
            problems.append(f"{where}: {error.msg}, line {error.lineno}")
    for python in pythons:
        problems += _compiled(python, code)
    return problems


def known_knobs(kind: str) -> dict[str, str]:
    """The knobs that a class has by itself, also those of a file type, each with its class; KeyError for no class."""
    entry, found = CLASSES[kind], {}
    parts = [TABLE["groups"][group] for group in entry["groups"]] + [entry["knobs"], *entry.get("types", {}).values()]
    for part in parts:
        found.update({name: what if isinstance(what, str) else what[0] for name, what in part.items()})
    return found


def _wrong_with(node: NkNode) -> Iterator[str]:
    where = f"{node.kind} {node.name}"
    if node.kind not in CLASSES:
        yield f"{where}: there is no such class"
        return
    known = known_knobs(node.kind)
    for name in node.values:
        if name not in known and name not in node.user:
            yield f"{where}: there is no knob {name}"
    for name, knob in node.user.items():
        if name in known:
            yield f"{where}: the class has a knob {name} by itself"
        if "+DO_NOT_WRITE" in knob.flags and name in node.values:
            yield f"{where}: {name} is not to be written but is"
    if node.starved:
        yield f"{where}: {node.starved} of its inputs find nothing on the stack"
    order = list(node.values)
    for file_type, knobs in CLASSES[node.kind].get("types", {}).items():
        late = [name for name in order if name in knobs]
        if late and ("file_type" not in order or order.index("file_type") > order.index(late[0])):
            yield f"{where}: {late[0]} stands before file_type {file_type}"
    depth = 0
    for knob in node.user.values():
        number = int(knob.options.get("n", "0"))
        depth += -1 if number < 0 else 1 if number else 0
        if depth < 0:
            yield f"{where}: the group of knobs {knob.name} ends before it begins"
    if depth > 0:
        yield f"{where}: a group of knobs has no end"
    yield from _wrong_names(node, where, known)


def _wrong_names(node: NkNode, where: str, known: dict[str, str]) -> Iterator[str]:
    names = [child.name for child in node.children]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{where}: two nodes are named {name}"
    numbers = [child.values.get("number", "0") for child in node.children if child.kind == "Input"]
    if len(set(numbers)) < len(numbers):
        yield f"{where}: two Inputs have one number"
    inner = {child.name: {**known_knobs(child.kind), **child.user} for child in node.children if child.kind in CLASSES}
    for knob in node.user.values():
        if knob.kind == "Link_Knob":
            target, _, linked = knob.options.get("T", "").rpartition(".")
            found = inner.get(target) if target else {**known, **node.user}
            if found is None or linked not in found:
                yield f"{where}: {knob.name} links to {knob.options.get('T', '')!r}, which is not there"
    if node.parent is None:
        return
    outer = {**known_knobs(node.parent.kind), **node.parent.user}
    for name, value in node.values.items():
        for wanted in re.findall(r"(?<![\w.])parent\.([A-Za-z_]\w*)(?![\w.])", value):
            if known.get(name) != "PythonKnob" and wanted not in outer:
                yield f"{where}: {name} asks for parent.{wanted}, which is not there"


def _python_of(node: NkNode) -> Iterator[tuple[str, str]]:
    """The Python texts of a node: where they stand and what they are."""
    if node.kind not in CLASSES:
        return
    known = known_knobs(node.kind)
    for name, value in node.values.items():
        if known.get(name) == "PythonKnob" and value:
            yield f"{node.name}.{name}", value
    for knob in node.user.values():
        if knob.kind == "PyScript_Knob" and "T" in knob.options:
            yield f"{node.name}.{knob.name}", knob.options["T"]


def _compiled(python: str, code: dict[str, str]) -> list[str]:
    script = """
import json, sys
for where, source in json.load(sys.stdin).items():
    try:
        compile(source, where, "exec")
    except SyntaxError as error:
        print(where + ": " + str(error))
"""
    told = subprocess.run([python, "-S", "-c", script], input=json.dumps(code), capture_output=True, text=True)
    return (told.stdout + told.stderr).splitlines()
