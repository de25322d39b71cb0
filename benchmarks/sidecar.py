"""How long does a host wait for its sidecar: to start it, and for the answer to a call?

    python benchmarks/sidecar.py [--quick] [--json FILE]

From the first call to its answer with the process still to be started, and the round trip of `ping` and of a call that
runs in a thread of its own, each through the bridge that a host uses. Medians with the fastest and slowest of all runs;
beside them what a bare Python takes to start, which nothing here can go below.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from pythons import sidecar_python  # noqa: E402

from void_plugin.bridge import Sidecar  # noqa: E402

START_LIMIT, TRIP_LIMIT = 0.5, 0.002
"""Seconds."""


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def starts(environment: dict[str, str], folder: str, rounds: int) -> list[float]:
    """From a call to its answer, with the process still to be started."""
    found = []
    for _ in range(rounds):
        sidecar = Sidecar(environment=environment, log_folder=folder)
        found.append(seconds(lambda sidecar=sidecar: sidecar.ask("ping", {}, 60)))  # type: ignore[misc]
        sidecar.close()
    return found


def trips(environment: dict[str, str], folder: str, rounds: int) -> dict[str, list[float]]:
    """From a call to its answer, by kind of call."""
    sidecar = Sidecar(environment=environment, log_folder=folder)
    calls = {
        "ping, answered by the loop": lambda: sidecar.ask("ping", {}, 60),
        "versions of no folder, in a thread": lambda: sidecar.ask("versions", {"output": "/no/such/folder"}, 60),
    }
    found: dict[str, list[float]] = {}
    for name, call in calls.items():
        call()  # the first one imports what it needs
        found[name] = [seconds(call) for _ in range(rounds)]
    sidecar.close()
    return found


def bare(python: str, rounds: int) -> list[float]:
    """The start of a Python that does nothing."""
    return [seconds(lambda: subprocess.run([python, "-I", "-c", ""], check=True)) for _ in range(rounds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5 starts, 200 round trips")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    started, tripped = (5, 200) if options.quick else (30, 5000)
    with tempfile.TemporaryDirectory(prefix="void-sidecar-") as folder:
        python = sidecar_python(Path(folder) / "venv")
        environment = {**os.environ, "VOID_PLUGIN_PYTHON": python, "XDG_STATE_HOME": folder}
        figures = {"start of a bare Python": bare(python, started)}
        figures[f"start to answer (limit {1000 * START_LIMIT:.0f} ms)"] = starts(environment, folder, started)
        for name, found in trips(environment, folder, tripped).items():
            figures[f"{name} (limit {1000 * TRIP_LIMIT:.0f} ms)"] = found
    table = {
        name: {"median": statistics.median(found), "fastest": min(found), "slowest": max(found), "runs": len(found)}
        for name, found in figures.items()
    }
    print(f"{'ms':52} {'median':>9} {'fastest':>9} {'slowest':>9} {'runs':>6}")
    for name, row in table.items():
        times = " ".join(f"{1000 * row[key]:9.2f}" for key in ("median", "fastest", "slowest"))
        print(f"{name:52} {times} {row['runs']:6}")
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
