"""`void doctor` and `void engines`: what this machine can run, and why not the rest."""

import json
import os
import platform
import shutil
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from void_plugin import __version__
from void_plugin.client import ask_server, server_command
from void_plugin.config import Config, config_path
from void_plugin.errors import VoidError
from void_plugin.progress import print_table


def show_engines(config: Config, environment: Mapping[str, str], as_json: bool) -> bool:
    """Print the engines of this machine; True where at least one can run.

    Raises VoidError where void-server cannot be asked.
    """
    engines = ask_server(config, environment, ["engines", "--json"])
    if as_json:
        print(json.dumps(engines, indent=2, sort_keys=True))
    else:
        print_table(Console(), [_engine_row(engine) for engine in engines])
    return any(engine["available"] for engine in engines)


def show_machine(config: Config, environment: Mapping[str, str], as_json: bool) -> bool:
    """Print what this machine is and can run; True where the engine recover can."""
    found = examine(config, environment)
    if as_json:
        print(json.dumps(found, indent=2, sort_keys=True))
    else:
        print_table(Console(), _rows(found))
    return bool(found["ready"])


def examine(config: Config, environment: Mapping[str, str]) -> dict[str, Any]:
    """What this machine is and can run, as plain values; what fails is part of the answer."""
    found: dict[str, Any] = {
        "void_plugin": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": _cores(),
        "memory_bytes": _memory_bytes(),
        "disk_free_bytes": shutil.disk_usage(os.getcwd()).free,
        "config": config_path(environment),
        "config_exists": os.path.exists(config_path(environment)),
        "server": {},
        "engines": [],
        "server_error": "",
    }
    try:
        found["server_command"] = " ".join(server_command(config, environment))
        found["server"] = ask_server(config, environment, ["doctor", "--json"])
        found["engines"] = ask_server(config, environment, ["engines", "--json"])
    except VoidError as error:
        found["server_error"] = error.message
    found["ready"] = any(engine["name"] == "recover" and engine["available"] for engine in found["engines"])
    return found


def _rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    memory = found["memory_bytes"]
    rows = [
        ("void_plugin", found["void_plugin"]),
        ("Python", f"{found['python']} on {found['system']}"),
        ("cores", str(found["cores"])),
        ("memory", "unknown" if memory is None else f"{memory / 2**30:.1f} GiB"),
        ("disk free here", f"{found['disk_free_bytes'] / 2**30:.1f} GiB"),
        ("configuration", found["config"] + ("" if found["config_exists"] else " (none; defaults are used)")),
    ]
    if found["server_error"]:
        return [*rows, ("void-server", found["server_error"]), ("ready", "no")]
    server = dict(found["server"])
    version = f"{server.pop('version', 'of unknown version')} on Python {server.pop('python', 'of unknown version')}"
    rows.append(("void-server", f"{version}, {found['server_command']}"))
    ocio = server.pop("ocio", None)
    if ocio:
        rows.append(("OCIO", f"{ocio['config']}, {ocio['spaces']} colour spaces"))
    rows += [(name, str(value)) for name, value in server.items()]
    rows += [_engine_row(engine) for engine in found["engines"]]
    return [*rows, ("ready", "yes" if found["ready"] else "no: the engine recover cannot run here")]


def _engine_row(engine: Mapping[str, Any]) -> tuple[str, str]:
    if not engine["available"]:
        return f"engine {engine['name']}", f"no: {engine['reason']}"
    return f"engine {engine['name']}", f"yes, on {', '.join(engine['devices'])}"


def _cores() -> int:
    # A container or a farm slot may be given fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes() -> int | None:
    """Physical memory, or None where the system does not tell (Windows)."""
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
