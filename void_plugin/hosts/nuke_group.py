"""The VoidRemove node: a Group made through Nuke's own API, whose script needs nothing of ours to open and render.

    plate ──┬──────────────────────────────────────────────── B ┐
            │    result ── times mix ──────────────────────── A ┴ over (rgb) ── comp
            ├── over with the result as it is ── clean plate     comp − plate ── difference
            └── source                matte, or the overlay where there is one ── mask
    Switch(output) over comp, patch, clean plate, difference, mask, source

`over` leaves the plate as it is, bit for bit, wherever patch and alpha are 0, and with `output` rgb also its alpha and
all other channels. Without a result the switch is on source.
"""

from typing import Any, Dict, Optional

from void_plugin.errors import HostError
from void_plugin.hosts import nuke_api as api
from void_plugin.hosts import nuke_trace as trace
from void_plugin.hosts.nuke_knobs import (
    BUTTON,
    DISABLED,
    HIDDEN,
    INPUTS,
    KNOBS,
    NODE_VERSION,
    VOLATILE,
    Knob,
)

RESULT, PREVIEW = "VoidResult", "VoidPreview"
"""The inner Reads: of the patch, and of the overlay that shows the mask."""
SHOWN = "parent.void_has_result || parent.output == 4 ? parent.output : 5"
"""Which input the inner Switch takes: the mask at any time, all else but the source only with a result."""

_PLACES = {
    "plate": (0, 0),
    "matte": (3, 0),
    "affected": (4, 0),
    "holdout": (5, 0),
    RESULT: (-2, 1),
    PREVIEW: (4, 1),
    "VoidMix": (-2, 2),
    "VoidComp": (-1, 3),
    "VoidCleanPlate": (1, 3),
    "VoidDifference": (0, 4),
    "VoidMask": (3, 4),
    "VoidOutput": (0, 6),
    "Output1": (0, 7),
}
"""Columns and rows of the inner nodes."""

_CLASSES = {
    "string": "String_Knob",
    "text": "Multiline_Eval_String_Knob",
    "file": "File_Knob",
    "int": "Int_Knob",
    "float": "Double_Knob",
    "enum": "Enumeration_Knob",
    "bool": "Boolean_Knob",
    "channel": "Channel_Knob",
    "button": "PyScript_Knob",
    "link": "Link_Knob",
    "note": "Text_Knob",
    "divider": "Text_Knob",
    "tab": "Tab_Knob",
}


def create() -> api.Node:
    """A new VoidRemove below the selected node, as one step of undo."""
    with trace.one_undo("VoidRemove"):
        chosen = api.selected()
        node = api.make_selected("Group")
        node.setName("VoidRemove1")
        add_knobs(node)
        build(node)
        if len(chosen) == 1:
            node.setInput(0, chosen[0])
    return node


def is_ours(node: Optional[api.Node]) -> bool:
    """True for a VoidRemove of any version."""
    return node is not None and node.knob("void_node_version") is not None


def upgrade(node: api.Node) -> str:
    """Bring a node of an older version up to this one, in place; returns a sentence, empty where it is up to date.

    Knobs keep their values and expressions, inputs their connections. Raises HostError for a node of a newer version.
    """
    has = int(api.knob(node, "void_node_version").value())
    if has > NODE_VERSION:
        raise HostError(
            "{} was made by a newer void_plugin (node version {}, this one knows {}); update void_plugin here. What it "
            "shows still renders.".format(node.name(), has, NODE_VERSION)
        )
    if has == NODE_VERSION:
        return ""
    with trace.one_undo("Upgrade VoidRemove"):
        connected = [node.input(index) for index in range(len(INPUTS))]
        shown = {name: _kept(node, name) for name in (RESULT, PREVIEW)}
        add_knobs(node)
        build(node)
        for index, source in enumerate(connected):
            node.setInput(index, source)
        for name, kept in shown.items():
            read = api.inner(node, name).knobs()
            for knob, value in kept.items():
                read[knob].setValue(value)
        api.put(node, "void_node_version", NODE_VERSION)
    return "{} was upgraded from node version {} to {}; knobs that are new stand at the end of its tabs.".format(
        node.name(), has, NODE_VERSION
    )


def _kept(node: api.Node, name: str) -> Dict[str, Any]:
    """What the artist or a version has set on an inner Read."""
    read = api.group_of(node).node(name)
    if read is None:
        return {}
    knobs = read.knobs()
    return {knob: knobs[knob].value() for knob in ("first", "last", "origfirst", "origlast", "on_error")}


# -- knobs -----------------------------------------------------------------------------------------------------


def add_knobs(node: api.Node) -> None:
    """Add the knobs of the table that the node does not have yet, in the table's order."""
    for item in KNOBS:
        if node.knob(item.name) is None:
            node.addKnob(_made(item))
    for item in HIDDEN:
        if node.knob(item.name) is None:
            hidden = _made(item)
            hidden.setFlag(api.flag("INVISIBLE"))
            node.addKnob(hidden)


def _made(item: Knob) -> api.Knob:
    label = item.label or ("" if item.kind in ("divider", "string") else item.name)
    if item.kind == "enum":
        made = api.make_knob(_CLASSES[item.kind], item.name, label, list(item.choices))
    elif item.kind == "button":
        made = api.make_knob(_CLASSES[item.kind], item.name, label, BUTTON.format(action=item.default))
    elif item.kind == "note":
        made = api.make_knob(_CLASSES[item.kind], item.name, label, str(item.default))
    else:
        made = api.make_knob(_CLASSES[item.kind], item.name, label)
    if item.kind == "link":
        made.setLink(item.default)  # type: ignore[attr-defined]
    elif item.kind not in ("tab", "divider", "button", "note") and item.default != "":
        made.setValue(item.default)
    if item.limits != (0.0, 0.0):
        made.setRange(item.limits[0], item.limits[1])  # type: ignore[attr-defined]
    if item.tooltip:
        made.setTooltip(item.tooltip)
    for name in ("DO_NOT_WRITE", "NO_UNDO") if item.name in VOLATILE else ():
        made.setFlag(api.flag(name))
    if item.name == "details":
        made.setFlag(api.flag("READ_ONLY"))  # can be scrolled and copied, unlike a disabled one
    if item.same_line:
        made.clearFlag(api.flag("STARTLINE"))
    elif item.kind != "tab":
        made.setFlag(api.flag("STARTLINE"))
    if item.name in DISABLED:
        made.setEnabled(False)
    return made


# -- the graph inside ------------------------------------------------------------------------------------------


def build(node: api.Node) -> None:
    """Make the graph inside a Group, in place of whatever is there."""
    with trace.inside(node):
        for item in api.group_of(node).nodes():
            api.delete(item)
        inputs = []
        for number, name in enumerate(INPUTS):
            made = api.make("Input", name=name)
            api.put(made, "number", number)
            inputs.append(made)
        plate, matte = inputs[0], inputs[1]
        result = _read(RESULT, "[value parent.void_result]")
        preview = _read(PREVIEW, "[value parent.void_preview]")
        strength = _made_from("Multiply", "VoidMix", result)
        api.put(strength, "channels", "rgba")
        api.knob(strength, "value").setExpression("parent.mix")
        comp = _merge("VoidComp", "over", plate, strength)
        clean = _merge("VoidCleanPlate", "over", plate, result)
        difference = _merge("VoidDifference", "difference", plate, comp)
        mask = _made_from("Switch", "VoidMask", matte, preview)
        api.knob(mask, "which").setExpression("parent.void_has_preview")
        shown = _made_from("Switch", "VoidOutput", comp, result, clean, difference, mask, plate)
        api.knob(shown, "which").setExpression(SHOWN)
        _made_from("Output", "Output1", shown)
        for name, (column, row) in _PLACES.items():
            api.inner(node, name).setXYpos(160 * column, 80 * row)


def _made_from(kind: str, name: str, *inputs: api.Node) -> api.Node:
    made = api.make(kind, name=name)
    for index, source in enumerate(inputs):
        made.setInput(index, source)
    return made


def _merge(name: str, operation: str, below: api.Node, above: api.Node) -> api.Node:
    made = _made_from("Merge2", name, below, above)
    for knob, value in (("operation", operation), ("bbox", "B"), ("output", "rgb")):
        api.put(made, knob, value)
    return made


def _read(name: str, file: str) -> api.Node:
    made = api.make("Read", name=name)
    set_up_read(made)
    api.put(made, "file", file)
    return made


def set_up_read(read: api.Node) -> None:
    """Set a Read to hand out a patch as it lies on disk, and nothing outside its range."""
    for name, value in (
        ("raw", True),
        ("premultiplied", True),
        ("before", "black"),
        ("after", "black"),
        ("on_error", "error"),
        ("origset", True),
        ("localizationPolicy", "off"),
    ):
        knob = read.knob(name)
        if knob is not None:  # a few are younger than the oldest Nuke
            knob.setValue(value)


def set_range(read: api.Node, first: int, last: int) -> None:
    """Set all the frame numbers of a Read, since one without them reads frame 1 only."""
    read.readKnobs("first {0} last {1} origfirst {0} origlast {1}".format(int(first), int(last)))
