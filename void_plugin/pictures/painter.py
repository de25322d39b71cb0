"""`python -m void_plugin.pictures.painter FILE SLOT_BYTES`: holds what is painted on mattes, for a window.

A picture is sent when a slot is free, so that a slow window is never behind by more than what it shows. Long work
(saving, mattes from key frames) runs in a thread of its own while painting goes on.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from void_plugin.errors import Cancelled, RequestError, VoidError
from void_plugin.pictures.brush import Brush
from void_plugin.pictures.painterjobs import Jobs
from void_plugin.pictures.painting import Painting
from void_plugin.pictures.planes import Box
from void_plugin.pictures.sheets import Sheets
from void_plugin.pictures.tinting import part_of, tinted
from void_plugin.pictures.windowend import WindowEnd, serve

Message = Mapping[str, Any]


class Painter:
    """Does what a window says, in order."""

    def __init__(self, window: WindowEnd) -> None:
        self._window, self._say = window, window.say
        self._free = list(range(window.slots))
        self._waiting: deque[Message] = deque()
        self._ready = threading.Condition()
        self._sheets: dict[str, Sheets] = {}
        self._open: Sheets | None = None
        self._look: Message | None = None
        self._dirty: Box | None = None
        self._told: object = None
        self._left = threading.Event()
        self._jobs = Jobs(self._say, self._put)
        self._actions: dict[str, Callable[[Message], None]] = {
            "open": self._take_shot, "look": self._take_look, "taken": self._take_slot, "begin": self._begin,
            "to": self._to, "end": self._end, "undo": self._undo, "redo": self._redo, "copy": self._copy,
            "save": self._save, "keyframes": self._keyframes, "cancel": self._cancel, "replace": self._replace,
            "saved": self._saved, "leave": self._leave,
        }  # fmt: skip

    def run(self) -> None:
        """Serve to the end of what the window says."""
        threading.Thread(target=self._work, daemon=True).start()
        for message in self._window.asks():
            self._put(message)
            if message["say"] == "leave":
                self._left.wait()
                return

    def _put(self, message: Message) -> None:
        with self._ready:
            self._waiting.append(message)
            self._ready.notify()

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._waiting:
                    self._ready.wait()
                taken = list(self._waiting)
                self._waiting.clear()
            for message in taken:
                self._act(message)
            self._tell()
            self._show()

    def _act(self, message: Message) -> None:
        try:
            self._actions[str(message["say"])](message)
        except VoidError as error:
            self._say({"say": "failed", "ticket": message.get("ticket", 0), "text": error.message})
        except Cancelled:
            return
        except Exception as error:  # the top of this thread: one stroke must not take the others with it
            text = f"The mattes could not be changed ({error!r})."
            self._say({"say": "failed", "ticket": message.get("ticket", 0), "text": text})

    # -- what the window says --------------------------------------------------------------------------------

    def _take_shot(self, message: Message) -> None:
        key = str(message["shot"])
        self._look = self._open = None  # where this one cannot be opened, strokes must not go to the last one
        if key not in self._sheets:
            made = self._sheets[key] = Sheets.of_message(message)
            if made.came_back or message.get("again"):
                frames = sorted({frame for frame, _ in made.painting.touched()})
                self._say({"say": "restored", "shot": key, "whole": made.came_back, "frames": frames})
        self._open = self._sheets[key]

    def _take_look(self, message: Message) -> None:
        self._look, self._dirty = message, None
        self._changed(tuple(message["seen"]))

    def _take_slot(self, message: Message) -> None:
        self._free.append(int(message["slot"]))

    def _begin(self, message: Message) -> None:
        brush = Brush(float(message["radius"]), float(message["hardness"]))
        at = float(message["x"]), float(message["y"])
        box = self._painting.begin(int(message["frame"]), str(message["label"]), at, brush, bool(message["erase"]))
        self._changed(box)

    def _to(self, message: Message) -> None:
        for x, y in message["points"]:
            self._changed(self._painting.to((float(x), float(y))))

    def _end(self, message: Message) -> None:
        self._painting.end()

    def _undo(self, message: Message) -> None:
        self._frames_changed(self._painting.undo())

    def _redo(self, message: Message) -> None:
        self._frames_changed(self._painting.redo())

    def _copy(self, message: Message) -> None:
        frame = int(message["frame"])
        if self._painting.copy(int(message["origin"]), frame, str(message["label"])):
            self._frames_changed(frozenset({frame}))

    def _save(self, message: Message) -> None:
        self._painting.end()
        self._jobs.save(message, self._sheets_of(message))

    def _keyframes(self, message: Message) -> None:
        self._jobs.keyframes(message, self._sheets_of(message))

    def _cancel(self, message: Message) -> None:
        self._jobs.cancel(int(message["ticket"]))

    def _replace(self, message: Message) -> None:
        """Put by a job of ours: whole mattes that are to be taken."""
        sheets = self._sheets[message["shot"]]
        sheets.painting.replace(message["name"], message["mattes"])
        self._say({"say": "made", "ticket": message["ticket"], "frames": len(message["mattes"])})
        if sheets is self._open:
            self._frames_changed(frozenset(frame for frame, _ in message["mattes"]))

    def _saved(self, message: Message) -> None:
        """Put by a job of ours: mattes that are in files now."""
        sheets = self._sheets[message["shot"]]
        sheets.has_saved(int(message["ticket"]), message["patterns"])
        self._say({**message, "unsaved": sheets.unsaved()})

    def _leave(self, message: Message) -> None:
        """The window closes: keep what is not saved, unless its user has said that it may go."""
        try:
            self._jobs.end()
            for sheets in self._sheets.values():
                sheets.leave(bool(message["discard"]))
        finally:
            self._left.set()

    # -- what the window is told -----------------------------------------------------------------------------

    @property
    def _painting(self) -> Painting:
        if self._open is None:
            raise RequestError("There is no shot to paint on; open a request.")
        return self._open.painting

    def _sheets_of(self, message: Message) -> Sheets:
        return self._sheets[str(message["shot"])]

    def _frames_changed(self, frames: frozenset[int]) -> None:
        if self._look is not None and int(self._look["frame"]) in frames:
            self._changed(tuple(self._look["seen"]))

    def _changed(self, box: Box) -> None:
        old = self._dirty
        if box[0] >= box[2] or box[1] >= box[3]:
            return
        if old is not None:
            box = min(old[0], box[0]), min(old[1], box[1]), max(old[2], box[2]), max(old[3], box[3])
        self._dirty = box

    def _tell(self) -> None:
        """Say what can be undone, where that is news."""
        if self._open is None:
            return
        if self._open.problem:
            self._say({"say": "failed", "ticket": 0, "text": self._open.problem})
            self._open.problem = ""
        painting = self._open.painting
        state = {
            "say": "state", "shot": self._open.shot, "undo": painting.can_undo, "redo": painting.can_redo,
            "painted": sorted({frame for frame, _ in painting.touched()}), "unsaved": self._open.unsaved(),
        }  # fmt: skip
        if state != self._told:
            self._told = state
            self._say(state)

    def _show(self) -> None:
        """Send the part of the picture that has changed, where there is a slot for it."""
        look, dirty = self._look, self._dirty
        if look is None or dirty is None or not self._free or self._open is None:
            return
        self._dirty = None
        seen, size = tuple(look["seen"]), tuple(look["size"])
        part = part_of(dirty, seen, size)
        if part is None:
            return
        try:
            pixels = tinted(self._open.painting, int(look["frame"]), seen, size, float(look["opacity"]), part)
        except VoidError as error:
            self._say({"say": "failed", "ticket": 0, "text": error.message})
            return
        if not self._window.has_room(pixels):
            self._say({"say": "failed", "ticket": 0, "text": "The window is too large to paint in; make it smaller."})
            return
        slot = self._free.pop()
        self._window.put(slot, pixels)
        self._say({"say": "shown", "look": look["look"], "slot": slot, "part": part})


if __name__ == "__main__":
    serve(lambda window: Painter(window).run())
