"""What a prompt for VOID should say, and what it should not."""

from __future__ import annotations

import re
from collections.abc import Iterator

_REMOVAL = re.compile(
    r"\b(?:remov|eras|delet|eliminat|inpaint|without|disappear|vanish"
    r"|get(?:s|ting)? rid|tak(?:e|es|ing) out|clean(?:s|ing)? up|paint(?:s|ing)? out)\w*",
    re.IGNORECASE,
)
"""Words that describe the removal instead of what remains."""


def advice(prompt: str) -> Iterator[tuple[str, str]]:
    """What upstream advises about a prompt, as (code, sentence)."""
    found = sorted({match.group().lower() for match in _REMOVAL.finditer(prompt)})
    if found:
        words = ", ".join(repr(word) for word in found)
        yield (
            "prompt_describes_removal",
            f"The prompt says {words}. VOID expects a description of what remains, as if the object had never been "
            "there: surfaces, light, camera, and how things move then. An empty prompt is fine.",
        )
