"""A stand-in for `void-server task` on a worker: `farm_task.py FOLDER STEP VALUE`. It does as files in FOLDER say.

Each run is told in `STEP-VALUE.runs`, one JSON object a line: where it ran and how it ended. `STEP-VALUE.exits` lists
exit codes, the nth for the nth run, 0 after the last. While `STEP-VALUE.hold` exists it waits, and on SIGTERM it ends
with 143.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

SEEN = ("SLURMD_NODENAME", "CUDA_VISIBLE_DEVICES", "SLURM_RESTART_COUNT", "SLURM_JOB_PARTITION", "TMPDIR", "SITE_SETUP")


def main(folder: Path, step: str, value: str) -> int:
    """Run one task and return its exit code."""
    stem = folder / f"{step}-{value}"
    tell(stem, {"begins": {name: os.environ[name] for name in SEEN if name in os.environ}})

    def stop(number: int, frame: FrameType | None) -> None:
        tell(stem, {"ends": 143})
        os._exit(143)

    signal.signal(signal.SIGTERM, stop)
    print("openjd_progress: 50", flush=True)
    print(f"openjd_status: {step} {value} is at work", flush=True)
    hold, exits = Path(f"{stem}.hold"), Path(f"{stem}.exits")
    while hold.exists():
        time.sleep(0.05)
    codes = [int(word) for word in exits.read_text().split()] if exits.exists() else []
    runs = sum("begins" in run for run in runs_of(folder, step, value))
    code = codes[runs - 1] if runs <= len(codes) else 0
    if code:
        print(f"openjd_fail: {step} {value} was told to end with {code}.", flush=True)
    if code < 0:
        os.kill(os.getpid(), -code)
    tell(stem, {"ends": code})
    return code


def runs_of(folder: Path, step: str, value: str) -> list[dict[str, object]]:
    """What the runs of a task have told."""
    path = folder / f"{step}-{value}.runs"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def tell(stem: Path, what: dict[str, object]) -> None:
    with open(f"{stem}.runs", "a", encoding="utf-8") as stream:
        stream.write(json.dumps(what) + "\n")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
