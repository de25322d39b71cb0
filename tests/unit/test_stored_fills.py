"""Fills as their files have them: nothing is lost or changes its place, whatever their size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from void_server.halves import floats
from void_server.shelf import load_arrays, save_arrays
from void_server.solve import StoredFill
from void_server.tiles import Box


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (3, 4), (130, 260)])
def test_a_stored_fill_gives_its_picture_and_its_confidence(size: tuple[int, int], kind: type) -> None:
    samples = np.random.default_rng(1).normal(0, 2, (*size, 4)).astype(kind)
    fill = StoredFill(3, Box(0, 0, size[1], size[0]), samples, 1).fill()
    assert np.array_equal(fill.pixels, floats(samples)[..., :3])
    assert np.array_equal(fill.confidence, floats(samples)[..., 3])
    assert fill.pixels.flags.c_contiguous and fill.confidence.flags.c_contiguous


def test_arrays_of_any_shape_and_order_come_back_from_their_file(tmp_path: Path) -> None:
    arrays = {
        "number": np.array(3.5),
        "nothing": np.zeros((0, 4), np.float32),
        "truths": np.array([True, False]),
        "columns first": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "a part": np.arange(24, dtype=np.float16).reshape(4, 6)[1:3, ::2],
    }
    save_arrays(tmp_path / "arrays.npz", arrays)
    again = load_arrays(tmp_path / "arrays.npz")
    assert list(again) == list(arrays)
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype and again[name].shape == array.shape
        assert np.array_equal(again[name], array)
