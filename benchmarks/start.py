"""How long does a user wait for our programs to start, and for the first frame?

    python benchmarks/start.py [--quick] [--rounds 9] [--json FILE] [--results FILE]

Each program from its start to what a user waits for, in turn, beside the start of a Python that does nothing, which
none can go below. `void --help` may take 0.3 s. A first frame is one of 192x108 by the engine `identity`: what it
takes is starting; beside it stands the same frame by a server that runs already.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benching import programs
from benching.command import answer, build_parser, scratch
from benching.figures import in_turn, seconds
from benching.tables import Table, Verdict
from pythons import sidecar_python
from servers import Server
from shots import Shot, build_shot

from void_plugin.bridge import Sidecar

HELP_LIMIT, SIDECAR_LIMIT = 0.3, 0.5
"""Seconds."""
BARE = "python -c ''"


def sidecar(folder: Path, environment: Mapping[str, str]) -> Callable[[], float]:
    """From a host's first call to its answer."""
    more = {**environment, "VOID_PLUGIN_PYTHON": sidecar_python(folder / "venv")}

    def start() -> float:
        bridge = Sidecar(environment=more, log_folder=str(folder / "logs"))
        try:
            return seconds(lambda: bridge.ask("ping", {}, 60))
        finally:
            bridge.close()

    return start


def server(folder: Path) -> float:
    """From the start of `void-server serve` to the line that says where it listens."""
    served = Server(folder / "state")
    try:
        return seconds(served.start)
    finally:
        served.stop()


def first_frame(command: list[str], shot: Shot, environment: Mapping[str, str]) -> float:
    """From the start of `void remove` to the event that says that a frame is there."""
    shutil.rmtree(shot.folder / "out", ignore_errors=True)

    def until_frame() -> None:
        assert child.stdout is not None
        if not any(json.loads(line).get("kind") == "FrameReady" for line in child.stdout):
            raise SystemExit(f"{' '.join(command)} ended without a frame")

    def start() -> None:
        nonlocal child
        child = subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE, text=True)
        until_frame()

    child: subprocess.Popen[str]
    try:
        return seconds(start)
    finally:
        child.communicate()


def measure(options: argparse.Namespace) -> Iterator[Table]:
    table = Table("start", "Starting", ("what", "ms", f"over {BARE}"))
    with scratch(options) as folder:
        environment = programs.environment(folder)
        shot = build_shot(folder / "shot", count=1)
        wanted = ["remove", "--plate", shot.plate, "--matte", shot.matte, "--out", shot.out(), "--engine", "identity"]
        with Server(folder / "serving" / "state", "--allow-root", str(folder)) as serving:
            served = {**environment, "VOID_TOKEN_FILE": os.fspath(serving.state / "token")}
            address = ["--json", "--server", serving.address]
            ways: dict[str, Callable[[], float]] = {
                BARE: lambda: programs.time([sys.executable, "-c", ""], environment),
                "void --help": lambda: programs.time(programs.void("--help"), environment),
                "void remove --help": lambda: programs.time(programs.void("remove", "--help"), environment),
                "void-server --help": lambda: programs.time(programs.void_server("--help"), environment),
                "sidecar, to its first answer": sidecar(folder, environment),
                "void-server serve, until it listens": lambda: server(folder),
                "void remove, to its first frame": lambda: first_frame(
                    programs.void(*wanted, "--json"), shot, environment
                ),
                "the same, on a server that runs": lambda: first_frame(programs.void(*wanted, *address), shot, served),
            }
            in_turn(ways, 1)  # files into the system's cache, and compiled
            found = in_turn(ways, options.rounds)
    for name, figure in found.items():
        table.add(name, figure.times(1000), figure.over(found[BARE]))
    table.notes.append(f"{options.rounds} rounds in turn, files in the system's cache.")
    table.verdicts.append(Verdict("void --help, seconds", found["void --help"], HELP_LIMIT))
    table.verdicts.append(
        Verdict("the sidecar's first answer, seconds", found["sidecar, to its first answer"], SIDECAR_LIMIT)
    )
    yield table


def main(arguments: Sequence[str] | None = None) -> int:
    return answer(build_parser(__doc__, rounds=9), measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
