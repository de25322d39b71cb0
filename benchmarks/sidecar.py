"""How long does a host wait for its sidecar: to start it, and for the answer to a call?

    python benchmarks/sidecar.py [--quick] [--rounds 30] [--json FILE] [--results FILE]

From the first call to its answer with the process still to be started, and the round trip of `ping` and of a call that
runs in a thread of its own, each through the bridge that a host uses; beside them what a bare Python takes to start,
which nothing here can go below.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

from benching.command import answer, build_parser, scratch
from benching.figures import Figure, in_turn, seconds
from benching.tables import Table, Verdict
from pythons import sidecar_python

from void_plugin.bridge import Sidecar

START_LIMIT, TRIP_LIMIT = 0.5, 0.002
"""Seconds."""


def start(environment: dict[str, str], folder: str) -> float:
    """Seconds from a call to its answer, with the process still to be started."""
    sidecar = Sidecar(environment=environment, log_folder=folder)
    try:
        return seconds(lambda: sidecar.ask("ping", {}, 60))
    finally:
        sidecar.close()


def trips(environment: dict[str, str], folder: str, rounds: int) -> dict[str, Figure]:
    """Seconds from a call to its answer, by kind of call."""
    sidecar = Sidecar(environment=environment, log_folder=folder)
    calls = {
        "ping, answered by the loop": lambda: seconds(lambda: sidecar.ask("ping", {}, 60)),
        "versions of no folder, in a thread": lambda: seconds(
            lambda: sidecar.ask("versions", {"output": "/no/such/folder"}, 60)
        ),
    }
    in_turn(calls, 1)  # the first one imports what it needs
    found = in_turn(calls, rounds)
    sidecar.close()
    return found


def measure(options: argparse.Namespace) -> Iterator[Table]:
    table = Table("sidecar", "A host's sidecar", ("what", "ms", "over the start of a bare Python"))
    with scratch(options) as place:
        folder = str(place)
        python = sidecar_python(place / "venv")
        environment = {**os.environ, "VOID_PLUGIN_PYTHON": python, "XDG_STATE_HOME": folder}
        bare, started = "start of a bare Python", "start to the first answer"
        found = in_turn(
            {
                bare: lambda: seconds(lambda: subprocess.run([python, "-I", "-c", ""], check=True)),
                started: lambda: start(environment, folder),
            },
            options.rounds,
        )
        found |= trips(environment, folder, 100 * options.rounds)
    base = found[bare].middle
    for name, figure in found.items():
        table.add(name, figure.times(1000), figure.times(1 / base))
    table.verdicts.append(Verdict("start to the first answer, ms", found[started].times(1000), 1000 * START_LIMIT))
    for name in list(found)[2:]:
        table.verdicts.append(Verdict(f"{name}, ms", found[name].times(1000), 1000 * TRIP_LIMIT))
    table.notes.append(f"{options.rounds} starts, {100 * options.rounds} round trips.")
    yield table


def main(arguments: Sequence[str] | None = None) -> int:
    return answer(build_parser(__doc__, rounds=30), measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
