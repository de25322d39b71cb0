"""What mattes say is kept small, and comes back bit for bit."""

import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shots import build_shot, run_in_process

from void_server import quadmask
from void_server.crops import Bits, Crop, Mattes, Weights
from void_server.engines import AFFECTED, KEEP, OVERLAP, REMOVE
from void_server.footage import EMPTY_MATTE, Matte
from void_server.quadmask import Reach
from void_server.tiles import Box
from void_server.view import PlateFrames

REACH = Reach.for_width(1920)
SIZES = st.tuples(st.integers(0, 40), st.integers(0, 60))


@given(hnp.arrays(bool, SIZES))
def test_a_mask_comes_back_from_its_bits(mask: np.ndarray) -> None:
    bits = Bits(mask)
    assert bits.mask.dtype == bool and np.array_equal(bits.mask, mask)
    assert bits.bytes == -(-mask.size // 8)


@given(hnp.arrays(np.float32, SIZES, elements=st.one_of(st.just(0.0), st.just(1.0), st.floats(0, 1, width=32))))
def test_weights_come_back_bit_for_bit(values: np.ndarray) -> None:
    values = values + np.float32(0)  # no weight is -0.0
    assert np.array_equal(Weights(values).values.view(np.uint32), values.view(np.uint32))


def soft(side: int) -> Matte:
    """A disc whose edge is some pixels wide."""
    away = np.hypot(*(axis - side / 2 for axis in np.mgrid[:side, :side]))
    return Matte(Box(100, 50, 100 + side, 50 + side), np.clip((side / 2 - away) / 6, 0, 1).astype(np.float32))


@pytest.mark.parametrize("fills", [(REMOVE, OVERLAP), (REMOVE, OVERLAP, AFFECTED)])
def test_labels_and_weights_of_a_crop_are_those_that_the_mattes_make(fills: tuple[int, ...]) -> None:
    data = Box(0, 0, 640, 360)
    remove = soft(120)
    shadow = Matte(Box(180, 100, 300, 200), np.ones((100, 120), np.float32))
    crop = Mattes(remove, shadow, EMPTY_MATTE, EMPTY_MATTE).crop(data, REACH, fills)
    assert crop.box is not None and crop.changed is not None
    around = quadmask.weights(remove.within(crop.box) > quadmask.STITCH_THRESHOLD, None, REACH)
    both = quadmask.weights(shadow.within(crop.box) > quadmask.AFFECTED_THRESHOLD, None, REACH)
    both = np.maximum(around, both) if AFFECTED in fills else around
    area = crop.changed.moved(-crop.box.x0, -crop.box.y0)
    assert np.array_equal(crop.weights.values, both[area.rows, area.columns])
    assert np.array_equal(crop.object_weights.values, around[area.rows, area.columns])
    labels = quadmask.combine(around > 0, shadow.within(crop.box) > 0)
    labels[(both > 0) & (labels == KEEP)] = AFFECTED
    assert np.array_equal(crop.labels, labels)
    assert not (crop.blocked.mask & (labels == KEEP)).any() and crop.blocked.mask[labels != KEEP].all()


def test_mattes_that_say_nothing_take_nothing() -> None:
    nowhere = Mattes(EMPTY_MATTE, EMPTY_MATTE, EMPTY_MATTE, EMPTY_MATTE).crop(Box(0, 0, 64, 64), REACH, (REMOVE,))
    outside = Mattes(soft(40), EMPTY_MATTE, EMPTY_MATTE, EMPTY_MATTE).crop(Box(900, 900, 999, 999), REACH, (REMOVE,))
    for crop in (nowhere, outside):
        assert crop.box is crop.hole is crop.changed is None
        assert crop.bytes == 0


def test_under_a_holdout_nothing_changes_and_nothing_is_real() -> None:
    held = Matte(Box(0, 0, 640, 360), np.ones((360, 640), np.float32))
    crop = Mattes(soft(120), EMPTY_MATTE, held, EMPTY_MATTE).crop(Box(0, 0, 640, 360), REACH, (REMOVE, OVERLAP))
    assert crop.changed is None and crop.hole is None and not crop.weights.values.size
    assert (crop.labels == KEEP).all() and crop.blocked.mask.all()


def test_a_crop_takes_about_ten_bits_a_pixel() -> None:
    mattes = Mattes(soft(420), soft(300), EMPTY_MATTE, EMPTY_MATTE)
    crop = mattes.crop(Box(0, 0, 1920, 1080), REACH, (REMOVE, OVERLAP, AFFECTED))
    assert crop.box is not None and crop.bytes * 8 < 11 * crop.box.area


def test_the_mattes_of_a_frame_are_looked_at_once_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: Counter[int] = Counter()
    lock = threading.Lock()
    make = PlateFrames._make_crop

    def counted(frames: PlateFrames, frame: int) -> Crop:
        with lock:
            looked[frame] += 1
        return make(frames, frame)

    monkeypatch.setattr(PlateFrames, "_make_crop", counted)
    shot = build_shot(tmp_path / "shot")
    run_in_process(shot.request(engine="recover"))
    assert looked and set(looked.values()) == {1}
