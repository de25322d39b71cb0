"""The product's programs, as a user starts them, on a machine that has no configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benching.figures import seconds


def void(*arguments: str) -> list[str]:
    """The command line of `void`, of this checkout."""
    return [sys.executable, "-c", "import sys; from void_plugin.cli import main; sys.exit(main())", *arguments]


def void_server(*arguments: str) -> list[str]:
    """The command line of `void-server`, of this checkout."""
    return [sys.executable, "-c", "import sys; from void_server.cli import main; sys.exit(main())", *arguments]


def environment(folder: Path) -> dict[str, str]:
    """An environment in which nothing of whoever measures is found; state goes into a folder."""
    config = folder / "void-config.json"
    config.write_text("{}")
    return {**os.environ, "VOID_CONFIG": str(config), "XDG_STATE_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}


def time(command: list[str], environment: dict[str, str]) -> float:
    """Seconds of a program from its start to its end. Ends this one where it fails."""

    def run() -> None:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed with {done.returncode}: {done.stderr[-2000:]}")

    return seconds(run)
