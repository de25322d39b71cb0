"""The structure of JSON values, for comparing with what was agreed."""

from __future__ import annotations

from typing import Any


def shape(value: Any) -> Any:
    """The structure of a JSON value: keys and types, numbered keys and list lengths left out."""
    if isinstance(value, dict):
        if value and all(key.lstrip("-").isdigit() for key in value):
            return {"<frame>": shape(next(iter(value.values())))}
        return {key: shape(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__
