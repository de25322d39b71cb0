"""Names of nodes, and what dotted paths of names mean."""

import re

_NAME = re.compile(r"^[A-Za-z_]\w*$")


def checked(name):
    """A name that a node may have; ValueError otherwise."""
    if not _NAME.match(name):
        raise ValueError("{!r} is no name for a node".format(name))
    return name


def free(name, taken):
    """The name, the number at its end grown until it is not taken."""
    if name not in taken:
        return name
    stem, number = re.match(r"^(.*?)(\d*)$", name).groups()
    number = int(number or "0")
    while "{}{}".format(stem, number) in taken or not number:
        number += 1
    return "{}{}".format(stem, number)


def below(group, path):
    """The node of a dotted path seen from a group, or None."""
    node = group
    for part in path.split("."):
        found = [child for child in getattr(node, "_children", []) if child._name() == part]
        if not found:
            return None
        node = found[0]
    return node


def knob(path, node, root):
    """The knob that a path means to a node: its own, or of `parent`, `root`, an input, a neighbour, a node inside."""
    steps = path.split(".")
    while len(steps) > 1:
        step = steps.pop(0)
        if step == "parent":
            node = node._parent
        elif step == "root":
            node = root
        elif re.match(r"^input\d*$", step):
            node = node.input(int(step[5:] or "0"))
        elif step != "this":
            inner = below(node, step)
            node = inner or (below(node._parent, step) if node._parent is not None else None)
        if node is None:
            raise ValueError("there is no {!r} in {!r}".format(step, path))
    if steps[0] not in node._knobs:
        raise ValueError("{} has no knob {!r}".format(node._full_name(), steps[0]))
    return node._knobs[steps[0]]
