"""Scene colour as a monitor shows it."""

from __future__ import annotations

import numpy as np
import PyOpenColorIO as ocio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_plugin.errors import RequestError
from void_plugin.pictures.asks import Look
from void_plugin.pictures.display import PINNED_CONFIG, Display

DISPLAY = Display(PINNED_CONFIG)
VIEWS = DISPLAY.views()


def truth(pixels: np.ndarray, view: str, space: str = "ACEScg") -> np.ndarray:
    """What OpenColorIO makes of pixels without any shortcut, as codes of 8 bits."""
    config = DISPLAY.config
    transform = ocio.DisplayViewTransform(src=space, display=config.getDefaultDisplay(), view=view)
    values = pixels.astype(np.float32).reshape(-1, 3).copy()
    config.getProcessor(transform).getDefaultCPUProcessor().applyRGB(values)
    return np.clip(np.rint(values * 255), 0, 255).reshape(pixels.shape)


def colours(seed: int = 1) -> np.ndarray:
    """Colours as photographs have them: 13 stops of light, moderately saturated."""
    rng = np.random.default_rng(seed)
    light = 2.0 ** rng.uniform(-9, 4, (90, 120, 1))
    return (light * 2.0 ** rng.normal(0, 0.4, (90, 120, 3))).astype(np.float16)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_shown_within_a_few_codes_of_the_truth(view: str) -> None:
    pixels = colours()
    apart = np.abs(DISPLAY.shown(pixels, "ACEScg", Look(view=view))[..., :3] - truth(pixels, view))
    assert np.percentile(apart, 99) <= 1 and apart.max() <= 6


def test_black_grey_and_white_of_the_default_view_are_exact() -> None:
    pixels = np.array([[[0, 0, 0], [0.18, 0.18, 0.18], [1, 1, 1], [16, 16, 16]]], np.float16)
    shown = DISPLAY.shown(pixels, "ACEScg", Look())[..., :3]
    assert np.abs(shown - truth(pixels, VIEWS[0])).max() <= 1


def test_exposure_is_counted_in_stops_of_light() -> None:
    pixels = colours()
    brighter = DISPLAY.shown((pixels.astype(np.float32) * 4).astype(np.float16), "ACEScg", Look())
    assert np.abs(DISPLAY.shown(pixels, "ACEScg", Look(exposure=2)).astype(int) - brighter).max() <= 1


def test_gamma_lifts_what_lies_between_black_and_white() -> None:
    pixels = np.array([[[0, 0, 0], [0.18, 0.18, 0.18]]], np.float16)
    plain, lifted = (DISPLAY.shown(pixels, "ACEScg", Look(gamma=gamma)) for gamma in (1.0, 2.0))
    assert lifted[0, 0, 0] == plain[0, 0, 0] == 0
    assert abs(int(lifted[0, 1, 0]) - round(255 * (plain[0, 1, 0] / 255) ** 0.5)) <= 1


def test_a_log_plate_is_exposed_in_light_and_not_in_codes() -> None:
    linear = colours()
    log = linear.astype(np.float32).reshape(-1, 3).copy()
    DISPLAY.config.getProcessor("ACEScg", "ACEScct").getDefaultCPUProcessor().applyRGB(log)
    shown = DISPLAY.shown(log.reshape(linear.shape).astype(np.float16), "ACEScct", Look(exposure=1))
    wanted = DISPLAY.shown(linear, "ACEScg", Look(exposure=1))
    assert np.percentile(np.abs(shown.astype(int) - wanted), 99) <= 2  # halves hold fewer steps of a log


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(-4, 4), st.floats(0.5, 2))
def test_any_size_and_look_gives_opaque_pixels(height: int, width: int, exposure: float, gamma: float) -> None:
    pixels = np.full((height, width, 3), 0.2, np.float16)
    shown = DISPLAY.shown(pixels, "ACEScg", Look(exposure, gamma))
    assert shown.shape == (height, width, 4) and (shown[..., 3] == 255).all()
    assert (shown == shown[0, 0]).all()


def test_a_plate_without_a_tag_is_scene_linear() -> None:
    assert DISPLAY.space_of("", "") == "ACEScg"
    assert DISPLAY.space_of("", "lin_rec709_scene") == DISPLAY.config.getCanonicalName("lin_rec709_scene")
    assert DISPLAY.space_of("ACEScct", "lin_rec709_scene") == "ACEScct"
    assert DISPLAY.space_of("", "data") == "ACEScg"


def test_a_space_or_a_view_that_does_not_exist_is_named() -> None:
    with pytest.raises(RequestError, match="'Fuji'"):
        DISPLAY.space_of("Fuji", "")
    with pytest.raises(RequestError, match="'Sepia'; it has ACES"):
        DISPLAY.shown(colours(), "ACEScg", Look(view="Sepia"))
    with pytest.raises(RequestError, match="does not exist"):
        Display("/no/such/config.ocio").views()
