"""Sorts many short columns at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from void_server.engines.recover.pyramid import Floats


def sort_rows(values: Floats) -> Floats:
    """At least one row of values, sorted along the first axis.

    The values given serve as room to work in: what they hold afterwards is of no use.
    """
    rows, spare = list(values), np.empty_like(values[0])
    for low, high in _exchanges(len(rows)):
        # The room of the lower row is the next one to be written to: nothing is copied.
        smaller = np.minimum(rows[low], rows[high], out=spare)
        np.maximum(rows[low], rows[high], out=rows[high])
        rows[low], spare = smaller, rows[low]
    return np.stack(rows)


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
