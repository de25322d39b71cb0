"""Puts the module `nuke` together: its functions, classes, constants, and nothing that the stubs do not know."""

import os

from . import (
    callbacks,
    choiceknobs,
    constants,
    functions,
    groupnode,
    knob,
    node,
    numberknobs,
    render,
    scripts,
    textknobs,
    ui,
    values,
)
from .bench import BENCH, NotModelled
from .control import Control
from .graph import Graph
from .strict import FUNCTIONS, STUBS, bind, function_signatures
from .threads import MAIN
from .undo import undo_class

with BENCH.within():
    GRAPH = Graph()
GRAPH.gui = os.environ.get("FAKE_NUKE_GUI", "1") == "1"
GRAPH.plugin_path = []
GRAPH.version = functions.version()
GRAPH.program = functions.environment(GRAPH)["ExecutablePath"]
GRAPH.rendering = False
SCREEN = ui.Screen()


def namespace():
    """Every name of `nuke`."""
    functions.define(GRAPH)
    callbacks.functions(GRAPH)
    ui.define(GRAPH, SCREEN)
    scripts.define(GRAPH)
    renders = render.define(GRAPH)
    names = dict(FUNCTIONS)
    for module in (node, groupnode, knob, textknobs, numberknobs, choiceknobs, values, ui):
        for name, value in vars(module).items():
            if isinstance(value, type) and name in STUBS["classes"]:
                names[name] = value
    names["ProgressTask"] = ui.progress_class(SCREEN)
    names["Undo"] = undo_class(GRAPH)
    names.update(constants.CONSTANTS)
    names["nodes"] = functions.NodeConstructors(GRAPH)
    environment = functions.environment(GRAPH)
    names.update(
        env=environment,
        GUI=GRAPH.gui,
        INTERACTIVE=True,
        EXE_PATH=environment["ExecutablePath"],
        NUM_CPUS=environment["numCPUs"],
        NUKE_VERSION_MAJOR=environment["NukeVersionMajor"],
        NUKE_VERSION_MINOR=environment["NukeVersionMinor"],
        NUKE_VERSION_RELEASE=environment["NukeVersionRelease"],
        NUKE_VERSION_STRING=environment["NukeVersionString"],
        rawArgs=[environment["ExecutablePath"]] + ([] if GRAPH.gui else ["-t"]),
        untitled="Untitled",
        CancelledError=type("CancelledError", (Exception,), {}),
        fake=Control(GRAPH, SCREEN, BENCH, MAIN, renders),
    )
    return names


def missing(name):
    """What a name that the fake lacks is: something of Nuke's that is not modelled, or nothing at all."""
    signatures = function_signatures(name)
    if signatures:

        def unmodelled(*args, **kwargs):
            bind("nuke." + name, signatures, args, kwargs)
            raise NotModelled("nuke.{} is not modelled by the fake".format(name))

        return unmodelled
    if name in STUBS["classes"] or name in STUBS["constants"]:
        raise NotModelled("nuke.{} is not modelled by the fake".format(name))
    raise AttributeError("module 'nuke' has no attribute {!r}".format(name))
