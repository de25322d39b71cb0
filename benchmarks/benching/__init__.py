"""What all benchmarks share: flags, rounds in turn, tables, and RESULTS.md.

Importing it makes this checkout the one that is measured, whatever is installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PLACES = [str(ROOT), str(ROOT / "server"), str(ROOT / "tests"), str(ROOT / "benchmarks")]

sys.path[:0] = [place for place in _PLACES if place not in sys.path]


def claim_children() -> None:
    """Make child processes import this checkout too; `tests` and `benchmarks` are none of their business."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [*_PLACES[:2], os.environ.get("PYTHONPATH")]))
