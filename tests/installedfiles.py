"""What files that are copied into a host import, and what of it would be missing there."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from void_plugin.hosthalf import PACKAGE


def imported(path: Path) -> set[str]:
    """All modules that a file names in an import, at any depth, and what it takes from each."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "the installer follows absolute imports only"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def missing_imports(files: Mapping[str, Path], hosts_own: Collection[str] = ()) -> list[tuple[str, str]]:
    """File and module of each import that neither the files, nor Python, nor the host itself has."""
    there = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in files}
    missing = []
    for name, path in files.items():
        if path.suffix != ".py":
            continue
        for module in imported(path):
            top = module.partition(".")[0]
            if top == PACKAGE:
                # A name from inside a module is there with the module.
                if module not in there and module.rpartition(".")[0] not in there:
                    missing.append((name, module))
            elif top not in sys.stdlib_module_names and top not in hosts_own:
                missing.append((name, module))
    return missing
