"""The monitor with a real sidecar, a real server and the farm `local`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soak
from monitored import ask, folder_of, request_of, slow_of, states, submit, user
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtGui import QGuiApplication
from servers import Server, until
from shots import Shot, build_shot

from void_plugin.bridge import Sidecar
from void_plugin.ui.monitor import MonitorWindow
from void_plugin.ui.monitorapp import make_monitor
from void_plugin.ui.monitorrows import Row

PATIENCE = 120_000
Make = Callable[..., MonitorWindow]


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    return build_shot(tmp_path / "shot", count=8, size=(54, 96), pan=2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with soak.slow_server(tmp_path, "--workers", "1") as running:
        yield running


@pytest.fixture
def mary(tmp_path: Path, server: Server) -> dict[str, str]:
    return user(tmp_path / "mary", server)


@pytest.fixture
def make(qtbot: Any) -> Iterator[Make]:
    """Makes a monitor as the command does, of the sidecar of this tree."""
    made = []

    def monitor(environment: dict[str, str], server: str | None = None, farm: str | None = None) -> MonitorWindow:
        command = [sys.executable, "-P", "-X", "utf8", "-m", "void_plugin.sidecar"]
        window = make_monitor(Sidecar(command, environment, "monitor test"), server, farm, environment)
        made.append(window)
        qtbot.addWidget(window)
        window.show()
        with qtbot.waitActive(window, timeout=PATIENCE):  # keys go to the window that is active, on X too
            window.activateWindow()
        return window

    yield monitor
    for window in made:
        window.close()


def rows(window: MonitorWindow) -> dict[str, Row]:
    """The jobs that are shown, by their shots; of two of a shot the newer."""
    shown = [window.shown.job_at(window.shown.index(place, 0)) for place in range(window.shown.rowCount())]
    return {row.shot: row for row in sorted(shown, key=lambda row: row.submitted)}


def state_of(window: MonitorWindow, shot: str) -> str:
    found = rows(window).get(shot)
    return found.state if found else ""


def choose(window: MonitorWindow, *shots: str) -> None:
    window.table.clearSelection()
    flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    newest = {row.key for name, row in rows(window).items() if name in shots}
    for place in range(window.shown.rowCount()):
        index = window.shown.index(place, 0)
        if window.shown.job_at(index).key in newest:
            window.table.selectionModel().select(index, flags)


def keep(window: MonitorWindow, name: str) -> None:
    """Write what a window looks like, where somebody wants to look at it."""
    folder = os.environ.get("VOID_SCREENSHOTS")
    if folder:
        window.grab().save(os.path.join(folder, f"{name}.png"))


def test_jobs_are_listed_found_cancelled_and_run_again(
    qtbot: Any, make: Make, mary: dict[str, str], shot: Shot, monkeypatch: Any
) -> None:
    gate, marks = shot.folder / "go", shot.folder / "marks"
    marks.mkdir()
    submit(mary, request_of(shot, "sh010"))
    submit(mary, slow_of(shot, "sh020", do="error", at=shot.frames.first + 5, marks=str(marks), times=1))
    for name in ("sh030", "sh040"):
        submit(mary, slow_of(shot, name, at=shot.frames.first + 4, until=str(gate)))
    window = make(mary)
    qtbot.waitUntil(lambda: state_of(window, "sh030") == "running", timeout=PATIENCE)
    found = rows(window)
    assert {name: row.state for name, row in found.items()} == {
        "sh010": "succeeded", "sh020": "failed", "sh030": "running", "sh040": "queued",
    }  # fmt: skip
    assert found["sh020"].text.endswith(".") and found["sh010"].folder == str(folder_of(shot, "sh010"))
    qtbot.waitUntil(lambda: rows(window)["sh030"].device == "cpu", timeout=PATIENCE)
    keep(window, "monitor")

    qtbot.keyClicks(window.words, "sh04")
    assert list(rows(window)) == ["sh040"] and window.count.text() == "1 of 4 jobs"
    window.words.clear()
    window.states.setCurrentText("Failed")
    assert list(rows(window)) == ["sh020"]
    window.states.setCurrentIndex(0)

    choose(window, "sh040")
    assert window.actions_by_name["cancel"].isEnabled() and not window.actions_by_name["retry"].isEnabled()
    qtbot.keyClick(window.table, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: state_of(window, "sh040") == "cancelled", timeout=PATIENCE)
    assert state_of(window, "sh030") == "running"
    assert [row.shot for row in window.chosen()] == ["sh040"]

    choose(window, "sh020")
    window.actions_by_name["copy"].trigger()
    assert rows(window)["sh020"].text in QGuiApplication.clipboard().text()
    opened: list[str] = []
    monkeypatch.setattr(
        "void_plugin.ui.monitor.QDesktopServices.openUrl", lambda url: opened.append(url.toLocalFile()) or True
    )
    window.actions_by_name["reveal"].trigger()
    assert opened == [str(folder_of(shot, "sh020"))]
    gate.touch()
    window.actions_by_name["retry"].trigger()
    qtbot.waitUntil(lambda: state_of(window, "sh020") == "succeeded", timeout=PATIENCE)
    assert len(list(folder_of(shot, "sh020").glob("result.*.exr"))) == 8
    assert sum(row["shot"] == "sh020" for row in ask(mary, "jobs")["jobs"]) == 2


def test_several_jobs_are_cancelled_at_once(qtbot: Any, make: Make, mary: dict[str, str], shot: Shot) -> None:
    names = ["sh010", "sh020", "sh030"]
    for name in names:
        submit(mary, slow_of(shot, name, at=shot.frames.first, until=str(shot.folder / "never")))
    window = make(mary)
    qtbot.waitUntil(lambda: len(rows(window)) == 3, timeout=PATIENCE)
    choose(window, *names)
    window.actions_by_name["cancel"].trigger()
    qtbot.waitUntil(lambda: {row.state for row in rows(window).values()} == {"cancelled"}, timeout=PATIENCE)


def test_a_server_that_dies_is_told_and_found_again_and_nothing_is_lost(
    qtbot: Any, make: Make, mary: dict[str, str], server: Server, shot: Shot
) -> None:
    gate = shot.folder / "go"
    submit(mary, request_of(shot, "sh010"))
    submit(mary, slow_of(shot, "sh020", at=shot.frames.first + 5, until=str(gate)))
    window = make(mary)
    qtbot.waitUntil(lambda: state_of(window, "sh020") == "running", timeout=PATIENCE)
    assert window.server.text().startswith("●")
    choose(window, "sh020")
    server.kill()
    began = time.monotonic()
    qtbot.waitUntil(lambda: window.server.text().startswith("○"), timeout=PATIENCE)
    told = time.monotonic() - began
    assert server.address in window.server.text() and window.server.text().endswith(".")
    assert set(rows(window)) == {"sh010", "sh020"}  # as they were seen last
    keep(window, "monitor_away")
    server.start()
    qtbot.waitUntil(lambda: window.server.text().startswith("●"), timeout=PATIENCE)
    gate.touch()
    qtbot.waitUntil(lambda: state_of(window, "sh020") == "succeeded", timeout=PATIENCE)
    assert [row.shot for row in window.chosen()] == ["sh020"]
    assert told < 30  # five seconds on a machine that has nothing else to do


def test_nobody_is_asked_for_a_window_that_nobody_sees(qtbot: Any, make: Make, mary: dict[str, str]) -> None:
    window = make(mary)
    qtbot.waitUntil(lambda: window.server.text().startswith("●"), timeout=PATIENCE)
    window.hide()
    qtbot.wait(500)  # what was asked before is answered
    window.server.setText("")
    qtbot.wait(3000)
    assert window.server.text() == ""
    window.show()
    qtbot.waitUntil(lambda: window.server.text().startswith("●"), timeout=PATIENCE)


def test_a_token_that_is_refused_is_told(qtbot: Any, make: Make, mary: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("notthetokenofthisserver")
    window = make({**mary, "VOID_TOKEN_FILE": str(tmp_path / "wrong")})
    qtbot.waitUntil(lambda: window.server.text().startswith("○"), timeout=PATIENCE)
    assert "token" in window.server.text()


def test_without_a_server_the_farms_are_shown(qtbot: Any, make: Make, tmp_path: Path, shot: Shot) -> None:
    mary, gate = user(tmp_path / "mary"), shot.folder / "go"
    for name in ("sh010", "sh020"):
        request = slow_of(shot, name, at=shot.frames.first + 5, until=str(gate))
        ask(mary, "farm_submit", request=request.to_dict())
    window = make(mary)
    qtbot.waitUntil(lambda: window.server.text().startswith("○"), timeout=PATIENCE)
    assert "No server is configured" in window.server.text()
    qtbot.waitUntil(lambda: state_of(window, "sh010") == "running", timeout=PATIENCE)
    assert state_of(window, "sh020") == "queued", "this machine runs one after the other"
    keep(window, "monitor_farm")
    choose(window, "sh010")
    window.actions_by_name["cancel"].trigger()
    qtbot.waitUntil(lambda: state_of(window, "sh010") == "cancelled", timeout=PATIENCE)
    qtbot.waitUntil(lambda: state_of(window, "sh020") == "running", timeout=PATIENCE)
    gate.touch()
    choose(window, "sh010")
    window.actions_by_name["retry"].trigger()
    qtbot.waitUntil(lambda: state_of(window, "sh010") == "succeeded", timeout=PATIENCE)
    qtbot.waitUntil(lambda: state_of(window, "sh020") == "succeeded", timeout=PATIENCE)
    assert len(list(folder_of(shot, "sh010").glob("result.*.exr"))) == 8


def test_a_farm_that_is_named_is_the_only_one_and_must_exist(qtbot: Any, make: Make, mary: dict[str, str]) -> None:
    window = make(mary, farm="nowhere")
    qtbot.waitUntil(lambda: window.farms.text().startswith("○"), timeout=PATIENCE)
    assert "There is no farm 'nowhere'" in window.farms.text()
    assert not window.server.text().startswith("●")


def test_many_jobs_are_listed(qtbot: Any, make: Make, mary: dict[str, str], shot: Shot) -> None:
    for number in range(60):
        submit(mary, slow_of(shot, f"sh{number:03d}", at=shot.frames.first, until=str(shot.folder / "never")))
    window = make(mary)
    qtbot.waitUntil(lambda: window.model.rowCount() == 60, timeout=PATIENCE)
    assert window.shown.job_at(window.shown.index(0, 0)).shot == "sh059"
    window.table.selectAll()
    window.actions_by_name["cancel"].trigger()
    until(lambda: set(states(mary).values()) == {"cancelled"}, 120.0, "the end of all")
