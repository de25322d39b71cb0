"""Shows the panel without a sidecar, light or dark, and prints which of its texts are cut."""

from __future__ import annotations

import json
import os
import sys

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QPushButton,
    QStyle,
    QStyleOptionComboBox,
)

from void_plugin.bridge import Sidecar
from void_plugin.frames import FrameRange
from void_plugin.hosts.states import NodeState
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.ui.decoderclient import DecoderClient
from void_plugin.ui.panelshot import PanelShot
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
        if label.isVisible() and label.wordWrap() and label.height() < label.heightForWidth(label.width()):
            found.append(label.text())
    for view in window.findChildren(QAbstractItemView):
        if view.isVisible() and view.horizontalScrollBar().maximum() > 0:
            found.append(f"{view.accessibleName()} is wider than its place")
    for box in window.findChildren(QComboBox):
        option = QStyleOptionComboBox()
        box.initStyleOption(option)
        room = box.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, box
        )
        if box.isVisible() and room.width() < box.fontMetrics().horizontalAdvance(box.currentText()):
            found.append(box.currentText())
    return found


NAME = "abc_seq0010_sh0020_removal_comp_v012"
SENTENCE = (
    "The token for the server render1.example.com:50051 cannot be read from /mnt/somebody/state/void_plugin/token; " * 2
)


def shot() -> PanelShot:
    """One with a name as long as they are."""
    request = RemovalRequest(ImageInput("plate.%04d.exr"), outputs=(Output("patch", "out.%04d.exr"),), shot=NAME)
    made = PanelShot("/shows/request.json", request, FrameRange(1001, 1100), {"plate": "plate.%04d.exr"}, "/out")
    made.state = NodeState("done", "v001 · 1001-1100 · 3 min · 100 % recovered")
    return made


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
    made = shot()
    window.work.shots[made.uuid] = made
    window.list.add(made)
    window.jobs.add("job1", NAME, "preview")
    window.jobs.update_job("job1", NodeState("running", "Running 48 % (pass 1, window 2), about 2 min left"))
    window.say(SENTENCE)
    window.health.setText(SENTENCE)
    window.show()
    for _ in range(20):
        application.processEvents()
    found = cut(window)
    for page in (window.touchup, window.jobs):
        window.tabs.setCurrentWidget(page)
        for _ in range(20):
            application.processEvents()
        found += cut(window)
    if window.message.width() < window.width() / 2:
        found.append("what is said has no room beside the server's state")
    window.grab().save(sys.argv[1])
    print(json.dumps(found))
    window.close_at_once()


main()
