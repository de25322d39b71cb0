"""Python's garbage, collected on the thread of the windows alone, and in small pieces.

Python collects cycles on whichever thread happens to need memory, and destroys there what they hold. PySide brings
widgets that are destroyed so to their own thread, but no other object of Qt's (seen with 6.11), to which that thread
may be handing an event just then.
"""

import gc

from PySide6.QtCore import QObject, QTimer

LOOK_MS = 200
"""How often it is looked whether there is enough to collect."""


class Garbage(QObject):
    """Collects it from `start` to `stop`, when Python itself would: the younger, the more often."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)

    def start(self) -> None:
        """Keep other threads from it."""
        gc.disable()
        self._timer.start()

    def stop(self) -> None:
        """Leave it to Python again."""
        self._timer.stop()
        gc.enable()

    def _look(self) -> None:
        counts, limits = gc.get_count(), gc.get_threshold()
        for generation in (2, 1, 0):
            if counts[generation] > limits[generation]:
                gc.collect(generation)
                return
