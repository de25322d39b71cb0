"""Reads out of the source of the Resolve host which calls of Resolve's it makes, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOSTS = Path(__file__).parents[1] / "void_plugin" / "hosts"
BASE = "Wrapped"


@dataclass(frozen=True)
class Made:
    """One place that calls Resolve; `count` arguments, or `more`; `guarded` where it looks for the call before."""

    owner: str
    method: str
    wrapper: str
    count: int
    more: bool
    where: str
    guarded: bool

    @property
    def name(self) -> str:
        return f"{self.owner}.{self.method}"


@dataclass
class Facade:
    """The classes of the host that stand for Resolve's."""

    classes: dict[str, tuple[str, ast.ClassDef]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """Calls whose method or owner the source does not show."""

    def __post_init__(self) -> None:
        for path in sorted(HOSTS.glob("resolve_*.py")):
            for statement in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(statement, ast.ClassDef):
                    self.classes[statement.name] = (path.name, statement)
        base = self.classes[BASE][1]
        self.wrappers = {
            one.name
            for one in base.body
            if isinstance(one, ast.FunctionDef) and [argument.arg for argument in one.args.args[1:2]] == ["name"]
        } - {"has"}

    def owner(self, name: str) -> str:
        """The class of the stubs that one of the host's stands for; empty for one that only others build on."""
        for statement in self.classes[name][1].body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "OF":
                return str(ast.literal_eval(statement.value)) if name != BASE else ""
        return ""

    def lineage(self, name: str) -> list[str]:
        """The class and those that it builds on, as far as they are the host's."""
        bases = [ast.unparse(base) for base in self.classes[name][1].bases]
        return [name] + [found for base in bases if base in self.classes for found in self.lineage(base)]

    def calls(self) -> Iterator[Made]:
        """Every call of Resolve's that the facade makes, once for each class that inherits it."""
        for name in self.classes:
            owner = self.owner(name)
            if not owner or BASE not in self.lineage(name):
                continue
            for part in self.lineage(name)[:-1]:
                for method in ast.walk(self.classes[part][1]):
                    if isinstance(method, ast.FunctionDef):
                        yield from self._in(method, part, owner)

    def _in(self, method: ast.FunctionDef, part: str, owner: str) -> Iterator[Made]:
        guards = {
            node.args[0].value
            for node in ast.walk(method)
            if isinstance(node, ast.Call) and _attribute(node) == "has" and isinstance(node.args[0], ast.Constant)
        }
        locals_ = {
            ast.unparse(node.targets[0]): node.value for node in ast.walk(method) if isinstance(node, ast.Assign)
        }
        for node in ast.walk(method):
            if not isinstance(node, ast.Call) or _attribute(node) not in self.wrappers:
                continue
            where = f"{self.classes[part][0]}:{node.lineno}"
            assert isinstance(node.func, ast.Attribute)
            value = node.func.value
            target = self._target(locals_.get(value.id, value) if isinstance(value, ast.Name) else value, part, owner)
            if not target or not node.args or not isinstance(node.args[0], ast.Constant):
                self.problems.append(f"{where}: {ast.unparse(node)}")
                continue
            called, given = str(node.args[0].value), node.args[1:]
            stars = sum(isinstance(one, ast.Starred) for one in given)
            wrapper = _attribute(node)
            yield Made(target, called, wrapper, len(given) - stars, bool(stars), where, called in guards)

    def _target(self, node: ast.expr, part: str, owner: str) -> str:
        """The class of the stubs that an expression is: `self`, or a method of ours whose return type says it."""
        if isinstance(node, ast.Name) and node.id == "self":
            return owner
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            for statement in self.classes[part][1].body:
                if isinstance(statement, ast.FunctionDef) and statement.name == node.func.attr and statement.returns:
                    return self.owner(ast.unparse(statement.returns).strip("'\""))
        return ""


def _attribute(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def raw_uses() -> dict[str, list[str]]:
    """Where each module of the host reaches past the facade: `.raw` of anything but `self`, by file."""
    found: dict[str, list[str]] = {}
    for path in sorted(HOSTS.glob("resolve_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "raw" and ast.unparse(node.value) != "self":
                found.setdefault(path.name, []).append(f"{path.name}:{node.lineno}")
    return found


def constants() -> Iterator[str]:
    """The constants that the host asks for."""
    for path in sorted(HOSTS.glob("resolve_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _attribute(node) == "constant":
                argument: Any = node.args[0]
                yield str(ast.literal_eval(argument))
