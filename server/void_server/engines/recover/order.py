"""Sorts many short columns at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from void_server.engines.recover.pyramid import Floats


def sort_rows(values: Floats) -> Floats:
    """Sort along the first axis, in place, and return the values."""
    for low, high in _exchanges(len(values)):
        smaller = np.minimum(values[low], values[high])
        np.maximum(values[low], values[high], out=values[high])
        values[low] = smaller
    return values


def _exchanges(count: int) -> Iterator[tuple[int, int]]:
    """Batcher's merge exchange: the comparisons that sort any `count` rows, each over whole rows at once."""
    if count < 2:
        return
    top = 1 << ((count - 1).bit_length() - 1)
    step = top
    while step > 0:
        stride, offset, length = top, 0, step
        while True:
            for low in range(count - length):
                if low & step == offset:
                    yield low, low + length
            if stride == step:
                break
            length, stride, offset = stride - step, stride >> 1, step
        step >>= 1
