"""What a process that a window has started shares with it: asks and answers as lines, pictures in memory.

It is started with the path of a file and the bytes of one slot in it; both map that file into memory. It ends with its
window, whatever its threads are at.
"""

import mmap
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from void_plugin.lineprotocol import line_of, messages


class WindowEnd:
    """The window, as its helper sees it; safe to use from many threads."""

    def __init__(self, memory: mmap.mmap, slot_bytes: int, write: int) -> None:
        """`write` is the file descriptor of the answers."""
        self._memory, self._slot_bytes, self._write = memory, slot_bytes, write
        self._saying = threading.Lock()

    @property
    def slots(self) -> int:
        """How many pictures can be on their way at once."""
        return len(self._memory) // self._slot_bytes

    def asks(self) -> Iterator[dict[str, Any]]:
        """What the window says, until it ends."""
        return messages(sys.stdin.buffer, lambda text: print(text, file=sys.stderr))

    def say(self, message: Mapping[str, Any]) -> None:
        """Answer; ends this process where the window has gone."""
        line = line_of(dict(message))
        with self._saying:
            try:
                os.write(self._write, line)
            except OSError:
                os._exit(0)

    def has_room(self, picture: NDArray[Any]) -> bool:
        """True where a slot can hold a picture."""
        return picture.nbytes <= self._slot_bytes

    def put(self, slot: int, picture: NDArray[Any]) -> None:
        """Lay a picture for which there is room into a slot."""
        begin = slot * self._slot_bytes
        self._memory[begin : begin + picture.nbytes] = picture.tobytes()


def serve(work: Callable[[WindowEnd], None]) -> None:
    """Run a helper until its window ends, as a program of the two arguments above."""
    path, slot_bytes = sys.argv[1], int(sys.argv[2])
    write = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    with open(path, "r+b") as stream:
        memory = mmap.mmap(stream.fileno(), 0)
    work(WindowEnd(memory, slot_bytes, write))
    os._exit(0)
