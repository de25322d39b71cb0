"""Tabulated curves: as exact as halves need, for any value, and the same however the pixels are cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.colour import PEAKS, PINNED_CONFIG, Colour, Config
from void_server.curves import BLOCK, Curve, Knee, Srgb

CONFIG = Config(PINNED_CONFIG)
CURVES = [Srgb(), *(Knee(peak) for peak in PEAKS)]
HALVES = np.arange(65536, dtype=np.uint16).view(np.float16)
single = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_every_finite_half_comes_back_with_its_sign(curve: Curve) -> None:
    halves = HALVES[np.isfinite(HALVES)]
    back = curve.decode(curve.encode(halves.astype(np.float32))).astype(np.float16)
    assert (back.view(np.uint16) == halves.view(np.uint16)).all()


@pytest.mark.parametrize("curve", CURVES, ids=str)
@given(light=st.floats(-4, 5000, width=32))
def test_the_tables_hold_what_the_functions_compute(curve: Curve, light: float) -> None:
    code = curve.encode(np.float32([light]))
    computed = curve.code(np.float64([light]))
    assert abs(code[0] - computed[0]) <= 1e-6 * max(1, abs(computed[0]))
    assert curve.decode(code)[0] == pytest.approx(curve.light(code.astype(np.float64))[0], rel=4e-6, abs=1e-12)


@pytest.mark.parametrize("curve", CURVES, ids=str)
@given(values=st.lists(single, min_size=1, max_size=8))
def test_any_finite_value_gives_a_finite_value(curve: Curve, values: list[float]) -> None:
    pixels = np.array(values, np.float32)
    code = curve.encode(pixels)
    assert np.isfinite(code).all() and np.isfinite(curve.decode(code)).all() and np.isfinite(curve.decode(pixels)).all()


@pytest.mark.parametrize("curve", CURVES, ids=str)
def test_a_value_has_one_code_wherever_it_stands(curve: Curve) -> None:
    values = np.random.default_rng(0).uniform(-0.5, 1.2, 2 * BLOCK + 7).astype(np.float32)
    values[::1000] *= 9  # some that the tables do not hold
    given = values.copy()
    code, light = curve.encode(values), curve.decode(values)
    assert (values == given).all(), "what was given is not changed"
    assert (curve.encode(values[5::3]) == code[5::3]).all()
    assert (curve.decode(values[5::3]) == light[5::3]).all()


@pytest.mark.parametrize("encoding", ["srgb_knee", "acescct", "srgb", "ARRI LogC4", ""])
@pytest.mark.parametrize("space", ["ACEScg", "lin_rec709_scene", "ARRI LogC4", "ACEScct", "srgb_rec709_scene"])
def test_a_cut_of_a_picture_has_the_colours_of_the_whole(encoding: str, space: str) -> None:
    colour = Colour(CONFIG, CONFIG.resolve(space), encoding, 64.0)
    pixels = np.random.default_rng(1).uniform(0, 0.7, (211, 307, 3)).astype(np.float32)
    for way in (colour.to_engine, colour.from_engine):
        whole = way(pixels)
        assert (way(pixels[20:61, 7:30]) == whole[20:61, 7:30]).all()
        assert (way(pixels[::2, ::-1]) == whole[::2, ::-1]).all()
