"""nuke/README.md says what is so: every knob under its label, every message as the code has it, the panel as it is."""

import ast
import importlib.util
import os
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pythons import ROOT

from void_plugin.arguments import build_parser
from void_plugin.hosts.nuke_knobs import INPUTS, KNOBS

README = (ROOT / "nuke" / "README.md").read_text(encoding="utf-8")
SCRIPT = ROOT / "docs" / "nuke_panel.py"


def section(title: str) -> str:
    """The text below a heading, to the next of its kind or above."""
    _, _, rest = README.partition(f"\n{title}\n")
    assert rest, f"there is no heading {title!r}"
    depth = title.count("#")
    return re.split(rf"\n#{{1,{depth}}} ", rest)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


# -- knobs ---------------------------------------------------------------------------------------------------------


def visible() -> dict[str, list[tuple[str, str]]]:
    """Label and name of each knob that an artist sees, by tab."""
    found: dict[str, list[tuple[str, str]]] = {}
    for knob in KNOBS:
        if knob.kind == "tab":
            found[knob.label] = []
        elif knob.kind != "divider":
            label = knob.label or ("–" if knob.kind == "string" else knob.name)
            found[list(found)[-1]].append((label, f"`{knob.name}`"))
    return found


@pytest.mark.parametrize("tab", visible())
def test_each_tab_lists_its_knobs_in_their_order_and_no_others(tab: str) -> None:
    table = rows(section(f"### {tab}"))
    assert [(label, name) for label, name, _ in table] == visible()[tab]
    assert all(what for _, _, what in table)


def test_every_tab_has_its_section_and_the_inputs_are_named() -> None:
    node = section("## The node")
    assert re.findall(r"\n### (.+)", node) == list(visible())
    assert tuple(name for name, _ in rows(node.partition("###")[0])) == INPUTS


def test_no_other_knob_is_spoken_of() -> None:
    names = {knob.name for knob in KNOBS}
    spoken = {word for word in re.findall(r"`([a-z0-9]+_[a-z0-9_]+)`", README)}
    assert spoken - names <= {"void_plugin"}


# -- messages ------------------------------------------------------------------------------------------------------


def texts() -> Iterator[str]:
    """Every text in the code that a host runs or a sidecar says, with … for what is put in."""
    for path in (*ROOT.glob("void_plugin/**/*.py"), *ROOT.glob("nuke/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"\{[^{}]*\}", "…", node.value)
            elif isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


TEXTS = [re.sub("…[…: ]*…", "…", text) for text in texts()]


@pytest.mark.parametrize("row", rows(section("## Troubleshooting")), ids=lambda row: row[0].strip("`")[:50])
def test_each_message_that_is_explained_is_one_of_ours(row: list[str]) -> None:
    message, advice = row
    assert message.startswith("`") and message.endswith("`") and advice
    wanted = message.strip("`").removesuffix("…").removeprefix("…")
    assert len(wanted.replace("…", "").strip(" .:")) > 12, "too little to be told from other messages"
    assert any(wanted in text for text in TEXTS)


def test_every_option_and_variable_that_is_named_exists() -> None:
    known = {word for parser in all_parsers(build_parser()) for word in parser._option_string_actions}
    batch = (ROOT / "void_plugin" / "hosts" / "nuke_batch.py").read_text(encoding="utf-8")
    known |= set(re.findall(r'"(--[a-z-]+)"', batch))
    assert {*re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", README)} <= known
    code = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("void_plugin/*.py"))
    code += "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/realnuke.py"))
    for name in {*re.findall(r"\b(VOID_[A-Z_]+)\b", README)}:
        assert f'"{name}"' in code, name


def all_parsers(parser: Any) -> Iterator[Any]:
    """A parser and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for below in action.choices.values():
                yield from all_parsers(below)


# -- the picture ---------------------------------------------------------------------------------------------------


def drawing() -> Any:
    """The script that draws the picture, as a module; it needs Qt only to draw."""
    spec = importlib.util.spec_from_file_location("nuke_panel", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def png_texts(path: Path) -> dict[str, str]:
    """What a PNG says about itself."""
    data, at, found = path.read_bytes(), 8, {}
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"tEXt":
            key, _, text = body.partition(b"\0")
            found[key.decode("latin-1")] = text.decode("latin-1")
        elif kind == b"zTXt":
            key, _, text = body.partition(b"\0")
            found[key.decode("latin-1")] = zlib.decompress(text[1:]).decode("latin-1")
        at += length + 12
    return found


def test_the_picture_shows_the_knobs_that_there_are() -> None:
    assert "](../docs/nuke_panel.png)" in README
    picture = SCRIPT.with_suffix(".png")
    assert png_texts(picture).get("knobs") == drawing().digest(), "draw it again: python docs/nuke_panel.py"
    assert picture.stat().st_size < 150_000


def test_every_tab_has_a_place_in_the_picture() -> None:
    module = drawing()
    assert sorted(label for column in module.COLUMNS for label in column) == sorted(visible())


def test_the_picture_can_be_drawn(tmp_path: Path) -> None:
    pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not here, or not what it needs of the system")
    out = tmp_path / "panel.png"
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": path}
    subprocess.run([sys.executable, str(SCRIPT), str(out)], env=environment, check=True, timeout=120)
    assert png_texts(out)["knobs"] == drawing().digest()
    width, height = struct.unpack(">II", out.read_bytes()[16:24])
    assert width > 900 and height > 300
