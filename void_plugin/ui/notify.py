"""A word to somebody who looks elsewhere, once a job has ended."""

from PySide6.QtWidgets import QApplication, QStyle, QSystemTrayIcon, QWidget


class Notifier:
    """Desktop notifications where there are any, else a flash of the window's entry."""

    def __init__(self, window: QWidget) -> None:
        self._window = window
        self._tray: QSystemTrayIcon | None = None
        self.said: list[tuple[str, str]] = []
        """What was said, title and text."""

    def say(self, title: str, text: str) -> None:
        """Tell it, unless the window is what is looked at."""
        self.said.append((title, text))
        if self._window.isActiveWindow():
            return
        QApplication.alert(self._window)
        if QSystemTrayIcon.isSystemTrayAvailable():
            if self._tray is None:
                icon = self._window.style().standardIcon(QStyle.StandardPixmap.SP_ComputerIcon)
                self._tray = QSystemTrayIcon(icon, self._window)
                self._tray.show()
            self._tray.showMessage(title, text)
