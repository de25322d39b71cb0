"""Runs the benchmarks and writes RESULTS.md.

    python benchmarks [--long] [--only exr,jobs] [--results FILE]

Without --long those of the CPU that together take less than ten minutes on two quiet cores; with it those of 4K,
of hundreds of frames and of quality, which take hours. Each script runs by itself with the same flags; one that fails
is named at the end, and the others go on. The short ones are run twice, minutes apart, and a table has the rounds of
both: what a machine does to a figure from one minute to the next is more than what it does from one round to the next.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benching import results
from benching.tables import merged

HERE = Path(__file__).resolve().parent
RUNS = 2
"""Of the short ones."""
ONCE = ("jobs.py", "tiny_void.py")
"""What takes a minute and states times among each other, or spends most of it on counting."""
SHORT = (
    "start.py --rounds 4",
    "sidecar.py --rounds 5",
    "jobs.py",
    "transfer.py --megabytes 256 --rounds 2",
    "exr.py --rounds 2",
    "pipeline.py --rounds 2",
    "compose.py --frames 12 --rounds 2 --skip-memory",
    "tiny_void.py --rounds 3",
    "overall.py --width 960 --frames 24 --rounds 2",
    "growth.py --what matte --rounds 3",
)
LONG = (
    "overall.py",
    "growth.py",
    "memory.py",
    "compose.py",
    "recover.py",
    "grain.py",
    "stitch.py --rounds 3",
    "viewer.py",
    "keyframes.py",
    "profiles.py",
)


def measured(line: str, file: Path | None) -> dict[str, Any]:
    """What a script says as JSON, in the end, and in a file of results as soon as it has it.

    Raises CalledProcessError where it fails.
    """
    script, *flags = line.split()
    flags += ["--results", str(file)] if file is not None else []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        subprocess.run([sys.executable, str(HERE / script), *flags, "--json", str(report)], check=True)
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="those that take hours, in place of the short ones")
    parser.add_argument("--only", default="", help="names of scripts without .py, separated by commas")
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS.md", metavar="FILE")
    options = parser.parse_args(arguments)
    wanted, failed = set(filter(None, options.only.split(","))), []
    begun = time.monotonic()
    lines = [line for line in (LONG if options.long else SHORT) if not wanted or Path(line.split()[0]).stem in wanted]
    records: dict[str, list[dict[str, Any]]] = {line: [] for line in lines}
    for number in range(1 if options.long else RUNS):
        for line in lines:
            if number and line.startswith(ONCE):
                continue
            print(f"\n== {line}", flush=True)
            try:
                records[line].append(measured(line, options.results if options.long else None))
            except subprocess.CalledProcessError:
                failed.append(line)
                continue
            last = records[line][-1]
            for tables in zip(*(record["tables"] for record in records[line]), strict=True):
                results.put(options.results, merged(tables), last["command"], last["about"])
    print(f"\n{time.monotonic() - begun:.0f} s; {'failed: ' + ', '.join(failed) if failed else 'all ran'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
