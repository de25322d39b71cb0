"""A user with a server and a farm of this tree: what windows ask a sidecar, and what tests of windows need for it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import farmruns
from servers import Server
from shots import Shot

from void_plugin.config import load_config
from void_plugin.desk import Desk
from void_plugin.hostcall import HostCall
from void_plugin.request import Output, RemovalRequest
from void_plugin.serverjob import ServerJob
from void_plugin.sidecalls import CALLS

ROOT = Path(__file__).parents[1]
SECONDS = 120.0


def user(folder: Path, server: Server | None = None) -> dict[str, str]:
    """The environment of a user of their own, whose site has the farm `local`."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOID_")}
    programs = {"VOID_KEEP_ENVIRONMENT": "1", "VOID_PLUGIN_PYTHON": sys.executable}
    made = {**kept, **farmruns.machine(folder, "local", {}), **programs}
    if server is not None:
        made.update(VOID_SERVER=server.address, VOID_TOKEN_FILE=str(server.state / "token"))
    return made


def ask(environment: dict[str, str], name: str, /, **args: Any) -> dict[str, Any]:
    """What a sidecar of this user answers. Raises the error that it tells."""
    return CALLS[name](Desk(environment), HostCall(name, args, lambda event: None, lambda *_: {}))


def request_of(shot: Shot, name: str, **changes: Any) -> RemovalRequest:
    """A job of its own, with a name and a folder of its own beside the plates."""
    outputs = (Output("patch", str(folder_of(shot, name) / "result.%04d.exr")),)
    values = {"shot": name, "frames": shot.frames, "shot_range": shot.frames, "outputs": outputs}
    return shot.request(**{**values, **changes})


def folder_of(shot: Shot, name: str) -> Path:
    """Where the results of a job lie."""
    return shot.folder.parent / "out" / name


def slow_of(shot: Shot, name: str, **told: Any) -> RemovalRequest:
    """A job of the slow engine, which does as it is told."""
    return request_of(shot, name, engine="slow", prompt=json.dumps(told))


def submit(environment: dict[str, str], request: RemovalRequest) -> str:
    """Give a job to the server as this user's client does, and leave it there; its id."""
    config = load_config(environment)
    events = ServerJob(config, environment).submit(request)
    for event in events:
        if event.job:
            events.close()
            return event.job
    raise AssertionError("the server took no job")


def states(environment: dict[str, str]) -> dict[str, str]:
    """The state of each job of the server by its shot."""
    return {row["shot"]: row["state"] for row in ask(environment, "jobs")["jobs"]}
