"""Between half and float: the same values as numpy's own conversion, for every half and for any float."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from void_server.halves import as_kind, floats

HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(16, 16, 256)


def test_every_half_keeps_its_value_and_its_sign() -> None:
    ours, numpys = floats(HALVES), HALVES.astype(np.float32)
    nan = np.isnan(numpys)
    assert ours.dtype == np.float32 and ours.shape == HALVES.shape
    assert np.array_equal(np.isnan(ours), nan)
    assert np.array_equal(ours[~nan].view(np.uint32), numpys[~nan].view(np.uint32))


def test_every_half_comes_back_from_float() -> None:
    nan = np.isnan(HALVES)
    again = as_kind(floats(HALVES), np.float16)
    assert np.array_equal(np.isnan(again), nan)
    assert np.array_equal(again[~nan].view(np.uint16), HALVES[~nan].view(np.uint16))


@given(arrays(np.float32, array_shapes(max_dims=3), elements=st.floats(-65504, 65504, width=32)))
def test_floats_round_to_half_as_numpy_rounds_them(values: np.ndarray) -> None:
    ours = as_kind(values, np.float16)
    assert ours.shape == values.shape
    assert np.array_equal(ours.view(np.uint16), values.astype(np.float16).view(np.uint16))


@pytest.mark.parametrize("place", [np.s_[1:3, ::2, :3], np.s_[1:3, 2:5], np.s_[1:3, 2:3], np.s_[:, 1:4, 0], np.s_[2]])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_a_part_of_a_picture_is_converted_by_itself(kind: type, place: Any) -> None:
    whole = np.arange(4 * 6 * 4, dtype=np.float32).reshape(4, 6, 4).astype(kind)
    part = whole[place]
    assert np.array_equal(floats(part), part.astype(np.float32))
    assert np.array_equal(as_kind(floats(part), kind), part)
    assert floats(part).flags.owndata or floats(part).base is not whole


@pytest.mark.parametrize("shape", [(0, 3), (0,), (4, 0, 3)])
def test_nothing_stays_nothing(shape: tuple[int, ...]) -> None:
    assert floats(np.zeros(shape, np.float16)).shape == shape
    assert as_kind(np.zeros(shape, np.float32), np.float16).dtype == np.float16


def test_values_that_are_float_already_are_copied() -> None:
    values = np.ones((2, 3), np.float32)
    for copied in (floats(values), as_kind(values, np.float32)):
        assert copied.dtype == np.float32 and not np.shares_memory(copied, values)
