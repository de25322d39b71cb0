"""Shows the panel without a sidecar, light or dark, and prints which of its texts are cut."""

from __future__ import annotations

import json
import os
import sys

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QStyle, QStyleOptionComboBox

from void_plugin.bridge import Sidecar
from void_plugin.ui.decoderclient import DecoderClient
from void_plugin.ui.window import PanelWindow
from void_plugin.ui.work import Work


def cut(window: PanelWindow) -> list[str]:
    """Texts that need more room than they have."""
    found = []
    for button in window.findChildren(QPushButton):
        if button.isVisible() and button.width() < button.minimumSizeHint().width():
            found.append(button.text())
    for label in window.findChildren(QLabel):
        if label.isVisible() and not label.wordWrap() and label.width() < label.minimumSizeHint().width():
            found.append(label.text())
    for box in window.findChildren(QComboBox):
        option = QStyleOptionComboBox()
        box.initStyleOption(option)
        room = box.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, box
        )
        if box.isVisible() and room.width() < box.fontMetrics().horizontalAdvance(box.currentText()):
            found.append(box.currentText())
    return found


def main() -> None:
    application = QApplication([])
    if os.environ.get("DARK") == "1":
        palette = QPalette(QColor(45, 45, 48))
        application.setPalette(palette)
    window = PanelWindow(Work(Sidecar([sys.executable, "-c", ""], dict(os.environ))), DecoderClient(), "")
    window.pages.setCurrentIndex(1)
    window.bar.kind.addItem("Mask overlay")
    window.bar.kind.setCurrentIndex(window.bar.kind.count() - 1)
    window.bar.legend.setVisible(True)
    window.bar.set_views(["ACES 2.0 - SDR 100 nits (Rec.709)", "Un-tone-mapped"])
    window.show()
    for _ in range(20):
        application.processEvents()
    found = cut(window)
    window.tabs.setCurrentWidget(window.jobs)
    for _ in range(20):
        application.processEvents()
    found += cut(window)
    window.grab().save(sys.argv[1])
    print(json.dumps(found))
    window.close_at_once()


main()
