"""What the commands of void-server say of engines, and what their flags change."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benches import slow_environment
from shots import Shot


def server(environment: dict[str, str], *arguments: str, cwd: Path, code: int = 0) -> str:
    command = [sys.executable, "-P", "-m", "void_server", *arguments]
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout or done.stderr


def lines(text: str) -> dict[str, str]:
    return {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in text.splitlines()}


def test_engines_are_listed_with_how_they_use_memory(tmp_path: Path) -> None:
    told = lines(server(slow_environment(tmp_path), "engines", "--weights", "w", "--memory", "swap", cwd=tmp_path))
    assert told["lean"] == f"ready on cpu, memory swap from {tmp_path / 'w'}"
    assert told["recover"] == "ready on cpu"
    assert told["absent"] == "There is no GPU here."
    assert told["void"].startswith("VOID needs ")


def test_engines_as_json_have_the_same_facts(tmp_path: Path) -> None:
    environment = {**slow_environment(tmp_path), "VOID_WEIGHTS": "/w", "VOID_MEMORY": "offload"}
    rows: list[dict[str, Any]] = json.loads(server(environment, "engines", "--json", cwd=tmp_path))
    facts = {row.pop("name"): row for row in rows}
    lean = {"available": True, "reason": "", "devices": ["cpu"], "memory": "offload from /w", "digest": "1"}
    assert facts["lean"] == lean
    absent = {**lean, "available": False, "reason": "There is no GPU here.", "memory": "", "digest": ""}
    assert facts["absent"] == absent


@pytest.mark.parametrize("command", [("engines",), ("task", "plan", "request.json")])
def test_a_memory_mode_that_does_not_exist_is_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    said = server(slow_environment(tmp_path), *command, "--memory", "most", cwd=tmp_path, code=2)
    assert "--memory" in said and "offload" in said


def test_a_server_refuses_a_memory_mode_in_its_own_words(tmp_path: Path) -> None:
    said = server(slow_environment(tmp_path), "serve", "--memory", "most", cwd=tmp_path, code=64)
    assert "--memory must be auto, full, swap, offload, fp8, not 'most'." in said


def test_a_task_gives_its_engine_the_machine_as_its_flags_say(shot: Shot) -> None:
    (shot.folder / "request.json").write_text(shot.request(engine="lean").to_json())
    command = ("task", "plan", "request.json", "--events", "--weights", "w", "--memory", "fp8")
    told = [json.loads(line) for line in server(slow_environment(shot.folder), *command, cwd=shot.folder).splitlines()]
    assert f"fp8 from {shot.folder / 'w'}" in [event["text"] for event in told if event["kind"] == "Warned"]
