"""The lines between host and sidecar, and the files of a version: read by hosts of other versions than ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.fake_services import MAGIC
from pythons import ROOT
from shapes import shape

from void_plugin.frames import FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest

GOLDEN = Path(__file__).parent
FRAMES = FrameRange(1001, 1003)


class Lines:
    """A sidecar, spoken to without any of our host half."""

    def __init__(self, python: str, environment: dict[str, str]) -> None:
        command = [python, "-I", "-X", "utf8", "-m", "void_plugin.sidecar"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())  # type: ignore[no-any-return]

    def until_end(self) -> list[dict[str, Any]]:
        """The lines of one call."""
        found = [self.line()]
        while "event" in found[-1]:
            found.append(self.line())
        return found


@pytest.fixture
def lines(tmp_path: Path, void_python: str) -> Iterator[Lines]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOID_")}
    program = f'"{sys.executable}" "{ROOT / "tests" / "fakes" / "fake_services.py"}"'
    places = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    path = os.pathsep.join([str(ROOT), kept.get("PYTHONPATH", "")])
    running = Lines(void_python, {**kept, **places, "VOID_SERVER_COMMAND": program, "PYTHONPATH": path})
    yield running
    running.process.communicate(timeout=60)


def test_the_lines_and_files_of_a_version_have_the_shapes_that_were_agreed(lines: Lines, tmp_path: Path) -> None:
    """Rewrite tests/golden/sidecar.json by hand, together with the number of the protocol or of the file's schema."""
    found = {"hello": shape(lines.line())}
    lines.send({"hello": {"protocol": 1, "version": "0.1.0", "host": "test 1.0", "pid": 1, "mood": "good"}})
    node = {"name": "VoidRemove1", "uuid": "u1", "script": "/shots/a.nk"}
    args = {**node, "output": str(tmp_path / "out"), "frames": str(FRAMES), "bytes": 1000, "engine": "recover",
            "server": "", "views": ["main"], "test": False, "kind": "remove"}  # fmt: skip
    lines.send({"id": 1, "call": "prepare", "args": args, "mood": "good"})
    prepared = lines.line()
    folder = Path(prepared["result"]["folder"])
    for name in ("plate", "matte"):
        for frame in FRAMES:
            path = folder / "inputs" / "main" / f"{name}.{frame}.exr"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(MAGIC + b"pixels")
    request = RemovalRequest(
        plate=ImageInput(f"{folder}/inputs/main/plate.%04d.exr"),
        object_matte=ImageInput(f"{folder}/inputs/main/matte.%04d.exr"),
        outputs=(Output("patch", f"{folder}/patch/VoidRemove1.%04d.exr"),),
        frames=FRAMES,
        shot_range=FRAMES,
        engine="recover",
    )
    started = {"folder": str(folder), "kind": "remove", "requests": {"main": request.to_dict()}, "server": "",
               "node": {**node, "settings": {"seed": 7}, "version": 1}, "facts": {"format": [96, 54]}}  # fmt: skip
    lines.send({"id": 2, "call": "start", "args": started})
    *events, ended = lines.until_end()
    found["prepare"], found["start"] = shape(prepared), shape(ended)
    found.update({f"event {line['event']['kind']}": shape(line) for line in events})
    asked = {
        "versions": {"output": str(tmp_path / "out")},
        "manifest": {"folder": str(folder)},
        "attach": {"folder": str(folder), "uuid": "u1"},
        "capabilities": {"server": ""},
        "ping": {},
        "cancel": {"call": 2},
        "delete": {"output": str(tmp_path / "out"), "folders": [str(tmp_path / "mine")]},
        "release": {"folder": str(tmp_path / "nowhere")},
        "dance": {},
    }
    for number, (name, given) in enumerate(asked.items(), 3):
        lines.send({"id": number, "call": name, "args": given})
        answer = lines.line()
        assert answer["id"] == number, answer
        found[name] = shape(answer)
    record = json.loads((folder / "job.json").read_text())
    found["job.json"] = shape({**record, "requests": {"main": {}}})  # what a request is has a test of its own
    found["manifest.json"] = shape(json.loads((folder / "manifest.json").read_text()))
    assert found == json.loads((GOLDEN / "sidecar.json").read_text()), json.dumps(found, indent=1)
