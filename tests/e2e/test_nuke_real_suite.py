"""The suite for a real Nuke, kept working by letting the stand-in run it; what it shows about Nuke it shows there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from nukes import FAKE, python, stub_signatures
from pythons import ROOT

SUITE = ["-m", "pytest", "tests/nuke_real", "-n0", "-q", "-p", "no:cacheprovider"]


def child(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "server"), os.environ.get("PYTHONPATH", "")])
    given = {**os.environ, "PYTHONPATH": path, **environment}
    return subprocess.run(
        [sys.executable, *SUITE], cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=280
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the stand-in's command is a shell script")
@pytest.mark.parametrize("version", ["3.7", "3.11"])
def test_the_suite_for_a_real_nuke_passes_with_the_stand_in(version: str, tmp_path: Path) -> None:
    variables = {
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(FAKE),
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "FAKE_NUKE_SIGNATURES": str(tmp_path / "signatures.json"),
        "FAKE_NUKE_RENDERER": json.dumps([sys.executable, "-I", str(FAKE / "renderer")]),
    }
    (tmp_path / "signatures.json").write_text(stub_signatures(), encoding="utf-8")
    program = tmp_path / "Nuke"
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines.append(f'exec {shlex.quote(python(version))} -s -m fakenuke.startup "$@"')
    program.write_text("\n".join(["#!/bin/sh", *lines]) + "\n", encoding="utf-8")
    program.chmod(0o755)
    done = child({"VOID_NUKE": str(program)})
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d+ passed in", done.stdout.splitlines()[-1]), done.stdout


def test_without_a_nuke_the_suite_is_skipped_and_says_so() -> None:
    done = child({"VOID_NUKE": ""})
    assert done.returncode == 0 and "no Nuke is named by $VOID_NUKE" in done.stdout
    assert re.search(r"^\d+ skipped in", done.stdout.splitlines()[-1]), done.stdout
