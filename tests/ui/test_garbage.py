"""Python's garbage is collected on the thread of the windows, whichever thread makes it."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

from panels import until
from PySide6.QtCore import QObject, QTimer

from void_plugin.ui.garbage import Garbage


class _Node(QObject):
    """What holds itself, so that only the collector can take it apart."""

    def __init__(self) -> None:
        super().__init__()
        self.me = self
        self.timer = QTimer(self)


def busy(ended: threading.Event) -> None:
    """What makes Python collect: many new objects that stay for a while."""
    kept: list[Any] = []
    while not ended.is_set():
        kept = [[number] for number in range(5000)]
    kept.clear()


def test_what_qt_holds_is_taken_apart_on_the_thread_of_the_windows(garbage: Garbage) -> None:
    ended, where = threading.Event(), []
    others = [threading.Thread(target=busy, args=(ended,)) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for _ in range(20):
            weakref.finalize(_Node(), lambda: where.append(threading.current_thread()))
        until(lambda: len(where) == 20, "the end of all of them")
    finally:
        ended.set()
        for other in others:
            other.join()
    assert set(where) == {threading.current_thread()}


def test_python_collects_again_once_the_windows_are_gone(garbage: Garbage) -> None:
    assert not gc.isenabled()
    garbage.stop()
    assert gc.isenabled()
