"""The main window: shots on the left, the viewer in the middle, settings and jobs on the right."""

import os
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QAction, QCloseEvent, QDesktopServices, QKeySequence
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from void_plugin.errors import VoidError
from void_plugin.frames import describe
from void_plugin.hosts.states import NodeState
from void_plugin.ui.connection import ConnectionDialog, Health
from void_plugin.ui.decoderclient import DecoderClient
from void_plugin.ui.dialogs import Dialogs
from void_plugin.ui.farmwatch import FarmWatch
from void_plugin.ui.fields import values_of, with_values
from void_plugin.ui.firstpage import FirstPage
from void_plugin.ui.jobspage import ACTIONS, JobsPage
from void_plugin.ui.notify import Notifier
from void_plugin.ui.oneline import OneLine
from void_plugin.ui.painterclient import PainterClient
from void_plugin.ui.panelshot import PanelShot
from void_plugin.ui.settingspage import SettingsPage
from void_plugin.ui.shotlist import ShotList
from void_plugin.ui.touchup import TouchUp
from void_plugin.ui.transport import Transport
from void_plugin.ui.viewer import Viewer
from void_plugin.ui.viewerbar import ViewerBar
from void_plugin.ui.work import Work

HEALTH_LETTERS = 70
"""As much of the server's state as leaves room for what else is said; all of it is in the connection dialog."""


class PanelWindow(QMainWindow):
    """Shows the work and asks for it."""

    def __init__(self, work: Work, decoder: DecoderClient, unsaved: str) -> None:
        """`unsaved` is the folder for what is painted and not saved yet."""
        super().__init__()
        self.setWindowTitle("VOID")
        self.work, self._decoder = work, decoder
        self.shot: PanelShot | None = None
        self._leaving = False
        self.viewer = Viewer(decoder)
        self.bar, self.transport = ViewerBar(self.viewer), Transport(self.viewer)
        self.readout = QLabel(" ")
        self.readout.setAccessibleName("Value below the pointer")
        self.first, self.list = FirstPage(), ShotList()
        self.settings, self.jobs = SettingsPage(), JobsPage()
        self.touchup = TouchUp(self.viewer, PainterClient(unsaved, self))
        self.connection = ConnectionDialog(self)
        self.notifier = Notifier(self)
        self.dialogs = Dialogs(self, work)
        self.farm_watch = FarmWatch(work)
        self.message = QLabel(" ")
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.setAccessibleName("Last message")
        self.health = OneLine("Asking the server…")
        self.health.setAccessibleName("Server")
        self.health.setMaximumWidth(HEALTH_LETTERS * self.health.fontMetrics().averageCharWidth())
        self._lay_out()
        self.actions_by_name = self._make_actions()
        self._connect()
        self.resize(1440, 860)
        decoder.start()
        self._refresh()

    # -- how it is made --------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(self.viewer, 1)
        column.addWidget(self.readout)
        column.addWidget(self.transport)
        self.tabs = QTabWidget()
        self.tabs.addTab(self.settings, "&Settings")
        self.tabs.addTab(self.touchup, "Mas&k")
        self.tabs.addTab(self.jobs, "&Jobs")
        whole = QSplitter()
        for widget, stretch in ((self.list, 0), (middle, 1), (self.tabs, 0)):
            whole.addWidget(widget)
            whole.setStretchFactor(whole.indexOf(widget), stretch)
        whole.setSizes([200, 820, 420])
        self.pages = QStackedWidget()
        self.pages.addWidget(self.first)
        self.pages.addWidget(whole)
        below = QHBoxLayout()
        below.setContentsMargins(6, 0, 6, 4)
        below.addWidget(self.message, 1)
        below.addWidget(self.health)
        central = QWidget()
        rows = QVBoxLayout(central)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.pages, 1)
        rows.addLayout(below)  # a status bar would be far too high for sentences of two lines
        self.setCentralWidget(central)

    def _make_actions(self) -> dict[str, QAction]:
        bar = QToolBar("Actions")
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.addToolBar(bar)
        made = {}
        for name, text, keys, tip, act in (
            ("open", "&Open…", "Ctrl+O", "Open a request", self.choose_request),
            ("save", "Save &as…", "Ctrl+Shift+S", "Write the request as it now is", self.choose_place),
            ("preview", "Preview &mask", "Ctrl+M", "See what would be removed and what may change, before any GPU time",
             lambda: self.run("preview")),
            ("test", "&Test frame", "Ctrl+T", "Remove on this frame only", lambda: self.run("test")),
            ("remove", "&Remove", "Ctrl+R", "Remove on all frames; the result becomes a new version",
             lambda: self.run("remove")),
            ("farm", "Submit to &farm…", "Ctrl+Shift+R", "Make it on a render farm; the result becomes a new version",
             self.choose_farm),
            ("timeline", "Open t&imeline…", "Ctrl+Shift+O", "Open shots of an editor's timeline",
             self.dialogs.choose_timeline),
            ("connection", "&Connection…", "Ctrl+K", "Which server, and whether it is well", self.show_connection),
        ):  # fmt: skip
            action = QAction(text, self)
            action.setShortcut(QKeySequence(keys))
            action.setToolTip(f"{tip} ({keys})")
            action.triggered.connect(lambda _=False, act=act: act())
            bar.addAction(action)
            made[name] = action
        return made

    def _connect(self) -> None:
        work = self.work
        self.first.request_asked.connect(self.choose_request)
        self.first.otio_asked.connect(self.dialogs.choose_timeline)
        self.first.recent_chosen.connect(work.open)
        self.list.chosen.connect(self._choose)
        self.viewer.readout.connect(self.readout.setText)
        self.viewer.complained.connect(self.say)
        self.settings.changed.connect(self._edited)
        self.settings.preset_chosen.connect(self._use_preset)
        self.settings.preset_saved.connect(self._save_preset)
        self.settings.preset_deleted.connect(work.delete_preset)
        self.jobs.cancel_asked.connect(work.cancel)
        self.jobs.retry_asked.connect(work.retry)
        self.jobs.reveal_asked.connect(self._reveal)
        self.connection.server_chosen.connect(self._use_server)
        self.connection.refresh_asked.connect(work.ask_health)
        self._decoder.views_known.connect(self.bar.set_views)
        self._decoder.unwell.connect(self.say)
        self.tabs.currentChanged.connect(lambda _: self.touchup.set_active(self.tabs.currentWidget() is self.touchup))
        self.touchup.saved.connect(self._mattes_saved)
        self.touchup.complained.connect(self.say)
        work.opened.connect(self._opened)
        work.shot_changed.connect(self._shot_changed)
        work.pictures_changed.connect(self._pictures_changed)
        work.job_began.connect(lambda key, shot, action: self.jobs.add(key, shot.name, action))
        work.job_changed.connect(self.jobs.update_job)
        work.job_ended.connect(self._job_ended)
        work.health_changed.connect(self._healthy)
        work.recent_changed.connect(self.first.set_recent)
        work.presets_changed.connect(self.settings.set_presets)
        work.complained.connect(self.say)

    # -- what the user does ----------------------------------------------------------------------------------

    def choose_request(self) -> None:
        """Ask for a request file and open it."""
        path, _ = QFileDialog.getOpenFileName(self, "Open a request", "", "Requests (*.json)")
        if path:
            self.work.open(path)

    def choose_place(self) -> None:
        """Ask where to write the request."""
        if self.shot is None:
            return
        path, _ = QFileDialog.getSaveFileName(self, "Write the request", self.shot.path, "Requests (*.json)")
        if path:
            self.work.save(self.shot, path)

    def choose_farm(self) -> None:
        """Ask on which farm the shot that is shown is to be made."""
        if self.shot is not None:
            self.dialogs.choose_farm(self.shot, lambda farm: self.run("farm", farm))

    def run(self, action: str, farm: str = "") -> None:
        """Begin a job of the shot that is shown; mattes that were painted for it are saved first."""
        shot, frame = self.shot, self.viewer.frame
        if shot is None:
            return
        self.say("")

        def begin() -> None:
            if not self.work.is_busy(shot):  # pressed twice while mattes were saved
                self.work.run(shot, action, frame, farm)
                self.tabs.setCurrentWidget(self.jobs)

        self.touchup.once_saved(shot, begin)

    def show_connection(self) -> None:
        """Open the connection dialog."""
        self.connection.show_health(self.work.server, self.work.health)
        self.connection.show()
        self.work.ask_health()

    def _use_server(self, address: str) -> None:
        self.connection.show_health(address, None)
        self.health.setText("Asking the server…")
        self.work.use_server(address)

    def say(self, text: str) -> None:
        """Put a sentence below everything."""
        self.message.setText(text or " ")
        self.message.setToolTip(text)

    # -- what the work says ----------------------------------------------------------------------------------

    def _opened(self, shot: PanelShot) -> None:
        self.pages.setCurrentIndex(1)
        self.list.add(shot)
        self.viewer.setFocus()  # its keys are what the hands expect

    def _choose(self, uuid: str) -> None:
        self.shot = self.work.shots[uuid]
        pictures = self.shot.pictures()
        self.viewer.set_shot(pictures)
        self.transport.set_frames(pictures.frames, pictures.fps)
        self.bar.refresh()
        self.settings.set_request(self.shot.request)
        self.touchup.set_shot(self.shot)
        self._refresh()

    def _mattes_saved(self, uuid: str, answer: Mapping[str, Any]) -> None:
        shot, missing = self.work.shots[uuid], list(answer["missing"])
        self.work.take_mattes(shot, str(answer["folder"]), answer["patterns"], missing)
        text = f"The mattes were saved in {answer['folder']}."
        if missing:
            text += f" Frames {describe(missing)} had no matte and were not painted, so they still have none."
        self.say(text)

    def _shot_changed(self, shot: PanelShot) -> None:
        self.list.refresh(shot)
        if shot is self.shot:
            self._refresh()

    def _pictures_changed(self, shot: PanelShot) -> None:
        if shot is not self.shot:
            return
        pictures = shot.pictures()
        for source in pictures.sources.values():
            self._decoder.forget(source.pattern)
        self.viewer.set_shot(pictures)
        self.bar.refresh()

    def _job_ended(self, key: str, shot: PanelShot, state: NodeState) -> None:
        self.notifier.say(shot.name, state.text)
        if state.kind == "failed":
            self.say(state.text)
        elif state.kind == "done" and shot is self.shot:
            self.viewer.set_kind("overlay" if self.work.action_of(key) == "preview" else "result")
        self._refresh()

    def _healthy(self, health: Health) -> None:
        self.health.setText(("● " if health.is_good else "○ ") + health.sentence)
        self.settings.set_server(health.facts)
        if self.connection.isVisible():
            self.connection.show_health(self.work.server, health)

    def _edited(self, request: object) -> None:
        if self.shot is not None:
            self.work.set_request(self.shot, request)  # type: ignore[arg-type]

    def _use_preset(self, name: str) -> None:
        if self.shot is None or name not in self.work.presets:
            return
        try:
            request = with_values(self.shot.request, self.work.presets[name])
            request.check()
        except VoidError as error:
            self.say(error.message)
            return
        self.work.set_request(self.shot, request)
        self.settings.set_request(request)

    def _save_preset(self, name: str) -> None:
        if self.shot is not None:
            self.work.save_preset(name, values_of(self.shot.request))

    def _reveal(self, key: str) -> None:
        folder = self.work.folder_of(key)
        if folder and not QDesktopServices.openUrl(QUrl.fromLocalFile(folder)):
            self.say(f"No program here shows folders; the version lies in {folder}.")

    def _refresh(self) -> None:
        """Offer what can be done now."""
        there = self.shot is not None
        busy = there and self.work.is_busy(self.shot)  # type: ignore[arg-type]
        for name in ("preview", "test", "remove", "farm"):
            self.actions_by_name[name].setEnabled(there and not busy)
        for name in ("preview", "test", "remove"):
            self.actions_by_name[name].setText(("&" if name != "preview" else "") + ACTIONS[name])
        self.actions_by_name["save"].setEnabled(there)
        title = f"{self.shot.name}, {os.path.basename(self.shot.path)} - VOID" if self.shot is not None else "VOID"
        self.setWindowTitle(title)

    def close_at_once(self) -> None:
        """Leave without asking; jobs are left as `Work.close` says."""
        self._leaving = True
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        text = ""
        if self.work.running:
            text = (
                f"{self.work.running} jobs are under way. Those on a server go on; those on this machine stop, and the "
                "panel takes them up again when the request is opened. "
            )
        unsaved = self.touchup.has_unsaved()
        if unsaved:
            text += "Mattes were painted that are not saved, and will be lost."
        if text and not self._leaving:
            close, stay = QMessageBox.StandardButton.Close, QMessageBox.StandardButton.Cancel
            if QMessageBox.question(self, "Close VOID", text, close | stay, stay) != close:
                event.ignore()
                return
        self.viewer.playback.stop()
        self.farm_watch.stop()
        self.work.close()
        self._decoder.close()
        self.touchup.client.close(discard=unsaved and not self._leaving)
        event.accept()
