"""Nodes: knobs, inputs, names. Where they stand and what changes with them is the graph's."""

from . import table
from .bench import BENCH, NotModelled
from .knob import GONE, Knob
from .nodeview import Place, View
from .strict import handle
from .textknobs import Tab_Knob

EXPRESSIONS, INPUTS, HIDDEN_INPUTS = 1, 2, 4


@handle
class Node(Place, View):
    """A handle of one node; using it once the node is deleted raises ValueError, as in Nuke."""

    def __init__(self, graph, class_name, parent):
        self._graph, self._class, self._parent = graph, class_name, parent
        self._dead = False
        self._inputs = []
        self._knobs = {}
        self._callbacks = {}
        for knob in table.fresh_knobs(class_name):
            self._own(knob)

    # -- for the fake itself

    def _alive(self):
        if self._dead:
            raise ValueError(GONE)

    def _own(self, knob):
        knob._node = self
        self._knobs[knob._name] = knob

    def _take_knobs(self, knobs):
        for knob in self._knobs.values():
            knob._node = None
        self._knobs = knobs
        for knob in knobs.values():
            knob._node = self

    def _rename_knob(self, knob, name):
        if name in self._knobs:
            raise BENCH.fault("{} already has a knob {!r}".format(self._full_name(), name))
        self._knobs = {name if key == knob._name else key: value for key, value in self._knobs.items()}

    def _name(self):
        return self._knobs["name"]._value

    def _full_name(self):
        names, node = [], self
        while node is not None and node._parent is not None:
            names.append(node._name())
            node = node._parent
        return ".".join(reversed(names)) or "root"

    def _take_inputs(self, inputs):
        self._inputs = inputs

    def _bounds(self):
        low, high = table.entry(self._class)["inputs"]
        return low, high

    def _connected(self):
        """The inputs up to the last one connected."""
        count = len(self._inputs)
        while count and self._inputs[count - 1] is None:
            count -= 1
        return self._inputs[:count]

    def _sync_file_type(self):
        """A change of `file_type` brings the knobs of that type, and takes those of another away."""
        wanted = table.file_type_knobs(self._class, self._knobs["file_type"].value())
        for types in table.entry(self._class).get("types", {}).values():
            for name in types:
                if name in self._knobs and name not in [knob._name for knob in wanted]:
                    self._knobs.pop(name)._dead = True
        for knob in wanted:
            if knob._name not in self._knobs:
                self._own(knob)

    # -- names and classes

    def Class(self):
        self._alive()
        return self._class

    def name(self):
        self._alive()
        return self._name()

    def fullName(self):
        self._alive()
        return self._full_name()

    def setName(self, name, uncollide=True, updateExpressions=False):
        self._alive()
        self._graph.rename(self, name, uncollide)

    def parent(self):
        self._alive()
        return self._parent

    def help(self):
        self._alive()
        return self._knobs["help"]._value

    # -- knobs

    def __getitem__(self, name):
        self._alive()
        if name not in self._knobs:
            raise NameError("knob {} does not exist".format(name))
        return self._knobs[name]

    def knob(self, p, follow_link=False):
        self._alive()
        if isinstance(p, int):
            return list(self._knobs.values())[p]
        return self._knobs.get(p)

    def knobs(self):
        self._alive()
        return dict(self._knobs)

    def allKnobs(self):
        self._alive()
        return list(self._knobs.values())

    def numKnobs(self):
        self._alive()
        return len(self._knobs)

    def addKnob(self, knob):
        self._alive()
        if not isinstance(knob, Knob):
            raise TypeError("addKnob() takes a knob, not {!r}".format(knob))
        if knob._node is not None:
            raise BENCH.fault("the knob {!r} already belongs to a node".format(knob._name))
        if not knob._name:
            # Nuke takes nameless dividers; nobody could find or remove them again.
            raise BENCH.fault("give the knob a name")
        if knob._name in self._knobs:
            # Nuke drops the second one without a word.
            raise BENCH.fault("{} already has a knob {!r}".format(self._full_name(), knob._name))
        before = dict(self._knobs)
        if not isinstance(knob, Tab_Knob) and not any(isinstance(k, Tab_Knob) for k in self._knobs.values()):
            self._own(Tab_Knob("User", "User"))
        knob._user = True
        self._own(knob)
        self._graph.touch("add {}".format(knob._name), lambda: self._take_knobs(before))

    def removeKnob(self, knob):
        self._alive()
        if knob._node is not self or not knob._user:
            raise ValueError("{!r} is no user knob of {}".format(knob._name, self._full_name()))
        before = dict(self._knobs)
        del self._knobs[knob._name]
        knob._node = None
        self._graph.touch("remove {}".format(knob._name), lambda: self._take_knobs(before))

    def resetKnobsToDefault(self):
        self._alive()
        for knob in self._knobs.values():
            if not knob._user and knob._name not in ("name", "xpos", "ypos", "selected"):
                knob._assign(knob._copy(knob._default))

    def writeKnobs(self, flags=0):
        raise NotModelled("nuke.Node.writeKnobs: use toScript of each knob, or nodeCopy")

    def readKnobs(self, s):
        self._alive()
        self._graph.read_knobs(self, s)

    # -- inputs

    def inputs(self):
        self._alive()
        return len(self._connected())

    def maxInputs(self):
        self._alive()
        return self._bounds()[1]

    def maximumInputs(self):
        return self.maxInputs()

    def minInputs(self):
        self._alive()
        return self._bounds()[0]

    def minimumInputs(self):
        return self.minInputs()

    def optionalInput(self):
        self._alive()
        labels = table.entry(self._class).get("labels", [])
        return labels.index("mask") if "mask" in labels else self._bounds()[0]

    def input(self, index):
        self._alive()
        return self._inputs[index] if 0 <= index < len(self._inputs) else None

    def canSetInput(self, i, node):
        self._alive()
        return 0 <= i < self._bounds()[1] and not self._graph.feeds(self, node)

    def setInput(self, i, node):
        self._alive()
        if not 0 <= i < self._bounds()[1]:
            raise BENCH.fault("{} has {} inputs, so none numbered {}".format(self._full_name(), self._bounds()[1], i))
        if node is not None:
            node._alive()
            if node._parent is not self._parent:
                raise BENCH.fault("{} and {} are not in one group".format(self._full_name(), node._full_name()))
            if self._graph.feeds(self, node):
                return False
        before = list(self._inputs)
        self._inputs.extend([None] * (i + 1 - len(self._inputs)))
        if self._inputs[i] is not node:
            self._inputs[i] = node
            self._graph.touch("connect {}".format(self._name()), lambda: self._take_inputs(before))
            self._graph.input_changed(self)
        return True

    def connectInput(self, i, node):
        self._alive()
        if node is not None:
            while self.input(i) is not None and i + 1 < self._bounds()[1]:
                i += 1
        return self.setInput(i, node)

    def dependencies(self, what=EXPRESSIONS | INPUTS | HIDDEN_INPUTS):
        self._alive()
        found = [node for node in self._inputs if node is not None] if what & INPUTS else []
        return list(dict.fromkeys(found))

    def dependent(self, what=EXPRESSIONS | INPUTS | HIDDEN_INPUTS, forceEvaluate=True):
        self._alive()
        siblings = self._parent._children if self._parent is not None else []
        return [node for node in siblings if what & INPUTS and any(one is self for one in node._inputs)]

    def __eq__(self, other):
        return self is other

    def __ne__(self, other):
        return self is not other

    def __hash__(self):
        return id(self)

    def __repr__(self):
        return "<{} {}>".format(type(self).__name__, "deleted" if self._dead else self._full_name())
