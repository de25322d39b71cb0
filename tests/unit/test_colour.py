"""Curves that invert exactly, and where a plate's colour space is known from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin.errors import RequestError
from void_server.colour import PEAKS, PINNED_CONFIG, Colour, Config, Knee, choose_peak, plate_space

CONFIG = Config(PINNED_CONFIG)
HALVES = np.arange(65536, dtype=np.uint16).view(np.float16)


@pytest.mark.parametrize("peak", PEAKS)
def test_the_knee_returns_every_half_code_up_to_its_peak(peak: float) -> None:
    codes = HALVES[np.isfinite(HALVES)]
    codes = codes[(codes >= -0.1) & (codes <= peak)]
    knee = Knee(peak)
    back = knee.decode(knee.encode(codes.astype(np.float32))).astype(np.float16)
    assert (back.view(np.uint16) == codes.view(np.uint16)).all()
    assert len(codes) > 20000


@pytest.mark.parametrize("peak", PEAKS)
def test_the_knee_rises_smoothly_to_one_at_its_peak(peak: float) -> None:
    knee = Knee(peak)
    x = np.linspace(0, peak, 20001, dtype=np.float32)
    y = knee.encode(x)
    assert (np.diff(y) > 0).all() and y[-1] == pytest.approx(1, abs=1e-6)
    assert knee.encode(np.float32([0.18]))[0] == pytest.approx(0.4613, abs=1e-3), "mid grey stays on the sRGB curve"
    here = 0.6038273
    below, above = np.float32([here - 1e-3, here]), np.float32([here, here + 1e-3])
    assert np.diff(knee.encode(below))[0] == pytest.approx(np.diff(knee.encode(above))[0], rel=0.05)


def test_the_numbers_of_the_knee_are_the_published_ones() -> None:
    """image.md 2.4: M=64 gives s=0.0470365 and A=0.0277509."""
    _, scale, gain = Knee(64.0)._numbers
    assert scale == pytest.approx(0.0470365, rel=1e-5) and gain == pytest.approx(0.0277509, rel=1e-5)


@given(st.floats(0, 5000))
def test_the_peak_holds_the_shot_where_any_peak_does(brightest: float) -> None:
    peak = choose_peak(brightest)
    assert peak in PEAKS
    assert peak >= min(brightest, PEAKS[-1])


@pytest.mark.parametrize("encoding", ["srgb_knee", "acescct", "srgb", "ARRI LogC4"])
@pytest.mark.parametrize("space", ["ACEScg", "lin_rec709_scene", "ARRI LogC3 (EI800)"])
def test_every_encoding_of_every_space_comes_back(encoding: str, space: str) -> None:
    colour = Colour(CONFIG, CONFIG.resolve(space), encoding, 64.0)
    pixels = np.random.default_rng(1).uniform(0.02, 0.9, (32, 32, 3)).astype(np.float32)
    back = colour.from_engine(colour.to_engine(pixels))
    assert np.abs(back - pixels).max() < 2e-3 * pixels.max()


def test_a_linear_engine_gets_a_linear_plate_untouched() -> None:
    colour = Colour(CONFIG, CONFIG.resolve("lin_rec709_scene"))
    pixels = np.random.default_rng(1).uniform(-1, 1000, (8, 8, 3)).astype(np.float32)
    assert colour.to_engine(pixels) is pixels and colour.from_engine(pixels) is pixels


def test_a_linear_engine_gets_a_log_plate_as_light() -> None:
    colour = Colour(CONFIG, CONFIG.resolve("ARRI LogC4"))
    grey = np.full((1, 1, 3), 0.2784, np.float32)
    assert colour.to_engine(grey)[0, 0, 1] == pytest.approx(0.18, abs=0.002)


def test_where_a_plates_space_is_known_from() -> None:
    rec709 = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)
    name = "Linear Rec.709 (sRGB)"
    assert plate_space(CONFIG, "ACEScct", "lin_rec709_scene", rec709) == ("ACEScct", "request")
    assert plate_space(CONFIG, "", "lin_rec709_scene", None) == (name, "colorInteropID")
    assert plate_space(CONFIG, "", None, rec709) == (name, "chromaticities")
    assert plate_space(CONFIG, "", None, None) == ("ACEScg", "default")
    assert plate_space(CONFIG, "", "unknown", None)[1] == "default"


def test_a_tag_that_the_configuration_names_otherwise_is_found_by_its_interop_id() -> None:
    assert plate_space(CONFIG, "", "lin_awg4_scene", None)[0] == "Linear ARRI Wide Gamut 4"


def test_data_is_no_colour_space_for_a_plate() -> None:
    with pytest.raises(RequestError, match="data"):
        CONFIG.resolve("Raw")


def test_a_configuration_that_is_not_there_is_named() -> None:
    for source in ("/nowhere/config.ocio", "ocio://nonsense"):
        with pytest.raises(RequestError, match=source):
            _ = Config(source).ocio


def test_the_environment_chooses_the_configuration() -> None:
    assert Config.chosen({"OCIO": "a.ocio"}, "b.ocio").source == "a.ocio"
    assert Config.chosen({}, "b.ocio").source == "b.ocio"
    assert Config.chosen({}).source == PINNED_CONFIG
