"""Reads a backend's table of the site file into a dataclass, whose fields say which keys there are and of what kind."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from void_plugin.errors import FarmError
from void_plugin.farm.bundle import Bundle
from void_plugin.farm.jobs import Finding
from void_plugin.farm.site import Site

T = TypeVar("T")


@dataclass(frozen=True)
class GpuKind:
    """A name that the site gives to workers whose GPUs have at least so much memory."""

    name: str
    vram_mib: int


def read_table(site: Site, farm: str, kind: type[T]) -> T:
    """The table of a backend; keys that are not given have the dataclass's defaults.

    Fields may be `str`, `int`, `tuple[str, ...]` and `tuple[GpuKind, ...]`, whose tables have `name` and `vram_mib`.
    Raises FarmError naming a key or a value that cannot be used.
    """
    kinds = typing.get_type_hints(kind)
    known = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    table = site.section(farm, known)
    return kind(**{key: _value(site, farm, key, value, kinds[key]) for key, value in table.items()})


def smallest(kinds: Sequence[GpuKind], vram_mib: int) -> GpuKind | None:
    """The kind with the least memory that is enough; None where there is none."""
    return min((kind for kind in kinds if kind.vram_mib >= vram_mib), key=lambda kind: kind.vram_mib, default=None)


def too_small(bundle: Bundle, kinds: Sequence[GpuKind]) -> list[Finding]:
    """Steps that ask for more memory of a GPU than any kind has; none where the site names no kinds."""
    most = max((kind.vram_mib for kind in kinds), default=0)
    return [
        Finding(
            "error",
            f"{step.name} asks for {step.needs.vram_mib} MiB of GPU memory; the site file knows GPUs of up to {most}. "
            "Ask for less with --vram.",
            "vram",
        )
        for step in bundle.steps
        if kinds and step.needs.gpus and step.needs.vram_mib > most
    ]


def _value(site: Site, farm: str, key: str, value: Any, kind: Any) -> Any:
    if kind is str and isinstance(value, str):
        return value
    if kind is int and type(value) is int and value >= 0:
        return value
    if kind == tuple[str, ...] and isinstance(value, list) and all(isinstance(part, str) and part for part in value):
        return tuple(value)
    if kind == tuple[GpuKind, ...] and isinstance(value, list) and all(map(_is_gpu_kind, value)):
        return tuple(GpuKind(**item) for item in value)
    raise FarmError(
        f"The site file {site.path} has the unusable value {value!r} for {key} in [farm.{farm}].", "farm.site"
    )


def _is_gpu_kind(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and set(item) == {"name", "vram_mib"}
        and isinstance(item["name"], str)
        and type(item["vram_mib"]) is int
    )
