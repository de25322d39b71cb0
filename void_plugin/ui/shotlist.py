"""The list of shots that are open, each with its state in a word and a colour."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from void_plugin.ui.panelshot import PanelShot

_KEY = Qt.ItemDataRole.UserRole
_MAY_BREAK = "\u200b"
"""A long name goes on in the next line instead of being cut."""


class ShotList(QListWidget):
    """Chooses a shot."""

    chosen = Signal(str)
    """uuid of a shot."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Shots")
        self.setWordWrap(True)
        self.currentItemChanged.connect(self._changed)

    def add(self, shot: PanelShot) -> None:
        """Put a shot below the others, unless it is there, and choose it."""
        known = self._item(shot.uuid)
        if known is not None:
            self.setCurrentItem(known)
            return
        item = QListWidgetItem()
        item.setData(_KEY, shot.uuid)
        self.addItem(item)
        self.refresh(shot)
        self.setCurrentItem(item)

    def refresh(self, shot: PanelShot) -> None:
        """Show the state of a shot."""
        item = self._item(shot.uuid)
        if item is None:
            return
        lost = sum(len(frames) for frames in shot.missing.values())
        warned = f"\n{lost} input frames are missing" if lost else ""
        name = shot.name.replace("_", "_" + _MAY_BREAK)
        item.setText(f"{name}  {shot.frames}\n{shot.state.text}{warned}")
        item.setToolTip(f"{shot.path}\n{shot.state.full_text()}")
        item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{shot.name}, frames {shot.frames}, {shot.state.text}")
        colour = shot.state.colour or 0x808080FF
        icon = QPixmap(12, 12)
        icon.fill(
            QColor((colour >> 24) & 255, (colour >> 16) & 255, (colour >> 8) & 255) if colour else QColor(128, 128, 128)
        )
        item.setIcon(QIcon(icon))

    def choose(self, shot: PanelShot) -> None:
        """Show another shot."""
        item = self._item(shot.uuid)
        if item is not None:
            self.setCurrentItem(item)

    def tick(self, shot: PanelShot, on: bool) -> None:
        """Give a shot a tick, or take it away."""
        item = self._item(shot.uuid)
        if item is not None:
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    def ticked(self) -> list[str]:
        """The uuids of the shots that have a tick."""
        items = [self.item(index) for index in range(self.count())]
        return [str(item.data(_KEY)) for item in items if item.checkState() == Qt.CheckState.Checked]

    def remove(self, uuid: str) -> None:
        """Take a shot out."""
        item = self._item(uuid)
        if item is not None:
            self.takeItem(self.row(item))

    def _item(self, uuid: str) -> QListWidgetItem | None:
        for index in range(self.count()):
            if self.item(index).data(_KEY) == uuid:
                return self.item(index)
        return None

    def _changed(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(item.data(_KEY))
