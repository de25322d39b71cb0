"""The functions of `nuke` about nodes, the script's state and the running program."""

import os
import sys

from . import expressions
from .bench import BENCH
from .strict import Handle, function
from .table import TABLE
from .values import format_from_text

VERSIONS = {
    (3, 7): "13.2v8",
    (3, 8): "13.2v8",
    (3, 9): "14.1v4",
    (3, 10): "15.1v5",
    (3, 11): "16.0v4",
    (3, 12): "16.0v4",
}
"""Which Nuke runs which Python, as public issues of studios tell; newer ones stand for 17.1."""


class NodeConstructors(Handle):
    """`nuke.nodes`: one constructor for every class that the table knows."""

    def __init__(self, graph):
        self._graph = graph

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in TABLE["classes"] or name == "Root":
            raise AttributeError("the table of the fake has no node class {!r}".format(name))

        def construct(**knobs):
            with BENCH.call("nuke.nodes." + name):
                return self._graph.create(name, knobs)

        return construct


def version():
    """The version string that the fake shows."""
    return os.environ.get("FAKE_NUKE_VERSION") or VERSIONS.get(sys.version_info[:2], "17.1v1")


def define(graph):
    """Makes them part of `nuke`."""
    _nodes(graph)
    _context(graph)
    _script(graph)


def _nodes(graph):
    @function()
    def toNode(s):
        return graph.find(s)

    @function()
    def exists(s):
        if graph.find(s) is not None:
            return True
        try:
            graph.find_knob(s, graph.current)
        except ValueError:
            return False
        return True

    @function()
    def allNodes(filter=None, group=None, recurseGroups=False):
        nodes = graph.all_nodes(graph.current if group is None else group, recurseGroups)
        return [node for node in nodes if filter is None or node._class == filter]

    @function()
    def selectedNodes(filter=None):
        nodes = graph.current.selectedNodes()
        return [node for node in nodes if filter is None or node._class == filter]

    @function()
    def selectedNode():
        nodes = graph.current.selectedNodes()
        if not nodes:
            raise ValueError("no node selected")
        return nodes[-1]

    @function()
    def selectAll():
        for node in graph.current._children:
            node.setSelected(True)

    @function()
    def createNode(typ, knobs="", inpanel=True):
        selected = graph.current.selectedNodes()
        made = graph.create(typ)
        if knobs:
            graph.read_knobs(made, knobs)
        for index, node in enumerate(selected[: made._bounds()[1]]):
            made.setInput(index, node)
        for node in selected:
            node.setSelected(False)
        made.setSelected(True)
        if selected:
            made.setXYpos(selected[0].xpos(), selected[0].ypos() + 50)
        if inpanel and graph.gui:
            graph.panels.add(made)
        with graph.this_is(made):
            graph.callbacks.run("onUserCreate", made)
        return made

    @function()
    def delete(n):
        if n is not None:
            graph.delete(n)

    @function()
    def show(n, forceFloat=False):
        graph.panels.add(n)


def _context(graph):
    @function()
    def root():
        return graph.root

    @function()
    def thisRoot():
        return graph.root

    @function()
    def thisNode():
        return graph.this[-1][0] if graph.this else graph.root

    @function()
    def thisClass():
        return graph.this[-1][0]._class if graph.this else graph.root._class

    @function()
    def thisKnob():
        if not graph.this or graph.this[-1][1] is None:
            raise ValueError("there is no knob that this is about")
        return graph.this[-1][1]

    @function()
    def thisGroup():
        return graph.current

    @function()
    def thisParent():
        return graph.current._parent

    @function()
    def thisView():
        return graph.view

    @function()
    def endGroup():
        graph.leave(graph.current)


def _script(graph):
    @function()
    def modified(state=None):
        if state is None:
            return graph.modified
        graph.modified = bool(state)
        return graph.modified

    @function()
    def undo():
        graph.undo.undo()

    @function()
    def frame(f=None):
        if f is not None:
            graph.set_frame(f)
        return graph.frame

    @function()
    def views():
        return list(graph.views)

    @function()
    def addView(s):
        graph.add_view(s)

    @function()
    def deleteView(s):
        graph.delete_view(s)

    @function()
    def formats():
        return list(graph.formats.values())

    @function()
    def addFormat(s):
        made = format_from_text(s)
        if made is None:
            raise ValueError("{!r} is no format".format(s))
        graph.formats[made._name] = made
        return made

    @function()
    def filename(node, i=0):
        node._alive()
        knob = node._knobs.get("file")
        return None if knob is None or not knob._value else knob._evaluated(graph.frame)

    @function()
    def expression(s):
        return _expression(graph, s)

    @function()
    def pluginAddPath(args, addToSysPath=True):
        for path in [args] if isinstance(args, str) else args:
            graph.plugin_path.insert(0, path)
            if addToSysPath:
                sys.path.append(path)

    @function()
    def pluginAppendPath(args, addToSysPath=True):
        for path in [args] if isinstance(args, str) else args:
            graph.plugin_path.append(path)
            if addToSysPath:
                sys.path.append(path)

    @function()
    def pluginPath():
        return list(graph.plugin_path)


def _expression(graph, text):
    node = graph.this[-1][0] if graph.this else graph.root
    return expressions.evaluate(text, lambda name: graph.find_knob(name, node)._number(0, graph.frame))


def environment(graph):
    """What `nuke.env` holds; a name that is not in it is a KeyError."""
    text = version()
    major, _, rest = text.partition(".")
    minor, _, release = rest.partition("v")
    return {
        "64bit": True,
        "ExecutablePath": "/usr/local/Nuke{0}/Nuke{1}.{2}".format(text, major, minor),
        "LINUX": sys.platform.startswith("linux"),
        "MACOS": sys.platform == "darwin",
        "NukeVersionMajor": int(major),
        "NukeVersionMinor": int(minor),
        "NukeVersionRelease": int(release),
        "NukeVersionString": text,
        "PluginExtension": ".so",
        "WIN32": sys.platform == "win32",
        "gui": graph.gui,
        "hiero": False,
        "indie": False,
        "interactive": True,
        "nc": False,
        "nukex": False,
        "numCPUs": 4,
        "ple": False,
        "studio": False,
        "threads": 4,
    }
