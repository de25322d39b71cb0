"""From the knobs of a node to ranges, folders and requests; the table of knobs against what the engines take."""

import ast
from dataclasses import fields
from typing import Any

import pytest

from void_plugin.errors import RequestError
from void_plugin.frames import FrameRange
from void_plugin.hosts.nuke_knobs import BUTTON, HIDDEN, INPUTS, KNOBS
from void_plugin.hosts.nuke_settings import (
    QUALITIES,
    Place,
    Span,
    file_name,
    for_script,
    output_folder,
    render_settings,
    request,
    script_stem,
    span,
)
from void_plugin.request import ImageInput, RemovalRequest
from void_plugin.settings import CHOICES, RenderSettings

PLATE, PROJECT = FrameRange(1001, 1048), FrameRange(1010, 1020)
DEFAULTS: dict[str, Any] = {item.name: item.default for item in KNOBS if item.has_value}


def values(**changed: Any) -> dict[str, Any]:
    """The knobs of a fresh node, but for these."""
    assert set(changed) <= set(DEFAULTS)
    return {**DEFAULTS, **changed}


# -- the table -----------------------------------------------------------------------------------------------------


def test_every_knob_has_a_name_of_its_own_and_what_is_used_says_what_it_does() -> None:
    names = [item.name for item in KNOBS + HIDDEN]
    assert len(names) == len(set(names))
    silent = [item.name for item in KNOBS if item.kind not in ("tab", "divider", "note") and len(item.tooltip) < 20]
    assert not silent


def test_every_choice_begins_with_one_that_it_offers() -> None:
    for item in KNOBS:
        if item.kind == "enum":
            assert item.default in item.choices, item.name


def test_choices_and_defaults_of_settings_are_those_of_the_engines() -> None:
    for item in KNOBS:
        if item.name in CHOICES:
            assert item.choices == CHOICES[item.name] and item.default == getattr(RenderSettings(), item.name)


@pytest.mark.parametrize("action", sorted({str(item.default) for item in KNOBS if item.kind == "button"}))
def test_the_script_of_each_button_is_python_and_means_nothing_to_tcl(action: str) -> None:
    script = BUTTON.format(action=action)
    ast.parse(script, feature_version=(3, 7))
    assert not set(script) & set('"[]{}$\\')


def test_a_fresh_node_asks_for_what_the_engines_do_by_default() -> None:
    assert render_settings(values(), "remove", 24.0) == RenderSettings()


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("seed", 7),
        ("source", "generated"),
        ("grain", "off"),
        ("detail", "tiled"),
        ("rate", "physics"),
        ("quality", "best"),
        ("passes", 2),
        ("steps", 9),
        ("pass2_steps", 8),
        ("guidance", 2.0),
        ("affected_preset", "shadow"),
        ("affected_angle", 30.0),
        ("affected_path", "1,2 3,4"),
        ("recover_affected", "fill"),
        ("recover_grain", "clean"),
        ("compression", "piz"),
        ("helper_channels", True),
    ],
)
def test_every_knob_about_pixels_changes_the_settings(knob: str, value: Any) -> None:
    assert render_settings(values(**{knob: value}), "remove", 24.0) != RenderSettings()


def test_no_knob_does_nothing() -> None:
    elsewhere = {
        *("output", "mix", "version", "details", "server", "priority", "prompt", "engine", "colour", "views"),
        *("range_mode", "frame_range", "handles", "context", "output_dir", "datatype", "write_cleanplate", "farm"),
        *(f"{name}_channel" for name in INPUTS[1:]),
    }
    marks = test_every_knob_about_pixels_changes_the_settings.pytestmark
    tested = {knob for knob, _ in marks[0].args[1]}
    assert {item.name for item in KNOBS if item.has_value} == elsewhere | tested


def test_numbers_of_the_model_tab_go_before_the_quality_and_a_test_is_always_a_preview() -> None:
    best = render_settings(values(quality="best", steps=9), "remove", 24.0)
    assert (best.void_passes, best.void_steps, best.void_pass2_steps) == (2, 9, 50)
    test = render_settings(values(quality="best"), "test", 24.0)
    assert test.void_steps == QUALITIES["preview"]["void_steps"] and test.void_passes == 1


def test_the_projects_rate_counts_for_physics_only() -> None:
    assert render_settings(values(rate="physics"), "remove", 25).fps == 25.0
    assert render_settings(values(), "remove", 25).fps == 0.0


@pytest.mark.parametrize("knob", [{"guidance": 99.0}, {"affected_angle": -91.0}, {"steps": -1}, {"passes": 3}])
def test_a_number_that_no_engine_takes_is_refused_by_name(knob: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="The setting"):
        render_settings(values(**knob), "remove", 24.0)


# -- frames --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knobs", "frames", "rendered"),
    [
        ({}, "1001-1048", "1001-1048"),
        ({"range_mode": "global"}, "1002-1028", "1002-1028"),
        ({"range_mode": "global", "handles": 0}, "1010-1020", "1010-1020"),
        ({"range_mode": "global", "handles": 2, "context": 100}, "1008-1022", "1001-1048"),
        ({"range_mode": "custom", "frame_range": " 1040 - 1044 "}, "1032-1048", "1032-1048"),
        ({"range_mode": "custom", "frame_range": "1040", "handles": -3, "context": 1}, "1040", "1039-1041"),
    ],
)
def test_handles_are_delivered_and_context_is_only_looked_at(knobs: dict, frames: str, rendered: str) -> None:
    found = span(values(**knobs), "remove", PLATE, PROJECT, 1015)
    assert (str(found.frames), str(found.rendered)) == (frames, rendered)


@pytest.mark.parametrize("asked", ["1000-1048", "1001-1049", "5", ""])
def test_a_range_outside_the_plate_is_refused_with_the_plates_own(asked: str) -> None:
    with pytest.raises(RequestError, match=r"lies outside the plate, which has 1001-1048|write it as"):
        span(values(range_mode="custom", frame_range=asked), "remove", PLATE, PROJECT, 1015)


def test_a_test_frame_looks_around_itself_and_a_preview_does_not() -> None:
    test = span(values(), "test", PLATE, PROJECT, 1020)
    assert (str(test.frames), str(test.rendered)) == ("1020", "1001-1042")
    assert span(values(), "preview", PLATE, PROJECT, 1020) == Span(FrameRange(1020, 1020), FrameRange(1020, 1020))
    moving = span(values(affected_preset="drop"), "preview", PLATE, PROJECT, 1020)
    assert str(moving.rendered) == "1001-1048"


@pytest.mark.parametrize("action", ["test", "preview"])
def test_a_frame_that_the_plate_does_not_have_cannot_be_tried(action: str) -> None:
    with pytest.raises(RequestError, match="Frame 7 lies outside the plate"):
        span(values(), action, PLATE, PROJECT, 7)


# -- folders -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "script", "folder"),
    [
        ("", "/show/sh010_comp_v012.nk", "/show/void/sh010_comp/VoidRemove1"),
        ("", "C:/show/sh010.nk", "C:/show/void/sh010/VoidRemove1"),
        ("", "", ""),
        ("out", "", ""),
        ("out/", "/show/a.nk", "/show/out"),
        ("/else/where/", "", "/else/where"),
        ("D:\\else\\where", "/show/a.nk", "D:/else/where"),
    ],
)
def test_versions_go_beside_the_script_or_where_the_artist_says(chosen: str, script: str, folder: str) -> None:
    assert output_folder(chosen, script, "VoidRemove1") == folder


@pytest.mark.parametrize(
    ("script", "stem"),
    [("/a/sh010_v012.nk", "sh010"), ("sh010.V2.nk", "sh010"), ("/a/v001.nk", "v001"), ("/a/sh-v3b.nk", "sh-v3b")],
)
def test_the_next_version_of_a_script_keeps_the_folder(script: str, stem: str) -> None:
    assert script_stem(script) == stem


def test_a_node_inside_a_group_has_a_name_that_files_can_have() -> None:
    assert file_name("Group1.VoidRemove1") == "Group1_VoidRemove1" and file_name("...") == "VoidRemove"


@pytest.mark.parametrize(
    ("path", "script", "text"),
    [
        ("/show/void/a.%04d.exr", "/show/a.nk", "[file dirname [value root.name]]/void/a.%04d.exr"),
        ("/show2/a.exr", "/show/a.nk", "/show2/a.exr"),
        ("/show/a$[1].exr", "/show/a.nk", "[file dirname [value root.name]]/a\\$\\[1\\].exr"),
        ("/else/a$.exr", "/show/a.nk", "/else/a$.exr"),
        ("/else/[1].exr", "", "/else/\\[1\\].exr"),
    ],
)
def test_a_path_below_the_script_moves_with_it_and_no_name_is_taken_for_tcl(path: str, script: str, text: str) -> None:
    assert for_script(path, script) == text


# -- requests ------------------------------------------------------------------------------------------------------


def made(action: str, views: tuple[str, ...] = ("main",), **changed: Any) -> RemovalRequest:
    place = Place("/out/v004", "sh010_VoidRemove1", views, views != ("main",))
    view = views[-1]
    inputs = {name: ImageInput(place.inputs(view, name)) for name in INPUTS}
    chosen = values(**changed)
    frames = Span(FrameRange(1002, 1004), FrameRange(1001, 1005))
    data = request(chosen, action, place, view, frames, inputs, render_settings(chosen, action, 24.0))
    return RemovalRequest.from_json(__import__("json").dumps(data))


def test_a_request_is_one_that_the_sidecar_accepts_and_names_all_inputs() -> None:
    found = made("remove", prompt=" an empty street ", colour="ACEScg", engine="recover", priority=70)
    assert found.object_matte == ImageInput("/out/v004/inputs/main/matte.%04d.exr")
    assert found.affected_matte and found.holdout_matte
    assert [(output.kind, output.pattern) for output in found.outputs] == [
        ("patch", "/out/v004/patch/sh010_VoidRemove1.%04d.exr")
    ]
    assert (str(found.frames), str(found.shot_range), found.view) == ("1002-1004", "1001-1005", "")
    assert (found.prompt, found.colour, found.engine, found.priority) == ("an empty street", "ACEScg", "recover", 70)


def test_one_view_of_several_lies_in_a_folder_of_its_own_too() -> None:
    (output,) = made("remove", ("left",)).outputs
    assert output.pattern == "/out/v004/patch/left/sh010_VoidRemove1.%04d.exr"


def test_views_lie_in_folders_of_their_own() -> None:
    found = made("remove", ("left", "right"), write_cleanplate=True)
    assert [output.pattern for output in found.outputs] == [
        "/out/v004/patch/right/sh010_VoidRemove1.%04d.exr",
        "/out/v004/cleanplate/right/sh010_VoidRemove1.%04d.exr",
    ]
    assert found.view == "right" and found.plate.pattern == "/out/v004/inputs/right/plate.%04d.exr"


def test_a_preview_is_a_comp_below_overlay_and_a_test_writes_only_the_patch() -> None:
    assert [output.pattern for output in made("preview").outputs] == ["/out/v004/overlay/sh010_VoidRemove1.%04d.exr"]
    assert len(made("test", write_cleanplate=True).outputs) == 1


def test_every_setting_of_the_engines_that_is_no_knob_is_left_out_on_purpose() -> None:
    left_out = {"encoding", "void_mask_levels", "void_last_window", "void_all_windows", "void_flow", "void_raster"}
    by_knobs = {
        *("seed", "source", "grain", "detail", "rate", "fps", "compression", "void_short_clips"),
        *("affected_preset", "affected_angle", "affected_path", "recover_affected", "recover_grain"),
        *("coverage_channel", "weight_channel", "change_channel", "source_channel"),
        *("void_passes", "void_steps", "void_pass2_steps", "void_guidance"),
    }
    assert {item.name for item in fields(RenderSettings)} == left_out | by_knobs
