"""Two sides of a node that are not its knobs and inputs: where it stands in the graph, and what its picture is."""

from .strict import Handle, part_of
from .values import FrameRange, Info


@part_of("Node")
class Place(Handle):
    """Where a node stands, whether it is selected, whether its panel is open."""

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


@part_of("Node")
class View(Handle):
    """What is known of a node's picture."""

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
