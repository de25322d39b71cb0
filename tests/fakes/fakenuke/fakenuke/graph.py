"""The script: its nodes in their groups, the root's state, where calls run, and what a change sets off."""

import contextlib
import re

from . import naming, tcl
from .bench import BENCH
from .callbacks import Callbacks
from .groupnode import BackdropNode, Group, Root, Viewer
from .node import Node
from .table import entry
from .textknobs import String_Knob
from .undo import UndoList
from .values import standard_formats

_HANDLES = {"Group": Group, "Root": Root, "Viewer": Viewer, "BackdropNode": BackdropNode, "Node": Node}
_QUIET = ("selected", "frame")
"""Knobs whose change leaves the script unmodified."""


class Graph(object):
    """One script and the state around it."""

    def __init__(self):
        self.callbacks = Callbacks(self)
        self.undo = UndoList()
        self.facts = self.error_of = self.read_knobs = None  # given by the modules that can do it
        self.buttons_inside = False
        """Whether a button of a group runs inside the group; public sources do not say."""
        self.clear()

    def clear(self):
        """An empty script, unsaved and unmodified."""
        if getattr(self, "root", None) is not None:
            self._bury(self.root)
        self.formats = standard_formats()
        self.views, self.view, self.panels = ["main"], "main", set()
        self.loading = False
        self.root = Root(self, "Root", None)
        self.context = [self.root]
        self.this = []
        self._calling = []
        self.undo.clear()
        self.modified = False

    # -- where calls run

    @property
    def current(self):
        """The group that new nodes go to."""
        return self.context[-1]

    @property
    def frame(self):
        return int(self.root._knobs["frame"]._value[0])

    def leave(self, group):
        """Leaves a group that was begun; a fault when it is not the one begun last."""
        if self.current is not group:
            raise BENCH.fault("{!r} is left, but {!r} was begun last".format(group, self.current))
        if len(self.context) > 1:
            self.context.pop()

    @contextlib.contextmanager
    def this_is(self, node, knob=None, button=False):
        """The node, and maybe the knob, that a callback is about; its group becomes the current one."""
        inside = button and self.buttons_inside and isinstance(node, Group)
        group = node if inside or node._parent is None else node._parent
        context, self.context = self.context, [self.root] + ([group] if group is not self.root else [])
        self.this.append((node, knob))
        try:
            yield
        finally:
            self.this.pop()
            if len(self.context) != (1 if group is self.root else 2):
                BENCH.faults.append("a callback of {!r} left a group open".format(node))
            self.context = context

    # -- nodes

    def create(self, class_name, knobs=None, user=False):
        """A new node of the current group; `user` when a person's action made it."""
        made = _HANDLES[entry(class_name).get("handle", "Node")](self, class_name, self.current)
        made._knobs["name"]._value = self.free_name(re.sub(r"\d+$", "", class_name) + "1", made._parent)
        made._parent._children.append(made)
        self.touch("create {}".format(made._name()), lambda: self._take_away(made))
        try:
            self._fill(made, knobs or {})
        except Exception:
            self.delete(made)
            raise
        if not self.loading:
            self.born(made, user)
        return made

    def _fill(self, node, knobs):
        for name, value in knobs.items():
            if name == "inputs":
                for index, other in enumerate(value):
                    node.setInput(index, other)
            else:
                node[name].setValue(value)

    def born(self, node, user=False):
        """Runs what is to be run for a new node."""
        with self.this_is(node):
            if user:
                self.callbacks.run("onUserCreate", node)
            self.callbacks.run("onCreate", node)

    def delete(self, node):
        """Deletes a node; what hung on it hangs on its first input."""
        node._alive()
        if node is self.root:
            raise ValueError("the root cannot be deleted")
        with self.this_is(node):
            self.callbacks.run("onDestroy", node)
        before = [(other, list(other._inputs)) for other in node._parent._children]
        heir = node._inputs[0] if node._inputs else None
        for other in node._parent._children:
            other._inputs = [heir if one is node else one for one in other._inputs]
        name = node._name()
        self._take_away(node)
        self.touch("delete {}".format(name), lambda: self._bring_back(node, before))

    def _take_away(self, node):
        node._parent._children.remove(node)
        self._bury(node)

    def _bring_back(self, node, siblings):
        node._parent._children[:] = [other for other, _ in siblings]
        for other, inputs in siblings:
            other._inputs = inputs
        self._bury(node, dead=False)

    def _bury(self, node, dead=True):
        for child in getattr(node, "_children", []):
            self._bury(child, dead)
        node._dead = dead
        self.panels.discard(node)

    def feeds(self, node, other):
        """Whether `node` is upstream of `other` or is it, so that a connection would close a circle."""
        todo, seen = [other], set()
        while todo:
            one = todo.pop()
            if one is node:
                return True
            if one is not None and id(one) not in seen:
                seen.add(id(one))
                todo.extend(one._inputs)
        return False

    # -- names

    def free_name(self, name, group, but=None):
        """A name that no other node of a group has."""
        return naming.free(name, {node._name() for node in group._children if node is not but})

    def rename(self, node, name, uncollide=True):
        free = self.free_name(naming.checked(name), node._parent, node)
        if free != name and not uncollide:
            raise ValueError("there is a node named {!r}".format(name))
        node._knobs["name"]._assign(free)

    def below(self, group, path):
        """The node of a dotted path seen from a group, or None."""
        return naming.below(group, path)

    def find(self, path):
        """The node that `nuke.toNode` finds."""
        if path == "root":
            return self.root
        if path.startswith("root."):
            return self.below(self.root, path[5:])
        return self.below(self.current, path) or self.below(self.root, path)

    def find_knob(self, path, node):
        """The knob that a path in an expression or link of a node means; ValueError when there is none."""
        return naming.knob(path, node, self.root)

    def all_nodes(self, group, recurse=False):
        """The nodes of a group, and of the groups in it."""
        found = []
        for node in group._children:
            found.append(node)
            if recurse and isinstance(node, Group):
                found.extend(self.all_nodes(node, True))
        return found

    # -- the root's state

    def set_frame(self, frame):
        self.root._knobs["frame"].setValue(float(frame))

    def set_view(self, name):
        if name not in self.views:
            raise ValueError("there is no view {!r}".format(name))
        self.view = name

    def add_view(self, name):
        if name not in self.views:
            self._take_views(self.views + [name], "add view {}".format(name))

    def delete_view(self, name):
        self._take_views([view for view in self.views if view != name], "delete view {}".format(name))

    def _take_views(self, views, what):
        before, self.views = self.views, views
        if self.view not in views:
            self.view = views[0]
        self.touch(what, lambda: setattr(self, "views", before))

    # -- changes

    def touch(self, what, revert):
        """Something of the script changed: it is modified, and `revert`, where given, undoes it."""
        if not self.loading:
            self.modified = True
            if revert is not None:
                self.undo.note(what, revert)

    def knob_changed(self, knob, revert):
        """A knob of a node changed: names stay unique, file types bring their knobs, callbacks run."""
        node = knob._node
        if knob._name == "name" and node is not self.root:
            knob._value = self.free_name(naming.checked(knob._value), node._parent, node)
        if knob._name == "file_type" and "file_type" in node._knobs:
            node._sync_file_type()
        if knob._name not in _QUIET:
            what = "{}.{}".format(node._full_name(), knob._name)
            self.touch(what, None if knob._has("NO_UNDO") else revert)
        self.run_knob_changed(node, knob)

    def input_changed(self, node):
        """An input of a node changed."""
        self.run_knob_changed(node, _pseudo_knob(node, "inputChange"))

    def run_knob_changed(self, node, knob):
        """Calls `knobChanged`, though not for changes that its own callback makes to the node."""
        if self.loading or node in self._calling:
            return
        self._calling.append(node)
        try:
            with self.this_is(node, knob):
                self.callbacks.run("knobChanged", node)
        finally:
            self._calling.remove(node)

    # -- Tcl

    def substitute(self, text, node, frame):
        """A text with `[value …]`, `[file …]` and `[frame]` in it evaluated for a node."""

        def value(path, *default):
            try:
                knob = self.find_knob(path, node)
            except ValueError:
                if not default:
                    raise
                return default[0]
            if hasattr(knob, "_evaluated"):
                return knob._evaluated(frame)
            shown = knob._plain() if not knob._expressions else "{:g}".format(knob._number(0, frame))
            return shown

        commands = {"value": value, "knob": value, "file": tcl.file_command, "frame": lambda: str(frame)}
        return tcl.Commands(commands).substitute(text)


def _pseudo_knob(node, name):
    knob = String_Knob(name)
    knob._node = node
    return knob
