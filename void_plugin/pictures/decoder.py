"""`python -m void_plugin.pictures.decoder FILE SLOT_BYTES`: makes pictures for a window, in the order asked.

Two threads work, because OpenImageIO and OpenColorIO let go of the interpreter.
"""

import os
import threading
from collections import deque

from void_plugin.errors import HostError, VoidError
from void_plugin.pictures.asks import (
    Answer,
    Ask,
    Dropped,
    Failed,
    Probe,
    Probed,
    Show,
    Shown,
    Views,
    from_message,
    to_message,
)
from void_plugin.pictures.display import Display
from void_plugin.pictures.reading import Absent
from void_plugin.pictures.rendering import Renderer
from void_plugin.pictures.shelf import Shelf
from void_plugin.pictures.windowend import WindowEnd, serve

WORKERS = 2


class Decoder:
    """Works off asks in order; probes first, since somebody points at a pixel."""

    def __init__(self, renderer: Renderer, window: WindowEnd) -> None:
        self._renderer, self._window = renderer, window
        self._waiting: deque[Ask] = deque()
        self._ready = threading.Condition()

    def run(self) -> None:
        """Answer to the end of the asks."""
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        self._say(self._views())
        for message in self._window.asks():
            with self._ready:
                if message.get("say") == "drop":
                    dropped = [ask.ticket for ask in self._waiting]
                    self._waiting.clear()
                    self._say(Dropped(tuple(dropped)))
                    continue
                ask = from_message(message)
                if isinstance(ask, Probe):
                    self._waiting.appendleft(ask)
                else:
                    self._waiting.append(ask)
                self._ready.notify()

    def _views(self) -> Answer:
        try:
            return Views(tuple(self._renderer.views()))
        except VoidError as error:
            return Failed(0, error.message)

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._waiting:
                    self._ready.wait()
                ask = self._waiting.popleft()
            self._say(self._answer(ask))

    def _answer(self, ask: Ask) -> Answer:
        try:
            if isinstance(ask, Probe):
                return Probed(ask.ticket, self._renderer.probe(ask))
            return self._show(ask)
        except Absent:
            if isinstance(ask, Probe):
                return Probed(ask.ticket, {})
            return Shown(ask.ticket, ask.slot, 0, 0, missing=True)
        except VoidError as error:
            return Failed(ask.ticket, error.message)
        except Exception as error:  # the top of this thread: one picture must not take the others with it
            what = ask.wish if isinstance(ask, Show) else ask
            return Failed(ask.ticket, f"Frame {what.frame} of {what.pattern} cannot be shown ({error!r}).")

    def _show(self, ask: Show) -> Answer:
        picture, frame = self._renderer.render(ask.wish)
        if not self._window.has_room(picture):
            raise HostError(
                f"Frame {ask.wish.frame} is larger than the window has memory for; make the window smaller."
            )
        self._window.put(ask.slot, picture)
        height, width = picture.shape[:2]
        return Shown(ask.ticket, ask.slot, height, width, frame.size, frame.pixel_aspect)

    def _say(self, answer: Answer) -> None:
        self._window.say(to_message(answer))


if __name__ == "__main__":
    serve(lambda window: Decoder(Renderer(Display.chosen(os.environ), Shelf()), window).run())
