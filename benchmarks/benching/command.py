"""The command line of every benchmark: the same flags, tables printed as they come, JSON and RESULTS.md at the end."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benching import claim_children, machine, results
from benching.tables import Table

Measure = Callable[[argparse.Namespace], Iterable[Table]]
"""Answers a question, table by table."""
_ABOUT_OUTPUT = ("--results", "--json", "--folder")
"""Flags that do not change what is measured, and so are not part of the command that repeats it."""


def build_parser(doc: str, rounds: int) -> argparse.ArgumentParser:
    """The flags that all have; `rounds` are those without --quick."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small and short: shows that it works, in seconds")
    parser.add_argument("--rounds", type=int, default=rounds, help="how often everything is measured (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round here")
    parser.add_argument("--results", type=Path, metavar="FILE", help="put the tables into this RESULTS.md")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where files lie meanwhile; default temporary")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a limit is missed")
    return parser


def answer(
    parser: argparse.ArgumentParser,
    measure: Measure,
    arguments: Sequence[str] | None = None,
    packages: Sequence[str] = machine.PACKAGES[:4],
) -> int:
    """Parse, measure, tell, and return the exit code."""
    told = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(told)
    if options.quick and options.rounds == parser.get_default("rounds"):
        options.rounds = min(2, options.rounds)
    claim_children()
    command, facts = repeated(told), machine.about(packages)
    tables: list[Table] = []
    begun = time.monotonic()
    for table in measure(options):
        if options.quick and table.verdicts:
            table.verdicts.clear()
            table.notes.append("Too small and short to judge a limit by.")
        tables.append(table)
        print(f"\n{table.text()}", flush=True)
        if options.results:  # at once, so that what was measured stays where the next one fails
            results.put(options.results, table, command, facts)
    print(f"\n{', '.join(f'{name} {value}' for name, value in facts.items())}, {time.monotonic() - begun:.0f} s")
    if options.json:
        record = {"command": command, "about": facts, "tables": [table.record() for table in tables]}
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    missed = [verdict for table in tables for verdict in table.verdicts if not verdict.held]
    return 1 if missed and options.strict else 0


def repeated(told: Sequence[str]) -> str:
    """The command that measures the same again."""
    kept, skip = [], False
    for word in told:
        if not skip and not word.startswith(_ABOUT_OUTPUT):
            kept.append(word)
        skip = not skip and word in _ABOUT_OUTPUT
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *kept])


@contextmanager
def scratch(options: argparse.Namespace) -> Iterator[Path]:
    """A folder that goes away afterwards."""
    with tempfile.TemporaryDirectory(prefix="void-bench-", dir=options.folder) as name:
        yield Path(name)
