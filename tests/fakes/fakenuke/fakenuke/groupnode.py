"""Nodes that are more than a node: groups, the root, viewers, backdrops."""

from .bench import BENCH
from .node import Node
from .strict import handle


@handle
class Group(Node):
    """A node with nodes inside. Its inputs are the Input nodes in it, by their `number`."""

    def __init__(self, graph, class_name, parent):
        Node.__init__(self, graph, class_name, parent)
        self._children = []

    def _input_nodes(self):
        found = [node for node in self._children if node._class == "Input"]
        numbers = [node._knobs["number"].value() for node in found]
        if len(set(numbers)) != len(numbers):
            raise BENCH.fault("two Inputs of {} have one number: {}".format(self._full_name(), sorted(numbers)))
        return [node for _, node in sorted(zip(numbers, found), key=lambda pair: pair[0])]

    def _bounds(self):
        count = len(self._input_nodes())
        return count, count

    def _output(self):
        outputs = [node for node in self._children if node._class == "Output"]
        return outputs[0] if outputs else None

    def begin(self):
        self._alive()
        self._graph.context.append(self)
        return self

    def end(self):
        self._alive()
        self._graph.leave(self)

    def __enter__(self):
        return self.begin()

    def __exit__(self, type, value, traceback):
        # A group deleted inside its own `with` is left all the same.
        self._graph.leave(self)
        return False

    def node(self, s):
        self._alive()
        return self._graph.below(self, s)

    def nodes(self):
        self._alive()
        return list(self._children)

    def numNodes(self):
        self._alive()
        return len(self._children)

    def output(self):
        self._alive()
        return self._output()

    def selectedNode(self):
        selected = self.selectedNodes()
        return selected[-1] if selected else None

    def selectedNodes(self):
        self._alive()
        return [node for node in self._children if node._knobs["selected"].value()]

    def run(self, callable):
        self._alive()
        self._graph.context.append(self)
        try:
            with BENCH.outside():
                return callable()
        finally:
            self._graph.leave(self)


@handle
class Root(Group):
    """The script itself."""

    def __init__(self, graph, class_name, parent):
        Group.__init__(self, graph, class_name, parent)

    def _bounds(self):
        return 0, 0

    def name(self):
        self._alive()
        # An unsaved script's root is called so, which many public scripts look for.
        return self._knobs["name"]._value or "Root"

    def firstFrame(self):
        self._alive()
        return int(self._knobs["first_frame"].value())

    def lastFrame(self):
        self._alive()
        return int(self._knobs["last_frame"].value())

    def fps(self):
        self._alive()
        return int(self._knobs["fps"].value())

    def realFps(self):
        self._alive()
        return self._knobs["fps"].value()

    def proxy(self):
        self._alive()
        return self._knobs["proxy"].value()

    def setProxy(self, b):
        self._alive()
        self._knobs["proxy"].setValue(b)

    def setFrame(self, n):
        self._alive()
        self._graph.set_frame(n)

    def setView(self, s):
        self._alive()
        self._graph.set_view(s)

    def addView(self, s):
        self._alive()
        self._graph.add_view(s)

    def deleteView(self, s):
        self._alive()
        self._graph.delete_view(s)

    def modified(self):
        self._alive()
        return self._graph.modified

    def setModified(self, modified):
        self._alive()
        self._graph.modified = bool(modified)


@handle
class Viewer(Node):
    """A viewer."""


@handle
class BackdropNode(Node):
    """A coloured area behind nodes."""

    def getNodes(self):
        self._alive()
        left, top = self._knobs["xpos"].value(), self._knobs["ypos"].value()
        right = left + self._knobs["bdwidth"].value()
        bottom = top + self._knobs["bdheight"].value()
        return [
            node
            for node in self._parent._children
            if node is not self and left <= node.xpos() <= right and top <= node.ypos() <= bottom
        ]
