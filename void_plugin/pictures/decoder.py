"""`python -m void_plugin.pictures.decoder FILE SLOT_BYTES`: makes pictures for a window, in the order asked.

Asks come as lines on stdin, answers go to stdout, pixels into slots of a file that both map into memory. It ends with
its window. Two threads work, because OpenImageIO and OpenColorIO let go of the interpreter.
"""

import mmap
import os
import sys
import threading
from collections import deque
from typing import Any

from void_plugin.errors import HostError, VoidError
from void_plugin.lineprotocol import line_of, messages
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

WORKERS = 2


class Decoder:
    """Works off asks in order; probes first, since somebody points at a pixel."""

    def __init__(self, renderer: Renderer, memory: mmap.mmap, slot_bytes: int, write: int) -> None:
        """`write` is the file descriptor of the answers."""
        self._renderer, self._memory, self._slot_bytes, self._write = renderer, memory, slot_bytes, write
        self._waiting: deque[Ask] = deque()
        self._ready = threading.Condition()
        self._saying = threading.Lock()
        self._over = False

    def run(self, read: Any) -> None:
        """Answer to the end of the asks."""
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        self._say(self._views())
        for message in messages(read, self._complain):
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
        with self._ready:
            self._over = True
            self._waiting.clear()
            self._ready.notify_all()

    def _views(self) -> Answer:
        try:
            return Views(tuple(self._renderer.views()))
        except VoidError as error:
            return Failed(0, error.message)

    def _work(self) -> None:
        while True:
            with self._ready:
                while not self._waiting:
                    if self._over:
                        return
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
            return Failed(ask.ticket, f"Frame {ask.frame} of {ask.pattern} cannot be shown ({error!r}).")

    def _show(self, ask: Show) -> Answer:
        picture, frame = self._renderer.render(ask)
        if picture.nbytes > self._slot_bytes:
            raise HostError(f"Frame {ask.frame} is larger than the window has memory for; make the window smaller.")
        begin = ask.slot * self._slot_bytes
        self._memory[begin : begin + picture.nbytes] = picture.tobytes()
        height, width = picture.shape[:2]
        return Shown(ask.ticket, ask.slot, height, width, frame.size, frame.pixel_aspect)

    def _say(self, answer: Answer) -> None:
        line = line_of(to_message(answer))
        with self._saying:
            try:
                os.write(self._write, line)
            except OSError:
                os._exit(0)  # the window has gone

    def _complain(self, text: str) -> None:
        print(text, file=sys.stderr)


def main() -> None:
    """Serve one window until its end."""
    path, slot_bytes = sys.argv[1], int(sys.argv[2])
    write = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    with open(path, "r+b") as stream:
        memory = mmap.mmap(stream.fileno(), 0)
    Decoder(Renderer(Display.chosen(os.environ), Shelf()), memory, slot_bytes, write).run(sys.stdin.buffer)
    os._exit(0)


if __name__ == "__main__":
    main()
