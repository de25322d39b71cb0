"""Stitching with torch gives what it gives with numpy."""

from __future__ import annotations

import numpy as np
import pytest

from void_server import changes
from void_server.engines.void.torchmath import TorchMath
from void_server.likeness import Likeness
from void_server.membrane import membrane
from void_server.pixelmath import NumpyMath, PixelMath

SIZE = (37, 54)
HERE, THERE = NumpyMath(), TorchMath("cpu")


def picture(seed: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).random((*SIZE, channels)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "name", ["gaussian 0", "gaussian 1.3", "gaussian 6", "halved", "doubled", "beside", "clipped", "peak", "root"]
)
def test_every_operation_gives_the_same(name: str, channels: int) -> None:
    word, _, number = name.partition(" ")
    found = []
    for maths in (HERE, THERE):
        field = maths.take(picture(1, channels))
        call = getattr(maths, word)
        if word == "gaussian":
            result = call(field, float(number))
        elif word == "doubled":
            result = call(field, (73, 108))
        elif word == "clipped":
            result = call(field, 0.2, 0.6)
        else:
            result = call(field)
        found.append(maths.give(result))
    assert found[0].shape == found[1].shape
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=2e-6)


def test_a_weighted_mean_and_a_choice_give_the_same() -> None:
    def both(maths: PixelMath) -> np.ndarray:
        one, other = maths.take(picture(1)), maths.take(picture(2))
        weight = maths.take(picture(3, 1))
        return maths.give(maths.where(one > other, one, 0.0) + maths.mean(other, weight))

    np.testing.assert_allclose(both(HERE), both(THERE), rtol=0, atol=2e-6)


def test_membranes_and_change_maps_are_the_same() -> None:
    region = np.zeros((*SIZE, 1), np.float32)
    region[12:25, 20:35] = 1

    def all_of_it(maths: PixelMath) -> list[np.ndarray]:
        plate, generated = maths.take(picture(1) * 0.1), maths.take(picture(2) * 0.1)
        inside = maths.take(region)
        found = membrane(maths, plate - generated, 1 - inside, inside, 1.5)
        still = changes.still(maths, generated, plate, Likeness(), 1.2)
        return [maths.give(found.field), maths.give(still),
                maths.give(changes.changed(maths, generated, plate, Likeness(), 1.2))]  # fmt: skip

    for one, other in zip(all_of_it(HERE), all_of_it(THERE), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
