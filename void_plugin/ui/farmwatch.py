"""Shots that a farm works on, followed by the panel while it is open: a farm tells nobody that it is done."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, QTimer

from void_plugin.errors import VoidError
from void_plugin.hosts import states
from void_plugin.ui.panelshot import PanelShot
from void_plugin.ui.work import Work

EVERY_MS = 10_000
"""How often farms are asked: some need a program a job for it."""


class FarmWatch(QObject):
    """Asks how the versions stand that farms make, and shows them once they are there."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._work = work
        self._asked: set[str] = set()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        self.every(EVERY_MS)

    def every(self, milliseconds: int) -> None:
        """Ask this often."""
        self._timer.start(milliseconds)

    def stop(self) -> None:
        """Ask no more."""
        self._timer.stop()

    def look(self) -> None:
        """Ask about every shot that a farm works on, unless it is being asked."""
        for key, shot, folder in self._work.on_farms():
            if key in self._asked:
                continue
            self._asked.add(key)
            args = {"output": shot.output, "look": True}
            stands, away = partial(self._stands, key, shot, folder), partial(self._away, key)
            self._work.asking.ask("versions", args, stands, away)

    def _away(self, key: str, error: VoidError) -> None:
        self._asked.discard(key)  # asked again the next time

    def _stands(self, key: str, shot: PanelShot, folder: str, answer: Mapping[str, Any]) -> None:
        self._asked.discard(key)
        row = next((row for row in answer["versions"] if row["folder"] == folder), None)
        if row is None:
            self._work.farm_told(key, states.cancelled())
        elif row["state"] == "done":
            args = {"folder": folder}
            self._work.asking.ask("manifest", args, lambda told: self._work.farm_done(key, folder, told["manifest"]))
        elif row["state"] == "failed":
            self._work.farm_told(key, states.failed(str(row["text"])))
        elif isinstance(row.get("farm"), Mapping):
            self._work.farm_told(key, states.on_farm(folder, row["farm"]))
        elif row.get("text"):  # why nobody can say how it stands; it goes on there
            self._work.farm_told(key, states.on_farm(folder, {"state": "unknown", "text": row["text"]}))
