"""The row above the viewer: what is shown, what it is compared with, and how colour is shown."""

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from void_plugin.ui.shotpictures import KINDS, ShotPictures
from void_plugin.ui.viewer import Viewer

LEGEND = (("#ff0000", "remove"), ("#ffff00", "remove, affected"), ("#00ff00", "affected"), ("#0000ff", "holdout"))
"""Tints of the server's overlay, with what they mean (void_server.overlay)."""


class ViewerBar(QWidget):
    """Chooses for a viewer."""

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.kind, self.against = QComboBox(), QComboBox()
        self.kind.setAccessibleName("What is shown")
        self.kind.setToolTip("The plate, the matte, what would be removed, the result, or the difference of both")
        self.against.setAccessibleName("Compared with")
        self.against.setToolTip("What is shown right of the wipe line (W); drag the line in the viewer")
        self.view = QComboBox()
        self.view.setAccessibleName("View")
        self.view.setToolTip("How scene colour is shown: a view of the OCIO configuration's default display")
        for box in (self.kind, self.against, self.view):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            box.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)  # never narrower than its text
        self.exposure = self._number("Exposure", "Exposure in stops ([ and ])", -10, 10, 0, 0.25)
        self.gamma = self._number("Gamma", "Gamma of what is shown", 0.2, 5, 1, 0.1)
        reset = QPushButton("Reset")
        reset.setToolTip("Exposure 0 and gamma 1")
        reset.setAutoDefault(False)
        self.legend = _legend()
        upper, lower = QHBoxLayout(), QHBoxLayout()
        for row, text, widget in (
            (upper, "Show", self.kind), (upper, "Wipe", self.against), (upper, "Exposure", self.exposure),
            (upper, "Gamma", self.gamma), (lower, "View", self.view),
        ):  # fmt: skip
            label = QLabel(text)
            label.setBuddy(widget)
            row.addWidget(label)
            row.addWidget(widget)
        upper.addWidget(reset)
        lower.addWidget(self.legend)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 2, 4, 2)
        for row in (upper, lower):
            row.addStretch(1)
            column.addLayout(row)
        self.kind.activated.connect(lambda _: viewer.set_kind(self.kind.currentData()))
        self.against.activated.connect(lambda _: viewer.set_wipe(self.against.currentData()))
        self.exposure.valueChanged.connect(lambda value: viewer.set_look(replace(viewer.look, exposure=value)))
        self.gamma.valueChanged.connect(lambda value: viewer.set_look(replace(viewer.look, gamma=value)))
        self.view.activated.connect(lambda _: viewer.set_look(replace(viewer.look, view=self.view.currentData())))
        reset.clicked.connect(self._reset)
        viewer.kind_changed.connect(lambda kind: self.refresh())
        viewer.look_changed.connect(self.refresh)
        viewer.wipe_changed.connect(lambda kind: self.refresh())
        self.refresh()

    def set_views(self, views: Sequence[str]) -> None:
        """Offer the views of the display, the default one first."""
        self.view.clear()
        for number, view in enumerate(views):
            self.view.addItem(view, "" if number == 0 else view)

    def refresh(self) -> None:
        """Show what the viewer shows."""
        shot: ShotPictures | None = self._viewer.shot
        there = [kind for kind in KINDS if shot is not None and shot.has(kind)]
        for box, chosen, choices in (
            (self.kind, self._viewer.kind, there),
            (self.against, self._viewer.against, ["", *there]),
        ):
            box.clear()
            for kind in choices:
                box.addItem(KINDS.get(kind, "off"), kind)
            box.setCurrentIndex(max(0, box.findData(chosen)))
        self.legend.setVisible("overlay" in (self._viewer.kind, self._viewer.against))
        for widget, value in ((self.exposure, self._viewer.look.exposure), (self.gamma, self._viewer.look.gamma)):
            widget.blockSignals(True)
            widget.setValue(value)
            widget.blockSignals(False)

    def _reset(self) -> None:
        self._viewer.set_look(replace(self._viewer.look, exposure=0.0, gamma=1.0))

    def _number(self, name: str, tip: str, least: float, most: float, value: float, step: float) -> QDoubleSpinBox:
        box = QDoubleSpinBox(minimum=least, maximum=most, singleStep=step, decimals=2, value=value)
        box.setAccessibleName(name)
        box.setToolTip(tip)
        box.setKeyboardTracking(False)
        return box


def _legend() -> QFrame:
    """What the tints of the overlay mean."""
    frame = QFrame()
    row = QHBoxLayout(frame)
    row.setContentsMargins(8, 0, 0, 0)
    for colour, meaning in LEGEND:
        patch = QLabel()
        patch.setFixedSize(14, 14)
        patch.setStyleSheet(f"background: {colour}; border: 1px solid palette(mid);")
        patch.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row.addWidget(patch)
        row.addWidget(QLabel(meaning))
    row.addStretch(1)
    frame.setAccessibleName("Red is removed, yellow is removed and affected, green is affected, blue is the holdout")
    return frame
