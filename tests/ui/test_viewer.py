"""The viewer with a real decoder: what is seen, and what keys and the mouse do."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import film, ramp
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage

from void_plugin.frames import FrameRange
from void_plugin.pictures.asks import Look, Wish
from void_plugin.pictures.display import PINNED_CONFIG, Display
from void_plugin.pictures.rendering import Renderer
from void_plugin.pictures.shelf import Shelf
from void_plugin.ui.decoderclient import DecoderClient
from void_plugin.ui.shotpictures import ShotPictures, Source
from void_plugin.ui.transport import Transport
from void_plugin.ui.viewer import Viewer
from void_plugin.ui.viewerbar import ViewerBar

FRAMES = FrameRange(1001, 1006)


@pytest.fixture
def shot(tmp_path: Path) -> ShotPictures:
    plate = film(tmp_path, "plate", FRAMES, lambda frame: ramp(90, 160, frame * 3))
    result = film(tmp_path, "result", FRAMES, lambda frame: ramp(90, 160)[:, ::-1])
    return ShotPictures(
        FRAMES,
        {
            "plate": Source(plate),
            "result": Source(result, "merged", plate),
            "difference": Source(result, "difference", plate),
        },
    )


@pytest.fixture
def viewer(qtbot: Any, decoder: DecoderClient, shot: ShotPictures) -> Viewer:
    """A viewer that shows the first frame at twice its size."""
    made = Viewer(decoder)
    qtbot.addWidget(made)
    made.resize(320, 180)
    made.show()
    made.set_shot(shot)
    wait_for(qtbot, made)
    return made


def wait_for(qtbot: Any, viewer: Viewer) -> None:
    """Until what is wanted is what is shown."""
    qtbot.waitUntil(viewer.is_settled, timeout=60_000)


def pixels(image: QImage) -> np.ndarray:
    """A picture as (height, width, 4)."""
    image = image.convertToFormat(QImage.Format.Format_RGBX8888)
    flat = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return flat[:, : image.width() * 4].reshape(image.height(), image.width(), 4).copy()


def seen(viewer: Viewer) -> np.ndarray:
    """What is on the screen."""
    return pixels(viewer.grab().toImage())[..., :3]


def test_at_pixel_for_pixel_the_screen_shows_what_the_display_makes(
    qtbot: Any, viewer: Viewer, shot: ShotPictures
) -> None:
    qtbot.keyClick(viewer, Qt.Key.Key_1)
    wait_for(qtbot, viewer)
    wish = Wish(shot.sources["plate"].pattern, 1001, (90, 160))
    wanted, _ = Renderer(Display(PINNED_CONFIG), Shelf()).render(wish)
    assert np.array_equal(seen(viewer)[45:135, 80:240], wanted[..., :3])


def test_arrows_step_and_the_ends_are_the_ends(qtbot: Any, viewer: Viewer) -> None:
    for key, wanted in (
        (Qt.Key.Key_Right, 1002), (Qt.Key.Key_Left, 1001), (Qt.Key.Key_Left, 1001), (Qt.Key.Key_End, 1006),
        (Qt.Key.Key_Right, 1006), (Qt.Key.Key_Home, 1001),
    ):  # fmt: skip
        qtbot.keyClick(viewer, key)
        assert viewer.frame == wanted
    qtbot.keyClick(viewer, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert viewer.frame == 1006


def test_l_plays_every_frame_and_goes_round_and_k_rests(qtbot: Any, viewer: Viewer) -> None:
    frames: list[int] = []
    viewer.frame_changed.connect(frames.append)
    qtbot.keyClick(viewer, Qt.Key.Key_L)
    qtbot.waitUntil(lambda: len(frames) >= 8, timeout=60_000)
    qtbot.keyClick(viewer, Qt.Key.Key_K)
    assert frames[:7] == [1002, 1003, 1004, 1005, 1006, 1001, 1002]
    assert viewer.playback.speed == 0


def test_j_plays_backwards(qtbot: Any, viewer: Viewer) -> None:
    frames: list[int] = []
    viewer.frame_changed.connect(frames.append)
    qtbot.keyClick(viewer, Qt.Key.Key_J)
    qtbot.waitUntil(lambda: len(frames) >= 3, timeout=60_000)
    assert frames[:3] == [1006, 1005, 1004]


def test_the_wipe_shows_two_kinds_and_its_line_can_be_dragged(qtbot: Any, viewer: Viewer) -> None:
    plate = seen(viewer)
    viewer.set_kind("result")
    wait_for(qtbot, viewer)
    result = seen(viewer)
    viewer.set_kind("plate")
    qtbot.keyClick(viewer, Qt.Key.Key_W)
    wait_for(qtbot, viewer)
    both = seen(viewer)
    assert np.array_equal(both[:, :158], plate[:, :158]) and np.array_equal(both[:, 162:], result[:, 162:])
    qtbot.mousePress(viewer, Qt.MouseButton.LeftButton, pos=QPoint(160, 90))
    qtbot.mouseMove(viewer, QPoint(80, 90))
    qtbot.mouseRelease(viewer, Qt.MouseButton.LeftButton, pos=QPoint(80, 90))
    wait_for(qtbot, viewer)
    both = seen(viewer)
    assert np.array_equal(both[:, :78], plate[:, :78]) and np.array_equal(both[:, 82:], result[:, 82:])
    qtbot.keyClick(viewer, Qt.Key.Key_Comma)  # a twentieth of 320 pixels
    wait_for(qtbot, viewer)
    both = seen(viewer)
    assert np.array_equal(both[:, :62], plate[:, :62]) and np.array_equal(both[:, 66:], result[:, 66:])
    qtbot.keyClick(viewer, Qt.Key.Key_W)
    assert viewer.against == ""


def test_the_value_below_the_pointer_is_that_of_the_file(qtbot: Any, viewer: Viewer) -> None:
    with qtbot.waitSignal(viewer.readout, timeout=60_000) as told:
        qtbot.mouseMove(viewer, QPoint(100, 60))
    red, green, _ = ramp(90, 160, 3003)[30, 50]
    assert told.args == [told.args[0]] and told.args[0].startswith(f"x 50  y 30   R {red:.5g}  G {green:.5g}")


def test_zooming_keeps_the_middle_and_f_fits_again(qtbot: Any, viewer: Viewer) -> None:
    before = seen(viewer)
    qtbot.keyClick(viewer, Qt.Key.Key_Plus)
    wait_for(qtbot, viewer)
    assert viewer.camera.region() == (40, 22, 121, 68)
    assert not np.array_equal(seen(viewer), before)
    qtbot.keyClick(viewer, Qt.Key.Key_F)
    wait_for(qtbot, viewer)
    assert np.array_equal(seen(viewer), before)


def test_a_missing_frame_is_said_and_the_others_are_shown(qtbot: Any, viewer: Viewer, shot: ShotPictures) -> None:
    os.remove(shot.sources["plate"].pattern % 1003)
    viewer.set_frame(1003)
    wait_for(qtbot, viewer)
    assert viewer.complaint == "Frame 1003 of the plate is missing"
    viewer.set_frame(1004)
    wait_for(qtbot, viewer)
    assert viewer.complaint == ""


def test_a_broken_frame_is_said_with_its_path(qtbot: Any, viewer: Viewer, shot: ShotPictures) -> None:
    path = shot.sources["plate"].pattern % 1003
    Path(path).write_bytes(b"nothing")
    viewer.set_frame(1003)
    qtbot.waitUntil(lambda: path in viewer.complaint, timeout=60_000)
    viewer.set_frame(1002)
    wait_for(qtbot, viewer)
    assert viewer.complaint == ""


def test_a_decoder_that_dies_is_started_again(qtbot: Any, viewer: Viewer, decoder: DecoderClient) -> None:
    process = decoder.process_id
    assert process is not None
    os.kill(process, signal.SIGKILL)
    viewer.set_frame(1005)
    wait_for(qtbot, viewer)
    assert decoder.process_id != process


def test_pictures_at_hand_are_bounded_by_bytes(qtbot: Any, qapp: Any, shot: ShotPictures) -> None:
    small = DecoderClient(kept_bytes=3 * 90 * 160 * 4)
    shown: list[int] = []
    small.shown.connect(lambda wish, picture: shown.append(wish.frame))
    wishes = [shot.wish("plate", frame, (90, 160), Look()) for frame in FRAMES]
    small.want(wishes)
    qtbot.waitUntil(lambda: len(shown) == 6, timeout=60_000)
    assert small.held_bytes() <= 3 * 90 * 160 * 4
    # They come in any order, and the last ones that came are kept.
    assert {wish.frame for wish in wishes if small.kept(wish) is not None} == set(shown[-3:])
    small.close()


def test_nobody_waits_for_what_was_asked_before(qtbot: Any, decoder: DecoderClient, shot: ShotPictures) -> None:
    shown: list[Wish] = []
    decoder.shown.connect(lambda wish, picture: shown.append(wish))
    for frame in FRAMES:
        decoder.want([shot.wish("plate", frame, (90, 160), Look(exposure=step / 4)) for step in range(20)])
    last = shot.wish("plate", 1001, (90, 160), Look())
    decoder.want([last])
    qtbot.waitUntil(lambda: last in shown, timeout=60_000)
    assert len(shown) < 60
    qtbot.waitUntil(lambda: len(decoder._free) == 4, timeout=60_000)


def test_bars_follow_the_viewer_and_lead_it(qtbot: Any, viewer: Viewer) -> None:
    transport, bar = Transport(viewer), ViewerBar(viewer)
    qtbot.addWidget(transport)
    qtbot.addWidget(bar)
    transport.set_frames(FRAMES, 24.0)
    transport.slider.setValue(1004)
    assert viewer.frame == 1004 and transport.number.value() == 1004
    bar.kind.setCurrentIndex(bar.kind.findData("difference"))
    bar.kind.activated.emit(bar.kind.currentIndex())
    assert viewer.kind == "difference" and not bar.legend.isVisible()
    bar.exposure.setValue(1.5)
    assert viewer.look.exposure == 1.5
    qtbot.keyClick(viewer, Qt.Key.Key_BracketLeft)
    assert bar.exposure.value() == 0.5


def test_everything_that_can_be_operated_has_a_name_for_screen_readers(qtbot: Any, viewer: Viewer) -> None:
    from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QSlider

    for made in (Transport(viewer), ViewerBar(viewer)):
        qtbot.addWidget(made)
        for kind in (QAbstractButton, QAbstractSpinBox, QComboBox, QSlider):
            for widget in made.findChildren(kind):
                assert widget.accessibleName() or getattr(widget, "text", lambda: "")()
    assert viewer.accessibleName() and viewer.accessibleDescription()
