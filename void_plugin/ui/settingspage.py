"""The settings page: one row a field, presets above, and what the server says of each."""

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from void_plugin.request import RemovalRequest
from void_plugin.ui.fields import FIELDS, Field


class SettingsPage(QScrollArea):
    """Edits a request."""

    changed = Signal(object)
    """The request as it now is."""
    preset_saved = Signal(str)
    preset_chosen = Signal(str)
    preset_deleted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._request: RemovalRequest | None = None
        self._loading = False
        self.widgets: dict[str, QWidget] = {}
        self.presets = QComboBox()
        self.presets.setAccessibleName("Preset")
        self.presets.setToolTip("Settings that were saved by name")
        self.presets.setPlaceholderText("No preset yet")
        save, self.delete = QPushButton("Save as…"), QPushButton("Delete")
        save.setToolTip("Save these settings by name")
        self.delete.setToolTip("Forget the settings of this name")
        self.delete.setEnabled(False)
        row = QHBoxLayout()
        row.addWidget(self.presets, 1)
        row.addWidget(save)
        row.addWidget(self.delete)
        self._form = QFormLayout()
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for field in FIELDS:
            self._add(field)
        self.advice = QLabel()
        self.advice.setWordWrap(True)
        self.advice.setAccessibleName("What the server says of these settings")
        self._inside = QWidget()
        column = QVBoxLayout(self._inside)
        column.addLayout(row)
        column.addLayout(self._form)
        column.addWidget(self.advice)
        column.addStretch(1)
        self.setWidget(self._inside)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.presets.activated.connect(lambda _: self.preset_chosen.emit(self.presets.currentText()))
        save.clicked.connect(self._save)
        self.delete.clicked.connect(lambda: self.preset_deleted.emit(self.presets.currentText()))
        self.set_request(None)

    def set_request(self, request: RemovalRequest | None) -> None:
        """Show another request; None for none."""
        self._request = request
        self._inside.setEnabled(request is not None)
        if request is None:
            return
        self._loading = True
        for field in FIELDS:
            _show(self.widgets[field.name], field.get(request))
        self._loading = False
        self._heed(request.engine)

    def set_presets(self, names: list[str]) -> None:
        """Offer the presets that there are."""
        chosen = self.presets.currentText()
        self.presets.clear()
        self.presets.addItems(names)
        self.presets.setCurrentIndex(max(0, self.presets.findText(chosen)))
        self.delete.setEnabled(bool(names))

    def set_server(self, facts: Mapping[str, Any]) -> None:
        """Offer what a server can run, and say what it cannot."""
        engines = [
            engine for engine in facts.get("engines") or () if not str(engine.get("name")).startswith("identity")
        ]
        box = self.widgets["engine"]
        assert isinstance(box, QComboBox)
        chosen = self._request.engine if self._request is not None else "auto"
        box.blockSignals(True)
        box.clear()
        for name in dict.fromkeys(["auto", *(str(engine["name"]) for engine in engines), chosen]):
            box.addItem(name, name)
        for index in range(box.count()):
            reason = next((str(one.get("reason") or "") for one in engines if one["name"] == box.itemText(index)), "")
            box.setItemData(index, reason, Qt.ItemDataRole.ToolTipRole)
        box.setCurrentIndex(box.findData(chosen))
        box.blockSignals(False)
        said = [f"{one['name']}: {one['reason']}" for one in engines if not one.get("available")]
        longest = [f"{one['name']} takes at most {one['longest_clip']} frames at once; longer shots run in windows."
                   for one in engines if one.get("available") and one.get("longest_clip")]  # fmt: skip
        self.advice.setText("\n".join(said + longest))

    def _add(self, field: Field) -> None:
        widget = _editor(field, lambda value: self._edited(field, value))
        widget.setToolTip(field.tip)
        widget.setAccessibleName(field.label)
        widget.setAccessibleDescription(field.tip)
        label = QLabel(field.label)
        label.setBuddy(widget)
        label.setToolTip(field.tip)
        self.widgets[field.name] = widget
        self._form.addRow(label, widget)

    def _edited(self, field: Field, value: Any) -> None:
        if self._loading or self._request is None:
            return
        self._request = field.put(self._request, value)
        self._heed(self._request.engine)
        self.changed.emit(self._request)

    def _heed(self, engine: str) -> None:
        """Only what the engine heeds can be set."""
        for field in FIELDS:
            self.widgets[field.name].setEnabled(not field.engines or engine in field.engines)

    def _save(self) -> None:
        name, chosen = QInputDialog.getText(self, "Save settings", "Name of the preset")
        if chosen and name.strip():
            self.preset_saved.emit(name.strip())


def _editor(field: Field, edited: Callable[[Any], None]) -> QWidget:
    if field.kind == "choice":
        box = QComboBox()
        for choice in field.choices:
            box.addItem(choice, choice)
        box.currentIndexChanged.connect(lambda _: edited(box.currentData()))
        return box
    if field.kind == "number":
        number = QDoubleSpinBox()
        number.setRange(*field.limits)
        number.valueChanged.connect(edited)
        return number
    if field.kind == "whole":
        whole = QSpinBox()
        whole.setRange(int(field.limits[0]), int(field.limits[1]))
        whole.valueChanged.connect(edited)
        return whole
    if field.kind == "switch":
        switch = QCheckBox()
        switch.toggled.connect(edited)
        return switch
    text = QPlainTextEdit()
    text.setTabChangesFocus(True)
    text.setFixedHeight(4 * text.fontMetrics().lineSpacing())
    text.textChanged.connect(lambda: edited(text.toPlainText().strip()))
    return text


def _show(widget: QWidget, value: Any) -> None:
    if isinstance(widget, QComboBox):
        if widget.findData(value) < 0:
            widget.addItem(str(value), value)
        widget.setCurrentIndex(widget.findData(value))
    elif isinstance(widget, QDoubleSpinBox | QSpinBox):
        widget.setValue(value)
    elif isinstance(widget, QCheckBox):
        widget.setChecked(bool(value))
    elif isinstance(widget, QPlainTextEdit):
        widget.setPlainText(str(value))
