"""Mattes from a rough box or lines on a few frames: near enough to the known ones, and the same each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from keyedscenes import clip, synthetic

from void_plugin.errors import Cancelled, RequestError
from void_plugin.pictures.cutting import Key, cut_out
from void_plugin.pictures.keyframes import mattes_between

ENOUGH = 0.9


def plate(frame: int) -> Any:
    """A textured disc that goes to the right over a textured ground."""
    random = np.random.default_rng(5)
    ground = cv2.resize(random.integers(60, 120, (30, 50, 3), np.uint8), (200, 120), interpolation=cv2.INTER_CUBIC)
    cloth = cv2.resize(random.integers(0, 60, (30, 50, 3), np.uint8), (200, 120), interpolation=cv2.INTER_CUBIC)
    cloth[..., 2] += 190
    return np.where(disc(frame)[..., None], np.roll(cloth, 5 * frame, 1), ground)


def disc(frame: int) -> Any:
    y, x = np.mgrid[:120, :200]
    return np.hypot(x - 40 - 5 * frame, y - 60) < 22


def box(frame: int) -> Key:
    return Key((15 + 5 * frame, 35, 66 + 5 * frame, 86))


def likeness(mine: Any, known: Any) -> float:
    return float((mine & known).sum() / (mine | known).sum())


def test_frames_between_before_and_after_keys_have_the_objects_matte() -> None:
    found = dict(mattes_between(plate, {4: box(4), 12: box(12)}, range(16)))
    assert list(found) == list(range(16))
    for frame, matte in found.items():
        assert matte.shape == (120, 200) and matte.min() >= 0 and matte.max() <= 1
        enough = ENOUGH if 2 < frame < 14 else 0.8  # farther from a key that stands alone
        assert likeness(matte > 0.5, disc(frame)) > enough, frame


def test_the_same_keys_give_the_same_bits() -> None:
    runs = [[matte.tobytes() for _, matte in mattes_between(plate, {0: box(0), 6: box(6)}, range(7))] for _ in range(2)]
    assert runs[0] == runs[1]


def test_a_line_on_the_object_is_enough_and_one_beside_it_keeps_out() -> None:
    line = ((25.0, 60.0), (40.0, 45.0), (55.0, 60.0), (40.0, 75.0), (25.0, 60.0))
    assert likeness(cut_out(plate(0), Key(inside=(line,), width=4)) > 0.5, disc(0)) > ENOUGH
    kept = cut_out(plate(0), Key((15, 35, 66, 86), outside=(((20.0, 60.0), (60.0, 60.0)),), width=6)) > 0.5
    assert not kept[60, 25:55].any()


def test_progress_is_told_and_the_work_can_be_cancelled() -> None:
    told: list[float] = []
    work = mattes_between(plate, {0: box(0), 6: box(6)}, range(7), told.append, lambda: len(told) > 2)
    with pytest.raises(Cancelled):
        list(work) + list(mattes_between(plate, {0: box(0)}, range(3), told.append, lambda: len(told) > 2))
    assert told == sorted(told)


def test_no_key_or_one_with_nothing_on_the_object_is_told() -> None:
    with pytest.raises(RequestError, match="no key frame"):
        list(mattes_between(plate, {}, range(3)))
    with pytest.raises(RequestError, match="no box and no line on the object"):
        list(mattes_between(plate, {0: Key(outside=(((1.0, 1.0), (5.0, 5.0)),))}, range(3)))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "lines"), [("lime", True), ("moving_ball", False)])
def test_one_key_in_twelve_is_enough_on_shared_clips(data: Path, name: str, lines: bool) -> None:
    assert np.mean(clip(data / "clips" / name, lines).likeness()) >= ENOUGH


@pytest.mark.slow
def test_one_key_in_twelve_is_enough_on_a_figure_that_crosses_a_moving_picture() -> None:
    assert np.mean(synthetic("pan", 25).likeness()) >= ENOUGH
