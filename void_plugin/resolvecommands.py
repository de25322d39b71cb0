"""`void resolve`: an action on the Resolve that runs, from a terminal; and the installation of the menu scripts.

The process that talks to Resolve is a child: Resolve's library may end a Python that it does not like, and must never
meet what the client loads.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from void_plugin import __version__
from void_plugin.config import config_path
from void_plugin.errors import HostError, RequestError, VoidError, from_code
from void_plugin.hostpython import absolute_python, check_python, try_sidecar
from void_plugin.launch import find_python
from void_plugin.progress import print_table
from void_plugin.resolvearguments import ACTIONS, INSTALLER
from void_plugin.resolveinstall import Installed, faults, fusion_folder, install, uninstall

DONE, FAILED, CANCELLED = 0, 1, 130
_START = (
    "import sys; place = sys.argv.pop(1); sys.path.insert(0, place); import void_plugin; sys.path.remove(place); "
    "from void_plugin.hosts.resolve_host import main; sys.exit(main(sys.argv[1:]))"
)
"""Lets any Python run our host half, and nothing else of what lies beside it."""


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run one of the commands; returns its exit code. Raises VoidError where it cannot."""
    if options.resolve in INSTALLER:
        return _installer(options, environment)
    python = absolute_python(options.python or sys.executable, environment)
    command = host_command(python, ACTIONS[options.resolve], options_of(options))
    return _Show(options.json).run(command, {**environment, **_sidecar_python(environment)})


def host_command(python: str, action: str, options: Mapping[str, Any]) -> list[str]:
    """The command that runs an action by the external transport in some Python."""
    package = str(Path(__file__).resolve().parents[1])
    start = [python, "-I", "-X", "utf8", "-c", _START, package]
    return [*start, action, "--options", json.dumps(dict(options)), "--json"]


def options_of(options: argparse.Namespace) -> dict[str, Any]:
    """The options of an action as the sidecar reads them. Raises RequestError for a setting that is none."""
    names = [
        *("pick", "plate", "preset", "matte", "handles", "context", "engine", "prompt", "colour"),
        *("dry_run", "panel", "farm", "place", "wait", "retry", "priority", "server"),
    ]
    found = {name: getattr(options, name) for name in names if hasattr(options, name)}
    for name in ("output", "matte_root"):
        if getattr(options, name, None):  # Resolve's working folder is not the user's
            found[name] = os.path.abspath(getattr(options, name))
    if found.get("matte"):
        found["matte"] = os.path.abspath(found["matte"])
    if hasattr(options, "clip"):
        found["names"] = options.clip
    if getattr(options, "setting", None):
        found["settings"] = dict(_setting(text) for text in options.setting)
    return found


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise RequestError(f"--setting {text} has no value; write it like seed=7.")
    try:
        return name, json.loads(value)
    except ValueError:  # a word
        return name, value


def _sidecar_python(environment: Mapping[str, str]) -> dict[str, str]:
    """The Python of the sidecar: the one that is known on this machine, else this one, which has all it needs."""
    try:
        find_python(environment)
    except HostError:
        return {"VOID_PLUGIN_PYTHON": sys.executable}
    return {}


class _Show:
    """Shows what the host process says."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(stderr=True)
        self._result: Mapping[str, Any] = {}
        self._error: VoidError | None = None

    def run(self, command: list[str], environment: Mapping[str, str]) -> int:
        """Run it to its end; returns the exit code. Raises the error that it ends with."""
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=dict(environment))
        except OSError as error:
            raise HostError(f"{command[0]} cannot be started: {error.strerror or error}.", "host.python") from error
        with process, _handing_on(process), self._console.status("Asking Resolve") as status:
            assert process.stdout is not None
            for line in process.stdout:
                self._take(line, status.update)
        if self._error is not None:
            raise self._error
        if process.returncode not in (DONE, FAILED, CANCELLED) or not self._result:
            raise HostError(
                f"The Python {command[0]} has ended ({process.returncode}) while it talked to Resolve; on Windows take "
                "one from python.org, elsewhere 3.10 to 3.12, and name it with --python.",
                "host.python",
            )
        if self._as_json:
            print(json.dumps(self._result, indent=2, sort_keys=True, ensure_ascii=False))
        return process.returncode

    def _take(self, line: bytes, show: Any) -> None:
        try:
            said = json.loads(line)
        except ValueError:  # what Resolve's library prints itself
            return
        if isinstance(said.get("event"), dict):
            show(_progress(said["event"]))
        elif isinstance(said.get("error"), dict):
            self._error = from_code(str(said["error"].get("code")), str(said["error"].get("text")))
        elif isinstance(said.get("result"), dict):
            self._result = said["result"]
        elif "told" in said and not self._as_json:
            print(said["told"], flush=True)


def _progress(event: Mapping[str, Any]) -> str:
    """An event in a few words."""
    shot, kind = event.get("shot") or "", event.get("kind")
    if kind == "Exporting":
        return f"{shot}: Resolve renders the {event.get('what')}, {event.get('percent') or 0} %"
    if kind == "Progressed":
        return f"{shot}: {event.get('step')} {100 * float(event.get('fraction') or 0):.0f} %"
    return f"{shot}: {str(kind).lower()}"


@contextmanager
def _handing_on(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Let the child hear Ctrl-C and SIGTERM, and wait for how it ends."""

    def hear(number: int, frame: object) -> None:
        if number != signal.SIGINT:  # Ctrl-C reaches it by itself, as a process of the same terminal
            process.send_signal(number)

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# -- installing ----------------------------------------------------------------------------------------------------


def _installer(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    fusion = fusion_folder(options.scripts_dir, options.system, environment, sys.platform)
    if options.resolve == "uninstall":
        done = uninstall(fusion)
        rows = [("scripts", f"{fusion} ({'what is ours removed' if done.was_there else 'there was nothing of ours'})")]
        rows += [("kept", f"{path}, which is not ours or was changed") for path in done.kept]
        print_table(Console(), [*rows, ("kept", f"{config_path(environment)}, which other hosts read too")])
        return DONE
    if options.resolve == "check":
        return _check(fusion, environment, options.json)
    python = absolute_python(options.python or sys.executable, environment)
    check_python(python, environment)
    seconds = try_sidecar(python, environment)
    installed = install(fusion, python, environment)
    if options.json:
        about = {**installed._asdict(), "version": __version__, "python": python}
        print(json.dumps({**about, "seconds_to_answer": round(seconds, 3)}, indent=2))
    else:
        _print_installed(fusion, installed, python, seconds)
    return DONE


def _check(fusion: Path, environment: Mapping[str, str], as_json: bool) -> int:
    wrong = list(faults(fusion))
    python = ""
    try:
        python = find_python(environment)
        check_python(python, environment)
        try_sidecar(python, environment)
    except VoidError as error:
        wrong.append(error.message)
    if as_json:
        print(json.dumps({"ok": not wrong, "folder": str(fusion), "python": python, "faults": wrong}, indent=2))
    else:
        rows = [("scripts", str(fusion)), ("Python", python or "none")]
        print_table(Console(), [*rows, *(("wrong", text) for text in wrong), ("sound", "no" if wrong else "yes")])
    return FAILED if wrong else DONE


def _print_installed(fusion: Path, done: Installed, python: str, seconds: float) -> None:
    before = f"in place of {done.replaced}" if done.replaced not in ("", __version__) else "new"
    if done.replaced == __version__:
        before = "put there again"
    if "folder" not in done.changed:
        before = "as it was"
    menu = fusion / "Scripts" / "Utility"
    rows = [
        ("plug-in", f"{done.folder} (void_plugin {__version__}, {done.files} files, {before})"),
        ("menu", f"{menu} ({'written' if 'menu' in done.changed else 'as it was'})"),
        ("Python", python),
        ("self-test", f"the sidecar answered after {seconds:.1f} s"),
        *(("kept", f"{path}, which is not ours or was changed") for path in done.kept),
        ("next", "start Resolve Studio anew; Workspace > Scripts has VOID Remove Object"),
    ]
    print_table(Console(), rows)
