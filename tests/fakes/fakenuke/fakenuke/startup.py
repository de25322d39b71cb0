"""What Nuke reads before anything else: init.py of every folder of its plug-in path, then, with windows, menu.py.

After the developer's guide (Start-up Scripts, Defining the Nuke Plug-in Path, nuke.pluginAddPath): the path is `.nuke`
in the home and what NUKE_PATH names; it is read backwards, so that the user's own folder comes last; what an init.py
adds is read too. An exception that leaves one of these files keeps Nuke from starting.

    python -m fakenuke.startup -t SCRIPT [ARGUMENT ...]     as `Nuke -t SCRIPT [ARGUMENT ...]`
"""

import os
import sys
import types


def start(graph, space):
    """Reads the start-up files into a namespace."""
    home = os.path.join(os.environ.get("HOME") or os.path.expanduser("~"), ".nuke")
    given = [folder for folder in os.environ.get("NUKE_PATH", "").split(os.pathsep) if folder]
    graph.plugin_path[:] = [home] + given
    sys.path.extend(graph.plugin_path)
    done = set()

    def read(name, folder):
        path = os.path.join(folder, name)
        if path in done or not os.path.isfile(path):
            return
        done.add(path)
        before = list(graph.plugin_path)
        space["__file__"] = path
        with open(path, "rb") as file:
            exec(compile(file.read(), path, "exec"), space)
        for added in graph.plugin_path:
            if added not in before:
                read(name, added)

    for folder in reversed(list(graph.plugin_path)):
        read("init.py", folder)
    if graph.gui:
        for folder in reversed(list(graph.plugin_path)):
            read("menu.py", folder)
    space.pop("__file__", None)


def main(arguments):
    """Starts without windows and runs a script, which sees its own arguments; its exceptions are printed."""
    if len(arguments) < 2 or arguments[0] != "-t":
        sys.exit("usage: -t SCRIPT [ARGUMENT ...]")
    os.environ["FAKE_NUKE_GUI"] = "0"
    import nuke
    from fakenuke.facade import GRAPH

    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    space = vars(module)
    space["nuke"] = nuke
    start(GRAPH, space)
    sys.argv = arguments[1:]
    space["__file__"] = arguments[1]
    with open(arguments[1], "rb") as file:
        code = compile(file.read(), arguments[1], "exec")
    try:
        exec(code, space)
    finally:
        broken = nuke.fake.faults + nuke.fake.tracebacks
        nuke.fake.close()
        if broken:
            sys.exit("\n".join(broken))


if __name__ == "__main__":
    main(sys.argv[1:])
