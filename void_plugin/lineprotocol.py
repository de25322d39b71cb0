"""The lines between a host and its sidecar: one JSON object each, the same in both directions.

    {"hello": {"protocol": 1, "version": "0.1.0", ...}}     first line of each side
    {"refused": "<sentence>"}                               the sidecar's answer to a hello that it cannot serve
    {"id": 7, "call": "prepare", "args": {...}}             the host asks
    {"id": 7, "event": {...}}                               any number of times, then one of
    {"id": 7, "result": {...}} or {"id": 7, "error": {"code": "...", "text": "..."}}
    {"ask": 3, "call": "...", "args": {...}}                the sidecar asks
    {"ask": 3, "result": {...}} or {"ask": 3, "error": {...}}

Both sides pass over lines and fields that they do not know. Pixels never travel here, only their paths.
"""

import json
from typing import IO, Any, Callable, Dict, Iterator

from void_plugin.errors import HostError

PROTOCOL = 1
"""Number that both sides must share; raised only when an existing field changes its meaning."""
MOST_LINE_BYTES = 16 << 20
"""Longest line, with its newline; longer ones are not written, and passed over where they are read."""


def line_of(message: Dict[str, Any]) -> bytes:
    """A message as a line of plain ASCII, which no encoding of a pipe can break.

    Raises HostError where it is too long, TypeError or ValueError where it is no JSON.
    """
    line = json.dumps(message).encode("ascii") + b"\n"
    if len(line) > MOST_LINE_BYTES:
        raise HostError(
            "A message of {:.0f} MB was to go between the host and its sidecar, but {:.0f} MB is the most; ask for "
            "less at once.".format(len(line) / 1e6, MOST_LINE_BYTES / 1e6),
            "host.protocol",
        )
    return line


def messages(stream: IO[bytes], complain: Callable[[str], None]) -> Iterator[Dict[str, Any]]:
    """The messages that come in until the stream ends; lines that are none go to `complain`, as a sentence."""
    while True:
        line = stream.readline(MOST_LINE_BYTES)
        if not line:
            return
        if not line.endswith(b"\n"):
            if len(line) == MOST_LINE_BYTES and _skip_line(stream):
                complain("A line of more than {} bytes was passed over.".format(MOST_LINE_BYTES))
                continue
            complain("The last line was cut short: {!r}.".format(line[:200]))
            return
        try:
            message = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            complain("A line that is no JSON was passed over ({}): {!r}.".format(error, line[:200]))
            continue
        if isinstance(message, dict):
            yield message
        else:
            complain("A line that is no JSON object was passed over: {!r}.".format(line[:200]))


def _skip_line(stream: IO[bytes]) -> bool:
    """Pass over the rest of a line; False where the stream ends before it does."""
    while True:
        rest = stream.readline(MOST_LINE_BYTES)
        if not rest:
            return False
        if rest.endswith(b"\n"):
            return True
