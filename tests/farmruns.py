"""Requests on a farm with the void-server of this tree: what is submitted, what is written, what is left running."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from shots import Shot

from void_plugin.request import Output, RemovalRequest

ROOT = Path(__file__).parents[1]
PATIENCE = 120.0
"""Seconds after which a test gives up; how long something takes decides nothing."""
ENGINES = {"slow": "fakes.slow_engine:SlowEngine", "card": "fakes.slow_engine:CardEngine"}


def machine(folder: Path, farm: str, table: Mapping[str, object]) -> dict[str, str]:
    """The environment of a machine whose site has one farm, and starts this tree's void-server: a unit a task."""
    command = [sys.executable, "-m", "void_server"]
    config = {"server_command": command, "site": str(folder / "site.toml"), "workers": 1, "engines": ENGINES}
    (folder / "config.json").write_text(json.dumps(config))
    lines = ["[farm]", f'default = "{farm}"', "units_per_task = 1", "frames_per_task = 6"]
    lines += [f"command = {json.dumps(command)}", f"openjd = {json.dumps([sys.executable, '-m', 'openjd'])}"]
    lines += [f"[farm.{farm}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    (folder / "site.toml").write_text("\n".join([*lines, ""]))
    paths = [str(ROOT), str(ROOT / "server"), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    return {
        "VOID_CONFIG": str(folder / "config.json"),
        "XDG_STATE_HOME": str(folder / "state"),
        "TMPDIR": str(folder),
        "PYTHONPATH": os.pathsep.join(paths),
    }


def request_of(shot: Shot, folder: str = "farm", **changes: object) -> RemovalRequest:
    """A request whose results lie beside the plates, as a farm wants them."""
    where = shot.folder.parent / folder
    outputs = (Output("patch", str(where / "r.%04d.exr")), Output("comp", str(where / "comp.%04d.exr")))
    return shot.request(outputs=outputs, shot="sh010", **changes)


def saved(request: RemovalRequest, folder: Path) -> str:
    path = folder / "request.json"
    path.write_text(request.to_json())
    return str(path)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.exr")}


def void(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "void_plugin.cli", *arguments]
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)


def about(folder: Path) -> dict[int, str]:
    """Processes of this machine that know a folder from their arguments or their environment, with their arguments."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
                told = line + (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in told:
                found[int(entry.name)] = line.replace(b"\0", b" ").decode("utf-8", "replace")
    return found


def eventually(true: Callable[[], object], problem: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, problem()
        time.sleep(0.05)
