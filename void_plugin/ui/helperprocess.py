"""A process of ours that makes pictures for a window: started when it is first needed, and again where it has died.

Asks and answers are lines; pictures lie in slots of a file that both map into memory (`pictures.windowend`).
"""

import contextlib
import mmap
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from void_plugin.lineprotocol import line_of, messages
from void_plugin.ui.poster import Poster

SLOT_BYTES = 3840 * 2160 * 4
"""Memory of one picture on its way: a window of 4K."""


class HelperProcess(QObject):
    """The window's end of one helper; all methods are for the thread of the window."""

    heard = Signal(object)
    """A message of the helper."""
    died = Signal(int)
    """The exit code of a helper that ended by itself; the next message starts another."""

    def __init__(self, module: str, slots: int, parent: QObject) -> None:
        super().__init__(parent)
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None
        self._closed = False
        self._poster = Poster(self)
        handle, self._path = tempfile.mkstemp(prefix="void-pictures-")
        with os.fdopen(handle, "r+b") as stream:
            stream.truncate(slots * SLOT_BYTES)
            self._memory = mmap.mmap(stream.fileno(), 0)

    @property
    def process_id(self) -> int | None:
        """The helper's process; None where none runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start it, so that the first answer need not wait for that."""
        if self._process is None and not self._closed:
            self._start()

    def send(self, message: Mapping[str, Any]) -> None:
        """Say something to it; in vain once it is closed, since a viewer may outlive its helper."""
        if self._closed:
            return
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(line_of(dict(message)))
            process.stdin.flush()
        except OSError:
            return  # it has died; the end of its answers says so

    @contextlib.contextmanager
    def picture(self, slot: int, height: int, width: int, kind: QImage.Format) -> Iterator[QImage]:
        """A picture of 4 bytes a pixel as it lies in a slot; it must be copied or drawn while this lasts."""
        begin = slot * SLOT_BYTES
        view = memoryview(self._memory)[begin : begin + height * width * 4]
        found = QImage(view, width, height, width * 4, kind)
        try:
            yield found
        finally:
            del found
            view.release()

    def close(self) -> None:
        """End it and give its memory back; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        process, self._process = self._process, None
        if process is not None:
            _let_go(process)
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._listener is not None:
            # It ends with the process. A signal that it sent while Qt takes this object apart would crash the window.
            self._listener.join(2)
        self._memory.close()
        if os.path.exists(self._path):
            os.unlink(self._path)

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", self._module, self._path, str(SLOT_BYTES)]
        hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, creationflags=hidden)
        self._process = process
        self._listener = threading.Thread(target=self._listen, args=(process,), daemon=True)
        self._listener.start()
        return process

    def _listen(self, process: "subprocess.Popen[bytes]") -> None:
        """In a thread of its own: what it says, until it ends."""
        assert process.stdout is not None
        with process.stdout as stream:
            for message in messages(stream, lambda text: print(text, file=sys.stderr)):
                self._post(process, message)
        process.wait()
        self._post(process, None)

    def _post(self, process: "subprocess.Popen[bytes]", message: Mapping[str, Any] | None) -> None:
        if not self._closed:
            self._poster.post(self._take, process, message)

    def _take(self, process: "subprocess.Popen[bytes]", message: Mapping[str, Any] | None) -> None:
        if self._closed or process is not self._process:
            return
        if message is not None:
            self.heard.emit(message)
            return
        self._process = None
        _let_go(process)
        self.died.emit(process.returncode)


def _let_go(process: "subprocess.Popen[bytes]") -> None:
    """Close the pipe to a process, which ends it; one that has ended already breaks the pipe."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
