"""What an editor writes beside a clip: a prompt in plain words, or `key: value` lines, or JSON."""

import json
from dataclasses import dataclass
from typing import Any

from void_plugin.errors import RequestError

MATTES = {"matte": "object_matte", "affected": "affected_matte", "holdout": "holdout_matte", "exclude": "exclude_matte"}
"""Keys of a note that name a matte, and the input of the request each becomes."""
KEYS = (*MATTES, "prompt", "engine", "colour", "handles", "plate")


@dataclass(frozen=True)
class Note:
    """What is wanted of one shot beyond what is wanted of all."""

    prompt: str = ""
    engine: str = ""
    colour: str = ""
    plate: str = ""
    """Files to take in place of the clip's own, for media that is no EXR sequence."""
    handles: int | None = None
    mattes: tuple[tuple[str, str], ...] = ()
    """Input of the request, and the pattern as it was written."""

    def over(self, other: "Note") -> "Note":
        """This note, with what it leaves open taken from another."""
        return Note(
            self.prompt or other.prompt,
            self.engine or other.engine,
            self.colour or other.colour,
            self.plate or other.plate,
            other.handles if self.handles is None else self.handles,
            self.mattes or other.mattes,
        )


def note_of(marker: Any) -> str:
    """The text of a marker; Resolve keeps it among its own facts."""
    said = marker.metadata.get("Resolve_OTIO")
    own = said.get("Note") if hasattr(said, "get") else ""
    return str(own or marker.comment or "")


def keywords_of(marker: Any) -> list[str]:
    """The keywords that Resolve keeps with a marker."""
    said = marker.metadata.get("Resolve_OTIO")
    words = said.get("Keywords") if hasattr(said, "get") else ()
    return [words] if isinstance(words, str) else [str(word) for word in words or ()]


def parse(text: str) -> Note:
    """Read a note. A line without a known key is part of the prompt. Raises RequestError for JSON that is wrong."""
    text = text.strip()
    if text.startswith("{"):
        return _from_json(text)
    values: dict[str, str] = {}
    words: list[str] = []
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip().lower() in KEYS:
            values[key.strip().lower()] = value.strip()
        elif line.strip():
            words.append(line.strip())
    if words:
        values.setdefault("prompt", " ".join(words))
    return _made(values)


def _from_json(text: str) -> Note:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise RequestError(f"The note {text[:60]!r} is not valid JSON ({error}); correct the marker.") from error
    unknown = [key for key in data if key not in KEYS]
    if unknown:
        raise RequestError(f"The note has the unknown key {unknown[0]!r}; known are {', '.join(KEYS)}.")
    return _made({key: str(value) for key, value in data.items()})


def _made(values: dict[str, str]) -> Note:
    handles = values.get("handles")
    if handles is not None and not handles.isdecimal():
        raise RequestError(f"The note asks for {handles!r} handles; write a whole number of frames.")
    return Note(
        prompt=values.get("prompt", ""),
        engine=values.get("engine", ""),
        colour=values.get("colour", ""),
        plate=values.get("plate", ""),
        handles=None if handles is None else int(handles),
        mattes=tuple((field, values[key]) for key, field in MATTES.items() if values.get(key)),
    )
