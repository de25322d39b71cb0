import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin.errors import RequestError
from void_plugin.frames import FrameRange
from void_plugin.request import INPUTS, SCHEMA, ImageInput, Output, RemovalRequest
from void_plugin.settings import RenderSettings

names = st.text("abcdefgh_0123456789é -", min_size=1, max_size=8)
folders = st.lists(names, max_size=3).map(lambda parts: "/" + "/".join(parts))
patterns = st.builds("{}/{}.%04d.exr".format, folders, names)
inputs = st.builds(ImageInput, patterns, st.lists(names, max_size=3).map(tuple))
ranges = st.tuples(st.integers(-50, 5000), st.integers(0, 90)).map(lambda pair: FrameRange(pair[0], sum(pair)))
all_settings = st.builds(
    RenderSettings,
    seed=st.integers(0, 2**31),
    encoding=st.sampled_from(["srgb_knee", "acescct", "ACEScg"]),
    recover_affected=st.sampled_from(["keep", "fill"]),
    recover_grain=st.sampled_from(["source", "clean"]),
    compression=st.sampled_from(["", "zip"]),
    coverage_channel=st.booleans(),
    void_passes=st.integers(1, 2),
    void_guidance=st.floats(1, 30),
    void_raster=st.sampled_from(["672x384", "32x2048"]),
)
requests = st.builds(
    RemovalRequest,
    plate=inputs,
    object_matte=inputs,
    outputs=st.builds("{}/out_{}.%04d.exr".format, folders, names).map(lambda text: (Output("patch", text),)),
    affected_matte=st.none() | inputs,
    holdout_matte=st.none() | inputs,
    clean_plate=st.none() | inputs,
    shot=names,
    frames=st.none() | ranges,
    handles=st.integers(0, 20),
    context=st.integers(0, 20),
    prompt=st.text(max_size=20),
    settings=all_settings,
)


def small(**changes: Any) -> RemovalRequest:
    request = RemovalRequest(
        plate=ImageInput("/s/plate.%04d.exr"),
        object_matte=ImageInput("/s/matte.%04d.exr"),
        outputs=(Output("patch", "/s/out/result.%04d.exr"),),
    )
    return dataclasses.replace(request, **changes)


def described(**changes: Any) -> dict[str, Any]:
    return {**small().to_dict(), **changes}


@given(requests)
def test_a_request_is_read_back_from_its_json(request: RemovalRequest) -> None:
    assert RemovalRequest.from_json(request.to_json()) == request


@given(requests)
def test_rooting_changes_where_paths_stand_but_not_what_they_mean(request: RemovalRequest) -> None:
    rooted = request.rooted()
    for name in INPUTS:
        value = rooted.input(name)
        if value is not None:
            assert value.pattern.startswith("<")
            assert rooted.sequence(name).pattern == os.path.abspath(request.sequence(name).pattern)
    for before, after in zip(request.outputs, rooted.outputs, strict=True):
        assert rooted.output_sequence(after).pattern == os.path.abspath(request.output_sequence(before).pattern)
    assert rooted.request_id
    assert rooted.rooted() == rooted
    assert rooted.job_folder() == request.job_folder()


@given(requests, ranges, st.integers(0, 100))
def test_the_job_folder_is_the_same_for_every_range_and_run(
    request: RemovalRequest, frames: FrameRange, priority: int
) -> None:
    request = dataclasses.replace(request, context=0)
    again = dataclasses.replace(request, frames=frames, priority=priority, request_id="other")
    assert again.job_folder() == request.job_folder()


def test_frames_have_a_folder_of_their_own_where_they_decide_what_is_looked_at() -> None:
    request = small(context=8, frames=FrameRange(1001, 1010))
    other = dataclasses.replace(request, frames=FrameRange(1005, 1010))
    assert other.job_folder() != request.job_folder()
    whole = FrameRange(1001, 1100)
    assert (
        dataclasses.replace(other, shot_range=whole).job_folder()
        == dataclasses.replace(request, shot_range=whole).job_folder()
    )


@given(requests, st.integers(0, 2**31))
def test_other_settings_have_another_job_folder(request: RemovalRequest, seed: int) -> None:
    settings = dataclasses.replace(request.settings, seed=seed)
    same = dataclasses.replace(request, settings=settings).job_folder() == request.job_folder()
    assert same == (seed == request.settings.seed)


def test_the_job_folder_stands_beside_the_results_under_a_readable_name() -> None:
    folder = Path(small().job_folder())
    assert folder.parent == Path("/s/out/.void").absolute()
    assert folder.name.startswith("result-") and len(folder.name) == len("result-") + 12


def test_a_root_of_the_user_is_never_redirected_by_rooting() -> None:
    request = small(plate=ImageInput("/other/p.%04d.exr"), object_matte=ImageInput("<plate>/m.%04d.exr"))
    rooted = dataclasses.replace(request, roots={"plate": "/mattes"}).rooted()
    assert rooted.sequence("object_matte").pattern == os.path.join("/mattes", "m.%04d.exr")
    assert Path(rooted.sequence("plate").pattern) == Path("/other/p.%04d.exr").absolute()


def test_relative_paths_are_rooted_where_the_request_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rooted = small(plate=ImageInput("plate.%04d.exr"), roots={"mattes": "m"}).rooted()
    monkeypatch.chdir("/")
    assert rooted.sequence("plate").pattern == str(tmp_path / "plate.%04d.exr")
    assert rooted.roots["mattes"] == str(tmp_path / "m")


def test_a_quadmask_alone_says_what_to_remove() -> None:
    request = small(object_matte=None, quadmask=ImageInput("/s/quad.%04d.exr"))
    assert RemovalRequest.from_json(request.to_json()) == request


def test_a_saved_request_is_loaded_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text(small(prompt="une clairière").to_json(), encoding="utf-8")
    assert RemovalRequest.load(str(path)).prompt == "une clairière"


@pytest.mark.parametrize("schema", [SCHEMA + 1, 0, -1, "1", None, 1.0])
def test_another_schema_is_refused_with_both_numbers(schema: object) -> None:
    with pytest.raises(RequestError, match=f"reads schema {SCHEMA}") as caught:
        RemovalRequest.from_json(json.dumps(described(schema=schema)), "a/request.json")
    assert caught.value.code == "request.schema"
    assert "a/request.json" in caught.value.message


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"framse": "1-2"}, "'framse'"),
        ({"settings": {"sead": 1}}, "'settings.sead'"),
        ({"plate": {"pattern": "/s/p.%04d.exr", "chanels": []}}, "'plate.chanels'"),
        ({"outputs": [{"kind": "patch", "patern": "x.exr"}]}, r"outputs\[0\]"),
        ({"outputs": [{"kind": "patch"}]}, "'outputs\\[0\\].pattern'"),
        ({"plate": {}}, "'plate.pattern'"),
        ({"plate": "p.%04d.exr"}, "plate must be a JSON object"),
        ({"plate": {"pattern": 3}}, "plate.pattern must be text"),
        ({"plate": {"pattern": "p", "channels": "R"}}, "plate.channels must be a list"),
        ({"frames": 1001}, "frames must be text"),
        ({"outputs": {}}, "outputs must be a list"),
        ({"roots": {"a": 3}}, "root a"),
        ({"handles": "8"}, "handles must be int"),
        ({"context": True}, "context must be int"),
        ({"prompt": None}, "prompt must be str"),
    ],
)
def test_a_mistyped_key_or_value_is_named_and_never_rendered_with_a_default(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(RequestError, match=named):
        RemovalRequest.from_json(json.dumps(described(**changes)))


def test_a_request_without_a_plate_says_so() -> None:
    data = described()
    del data["plate"]
    with pytest.raises(RequestError, match="lacks 'plate'"):
        RemovalRequest.from_json(json.dumps(data))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3"])
def test_text_that_is_no_request_is_named_with_its_path(text: str) -> None:
    with pytest.raises(RequestError, match=r"job/request\.json"):
        RemovalRequest.from_json(text, "job/request.json")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"none\.json"):
        RemovalRequest.load(str(tmp_path / "none.json"))
    (tmp_path / "latin.json").write_bytes(b'{"shot": "\xe9"}')
    with pytest.raises(RequestError, match="UTF-8"):
        RemovalRequest.load(str(tmp_path / "latin.json"))


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"object_matte": None}, "request.invalid", "no object matte"),
        ({"quadmask": ImageInput("/s/q.%04d.exr")}, "request.invalid", "quadmask"),
        ({"outputs": ()}, "request.invalid", "no output"),
        ({"outputs": (Output("plate", "/s/r.%04d.exr"),)}, "request.invalid", "patch or comp"),
        ({"outputs": (Output("patch", "/s/r.%04d.png"),)}, "request.output", ".exr"),
        ({"outputs": (Output("comp", "/s/r.%04d.tif"),)}, "request.output", ".png"),
        ({"handles": -1}, "request.range", "negative"),
        ({"frames": FrameRange(1, 9), "shot_range": FrameRange(2, 9)}, "request.range", "1-9"),
        ({"plate": ImageInput("<show>/p.%04d.exr")}, "request.pattern", "<show>"),
        ({"plate": ImageInput("/s/p.%04d.%04d.exr")}, "request.pattern", "more than one"),
        ({"settings": RenderSettings(recover_grain="none")}, "request.invalid", "source or clean"),
        ({"settings": RenderSettings(seed="1")}, "request.invalid", "seed"),  # type: ignore[arg-type]
        ({"frames": FrameRange(1, 2), "outputs": (Output("patch", "/s/r.exr"),)}, "request.output", "result.%04d.exr"),
    ],
)
def test_what_can_be_known_to_be_wrong_without_files_is_said_at_once(
    changes: dict[str, Any], code: str, named: str
) -> None:
    with pytest.raises(RequestError) as caught:
        small(**changes).check()
    assert caught.value.code == code
    assert named in caught.value.message


def test_a_picture_of_a_preview_may_be_png_and_a_result_may_not() -> None:
    request = small(outputs=(Output("comp", "/s/r.%04d.exr"), Output("comp", "/s/r.%04d.PNG")))
    request.check()
    with pytest.raises(RequestError, match=r"/s/r\.%04d\.PNG is not an EXR; end the pattern with \.exr") as caught:
        request.check_results()
    assert caught.value.code == "request.output"
    small().check_results()


@pytest.mark.parametrize(
    "output",
    [
        "/s/plate.%04d.exr",
        "/s/../s/plate.%04d.exr",
        "/s/plate.%d.exr",
        "/s/plate.1001.exr",
        "/s/matte.%04d.exr",
    ],
)
def test_an_output_never_overwrites_an_input_however_it_is_spelled(output: str) -> None:
    with pytest.raises(RequestError, match="never overwritten") as caught:
        small(outputs=(Output("patch", output),)).check()
    assert caught.value.code == "request.output"


def test_an_output_sequence_never_overwrites_a_still_input() -> None:
    with pytest.raises(RequestError, match="clean plate"):
        small(clean_plate=ImageInput("/s/clean.1001.exr"), outputs=(Output("comp", "/s/clean.%04d.exr"),)).check()


def test_a_linked_folder_does_not_hide_the_plate(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    plate = ImageInput(str(tmp_path / "real" / "p.%04d.exr"))
    with pytest.raises(RequestError, match="never overwritten"):
        small(plate=plate, outputs=(Output("patch", str(tmp_path / "link" / "p.%04d.exr")),)).check()


def test_two_outputs_need_two_names() -> None:
    with pytest.raises(RequestError, match="other output"):
        small(outputs=(Output("patch", "/s/r.%04d.exr"), Output("comp", "/s/r.%04d.exr"))).check()
