"""How everything of ours in a Resolve project is known again: a tag in a marker or in the metadata of a clip.

A tag is `void:` and one JSON object. Nothing without one is ever changed or removed.
"""

import json
from typing import Any, Dict, Mapping, Optional

PREFIX = "void:"
KEY = "VOID"
"""The key of a clip's third-party metadata under which its tag lies."""
TRACK = "VOID"
"""Name of the tracks that hold results; a second one is `VOID 2`."""
SCRATCH_TRACK = "VOID SCRATCH"
"""Name of the track that a round trip is tried on."""
BIN = "VOID"
"""Name of the bin below the root that holds a bin a timeline."""
MARKER = "VOID"
"""Name of our markers."""


def tag(values: Mapping[str, Any]) -> str:
    """The text that says these values; equal values give equal text."""
    return PREFIX + json.dumps(dict(values), sort_keys=True, separators=(",", ":"))


def values(text: Optional[str]) -> Optional[Dict[str, Any]]:
    """The values of a tag; None for any other text, also for a tag that somebody has cut short."""
    if not text or not text.startswith(PREFIX):
        return None
    try:
        found = json.loads(text[len(PREFIX) :])
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def is_result_track(name: str) -> bool:
    """True for `VOID`, `VOID 2` and so on; the tracks `VOID MATTE` and `VOID SCRATCH` are none."""
    first, _, rest = name.partition(" ")
    return first == TRACK and (not rest or rest.isdigit())


def is_our_track(name: str) -> bool:
    """True for a track that this package names: those of results and that of round trips."""
    return name == SCRATCH_TRACK or is_result_track(name)
