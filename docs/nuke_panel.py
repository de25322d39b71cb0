"""Draws docs/nuke_panel.png, the tabs of VoidRemove, from the table of its knobs: python docs/nuke_panel.py

It is no picture of Nuke: it lays the knobs out by the same rules, one beside the other where the table says so. The
file carries a digest of what it shows, so that a test can tell when it has to be drawn again.
"""

import json
import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from void_plugin.hosts.nuke_knobs import DISABLED, KNOBS, Knob

PICTURE = Path(__file__).with_suffix(".png")
WIDTH, LABELS = 545, 118
"""Of one tab and of the column of labels in it, in pixels."""
COLUMNS = (("VOID", "Server"), ("Matte", "Model"), ("Output", "Info"))
STYLE = """
* { font-size: 12px; color: #c8c8c8; }
QWidget { background: #323232; }
QLineEdit, QPlainTextEdit, QComboBox { background: #282828; border: 1px solid #1e1e1e; padding: 1px 4px; }
QPushButton { background: #484848; border: 1px solid #262626; border-radius: 2px; padding: 2px 5px; }
QPushButton:disabled, QLineEdit:disabled { color: #7a7a7a; }
QTabBar::tab { background: #3a3a3a; padding: 3px 10px; border: 1px solid #262626; }
QTabBar::tab:selected { background: #505050; color: #f0c060; }
QCheckBox::indicator { width: 11px; height: 11px; background: #282828; border: 1px solid #6a6a6a; }
QFrame#line { background: #1e1e1e; }
"""


def tabs() -> dict[str, list[Knob]]:
    """The knobs of each tab, by the tab's label."""
    found: dict[str, list[Knob]] = {}
    for knob in KNOBS:
        if knob.kind == "tab":
            found[knob.label] = []
        else:
            found[next(reversed(found))].append(knob)
    return found


def digest() -> str:
    """Of all that can be seen."""
    seen = [[knob.kind, knob.name, knob.label, knob.default, knob.choices[:1], knob.same_line] for knob in KNOBS]
    return sha256(json.dumps(seen).encode()).hexdigest()


def control(knob: Knob) -> Any:
    """What stands for the value of a knob."""
    from PySide6 import QtCore, QtWidgets

    if knob.kind == "button":
        made: Any = QtWidgets.QPushButton(knob.label)
    elif knob.kind == "note":
        made = QtWidgets.QLabel(str(knob.default))
    elif knob.kind == "divider":
        made = QtWidgets.QFrame(objectName="line")
        made.setFixedHeight(1)
    elif knob.kind == "bool":
        made = QtWidgets.QCheckBox(knob.label)
        made.setChecked(bool(knob.default))
    elif knob.kind == "text":
        made = QtWidgets.QPlainTextEdit(str(knob.default))
        made.setFixedHeight(46)
    elif knob.kind in ("enum", "channel", "link"):
        made = QtWidgets.QComboBox()
        # A link shows what it leads to, here the Read's own first choice.
        made.addItem("error" if knob.kind == "link" else str(knob.default))
        made.setFixedWidth(120)
    else:
        text = f"{knob.default:g}" if knob.kind == "float" else str(knob.default)
        made = QtWidgets.QLineEdit(text)
        if knob.kind in ("int", "float"):
            made.setFixedWidth(52)
    made.setEnabled(knob.name not in DISABLED)
    if knob.kind not in ("int", "float") or knob.limits == (0.0, 0.0):
        return made
    box, slider = QtWidgets.QWidget(), QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
    first, last = knob.limits
    slider.setRange(0, 100)
    slider.setValue(round(100 * (float(knob.default) - first) / (last - first)))
    beside = QtWidgets.QHBoxLayout(box)
    beside.setContentsMargins(0, 0, 0, 0)
    beside.addWidget(made)
    beside.addWidget(slider)
    return box


def panel(label: str, knobs: list[Knob]) -> Any:
    """One tab with its knobs below the row of all tabs."""
    from PySide6 import QtCore, QtWidgets

    side = QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter
    whole = QtWidgets.QWidget()
    whole.setFixedWidth(WIDTH)
    column = QtWidgets.QVBoxLayout(whole)
    column.setSpacing(5)
    bar = QtWidgets.QTabBar()
    for name in tabs():
        bar.addTab(name)
    bar.setCurrentIndex(list(tabs()).index(label))
    column.addWidget(bar)
    row: Any = None
    for knob in knobs:
        if row is None or not knob.same_line:
            row = QtWidgets.QHBoxLayout()
            column.addLayout(row)
            if knob.kind != "divider":
                named = QtWidgets.QLabel("" if knob.kind in ("button", "bool") else knob.label)
                named.setFixedWidth(LABELS)
                named.setAlignment(side)
                row.addWidget(named)
        elif knob.label and knob.kind not in ("button", "bool"):
            row.addWidget(QtWidgets.QLabel(knob.label))
        row.addWidget(control(knob))
        if knob.kind in ("button", "enum", "channel", "link") or (knob.kind == "int" and knob.limits == (0.0, 0.0)):
            row.setAlignment(QtCore.Qt.AlignmentFlag.AlignLeft)
    column.addStretch()
    return whole


def draw(path: Path) -> None:
    """Write the picture of all tabs."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6 import QtGui, QtWidgets

    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(sys.argv[:1])
    application.setStyle("Fusion")
    sheet = QtWidgets.QWidget()
    sheet.setStyleSheet(STYLE)
    across = QtWidgets.QHBoxLayout(sheet)
    there = tabs()
    for labels in COLUMNS:
        down = QtWidgets.QVBoxLayout()
        for label in labels:
            down.addWidget(panel(label, there.pop(label)))
        down.addStretch()
        across.addLayout(down)
    assert not there, f"no place for {', '.join(there)}"
    sheet.adjustSize()
    image = sheet.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB888)
    image.setText("knobs", digest())
    assert image.save(str(path), "PNG", 0)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
