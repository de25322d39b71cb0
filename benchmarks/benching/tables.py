"""Tables of figures: for people on a terminal, for RESULTS.md, and for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benching.figures import Figure, short

Cell = str | int | float | Figure


@dataclass(frozen=True)
class Verdict:
    """A figure and what it must not pass, or with `least` not fall below; judged by its middle."""

    what: str
    figure: Figure
    limit: float
    goal: float | None = None
    least: bool = False

    @property
    def held(self) -> bool:
        return self._within(self.limit)

    def _within(self, bound: float) -> bool:
        return self.figure.middle >= bound if self.least else self.figure.middle <= bound

    def __str__(self) -> str:
        bound = "at least" if self.least else "at most"
        text = f"{self.what}: {self.figure}, {bound} {short(self.limit)} allowed: {'held' if self.held else 'MISSED'}"
        if self.goal is None:
            return text
        return f"{text}; the goal of {short(self.goal)} is {'met' if self._within(self.goal) else 'not met'}"


@dataclass
class Table:
    """The answer to one question, or to a part of it."""

    name: str
    """What it is known by in RESULTS.md: a word, or several with dots between."""
    title: str
    columns: Sequence[str]
    """The first is what the rows are called by."""
    rows: list[Sequence[Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def add(self, *cells: Cell) -> None:
        """One more row."""
        if len(cells) != len(self.columns):
            raise ValueError(f"{self.name} has {len(self.columns)} columns, and a row of {len(cells)} was added")
        self.rows.append(cells)

    def text(self) -> str:
        """For a terminal."""
        lines = [[text(cell) for cell in row] for row in [self.columns, *self.rows]]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = ["  ".join(_aligned(line, widths)).rstrip() for line in lines]
        return "\n".join([self.title, *shown, *self.notes, *map(str, self.verdicts)])

    def markdown(self) -> str:
        """For RESULTS.md, without a heading."""
        rows = [self.columns, ["---", *["---:"] * (len(self.columns) - 1)], *self.rows]
        parts = ["\n".join("| " + " | ".join(text(cell) for cell in row) + " |" for row in rows), *self.notes]
        if self.verdicts:
            parts.append("\n".join(f"- {verdict}" for verdict in self.verdicts))
        return "\n\n".join(parts)

    def record(self) -> dict[str, Any]:
        """For JSON, with every round."""
        rows = [{name: plain(cell) for name, cell in zip(self.columns, row, strict=True)} for row in self.rows]
        verdicts = [
            {
                "what": item.what,
                "figure": plain(item.figure),
                "limit": item.limit,
                "goal": item.goal,
                "least": item.least,
                "held": item.held,
            }
            for item in self.verdicts
        ]
        return {
            "name": self.name,
            "title": self.title,
            "columns": list(self.columns),
            "rows": rows,
            "notes": self.notes,
            "verdicts": verdicts,
        }


def merged(records: Sequence[Mapping[str, Any]]) -> Table:
    """One table of the records of several runs: the rows and whatever is no figure of the last, the rounds of all."""
    last = records[-1]
    table = Table(last["name"], last["title"], last["columns"], notes=list(last["notes"]))
    first = table.columns[0]
    known = [{row[first]: row for row in record["rows"]} for record in records]
    for row in last["rows"]:
        same = [rows[row[first]] for rows in known if row[first] in rows]
        table.add(*(_of_all([each[name] for each in same]) for name in table.columns))
    for verdicts in zip(*(record["verdicts"] for record in records), strict=True):
        figure = Figure(tuple(value for verdict in verdicts for value in verdict["figure"]))
        said = verdicts[-1]
        table.verdicts.append(Verdict(said["what"], figure, said["limit"], said["goal"], said["least"]))
    if len(records) > 1:
        table.notes.append(f"All of that in each of {len(records)} runs, minutes apart.")
    return table


def _of_all(cells: Sequence[Any]) -> Cell:
    if all(isinstance(cell, list) for cell in cells):
        return Figure(tuple(math.nan if value is None else value for cell in cells for value in cell))
    found: Cell = math.nan if cells[-1] is None else cells[-1]
    return found


def text(cell: Cell) -> str:
    """A cell for people."""
    return short(cell) if isinstance(cell, float) else str(cell)


def plain(cell: Cell) -> Any:
    """A cell for JSON, in which there is no infinity."""
    if isinstance(cell, Figure):
        return [plain(value) for value in cell.values]
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
