"""The same action in a process of its own, for a script that Resolve runs inside itself and that must not wait."""

import json
import os
import subprocess
import threading
from typing import Any, Dict, List, Mapping

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_calls import CODE
from void_plugin.launch import SidecarLog, clean_environment, find_python

HOST = "void_plugin.hosts.resolve_host"
STARTED = (
    "VOID goes on outside of Resolve, which needs Preferences > System > General > External scripting using set to "
    "Local; what it says is in {}."
)
_APART = 0x00000008 | 0x00000200
"""Windows: no console, and a process group of its own."""


def outside_command(python: str, action: str, options: Mapping[str, Any]) -> List[str]:
    """The command that runs an action by the external transport."""
    return [python, "-I", "-X", "utf8", "-m", HOST, action, "--options", json.dumps(dict(options))]


def start_outside(action: str, options: Mapping[str, Any]) -> str:
    """Start it and return at once, with a sentence on where it speaks. Raises VoidError."""
    environment = os.environ.copy()
    command = outside_command(find_python(environment), action, options)
    log = SidecarLog.of(environment)
    how: Dict[str, Any] = {"creationflags": _APART} if os.name == "nt" else {"start_new_session": True}
    with log.open() as stream:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=clean_environment(environment),
                **how,
            )
        except OSError as error:
            raise HostError("{} cannot be started: {}.".format(command[0], error), CODE) from error
    threading.Thread(target=process.wait, name="void outside", daemon=True).start()  # else it stays as a zombie
    return STARTED.format(log.path)
