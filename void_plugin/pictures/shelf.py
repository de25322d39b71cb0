"""Frames that were read a moment ago, so that zooming, exposing and probing need not read them again."""

import os
import threading
from collections import OrderedDict

from void_plugin.frames import ImageSequence
from void_plugin.pictures.reading import Absent, Frame, read

BYTES = 256 << 20
"""How much is kept: five frames of 4K RGB half."""

_Key = tuple[str, int, int, int]


class Shelf:
    """The last frames, by file and its time; safe to use from many threads."""

    def __init__(self, most: int = BYTES) -> None:
        self._most, self._held = most, 0
        self._frames: OrderedDict[_Key, Frame] = OrderedDict()
        self._lock = threading.Lock()

    def frame(self, pattern: str, number: int) -> Frame:
        """A frame, from here or from disk. Raises what `read` raises."""
        key = _key(pattern, number)
        with self._lock:
            found = self._frames.get(key)
            if found is not None:
                self._frames.move_to_end(key)
                return found
        made = read(pattern, number)
        with self._lock:
            if key not in self._frames:
                self._frames[key] = made
                self._held += made.pixels.nbytes
            while self._held > self._most and len(self._frames) > 1:
                _, old = self._frames.popitem(last=False)
                self._held -= old.pixels.nbytes
        return made


def _key(pattern: str, number: int) -> _Key:
    """What changes when a file is written again."""
    path = ImageSequence(pattern).path(number)
    try:
        facts = os.stat(path)
    except FileNotFoundError as error:
        raise Absent(path) from error
    except OSError:
        return pattern, number, 0, 0  # reading it says what is wrong
    return pattern, number, facts.st_mtime_ns, facts.st_size
