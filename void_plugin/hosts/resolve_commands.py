"""What can be asked of Resolve, by name."""

import importlib
from functools import partial
from typing import Any, Callable, Dict

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_context import context
from void_plugin.hosts.resolve_export import Export
from void_plugin.hosts.resolve_memory import Memory
from void_plugin.hosts.resolve_shots import shots, timeline_otio

Say = Callable[[str], None]
Command = Callable[[Dict[str, Any]], Dict[str, Any]]
LATER = (("place", "resolve_place"), ("unplace", "resolve_place"), ("mark", "resolve_marks"))
"""Commands and the modules that hold them, loaded when they are asked for."""
LATER_WITHOUT = (("jobs", "resolve_marks"), ("clean", "resolve_clean"))
"""The same for those that take no arguments."""


class ResolveHost:
    """What can be asked of Resolve, by name; every command runs on the thread that calls `answer`."""

    def __init__(self, resolve: Resolve, memory: Memory, told: Say) -> None:
        """`told` shows a sentence to the user."""
        self.resolve, self.export = resolve, Export(resolve, memory)
        self.commands: Dict[str, Command] = {
            "context": lambda args: context(resolve),
            "shots": lambda args: shots(resolve, str(args.get("pick"))),
            "timeline_otio": lambda args: timeline_otio(resolve, str(args["path"])),
            "export_begin": self.export.begin,
            "export_poll": lambda args: self.export.poll(str(args["job"])),
            "export_end": lambda args: self.export.end(str(args["job"])),
            "leftovers": lambda args: self.export.recover(),
            "tell": lambda args: _told(told, args),
        }
        for name, module in LATER:
            self.commands[name] = partial(_later, module, name, resolve)
        for name, module in LATER_WITHOUT:
            self.commands[name] = partial(_later_without, module, name, resolve)

    def answer(self, name: str, args: Dict[str, Any]) -> Dict[str, Any]:
        """Run one command. Raises HostError."""
        try:
            return self.commands[name](args)
        except (KeyError, TypeError, ValueError) as error:
            text = "The question {} with {} cannot be answered ({!r}); install the same version of void_plugin for the "
            text += "host and its sidecar."
            raise HostError(text.format(name, sorted(args), error), "host.call") from error


def _told(told: Say, args: Dict[str, Any]) -> Dict[str, Any]:
    told(str(args["text"]))
    return {}


def _later(module: str, name: str, *values: Any) -> Dict[str, Any]:
    return dict(getattr(importlib.import_module("void_plugin.hosts." + module), name)(*values))


def _later_without(module: str, name: str, resolve: Resolve, args: Dict[str, Any]) -> Dict[str, Any]:
    return _later(module, name, resolve)
