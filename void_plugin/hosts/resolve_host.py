"""DaVinci Resolve as a host: answers what the sidecar asks, on the thread that Resolve has given to the script.

A script makes one call, `timeline`, and serves it until it ends: what is to be done is decided in the sidecar, and
only what Resolve itself must do comes here, one question at a time. It runs from Resolve's menu, in the small program
that Resolve starts for a script, or from outside: `python -m void_plugin.hosts.resolve_host remove`.
"""

import argparse
import json
import os
import signal
import sys
from typing import Any, Callable, Dict, List, Mapping, Optional

from void_plugin.bridge import Sidecar
from void_plugin.errors import HostError, VoidError
from void_plugin.hosts import resolve_boot as boot
from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_commands import ResolveHost, Say
from void_plugin.hosts.resolve_context import version_of
from void_plugin.hosts.resolve_memory import Memory
from void_plugin.hosts.resolve_outside import start_outside
from void_plugin.hosts.resolve_service import Service

ACTIONS = ("remove", "collect", "jobs", "check", "clean")
EXIT_FAILED, EXIT_CANCELLED = 1, 130


def say(text: str) -> None:
    """A line for the user: Resolve shows it in its console."""
    print(text, flush=True)


# -- entries ---------------------------------------------------------------------------------------------------


def run(
    action: str,
    options: Optional[Mapping[str, Any]] = None,
    scope: Optional[Mapping[str, Any]] = None,
    told: Say = say,
) -> int:
    """Run an action from a script of Resolve's menu, whose globals are `scope`.

    Returns 0 where it is done, 1 where a sentence has said why not, 130 where it was cancelled. In Resolve's own
    process nothing may wait, so the same is started outside of it, and the answer is 0.
    """
    try:
        if boot.is_inside(boot.own_executable()):
            told(start_outside(action, options or {}))
            return 0
        resolve = boot.from_menu(scope or {}) or boot.from_outside(os.environ)
        result = serve(resolve, action, options or {}, told)
    except VoidError as error:
        told("VOID: {}".format(error.message))
        return EXIT_FAILED
    return _exit_code(result)


def serve(
    resolve: Resolve,
    action: str,
    options: Mapping[str, Any],
    told: Say = say,
    sidecar: Optional[Sidecar] = None,
    event: Optional[Callable[[Dict[str, Any]], None]] = None,
    environment: Optional[Mapping[str, str]] = None,
) -> Dict[str, Any]:
    """Run an action with a Resolve and return its result. Raises VoidError.

    A sidecar that is given stays open; `environment`, this machine's by default, says where to note what must be put
    back. SIGINT and SIGTERM are a wish to stop, where this is the main thread.
    """
    if action not in ACTIONS:
        raise HostError("There is no action {!r}; there are {}.".format(action, ", ".join(ACTIONS)), "host.call")
    memory = Memory.of(os.environ if environment is None else environment)
    host = ResolveHost(resolve, memory, told)
    version = ".".join(str(number) for number in version_of(resolve))
    used = Sidecar(environment=environment, host="resolve {}".format(version)) if sidecar is None else sidecar
    service = Service(host, used)
    try:
        with _Signals(service.stop):
            return service.run(action, options, event or _unheard)
    finally:
        if sidecar is None:
            used.close()


class _Signals:
    """SIGINT and SIGTERM call a function instead of breaking off whatever Resolve is being told."""

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self._before: Dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._before[number] = signal.signal(number, self._function)
            except ValueError:  # not the main thread: then nobody is interrupted here either
                return

    def __exit__(self, *_: Any) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)


def main(arguments: List[str]) -> int:
    """The external transport: an action on the Resolve that runs; 0 done, 1 failed, 2 wrong usage, 130 cancelled."""
    parser = argparse.ArgumentParser(prog="python -m void_plugin.hosts.resolve_host")
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("--options", default="{}", metavar="JSON", help="options of the action")
    parser.add_argument("--json", action="store_true", help="speak in JSON lines: told, event, and result or error")
    given = parser.parse_args(arguments)
    try:
        options = json.loads(given.options)
    except ValueError as error:
        parser.error("--options is not JSON: {}".format(error))
    if not isinstance(options, dict):
        parser.error("--options must be a JSON object")
    told, event = (_line("told"), _line("event")) if given.json else (say, _unheard)
    try:
        result = serve(boot.from_outside(os.environ), given.action, options, told, None, event)
    except VoidError as error:
        if given.json:
            _line("error")({"code": error.code, "text": error.message})
        else:
            print("VOID: {}".format(error.message), file=sys.stderr, flush=True)
        return EXIT_FAILED
    if given.json:
        _line("result")(result)
    return _exit_code(result)


def _line(kind: str) -> Callable[[Any], None]:
    """Says values as lines of JSON, each under the name of its kind."""
    return lambda value: say(json.dumps({kind: value}))


def _unheard(event: Dict[str, Any]) -> None:
    """Nothing is shown of what happens on the way."""


def _exit_code(result: Mapping[str, Any]) -> int:
    """0 where all went well; an action may end well for some clips only."""
    if result.get("cancelled"):
        return EXIT_CANCELLED
    return 0 if result.get("ok", True) else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
