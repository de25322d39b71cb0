"""Nodes: knobs, inputs, names. Where they stand and what changes with them is the graph's."""

from . import table
from .bench import BENCH, NotModelled
from .knob import GONE, Knob
from .strict import Handle, handle
from .textknobs import Tab_Knob
from .values import FrameRange, Info

EXPRESSIONS, INPUTS, HIDDEN_INPUTS = 1, 2, 4


@handle
class Node(Handle):
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
        if not isinstance(knob, Tab_Knob) and not any(isinstance(k, Tab_Knob) for k in self._knobs.values()):
            self._own(Tab_Knob("User", "User"))
        knob._user = True
        self._own(knob)
        self._graph.touch("add {}".format(knob._name))

    def removeKnob(self, knob):
        self._alive()
        if knob._node is not self or not knob._user:
            raise ValueError("{!r} is no user knob of {}".format(knob._name, self._full_name()))
        del self._knobs[knob._name]
        knob._node = None
        self._graph.touch("remove {}".format(knob._name))

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
        self._inputs.extend([None] * (i + 1 - len(self._inputs)))
        if self._inputs[i] is not node:
            self._inputs[i] = node
            self._graph.touch("connect {}".format(self._name()))
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

    # -- where it stands

    def isSelected(self):
        self._alive()
        return self._knobs["selected"].value()

    def setSelected(self, selected):
        self._alive()
        self._knobs["selected"].setValue(bool(selected))

    def selectOnly(self):
        self._alive()
        for node in self._parent._children:
            node.setSelected(node is self)

    def xpos(self):
        self._alive()
        return self._knobs["xpos"].value()

    def ypos(self):
        self._alive()
        return self._knobs["ypos"].value()

    def setXYpos(self, x, y):
        self.setXpos(x)
        self.setYpos(y)

    def setXpos(self, x):
        self._alive()
        self._knobs["xpos"].setValue(x)

    def setYpos(self, y):
        self._alive()
        self._knobs["ypos"].setValue(y)

    def screenWidth(self):
        self._alive()
        return 80

    def screenHeight(self):
        self._alive()
        return 18

    def autoplace(self):
        self._alive()

    def showControlPanel(self, forceFloat=False):
        self._alive()
        self._graph.panels.add(self)

    def hideControlPanel(self):
        self._alive()
        self._graph.panels.discard(self)

    def shown(self):
        self._alive()
        return self in self._graph.panels

    def redraw(self):
        self._alive()

    # -- what its picture is

    def _facts(self):
        return self._graph.facts(self)

    def format(self):
        self._alive()
        return self._facts().format

    def width(self):
        return self.format().width()

    def height(self):
        return self.format().height()

    def pixelAspect(self):
        return self.format().pixelAspect()

    def bbox(self):
        self._alive()
        left, bottom, right, top = self._facts().box
        return Info(left, bottom, right - left, top - bottom)

    def channels(self):
        self._alive()
        return list(self._facts().channels)

    def firstFrame(self):
        self._alive()
        return self._facts().first

    def lastFrame(self):
        self._alive()
        return self._facts().last

    def frameRange(self):
        return FrameRange(self.firstFrame(), self.lastFrame(), 1)

    def metadata(self, key=None, time=None, view=None):
        self._alive()
        found = self._facts().metadata
        return dict(found) if key is None else found.get(key)

    def proxy(self):
        self._alive()
        return self._graph.root._knobs["proxy"].value()

    def error(self):
        return self.hasError()

    def hasError(self):
        self._alive()
        return self._graph.error_of(self) is not None

    def treeHasError(self):
        return self.hasError()

    def opHashes(self):
        self._alive()
        return [self._graph.hash_of(self)]

    def __eq__(self, other):
        return self is other

    def __ne__(self, other):
        return self is not other

    def __hash__(self):
        return id(self)

    def __repr__(self):
        return "<{} {}>".format(type(self).__name__, "deleted" if self._dead else self._full_name())
