"""A real Nuke for tests, named by $VOID_NUKE: each run is `nuke -t` with a script that holds one function.

    nuke = RealNuke(command(), tmp_path, ROOT / "nuke", python)
    assert nuke.run(function, "an argument") == {"what": "it returned"}

Only the function's source travels; it imports what it uses, in the syntax of Python 3.7. Its answer comes back between
two marks on stdout, since Nuke prints there as well.
"""

from __future__ import annotations

import inspect
import json
import os
import shlex
import subprocess
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

VARIABLE = "VOID_NUKE"
"""Names the executable, with what has to be typed before its options."""
SECONDS = 900.0
"""One run may wait for a licence."""
MARK = "=== void_plugin answers ==="


def command() -> list[str]:
    """How to start Nuke; empty where none is named."""
    return shlex.split(os.environ.get(VARIABLE, ""), posix=os.name != "nt")


class RealNuke:
    """A Nuke that looks for the plug-in in one folder, or nowhere, and for the sidecar and its server in one Python."""

    def __init__(self, executable: Sequence[str], folder: Path, plugin: Path | None, python: str) -> None:
        self._command, self._folder, self._count = [*executable], folder, 0
        folder.mkdir(parents=True, exist_ok=True)
        config = {"python": python, "server_command": [python, "-m", "void_server"]}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        # What is not ours stays: licences and libraries are found through the environment.
        ours = ("VOID_", "PYTHON", "NUKE_PATH")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment["VOID_CONFIG"] = str(folder / "config.json")
        self.environment["XDG_STATE_HOME"] = str(folder / "state")
        if plugin is not None:
            self.environment["NUKE_PATH"] = str(plugin)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a function returns; AssertionError with all that Nuke printed where it raises or never answers."""
        self._count += 1
        script = self._folder / f"run{self._count}.py"
        source = textwrap.dedent(inspect.getsource(function))
        call = f"{function.__name__}(*json.loads({json.dumps(json.dumps(arguments, default=str))}))"
        script.write_text(f"import json\n{source}\nprint({MARK!r} + json.dumps({call}) + {MARK!r})\n", encoding="utf-8")
        done = self.start("-t", str(script))
        parts = done.stdout.split(MARK)
        assert len(parts) == 3, f"{' '.join(self._command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return json.loads(parts[1])

    def start(self, *options: str) -> subprocess.CompletedProcess[str]:
        """One run of Nuke with these options, to its end."""
        return subprocess.run(
            [*self._command, *options],
            env=self.environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
