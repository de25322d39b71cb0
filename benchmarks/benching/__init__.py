"""What all benchmarks share: flags, rounds in turn, tables, and RESULTS.md.

Importing it makes this checkout the one that is measured, here and in every child process, whatever is installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PLACES = [str(ROOT), str(ROOT / "server"), str(ROOT / "tests"), str(ROOT / "benchmarks")]

sys.path[:0] = _PLACES
# `tests` and `benchmarks` stay out: children are the product's own programs.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [*_PLACES[:2], os.environ.get("PYTHONPATH")]))
