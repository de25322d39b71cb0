"""The part of the touch-up page that writes mattes, and says how they stand."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGroupBox, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from void_plugin.frames import describe


class SaveBox(QGroupBox):
    """Asks for mattes to be saved."""

    save_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Files", parent)
        self.ticket = 0
        """Of the saving under way; 0 where there is none."""
        self._painted: list[int] = []
        self._unsaved = False
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.state.setAccessibleName("Painted mattes")
        self.button = QPushButton("S&ave mattes")
        self.button.setAutoDefault(False)
        self.button.setToolTip(
            "Write them as a new version beside the request; the artist's own files stay as they are"
        )
        self.button.clicked.connect(lambda _=False: self.save_asked.emit())
        self.progress = QProgressBar(maximum=100)
        self.progress.setAccessibleName("Progress of saving")
        column = QVBoxLayout(self)
        for widget in (self.state, self.button, self.progress):
            column.addWidget(widget)
        self._refresh()

    def set_painted(self, frames: list[int], unsaved: bool) -> None:
        """Show which frames were painted, and whether that is in files."""
        self._painted, self._unsaved = frames, unsaved
        self._refresh()

    def set_ticket(self, ticket: int) -> None:
        """Show that saving has begun, or ended with 0."""
        self.ticket = ticket
        self.progress.setValue(0)
        self._refresh()

    def set_progress(self, share: float) -> None:
        """Show how far it is."""
        self.progress.setValue(round(100 * share))

    def _refresh(self) -> None:
        if self._painted:
            text = f"Painted on frames {describe(self._painted)}"
            text += "; not saved yet, running the shot saves them first." if self._unsaved else "; saved."
        else:
            text = "Nothing is painted; the mattes are those of the request."
        self.state.setText(text)
        self.button.setEnabled(self._unsaved and not self.ticket)
        self.progress.setVisible(bool(self.ticket))
