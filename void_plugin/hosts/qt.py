"""The few things for which a host's own Qt is used: the clipboard and opening a folder. PySide6, PySide2, or none."""

import importlib
from typing import Any


def _binding(part: str) -> Any:
    """A module of whichever Qt this host brings, or None."""
    for binding in ("PySide6", "PySide2"):
        try:
            return importlib.import_module("{}.{}".format(binding, part))
        except ImportError:
            continue
    return None


def copy(text: str) -> bool:
    """Put a text on the clipboard; False where there is no Qt or no window."""
    widgets = _binding("QtWidgets")
    application = widgets.QApplication.instance() if widgets is not None else None
    if application is None:
        return False
    application.clipboard().setText(text)
    return True


def open_folder(folder: str) -> bool:
    """Show a folder in the file manager; False where there is no Qt or nothing that shows folders."""
    gui, core = _binding("QtGui"), _binding("QtCore")
    if gui is None or core is None:
        return False
    return bool(gui.QDesktopServices.openUrl(core.QUrl.fromLocalFile(folder)))
