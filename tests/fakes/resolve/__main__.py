"""`python -m fakes.resolve SCRIPT` runs a menu script in a process of its own, as fuscript does."""

from __future__ import annotations

import sys

from . import process


def main():
    script = sys.argv[1]
    sys.argv = [""]
    bench = process.running()
    if bench is None:
        raise SystemExit("$" + process.WORLD + " names no world")
    process.run_menu(script, bench)


if __name__ == "__main__":
    main()
