"""Touching mattes up in a whole panel: the hand in the viewer, files beside the request, and the server's overlay."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QMessageBox
from servers import Server
from shots import Shot, build_shot, load_exr, save_exr
from touchups import open_panel, panel_environment, wait_settled
from watchdog import Watchdog

from void_plugin.events import Finished
from void_plugin.frames import FrameRange
from void_plugin.pictures.reading import read
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.ui.panelshot import PAINTED
from void_plugin.ui.window import PanelWindow
from void_plugin.v1 import job_service_pb2

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NO_KEYS = Qt.KeyboardModifier.NoModifier
LONG = 60_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = str(tmp_path_factory.getbasetemp())
    with Server(tmp_path_factory.mktemp("server") / "state", "--allow-root", root) as running:
        yield running


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, server: Server) -> dict[str, str]:
    token = {"VOID_TOKEN_FILE": str(server.state / "token")}
    return {**panel_environment(tmp_path_factory.mktemp("panel")), **token}


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    made = build_shot(tmp_path / "shot", count=4, size=(108, 192))
    for frame in made.frames:  # of one colour, so that every tint can be told from it
        save_exr(made.folder / f"plate.{frame}.exr", np.full((108, 192, 3), 0.18, np.float16))
    return made


def write_request(shot: Shot, **changes: Any) -> Path:
    """The request of a shot as an artist has left it."""
    request = shot.request(outputs=(Output("patch", shot.out("patch")),), engine="recover", **changes)
    path = shot.folder / "sh010.json"
    path.write_text(request.to_json())
    return path


@pytest.fixture
def panel(qtbot: Any, qapp: Any, environment: dict[str, str], server: Server, shot: Shot) -> Iterator[PanelWindow]:
    """A panel that shows the shot, with the page for the mask before."""
    with open_panel(environment, server.address, (1400, 860)) as window:
        begin(qtbot, window, write_request(shot))
        yield window


@pytest.fixture
def empty_panel(qapp: Any, environment: dict[str, str]) -> Iterator[PanelWindow]:
    with open_panel(environment, "", (1920, 1080)) as window:
        yield window


def begin(qtbot: Any, window: PanelWindow, path: Path) -> None:
    """Open a request and turn to the page for the mask."""
    window.work.open(str(path))
    qtbot.waitUntil(lambda: window.shot is not None, timeout=LONG)
    wait_settled(qtbot, window)
    window.tabs.setCurrentWidget(window.touchup)
    settle(qtbot, window)


def settle(qtbot: Any, window: PanelWindow) -> None:
    """Until the painter shows the frame that the viewer shows."""
    client, viewer = window.touchup.client, window.viewer
    qtbot.waitUntil(lambda: not client.image.isNull() and client.frame == viewer.frame, timeout=LONG)
    wait_settled(qtbot, window)


def at(window: PanelWindow, x: float, y: float) -> QPoint:
    """Where a place of the plate is in the viewer."""
    across, down = window.viewer.camera.to_screen(x, y)
    return QPoint(round(across), round(down))


def drag(qtbot: Any, window: PanelWindow, *way: tuple[float, float], button: Any = LEFT, keys: Any = NO_KEYS) -> None:
    """Press at the first place of the plate, go to the others, let go."""
    places = [at(window, *place) for place in way]
    qtbot.mousePress(window.viewer, button, keys, places[0])
    for place in places[1:]:
        qtbot.mouseMove(window.viewer, place)
    qtbot.mouseRelease(window.viewer, button, keys, places[-1])


def tints(window: PanelWindow) -> np.ndarray:
    """The painter's picture as (height, width, 4): blue, green, red, alpha."""
    image: QImage = window.touchup.client.image
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return flat[:, : image.width() * 4].reshape(image.height(), image.width(), 4).copy()


def steps(window: PanelWindow) -> tuple[bool, bool]:
    return window.touchup.brush.undo.isEnabled(), window.touchup.brush.redo.isEnabled()


def save(qtbot: Any, window: PanelWindow) -> Any:
    """Press the button once it can be pressed; returns what the painter has answered."""
    # A stroke is seen before the painter says that there is something to save.
    qtbot.waitUntil(window.touchup.file.button.isEnabled, timeout=LONG)
    with qtbot.waitSignal(window.touchup.client.saved, timeout=LONG) as answer:
        qtbot.mouseClick(window.touchup.file.button, LEFT)
    return answer.args[0]


def paint(qtbot: Any, window: PanelWindow, *way: tuple[float, float], **more: Any) -> None:
    """A stroke, until it can be undone and is seen to its end: the painter may show it in parts."""
    before = tints(window)
    camera, ratio = window.viewer.camera, before.shape[1] / window.viewer.camera.full[1]
    across, down = (round(place * ratio) for place in way[-1])
    assert camera.full[0] * ratio == pytest.approx(before.shape[0], abs=1)
    drag(qtbot, window, *way, **more)

    def is_seen() -> bool:
        return steps(window)[0] and not np.array_equal(tints(window)[down, across], before[down, across])

    qtbot.waitUntil(is_seen, timeout=LONG)


def test_strokes_are_seen_and_undone_and_saved_beside_the_request(
    qtbot: Any, panel: PanelWindow, shot: Shot, tmp_path: Path
) -> None:
    kept = {path: path.read_bytes() for path in shot.folder.glob("*.exr")}
    touchup = panel.touchup
    clean = tints(panel)
    assert clean[..., 2].any(), "the matte of the request is seen"
    touchup.brush.set_radius(8)
    paint(qtbot, panel, (20, 20), (60, 20))
    red = tints(panel)
    assert red[round(20 * red.shape[0] / 108), round(40 * red.shape[1] / 192)].tolist() == [0, 0, 128, 128]

    touchup.brush.what.setCurrentIndex(1)
    paint(qtbot, panel, (40, 20), (40, 80))
    both = tints(panel)
    panel.grab().save(str(tmp_path / "painted.png"))
    qtbot.keyClick(panel, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: np.array_equal(tints(panel), red), timeout=LONG)
    qtbot.keyClick(panel, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: np.array_equal(tints(panel), clean), timeout=LONG)
    assert steps(panel) == (False, True) and not touchup.has_unsaved()
    for _ in range(2):
        qtbot.keyClick(panel, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: np.array_equal(tints(panel), both), timeout=LONG)

    answer = save(qtbot, panel)
    folder = shot.folder / "sh010_mattes" / "v001"
    assert Path(answer["folder"]) == folder and panel.shot is not None
    assert panel.shot.request.object_matte == ImageInput((folder / "remove.%04d.exr").as_posix())
    assert panel.shot.request.affected_matte == ImageInput((folder / "affected.%04d.exr").as_posix())
    assert read(answer["patterns"]["remove"], 1001).pixels[20, 40, 0] == 1
    assert read(answer["patterns"]["affected"], 1001).pixels[60, 40, 0] == 1
    qtbot.waitUntil((folder / "request.json").exists, timeout=LONG)
    assert RemovalRequest.load(str(folder / "request.json")) == panel.shot.request
    assert {path: path.read_bytes() for path in shot.folder.glob("*.exr")} == kept
    qtbot.waitUntil(lambda: "saved." in touchup.file.state.text(), timeout=LONG)
    assert str(folder) in panel.message.text()


def test_the_server_makes_the_overlay_that_is_shown_of_the_painted_mattes(
    qtbot: Any, panel: PanelWindow, server: Server, tmp_path: Path
) -> None:
    panel.touchup.brush.set_radius(9)
    paint(qtbot, panel, (20, 25), (60, 30))
    paint(qtbot, panel, (60, 50), (30, 60), button=RIGHT)  # erases some of the artist's
    panel.touchup.brush.what.setCurrentIndex(1)
    paint(qtbot, panel, (50, 30), (50, 90))
    assert panel.touchup.has_unsaved(panel.shot)
    with qtbot.waitSignal(panel.work.job_ended, timeout=LONG) as ended:
        panel.actions_by_name["preview"].trigger()  # saves first
    assert ended.args[2].kind == "done", ended.args[2].text
    assert panel.shot is not None and not panel.touchup.has_unsaved(panel.shot)
    assert panel.viewer.kind == "overlay" and panel.shot.request.affected_matte is not None
    panel.viewer.setFocus()
    qtbot.keyClick(panel.viewer, Qt.Key.Key_1)
    wait_settled(qtbot, panel)
    shown = screen(panel)
    panel.grab().save(str(tmp_path / "overlay.png"))

    # The same request, straight to the server, as an EXR that has the labels.
    look = str(tmp_path / "look" / "look.%04d.exr")
    request = replace(panel.shot.request, outputs=(Output("comp", look),), frames=FrameRange(1001, 1004))
    calls = server.calls()
    job = calls.submit_paths(request, tmp_path.name, kind=job_service_pb2.JOB_KIND_PREVIEW).job
    assert isinstance(calls.last(job.job_id), Finished)
    labels = np.rint(load_exr(look % 1001).planes["void.quadmask"].astype(np.float32) * 255).astype(int)
    assert set(np.unique(labels)) == {0, 63, 127, 255}
    assert np.array_equal(told(shown), labels)

    # And it is what was painted: all of both mattes, and nothing far from them.
    remove, affected = (read(panel.shot.sequences[name], 1001).pixels[..., 0] for name in PAINTED.values())
    assert np.isin(labels, (0, 63))[remove > 0.5].all() and np.isin(labels, (63, 127))[affected > 0.5].all()
    assert not np.isin(labels, (63, 127))[affected < 0.4].any() and remove[55, 45] < 0.01 < remove[27, 40]


def screen(window: PanelWindow) -> np.ndarray:
    """The plate's pixels as they are on the screen, at pixel for pixel."""
    viewer = window.viewer
    image = viewer.grab().toImage().convertToFormat(QImage.Format.Format_RGBX8888)
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    left, top = (round(value) for value in viewer.camera.to_screen(0, 0))
    return flat[:, : image.width() * 4].reshape(image.height(), -1, 4)[top : top + 108, left : left + 192, :3].copy()


def told(shown: np.ndarray) -> np.ndarray:
    """The label of each pixel of an overlay over a plate of one colour."""
    plain = shown[0, 191].astype(int)
    red, green = (shown[..., channel] > plain[channel] for channel in (0, 1))
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) == 4, "four tints and nothing between"
    return np.select([red & green, red, green], [63, 0, 127], 255)


def test_the_grid_lies_in_the_roi_of_the_last_overlay(qtbot: Any, panel: PanelWindow) -> None:
    assert panel.shot is not None
    before = panel.viewer.grab().toImage()
    qtbot.mouseClick(panel.touchup.brush._grid, LEFT, pos=QPoint(8, 8))
    assert panel.touchup._layer.grid == (0, 0, 192, 108)
    assert panel.viewer.grab().toImage() != before
    panel.shot.take("/somewhere", {"kind": "preview", "views": {}, "summary": {"roi": [10, 20, 150, 100]}})
    panel.touchup._refresh()
    assert panel.touchup._layer.grid == (10, 20, 150, 100)


def test_brackets_and_a_drag_with_control_change_the_radius_and_not_the_exposure(
    qtbot: Any, panel: PanelWindow
) -> None:
    brush = panel.touchup.brush
    brush.set_radius(10)
    qtbot.keyClick(panel.viewer, Qt.Key.Key_BracketRight)
    assert brush.radius == 12.5
    qtbot.keyClick(panel.viewer, Qt.Key.Key_BracketLeft)
    assert brush.radius == 10
    drag(qtbot, panel, (50, 50), (75, 50), keys=Qt.KeyboardModifier.ControlModifier)
    assert brush.radius == pytest.approx(35, abs=0.6)
    assert panel.viewer.look.exposure == 0 and steps(panel) == (False, False)
    panel.tabs.setCurrentWidget(panel.settings)
    qtbot.keyClick(panel.viewer, Qt.Key.Key_BracketRight)
    assert panel.viewer.look.exposure == 1 and brush.radius == pytest.approx(35, abs=0.6)


def test_the_frame_before_can_be_copied(qtbot: Any, panel: PanelWindow) -> None:
    assert not panel.touchup.brush.copy.isEnabled(), "the first frame has none before it"
    first = tints(panel)
    panel.viewer.set_frame(1002)
    settle(qtbot, panel)
    assert not np.array_equal(tints(panel), first)
    qtbot.mouseClick(panel.touchup.brush.copy, LEFT)
    qtbot.waitUntil(lambda: np.array_equal(tints(panel), first), timeout=LONG)
    assert panel.touchup.brush.undo.toolTip() == "Copy (Ctrl+Z)"


def test_missing_mattes_are_shown_empty_and_told_when_they_are_saved(
    qtbot: Any, panel: PanelWindow, shot: Shot
) -> None:
    for frame in (1002, 1003):
        os.remove(shot.matte % frame)
    panel.viewer.set_frame(1002)
    settle(qtbot, panel)
    assert not tints(panel).any()
    paint(qtbot, panel, (40, 40), (60, 60))
    answer = save(qtbot, panel)
    assert answer["missing"] == [1003] and "Frames 1003 had no matte" in panel.message.text()
    assert panel.shot is not None and panel.shot.missing == {"object_matte": [1003]}


def test_a_broken_matte_is_told_and_the_next_frame_can_be_painted(qtbot: Any, panel: PanelWindow, shot: Shot) -> None:
    path = Path(shot.matte % 1003)
    path.write_bytes(b"nothing")
    panel.viewer.set_frame(1003)
    qtbot.waitUntil(lambda: str(path) in panel.message.text(), timeout=LONG)
    drag(qtbot, panel, (40, 40), (60, 60))
    panel.viewer.set_frame(1004)
    settle(qtbot, panel)
    paint(qtbot, panel, (40, 40), (60, 60))
    qtbot.waitUntil(lambda: panel.touchup.file._painted == [1004], timeout=LONG)


def test_strokes_on_a_shot_that_cannot_be_painted_go_to_no_other(
    qtbot: Any, panel: PanelWindow, tmp_path: Path
) -> None:
    first = panel.shot
    assert first is not None
    broken = build_shot(tmp_path / "broken", count=4, size=(108, 192))
    for frame in broken.frames:
        (broken.folder / f"plate.{frame}.exr").write_bytes(b"nothing")
    panel.work.open(str(write_request(broken)))
    qtbot.waitUntil(lambda: panel.shot is not first, timeout=LONG)
    qtbot.waitUntil(lambda: str(broken.folder) in panel.message.text(), timeout=LONG)
    said: list[str] = []
    panel.touchup.complained.connect(said.append)
    drag(qtbot, panel, (40, 40), (60, 60))
    qtbot.waitUntil(lambda: any("no shot to paint on" in text for text in said), timeout=LONG)
    panel.list.choose(first)
    settle(qtbot, panel)
    qtbot.waitUntil(lambda: panel.touchup.file._painted == [], timeout=LONG)
    assert not panel.touchup.has_unsaved() and steps(panel) == (False, False)
    paint(qtbot, panel, (40, 40), (60, 60))


def test_a_folder_that_takes_no_files_is_told_and_nothing_is_lost(qtbot: Any, panel: PanelWindow, shot: Shot) -> None:
    (shot.folder / "sh010_mattes").write_text("a file of somebody")
    paint(qtbot, panel, (40, 40), (60, 60))
    qtbot.mouseClick(panel.touchup.file.button, LEFT)
    qtbot.waitUntil(lambda: "Cannot write into" in panel.message.text(), timeout=LONG)
    assert panel.touchup.has_unsaved(panel.shot) and panel.touchup.file.button.isEnabled()
    (shot.folder / "sh010_mattes").unlink()
    assert Path(save(qtbot, panel)["folder"]).name == "v001"


def test_what_is_begun_while_mattes_are_saved_begins_with_all_that_is_painted(
    qtbot: Any, panel: PanelWindow, shot: Shot
) -> None:
    paint(qtbot, panel, (40, 40), (60, 60))
    qtbot.mouseClick(panel.touchup.file.button, LEFT)
    assert panel.touchup.file.ticket and not panel.touchup.file.button.isEnabled()
    drag(qtbot, panel, (20, 80), (100, 80))
    with qtbot.waitSignal(panel.work.job_ended, timeout=LONG) as ended:
        panel.actions_by_name["preview"].trigger()
    assert ended.args[2].kind == "done", ended.args[2].text
    assert panel.shot is not None and not panel.touchup.has_unsaved(panel.shot)
    given = panel.shot.request.object_matte
    assert given is not None and not panel.touchup.file.ticket
    matte = read(given.pattern, 1001).pixels[..., 0]
    assert matte[50, 50] == matte[80, 60] == 1


def test_nothing_begins_where_mattes_cannot_be_saved(qtbot: Any, panel: PanelWindow, shot: Shot) -> None:
    (shot.folder / "sh010_mattes").write_text("a file of somebody")
    paint(qtbot, panel, (40, 40), (60, 60))
    panel.actions_by_name["remove"].trigger()
    qtbot.waitUntil(lambda: "Cannot write into" in panel.message.text(), timeout=LONG)
    assert not panel.work.jobs() and panel.touchup.has_unsaved(panel.shot)


def answered(qtbot: Any, button: QMessageBox.StandardButton | None) -> list[str]:
    """Press a button of the question that comes next, or Enter; what it asks will be in the list."""
    asked: list[str] = []

    def answer() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(20, answer)
            return
        asked.append(box.text())
        if button is None:
            qtbot.keyClick(box, Qt.Key.Key_Return)
        else:
            qtbot.mouseClick(box.button(button), LEFT)

    QTimer.singleShot(0, answer)
    return asked


def test_closing_asks_before_it_throws_strokes_away(qtbot: Any, panel: PanelWindow) -> None:
    paint(qtbot, panel, (40, 40), (60, 60))
    folder = Path(panel.touchup.client.unsaved)
    kept = set(folder.iterdir())  # also of panels before this one
    asked = answered(qtbot, None)
    panel.close()
    assert panel.isVisible() and "will be lost" in asked[0], "Enter throws nothing away"
    answered(qtbot, QMessageBox.StandardButton.Close)
    panel.close()
    assert not panel.isVisible() and len(kept - set(folder.iterdir())) == 1


def test_mattes_from_key_frames_are_made_in_the_background_and_are_one_step(
    qtbot: Any, empty_panel: PanelWindow, tmp_path: Path
) -> None:
    window = empty_panel
    made = build_shot(tmp_path / "textured", count=13, size=(108, 192))
    begin(qtbot, window, write_request(made))
    keyframes, truth = window.touchup.keyframes, made.mattes
    clean = tints(window)
    for frame in (1001, 1013):
        window.viewer.set_frame(frame)
        settle(qtbot, window)
        down, across = np.nonzero(truth[frame] > 0.5)
        qtbot.mouseClick(keyframes.buttons["box"], LEFT)
        drag(qtbot, window, (across.min() - 3, down.min() - 2), (150, 100), (across.max() + 4, down.max() + 3))
    window.grab().save(str(tmp_path / "keys.png"))
    assert keyframes.list.text() == "Key frames: 1001, 1013"
    qtbot.mouseClick(keyframes.make, LEFT)
    qtbot.mouseClick(keyframes.stop, LEFT)
    qtbot.waitUntil(lambda: keyframes.stop.isHidden(), timeout=LONG)
    if not steps(window)[0]:  # it may have been quicker than the hand
        qtbot.mouseClick(keyframes.make, LEFT)
    qtbot.waitUntil(lambda: steps(window)[0], timeout=LONG)
    assert window.touchup.brush.undo.toolTip().startswith("Matte from keyframes")
    qtbot.mouseClick(window.touchup.file.button, LEFT)
    qtbot.waitUntil(lambda: (made.folder / "sh010_mattes" / "v001" / "request.json").exists(), timeout=LONG)
    for frame in made.frames:
        mine = read(str(made.folder / "sh010_mattes" / "v001" / "remove.%04d.exr"), frame).pixels[..., 0] > 0.5
        real = truth[frame] > 0.5
        assert (mine & real).sum() / (mine | real).sum() > 0.85, frame
    window.touchup.client.undo()
    window.viewer.set_frame(1001)
    qtbot.waitUntil(lambda: np.array_equal(tints(window), clean), timeout=LONG)


def kill_painter(qtbot: Any, window: PanelWindow) -> None:
    """Let the painter crash; returns once its end has been told."""
    process = window.touchup.client.process_id
    assert process is not None
    with qtbot.waitSignal(window.touchup.client.died, timeout=LONG):
        os.kill(process, signal.SIGKILL)
    assert "is started again" in window.message.text()


def test_a_painter_that_dies_takes_no_stroke_along(qtbot: Any, panel: PanelWindow) -> None:
    clean = tints(panel)
    paint(qtbot, panel, (40, 40), (60, 60))
    one = tints(panel)
    paint(qtbot, panel, (20, 80), (100, 80))
    both = tints(panel)
    kill_painter(qtbot, panel)
    qtbot.waitUntil(lambda: panel.message.text() == "What was painted on sh010 is back, on frames 1001.", timeout=LONG)
    settle(qtbot, panel)
    qtbot.waitUntil(lambda: np.array_equal(tints(panel), both), timeout=LONG)
    assert panel.touchup.has_unsaved(panel.shot)
    for before in (one, clean):
        panel.touchup.client.undo()
        qtbot.waitUntil(lambda before=before: np.array_equal(tints(panel), before), timeout=LONG)


def test_a_painter_that_dies_after_saving_goes_on_from_what_was_saved(
    qtbot: Any, panel: PanelWindow, shot: Shot
) -> None:
    paint(qtbot, panel, (40, 40), (60, 60))
    save(qtbot, panel)
    kill_painter(qtbot, panel)
    settle(qtbot, panel)
    paint(qtbot, panel, (20, 80), (100, 80))
    answer = save(qtbot, panel)
    assert Path(answer["folder"]).name == "v002"
    matte = read(answer["patterns"]["remove"], 1001).pixels[..., 0]
    assert matte[50, 50] == matte[80, 60] == 1


def test_strokes_of_a_panel_that_has_crashed_come_back_with_the_request(
    qtbot: Any, environment: dict[str, str], server: Server, shot: Shot
) -> None:
    path = write_request(shot)
    with open_panel(environment, server.address, (1400, 860)) as window:
        begin(qtbot, window, path)
        paint(qtbot, window, (40, 40), (60, 60))
        painted = tints(window)
    with open_panel(environment, server.address, (1400, 860)) as window:
        begin(qtbot, window, path)
        qtbot.waitUntil(lambda: np.array_equal(tints(window), painted), timeout=LONG)
        assert "is back" in window.message.text() and window.touchup.has_unsaved()
        save(qtbot, window)
    with open_panel(environment, server.address, (1400, 860)) as window:  # what is saved is in files, and only there
        begin(qtbot, window, path)
        assert steps(window) == (False, False) and not window.touchup.has_unsaved()


def test_a_request_of_a_newer_version_is_told_and_the_open_one_stays(
    qtbot: Any, panel: PanelWindow, shot: Shot
) -> None:
    newer = shot.folder / "newer.json"
    newer.write_text(json.dumps({**shot.request().to_dict(), "schema": 99}))
    paint(qtbot, panel, (40, 40), (60, 60))
    painted = tints(panel)
    panel.work.open(str(newer))
    qtbot.waitUntil(lambda: "schema 99" in panel.message.text(), timeout=LONG)
    assert np.array_equal(tints(panel), painted) and panel.shot is not None


def test_painting_on_4k_never_holds_the_window_up(qtbot: Any, empty_panel: PanelWindow, tmp_path: Path) -> None:
    window = empty_panel
    made = Shot(tmp_path / "4k", FrameRange(1001, 1002), (2160, 3840))
    matte = np.zeros(made.size, np.float16)
    matte[500:1500, 1000:2000] = 1
    for frame in made.frames:
        save_exr(made.folder / f"plate.{frame}.exr", np.full((*made.size, 3), 0.2, np.float16))
        save_exr(made.folder / f"object_matte.{frame}.exr", matte, ["A"])
    begin(qtbot, window, write_request(made))
    window.touchup.brush.set_radius(200)
    watchdog = Watchdog()
    qtbot.wait(100)
    watchdog.start()
    for number in range(3):
        way = [(400 + 120 * step, 400 + 300 * number + 40 * (step % 3)) for step in range(24)]
        drag(qtbot, window, *way)
        window.viewer.zoom(1.5)
        qtbot.wait(100)
    window.touchup.client.undo()
    window.viewer.set_frame(1002)
    settle(qtbot, window)
    qtbot.mouseClick(window.touchup.file.button, LEFT)
    qtbot.waitUntil(lambda: not window.touchup.has_unsaved(), timeout=LONG)
    watchdog.stop()
    assert watchdog.beats > 20 and watchdog.worst_busy < 0.050
