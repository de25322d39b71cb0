"""The page on which mattes are painted: its tools, and what they do to the painter process through the viewer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QMouseEvent, QShortcut
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from void_plugin.frames import describe
from void_plugin.ui.brushbox import BrushBox
from void_plugin.ui.keyframes import KeyframesBox
from void_plugin.ui.painterclient import PainterClient
from void_plugin.ui.paintlayer import PaintLayer
from void_plugin.ui.panelshot import PanelShot
from void_plugin.ui.savebox import SaveBox
from void_plugin.ui.viewer import Viewer

BIGGER = 1.25
"""By how much a bracket changes the radius."""
CHOSEN = "QPushButton:checked { background: palette(highlight); color: palette(highlighted-text); padding: 4px; }"
"""The tool in the hand; some styles draw it hardly different from the others."""


@dataclass
class _Canvas:
    """What the page knows of one shot."""

    shot: PanelShot
    keys: dict[int, dict[str, Any]] = field(default_factory=dict)
    unsaved: bool = False
    is_open: bool = False
    """True once the painter has been told of it."""


class TouchUp(QScrollArea):
    """Paints while it is active."""

    saved = Signal(str, object)
    """Shot and the painter's answer to saving."""
    complained = Signal(str)

    def __init__(self, viewer: Viewer, client: PainterClient, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self.client = viewer, client
        self._layer = PaintLayer(client)
        self._canvases: dict[str, _Canvas] = {}
        self._canvas: _Canvas | None = None
        self._active = self._sizing = False
        self._grabbed = ""
        self._sized_from = (0.0, 0.0)
        self._ticket = 0
        self._after: list[Callable[[], None]] = []
        self.brush, self.keyframes, self.file = BrushBox(), KeyframesBox(), SaveBox()
        page = self._page = QWidget()
        column = QVBoxLayout(page)
        for box in (self.brush, self.keyframes, self.file):
            column.addWidget(box)
        column.addStretch(1)
        self.setWidget(page)
        self.setWidgetResizable(True)
        self.setAccessibleName("Mask touch-up")
        for button in (*self.brush.buttons.values(), *self.keyframes.buttons.values()):
            button.setStyleSheet(CHOSEN)
        self._layer.keys = lambda frame: self._canvas.keys.get(frame) if self._canvas else None
        self._connect()
        self._shortcuts = [
            self._shortcut(keys, act)
            for keys, act in (("Ctrl+Z", client.undo), ("Ctrl+Shift+Z", client.redo), ("Ctrl+D", self.copy_previous))
        ]
        self._refresh()

    def _connect(self) -> None:
        viewer, client, brush = self._viewer, self.client, self.brush
        viewer.stroke_began.connect(self._stroke_began)
        viewer.stroke_moved.connect(self._stroke_moved)
        viewer.stroke_ended.connect(self._stroke_ended)
        viewer.frame_changed.connect(lambda frame: self._refresh())
        viewer.installEventFilter(self)
        client.painted.connect(viewer.update)
        client.state_changed.connect(self._state_changed)
        client.progressed.connect(self._progressed)
        client.saved.connect(self._saved)
        client.ended.connect(self._ended)
        client.failed.connect(self.complained)
        client.died.connect(self._died)
        client.restored.connect(self._restored)
        brush.changed.connect(self._look_changed)
        brush.tool_chosen.connect(self._tool_chosen)
        brush.copy_asked.connect(self.copy_previous)
        brush.undo_asked.connect(client.undo)
        brush.redo_asked.connect(client.redo)
        self.keyframes.tool_chosen.connect(self._tool_chosen)
        self.keyframes.keys_changed.connect(self._refresh)
        self.keyframes.clear.clicked.connect(lambda _=False: self.keyframes.forget(viewer.frame))
        self.keyframes.make_asked.connect(self.make_mattes)
        self.keyframes.cancel_asked.connect(lambda: client.cancel(self._ticket))
        self.file.save_asked.connect(self.save)

    def _shortcut(self, keys: str, act: Callable[[], None]) -> QShortcut:
        shortcut = QShortcut(QKeySequence(keys), self)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.activated.connect(act)
        return shortcut

    # -- which shot, and whether the hand paints ------------------------------------------------------------

    def set_shot(self, shot: PanelShot | None) -> None:
        """Paint on another shot; what was painted on it before is still there."""
        if shot is None:
            self._canvas = None
        else:
            known = self._canvases.setdefault(shot.uuid, _Canvas(shot))
            if known is not self._canvas:
                self._canvas = known
                self.keyframes.set_keys(known.keys)
                if self._active:
                    self._open(known)
        self._refresh()

    def set_active(self, on: bool) -> None:
        """Let the hand paint, or no longer."""
        if on == self._active:
            return
        self._active = on
        if on and self._canvas is not None:
            self._open(self._canvas)
        self._refresh()

    def has_unsaved(self, shot: PanelShot | None = None) -> bool:
        """True where mattes were painted that are not in files, of one shot or of any."""
        of = [self._canvases.get(shot.uuid)] if shot is not None else list(self._canvases.values())
        return any(canvas is not None and canvas.unsaved for canvas in of)

    def _open(self, canvas: _Canvas, again: bool = False) -> None:
        canvas.is_open = True
        self.client.open_shot(canvas.shot.uuid, canvas.shot.painting(), again)

    def _died(self) -> None:
        """Open all shots again in another painter, that of the page last; it finds what was painted."""
        for canvas in sorted(self._canvases.values(), key=lambda canvas: canvas is self._canvas):
            if canvas.is_open:
                self._open(canvas, again=True)

    def _restored(self, uuid: str, whole: bool, frames: list[int]) -> None:
        """Say what is back, or what is not."""
        canvas = self._canvases[uuid]
        if whole and frames:
            self.complained.emit(f"What was painted on {canvas.shot.name} is back, on frames {describe(frames)}.")
        elif not whole and canvas.unsaved:
            canvas.unsaved = False
            self.complained.emit(f"What was painted on {canvas.shot.name} since it was last saved is lost.")

    # -- what the tools do -----------------------------------------------------------------------------------

    def copy_previous(self) -> None:
        """Take the matte of the frame before."""
        frame = self._viewer.frame
        if self._canvas is not None and frame > self._canvas.shot.frames.first:
            self.client.copy(frame - 1, frame, self.brush.label)

    def make_mattes(self) -> None:
        """Make a matte for every frame from what is drawn on some."""
        if self._canvas is not None and self._canvas.keys and not self._ticket:
            self._ticket = self.client.keyframes(self._canvas.shot.uuid, self.brush.label, self._canvas.keys)
            self.keyframes.set_progress(0.0)

    def save(self) -> None:
        """Write the mattes of the shot that is shown as a new version, unless a version is being written."""
        if self._canvas is not None and not self.file.ticket:
            self.file.set_ticket(self.client.save(self._canvas.shot.uuid))

    def once_saved(self, shot: PanelShot, act: Callable[[], None]) -> None:
        """Do something once the mattes of a shot are in files, which they are saved for; not where that fails."""
        if self.file.ticket:  # one version at a time; what was painted since it began is not in it
            self._after.append(lambda: self.once_saved(shot, act))
        elif self.has_unsaved(shot):
            self._after.append(lambda: self.once_saved(shot, act))
            self.file.set_ticket(self.client.save(shot.uuid))
        else:
            act()

    # -- what the hand does ----------------------------------------------------------------------------------

    def _stroke_began(self, x: float, y: float, button: Qt.MouseButton) -> None:
        if self._canvas is None or self._sizing:
            return
        tool, frame, other = self.brush.tool, self._viewer.frame, button == Qt.MouseButton.RightButton
        self._grabbed = tool
        if tool in ("brush", "eraser"):
            erase = (tool == "eraser") != other
            self.client.begin(frame, self.brush.label, (x, y), self.brush.radius, self.brush.hardness, erase)
            return
        if tool == "inside" and other:
            self._grabbed = "outside"
        # Lines are to be seen, and to cover some pixels, whatever the size of the plate.
        width = max(2.0, 3 / self._viewer.camera.scale[1])
        self.keyframes.begin(frame, self._grabbed, x, y, width)

    def _stroke_moved(self, x: float, y: float) -> None:
        if self._grabbed in ("brush", "eraser"):
            self.client.to(x, y)
        elif self._grabbed:
            self.keyframes.to(self._viewer.frame, self._grabbed, x, y)
            self._viewer.update()

    def _stroke_ended(self) -> None:
        grabbed, self._grabbed = self._grabbed, ""
        if grabbed in ("brush", "eraser"):
            self.client.end()
        elif grabbed:
            self.keyframes.end(self._viewer.frame)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The keys and the moves of the viewer that are the brush's while it paints."""
        if not self._active or self._canvas is None:
            return super().eventFilter(watched, event)
        kind = event.type()
        if isinstance(event, QKeyEvent) and kind in (QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride):
            by = {Qt.Key.Key_BracketRight: BIGGER, Qt.Key.Key_BracketLeft: 1 / BIGGER}.get(Qt.Key(event.key()))
            if by is not None:
                if kind == QEvent.Type.KeyPress:
                    self.brush.set_radius(self.brush.radius * by)
                return True
        elif isinstance(event, QMouseEvent):
            return self._pointed(event)
        elif kind == QEvent.Type.Leave:
            self._layer.brush = None
            self._viewer.update()
        return super().eventFilter(watched, event)

    def _pointed(self, event: QMouseEvent) -> bool:
        """Follow the pointer; with Ctrl held, its way to the side is the radius."""
        kind, camera = event.type(), self._viewer.camera
        ratio = self._viewer.devicePixelRatioF()
        x, y = camera.to_plate(event.position().x() * ratio, event.position().y() * ratio)
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if kind == QEvent.Type.MouseButtonPress and control and event.button() == Qt.MouseButton.LeftButton:
            self._sizing, self._sized_from = True, (x, self.brush.radius)
            return True
        if kind == QEvent.Type.MouseButtonRelease and self._sizing:
            self._sizing = False
            return True
        if self._sizing:
            self.brush.set_radius(self._sized_from[1] + x - self._sized_from[0])
            return True
        if self.brush.tool in ("brush", "eraser"):
            self._layer.brush = x, y, self.brush.radius
            self._viewer.update()
        return False

    # -- what the tools and the painter say ------------------------------------------------------------------

    def _tool_chosen(self, tool: str) -> None:
        self.brush.set_tool(tool)
        for name, button in self.keyframes.buttons.items():
            button.setChecked(name == tool)
        self._layer.brush = None
        self._viewer.update()

    def _look_changed(self) -> None:
        if self._layer.brush is not None:
            self._layer.brush = (*self._layer.brush[:2], self.brush.radius)
        self._refresh()

    def _state_changed(self, state: Mapping[str, Any]) -> None:
        canvas = self._canvases.get(state["shot"])
        if canvas is not None:
            canvas.unsaved = bool(state["unsaved"])
        self.brush.set_steps(str(state["undo"]), str(state["redo"]))
        self.file.set_painted(list(state["painted"]), bool(state["unsaved"]))

    def _progressed(self, ticket: int, share: float) -> None:
        if ticket == self._ticket:
            self.keyframes.set_progress(share)
        elif ticket == self.file.ticket:
            self.file.set_progress(share)

    def _saved(self, answer: Mapping[str, Any]) -> None:
        self._canvases[answer["shot"]].unsaved = bool(answer["unsaved"])
        after, self._after = self._after, []
        self.file.set_ticket(0)
        self.saved.emit(str(answer["shot"]), answer)
        for act in after:
            act()

    def _ended(self, ticket: int) -> None:
        if ticket == self._ticket:
            self._ticket = 0
            self.keyframes.set_progress(None)
        if ticket == self.file.ticket:
            self.file.set_ticket(0)
            self._after.clear()

    def _refresh(self) -> None:
        canvas, layer = self._canvas, self._layer
        painting = self._active and canvas is not None
        layer.opacity, layer.mattes_shown = self.brush.opacity, self.brush.mattes_shown
        layer.grid = None
        if canvas is not None and self.brush.grid_shown:
            height, width = self._viewer.camera.full
            layer.grid = canvas.shot.roi or (0, 0, width, height)
        self._viewer.set_paint(layer if painting else None)
        self._viewer.set_painting(painting)
        for shortcut in self._shortcuts:
            shortcut.setEnabled(painting)
        self._page.setEnabled(canvas is not None)
        self.brush.copy.setEnabled(canvas is not None and self._viewer.frame > canvas.shot.frames.first)
        self.keyframes.clear.setEnabled(canvas is not None and self._viewer.frame in canvas.keys)
