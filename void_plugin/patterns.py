"""File patterns as people type them, turned into the one form a request holds: `plate.%04d.exr`."""

import os
import re

from fileseq.constants import PAD_STYLE_HASH1
from fileseq.exceptions import FileSeqException
from fileseq.filesequence import FileSequence

from void_plugin.errors import RequestError

ACCEPTED = "%04d, ####, @@@@ or $F4"
"""The frame tokens a user may write, for sentences and help."""

_EXPLICIT = re.compile(r"%\d*d|\$F\d*")
_PADDING = re.compile(r"#+|@+")
_UDIM = re.compile(r"<UDIM>|%\(UDIM\)d", re.IGNORECASE)


def to_pattern(text: str) -> str:
    """The `%0Nd` form of a typed pattern; a name without a frame token stays as it is and means one file.

    One `#` counts one digit, as in Nuke. Where a name holds `%04d` or `$F4`, its `#` and `@` are ordinary
    letters. Raises RequestError for anything that could be read in two ways.
    """
    folder, name = os.path.split(text)
    if not name:
        raise RequestError(
            f"{text!r} names a folder, not frames; write a file pattern with {ACCEPTED}.", "request.pattern"
        )
    if _UDIM.search(name):
        raise RequestError(
            f"The pattern {text!r} is for UDIM tiles, not frames; write the frame number as {ACCEPTED}.",
            "request.pattern",
        )
    in_folder = _EXPLICIT.search(folder)
    if in_folder:  # a folder may well be called plates@2x, so only the unmistakable tokens count
        raise RequestError(
            f"The pattern {text!r} has the frame token {in_folder.group()} in a folder name; only the file name may "
            "hold it.",
            "request.pattern",
        )
    tokens = list(_EXPLICIT.finditer(name)) or list(_PADDING.finditer(name))
    if len(tokens) > 1:
        raise RequestError(
            f"The pattern {text!r} holds more than one frame token; write exactly one of {ACCEPTED}.",
            "request.pattern",
        )
    if not tokens:
        if "%" in name:
            raise RequestError(
                f"The pattern {text!r} has a % that is no frame token; write the frame number as {ACCEPTED}.",
                "request.pattern",
            )
        return text
    token = tokens[0]
    if token.group()[0] in "#@":
        _refuse_range(text, name)
    width = FileSequence.getPaddingNum(token.group(), pad_style=PAD_STYLE_HASH1)
    written = "%d" if width < 2 else f"%0{width}d"
    return os.path.join(folder, name[: token.start()] + written + name[token.end() :])


def _refuse_range(text: str, name: str) -> None:
    try:
        found = FileSequence(name, pad_style=PAD_STYLE_HASH1)
    except FileSeqException as error:
        raise RequestError(
            f"The pattern {text!r} cannot be read; write the frame number as {ACCEPTED}.", "request.pattern"
        ) from error
    if found.frameSet():
        raise RequestError(
            f"The pattern {text!r} holds the frames {found.frameRange()}; give them with --frames and leave only "
            f"{found.padding()} in the pattern.",
            "request.pattern",
        )
