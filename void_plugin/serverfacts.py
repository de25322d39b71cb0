"""What a server can run, asked within seconds, and remembered for when it is away."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from void_plugin.channel import server_address
from void_plugin.config import Config, load_config, state_folder
from void_plugin.errors import JobError, ServerError
from void_plugin.frames import Digest
from void_plugin.localfiles import write_whole
from void_plugin.programs import ask_server
from void_plugin.quickly import ask_within

SCHEMA = 1
"""Version of what is remembered; another is not read."""


def config_for(environment: Mapping[str, str], server: str) -> Config:
    """The configuration of this machine, with another server where one is named. Raises RequestError."""
    config = load_config(environment)
    return replace(config, server=server_address(server)) if server else config


def facts_of(environment: Mapping[str, str], server: str, seconds: float) -> dict[str, Any]:
    """Engines, devices and facts of a server, of the configured one by default, else of this machine.

    Where it does not answer in time, what it said last, with `stale` and the `reason`. Raises VoidError where it has
    never said anything.
    """
    config = config_for(environment, server)
    path = _memory(environment, config)
    try:
        found = ask(config, environment, seconds)
    except (ServerError, JobError) as error:
        known = _remembered(path)
        if known is None:
            raise
        return {**known, "stale": True, "reason": error.message}
    text = json.dumps({"schema": SCHEMA, "facts": found}, indent=1, sort_keys=True)
    said: dict[str, Any] = json.loads(text)["facts"]
    if said != _remembered(path):  # a window asks every few seconds
        write_whole(path, text + "\n")
    return {**said, "stale": False, "reason": ""}


def ask(config: Config, environment: Mapping[str, str], seconds: float) -> dict[str, Any]:
    """Engines, devices and facts of the configured server, else of this machine. Raises VoidError."""
    if not config.server:
        engines = ask_server(config, environment, ["engines", "--json"], seconds)
        return {"engines": engines, "devices": [], "server": {}, "address": ""}
    address = server_address(config.server)
    found = ask_within(seconds, config, environment, address, lambda client: client.engines())
    return {**found.to_dict(), "address": address}


def why_not(engine: str, facts: Mapping[str, Any]) -> str:
    """Why a server cannot run an engine, as a sentence; empty where it can."""
    where = f"the server {facts['address']}" if facts["address"] else "this machine"
    engines = {known["name"]: known for known in facts["engines"]}
    able = [name for name, known in engines.items() if known["available"]]
    if engine == "auto":
        return "" if able else f"No engine can run on {where}; `void engines` says why."
    if engine not in engines:
        return f"The engine {engine} does not exist on {where}; choose one of {', '.join(able) or 'no others'}."
    if engine in able:
        return ""
    return f"The engine {engine} cannot run on {where}: {engines[engine]['reason']}"


def _memory(environment: Mapping[str, str], config: Config) -> Path:
    name = Digest.of_text(server_address(config.server)).sha256[:16] if config.server else "private"
    return Path(state_folder(environment)) / "capabilities" / f"{name}.json"


def _remembered(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # never asked, or not readable: then there is nothing to go by
        return None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or not isinstance(data.get("facts"), dict):
        return None
    return dict(data["facts"])
