"""A host process for tests: any Python from 3.7 on with the fake `nuke` on its path and our host half beside it.

    host = Nuke(python("3.9"), tmp_path / "host")
    assert host.run(scenario, "an argument") == {"what": "the scenario returned"}

A scenario is a function that stands by itself: it imports what it uses, is written in the syntax of the oldest Python
it runs in, and takes and returns what JSON can hold. Only its source travels. It fails the test when it raises, when
a rule of Nuke's was broken (`nuke.fake.faults`), when an exception left a callback (`nuke.fake.tracebacks`), or when
something is loaded that must never be inside a host.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes.fakenuke import signatures
from pythons import interpreters

ROOT = Path(__file__).parents[1]
FAKE = Path(__file__).parent / "fakes" / "fakenuke"
HOST_HALF = (
    *("__init__", "config", "errors", "events", "frames", "request", "settings"),
    *("bridge", "childprocess", "endings", "hostanswers", "launch", "lineprotocol", "sidecarprocess"),
)
"""Modules of void_plugin that go into a host, besides the package `hosts`."""


@functools.lru_cache
def python(version: str) -> str:
    """A Python of a version for a host. Skips the test, with the reason, where there is none that has Tcl."""
    path = interpreters().get(version)
    if path is None:
        pytest.skip(f"no Python {version} on this machine")
    if subprocess.run([path, "-c", "import tkinter"], capture_output=True).returncode:
        pytest.skip(f"the Python {version} of this machine was built without Tcl")
    return path


def refused(call, error, words=""):  # type: ignore[no-untyped-def]
    """Checks inside a scenario that a call raises such an error, with such words. Every scenario may use it."""
    try:
        call()
    except error as raised:
        assert words in str(raised), repr(raised)
        return
    raise AssertionError("nothing was raised")


@functools.lru_cache(maxsize=1)
def stub_signatures() -> str:
    """What the fake checks calls against, as JSON."""
    return json.dumps(signatures.read())


def copy_host_half(folder: Path) -> None:
    """Puts what an installer would put into a host's Python path into a folder."""
    package = folder / "void_plugin"
    package.mkdir(parents=True)
    for name in HOST_HALF:
        if (ROOT / "void_plugin" / f"{name}.py").is_file():
            shutil.copy(ROOT / "void_plugin" / f"{name}.py", package)
    if (ROOT / "void_plugin" / "hosts").is_dir():
        shutil.copytree(ROOT / "void_plugin" / "hosts", package / "hosts", ignore=shutil.ignore_patterns("__pycache__"))


class Running:
    """A scenario at work in its process."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process, self._folder = process, folder

    def output(self) -> str:
        """What the process printed so far; the end of it."""
        return (self._folder / "output.txt").read_text(errors="replace")[-8000:]

    def result(self, timeout: float = 120.0) -> Any:
        """What the scenario returned; AssertionError with the traceback when it failed."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the scenario did not end within {timeout} s\n{self.output()}") from None
        answer = self._folder / "answer.json"
        assert answer.is_file(), f"the host ended with {code}\n{self.output()}"
        told = json.loads(answer.read_text(encoding="utf-8"))
        assert not told["problems"], "\n".join([*told["problems"], self.output()])
        return told["result"]


class Nuke:
    """A host of one Python; every `run` is a new process that shares the folder with the others."""

    def __init__(
        self,
        python: str,
        folder: Path,
        *,
        gui: bool = True,
        version: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.python, self.folder = python, folder
        self.half, self.home = folder / "half", folder / "home"
        self._count = 0
        copy_host_half(self.half)
        self.home.mkdir()
        (folder / "signatures.json").write_text(stub_signatures(), encoding="utf-8")
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.home),
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
            "PYTHONPATH": os.pathsep.join([str(FAKE), str(self.half)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "VOID_PLUGIN_PYTHON": sys.executable,
            "VOID_CONFIG": str(folder / "config.json"),
            "FAKE_NUKE_GUI": "1" if gui else "0",
            "FAKE_NUKE_VERSION": version,
            "FAKE_NUKE_SIGNATURES": str(folder / "signatures.json"),
            "FAKE_NUKE_RENDERER": json.dumps([sys.executable, "-I", str(FAKE / "renderer")]),
            **(environment or {}),
        }

    def start(
        self,
        scenario: Callable[..., Any] | Path,
        *arguments: Any,
        helpers: Sequence[Callable[..., Any]] = (),
    ) -> Running:
        """Begins a scenario: a function, or a file with a function `scenario`. `helpers` are functions it calls."""
        self._count += 1
        folder = self.folder / f"run{self._count}"
        folder.mkdir()
        if isinstance(scenario, Path):
            source, name, line, file = scenario.read_text(encoding="utf-8"), "scenario", 1, str(scenario)
        else:
            lines, line = inspect.getsourcelines(scenario)
            source, name, file = (
                textwrap.dedent("".join(lines)),
                scenario.__name__,
                str(inspect.getsourcefile(scenario)),
            )
        order = {
            "source": source,
            "name": name,
            "line": line,
            "file": file,
            "helpers": [textwrap.dedent(inspect.getsource(helper)) for helper in (refused, *helpers)],
            "arguments": arguments,
            "answer": str(folder / "answer.json"),
        }
        (folder / "order.json").write_text(json.dumps(order, default=str), encoding="utf-8")
        with open(folder / "output.txt", "wb") as output:
            process = subprocess.Popen(
                [self.python, "-s", "-m", "fakenuke.scenario", str(folder / "order.json")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=folder,
            )
        return Running(process, folder)

    def run(
        self,
        scenario: Callable[..., Any] | Path,
        *arguments: Any,
        helpers: Sequence[Callable[..., Any]] = (),
        timeout: float = 120.0,
    ) -> Any:
        """What a scenario returns."""
        return self.start(scenario, *arguments, helpers=helpers).result(timeout)
