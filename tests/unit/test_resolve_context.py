"""What is in the way of a removal in Resolve, on the strict fake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, Scene, difference, scenes

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_context import context, gate


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return scenes.cut(tmp_path)


def look(scene: Scene, **knobs: Any) -> dict[str, Any]:
    """The context of a scene, which must change nothing."""
    bench = Bench(scene.data, Knobs(**knobs))
    before = bench.state()
    found = context(Resolve(bench.resolve))
    assert difference(before, bench.state()) == []
    bench.verify()
    return found


def errors(found: dict[str, Any]) -> list[str]:
    return [problem["text"] for problem in found["problems"] if problem["level"] == "error"]


def refused(scene: Scene) -> str:
    with pytest.raises(HostError) as caught:
        gate(Resolve(Bench(scene.data).resolve))
    assert caught.value.code == "host.resolve"
    return caught.value.message


def test_an_open_timeline_of_studio_has_nothing_in_the_way(scene: Scene) -> None:
    found = look(scene)
    assert found["problems"] == []
    assert (found["product"], found["studio"], found["version"]) == ("DaVinci Resolve Studio", True, [21, 0, 4, 5])
    assert found["project"] == {"name": "Feature", "id": "project-1"}
    assert found["timeline"] == {
        "name": "Reel 3",
        "id": scene.timeline["id"],
        "rate": "24",
        "drop": False,
        "start": 86400,
        "end": 86442,
        "width": 64,
        "height": 36,
    }
    assert (found["page"], found["playhead"], found["rendering"]) == ("edit", 86407, False)
    assert found["colour"]["colorSpaceOutput"] == "Rec.709 Gamma 2.4"


def test_the_free_edition_is_told_of_the_otio_way_and_nothing_of_studio_is_called(scene: Scene) -> None:
    scene.free()
    bench = Bench(scene.data)
    found = context(Resolve(bench.resolve))
    assert "void otio" in errors(found)[0]
    assert {call["call"] for call in bench.calls} <= {"Resolve.GetProductName", "Resolve.GetVersion"}
    assert "void otio" in refused(scene)


@pytest.mark.parametrize("version", [[18, 1, 4, 9, ""], [17, 4, 6, 4, ""]])
def test_a_resolve_before_18_5_is_too_old(scene: Scene, version: list[Any]) -> None:
    scene.data["version"] = version
    assert errors(look(scene)) == [refused(scene)]
    assert f"{version[0]}.{version[1]}" in refused(scene)
    assert "update" in refused(scene)


def test_a_library_that_was_lost_needs_a_restart(scene: Scene) -> None:
    scene.data["database"] = None
    assert "restart Resolve" in errors(look(scene))[0]


def test_without_a_project_there_is_none_to_look_at(scene: Scene) -> None:
    scene.data["project"] = None
    found = look(scene)
    assert "No project" in errors(found)[0]
    assert found["project"] is None


def test_a_project_without_a_name_is_to_be_saved_first_and_never_by_us(scene: Scene) -> None:
    scene.untitled()
    assert "save it under a name" in errors(look(scene))[0]
    bench = Bench(scene.data)
    resolve = Resolve(bench.resolve)
    with pytest.raises(HostError, match="SaveProject"):
        resolve.save(resolve.project())
    assert bench.called("ProjectManager.SaveProject") == []


def test_without_a_timeline_one_is_to_be_opened(scene: Scene) -> None:
    scene.project["timeline"] = None
    found = look(scene)
    assert "open the one that shows the shot" in errors(found)[0]
    assert found["timeline"] is None


def test_a_render_of_the_users_is_waited_for(scene: Scene) -> None:
    scene.user_jobs(running=True)
    found = look(scene)
    assert found["rendering"]
    assert "wait until it is done" in errors(found)[0]


def test_collaboration_is_said_and_a_bin_that_others_have_changed_stops(scene: Scene) -> None:
    scene.project["collaborative"] = True
    found = look(scene)
    assert found["collaborative"]
    assert [problem["level"] for problem in found["problems"]] == ["warning"]
    next(one for one in scene.project["root"]["folders"])["stale"] = True
    assert "Plates" in errors(look(scene))[0]


def test_a_resolve_that_cannot_tell_of_collaboration_is_judged_by_its_library(scene: Scene) -> None:
    scene.data["version"] = [20, 3, 2, 1, ""]
    assert not look(scene)["collaborative"]
    scene.data["database"] = {"DbType": "PostgreSQL", "DbName": "Feature", "IpAddress": "10.0.0.2"}
    assert look(scene)["collaborative"]


def test_drop_frame_is_read_off_the_timeline(tmp_path: Path) -> None:
    scene = scenes.Scene(tmp_path, rate="29.97", start=107892)
    scene.project["settings"]["timelineDropFrameTimecode"] = "1"
    found = look(scene)
    assert (found["timeline"]["rate"], found["timeline"]["drop"], found["playhead"]) == ("29.97", True, 107899)


def test_a_timeline_with_settings_of_its_own_says_what_its_images_mean(scene: Scene) -> None:
    scene.timeline["settings"].update(colorSpaceOutput="ACES (AP1)", timelineResolutionWidth="128")
    found = look(scene)
    assert found["colour"]["colorSpaceOutput"] == "ACES (AP1)"
    assert found["timeline"]["width"] == 128


def test_the_fusion_page_has_no_playhead(scene: Scene) -> None:
    scene.data["page"] = "fusion"
    assert look(scene)["playhead"] is None


def test_a_timeline_without_a_rate_is_a_problem_and_no_crash(scene: Scene) -> None:
    found = look(scene, refuses={"Timeline.GetSetting": 0})
    assert "frame rate" in errors(found)[0]
