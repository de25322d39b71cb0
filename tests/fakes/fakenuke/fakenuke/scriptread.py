"""Reads Nuke's script text and builds its nodes, by letting a safe Tcl interpreter run it.

Only `set` is Tcl's own there; node classes, `push`, `stack`, `end_group` and the rest arrive here one by one. What
Nuke would complain of and pass over (an unknown knob or class) is a RuntimeError.
"""

from . import tcl
from .constants import FLAGS, KNOB_TYPES
from .groupnode import Group
from .table import KNOB_CLASSES, TABLE
from .textknobs import Link_Knob, PyScript_Knob, Tab_Knob, Text_Knob

_CLASSES = {number: name for name, number in KNOB_TYPES.items()}
_PASSED_OVER = ("version", "define_window_layout_xml", "add_layer", "clone", "ColorTable")


class Reader(object):
    """One text being read into the current group of a graph."""

    def __init__(self, graph, below=None):
        self._graph = graph
        self.made = []
        """Nodes of the group that was current, in order."""
        self.all_made = []
        self._stacks = [[below]]
        self._waiting = []
        self._tokens = {"0": None}

    def read(self, text):
        """Runs the text; RuntimeError names what is wrong with it."""
        commands = {"unknown": self._command, "push": self._push, "stack": self._stack, "end_group": self._end_group}
        try:
            tcl.Commands(commands, hide_all=True).run(text)
        except ValueError as error:
            raise RuntimeError("the script cannot be read: {}".format(error)) from None
        if self._waiting:
            raise RuntimeError("the script cannot be read: a group has no end_group")

    def _token(self, node):
        if node is None:
            return "0"
        token = "node{}".format(id(node))
        self._tokens[token] = node
        return token

    def _push(self, token):
        self._stacks[-1].append(self._tokens[token])
        return token

    def _stack(self, depth):
        stack = self._stacks[-1]
        index = len(stack) - 1 - int(depth)
        return self._token(stack[index] if index >= 0 else None)

    def _end_group(self):
        if not self._waiting:
            raise ValueError("end_group without a group")
        group, inputs = self._waiting.pop()
        self._stacks.pop()
        self._graph.context.pop()
        self._connect(group, inputs)
        return ""

    def _command(self, name, *arguments):
        if name in _PASSED_OVER:
            return ""
        if name not in TABLE["classes"] or len(arguments) != 1:
            raise ValueError("{}: Unknown command".format(name))
        pairs = tcl.split(arguments[0])
        if len(pairs) % 2:
            raise ValueError("{} holds a knob without a value".format(name))
        found = list(zip(pairs[::2], pairs[1::2]))
        if name == "Root":
            fill(self._graph.root, [pair for pair in found if pair[0] != "views"])
            for key, value in found:
                if key == "views":
                    self._graph.views = [line.split()[0] for line in value.splitlines() if line.strip()]
                    self._graph.view = self._graph.views[0]
            return ""
        counts = [value for key, value in found if key == "inputs"]
        count = sum(int(part) for part in counts[0].split("+")) if counts else 1
        stack = self._stacks[-1]
        inputs = [stack.pop() if stack else None for _ in range(count)]
        node = self._graph.create(name)
        (self.all_made if self._waiting else self.made).append(node)
        if not self._waiting:
            self.all_made.append(node)
        fill(node, found)
        stack.append(node)
        if isinstance(node, Group):
            # What its inputs are, only the nodes in it tell.
            self._waiting.append((node, inputs))
            self._stacks.append([])
            self._graph.context.append(node)
        else:
            self._connect(node, inputs)
        return ""

    def _connect(self, node, inputs):
        for index, one in enumerate(inputs):
            if one is not None and index < node._bounds()[1]:
                node.setInput(index, one)


def fill(node, pairs):
    """Gives a node the knobs and values of its braces."""
    for key, value in pairs:
        if key == "inputs":
            continue
        if key == "addUserKnob":
            knob = user_knob(value)
            if knob._name not in node._knobs:
                node._own(knob)
            continue
        if key not in node._knobs:
            raise RuntimeError("{} has no knob {!r}".format(node._full_name(), key))
        node._knobs[key]._read(value)


def user_knob(text):
    """A knob from the words of an `addUserKnob` line."""
    words = tcl.split(text)
    number, name = int(words[0]), words[1]
    label, rest, found = name, words[2:], {}
    flags = {}
    while rest:
        word = rest.pop(0)
        if word[:1] in "+-" and word[1:] in FLAGS:
            flags[word[1:]] = word[0] == "+"
        elif word == "R":
            found["R"] = (float(rest.pop(0)), float(rest.pop(0)))
        elif word in ("l", "t", "T", "M", "n"):
            found[word] = rest.pop(0)
        else:
            raise RuntimeError("addUserKnob {{{}}}: {!r} is not known".format(text, word))
    if number not in _CLASSES:
        raise RuntimeError("addUserKnob {{{}}}: no knob has the number {}".format(text, number))
    cls = KNOB_CLASSES[_CLASSES[number]]
    if cls.__name__ == "Enumeration_Knob":
        knob = cls(name, label, tcl.split(found.get("M", "")))
    elif cls is Tab_Knob:
        knob = cls(name, label, int(found.get("n", "0")))
    else:
        knob = cls(name, label)
    knob._label, knob._tooltip = found.get("l", label), found.get("t", "")
    for flag, on in flags.items():
        knob._flags = knob._flags | FLAGS[flag] if on else knob._flags & ~FLAGS[flag]
    if "R" in found:
        knob._range = found["R"]
    if isinstance(knob, (PyScript_Knob, Text_Knob, Link_Knob)):
        knob._value = found.get("T", "")
    return knob
