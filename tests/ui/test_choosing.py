"""The panel as a question: what it answers an editor's script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from panels import environment_of, request_file, until
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QComboBox
from shots import build_shot

from void_plugin.ui.app import work_of
from void_plugin.ui.choosing import ChoosingWindow
from void_plugin.ui.decoderclient import DecoderClient


def test_shots_are_chosen_changed_and_sent(
    qapp: Any, tmp_path: Path, void_python: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shot = build_shot(tmp_path / "shot")
    asked = [{"request": request_file(shot, name), "output": str(tmp_path / "tests")} for name in ("one", "two")]
    work = work_of("", environment_of(tmp_path / "user", void_python))
    window = ChoosingWindow(work, DecoderClient(), str(tmp_path / "unsaved"), asked)
    window.show()
    until(lambda: window.list.count() == 2, "two shots")
    assert window.send.text() == "&Send 2 of 2" and not window.actions_by_name["remove"].isVisible()
    window.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    window.list.setCurrentRow(1)
    assert window.shot is not None and window.shot.output == str(tmp_path / "tests")
    name = window.shot.name
    grain = window.settings.widgets["grain"]
    assert isinstance(grain, QComboBox)
    grain.setCurrentIndex(grain.findData("off"))
    window.send.trigger()
    (request,) = json.loads(capsys.readouterr().out)["send"].values()
    assert request["shot"] == name and request["settings"]["grain"] == "off"
    assert window.answer is not None and not window.isVisible()


def test_mattes_that_were_painted_are_saved_and_sent(
    qtbot: Any, tmp_path: Path, void_python: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shot = build_shot(tmp_path / "shot")
    asked = [{"request": request_file(shot), "output": str(tmp_path / "tests")}]
    window = ChoosingWindow(
        work_of("", environment_of(tmp_path / "user", void_python)), DecoderClient(), str(tmp_path / "unsaved"), asked
    )
    window.show()
    until(lambda: window.shot is not None and window.viewer.is_settled(), "the shot")
    window.tabs.setCurrentWidget(window.touchup)
    client = window.touchup.client
    until(lambda: not client.image.isNull() and client.frame == window.viewer.frame, "the painter")
    qtbot.mousePress(window.viewer, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    qtbot.mouseMove(window.viewer, QPoint(260, 170))
    qtbot.mouseRelease(window.viewer, Qt.MouseButton.LeftButton, pos=QPoint(260, 170))
    until(lambda: window.touchup.has_unsaved(), "the stroke")
    window.send.trigger()
    until(lambda: window.answer is not None, "the answer")
    (request,) = json.loads(capsys.readouterr().out)["send"].values()
    assert "_mattes/v001/" in request["object_matte"]["pattern"]
    assert Path(request["object_matte"]["pattern"] % shot.frames.first).is_file()


def test_nothing_ticked_cannot_be_sent_and_closing_answers_nothing(
    qapp: Any, tmp_path: Path, void_python: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shot = build_shot(tmp_path / "shot")
    asked = [{"request": request_file(shot), "output": str(tmp_path)}]
    window = ChoosingWindow(
        work_of("", environment_of(tmp_path / "user", void_python)), DecoderClient(), str(tmp_path / "unsaved"), asked
    )
    window.show()
    until(lambda: window.list.count() == 1, "the shot")
    window.list.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert not window.send.isEnabled()
    window.close()
    assert window.answer is None and capsys.readouterr().out == ""
