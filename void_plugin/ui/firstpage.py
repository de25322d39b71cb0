"""What is seen before a shot is open."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget


class FirstPage(QWidget):
    """Offers ways in."""

    request_asked = Signal()
    otio_asked = Signal()
    recent_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = QLabel("Remove something from a shot, together with what it did to the scene")
        title.setWordWrap(True)
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.5)
        title.setFont(font)
        self.open_request = QPushButton("Open a request…")
        self.open_request.setToolTip("A request.json, as void remove --save-request and the hosts write it")
        self.open_otio = QPushButton("Open a timeline (.otio)…")
        self.open_otio.setToolTip("The way in from DaVinci Resolve, also the free edition, and every other editor")
        self.recent = QListWidget()
        self.recent.setAccessibleName("Requests that were opened of late")
        label = QLabel("Opened of late")
        label.setBuddy(self.recent)
        column = QVBoxLayout(self)
        column.setContentsMargins(48, 48, 48, 48)
        column.addWidget(title)
        column.addWidget(self.open_request)
        column.addWidget(self.open_otio)
        column.addWidget(label)
        column.addWidget(self.recent, 1)
        self.open_request.clicked.connect(self.request_asked.emit)
        self.open_otio.clicked.connect(self.otio_asked.emit)
        self.recent.itemActivated.connect(lambda item: self.recent_chosen.emit(item.data(Qt.ItemDataRole.UserRole)))

    def set_recent(self, paths: list[str]) -> None:
        """Offer requests that were opened before."""
        self.recent.clear()
        for path in paths:
            item = QListWidgetItem(path)
            item.setData(Qt.ItemDataRole.UserRole, path)
            self.recent.addItem(item)
