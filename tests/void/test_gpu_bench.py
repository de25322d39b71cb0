"""benchmarks/gpu_void.py: complete at tiny size on a CPU, skipped without a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "gpu_void.py"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_without_a_gpu_it_says_that_it_was_skipped() -> None:
    done = bench()
    assert done.returncode == 0 and done.stdout.startswith("skipped: no CUDA device\n")


def test_at_tiny_size_every_stage_has_its_rows(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = bench("--device", "cpu", "--quick", "--stages", "ACDEM", "--json", str(report))
    assert done.returncode == 0, done.stderr
    (table,) = json.loads(report.read_text())["tables"]
    rows = {row["stage, what"]: row for row in table["rows"]}
    assert {name[0] for name in rows} == {"u", "A", "C", "D", "E", "M"}
    assert not [name for name, row in rows.items() if row["note"].startswith("failed") and "fp8" not in name]
    for named in ("pass 1, ours against resident", "both passes, ours, without a prompt", "memory mode offload"):
        assert any(named in name and row["ms"] > 0 for name, row in rows.items()), named
    assert rows["upstream"]["note"] == "skipped: no checkout given with --upstream"
