"""A whole panel for tests: its window, a real sidecar whose Python has this checkout, and real decoder and painter."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from panels import environment_of
from pythons import sidecar_python

from void_plugin.ui.app import make_panel
from void_plugin.ui.window import PanelWindow


def panel_environment(folder: Path) -> dict[str, str]:
    """A user of their own, who runs jobs on this machine with the programs of this checkout."""
    return {**environment_of(folder, sidecar_python(folder / "python")), "VOID_WORKERS": "1"}


@contextlib.contextmanager
def open_panel(environment: Mapping[str, str], server: str, size: tuple[int, int]) -> Iterator[PanelWindow]:
    """A panel of its own, with a sidecar of that environment; asks nothing at its end."""
    window = make_panel([], server, environment)
    window.resize(*size)
    window.show()
    try:
        yield window
    finally:
        window.close_at_once()
        window.deleteLater()


def wait_settled(qtbot: Any, window: PanelWindow) -> None:
    """Until the viewer shows what it is to show."""
    qtbot.waitUntil(window.viewer.is_settled, timeout=60_000)
