"""Writes nodes as Nuke's script text: what is not default, user knobs with their definitions, stack commands.

The form is that of public .nk files: `addUserKnob` lines stand before the knob's value, a knob flagged DO_NOT_WRITE
has no value, `set`/`push` name and fetch nodes, a group's nodes stand between it and `end_group`.
"""

from . import tcl
from .constants import FLAGS, KNOB_TYPES
from .groupnode import Group
from .table import entry
from .textknobs import Link_Knob, Obsolete_Knob, PyScript_Knob, Tab_Knob, Text_Knob

_WRITTEN_FLAGS = ("INVISIBLE", "DISABLED", "DO_NOT_WRITE", "READ_ONLY", "NO_ANIMATION")


def definition(knob):
    """The words of a user knob's `addUserKnob` line."""
    kind = type(knob).__name__
    number = 20 if isinstance(knob, Tab_Knob) else KNOB_TYPES[kind]
    words = [str(number), tcl.word(knob._name)]
    if knob._label != knob._name:
        words += ["l", tcl.word(knob._label)]
    if knob._tooltip:
        words += ["t", tcl.word(knob._tooltip)]
    if knob._has("STARTLINE") != knob._starts_line:
        words.append("-STARTLINE" if knob._starts_line else "+STARTLINE")
    words += ["+" + name for name in _WRITTEN_FLAGS if knob._flags & FLAGS[name]]
    if isinstance(knob, Tab_Knob) and knob._type:
        words += ["n", str(knob._type)]
    if isinstance(knob, (PyScript_Knob, Text_Knob, Link_Knob)) and knob._value and not knob._has("DO_NOT_WRITE"):
        words += ["T", tcl.word(knob._value)]
    if kind == "Enumeration_Knob":
        words += ["M", "{{{}}}".format(" ".join(tcl.word(item) for item in knob._entries))]
    if getattr(knob, "_range", (0.0, 1.0)) != (0.0, 1.0):
        words += ["R"] + ["{:g}".format(end) for end in knob._range]
    return "addUserKnob {{{}}}".format(" ".join(words))


def knob_lines(node):
    """What a node's braces hold, but for its inputs."""
    lines = []
    for knob in node._knobs.values():
        if knob._user:
            lines.append(definition(knob))
        if isinstance(knob, (Obsolete_Knob, Tab_Knob)) or knob._has("DO_NOT_WRITE"):
            continue
        if knob._user and isinstance(knob, (PyScript_Knob, Text_Knob, Link_Knob)):
            continue
        if knob._user:
            standard = knob._value == knob._zero and not knob._expressions
        else:
            standard = knob._is_default()
        if not standard or (knob._name in ("name", "xpos", "ypos") and node._parent is not None):
            lines.append("{} {}".format(tcl.word(knob._name), knob._word()))
    return lines


def _inputs_line(node, count):
    labels = entry(node._class).get("labels", [])
    mask = labels.index("mask") if "mask" in labels else -1
    if mask >= 0 and count == mask + 1:
        return ["inputs {}+1".format(mask)]
    return [] if count == 1 else ["inputs {}".format(count)]


def _block(name, lines, indent):
    inner = "".join("{} {}\n".format(indent, line) for line in lines)
    return "{0}{1} {{\n{2}{0}}}\n".format(indent, name, inner)


def _ordered(nodes):
    """Nodes with what feeds them first, else as they were made."""
    ordered, seen = [], set()

    def visit(node):
        if id(node) in seen or node not in nodes:
            return
        seen.add(id(node))
        for one in node._connected():
            if one is not None:
                visit(one)
        ordered.append(node)

    for node in nodes:
        visit(node)
    return ordered


class Writer(object):
    """Writes the nodes of one text; names for `set` count up through all of its groups."""

    def __init__(self, copying=False):
        self._count = 0
        self._copying = copying

    def nodes(self, nodes, indent=""):
        """The text of some nodes of one group."""
        ordered, text = _ordered(nodes), []
        follows = {}
        for index, node in enumerate(ordered):
            inputs = node._connected()
            follows[node] = index > 0 and len(inputs) == 1 and inputs[0] is ordered[index - 1]
        fetched = {one for node in ordered if not follows[node] for one in node._connected()}
        names, outside = {}, "$cut_paste_input" if self._copying and not indent else "0"
        for node in ordered:
            inputs = node._connected()
            pushes = []
            if not follows[node]:
                for one in inputs:
                    if one in names:
                        pushes.append("${}".format(names[one]))
                    else:
                        pushes.append(outside if one is not None else "0")
                        outside = outside if one is None else "0"
            text += ["{}push {}\n".format(indent, name) for name in reversed(pushes)]
            text.append(self.node(node, indent, len(inputs)))
            if node in fetched:
                self._count += 1
                names[node] = "N{:x}".format(0x1000 + self._count)
                text.append("{}set {} [stack 0]\n".format(indent, names[node]))
        return "".join(text)

    def node(self, node, indent, inputs):
        """The text of one node, with those in it."""
        text = _block(node._class, _inputs_line(node, inputs) + knob_lines(node), indent)
        if isinstance(node, Group):
            text += self.nodes(node._children, indent + " ") + indent + "end_group\n"
        return text


def head(graph):
    """The first lines of a script."""
    major, _, release = graph.version.partition("v")
    return "#! {} -nx\nversion {} v{}\n".format(graph.program, major, release)


def script(graph):
    """The text of the whole script."""
    lines = ["inputs 0"] + knob_lines(graph.root)
    if graph.views != ["main"]:
        lines.append("views {}".format(tcl.word("\n".join("{} #ffffff".format(name) for name in graph.views))))
    return head(graph) + _block("Root", lines, "") + Writer().nodes(graph.root._children)


def copied(graph, nodes):
    """The text that copying some nodes of one group puts on the clipboard."""
    version = head(graph).splitlines()[1]
    return "set cut_paste_input [stack 0]\n{}\n{}".format(version, Writer(copying=True).nodes(nodes))
