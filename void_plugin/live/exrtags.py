"""What the header of an EXR file says of its colour, read without a library: nothing but its first bytes."""

import os
import struct

MAGIC = b"\x76\x2f\x31\x01"
MOST = 1 << 20
"""Bytes that are looked at; a header with a preview picture has some hundred thousand."""
ACES = "lin_ap0_scene"


def colour_tag(path: str) -> str:
    """The colorInteropID of a file; empty for one that is not tagged, is tagged as unknown, or is no EXR file.

    The flag of an ACES image container is such a tag too, and comes first.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(min(MOST, os.path.getsize(path)))
    except OSError:
        return ""
    attributes = _attributes(data) if data.startswith(MAGIC) else {}
    if any(attributes.get("acesImageContainerFlag", b"")):
        return ACES
    # The type string of OpenEXR has no end of its own: its length is that of the attribute.
    said = attributes.get("colorInteropID", b"").rstrip(b"\0").decode("utf-8", "replace")
    return "" if said in ("unknown", "data") else said


def _attributes(data: bytes) -> dict[str, bytes]:
    """The attributes of the first part, as far as the bytes hold them whole."""
    found: dict[str, bytes] = {}
    at = 8  # behind the magic number and the version
    while True:
        name_end = data.find(b"\0", at)
        type_end = data.find(b"\0", name_end + 1)
        if name_end <= at or type_end < 0 or type_end + 5 > len(data):
            return found
        (size,) = struct.unpack_from("<i", data, type_end + 1)
        start = type_end + 5
        if size < 0 or start + size > len(data):
            return found
        found[data[at:name_end].decode("utf-8", "replace")] = data[start : start + size]
        at = start + size
