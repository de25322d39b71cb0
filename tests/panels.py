"""A panel with a real sidecar, decoder and server, and what a person does in it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication, QWidget
from shots import Shot

from void_plugin.request import ImageInput, Output
from void_plugin.ui.app import make_panel
from void_plugin.ui.window import PanelWindow

PATIENCE = 240.0
"""Seconds until something that never comes fails a test."""
SCREENSHOTS = "VOID_SCREENSHOTS"
"""Names a folder that keeps what the tests saw; by default it goes with the test."""


def request_file(shot: Shot, name: str = "sh010", **changes: Any) -> str:
    """Write the request of a shot beside it; returns the path."""
    folder = Path(shot.plate).parent
    outputs = (Output("patch", str(folder / "out" / f"{name}.%04d.exr")),)
    mattes = {"object_matte": ImageInput(shot.matte)}
    request = shot.request(outputs=outputs, shot=name, frames=shot.frames, **{**mattes, **changes})
    path = folder / f"{name}.json"
    path.write_text(request.to_json(), encoding="utf-8")
    return str(path)


def environment_of(folder: Path, python: str) -> dict[str, str]:
    """A user of their own, whose sidecar and server run in `python`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("VOID_")}
    return {
        **ours,
        "VOID_PLUGIN_PYTHON": python,
        "VOID_SERVER_COMMAND": f"'{python}' -m void_server",
        "VOID_CONFIG": str(folder / "config.json"),
        "XDG_STATE_HOME": str(folder / "state"),
    }


def until(true: Callable[[], Any], what: str = "it", seconds: float = PATIENCE) -> None:
    """Run the event loop until something holds."""
    application = QApplication.instance()
    assert application is not None
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what} did not come true within {seconds:g} s"
        application.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 20)


class Panel:
    """A person before a panel."""

    def __init__(self, window: PanelWindow, shots: Path) -> None:
        self.window, self._shots = window, shots
        self.said: list[str] = []
        self.ended: dict[str, Any] = {}
        window.work.complained.connect(self.said.append)
        window.work.job_ended.connect(lambda key, shot, state: self.ended.__setitem__(key, state))

    def opened(self) -> None:
        """Wait until a shot is on the screen."""
        until(lambda: self.window.shot is not None, f"opening ({self.said})")
        self.settled()

    def settled(self) -> None:
        """Wait until the viewer shows what it is to show."""
        until(self.window.viewer.is_settled, "the picture")

    def press(self, action: str) -> str:
        """Press a button; returns the key of the job that begins."""
        known = set(self.window.work.jobs())
        self.window.actions_by_name[action].trigger()
        (key,) = set(self.window.work.jobs()) - known
        return key

    def is_there(self, key: str) -> bool:
        """True once a server has a job."""
        state = self.window.jobs.state_of(key)
        return state is not None and state.text.startswith(("Queued", "Running"))

    def run(self, action: str) -> Any:
        """Press a button and wait for the end; returns the last state."""
        key = self.press(action)
        until(lambda: key in self.ended, f"{action} ({self.said})")
        self.settled()
        return self.ended[key]

    def picture(self, name: str, widget: QWidget | None = None) -> Path:
        """Keep what the screen shows."""
        folder = Path(os.environ.get(SCREENSHOTS) or self._shots)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        assert (widget or self.window).grab().save(str(path))
        return path


@contextmanager
def panel(requests: list[str], server: str, environment: dict[str, str], shots: Path) -> Iterator[Panel]:
    """A panel with some requests; closed at the end, whatever runs."""
    window = make_panel(requests, server, environment)
    person = Panel(window, shots)
    window.show()
    try:
        yield person
    finally:
        window.close_at_once()
