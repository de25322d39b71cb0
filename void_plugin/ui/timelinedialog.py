"""*Open a timeline*: the shots of an editor's timeline, which can be sent and why others cannot, opened as requests."""

import os
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from void_plugin.errors import VoidError
from void_plugin.ui.asking import Asking

SETTLE_MS = 400
"""How long the fields must have been left alone before the timeline is read again."""
COLUMNS = ("Shot", "Timecode", "Frames", "What is to be known")
_NAME = Qt.ItemDataRole.UserRole
_TICKED = Qt.CheckState.Checked


class TimelineDialog(QDialog):
    """Chooses among the shots of one timeline."""

    made = Signal(list)
    """Paths of the requests of the shots that were chosen."""

    def __init__(self, asking: Asking, path: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"{os.path.basename(path)} - VOID")
        self._asking, self._path, self._number = asking, path, 0
        self.everything = QCheckBox("Every clip, not only those with a marker or on a track called &VOID")
        self.mattes, self.plates, self.version = QLineEdit(), QLineEdit(), QSpinBox()
        self.version.setRange(1, 999)
        self.version.setToolTip("Results of other settings take another number")
        self.shots = QTreeWidget()
        self.shots.setHeaderLabels(list(COLUMNS))
        self.shots.setRootIsDecorated(False)
        self.shots.setAccessibleName("Shots of the timeline")
        self.shots.setWordWrap(True)
        self.said = QLabel("Reading…")
        self.said.setWordWrap(True)
        self.said.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.said.setMinimumHeight(3 * self.said.fontMetrics().lineSpacing())  # a long reason must not move the rest
        self.said.setAccessibleName("Last message")
        self.said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.go = QPushButton("&Open")
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.timeout.connect(self.look)
        self._lay_out()
        self.look()

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("", self.everything)
        for label, field, text in (
            ("&Mattes in", self.mattes, "folder of CLIP/CLIP.####.exr; by default a track called VOID MATTE"),
            ("&Plates in", self.plates, "folder of CLIP/CLIP.####.exr, for clips that are movies"),
        ):
            field.setPlaceholderText(text)
            field.textChanged.connect(lambda _: self._settling.start(SETTLE_MS))
            browse = QPushButton("…")
            browse.setAccessibleName(f"Choose the folder of {label.replace('&', '').lower()}")
            browse.setAutoDefault(False)
            browse.clicked.connect(lambda _=False, field=field: self._browse(field))
            row = QHBoxLayout()
            row.addWidget(field, 1)
            row.addWidget(browse)
            name = QLabel(label)
            name.setBuddy(field)
            form.addRow(name, row)
        form.addRow("V&ersion", self.version)
        header = self.shots.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.button(QDialogButtonBox.StandardButton.Cancel).setAutoDefault(False)
        buttons.addButton(self.go, QDialogButtonBox.ButtonRole.ActionRole)
        self.go.setDefault(True)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.shots, 1)
        column.addWidget(self.said)
        column.addWidget(buttons)
        self.everything.toggled.connect(lambda _: self._settling.start(0))
        self.shots.itemChanged.connect(lambda item, place: self._count())
        self.shots.currentItemChanged.connect(lambda item, before: self.said.setText(item.toolTip(3) if item else ""))
        self.go.clicked.connect(lambda _=False: self._open())
        buttons.rejected.connect(self.reject)
        self.resize(860, 480)

    # -- looking ---------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read the timeline with what is wished."""
        self._number += 1
        number = self._number
        self.go.setEnabled(False)
        self._asking.ask(
            "timeline_shots", self._wishes(),
            lambda answer: self._found(number, answer), lambda error: self._failed(error), None,
        )  # fmt: skip

    def chosen(self) -> list[str]:
        """The names of the shots that are ticked."""
        items = [self.shots.topLevelItem(place) for place in range(self.shots.topLevelItemCount())]
        return [str(item.data(0, _NAME)) for item in items if item and item.checkState(0) == _TICKED]

    def _wishes(self) -> dict[str, Any]:
        return {
            "path": self._path,
            "everything": self.everything.isChecked(),
            "matte_root": self.mattes.text().strip(),
            "plate_root": self.plates.text().strip(),
        }

    def _found(self, number: int, answer: Mapping[str, Any]) -> None:
        if number != self._number:
            return
        self.version.setValue(int(answer["version"]))
        self.shots.blockSignals(True)
        self.shots.clear()
        for row in answer["shots"]:
            problems, warnings = [str(text) for text in row["problems"]], [str(text) for text in row["warnings"]]
            self._add(row["name"], row["timecode"], row.get("delivered", ""), problems or warnings, not problems)
        for row in answer["skipped"]:
            self._add(row["name"], row["timecode"], "", [f"It is left out: {row['reason']}."], False)
        self.shots.blockSignals(False)
        for place in range(len(COLUMNS) - 1):
            self.shots.resizeColumnToContents(place)
        self.said.setText("\n".join(answer["warnings"]))
        if not answer["shots"] and not answer["skipped"]:
            self.said.setText(
                "No clip is picked: give one a marker that begins with VOID, put it on a track called VOID, or tick "
                "Every clip."
            )
        self._count()

    def _add(self, name: str, timecode: str, frames: str, texts: list[str], can: bool) -> None:
        item = QTreeWidgetItem([name, timecode, frames, " ".join(texts)])
        item.setData(0, _NAME, name)
        item.setToolTip(3, "\n".join(texts))
        if can:
            item.setCheckState(0, _TICKED)
        else:  # it can be reached all the same, to read why not
            for place in range(len(COLUMNS)):
                item.setForeground(place, self.palette().placeholderText())
        self.shots.addTopLevelItem(item)

    def _failed(self, error: VoidError) -> None:
        self.said.setText(error.message)
        self._count()

    def _count(self) -> None:
        count = len(self.chosen())
        self.go.setEnabled(bool(count))
        self.go.setText(f"&Open {count} shots" if count != 1 else "&Open 1 shot")

    def _browse(self, field: QLineEdit) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Choose a folder", field.text() or os.path.dirname(self._path))
        if folder:
            field.setText(folder)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._settling.stop()

    # -- opening ---------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Let the requests of the chosen shots be written."""
        self.go.setEnabled(False)
        self.said.setText("Writing the requests…")
        args = {**self._wishes(), "chosen": self.chosen(), "version": self.version.value()}
        self._asking.ask(
            "timeline_shots", args, self._written, self._failed, None,
            lambda event: self.said.setText(str(event.get("text", ""))),
        )  # fmt: skip

    def _written(self, answer: Mapping[str, Any]) -> None:
        self.made.emit(list(answer["requests"]))
        self.accept()
