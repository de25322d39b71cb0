"""The picture of what would be removed: its colours, its labels, and what it does not touch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shots import Exr, Shot, bits, build_shot, load_exr, save_exr

from void_plugin.config import Config
from void_plugin.errors import Cancelled, ServerError
from void_plugin.events import Event, Finished, FrameReady, Progressed, Started, Warned
from void_plugin.frames import Digest, FrameRange
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_server import preview
from void_server.allowance import ANYTHING, Allowance
from void_server.beneath import Roots
from void_server.eventlog import EventLog
from void_server.jobfolder import JobFolder
from void_server.runner import Job


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
