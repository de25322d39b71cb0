"""One removal in a Nuke without windows: `nuke -t void_batch.py script.nk --node VoidRemove1`."""

import argparse
import queue
import sys
from typing import Any, Callable, Dict, List, Tuple

from void_plugin.bridge import Sidecar
from void_plugin.errors import HostError, VoidError
from void_plugin.hosts import nuke_api as api
from void_plugin.hosts import nuke_group
from void_plugin.hosts.nuke_host import Session
from void_plugin.hosts.nuke_node import all_of_ours
from void_plugin.hosts.states import NodeState

EXIT_FAILED, EXIT_CANCELLED = 1, 130
POLL_SECONDS = 0.2
"""So that Ctrl-C is heard where nothing happens."""


def main(arguments: List[str]) -> int:
    """Run the node and return the exit code: 0 done, 1 failed with a sentence, 2 wrong usage, 130 cancelled."""
    parser = argparse.ArgumentParser(prog="void_batch.py", description="Run one VoidRemove node without windows.")
    parser.add_argument("script", help="the Nuke script")
    parser.add_argument(
        "--node", required=True, metavar="NAME", help="the node, with the Groups around it: Group1.VoidRemove1"
    )
    parser.add_argument("--frames", metavar="FIRST-LAST", help="these frames in place of what the node asks for")
    parser.add_argument("--server", metavar="ADDRESS", help="this server in place of the node's")
    parser.add_argument("--save", action="store_true", help="save the script afterwards, so that it shows the result")
    options = parser.parse_args(arguments)
    overrides: Dict[str, Any] = {}
    if options.frames:
        overrides.update(range_mode="custom", frame_range=options.frames)
    if options.server:
        overrides["server"] = options.server
    sidecar = Sidecar(host=api.name_and_version())
    try:
        return _run(sidecar, options.script, options.node, overrides, options.save)
    except VoidError as error:
        print("void_batch: {}".format(error.message), file=sys.stderr, flush=True)
        return EXIT_FAILED
    except KeyboardInterrupt:  # before anything was begun
        return EXIT_CANCELLED
    finally:
        sidecar.close()


def _run(sidecar: Sidecar, script: str, name: str, overrides: Dict[str, Any], save: bool) -> int:
    posted: "queue.Queue[Tuple[Callable[..., None], Tuple[Any, ...]]]" = queue.Queue()

    def told(state: NodeState) -> None:
        print("void_batch: {}: {}".format(name, state.text), flush=True)

    # Without windows nobody else runs what is posted to the main thread.
    session = Session(sidecar, lambda function, *values: posted.put((function, values)), told)
    node = _open(script, name)
    story = session.run(node, "remove", overrides)
    while not story.is_over:
        try:
            function, values = posted.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        except KeyboardInterrupt:
            story.cancel()
            continue
        function(*values)
    for text in story.state.warnings:
        print("void_batch: warning: {}".format(text), flush=True)
    if story.state.kind == "done":
        print("void_batch: {}".format(story.folder), flush=True)
        if save:
            api.save(script)
        return 0
    if story.state.kind == "failed" and story.state.details:
        print(story.state.details, file=sys.stderr, flush=True)
    return EXIT_CANCELLED if story.state.kind == "cancelled" else EXIT_FAILED


def _open(script: str, name: str) -> api.Node:
    api.open_script(script)
    node = api.find(name)
    if node is not None and nuke_group.is_ours(node):
        told = nuke_group.upgrade(node)
        if told:
            print("void_batch: {}".format(told), flush=True)
        return node
    there = ", ".join(str(item.fullName()) for item in all_of_ours()) or "none"
    raise HostError("{} has no VoidRemove called {}; it has {}.".format(script, name, there))
