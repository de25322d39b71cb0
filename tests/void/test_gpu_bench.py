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
    done = bench("--device", "cpu", "--quick", "--stages", "ACPEM", "--json", str(report))
    assert done.returncode == 0, done.stderr
    assert "upstream is skipped: no checkout given with --upstream" in done.stderr
    tables = json.loads(report.read_text())["tables"]
    assert [table["name"] for table in tables] == [f"gpu_void.tiny.{stage}" for stage in "ACPEM"]
    rows = {row["what"]: row for table in tables for row in table["rows"]}
    assert not [name for name, row in rows.items() if row.get("note", "").startswith("failed") and "fp8" not in name]
    for named in (
        "matrix product",
        "decode 85 frames, ours",
        "85 frames, pass 2",
        "101 frames, pass 1",
        "mode offload",
    ):
        assert any(named in name and row["ms"] > 0 for name, row in rows.items()), named
