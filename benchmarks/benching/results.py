"""RESULTS.md: a section for every table, which replaces the one of the same name and leaves all others alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from benching.tables import Table

HEAD = """# Results

Written by `make bench` and `make bench-long`; every table says which command measures it again, which replaces that
table alone. A figure is the median of its rounds, least and most in brackets. Times of one machine say nothing about
another; what counts is the ratio beside them, measured in turn in the same run.
"""
_SECTION = re.compile(r"<!-- table (?P<name>\S+) -->\n.*?<!-- end of (?P=name) -->\n", re.DOTALL)


def put(path: Path, table: Table, command: str, about: Mapping[str, str]) -> None:
    """Write a table into a file, in the place of the one with its name, or where names come in order."""
    sections = {}
    if path.exists():
        sections = {match["name"]: match.group() for match in _SECTION.finditer(path.read_text(encoding="utf-8"))}
    sections[table.name] = section(table, command, about)
    body = "\n".join(sections[name] for name in sorted(sections))
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_text(f"{HEAD}\n{body}", encoding="utf-8")
    beside.replace(path)


def section(table: Table, command: str, about: Mapping[str, str]) -> str:
    """A table with what it was measured by and on."""
    facts = ", ".join(f"{name} {value}" for name, value in about.items())
    return (
        f"<!-- table {table.name} -->\n## {table.title}\n\n`{command}`\n\n{table.markdown()}\n\n"
        f"<sub>{facts}</sub>\n<!-- end of {table.name} -->\n"
    )
