"""The scripts of Resolve's menu are short, guarded and for the oldest Python; their documents say what is so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from installedfiles import missing_imports
from pythons import ROOT

from void_plugin.arguments import build_parser
from void_plugin.hosthalf import PACKAGE, SCRIPTS, host_files
from void_plugin.hosts.resolve_host import ACTIONS
from void_plugin.resolvearguments import ACTIONS as COMMANDS
from void_plugin.resolvearguments import INSTALLER

FILES = host_files("resolve")
README = (ROOT / "resolve" / "README.md").read_text(encoding="utf-8")
CHECK = (ROOT / "resolve" / "LIVE_CHECK.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SCRIPTS["resolve"])
def test_a_script_of_the_menu_is_a_short_launcher_that_never_breaks_resolve(name: str) -> None:
    text = (ROOT / "resolve" / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 15
    tree = ast.parse(text, feature_version=(3, 7))
    guarded = [node for node in tree.body if isinstance(node, ast.Try)]
    assert len(guarded) == 1 and guarded[0] is tree.body[-1], "everything that can fail is in one try"
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    (action,) = [ast.literal_eval(call.args[0]) for call in calls if call.func.attr == "run"]  # type: ignore[attr-defined]
    assert action in ACTIONS


def test_the_menu_has_an_entry_for_what_an_editor_does_and_a_terminal_for_the_rest() -> None:
    assert {path.name for path in (ROOT / "resolve").iterdir()} - {"__pycache__"} == {
        *SCRIPTS["resolve"], "README.md", "LIVE_CHECK.md",
    }  # fmt: skip
    assert set(COMMANDS.values()) == set(ACTIONS) and not set(COMMANDS) & set(INSTALLER)


def test_what_goes_into_resolve_imports_only_itself_and_the_standard_library() -> None:
    assert not missing_imports(FILES) and not [name for name in FILES if "nuke" in name]
    hosts = {path.name for path in (ROOT / PACKAGE / "hosts").glob("resolve_*.py")}
    assert hosts <= {Path(name).name for name in FILES}


@pytest.mark.parametrize("text", [README, CHECK, (ROOT / "README.md").read_text(encoding="utf-8")])
def test_every_option_and_command_that_is_named_exists(text: str) -> None:
    parsers = {" ".join(words): parser for words, parser in all_parsers(build_parser())}
    for command in re.findall(r"void (resolve [a-z-]+)", text):
        assert command in parsers, command
    for line in re.findall(r"`?void resolve ([a-z-]+) ([^`\n]*--[^`\n]*)", text):
        known = parsers[f"resolve {line[0]}"]._option_string_actions
        assert {*re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", line[1])} <= {*known}, line


def test_the_documents_name_the_scripts_as_they_are_called() -> None:
    for name in SCRIPTS["resolve"]:
        assert name.removesuffix(".py") in README
    assert "VOID MATTE" in README and "VOID Plate" in README and "LIVE_CHECK.md" in README


def all_parsers(parser: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A parser and those of its commands, each with the words that lead to it."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for name, below in action.choices.items():
                yield from all_parsers(below, (*words, name))
