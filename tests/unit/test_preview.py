"""The picture of what would be removed: its colours, its labels, and what it does not touch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
import pytest
from shots import Exr, Shot, bits, build_shot, load_exr, save_exr

from void_plugin.config import Config
from void_plugin.errors import Cancelled, ServerError
from void_plugin.events import Event, Finished, FrameReady, Progressed, Started, Warned
from void_plugin.frames import Digest, FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings
from void_server import preview
from void_server.allowance import ANYTHING, Allowance
from void_server.beneath import Roots
from void_server.eventlog import EventLog
from void_server.jobfolder import JobFolder
from void_server.overlay import enlarged, outline
from void_server.quadmask import snapped
from void_server.runner import Job
from void_server.tiles import VOID_RASTER, Box


def run(request: RemovalRequest, allowance: Allowance = ANYTHING, cancelled: bool = False) -> list[Event]:
    """Everything a preview in this process tells."""
    told: list[Event] = []
    folder = JobFolder(request.job_folder())
    log = EventLog(folder, "test", None, told.append)
    try:
        with Job(request, folder, log, Config(), 2, lambda: cancelled, allowance=allowance) as job:
            preview.run(job)
    finally:
        log.close()
    return told


@pytest.fixture
def layered(tmp_path: Path) -> Shot:
    """A shot of three frames with all mattes: the affected one left of x=100, the holdout on the top 40 rows."""
    shot = build_shot(tmp_path / "shot", count=3)
    for frame in shot.frames:
        affected, holdout = np.zeros(shot.size, np.float16), np.zeros(shot.size, np.float16)
        affected[:, :100] = 1
        holdout[:40] = 1
        save_exr(shot.folder / f"affected.{frame}.exr", affected, ["A"])
        save_exr(shot.folder / f"holdout.{frame}.exr", holdout, ["A"])
    return shot


def asked(shot: Shot, **changes: Any) -> RemovalRequest:
    values = {
        "affected_matte": ImageInput(str(shot.folder / "affected.%04d.exr")),
        "holdout_matte": ImageInput(str(shot.folder / "holdout.%04d.exr")),
        "outputs": (Output("comp", shot.out("look")),),
    }
    return shot.request(**{**values, **changes})


def picture(exr: Exr) -> np.ndarray[Any, Any]:
    return np.stack([exr.planes[name] for name in "RGB"], axis=-1).astype(np.float32)


def test_each_label_has_its_colour_mixed_by_half(layered: Shot) -> None:
    run(asked(layered))
    shown = load_exr(layered.out("look") % 1002)
    plate = picture(load_exr(layered.plate % 1002))
    labels = np.rint(shown.planes["void.quadmask"].astype(np.float32) * 255).astype(int)
    assert set(np.unique(labels)) == {0, 63, 127, 255}
    holdout = np.zeros(layered.size, bool)
    holdout[:40] = True
    assert (labels[holdout] == 255).all(), "what stands in front is never removed"
    for where, colour in (
        (labels == 0, (1, 0, 0)),
        (labels == 63, (1, 1, 0)),
        (labels == 127, (0, 1, 0)),
        (holdout, (0, 0, 1)),
    ):
        assert where.any()
        np.testing.assert_allclose(
            picture(shown)[where], plate[where] * 0.5 + np.float32(colour) * 0.5, rtol=1e-3, atol=1e-3
        )
    assert (layered.mattes[1002][(labels == 255) & ~holdout] <= 0.003).all(), "all of the object is marked"


def test_pixels_without_a_label_are_those_of_the_plate(layered: Shot) -> None:
    run(asked(layered, affected_matte=None, holdout_matte=None))
    shown, plate = load_exr(layered.out("look") % 1001), load_exr(layered.plate % 1001)
    untouched = shown.planes["void.quadmask"] == 1
    assert untouched.any()
    for name in "RGB":
        assert (bits(shown.planes[name])[untouched] == bits(plate.planes[name])[untouched]).all()
    assert (shown.data, shown.display) == (plate.data, plate.display)
    assert shown.attributes["colorInteropID"] == "lin_ap1_scene"
    assert sorted(shown.planes) == ["B", "G", "R", "void.quadmask"]


def test_only_the_frames_asked_for_are_shown_and_looked_at(layered: Shot) -> None:
    (layered.folder / "object_matte.1003.exr").unlink()
    events = run(asked(layered, frames=FrameRange(1001, 1002)))
    assert isinstance(events[0], Started) and isinstance(events[-1], Finished)
    ready = [event for event in events if isinstance(event, FrameReady)]
    assert [event.frame for event in ready] == [1001, 1002]
    assert all(Digest.of_file(event.path).sha256 == event.digest for event in ready)
    assert [event.fraction for event in events if isinstance(event, Progressed)]
    assert not (layered.folder / "out" / "look.1003.exr").exists()


def test_the_same_preview_twice_gives_the_same_bytes(layered: Shot) -> None:
    digests = [[event.digest for event in run(asked(layered)) if isinstance(event, FrameReady)] for _ in range(2)]
    assert digests[0] == digests[1]


def test_the_summary_has_the_shares_of_the_labels(layered: Shot) -> None:
    last = run(asked(layered))[-1]
    assert isinstance(last, Finished)
    assert last.summary["frames"] == 3
    assert 0 < last.summary["object"] < 0.2 and 0.2 < last.summary["affected"] < 0.6


def test_frames_with_an_empty_matte_are_named(layered: Shot) -> None:
    save_exr(layered.folder / "object_matte.1002.exr", np.zeros(layered.size, np.float16), ["A"])
    warnings = [event for event in run(asked(layered)) if isinstance(event, Warned)]
    assert [event.code for event in warnings] == ["matte_empty"] and "1002" in warnings[0].text


def test_a_cancelled_preview_stops(layered: Shot) -> None:
    with pytest.raises(Cancelled):
        run(asked(layered), cancelled=True)


def test_a_server_limits_its_size_and_place(layered: Shot, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="192x108") as refused:
        run(asked(layered), Allowance(max_pixels=1000))
    assert refused.value.code == "server.limit"
    assert isinstance(run(asked(layered), Allowance(roots=Roots([str(layered.folder)])))[-1], Finished)


# -- what an engine with a raster is told ----------------------------------------------------------------------------


def written(events: list[Event]) -> dict[int, str]:
    return {event.frame: event.digest for event in events if isinstance(event, FrameReady)}


def quadmask(path: str | Path) -> np.ndarray[Any, Any]:
    return np.rint(load_exr(path).planes["void.quadmask"].astype(np.float32) * 255).astype(int)


def preset(shot: Shot, name: str, **changes: Any) -> RemovalRequest:
    settings = RenderSettings(affected_preset=name, affected_path="30,30 150,90" if name == "path" else "")
    outputs = (Output("comp", shot.out(f"look_{name}")),)
    values = {"settings": settings, "outputs": outputs, "engine": "identity-raster", **changes}
    return shot.request(**values)


@pytest.fixture
def large(tmp_path: Path) -> Shot:
    """A still square of 60 pixels in the middle of 1000x600, on three frames: its ROI is a part of the plate."""
    shot = Shot(tmp_path / "large", FrameRange(1001, 1003), (600, 1000))
    matte = np.zeros(shot.size, np.float16)
    matte[270:330, 470:530] = 1
    for frame in shot.frames:
        save_exr(shot.folder / f"plate.{frame}.exr", np.full((*shot.size, 3), 0.18, np.float16))
        save_exr(shot.folder / f"object_matte.{frame}.exr", matte, ["A"])
    return shot


def test_a_raster_engine_is_shown_with_its_own_cells_and_its_roi(large: Shot) -> None:
    run(preset(large, "contact"))
    shown = load_exr(large.out("look_contact") % 1002)
    white = np.all(picture(shown) == 1, axis=-1)
    rows, columns = np.nonzero(white)
    roi = Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    assert roi.size == VOID_RASTER, "the smallest ROI is the raster itself"
    labels = quadmask(large.out("look_contact") % 1002)
    told = labels[roi.rows, roi.columns]
    assert set(np.unique(told)) == {63, 127, 255}
    grey = (told == 63) | (told == 127)
    assert (snapped(grey) == grey).all(), "whole cells, as the model is told"
    outside = np.ones(large.size, bool)
    outside[roi.rows, roi.columns] = False
    assert (labels[outside] == 255).all() and (picture(shown)[outside] == np.float16(0.18)).all()
    white[roi.y0 + 1 : roi.y1 - 1, roi.x0 + 1 : roi.x1 - 1] = False
    assert white.sum() == 2 * (roi.width + roi.height) - 4


@pytest.mark.parametrize("name", ["none", "contact", "shadow", "reflection", "drop", "path"])
def test_a_preview_of_one_frame_shows_what_a_preview_of_all_shows(layered: Shot, name: str) -> None:
    whole = written(run(preset(layered, name)))
    assert written(run(preset(layered, name, frames=FrameRange(1002, 1002)))) == {1002: whole[1002]}


@pytest.mark.parametrize("name", ["drop", "path"])
def test_where_things_will_move_is_not_told_on_the_first_frame(layered: Shot, name: str) -> None:
    run(preset(layered, name))
    first, second, third = (quadmask(layered.out(f"look_{name}") % frame) for frame in layered.frames)
    assert set(np.unique(first)) == {0, 255}
    grey = (second == 127) | (second == 63)
    assert grey.any() and (grey == ((third == 127) | (third == 63))).all(), "the union of the shot on every frame"


def test_too_much_affected_is_shown_and_told(layered: Shot) -> None:
    warnings = [event for event in run(asked(layered, engine="identity-raster")) if isinstance(event, Warned)]
    assert [event.code for event in warnings] == ["affected_large"]
    assert "57%" in warnings[0].text and "40%" in warnings[0].text and "1001-1003" in warnings[0].text
    assert {63, 127} <= set(np.unique(quadmask(layered.out("look") % 1001)))


def test_an_ignored_preset_is_told(layered: Shot) -> None:
    warnings = [
        event
        for event in run(asked(layered, settings=RenderSettings(affected_preset="drop")))
        if isinstance(event, Warned)
    ]
    assert [event.code for event in warnings] == ["affected_preset_ignored"]


@pytest.mark.parametrize("engine", ["recover", "identity-raster"])
@pytest.mark.parametrize("name", ["none", "contact", "drop", "path"])
def test_a_shot_without_any_matte_is_shown_as_it_is(layered: Shot, engine: str, name: str) -> None:
    for frame in layered.frames:
        save_exr(layered.folder / f"object_matte.{frame}.exr", np.zeros(layered.size, np.float16), ["A"])
    events = run(preset(layered, name, engine=engine))
    assert [event.code for event in events if isinstance(event, Warned)] == ["matte_empty"]
    assert isinstance(events[-1], Finished)
    assert (quadmask(layered.out(f"look_{name}") % 1002) == 255).all()


@pytest.mark.parametrize("name", ["contact", "reflection"])
def test_an_object_as_large_as_the_picture_is_shown(layered: Shot, name: str) -> None:
    for frame in layered.frames:
        save_exr(layered.folder / f"object_matte.{frame}.exr", np.ones(layered.size, np.float16), ["A"])
    events = run(preset(layered, name))
    assert not [event for event in events if isinstance(event, Warned)]
    assert (quadmask(layered.out(f"look_{name}") % 1002) == 0).all()


# -- PNG -------------------------------------------------------------------------------------------------------------


def load_png(path: str | Path) -> np.ndarray[Any, Any]:
    source = oiio.ImageInput.open(str(path))
    assert source is not None and source.format_name() == "png", oiio.geterror()
    pixels = np.array(source.read_image(oiio.UINT8))
    source.close()
    return pixels


def test_a_png_is_the_plate_with_the_srgb_curve_under_the_tints(layered: Shot) -> None:
    pattern = str(layered.folder / "out" / "look.%04d.png")
    request = asked(layered, outputs=(Output("comp", pattern),))
    assert written(run(request)) == written(run(request)), "equal work gives equal bytes"
    run(asked(layered))
    labels = quadmask(layered.out("look") % 1002)
    shown = load_png(pattern % 1002).astype(int)
    assert shown.shape == (*layered.size, 3)
    plate = np.clip(picture(load_exr(layered.plate % 1002)), 0, 1)
    code = np.where(plate <= 0.0031308, plate * 12.92, 1.055 * plate ** (1 / 2.4) - 0.055) * 255
    holdout = np.zeros(layered.size, bool)
    holdout[:40] = True
    kept = (labels == 255) & ~holdout
    assert kept.any() and np.abs(shown - code)[kept].max() <= 0.51
    tint = (labels == 0) & ~holdout
    assert np.abs(shown - (code + np.array([255, 0, 0])) / 2)[tint].max() <= 1
    assert np.abs(shown - (code + np.array([0, 0, 255])) / 2)[holdout & (labels == 255)].max() <= 1


def test_a_png_has_the_display_window_and_what_hangs_over_it(tmp_path: Path) -> None:
    shot = Shot(tmp_path, FrameRange(1001, 1002), (50, 60))
    for frame in shot.frames:
        # The data window moves and hangs over the display window on the left.
        pixels = np.full((50, 60, 3), 0.5, np.float16)
        pixels[10, 10] = [np.nan, np.inf, -np.inf]
        save_exr(shot.folder / f"plate.{frame}.exr", pixels, origin=(-1012 + frame, 5), display=(0, 0, 100, 80))
        matte = np.zeros((50, 60), np.float16)
        matte[20:30, 20:30] = 1
        save_exr(
            shot.folder / f"object_matte.{frame}.exr", matte, ["A"], origin=(-1012 + frame, 5), display=(0, 0, 100, 80)
        )
    pattern = str(tmp_path / "out" / "look.%04d.png")
    run(shot.request(outputs=(Output("comp", pattern),)))
    first, second = (load_png(pattern % frame) for frame in shot.frames)
    assert first.shape == second.shape == (80, 111, 3)
    assert (first[5:55, :60] > 0).any(axis=-1).all() and not first[:, 60:].any() and not first[:5].any()
    assert not second[:, 0].any() and (second[5:55, 1:61] > 0).any(axis=-1).all()
    assert (first[:, :110] == second[:, 1:]).all(), "the same picture, moved with its window"


# -- how it is drawn -------------------------------------------------------------------------------------------------


def test_a_raster_pixel_becomes_a_block_of_the_plate() -> None:
    labels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert (enlarged(labels, (6, 9)) == np.repeat(np.repeat(labels, 3, axis=0), 3, axis=1)).all()
    assert (enlarged(labels, (2, 3)) == labels).all()
    assert enlarged(labels, (3, 4)).tolist() == [[0, 1, 1, 2], [3, 4, 4, 5], [3, 4, 4, 5]]


def test_an_outline_that_hangs_over_the_picture_is_cut() -> None:
    drawn = np.zeros((20, 30, 3), np.float32)
    outline(drawn, Box(-5, 4, 10, 40))
    rows, columns = np.nonzero(drawn[..., 0])
    assert set(zip(rows, columns, strict=True)) == {(4, x) for x in range(10)} | {(y, 9) for y in range(4, 20)}


def test_an_engine_with_a_raster_tells_its_roi_for_those_who_draw_the_grid(layered: Shot) -> None:
    plain = run(asked(layered))[-1]
    assert isinstance(plain, Finished) and "roi" not in plain.summary
    last = run(asked(layered, engine="identity-raster"))[-1]
    assert isinstance(last, Finished)
    x0, y0, x1, y1 = last.summary["roi"]
    shown = picture(load_exr(layered.out("look") % 1001))
    assert (shown[y0, x0:x1] == 1).all() and (shown[y1 - 1, x0:x1] == 1).all() and (shown[y0:y1, x0] == 1).all()
