"""`nuke.execute` and `nuke.executeMultiple`: frame by frame, on the main thread, with callbacks, errors and cancel.

A cancelled render raises RuntimeError("Cancelled"): nukescripts.renderpanel, published with the guide, compares the
first nine letters. The words for a frame that cannot be read are those in public render logs; those for one that
cannot be written are our own.
"""

import hashlib

from . import facts
from .bench import BENCH, NotModelled
from .groupnode import Group
from .knobvalues import Values
from .node import Node
from .plan import Plan
from .renderclient import Renderer
from .strict import function
from .table import entry
from .textknobs import with_frame
from .values import FrameRanges, format_from_text

RGBA = ("rgba.red", "rgba.green", "rgba.blue", "rgba.alpha")
_UNSEEN = ("name", "label", "selected", "xpos", "ypos", "tile_color", "gl_color", "note_font", "note_font_size")


class Renders(object):
    """What was rendered, and what is to go wrong with it."""

    def __init__(self, graph):
        self._graph = graph
        self.renderer = Renderer()
        self._headers = {}
        self.clear()
        graph.facts = lambda node: facts.of(graph, node, self._header)
        graph.error_of = self.error_of
        graph.hash_of = self.hash_of

    def clear(self):
        self.written = []
        """Frames written: (full name of the Write, frame, view, path)."""
        self.cancel_after = None
        self.disk_full_after = None
        self._headers.clear()

    # -- without rendering

    def _header(self, path):
        read = self.renderer.ask({"do": "header", "path": path})
        if read is None:
            return None
        width, height = read["size"]
        return {
            "format": format_from_text("{0} {1} 0 0 {0} {1} {2}".format(width, height, read["pixel_aspect"])),
            "box": tuple(read["box"]),
            "channels": tuple(read["channels"]),
            "metadata": read["metadata"],
        }

    def error_of(self, node):
        """Why a node cannot give a picture at the current frame, or None."""
        graph = self._graph
        try:
            plan = Plan(graph, graph.view)
            plan.of(node, graph.frame)
            for one in plan.operations:
                loud = one["operation_name"] == "read" and one["on_error"] == "error"
                if loud and self.renderer.ask({"do": "header", "path": one["path"]}) is None:
                    return "{}: {}: Read error".format(one["node"], one["path"])
        except RuntimeError as error:
            if isinstance(error, NotModelled):
                raise
            return str(error)
        return None

    def hash_of(self, node):
        """A number that changes with everything upstream that makes a picture."""
        parts, seen = [], set()

        def visit(one):
            if one is None or id(one) in seen:
                return
            seen.add(id(one))
            parts.append(one._class)
            for name, knob in one._knobs.items():
                if name not in _UNSEEN and not knob._user:
                    parts.append("{}={}".format(name, knob._word()))
            for child in getattr(one, "_children", []):
                visit(child)
            for source in one._inputs:
                parts.append("<")
                visit(source)
            if one._class == "Input" and one._parent is not None:
                visit(one._parent)

        visit(node)
        return int(hashlib.sha1("\n".join(parts).encode("utf-8")).hexdigest()[:12], 16)

    def evaluate(self, node, frame, channels, view, path):
        """Puts a node's picture into a .npy file of float32, height x width x channels."""
        plan = Plan(self._graph, view)
        plan.of(node, frame)
        order = {"do": "evaluate", "operations": plan.operations, "channels": list(channels), "path": path}
        self.renderer.ask(order)
        return path

    # -- rendering

    def execute(self, nodes, frames, views, going_on=False):
        graph = self._graph
        if graph.root._knobs["proxy"].value():
            raise BENCH.fault("rendering while the root is in proxy mode: the frames would be small")
        for node in nodes:
            if not entry(node._class).get("execute"):
                raise RuntimeError("{} is not executable".format(node._full_name()))
        nodes = sorted(nodes, key=lambda node: node._knobs["render_order"].value())
        graph.rendering = True
        try:
            for node in nodes:
                self._run("beforeRender", node)
            for frame in frames:
                for node in nodes:
                    try:
                        self._frame(node, frame, views)
                    except RuntimeError as error:
                        if not going_on or str(error) == "Cancelled":
                            raise
            for node in nodes:
                self._run("afterRender", node)
        finally:
            graph.rendering = False

    def _run(self, kind, node):
        with self._graph.this_is(node):
            self._graph.callbacks.run(kind, node, raising=True)

    def _frame(self, node, frame, views):
        knobs = node._knobs
        if knobs["disable"].value():
            return
        if knobs["use_limit"].value() and not knobs["first"].value() <= frame <= knobs["last"].value():
            return
        names = [name for name in knobs["views"]._names(self._graph.views) if views is None or name in views]
        text = knobs["file"]._evaluated(frame)
        if not text:
            raise RuntimeError("{}: no file".format(node._full_name()))
        if len(names) > 1 and "%V" not in text and "%v" not in text:
            raise NotModelled("several views in one file")
        for view in names:
            if self.cancel_after is not None and len(self.written) >= self.cancel_after:
                self.cancel_after = None
                raise RuntimeError("Cancelled")
            self._run("beforeFrameRender", node)
            self._write(node, frame, view, with_frame(text, frame, view))
            self._run("afterFrameRender", node)

    def _write(self, node, frame, view, path):
        knobs = node._knobs
        if knobs["file_type"].value() != "exr":
            raise NotModelled("{} writes {!r}, not exr".format(node._full_name(), knobs["file_type"].value()))
        plan = Plan(self._graph, view)
        plan.plain_colours(node, Values(node, frame))
        plan.of(node, frame)
        full = self.disk_full_after is not None and len(self.written) >= self.disk_full_after
        how = {
            "node": node._full_name(),
            "path": path,
            "channels": knobs["channels"]._value,
            "datatype": knobs["datatype"].value(),
            "compression": knobs["compression"].value(),
            "create_directories": knobs["create_directories"].value(),
            "fail": full,
        }
        self.renderer.ask({"do": "write", "operations": plan.operations, "write": how})
        self.written.append((node._full_name(), frame, view, path))


def _frames(ranges):
    """The frames of a sequence of ranges of three whole numbers each, or of FrameRanges."""
    if isinstance(ranges, FrameRanges):
        return ranges.toFrameList()
    found = []
    for one in ranges:
        if not isinstance(one, (tuple, list)) or len(one) != 3 or not all(type(part) is int for part in one):
            raise TypeError("a range is three whole numbers (first, last, step), not {!r}".format(one))
        found.extend(range(one[0], one[1] + 1, one[2]))
    return found


def define(graph):
    """Makes them part of `nuke`."""
    renders = Renders(graph)

    def known(views):
        unknown = [view for view in views or [] if view not in graph.views]
        if unknown:
            raise RuntimeError("there is no view {!r}".format(unknown[0]))
        return views

    def execute(nameOrNode, start=None, end=None, incr=1, views=None, continueOnError=False):
        node = graph.find(nameOrNode) if isinstance(nameOrNode, str) else nameOrNode
        if not isinstance(node, Node):
            raise TypeError("there is no node {!r}".format(nameOrNode))
        node._alive()
        if isinstance(start, FrameRanges):
            frames = start.toFrameList()
        else:
            first = graph.root.firstFrame() if start is None else start
            frames = range(first, (graph.root.lastFrame() if end is None else end) + 1, incr)
        if isinstance(node, Group):
            raise NotModelled("executing a group")
        renders.execute([node], frames, known(views), continueOnError)

    function(name="execute")(execute)
    function(name="render")(execute)

    @function()
    def executeMultiple(nodes, ranges, views=None, continueOnError=False):
        if not nodes:
            raise BENCH.fault("executeMultiple without nodes executes every Write of the group")
        for node in nodes:
            if not isinstance(node, Node):
                raise TypeError("{!r} is no node".format(node))
            node._alive()
        renders.execute(list(nodes), _frames(ranges), known(views), continueOnError)

    return renders
