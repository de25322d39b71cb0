"""Installing the plug-in for tests, and a Nuke that starts with it: only what Nuke itself would find is on its path.

    void(tmp_path / "home", python, "nuke", "install")
    assert start(tmp_path / "gui", tmp_path / "home", "3.11")["menus"] == ["VOID"]

Nothing of the checkout is on the path of either.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from nukes import FAKE, Nuke
from pythons import interpreters

PYTHONS = ("3.7", "3.11", "3.13")
"""The oldest that Nuke has, the one of Nuke 16 and 17, and the next."""


def user(home: Path, **more: str) -> dict[str, str]:
    """The environment of somebody whose home this is; nothing of this checkout is on any path of theirs."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "SYSTEMROOT") if name in os.environ}
    return {**kept, "HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "PYTHONUTF8": "1", **more}


def void(home: Path, python: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`void ...` as that user types it, with the void of a Python."""
    command = [python, "-I", "-m", "void_plugin.cli", *arguments]
    return subprocess.run(command, env=user(home, **more), capture_output=True, text=True, check=False, cwd=home)


def start(
    folder: Path, home: Path, version: str, *, gui: bool = True, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What a Nuke of this Python shows once it has started as that user: see `found`."""
    if version not in interpreters():
        pytest.skip(f"there is no CPython {version} here")
    given = {
        "PYTHONPATH": str(FAKE),
        "PYTHONUTF8": "1",
        "VOID_PLUGIN_PYTHON": "",
        "VOID_CONFIG": "",
        **user(home),
        **(environment or {}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    host = Nuke(interpreters()[version], folder / "host", gui=gui, environment=given)
    return dict(host.run(found, gui))


# -- inside the host -----------------------------------------------------------------------------------------------


def found(gui):  # type: ignore[no-untyped-def]
    """Starts, asks the sidecar for a sign of life where the plug-in is there, and tells what there is."""
    import io
    import sys

    from fakenuke.facade import GRAPH
    from fakenuke.startup import start

    import nuke

    printed, before = io.StringIO(), sys.stdout
    sys.stdout = printed
    try:
        start(GRAPH, {"__name__": "__main__", "nuke": nuke})
    finally:
        sys.stdout = before
    told = {"printed": printed.getvalue().splitlines(), "path": nuke.pluginPath(), "menus": [], "commands": []}
    told["loaded"] = sorted(name for name in sys.modules if name.partition(".")[0] == "void_plugin")
    if gui:
        told["menus"] = [item.name() for item in nuke.menu("Nuke").items()]
        below = nuke.menu("Nuke").menu("VOID")
        told["commands"] = [item.name() for item in below.items()] if below else []
    if told["menus"] or not gui:
        try:
            from void_plugin.hosts import nuke_host
        except ImportError as error:
            told["missing"] = str(error)
        else:
            told["file"] = nuke_host.__file__
            with nuke.fake.apart():
                told["pong"] = nuke_host.session().sidecar.ask("ping", {}, timeout=60.0)
                nuke_host.session().sidecar.close()
    return told
