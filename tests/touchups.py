"""A whole panel for tests: its window, a real sidecar whose Python has this checkout, and real decoder and painter."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pythons import ROOT, sidecar_python

from void_plugin.bridge import Sidecar
from void_plugin.ui.decoderclient import DecoderClient
from void_plugin.ui.window import PanelWindow
from void_plugin.ui.work import Work


def panel_environment(folder: Path) -> dict[str, str]:
    """A user of their own, who runs jobs on this machine with the programs of this checkout."""
    python = sidecar_python(folder / "python")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOID_")}
    (folder / "config.json").write_text("{}")
    places = {"XDG_STATE_HOME": str(folder / "home"), "VOID_CONFIG": str(folder / "config.json"), "VOID_WORKERS": "1"}
    path = os.pathsep.join([str(ROOT), str(ROOT / "server")])
    programs = {"VOID_PLUGIN_PYTHON": python, "VOID_SERVER_COMMAND": f'"{python}" -m void_server', "PYTHONPATH": path}
    return {**kept, **places, **programs}


@contextlib.contextmanager
def open_panel(environment: Mapping[str, str], server: str, size: tuple[int, int]) -> Iterator[PanelWindow]:
    """The window as `ui.app.make_panel` makes it, with a sidecar of that environment; asks nothing at its end."""
    work = Work(Sidecar(environment=environment, host="panel test"), server)
    window = PanelWindow(work, DecoderClient())
    window.resize(*size)
    window.show()
    work.start()
    try:
        yield window
    finally:
        window.close_at_once()
        window.deleteLater()


def wait_settled(qtbot: Any, window: PanelWindow) -> None:
    """Until the viewer shows what it is to show."""
    qtbot.waitUntil(window.viewer.is_settled, timeout=60_000)
