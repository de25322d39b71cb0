"""The long work of the painter: saving mattes, and making them from key frames."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from void_plugin.errors import Cancelled, FrameError, VoidError
from void_plugin.pictures.cutting import Key, Picture
from void_plugin.pictures.keyframes import mattes_between
from void_plugin.pictures.mattefiles import save
from void_plugin.pictures.planes import Plane
from void_plugin.pictures.reading import Absent, read
from void_plugin.pictures.sheets import Sheets

PATIENCE_SECONDS = 1.5
"""How long a piece of work may take to end; its window waits no more than two seconds."""

Say = Callable[[Mapping[str, Any]], None]


class Jobs:
    """Runs long work beside the painting; each piece has a ticket."""

    def __init__(self, say: Say, put: Say) -> None:
        """`say` tells the window, `put` hands work back to the thread that paints."""
        self._say, self._put = say, put
        self._ends: dict[int, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    def cancel(self, ticket: int) -> None:
        """End a piece of work soon."""
        if ticket in self._ends:
            self._ends[ticket].set()

    def end(self) -> None:
        """End all of it, so that no half version of mattes is left; waits a moment for that."""
        for end in list(self._ends.values()):
            end.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def save(self, message: Mapping[str, Any], sheets: Sheets) -> None:
        """Write a version of the mattes as they now are."""
        touched, frames = sheets.saving(int(message["ticket"])), sheets.to_save()
        size, before = sheets.painting.size, sheets.saved_labels

        def work(ticket: int, told: Callable[[float], None], over: Callable[[], bool]) -> None:
            version = save(sheets.files, touched, before, frames, size, sheets.folder, told, over)
            answer = {"say": "saved", "folder": version.folder.as_posix(), "patterns": dict(version.patterns)}
            self._put({**answer, "ticket": ticket, "shot": sheets.shot, "missing": list(version.missing)})

        self._run(message, work)

    def keyframes(self, message: Mapping[str, Any], sheets: Sheets) -> None:
        """Make a matte for every frame of the shot."""
        label = str(message["label"])
        keys = {int(frame): key_of(drawn) for frame, drawn in message["keys"].items()}

        def work(ticket: int, told: Callable[[float], None], over: Callable[[], bool]) -> None:
            mattes = {}
            white: list[float] = []

            def plate(frame: int) -> Picture:
                return _shown(sheets.files.plate, frame, white)

            for frame, matte in mattes_between(plate, keys, list(sheets.frames), told, over):
                matte[matte < 1 / 255] = 0
                mattes[frame, label] = Plane.of_pixels(matte.astype(np.float16))
            name = "Matte from keyframes"
            self._put({"say": "replace", "ticket": ticket, "shot": sheets.shot, "mattes": mattes, "name": name})

        self._run(message, work)

    def _run(self, message: Mapping[str, Any], work: Callable[..., None]) -> None:
        ticket = int(message["ticket"])
        end = self._ends[ticket] = threading.Event()
        last = [-1]

        def told(share: float) -> None:
            if int(share * 100) != last[0]:
                last[0] = int(share * 100)
                self._say({"say": "progress", "ticket": ticket, "share": share})

        def run() -> None:
            try:
                work(ticket, told, end.is_set)
            except VoidError as error:
                self._say({"say": "failed", "ticket": ticket, "text": error.message})
            except Cancelled:
                self._say({"say": "cancelled", "ticket": ticket})
            except Exception as error:  # the top of this thread: painting goes on
                self._say({"say": "failed", "ticket": ticket, "text": f"That did not work ({error!r})."})
            finally:
                del self._ends[ticket]

        thread = threading.Thread(target=run, daemon=True)
        self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()


def key_of(drawn: Mapping[str, Any]) -> Key:
    """A key frame as a window sends it."""

    def lines(given: Any) -> tuple[tuple[tuple[float, float], ...], ...]:
        return tuple(tuple((float(x), float(y)) for x, y in line) for line in given)

    box = drawn.get("box")
    limits = (float(box[0]), float(box[1]), float(box[2]), float(box[3])) if box else None
    return Key(limits, lines(drawn.get("inside", ())), lines(drawn.get("outside", ())), float(drawn["width"]))


def _shown(pattern: str, frame: int, white: list[float]) -> Picture:
    """A frame of the plate in 8 bits, all frames with the white of the first. Raises FrameError."""
    try:
        found = read(pattern, frame)
    except Absent as error:
        raise FrameError(
            f"Frame {frame} of the plate ({error}) is missing, and mattes cannot be carried over it.", "frame.missing"
        ) from error
    pixels = found.layer((), False)
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels[..., ::-1])
    if not white:
        white.append(max(1e-6, float(np.nanpercentile(pixels[::4, ::4].astype(np.float32), 99))))
    # Looking up is ten times as quick as raising to a power.
    return np.ascontiguousarray(_codes(white[0])[pixels.astype(np.float16).view(np.uint16)][..., ::-1])


@functools.lru_cache(maxsize=4)
def _codes(white: float) -> NDArray[np.uint8]:
    """The code of each of the 65,536 halves."""
    with np.errstate(invalid="ignore", over="ignore"):
        values = np.nan_to_num(np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32), nan=0.0)
        shown = np.clip(values / np.float32(white), 0, 1) ** np.float32(1 / 2.2)
    return np.asarray(np.rint(shown * 255), np.uint8)
