"""`void resolve`: what the options of a terminal become, and how the process that talks to Resolve is shown."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from void_plugin import cli, resolvecommands
from void_plugin.arguments import build_parser
from void_plugin.errors import HostError, RequestError
from void_plugin.live.choices import Choices
from void_plugin.resolvearguments import ACTIONS
from void_plugin.resolvecommands import _Show, host_command, options_of


def parsed(*arguments: str) -> dict[str, Any]:
    return options_of(build_parser().parse_args(["resolve", *arguments]))


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_not_said_is_what_the_driver_takes_by_itself(action: str) -> None:
    assert Choices.of(parsed(action)) in (Choices(), Choices(wait=False))


def test_every_option_reaches_the_driver_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = parsed(
        "remove", "--pick", "all", "--clip", "sh010", "--clip", "sh020", "--matte", "m/{shot}.####.exr",
        "--matte-root", "roots", "--output", "out", "--all-context", "--handles", "3", "--engine", "void",
        "--prompt", "a street", "--colour", "ACEScg", "--setting", "seed=7", "--setting", "grain=off", "--dry-run",
        "--place", "--no-wait", "--retry", "--priority", "70", "--server", "farm:1", "--plate", "render",
        "--preset", "Mine",
    )  # fmt: skip
    assert Choices.of(found) == Choices(
        pick="all", names=("sh010", "sh020"), matte=str(tmp_path / "m" / "{shot}.####.exr"),
        matte_root=str(tmp_path / "roots"), output=str(tmp_path / "out"), context=-1, handles=3, engine="void",
        prompt="a street", colour="ACEScg", settings={"seed": 7, "grain": "off"}, dry_run=True, place=True, wait=False,
        retry=True, priority=70, server="farm:1", plate="render", preset="Mine",
    )  # fmt: skip
    with pytest.raises(RequestError, match="seed=7"):
        parsed("remove", "--setting", "seed")


def test_any_python_runs_our_host_half_and_nothing_else_that_lies_beside_it(tmp_path: Path) -> None:
    command = host_command(sys.executable, "remove", {"pick": "all"})
    assert command[-4:] == ["remove", "--options", '{"pick": "all"}', "--json"]
    place = command[6]
    script = command[5].replace("sys.exit(main(sys.argv[1:]))", "print(main.__module__, sys.path.count(place))")
    import subprocess

    told = subprocess.run([*command[:5], script, place], capture_output=True, text=True, cwd=tmp_path, check=True)
    bare = [*command[:5], "import sys; print(sys.path.count(sys.argv[1]))", place]
    before = subprocess.run(bare, capture_output=True, text=True, cwd=tmp_path, check=True)
    # A Python in which this very checkout is installed knows the place by itself.
    assert told.stdout.split() == ["void_plugin.hosts.resolve_host", before.stdout.strip()]


# -- what the other process says -----------------------------------------------------------------------------------


def saying(tmp_path: Path, *lines: str, code: int = 0) -> list[str]:
    """A command that says some lines and ends with a code."""
    script = tmp_path / "host.py"
    script.write_text(f"import sys\nfor line in {list(lines)!r}: print(line)\nsys.exit({code})\n")
    return [sys.executable, str(script)]


def test_what_is_told_is_shown_as_it_comes_and_the_code_is_that_of_the_host(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        "fusionscript says hello",
        json.dumps({"event": {"kind": "Exporting", "shot": "sh010", "what": "plate", "percent": 50}}),
        json.dumps({"event": {"kind": "Progressed", "shot": "sh010", "step": "solve", "fraction": 0.5}}),
        json.dumps({"told": "sh010: placed."}),
        json.dumps({"result": {"ok": False, "rows": []}}),
    ]
    assert _Show(False).run(saying(tmp_path, *lines, code=1), os.environ) == 1
    assert capsys.readouterr().out == "sh010: placed.\n"
    assert _Show(True).run(saying(tmp_path, *lines, code=1), os.environ) == 1
    assert json.loads(capsys.readouterr().out) == {"ok": False, "rows": []}


def test_an_error_of_the_host_is_that_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = json.dumps({"error": {"code": "host.resolve", "text": "No project is open in Resolve; open one."}})
    command = saying(tmp_path, error, code=1)
    monkeypatch.setattr(resolvecommands, "host_command", lambda *_: command)
    assert cli.main(["resolve", "jobs"]) == 1
    assert capsys.readouterr().err.strip() == "No project is open in Resolve; open one."


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_a_python_that_dies_on_resolves_library_is_a_sentence(tmp_path: Path) -> None:
    script = tmp_path / "host.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    with pytest.raises(HostError, match=r"has ended \(-11\).*python\.org.*--python"):
        _Show(False).run([sys.executable, str(script)], os.environ)
    with pytest.raises(HostError, match="cannot be started"):
        _Show(False).run([str(tmp_path / "none")], os.environ)
