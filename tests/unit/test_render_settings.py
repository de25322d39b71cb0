"""What decides pixels beside the images: what each setting may be, and what is said of the rest."""

import json
import math
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin.errors import RequestError
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_plugin.settings import CHOICES, RANGES, RenderSettings, raster_of


def request(settings: RenderSettings) -> RemovalRequest:
    return RemovalRequest(
        plate=ImageInput("/s/plate.%04d.exr"),
        object_matte=ImageInput("/s/matte.%04d.exr"),
        outputs=(Output("patch", "/s/out/result.%04d.exr"),),
        settings=settings,
    )


def from_json(**settings: Any) -> RenderSettings:
    described = {**request(RenderSettings()).to_dict(), "settings": settings}
    return RemovalRequest.from_json(json.dumps(described)).settings


def test_the_defaults_are_those_of_the_released_model() -> None:
    settings = RenderSettings()
    settings.check()
    assert (settings.void_passes, settings.void_steps, settings.void_pass2_steps) == (1, 30, 50)
    assert settings.void_guidance == 6.0 and raster_of(settings.void_raster) == (384, 672)


def test_every_word_and_every_end_of_a_range_can_be_chosen() -> None:
    for name, words in CHOICES.items():
        for word in words:
            RenderSettings(**{name: word}).check()
    for name, ends in RANGES.items():
        kind = type(getattr(RenderSettings(), name))
        for end in ends:
            RenderSettings(**{name: kind(end)}).check()


@pytest.mark.parametrize("name", CHOICES)
def test_another_word_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(RequestError) as caught:
        RenderSettings(**{name: "other"}).check()
    assert caught.value.message == f"The setting {name} is 'other'; it can be {' or '.join(CHOICES[name])}."


@pytest.mark.parametrize("name", RANGES)
def test_a_number_beyond_its_range_is_refused_with_the_range(name: str) -> None:
    kind = type(getattr(RenderSettings(), name))
    least, most = RANGES[name]
    for value in (least - 1, most + 1):
        with pytest.raises(RequestError) as caught:
            RenderSettings(**{name: kind(value)}).check()
        assert caught.value.message == f"The setting {name} is {kind(value)}; it can be {least} to {most}."


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_guidance_is_a_real_number(value: float) -> None:
    with pytest.raises(RequestError, match="void_guidance"):
        RenderSettings(void_guidance=value).check()


@given(st.integers(2, 128), st.integers(2, 128))
def test_a_raster_is_told_as_width_and_height_and_kept_as_height_and_width(across: int, down: int) -> None:
    assert raster_of(f"{across * 16}x{down * 16}") == (down * 16, across * 16)


@pytest.mark.parametrize(
    "text",
    [
        "", "672", "672x", "x384", "672X384", "672 x 384", "672x384x3", "-672x384", "672x384\n", "0672x384", "672x383",
        "664x384", "16x384", "672x16", "0x0", "2064x384", "672x2064", "99999x384", "672x٣٨٤", "999999999999999x384",
    ],
)  # fmt: skip
def test_a_raster_that_void_cannot_work_at_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        RenderSettings(void_raster=text).check()
    assert repr(text) in caught.value.message
    assert "multiples of 16 from 32 to 2048, for example 672x384" in caught.value.message


def test_a_whole_number_in_json_is_a_number_with_a_point_where_that_is_wanted() -> None:
    settings = from_json(void_guidance=7)
    assert settings == RenderSettings(void_guidance=7.0) and type(settings.void_guidance) is float


@pytest.mark.parametrize(
    "wrong",
    [
        {"void_guidance": 10**400},
        {"void_guidance": True},
        {"void_guidance": "6"},
        {"void_guidance": None},
        {"void_steps": 30.0},
        {"void_steps": 10**400},
        {"void_passes": True},
        {"void_all_windows": 1},
        {"void_raster": [672, 384]},
        {"void_flow": []},
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match=next(iter(wrong))):
        request(from_json(**wrong)).check()


def test_every_setting_has_a_job_folder_of_its_own() -> None:
    others: dict[str, Any] = {"seed": 7, "encoding": "acescct", "compression": "zip", "void_raster": "336x192"}
    others["affected_path"] = "10,20 30,40"
    folders = {request(RenderSettings()).job_folder()}
    for item in fields(RenderSettings):
        if item.name in CHOICES:
            others[item.name] = CHOICES[item.name][1]
        elif item.name in RANGES:
            others[item.name] = type(item.default)(2)
        elif isinstance(item.default, bool):
            others[item.name] = True
        folders.add(request(RenderSettings(**{item.name: others[item.name]})).job_folder())
    assert len(folders) == len(fields(RenderSettings)) + 1
