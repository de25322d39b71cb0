"""`void-server look`: what frames hold, and by how much two sequences differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shots import save_exr

from void_server import cli


def look(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert cli.main(["look", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)["frames"]
    assert isinstance(found, list)
    return found


def test_size_channels_and_range_of_each_frame_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.zeros((4, 6, 4), np.float16)
    pixels[1, 2] = 0.5, np.inf, np.nan, 9.0
    save_exr(tmp_path / "a.1001.exr", pixels, ["R", "G", "B", "A"])
    save_exr(tmp_path / "a.1002.exr", np.zeros((4, 6), np.float16), ["A"])
    first, second = look(capsys, str(tmp_path / "a.%04d.exr"), "1001-1002")
    assert (first["frame"], first["size"], first["channels"]) == (1001, [4, 6], ["R", "G", "B", "A"])
    assert (first["least"], first["most"]) == (0.0, 0.5)
    assert (second["channels"], second["most"]) == (["A"], 0.0)


def test_differences_are_counted_above_a_step_and_the_same_nan_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plate = np.full((4, 6, 3), 0.25, np.float32)
    plate[0, 0] = np.nan, np.inf, 1.0
    other = plate.copy()
    other[1, 1, 0] += 1 / 2048
    other[2, 2, :] += 0.125
    save_exr(tmp_path / "a.0001.exr", plate)
    save_exr(tmp_path / "b.0001.exr", other)
    pair = str(tmp_path / "a.%04d.exr"), "1", "--against", str(tmp_path / "b.%04d.exr")
    (row,) = look(capsys, *pair)
    assert (row["largest"], row["over"]) == (0.125, 1)
    other[0, 0, 0] = 1.0
    save_exr(tmp_path / "b.0001.exr", other)
    (row,) = look(capsys, *pair)
    assert row["over"] == 2 and row["largest"] > 1e20


def test_frames_that_cannot_be_compared_or_read_are_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_exr(tmp_path / "a.0001.exr", np.zeros((4, 6, 3), np.float16))
    save_exr(tmp_path / "b.0001.exr", np.zeros((4, 5, 3), np.float16))
    for arguments, words in (
        (["1", "--against", str(tmp_path / "b.%04d.exr")], "6x4 with 3 channels, what it is compared with 5x4"),
        (["2"], "a.0002.exr"),
    ):
        assert cli.main(["look", str(tmp_path / "a.%04d.exr"), *arguments]) != 0
        assert words in capsys.readouterr().err
