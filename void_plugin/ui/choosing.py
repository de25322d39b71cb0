"""The panel as a question of an editor's script: which of these shots, with which settings and mattes?

It runs nothing but previews and test frames. The answer goes to stdout as one JSON object, and its process ends.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QToolBar

from void_plugin.ui.decoderclient import DecoderClient
from void_plugin.ui.panelshot import PanelShot
from void_plugin.ui.window import PanelWindow
from void_plugin.ui.work import Work


class ChoosingWindow(PanelWindow):
    """The panel with *Send* in place of *Remove*; shots have a tick."""

    def __init__(self, work: Work, decoder: DecoderClient, unsaved: str, asked: Sequence[Mapping[str, Any]]) -> None:
        """`asked` names for each shot its `request` file and the `output` folder of its tests and previews."""
        super().__init__(work, decoder, unsaved)
        self.answer: dict[str, Any] | None = None
        """The requests to send, by the path of their file; None where the window was closed."""
        self._outputs = {str(one["request"]): str(one["output"]) for one in asked}
        bar = QToolBar("Send")
        bar.setMovable(False)
        self.addToolBar(bar)
        self.send = QAction("&Send", self)
        self.send.setShortcut(QKeySequence("Ctrl+Return"))
        self.send.setToolTip("Send the shots that are ticked, as they now are (Ctrl+Return)")
        self.send.triggered.connect(lambda: self._send())
        bar.addAction(self.send)
        for name in ("open", "timeline", "remove", "farm"):
            self.actions_by_name[name].setVisible(False)
            self.actions_by_name[name].setShortcut(QKeySequence())
        self.list.itemChanged.connect(lambda item: self._count())
        for path in self._outputs:
            work.open(path)

    def _opened(self, shot: PanelShot) -> None:
        shot.output = self._outputs.get(shot.path, shot.output)
        super()._opened(shot)
        self.list.tick(shot, True)
        self._count()

    def _count(self) -> None:
        count = len(self.list.ticked())
        self.send.setText(f"&Send {count} of {self.list.count()}")
        self.send.setEnabled(count > 0)

    def _send(self) -> None:
        """Answer and leave; mattes that were painted are saved first, so that the requests name them."""
        chosen = [self.work.shots[uuid] for uuid in self.list.ticked()]
        painted = next((shot for shot in chosen if self.touchup.has_unsaved(shot)), None)
        if painted is not None:
            self.touchup.once_saved(painted, self._send)
            return
        self.answer = {"send": {shot.path: shot.request.to_dict() for shot in chosen}}
        print(json.dumps(self.answer), flush=True)
        self.close_at_once()
