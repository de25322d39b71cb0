"""What came of one view of a version, as its job.json notes it and its manifest tells it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from void_plugin.errors import HostError
from void_plugin.request import RemovalRequest


def outcome(
    folder: Path,
    request: RemovalRequest,
    kind: str,
    result: str,
    engine: str,
    summary: Mapping[str, Any],
    warnings: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """What came of a view, with paths below its version folder; `result` is empty where there is no result.json."""
    paths = {"patch": "", "cleanplate": "", "overlay": ""}
    comp = "overlay" if kind == "preview" else "cleanplate"
    for output in request.outputs:
        name = "patch" if output.kind == "patch" else comp
        paths[name] = relative(folder, request.output_sequence(output).pattern)
    return {
        **paths,
        "result": relative(folder, result) if result else "",
        "engine": engine or str(summary.get("engine", "")),
        "summary": dict(summary),
        "warnings": list(warnings),
    }


def warning(view: str, code: str, frame: int | None, text: str) -> dict[str, Any]:
    """One thing that a view was warned of."""
    return {"view": view, "code": code, "frame": frame, "text": text}


def relative(folder: Path, path: str) -> str:
    """A path below the version folder as a manifest names it. Raises HostError for one that lies elsewhere."""
    whole, inside = os.path.abspath(folder), os.path.abspath(path)
    if not inside.startswith(os.path.join(whole, "")):
        raise HostError(f"The result {path} must lie in its version folder {folder}.", "host.call")
    return forward(os.path.relpath(inside, whole))


def forward(path: str) -> str:
    """A path as hosts take it on every system: with forward slashes."""
    return path.replace(os.sep, "/")
