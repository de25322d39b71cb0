"""What an editor has rendered is looked at before it is used."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from films import film

from void_plugin.config import Config
from void_plugin.errors import FrameError
from void_plugin.frames import FrameRange
from void_plugin.live.verify import AT_ONCE, Judge

FIRST = 86400


def judge(checked: list[int]) -> Judge:
    environment = {**os.environ, "VOID_SERVER_COMMAND": f'"{sys.executable}" -m void_server'}
    return Judge(Config(), environment, lambda: checked.append(1))


def matte(folder: Path, bright: dict[int, float], length: int) -> FrameRange:
    """A rendered matte that is black but for some frames, counted from its first."""
    frames = FrameRange(FIRST, FIRST + length - 1)
    film(folder, "matte", list(frames), lambda frame: np.full((4, 6, 3), bright.get(frame - FIRST, 0), np.float16))
    return frames


@pytest.mark.parametrize("at", [3, AT_ONCE + 3])
def test_a_matte_that_comes_and_goes_is_not_taken_for_black(tmp_path: Path, at: int) -> None:
    frames = matte(tmp_path, {at: 1.0}, at + 10)
    checked: list[int] = []
    found = judge(checked).rendered(tmp_path, "matte", frames, (4, 6), "matte")
    assert found.frames == frames and not found.warnings and len(checked) > 1


def test_a_matte_that_is_black_all_through_is_refused(tmp_path: Path) -> None:
    frames = matte(tmp_path, {}, 8)
    with pytest.raises(FrameError, match="rendered the matte black"):
        judge([]).rendered(tmp_path, "matte", frames, (4, 6), "matte")


def test_a_matte_that_colour_management_has_changed_is_warned_of(tmp_path: Path) -> None:
    frames = matte(tmp_path, {4: 0.25}, 8)
    found = judge([]).rendered(tmp_path, "matte", frames, None, "matte")
    assert "nowhere brighter than 0.25" in found.warnings[0]
