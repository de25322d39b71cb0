"""Runs the benchmarks and writes RESULTS.md.

    python benchmarks [--long] [--only exr,jobs] [--results FILE]

Without --long those of the CPU that together take less than ten minutes on two quiet cores; with it those of 4K,
of hundreds of frames and of quality, which take hours. Each script runs by itself with the same flags; one that fails
is named at the end, and the others go on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHORT = (
    "start.py",
    "sidecar.py --rounds 10",
    "jobs.py",
    "transfer.py --megabytes 256 --rounds 3",
    "exr.py --rounds 3",
    "pipeline.py --rounds 5",
    "compose.py --frames 12 --rounds 3 --skip-memory",
    "tiny_void.py",
    "overall.py --width 960 --frames 24 --rounds 3",
    "growth.py --what matte --rounds 2",
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


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="those that take hours, in place of the short ones")
    parser.add_argument("--only", default="", help="names of scripts without .py, separated by commas")
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS.md", metavar="FILE")
    options = parser.parse_args(arguments)
    wanted, failed = set(filter(None, options.only.split(","))), []
    begun = time.monotonic()
    for line in LONG if options.long else SHORT:
        script, *flags = line.split()
        if wanted and script.removesuffix(".py") not in wanted:
            continue
        print(f"\n== {line}", flush=True)
        command = [sys.executable, str(HERE / script), *flags, "--results", str(options.results)]
        if subprocess.run(command, check=False).returncode:
            failed.append(line)
    print(f"\n{time.monotonic() - begun:.0f} s; {'failed: ' + ', '.join(failed) if failed else 'all ran'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
