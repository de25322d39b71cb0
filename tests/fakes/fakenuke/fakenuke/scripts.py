"""Saving, opening, clearing, copying and pasting: what `nuke` does with script text, and the callbacks around it.

A callback that is known to run while a script loads: `onCreate` of every node, `knobChanged` (public issues of Stamps
and Cryptomatte tell of it), then `onScriptLoad`. Here `knobChanged` runs once a node, about its inputs.
"""

import os

from . import scriptread, scriptwrite, tcl
from .bench import BENCH
from .strict import function

CLIPBOARD = "%clipboard%"


class Scripts(object):
    """What is done with script text, for one graph."""

    def __init__(self, graph):
        self._graph = graph
        self.clipboard = ""
        graph.read_knobs = self.read_knobs

    def read_knobs(self, node, text):
        """Gives a node the knobs of a text such as `size 5 name Blur7`."""
        words = tcl.split(text)
        scriptread.fill(node, list(zip(words[::2], words[1::2])))

    def load(self, text, below=None):
        """Adds the nodes of a text to the current group, and runs what is to be run for them."""
        graph = self._graph
        reader = scriptread.Reader(graph, below)
        context, graph.loading = list(graph.context), True
        try:
            reader.read(text)
        finally:
            graph.loading = False
            graph.context = context
        for node in reader.all_made:
            graph.born(node)
            graph.input_changed(node)
        return reader.made

    def add(self, text, what):
        """Adds the nodes of a text as one change."""
        made = self.load(text)
        self._graph.touch(what, lambda: self._take_away(made))

    def _take_away(self, nodes):
        for node in nodes:
            self._graph._take_away(node)

    def save(self, path):
        graph = self._graph
        graph.root._knobs["name"]._value = path
        with graph.this_is(graph.root):
            graph.callbacks.run("onScriptSave", graph.root)
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(scriptwrite.script(graph))
        graph.modified = False

    def open(self, path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.close()
        graph = self._graph
        self.load(text)
        graph.root._knobs["name"]._value = path
        graph.modified = False
        graph.undo.clear()
        with graph.this_is(graph.root):
            graph.callbacks.run("onScriptLoad", graph.root)

    def close(self):
        graph = self._graph
        with graph.this_is(graph.root):
            graph.callbacks.run("onScriptClose", graph.root)
        graph.clear()

    def copy(self, nodes):
        return scriptwrite.copied(self._graph, nodes)

    def paste(self, text):
        graph = self._graph
        selected = graph.current.selectedNodes()
        made = self.load(text, selected[-1] if selected else None)
        for node in selected:
            node.setSelected(False)
        for node in made:
            node.setSelected(True)
        graph.touch("paste", lambda: self._take_away(made))
        return made[-1] if made else None


def define(graph):
    """Makes the functions part of `nuke`."""
    scripts = Scripts(graph)

    def text_of(path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    @function()
    def scriptName():
        if not graph.root._knobs["name"]._value:
            raise RuntimeError("no script name")
        return graph.root._knobs["name"]._value

    @function()
    def scriptSave(filename=None):
        path = filename or graph.root._knobs["name"]._value
        if not path:
            raise RuntimeError("no script name")
        scripts.save(path)
        return True

    @function()
    def scriptSaveAs(filename=None, overwrite=-1):
        if not filename:
            raise BENCH.fault("scriptSaveAs without a name waits for a person")
        if os.path.exists(filename) and overwrite != 1:
            raise RuntimeError("{} exists".format(filename))
        scripts.save(filename)

    @function()
    def scriptOpen(filename=None):
        if not filename:
            raise BENCH.fault("scriptOpen without a name waits for a person")
        scripts.open(filename)

    @function()
    def scriptClear():
        scripts.close()

    @function()
    def scriptClose(ignoreUnsavedChanges=False):
        if graph.modified and not ignoreUnsavedChanges:
            raise BENCH.fault("scriptClose of a modified script waits for a person")
        scripts.close()
        return True

    def read_file(s):
        scripts.add(text_of(s), "read {}".format(s))

    function(name="scriptSource")(read_file)
    function(name="scriptReadFile")(read_file)

    @function()
    def scriptReadText(s):
        scripts.add(s, "read text")

    @function()
    def nodeCopy(s):
        nodes = graph.current.selectedNodes()
        if not nodes:
            raise RuntimeError("no nodes selected")
        text = scripts.copy(nodes)
        if s == CLIPBOARD:
            scripts.clipboard = text
        else:
            with open(s, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)

    @function()
    def nodePaste(s):
        return scripts.paste(scripts.clipboard if s == CLIPBOARD else text_of(s))

    @function()
    def nodeDelete(s=False):
        for node in graph.current.selectedNodes():
            graph.delete(node)
        return True

    return scripts
