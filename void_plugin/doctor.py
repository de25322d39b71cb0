"""`void doctor` and `void engines`: what this machine and the configured server can run, and why not the rest."""

import json
import os
import platform
import shutil
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from void_plugin import __version__
from void_plugin.channel import server_address
from void_plugin.client import VoidClient
from void_plugin.config import Config, config_path
from void_plugin.errors import VoidError
from void_plugin.hostpython import check_python
from void_plugin.launch import find_python
from void_plugin.programs import ask_server, server_command
from void_plugin.progress import print_table


def show_engines(config: Config, environment: Mapping[str, str], as_json: bool) -> bool:
    """Print the engines of the configured server, else of this machine; True where at least one can run.

    Raises VoidError where the server, or void-server here, cannot be asked.
    """
    if config.server:
        engines = _remote(config, environment)["engines"]
    else:
        engines = ask_server(config, environment, ["engines", "--json"])
    if as_json:
        print(json.dumps(engines, indent=2, sort_keys=True))
    else:
        print_table(Console(), [_engine_row(engine) for engine in engines])
    return any(engine["available"] for engine in engines)


def show_machine(config: Config, environment: Mapping[str, str], as_json: bool) -> bool:
    """Print what this machine is and can run; True where a removal can run, here or on the configured server."""
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
        "host_python": "",
        "host_python_error": "",
        "server": {},
        "engines": [],
        "server_error": "",
        "remote": {},
        "remote_error": "",
    }
    try:
        found["host_python"] = find_python(environment)
        check_python(found["host_python"], environment)
    except VoidError as error:
        found["host_python_error"] = error.message
    try:
        found["server_command"] = " ".join(server_command(config, environment))
        found["server"] = ask_server(config, environment, ["doctor", "--json"])
        found["engines"] = ask_server(config, environment, ["engines", "--json"])
    except VoidError as error:
        found["server_error"] = error.message
    if config.server:
        try:
            found["remote"] = _remote(config, environment)
        except VoidError as error:
            found["remote_error"] = error.message
    engines = found["remote"].get("engines", ()) if config.server else found["engines"]
    found["ready"] = any(engine["name"] == "recover" and engine["available"] for engine in engines)
    return found


def _remote(config: Config, environment: Mapping[str, str]) -> dict[str, Any]:
    """What the configured server says of itself. Raises VoidError where it cannot be asked."""
    address = server_address(config.server)
    with VoidClient.connect(config, environment, address) as client:
        return {"address": address, **client.engines().to_dict()}


def _rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    memory = found["memory_bytes"]
    rows = [
        ("void_plugin", found["void_plugin"]),
        ("Python", f"{found['python']} on {found['system']}"),
        ("cores", str(found["cores"])),
        ("memory", "unknown" if memory is None else f"{memory / 2**30:.1f} GiB"),
        ("disk free here", f"{found['disk_free_bytes'] / 2**30:.1f} GiB"),
        ("configuration", found["config"] + ("" if found["config_exists"] else " (none; defaults are used)")),
        ("Python for hosts", found["host_python_error"] or found["host_python"]),
    ]
    rows += _server_rows(found) if not found["server_error"] else [("void-server", found["server_error"])]
    if found["remote_error"]:
        rows.append(("server", found["remote_error"]))
    elif found["remote"]:
        rows += _remote_rows(found["remote"])
    return [*rows, ("ready", "yes" if found["ready"] else "no: the engine recover cannot run")]


def _server_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    server = dict(found["server"])
    version = f"{server.pop('version', 'of unknown version')} on Python {server.pop('python', 'of unknown version')}"
    rows = [("void-server", f"{version}, {found['server_command']}")]
    ocio = server.pop("ocio", None)
    if ocio:
        rows.append(("OCIO", f"{ocio['config']}, {ocio['spaces']} colour spaces"))
    rows += [(name, str(value)) for name, value in server.items()]
    return rows + [_engine_row(engine) for engine in found["engines"]]


def _remote_rows(remote: Mapping[str, Any]) -> list[tuple[str, str]]:
    server = remote["server"]
    roots = ", ".join(server["roots"]) or "none: files are uploaded"
    rows = [
        ("server", f"{remote['address']}, version {server['version']}"),
        ("known there as", server["identity"]),
        ("folders by path", roots),
    ]
    rows += [(f"device {device['name']}", device["state"]) for device in remote["devices"]]
    return rows + [_engine_row(engine) for engine in remote["engines"]]


def _engine_row(engine: Mapping[str, Any]) -> tuple[str, str]:
    if not engine["available"]:
        return f"engine {engine['name']}", f"no: {engine['reason']}"
    # A server of an earlier version does not tell how memory is used.
    memory = f", memory {engine['memory']}" if engine.get("memory") else ""
    return f"engine {engine['name']}", f"yes, on {', '.join(engine['devices'])}{memory}"


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
