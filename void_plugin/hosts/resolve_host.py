"""DaVinci Resolve as a host: answers what the sidecar asks, on the thread that Resolve has given to the script.

A script makes one call, `timeline`, and serves it until it ends: what is to be done is decided in the sidecar, and
only what Resolve itself must do comes here, one question at a time. It runs from Resolve's menu, in the small program
that Resolve starts for a script, or from outside: `python -m void_plugin.hosts.resolve_host remove`.
"""

import argparse
import importlib
import json
import os
import queue
import signal
import sys
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from void_plugin.bridge import Sidecar
from void_plugin.errors import HostError, VoidError
from void_plugin.hosts import resolve_boot as boot
from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_context import context, version_of
from void_plugin.hosts.resolve_export import Export
from void_plugin.hosts.resolve_memory import Memory
from void_plugin.hosts.resolve_outside import start_outside
from void_plugin.hosts.resolve_shots import shots, timeline_otio

ACTIONS = ("remove", "collect", "jobs", "check", "clean")
CALL = "timeline"
EXIT_FAILED, EXIT_CANCELLED = 1, 130
POLL_SECONDS = 0.2
"""So that a wish to stop is heard where nothing happens."""

Say = Callable[[str], None]
Command = Callable[[Dict[str, Any]], Dict[str, Any]]
LATER = (("place", "resolve_place"), ("unplace", "resolve_place"), ("mark", "resolve_marks"))
"""Commands and the modules that hold them, loaded when they are asked for."""
LATER_WITHOUT = (("jobs", "resolve_marks"), ("clean", "resolve_clean"))
"""The same for those that take no arguments."""


def say(text: str) -> None:
    """A line for the user: Resolve shows it in its console."""
    print(text, flush=True)


class ResolveHost:
    """What can be asked of Resolve, by name; every command runs on the thread that calls `answer`."""

    def __init__(self, resolve: Resolve, memory: Memory, told: Say = say) -> None:
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


class _Asked:
    """A question of the sidecar's that waits for the main thread."""

    def __init__(self, name: str, args: Dict[str, Any]) -> None:
        self.name, self.args = name, args
        self.reply: "queue.SimpleQueue[Tuple[Optional[Dict[str, Any]], Optional[BaseException]]]" = queue.SimpleQueue()


class _Ended:
    """The end of the call."""

    def __init__(self, result: Optional[Dict[str, Any]], error: Optional[VoidError]) -> None:
        self.result, self.error = result, error


class Service:
    """One call of the sidecar, and what it asks meanwhile."""

    def __init__(self, host: ResolveHost, sidecar: Sidecar) -> None:
        """The sidecar is the caller's to close."""
        self._host, self._sidecar = host, sidecar
        self._waiting: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
        self._over = False
        self._stops = 0
        for name in host.commands:
            sidecar.answering(name, partial(self._ask, name))

    def stop(self, *_: Any) -> None:
        """Wish that the call ends soon, the second time at once; fit for a signal."""
        self._stops += 1

    def run(self, action: str, options: Mapping[str, Any], event: Callable[[Dict[str, Any]], None]) -> Dict[str, Any]:
        """Make the call and serve it to its end; an export that is open then is put back. Raises VoidError."""
        number = self._sidecar.call(
            CALL,
            {"action": action, "options": dict(options)},
            lambda result, error: self._waiting.put(_Ended(result, error)),
            event,
        )
        try:
            ended = self._serve(number)
        finally:
            self._over = True
            self._turn_away()
            left = self._host.export.close()
        if ended.error is not None:
            if left:
                text = "{} {}".format(ended.error.message, " ".join(left))
                raise type(ended.error)(text, ended.error.code) from ended.error
            raise ended.error
        if left:
            raise HostError(" ".join(left), "host.resolve")
        return ended.result or {}

    def _serve(self, number: int) -> _Ended:
        heard = 0
        while True:
            try:
                item = self._waiting.get(timeout=POLL_SECONDS)
            except queue.Empty:
                item = None
            except KeyboardInterrupt:
                self._stops += 1
                item = None
            while heard < self._stops:
                heard += 1
                self._sidecar.cancel(number)
            if isinstance(item, _Ended):
                return item
            if isinstance(item, _Asked):
                try:
                    item.reply.put((self._host.answer(item.name, item.args), None))
                except Exception as error:  # the asking thread turns it into an answer
                    item.reply.put((None, error))

    def _turn_away(self) -> None:
        while True:
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return
            if isinstance(item, _Asked):
                item.reply.put((None, _closed()))

    def _ask(self, name: str, args: Dict[str, Any]) -> Dict[str, Any]:
        """In a thread of the bridge's: leave the question to the main thread and wait."""
        asked = _Asked(name, args)
        self._waiting.put(asked)
        if self._over:  # nobody may be left to see it
            self._turn_away()
        result, error = asked.reply.get()
        if error is not None:
            raise error
        return result or {}


def _closed() -> HostError:
    return HostError("The script in Resolve has ended.", "host.call")


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
) -> Dict[str, Any]:
    """Run an action with a Resolve and return its result. Raises VoidError.

    A sidecar that is given stays open. SIGINT and SIGTERM are a wish to stop, where this is the main thread.
    """
    if action not in ACTIONS:
        raise HostError("There is no action {!r}; there are {}.".format(action, ", ".join(ACTIONS)), "host.call")
    host = ResolveHost(resolve, Memory.of(os.environ), told)
    version = ".".join(str(number) for number in version_of(resolve))
    own = Sidecar(host="resolve {}".format(version)) if sidecar is None else None
    service = Service(host, sidecar or own)  # type: ignore[arg-type]
    try:
        with _Signals(service.stop):
            return service.run(action, options, event or _unheard)
    finally:
        if own is not None:
            own.close()


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
