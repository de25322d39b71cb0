"""A look at the text of an OTIO file before OpenTimelineIO reads it: what it cannot read, and what would crash it."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import opentimelineio as otio

from void_plugin.errors import RequestError

_INNER = "content.otio"
"""The timeline in a bundle."""
_VALUES = frozenset(("RationalTime", "TimeRange", "TimeTransform", "V2d", "Box2d", "Color", "SerializableObjectRef"))
"""What is no object of its own and so in no list of versions."""
_INFINITE = re.compile(r"\bInf\b")
"""How OpenTimelineIO may write what JSON calls Infinity; in a name it does no harm here."""
_MOST_BYTES = 1 << 30


def prescan(path: Path) -> list[str]:
    """Names of the schemas in an OTIO file or bundle that are not known here.

    Raises RequestError for text that is no OTIO, and for one that contains itself: the library would end the program.
    """
    text = _text(path)
    try:
        data = json.loads(_INFINITE.sub("Infinity", text))
        if not isinstance(data, dict) or "OTIO_SCHEMA" not in data:
            raise RequestError(f"{path} is JSON but no OTIO; export the timeline as .otio.")
        _refuse_cycles(data, path)
        schemas = {str(item["OTIO_SCHEMA"]) for item in _objects(data) if "OTIO_SCHEMA" in item}
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path} is no OTIO that can be read ({error}); export it again.") from error
    return sorted(name for name in schemas if not _known(name))


def is_newer(name: str) -> bool:
    """True for a schema that is known here in an older version."""
    kind, _, version = name.partition(".")
    known = otio.core.type_version_map().get(kind)
    return known is not None and version.isdecimal() and int(version) > known


def _text(path: Path) -> str:
    try:
        if path.suffix.lower() == ".otioz":
            with zipfile.ZipFile(path) as bundle:
                if bundle.getinfo(_INNER).file_size > _MOST_BYTES:
                    raise RequestError(f"The timeline in {path} is larger than any cut; export it again.")
                return bundle.read(_INNER).decode("utf-8")
        return (path / _INNER if path.is_dir() else path).read_text(encoding="utf-8")
    except (OSError, KeyError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or error
        raise RequestError(f"{path} cannot be read ({said}); export it again.") from error


def _known(name: str) -> bool:
    kind, _, version = name.partition(".")
    if kind in _VALUES:
        return version == "1"
    newest = otio.core.type_version_map().get(kind)
    return newest is not None and version.isdecimal() and int(version) <= newest


def _objects(data: Any) -> Iterator[dict[str, Any]]:
    waiting = [data]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _refuse_cycles(data: dict[str, Any], path: Path) -> None:
    named = {item["OTIO_REF_ID"]: item for item in _objects(data) if "OTIO_REF_ID" in item}
    around: set[int] = set()
    finished: set[int] = set()
    steps: list[tuple[Any, bool]] = [(data, False)]
    while steps:
        item, leaving = steps.pop()
        if leaving:
            around.discard(id(item))
            finished.add(id(item))
            continue
        if isinstance(item, dict) and str(item.get("OTIO_SCHEMA", "")).startswith("SerializableObjectRef"):
            item = named.get(item.get("id"))
        if id(item) in around:
            raise RequestError(f"{path} holds a timeline that contains itself; export it again.")
        if not isinstance(item, dict | list) or id(item) in finished:
            continue
        around.add(id(item))
        steps.append((item, True))
        steps += [(inner, False) for inner in (item.values() if isinstance(item, dict) else item)]
