"""The panel as people use it: a real sidecar, decoder and server, and the engine recover."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from panels import Panel, environment_of, panel, request_file, until
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QImage, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QInputDialog,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
)
from servers import Server
from shots import Shot, build_shot, load_exr, merged, save_exr
from watchdog import Watchdog

from void_plugin.frames import FrameRange
from void_plugin.hosts.states import NodeState
from void_plugin.request import RemovalRequest
from void_plugin.sidecalls import SOON_SECONDS
from void_plugin.ui.fields import FIELDS, values_of, with_values
from void_plugin.ui.jobspage import JobsPage
from void_plugin.ui.work import HEALTH_MS

ROOT = Path(__file__).parents[2]
BUSY_LIMIT = 0.050
"""Seconds that the thread of the window may be busy in one go."""


@pytest.fixture
def moving(tmp_path: Path) -> Shot:
    """A panning shot, so that what lies behind the object is seen."""
    return build_shot(tmp_path / "shot", count=6, size=(96, 160), pan=4)


@pytest.fixture
def environment(tmp_path: Path, void_python: str) -> dict[str, str]:
    return environment_of(tmp_path / "user", void_python)


@pytest.fixture
def alone(qapp: Any, tmp_path: Path, moving: Shot, environment: dict[str, str]) -> Iterator[Panel]:
    """A panel with one shot, on this machine alone."""
    with panel([request_file(moving)], "", environment, tmp_path / "seen") as person:
        person.opened()
        yield person


def colours(path: Path) -> np.ndarray:
    """A picture that was kept, as (height, width, 3)."""
    image = QImage(str(path)).convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()


def test_a_shot_is_opened_its_mask_seen_a_frame_tested_and_all_removed(qtbot: Any, alone: Panel, moving: Shot) -> None:
    window = alone.window
    plate = colours(alone.picture("plate", window.viewer))
    watchdog = Watchdog()
    until(lambda: watchdog.beats > 2)
    watchdog.start()

    assert alone.run("preview").kind == "done"
    watchdog.stop()  # what the test itself draws is not the panel's doing
    assert window.viewer.kind == "overlay" and not window.bar.legend.isHidden()
    overlay = colours(alone.picture("overlay"))
    assert (overlay[..., 0] > overlay[..., 1] + 60).any()  # something is red

    watchdog.go_on()
    window.viewer.set_frame(moving.frames.first + 2)
    assert alone.run("test").kind == "done"
    assert window.shot is not None and window.shot.folder.endswith("/test")

    state = alone.run("remove")
    assert state.kind == "done", state.full_text()
    assert "recovered" in state.text and window.viewer.kind == "result"
    window.viewer.set_kind("plate")
    qtbot.keyClick(window.viewer, Qt.Key.Key_W)
    alone.settled()
    watchdog.stop()
    alone.picture("wipe")
    assert not np.array_equal(colours(alone.picture("wiped", window.viewer)), plate)
    assert watchdog.worst_busy < BUSY_LIMIT

    pattern, is_patch = window.shot.result()
    assert is_patch and "/v001/" in pattern
    for frame in moving.frames:
        before, patch = load_exr(moving.plate % frame), load_exr(pattern % frame)
        after = merged(patch, before)
        outside = ~(patch.over((0, 0, 160, 96), "A") > 0)
        for name in "RGB":
            assert np.array_equal(after[name][outside], before.planes[name][outside])


def test_one_job_is_cancelled_while_the_other_ends(
    qapp: Any, tmp_path: Path, moving: Shot, environment: dict[str, str]
) -> None:
    requests = [request_file(moving, name) for name in ("sh010", "sh020")]
    with Server(tmp_path / "server") as server:
        environment["VOID_TOKEN_FILE"] = str(server.state / "token")
        with panel(requests, server.address, environment, tmp_path / "seen") as person:
            window = person.window
            until(lambda: len(window.work.shots) == 2, "two shots")
            person.opened()
            keys = {}
            for row in (0, 1):
                window.list.setCurrentRow(row)
                assert window.shot is not None
                keys[window.shot.name] = person.press("remove")
            window.jobs.tree.setCurrentItem(window.jobs.tree.topLevelItem(0))
            assert window.jobs.current() == keys["sh020"] if window.list.item(1).text().startswith("sh020") else True
            victim = window.jobs.current()
            window.jobs.cancel.click()
            until(lambda: len(person.ended) == 2, f"two ends {person.said}")
            person.picture("jobs")
            other = next(key for key in keys.values() if key != victim)
            assert person.ended[victim].kind == "cancelled"
            assert person.ended[other].kind == "done", person.ended[other].full_text()
            told = dict(window.notifier.said)  # on the desktop
            assert set(told) == {"sh010", "sh020"} and all(told.values())


def test_a_4k_shot_is_uploaded_without_holding_the_window_up(
    qapp: Any, tmp_path: Path, environment: dict[str, str]
) -> None:
    made = Shot(tmp_path / "4k", FrameRange(1001, 1003), (2160, 3840))
    matte = np.zeros(made.size, np.float16)
    matte[500:900, 1000:1600] = 1
    for frame in made.frames:
        noise = np.random.default_rng(frame).random((*made.size, 3), np.float32).astype(np.float16)
        save_exr(made.folder / f"plate.{frame}.exr", noise)
        save_exr(made.folder / f"object_matte.{frame}.exr", matte, ["A"])
    environment["VOID_TRANSFER"] = "upload"
    with Server(tmp_path / "server") as server:
        environment["VOID_TOKEN_FILE"] = str(server.state / "token")
        with panel([request_file(made)], server.address, environment, tmp_path / "seen") as person:
            person.opened()
            work, said = person.window.work, []
            work.job_changed.connect(lambda key, state: said.append(state.text))
            watchdog = Watchdog()
            until(lambda: watchdog.beats > 2)
            watchdog.start()
            key = person.press("remove")
            until(lambda: person.is_there(key), f"the job {person.said}")
            watchdog.stop()
            assert any(text.startswith("Uploading") for text in said), said
            assert watchdog.beats > 10 and watchdog.worst_busy < BUSY_LIMIT
            work.cancel(key)
            until(lambda: key in person.ended, f"its end {person.said}")


def test_a_server_that_goes_is_told_and_one_that_comes_back_is_used(
    qapp: Any, tmp_path: Path, moving: Shot, environment: dict[str, str]
) -> None:
    server = Server(tmp_path / "server").start()
    environment["VOID_TOKEN_FILE"] = str(server.state / "token")
    with panel([request_file(moving)], server.address, environment, tmp_path / "seen") as person:
        person.opened()
        work = person.window.work
        until(lambda: work.health.is_good, "a healthy server")
        key = person.press("remove")
        until(lambda: person.is_there(key), f"the job {person.said}")
        server.kill()
        until(lambda: not work.health.is_good, "the loss being told")
        assert server.address in person.window.health.text()
        with server.start():
            until(lambda: work.health.is_good, "the server being back")
            until(lambda: key in person.ended, f"the job {person.said}")
            assert person.ended[key].kind == "done", person.ended[key].full_text()


def test_a_server_that_hangs_is_told_as_soon_as_one_that_dies(
    qapp: Any, tmp_path: Path, moving: Shot, environment: dict[str, str]
) -> None:
    assert HEALTH_MS / 1000 + SOON_SECONDS <= 5
    with Server(tmp_path / "server") as server:
        environment["VOID_TOKEN_FILE"] = str(server.state / "token")
        with panel([request_file(moving)], server.address, environment, tmp_path / "seen") as person:
            person.opened()
            work = person.window.work
            until(lambda: work.health.is_good, "a healthy server")
            os.kill(server.pid, signal.SIGSTOP)
            until(lambda: not work.health.is_good, "the loss being told")
            os.kill(server.pid, signal.SIGCONT)
            until(lambda: work.health.is_good, "the server being back")


def test_a_panel_that_was_closed_takes_its_job_up_again(
    qapp: Any, tmp_path: Path, moving: Shot, environment: dict[str, str]
) -> None:
    path = request_file(moving)
    with Server(tmp_path / "server") as server:
        environment["VOID_TOKEN_FILE"] = str(server.state / "token")
        with panel([path], server.address, environment, tmp_path / "seen") as person:
            person.opened()
            key = person.press("remove")
            until(lambda: person.window.work.folder_of(key), "a version folder")
            until(lambda: _state(person.window.work.folder_of(key)) == "running", "the job")
        with panel([path], server.address, environment, tmp_path / "seen") as person:
            person.opened()
            until(lambda: bool(person.ended) or bool(person.window.shot and person.window.shot.folder), "the result")
            assert person.window.shot is not None
            assert person.window.shot.result()[0]
        assert not list((Path(moving.plate).parent / "out").glob("v002"))


def _state(folder: str) -> str:
    try:
        return str(json.loads((Path(folder) / "job.json").read_text())["state"])
    except (OSError, ValueError):
        return ""


def test_a_request_of_a_newer_version_is_refused_with_a_sentence(
    qapp: Any, tmp_path: Path, moving: Shot, environment: dict[str, str]
) -> None:
    path = Path(request_file(moving))
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 9'))
    with panel([str(path)], "", environment, tmp_path / "seen") as person:
        until(lambda: person.said, "a sentence")
        assert "request schema 9" in person.said[0] and "update void_plugin" in person.said[0]
        assert person.window.pages.currentWidget() is person.window.first


def test_missing_frames_are_shown_as_such_and_removing_says_what_is_missing(
    qapp: Any, tmp_path: Path, moving: Shot, environment: dict[str, str]
) -> None:
    gone = moving.frames.first + 3
    path = request_file(moving)
    os.remove(moving.plate % gone)
    with panel([path], "", environment, tmp_path / "seen") as person:
        person.opened()
        person.window.viewer.set_frame(gone)
        person.settled()
        assert person.window.viewer.complaint == f"Frame {gone} of the plate is missing"
        assert "1 input frames are missing" in person.window.list.item(0).text()
        state = person.run("remove")
        assert state.kind == "failed" and str(gone) in state.text


def test_a_refused_token_is_told_with_what_to_do(
    qapp: Any, tmp_path: Path, moving: Shot, environment: dict[str, str]
) -> None:
    with Server(tmp_path / "server") as server:
        (tmp_path / "wrong").write_text("wrong")
        environment["VOID_TOKEN_FILE"] = str(tmp_path / "wrong")
        with panel([request_file(moving)], server.address, environment, tmp_path / "seen") as person:
            person.opened()
            person.window.show_connection()
            until(lambda: person.window.work.health.text, "an answer")
            dialog = person.window.connection
            until(lambda: "token" in dialog.light.text().lower(), "the sentence")
            assert "VOID_TOKEN_FILE" in dialog.advice.text()
            person.picture("connection", dialog)


def test_no_server_is_told_and_the_plate_can_be_seen_all_the_same(
    qapp: Any, tmp_path: Path, moving: Shot, environment: dict[str, str]
) -> None:
    with panel([request_file(moving)], "127.0.0.1:9", environment, tmp_path / "seen") as person:
        person.opened()
        until(lambda: person.window.work.health.text, "an answer")
        assert "127.0.0.1:9" in person.window.health.text()
        assert person.run("remove").kind == "failed"


def test_a_request_that_is_opened_again_is_chosen_and_the_viewer_has_the_keys(
    alone: Panel, moving: Shot, tmp_path: Path
) -> None:
    window = alone.window
    first = window.shot
    assert first is not None and window.focusWidget() is window.viewer
    window.work.open(request_file(moving, "sh020"))
    until(lambda: window.list.count() == 2 and window.shot is not first, f"the other ({alone.said})")
    window.work.open(first.path)
    assert window.list.count() == 2 and window.shot is first


def test_requests_are_listed_in_the_order_in_which_they_were_asked_for(
    qapp: Any, tmp_path: Path, moving: Shot, environment: dict[str, str]
) -> None:
    names = [f"sh0{number}0" for number in (4, 1, 6, 3, 5, 2)]
    paths = [request_file(moving, name) for name in names]
    with panel([*paths[:3], str(tmp_path / "none.json"), *paths[3:]], "", environment, tmp_path / "seen") as person:
        until(lambda: person.window.list.count() == len(names), f"all shots ({person.said})")
        rows = [person.window.list.item(row).text() for row in range(len(names))]
        assert [row.split()[0] for row in rows] == names
        assert person.window.shot is not None and person.window.shot.name == names[-1]
        assert any("none.json" in text for text in person.said)


def test_settings_reach_the_request_and_presets_come_back(alone: Panel) -> None:
    window = alone.window
    assert window.shot is not None
    grain = window.settings.widgets["grain"]
    assert isinstance(grain, QComboBox)
    grain.setCurrentIndex(grain.findData("off"))
    assert window.shot.request.settings.grain == "off"
    window.settings.preset_saved.emit("no grain")
    until(lambda: "no grain" in window.work.presets, "the preset")
    grain.setCurrentIndex(grain.findData("scatter"))
    window.settings.preset_chosen.emit("no grain")
    assert window.shot.request.settings.grain == "off" and grain.currentData() == "off"
    window.settings.preset_deleted.emit("no grain")
    until(lambda: not window.work.presets, "its end")


def test_a_preset_is_named_in_a_dialog_and_forgotten_by_a_button(qtbot: Any, alone: Panel) -> None:
    window = alone.window
    page = window.settings
    assert page.presets.currentText() == "" and not page.delete.isEnabled()

    def name() -> None:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, QInputDialog):
            QTimer.singleShot(20, name)
            return
        alone.picture("preset", dialog)
        dialog.setTextValue("night shots")
        qtbot.keyClick(dialog, Qt.Key.Key_Return)

    QTimer.singleShot(0, name)
    save = next(button for button in page.findChildren(QPushButton) if button.text() == "Save as…")
    qtbot.mouseClick(save, Qt.MouseButton.LeftButton)
    until(lambda: page.presets.currentText() == "night shots", f"the preset {alone.said}")
    qtbot.mouseClick(page.delete, Qt.MouseButton.LeftButton)
    until(lambda: page.presets.count() == 0, f"its end {alone.said}")
    assert not page.delete.isEnabled()


def test_another_server_is_asked_and_nothing_of_the_last_one_is_shown_meanwhile(alone: Panel) -> None:
    window, dialog = alone.window, alone.window.connection
    until(lambda: window.work.health.is_good, "the health of this machine")
    window.show_connection()
    names = [dialog.engines.topLevelItem(row).text(0) for row in range(dialog.engines.topLevelItemCount())]  # type: ignore[union-attr]
    assert "recover" in names and not [name for name in names if name.startswith("identity")]
    dialog.server_chosen.emit("127.0.0.1:9")
    assert dialog.light.text() == "Asking…" and dialog.engines.topLevelItemCount() == 0
    until(lambda: "127.0.0.1:9" in dialog.light.text(), "the answer")
    assert dialog.advice.text() and "127.0.0.1:9" in window.health.text() == window.health.toolTip()
    assert window.message.width() > window.width() / 2


def test_a_request_can_be_written_elsewhere_as_it_now_is(alone: Panel, tmp_path: Path) -> None:
    window = alone.window
    assert window.shot is not None
    prompt = window.settings.widgets["prompt"]
    assert isinstance(prompt, QPlainTextEdit)
    prompt.setPlainText("an empty wall")
    window.work.save(window.shot, str(tmp_path / "other.json"))
    until(lambda: (tmp_path / "other.json").exists(), "the file")
    assert RemovalRequest.load(str(tmp_path / "other.json")).prompt == "an empty wall"


def test_every_field_takes_and_gives_back_each_of_its_values(moving: Shot) -> None:
    request = moving.request()
    for field in FIELDS:
        for choice in field.choices:
            if field.name == "quality" and choice == "custom":
                continue
            changed = field.put(request, choice)
            changed.check()
            assert field.get(changed) == choice
    assert with_values(request, {**values_of(request), "from the future": 1}) == request


def test_everything_has_a_name_a_tooltip_or_a_label_for_people_who_hear_the_screen(alone: Panel) -> None:
    window = alone.window
    for root in (window, window.connection):
        for kind in (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit):
            for widget in root.findChildren(kind):
                if widget.objectName().startswith("qt_") or widget.parent().metaObject().className() == "QTabBar":
                    continue
                text = getattr(widget, "text", lambda: "")()
                named = widget.accessibleName() or text or widget.toolTip()
                inner = isinstance(widget.parent(), QAbstractSpinBox | QComboBox)
                assert named or inner, (widget, widget.parent())


def test_all_that_can_be_done_with_the_mouse_can_be_done_with_keys(alone: Panel) -> None:
    for name, action in alone.window.actions_by_name.items():
        assert not action.shortcut().isEmpty(), name
    keys = [action.shortcut().toString() for action in alone.window.actions_by_name.values()]
    assert len(set(keys)) == len(keys)
    tabs = alone.window.tabs
    for page in (tabs.widget(place) for place in range(tabs.count())):
        texts = [tabs.tabText(place) for place in range(tabs.count())]
        texts += [button.text() for button in page.findChildren(QAbstractButton)]
        marked = [QKeySequence.mnemonic(text).toString() for text in texts]
        twice = {key for key in marked if key and marked.count(key) > 1}
        assert not twice, "a key that two want does nothing for either"
    for widget in alone.window.settings.widgets.values():
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus


@pytest.mark.parametrize("scale", ["1", "1.5", "2"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_text_is_cut_at_any_scale(tmp_path: Path, scale: str, dark: bool) -> None:
    script = ROOT / "tests" / "fakes" / "panel_texts.py"
    environment = {**os.environ, "QT_SCALE_FACTOR": scale, "QT_QPA_PLATFORM": "offscreen", "DARK": str(int(dark))}
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "seen.png")], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    assert (tmp_path / "seen.png").stat().st_size > 1000


def test_without_a_screen_there_is_a_sentence(moving: Shot) -> None:
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-m", "void_plugin.cli", "panel", request_file(moving)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("There is no screen here")


def test_the_frame_range_of_a_test_frame_stays_in_the_shot(alone: Panel, moving: Shot) -> None:
    assert alone.window.shot is not None
    for frame in moving.frames:
        asked = alone.window.shot.asked("test", frame, "/v")
        assert asked.frames == FrameRange(frame, frame)
        assert asked.shot_range is not None and moving.frames.holds(asked.shot_range)


def test_a_job_says_how_long_it_still_takes_once_its_pace_is_known(qtbot: Any) -> None:
    now = [100.0]
    page = JobsPage(clock=lambda: now[0])
    qtbot.addWidget(page)
    page.add("one", "sh010", "remove")

    def told(fraction: float) -> str:
        page.update_job("one", NodeState("running", "Running (pass 1, window 2)", fraction=fraction))
        item = page.tree.topLevelItem(0)
        assert item is not None
        return item.text(2)

    assert told(0.1) == "Running (pass 1, window 2)"
    now[0] = 160.0
    assert told(0.4) == "Running (pass 1, window 2), about 2 min left"
    page.update_job("one", NodeState("done", "v001", fraction=1.0))
    assert page.tree.topLevelItem(0).text(2) == "v001"  # type: ignore[union-attr]


def test_labels_wrap_and_can_be_read(alone: Panel) -> None:
    assert alone.window.message.wordWrap()
    assert all(label.text() or label.pixmap() is not None for label in alone.window.bar.findChildren(QLabel))
