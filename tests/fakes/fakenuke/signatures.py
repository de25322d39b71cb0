"""Reads the call signatures of Nuke's Python API out of the installed `types-nuke` stubs.

The stubs describe Nuke 13.2 and are partly loose (`*args, **kwargs`) or wrong; `overrides.py` corrects them name by
name. The outcome is one plain dictionary that the fake, in whatever Python it runs, loads as JSON.
"""

import ast
import importlib.metadata
import json
from pathlib import Path

try:
    from . import overrides
except ImportError:  # started as a program
    import overrides

MODULES = ("_nuke", "callbacks", "colorspaces", "executeInMain", "overrides", "scripts", "utils")
"""The stub files whose names `nuke/__init__.pyi` passes on."""


def stub_folder():
    """The folder of the installed stubs; ImportError says what to install when there is none."""
    try:
        files = importlib.metadata.files("types-nuke") or ()
    except importlib.metadata.PackageNotFoundError:
        raise ImportError("types-nuke is not installed; run `make venv`") from None
    for file in files:
        if file.name == "_nuke.pyi":
            return Path(str(file.locate())).parent
    raise ImportError("types-nuke holds no _nuke.pyi")


def parameters(arguments):
    """The parameters of one `ast.arguments` as lists of name, kind, whether optional, and annotation."""
    positional = list(getattr(arguments, "posonlyargs", [])) + list(arguments.args)
    required = len(positional) - len(arguments.defaults)
    found = [
        [argument.arg, "plain", index >= required, _text(argument.annotation)]
        for index, argument in enumerate(positional)
    ]
    if arguments.vararg:
        found.append([arguments.vararg.arg, "star", True, ""])
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append([argument.arg, "keyword", default is not None, _text(argument.annotation)])
    if arguments.kwarg:
        found.append([arguments.kwarg.arg, "stars", True, ""])
    return found


def parse(signature):
    """The parameters of a signature written as text, such as `(node: Node, start: int = ...)`."""
    function = ast.parse(f"def f{signature}: ...").body[0]
    return parameters(function.args)


def read(folder=None):
    """Every function, class and constant that the stubs know, with the overrides laid over them."""
    table = {"functions": {}, "classes": {}, "constants": {}}
    for module in MODULES:
        path = (folder or stub_folder()) / (module + ".pyi")
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            _take(statement, table)
    for name, (signatures, _source) in overrides.SIGNATURES.items():
        parsed = [parse(signature) for signature in signatures]
        owner, _, method = name.rpartition(".")
        if owner:
            entry = table["classes"].setdefault(owner, {"bases": ["Knob"], "methods": {}})
            entry["methods"][method] = parsed
        else:
            table["functions"][name] = parsed
    return table


def _take(statement, table):
    if isinstance(statement, ast.FunctionDef):
        table["functions"].setdefault(statement.name, []).append(parameters(statement.args))
    elif isinstance(statement, ast.ClassDef):
        methods = {}
        for part in statement.body:
            if isinstance(part, ast.FunctionDef):
                found = parameters(part.args)
                # Some overloads of the stubs lack `self`: nothing can be called through them.
                if found and found[0][0] in ("self", "type"):
                    methods.setdefault(part.name, []).append(found[1:])
        bases = [base.id for base in statement.bases if isinstance(base, ast.Name)]
        table["classes"][statement.name] = {"bases": bases, "methods": methods}
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        table["constants"][statement.target.id] = _text(statement.annotation)
    elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name):
        # `expr = expression`: a second name for a function.
        source = table["functions"].get(statement.value.id)
        if source:
            table["functions"][statement.targets[0].id] = source


def _text(annotation):
    return ast.unparse(annotation) if annotation is not None else ""


if __name__ == "__main__":
    print(json.dumps(read(), sort_keys=True))
