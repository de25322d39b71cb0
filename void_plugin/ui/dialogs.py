"""The dialogs of the panel that lead to shots and farms."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtWidgets import QFileDialog, QWidget

from void_plugin.ui.farmdialog import FarmDialog
from void_plugin.ui.panelshot import PanelShot
from void_plugin.ui.timelinedialog import TimelineDialog
from void_plugin.ui.work import Work

TIMELINES = "Timelines (*.otio *.otioz *.otiod *.edl *.xml *.aaf);;All files (*)"


class Dialogs:
    """Opens them over a window; none of them holds it up."""

    def __init__(self, window: QWidget, work: Work) -> None:
        self._window, self._work = window, work

    def choose_timeline(self) -> None:
        """Ask for a timeline and which of its shots to open."""
        path, _ = QFileDialog.getOpenFileName(self._window, "Open a timeline", "", TIMELINES)
        if path:
            self.open_timeline(path)

    def open_timeline(self, path: str) -> TimelineDialog:
        """Ask which shots of a timeline to open."""
        dialog = TimelineDialog(self._work.asking, path, self._window)
        dialog.made.connect(self._open_all)
        dialog.open()
        return dialog

    def choose_farm(self, shot: PanelShot, submit: Callable[[str], None]) -> FarmDialog:
        """Ask on which farm a shot is to be made; `submit` hears its name once the shot has its priority."""

        def wanted(farm: str, priority: int) -> None:
            self._work.set_request(shot, replace(shot.request, priority=priority))
            submit(farm)

        dialog = FarmDialog(self._work.asking, shot, self._window)
        dialog.wanted.connect(wanted)
        dialog.open()
        return dialog

    def _open_all(self, paths: list[str]) -> None:
        for path in paths:
            self._work.open(path)
