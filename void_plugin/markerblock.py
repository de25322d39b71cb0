"""A block of lines of ours in a text file of the user's, between two markers: put in, replaced, taken out again.

Everything else in the file keeps its bytes, its line endings and the end it had: taking the block out gives back
exactly what was there before it was put in. Pure functions of the file's content.
"""

from collections.abc import Sequence

from void_plugin.errors import HostError

BEGIN = b"# >>> void_plugin >>>"
END = b"# <<< void_plugin <<<"
"""How the first and the last line of the block begin."""


def has_block(content: bytes, name: str) -> bool:
    """True where the file holds a block. Raises HostError as `with_block`."""
    return _find(content, name) is not None


def with_block(content: bytes, lines: Sequence[str], name: str) -> bytes:
    """The content with these lines as its block: in place of the one it has, else at its end.

    The lines are ASCII without line ends. Raises HostError, which calls the file `name`, where it is not UTF-8 or a
    marker stands alone.
    """
    span = _find(content, name)
    newline = _newline(content)
    # A file that ended without a newline ends without one again, which also says so when the block is taken out.
    last = newline
    if span is not None:
        before, old, after = span
        last = _ending(old) and newline
    else:
        before, after = content, b""
        if before and not _ending(before):
            before, last = before + newline, b""
    body = [BEGIN + b" void nuke install writes this, void nuke uninstall takes it out"]
    body += [line.encode("ascii") for line in lines]
    return before + newline.join([*body, END]) + last + after


def without_block(content: bytes, name: str) -> bytes:
    """The content without its block, or as it is where it has none. Raises HostError as `with_block`."""
    span = _find(content, name)
    if span is None:
        return content
    before, old, after = span
    if not _ending(old):
        before = before[: len(before) - len(_ending(before))]
    return before + after


def _find(content: bytes, name: str) -> tuple[bytes, bytes, bytes] | None:
    """What stands before the block, the block, and what stands after it; None where there is none."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise HostError(
            f"{name} is not UTF-8 text, so it was left as it is; save it as UTF-8 and run the same command again.",
            "host.folder",
        )
    lines = content.splitlines(keepends=True)
    begins = [index for index, line in enumerate(lines) if line.startswith(BEGIN)]
    ends = [index for index, line in enumerate(lines) if line.startswith(END)]
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        raise HostError(
            f"{name} does not hold one whole block between '{BEGIN.decode()}' and '{END.decode()}', so it was left as "
            "it is; delete what is left of the block by hand and run the same command again.",
            "host.folder",
        )
    first, end = begins[0], ends[0] + 1
    return b"".join(lines[:first]), b"".join(lines[first:end]), b"".join(lines[end:])


def _newline(content: bytes) -> bytes:
    """The line ending that the last ended line has."""
    for line in reversed(content.splitlines(keepends=True)):
        if _ending(line):
            return _ending(line)
    return b"\n"


def _ending(line: bytes) -> bytes:
    return next((ending for ending in (b"\r\n", b"\n", b"\r") if line.endswith(ending)), b"")
