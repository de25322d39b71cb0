"""*Submit to farm*: which farm, how urgent, and what `void submit --dry-run` says before anything is submitted."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from void_plugin.errors import VoidError
from void_plugin.ui.asking import Asking
from void_plugin.ui.panelshot import PanelShot

SETTLE_MS = 400
"""How long the farm must have been left alone before it is asked."""
PLANNING = "Looking at the shot, as void submit does before it submits. You need not wait for it."


class FarmDialog(QDialog):
    """Chooses where one shot is made."""

    wanted = Signal(str, int)
    """Name of a farm and a priority."""

    def __init__(self, asking: Asking, shot: PanelShot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Submit {shot.name} to a farm")
        self._asking, self._shot = asking, shot
        self._number = 0
        self.farm, self.priority = QComboBox(), QSpinBox()
        self.farm.setAccessibleName("Farm")
        self.priority.setRange(0, 100)
        self.priority.setValue(min(100, max(0, shot.request.priority)))
        self.priority.setToolTip("Place in the queue, higher first")
        self.priority.setAccessibleName("Priority")
        form = QFormLayout()
        form.addRow("&Farm", self.farm)
        form.addRow("&Priority", self.priority)
        self.facts, self.findings = QLabel(PLANNING), QLabel()
        for label, name in ((self.facts, "What it would take"), (self.findings, "What is to be known")):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setAccessibleName(name)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.button(QDialogButtonBox.StandardButton.Cancel).setAutoDefault(False)
        self.submit = QPushButton("&Submit")
        self.submit.setDefault(True)
        self.submit.setEnabled(False)
        buttons.addButton(self.submit, QDialogButtonBox.ButtonRole.AcceptRole)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.facts)
        column.addWidget(self.findings)
        column.addStretch(1)
        column.addWidget(buttons)
        self.resize(560, 340)
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.timeout.connect(self.check)
        self.farm.currentTextChanged.connect(lambda name: self._settling.start(SETTLE_MS))
        buttons.rejected.connect(self.reject)
        buttons.accepted.connect(self._accept)
        asking.ask("farms", {}, self._take_farms, self._failed)

    def check(self) -> None:
        """Ask what it would take on the farm that is chosen."""
        self._stop()
        self.facts.setText(PLANNING)
        self.findings.clear()
        self.submit.setEnabled(bool(self.farm.currentText()))
        farm = self.farm.currentText()
        args = {"request": self._shot.request.to_dict(), "farm": farm, "dry_run": True}
        self._number = self._asking.ask(
            "farm_submit", args,
            lambda answer: self._checked(farm, answer), lambda error: self._refused(farm, error), None,
        )  # fmt: skip

    def _take_farms(self, answer: Mapping[str, Any]) -> None:
        self.farm.blockSignals(True)
        self.farm.addItems([str(name) for name in answer["farms"]])
        self.farm.setCurrentText(str(answer["default"] or self.farm.itemText(0)))
        self.farm.blockSignals(False)
        if self.isVisible():
            self.check()

    def _checked(self, farm: str, answer: Mapping[str, Any]) -> None:
        if farm != self.farm.currentText() or answer.get("cancelled"):
            return
        self._number = 0
        findings = answer["findings"]
        self.facts.setText(facts_of(answer) if "units" in answer else "It cannot be submitted as it is.")
        self.findings.setText("\n".join(f"{finding['level'].capitalize()}: {finding['text']}" for finding in findings))
        self.submit.setEnabled(not any(finding["level"] == "error" for finding in findings))

    def _refused(self, farm: str, error: VoidError) -> None:
        if farm == self.farm.currentText():
            self._failed(error)

    def _failed(self, error: VoidError) -> None:
        self._number = 0
        self.facts.setText("It cannot be submitted as it is.")
        self.findings.setText(error.message)
        self.submit.setEnabled(False)

    def _accept(self) -> None:
        self.wanted.emit(self.farm.currentText(), self.priority.value())
        self.accept()

    def _stop(self) -> None:
        """Let go of a look at the shot that nobody waits for any more."""
        if self._number:
            self._asking.sidecar.cancel(self._number)
            self._number = 0

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._settling.stop()
        self._stop()


def facts_of(answer: Mapping[str, Any]) -> str:
    """What `void submit --dry-run` says of a shot, in lines."""
    tasks = ", ".join(f"{name} {count}" for name, count in answer["tasks"].items())
    solved = f", {answer['solved']} of them done already" if answer["solved"] else ""
    size = answer["input_bytes"]
    count = sum(answer["tasks"].values())
    lines = [
        f"Frames {answer['frames']}: {answer['units']} units{solved}, in {count} tasks ({tasks})",
        f"GPU hours: {answer['gpu_hours']:.2f}, by {answer['rates']} rates",
        f"One task after the other: {answer['hours']:.2f} hours",
        f"Reads {size / 1e9:.2f} GB" if size >= 1e8 else f"Reads {size / 1e6:.1f} MB",
    ]
    return "\n".join(lines)
