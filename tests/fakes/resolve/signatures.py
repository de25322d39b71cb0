"""Reads what Resolve's scripting API offers out of the installed `fusionscript-stubs`, and lays the overrides over it.

The stubs follow Blackmagic's README of 8 May 2026. They cannot be imported, so they are parsed. The outcome is one
plain dictionary: `classes` (methods with their overloads), `dicts` (the keys of each settings dictionary), `constants`.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path

from . import overrides

STUBS = "VOID_FAKE_RESOLVE_STUBS"
"""Names the stub file to a process in whose Python the stubs are not installed."""
_STUDIO = "Studio and AI Scripting APIs"
_PLAIN = {"str": "str", "int": "int", "float": "float", "bool": "bool", "list": "list", "dict": "dict", "Any": "any"}


def stub_file():
    """The stub file that is installed or named by the environment; ImportError says what to install."""
    if os.environ.get(STUBS):
        return Path(os.environ[STUBS])
    import importlib.metadata

    try:
        files = importlib.metadata.files("fusionscript-stubs") or ()
    except importlib.metadata.PackageNotFoundError:
        raise ImportError("fusionscript-stubs is not installed; run `make venv`") from None
    for file in files:
        if file.name == "fusionscript.pyi":
            return Path(str(file.locate()))
    raise ImportError("fusionscript-stubs holds no fusionscript.pyi")


def read(path=None):
    """The whole table, with the overrides laid over what the stubs say."""
    tree = ast.parse((path or stub_file()).read_text(encoding="utf-8"))
    reader = _Reader(tree)
    table = reader.table
    for name, (required, _source) in overrides.REQUIRED.items():
        owner, method = name.split(".")
        for overload in table["classes"][owner][method]["overloads"]:
            for index, parameter in enumerate(overload["parameters"]):
                parameter["optional"] = parameter["optional"] or index >= required
    for name, (signature, _since, _source) in overrides.NEWER.items():
        owner, method = name.split(".")
        function = ast.parse("def f" + signature + ": ...").body[0]
        table["classes"][owner][method] = reader.method([function])
    for name, keys in overrides.FUSION_KEYS.items():
        reader.dict_names.add(name)
        table["dicts"][name] = {key: {"kinds": [kind], "required": key != "RenderFlags"} for key, kind in keys.items()}
    for name, (signature, _source) in overrides.FUSION.items():
        owner, method = name.split(".")
        function = ast.parse("def f" + signature + ": ...").body[0]
        table["classes"].setdefault(owner, {})[method] = reader.method([function])
    for name, (kinds, _source) in overrides.RETURNS.items():
        owner, method = name.split(".")
        table["classes"][owner][method]["returns"] = kinds
    for name, (key, kind, _source) in overrides.MORE_KEYS.items():
        table["dicts"][name.split(".")[0]][key] = {"kinds": [kind], "required": False}
    for name, (required, _source) in overrides.REQUIRED_KEYS.items():
        for key, entry in table["dicts"][name].items():
            entry["required"] = key in required
    return table


class _Reader:
    def __init__(self, tree):
        self.aliases = {}
        self.table = {"classes": {}, "dicts": {}, "constants": []}
        classes = [statement for statement in tree.body if isinstance(statement, ast.ClassDef)]
        self.names = {statement.name for statement in classes}
        self.dict_names = {
            statement.name
            for statement in classes
            if any(isinstance(base, ast.Name) and base.id == "TypedDict" for base in statement.bases)
        }
        for statement in tree.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                self.aliases[statement.targets[0].id] = statement.value
        for statement in classes:
            if statement.name in self.dict_names:
                self.table["dicts"][statement.name] = {
                    part.target.id: {"kinds": self.kinds(part.annotation), "required": not _not_required(part)}
                    for part in statement.body
                    if isinstance(part, ast.AnnAssign)
                }
            else:
                self._take(statement)

    def _take(self, statement):
        methods = {}
        for part in statement.body:
            if isinstance(part, ast.FunctionDef):
                methods.setdefault(part.name, []).append(part)
            elif statement.name == "Resolve" and isinstance(part, ast.AnnAssign):
                self.table["constants"].append(part.target.id)
            elif statement.name == "Resolve" and isinstance(part, ast.Assign):
                self.table["constants"].append(part.targets[0].id)
        self.table["classes"][statement.name] = {name: self.method(found) for name, found in methods.items()}

    def method(self, functions):
        """The overloads of a method that may still be called, what it returns, and whether only Studio has it."""
        alive = [function for function in functions if not _deprecated(function)]
        return {
            "deprecated": not alive,
            "studio": any(_STUDIO in (ast.get_docstring(function) or "") for function in functions),
            "returns": self.kinds(functions[0].returns),
            "overloads": [self._overload(function) for function in alive],
        }

    def _overload(self, function):
        arguments = function.args.args[1:]
        required = len(arguments) - len(function.args.defaults)
        parameters = []
        for index, argument in enumerate(arguments):
            kinds = self.kinds(argument.annotation)
            parameters.append({"name": argument.arg, "kinds": kinds, "optional": index >= required or "none" in kinds})
        star = function.args.vararg
        return {"parameters": parameters, "star": self.kinds(star.annotation) if star else None}

    def kinds(self, node):
        """What an annotation allows, as words: `str`, `list[TimelineItem]`, `dict:RenderSettings`, `any`."""
        if node is None:
            return ["any"]
        if isinstance(node, ast.Constant):
            return ["none"] if node.value is None else [type(node.value).__name__]
        if isinstance(node, ast.List):
            return ["list"]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.kinds(node.left)  # a Literal and a list of more, added up
        if isinstance(node, ast.BinOp):
            return sorted(set(self.kinds(node.left) + self.kinds(node.right)))
        if isinstance(node, ast.Subscript):
            return self._subscript(node)
        if isinstance(node, ast.Name):
            if node.id in _PLAIN:
                return [_PLAIN[node.id]]
            if node.id in self.dict_names:
                return ["dict:" + node.id]
            if node.id in self.names:
                return [node.id]
            if node.id in self.aliases:
                return self.kinds(self.aliases[node.id])
        return ["any"]

    def _subscript(self, node):
        inner = getattr(node.slice, "value", node.slice) if isinstance(node.slice, ast.Index) else node.slice
        outer = node.value.id if isinstance(node.value, ast.Name) else ""
        if outer == "Optional":
            return [*self.kinds(inner), "none"]
        if outer in ("NotRequired", "Final"):
            return self.kinds(inner)
        if outer == "List":
            return ["list[" + kind + "]" for kind in self.kinds(inner)]
        if outer == "Literal":
            values = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return sorted({kind for value in values for kind in self.kinds(value)})
        return {"dict": ["dict"], "tuple": ["list"], "Tuple": ["list"]}.get(outer, ["any"])


def _deprecated(function):
    return any(
        isinstance(decorator, ast.Name) and decorator.id == "deprecated" for decorator in function.decorator_list
    )


def _not_required(part):
    node = part.annotation
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "NotRequired"
