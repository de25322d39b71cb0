"""Mattes that a Saver in a clip's Fusion composition writes, after which the composition is as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Scene
from resolvestages import Stage, mean

from void_plugin.errors import HostError

START, LENGTH, LEFT = 86400, 4, 2
FIRST = 7
"""What the composition calls its first frame."""
THEIRS = "Saver1"
Make = Any


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A clip whose composition has a Saver that is switched off, and one of the user's that is on."""
    return made(tmp_path)


def made(folder: Path) -> Scene:
    folder.mkdir(exist_ok=True)
    scene = Scene(folder)
    plate, roto = scene.sequence("sh010", 8), scene.matte("roto", 8)
    shot = scene.place(plate, START, LENGTH, offset=LEFT)
    comp = scene.composition(shot, roto, savers=("VOID_MATTE", THEIRS), first=FIRST)
    comp["tools"]["VOID_MATTE"].update(passed=True)
    comp["tools"][THEIRS]["inputs"].update(Clip=f"{scene.folder}/theirs/beauty.0000.exr", CreateDir=1)
    scene.data["page"] = "color"
    return scene


def export(on: Stage, **changes: Any) -> dict[str, Any]:
    """All of it; the state that was polled, or the error of the begin."""
    job = on.begin(**{"what": "matte", "saver": ["Composition 1", "VOID_MATTE"], "name": "matte", **changes})["job"]
    found = on.export.poll(job)
    assert on.export.end(job)["failed"] == []
    return found


def assert_theirs_is_untouched(on: Stage) -> None:
    on.assert_as_before()
    assert not (Path(on.scene.folder) / "theirs").exists()


def test_a_saver_writes_the_matte_by_the_frames_of_its_composition(scene: Scene, tmp_path: Path) -> None:
    on = Stage(scene, tmp_path)
    assert export(on)["state"] == "done"
    assert on.files() == [f"matte.{number:04d}.exr" for number in range(FIRST, FIRST + LENGTH)]
    assert on.bench.called("Project.AddRenderJob") == []
    assert 0 < mean(tmp_path / "out" / f"matte.{FIRST:04d}.exr") < 1
    assert_theirs_is_untouched(on)


def test_a_part_of_the_clip_is_a_part_of_the_composition(scene: Scene, tmp_path: Path) -> None:
    on = Stage(scene, tmp_path)
    export(on, first=START + 1, last=START + 2)
    assert on.files() == [f"matte.{number:04d}.exr" for number in (FIRST + 1, FIRST + 2)]


def test_the_composition_stands_where_it_stood(scene: Scene, tmp_path: Path) -> None:
    on = Stage(scene, tmp_path, comp_moves_time=True)
    export(on)
    assert on.bench.called("FusionComp.CurrentTime") == [[FIRST + 1.0]]
    assert_theirs_is_untouched(on)


def test_a_composition_that_renders_nothing_is_named_with_a_fix(scene: Scene, tmp_path: Path) -> None:
    on = Stage(scene, tmp_path, refuses={"FusionComp.Render": 0})
    found = export(on)
    assert found["state"] == "failed"
    assert "FusionComp.Render" in found["text"] and "Fusion page" in found["text"]
    assert_theirs_is_untouched(on)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no such Saver": ({"saver": ["Composition 1", "Key"]}, "has no Saver Key; it has VOID_MATTE, Saver1"),
    "no such composition": ({"saver": ["Other", "VOID_MATTE"]}, "no Fusion composition Other"),
    "frames of another clip": ({"first": START - 1}, "not of the clip"),
    "a clip that is gone": ({"shot": "gone"}, "no longer on the timeline"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_there_is_refused_before_anything_changes(scene: Scene, tmp_path: Path, case: str) -> None:
    changes, words = REFUSED[case]
    on = Stage(scene, tmp_path)
    with pytest.raises(HostError, match=words):
        export(on, **changes)
    assert_theirs_is_untouched(on)
    assert on.bench.called("FusionTool.SetInput") == []


def test_a_composition_of_another_length_is_refused_because_its_frames_would_be_a_guess(
    scene: Scene, tmp_path: Path
) -> None:
    scene.track(1)["items"][0]["fusion"]["Composition 1"]["range"] = [0, 23]
    with pytest.raises(HostError, match=r"has 24 frames and .* shows 4"):
        export(Stage(scene, tmp_path))


def test_the_composition_of_a_clip_on_a_locked_track_is_not_touched(scene: Scene, tmp_path: Path) -> None:
    scene.track(1, locked=True)
    on = Stage(scene, tmp_path)
    with pytest.raises(HostError, match="locked"):
        export(on)
    assert on.bench.called("FusionTool.SetInput") == []


@pytest.mark.parametrize("key", ["Clip", "TOOLB_PassThrough"])
def test_a_saver_that_keeps_what_it_has_is_not_rendered(scene: Scene, tmp_path: Path, key: str) -> None:
    on = Stage(scene, tmp_path, set_property_true_not_stored=[key])
    with pytest.raises(HostError, match=r"FusionTool\.Set"):
        export(on)
    assert on.bench.called("FusionComp.Render") == []
    assert_theirs_is_untouched(on)


def test_a_saver_that_was_led_elsewhere_meanwhile_is_not_rendered(scene: Scene, tmp_path: Path) -> None:
    on = Stage(scene, tmp_path)
    job = on.begin(what="matte", saver=["Composition 1", "VOID_MATTE"])["job"]
    on.another().recover()  # of a process that takes this one for dead
    assert on.export.poll(job)["state"] == "failed"
    assert on.export.end(job)["failed"] == []
    assert_theirs_is_untouched(on)


def test_what_a_process_has_left_is_put_back_by_the_next(scene: Scene, tmp_path: Path) -> None:
    on = Stage(scene, tmp_path)
    on.begin(what="matte", saver=["Composition 1", "VOID_MATTE"])
    assert on.bench.state() != on.before
    assert on.another().recover()["failed"] == []
    assert_theirs_is_untouched(on)


def test_a_clip_that_was_deleted_meanwhile_has_nothing_to_put_back(scene: Scene, tmp_path: Path) -> None:
    on = Stage(scene, tmp_path)
    job = on.begin(what="matte", saver=["Composition 1", "VOID_MATTE"])["job"]
    on.bench.world.timeline["tracks"]["video"][0]["items"].clear()
    assert on.export.poll(job)["state"] == "failed"
    assert on.export.end(job) == {"restored": [], "failed": []}
    assert on.memory.all() == []


def test_what_cannot_be_put_back_is_said_and_is_put_back_later(scene: Scene, tmp_path: Path) -> None:
    on = Stage(scene, tmp_path)
    job = on.begin(what="matte", saver=["Composition 1", "VOID_MATTE"])["job"]
    on.bench.knobs.set_property_true_not_stored = ["Clip"]
    (text,) = on.export.end(job)["failed"]
    assert "Clip of the Saver VOID_MATTE" in text and "FusionTool.SetInput" in text
    on.bench.knobs.set_property_true_not_stored = []
    assert on.another().recover()["failed"] == []
    assert_theirs_is_untouched(on)


@pytest.mark.parametrize("after", [False, True], ids=["before its work", "after its work"])
def test_an_exception_at_any_call_leaves_the_composition_as_it_was(tmp_path: Path, after: bool) -> None:
    scene = made(tmp_path / "scene")
    plain = Stage(scene, tmp_path / "scene", comp_moves_time=True)
    export(plain)
    count = len(plain.bench.calls)
    assert count > 50
    for index in range(count):
        folder = tmp_path / str(index)
        folder.mkdir()
        on = Stage(scene, folder, comp_moves_time=True, raises_at=index, raises_after=after)
        text = ""
        try:
            text = export(on)["text"]
        except HostError as error:
            text = error.message
            assert on.bench.calls[index]["call"] in text and ";" in text, (index, text)
        assert on.bench.calls[index]["result"] == "raised"
        assert_theirs_is_untouched(on)
