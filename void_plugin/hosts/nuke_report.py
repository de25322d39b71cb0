"""What the artist can read and send: the report about a node, and what the server said of itself."""

from typing import Any, List, Mapping, Optional

from void_plugin import __version__
from void_plugin.errors import VoidError
from void_plugin.hosts import nuke_api as api
from void_plugin.hosts import qt
from void_plugin.hosts.nuke_knobs import HIDDEN, KNOBS
from void_plugin.hosts.states import NodeState


def node_report(node: api.Node, state: NodeState, log: str) -> None:
    """Copy settings, state and paths of a node to the clipboard; without a clipboard show them."""
    lines = ["void_plugin {} in {}".format(__version__, api.name_and_version()), "Log: " + log]
    lines += ["Script: " + api.script(), "Node: " + str(node.fullName()), "State: " + state.kind, state.full_text(), ""]
    for item in KNOBS + HIDDEN:
        knob = node.knob(item.name)
        if item.has_value and item.name != "details" and knob is not None:
            lines.append("{}: {}".format(item.name, knob.value()))
    text = "\n".join(lines)
    if not qt.copy(text):
        api.message(text)


def connection_report(result: Optional[Mapping[str, Any]], error: Optional[VoidError], log: str) -> str:
    """What a server can run and why not, one thing a line."""
    if error is not None or result is None:
        return "Not connected: {}\nLog: {}".format(error.message if error is not None else "no answer", log)
    server = result.get("server") or {}
    lines: List[str] = ["Server: {} (void_plugin {})".format(result.get("address") or "private", server.get("version"))]
    if result.get("stale"):
        lines.insert(
            0, "The server is away ({}); this is what it said last.".format(result.get("reason") or "no reason")
        )
    for engine in result.get("engines") or ():
        what = "can run" if engine.get("available") else "cannot run: {}".format(engine.get("reason"))
        lines.append("Engine {}: {}".format(engine.get("name"), what))
    for device in result.get("devices") or ():
        lines.append("Device {}: {}".format(device.get("name"), device.get("state")))
    lines.append("Log: " + log)
    return "\n".join(lines)
