"""Clips of a timeline whose jobs a farm does, and clips that are looked at in a panel before they are sent."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fakes.resolve import Bench, difference, void
from resolveruns import LENGTH, Moving, Runs


@pytest.fixture
def alone(tmp_path: Path, void_python: str) -> Runs:
    """Without a server."""
    return Runs(tmp_path, void_python)


@pytest.mark.slow
def test_a_clip_is_made_by_a_farm_and_collected_like_any_other(tmp_path: Path, alone: Runs) -> None:
    moving = Moving(tmp_path)
    bench = Bench(moving.scene.data)
    before = bench.state()
    (row,) = alone("remove", bench, matte=moving.matte["path"], farm="local")["rows"]
    assert row["state"] == "sent" and "farm has it" in row["text"], row
    (told,) = alone("jobs", bench)["rows"]
    assert told["state"] == "running" and "on the farm local" in told["text"]
    end = time.monotonic() + 240
    while True:
        (row,) = alone("collect", bench)["rows"]
        if row["state"] != "running":
            break
        assert "On the farm as local:" in row["text"] and time.monotonic() < end, row
        time.sleep(0.5)
    assert row["state"] == "placed", row
    tracks = bench.state()["project"]["timelines"][0]["tracks"]["video"]
    (item,) = [item for one in tracks if one["name"] == "VOID" for item in one["items"]]
    assert (item["start"], item["duration"]) == (moving.start, LENGTH)
    assert difference(before, bench.state(), void) == []


def test_a_panel_that_cannot_be_shown_is_told_and_the_clip_is_sent(tmp_path: Path, alone: Runs) -> None:
    moving = Moving(tmp_path)
    bench = Bench(moving.scene.data)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        alone.environment.pop(name, None)
    (row,) = alone("remove", bench, matte=moving.matte["path"], panel=True)["rows"]
    assert row["state"] == "ready", row
    assert any("without being shown" in text and "no screen" in text for text in row["warnings"]), row
