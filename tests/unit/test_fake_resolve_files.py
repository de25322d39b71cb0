"""The fake Resolve exports timelines as Resolve does, and can be talked to from other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from fakes.resolve import Knobs, Scene, process, scenes
from pythons import interpreters
from resolves import Outside, Resolves

from void_plugin.editorial.media import media_of
from void_plugin.editorial.ranges import speed_of
from void_plugin.errors import RequestError

START = scenes.START
Time = otio.opentime.RationalTime


def exported(bench: Any, path: Path) -> Any:
    resolve = bench.resolve
    timeline = resolve.GetProjectManager().GetCurrentProject().GetCurrentTimeline()
    assert timeline.Export(str(path), "otio", "none") is False
    assert timeline.Export(str(path), resolve.EXPORT_OTIO, resolve.EXPORT_NONE) is True
    return otio.adapters.read_from_file(str(path))


def test_an_exported_timeline_has_resolves_shape(resolves: Resolves, tmp_path: Path) -> None:
    scene = scenes.cut(tmp_path)
    scene.dissolve(START + 26, 3, 2)
    made = exported(resolves(scene), tmp_path / "cut.otio")
    assert made.metadata["Resolve_OTIO"]["Resolve OTIO Meta Version"] == "1.0"
    assert made.global_start_time == Time(START, 24)
    assert [track.name for track in made.tracks] == ["Video 1", "Video 2", "VOID MATTE"]
    first, gap, second, dissolve, third, generator = made.tracks[0]
    assert isinstance(gap, otio.schema.Gap) and gap.duration() == Time(6, 24)
    assert (dissolve.in_offset, dissolve.out_offset) == (Time(3, 24), Time(2, 24))
    reference = first.media_reference
    assert reference.target_url_base == f"{tmp_path}/media/sh010"
    assert (reference.start_frame, reference.frame_zero_padding) == (1001, 4)
    assert reference.available_range.start_time == Time(86376, 24)
    assert first.source_range.start_time == Time(86380, 24)
    assert [one.schema_name() for one in second.effects][-1] == "LinearTimeWarp"
    assert second.effects[-1].time_scalar == 2
    assert third.media_reference.target_url == f"{tmp_path}/media/sh030.mov"
    assert generator.media_reference.is_missing_reference
    marker = first.markers[0]
    assert (marker.name, marker.color, marker.marked_range.start_time) == ("eyeline", "CYAN", Time(86383, 24))
    assert made.tracks.markers[0].metadata["Resolve_OTIO"]["Note"] == "ask Anna"
    assert first.range_in_parent().duration == Time(12, 24)


def test_the_product_reads_the_media_of_an_export(resolves: Resolves, tmp_path: Path) -> None:
    made = exported(resolves(scenes.cut(tmp_path)), tmp_path / "cut.otio")
    found = media_of(made.tracks[0][0], str(tmp_path))
    assert found is not None and "sh010.%04d.exr" in str(found)


def test_a_ramp_is_exported_as_keys_that_are_no_one_speed(resolves: Resolves, tmp_path: Path) -> None:
    scene = scenes.cut(tmp_path)
    scene.timeline["tracks"]["video"][0]["items"][0]["ramp"] = 0.05
    made = exported(resolves(scene), tmp_path / "cut.otio")
    first, _, second = list(made.tracks[0])[:3]
    keys = first.effects[-1].metadata["Resolve_OTIO"]["Key Frames"]
    assert [round(key[1] * 24, 6) for key in keys] == [0, 6 + 0.05 * 36, 12 + 0.05 * 144]
    with pytest.raises(RequestError, match="no single speed"):
        speed_of(first)
    assert speed_of(second) == 2


EXTERNAL = """
import os, sys
sys.path.append(os.path.join(os.environ["RESOLVE_SCRIPT_API"], "Modules"))
import DaVinciResolveScript as script
resolve = script.scriptapp("Resolve")
if resolve is None:
    print("none")
else:
    timeline = resolve.GetProjectManager().GetCurrentProject().GetCurrentTimeline()
    timeline.AddTrack("video")
    print(timeline.GetTrackCount("video"))
    KILL
"""


def run(command: list[str], outside: Outside, **more: str) -> str:
    base = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, env={**base, **outside.environment, **more}, capture_output=True, text=True)
    return done.stdout.strip() or done.stderr


def external(outside: Outside, kill: str = "", python: str = sys.executable) -> str:
    return run([python, "-c", EXTERNAL.replace("KILL", kill)], outside)


def test_another_process_changes_the_same_world_even_when_it_is_killed(
    outside: Callable[..., Outside], tmp_path: Path
) -> None:
    there = outside(scenes.cut(tmp_path))
    assert external(there, "sys.stdout.flush(); os.kill(os.getpid(), 9)") == "4"
    assert len(there.state()["project"]["timelines"][0]["tracks"]["video"]) == 4
    assert external(there) == "5"
    assert len(there.bench().called("Timeline.AddTrack")) == 2


def test_a_breach_of_another_process_is_known(outside: Callable[..., Outside], tmp_path: Path) -> None:
    there = outside(scenes.cut(tmp_path))
    assert external(there, "timeline.AddTracks()").startswith("4")
    assert "Timeline has no AddTracks" in there.bench().breaches[0]
    there.forgive()


def test_scriptapp_gives_none_where_resolve_does(outside: Callable[..., Outside], tmp_path: Path) -> None:
    assert external(outside(scenes.cut(tmp_path / "a"), external=False)) == "none"
    free = scenes.cut(tmp_path / "b")
    free.free()
    assert external(outside(free)) == "none"
    missing = outside(Scene(tmp_path / "c"))
    assert run([sys.executable, "-c", EXTERNAL.replace("KILL", "")], missing, **{process.WORLD: ""}) == "none"


def test_a_fault_counts_over_processes(outside: Callable[..., Outside], tmp_path: Path) -> None:
    there = outside(scenes.cut(tmp_path), raises_midway={"Timeline.AddTrack": 2})
    assert external(there) == "4"
    assert "the connection to Resolve broke in Timeline.AddTrack" in external(there)


def test_a_python_without_openimageio_renders_and_exports_too(outside: Callable[..., Outside], tmp_path: Path) -> None:
    python = interpreters().get("3.7")
    if python is None:
        pytest.skip("no Python 3.7 on this machine")
    there = outside(scenes.cut(tmp_path))
    (tmp_path / "out").mkdir()
    script = f"""
    project = resolve.GetProjectManager().GetCurrentProject()
    assert project.SetCurrentRenderFormatAndCodec("exr", "RGBHalfZIP") and project.SetCurrentRenderMode(1)
    settings = {{"TargetDir": {str(tmp_path / "out")!r}, "CustomName": "x.", "MarkIn": {START}, "MarkOut": {START + 3}}}
    assert project.SetRenderSettings(settings)
    job = project.AddRenderJob()
    assert project.StartRendering([job], False)
    print(project.GetRenderJobStatus(job)["JobStatus"])
    print(timeline.Export({str(tmp_path / "a.otio")!r}, resolve.EXPORT_OTIO, resolve.EXPORT_NONE))
"""
    assert external(there, script, python).split() == ["4", "Complete", "True"]
    assert len(list((tmp_path / "out").iterdir())) == 4
    assert otio.adapters.read_from_file(str(tmp_path / "a.otio")).name == "Reel 3"


MENU = """
assert "__file__" not in globals()
project = resolve.GetProjectManager().GetCurrentProject()
assert app.GetResolve().GetProductName() == bmd.scriptapp("Resolve").GetProductName()
print(project.GetName())
project.GetCurrentTimeline().AddTrack("video")
"""


def test_a_menu_script_finds_its_globals_here_and_in_a_process_of_its_own(
    resolves: Resolves, outside: Callable[..., Outside], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "VOID Test.py"
    script.write_text(MENU)
    bench = resolves(scenes.cut(tmp_path / "a"))
    process.run_menu(script, bench)
    assert capsys.readouterr().out.strip() == "Feature"
    assert len(bench.state()["project"]["timelines"][0]["tracks"]["video"]) == 4
    there = outside(scenes.cut(tmp_path / "b"))
    tests = str(Path(__file__).parents[1])
    assert run([sys.executable, "-m", "fakes.resolve", str(script)], there, PYTHONPATH=tests) == "Feature"
    assert there.state()["project"]["timelines"][0]["tracks"]["video"][3]["name"] == "Video 4"


def test_a_host_may_lack_the_global_resolve(resolves: Resolves, tmp_path: Path) -> None:
    bench = resolves(scenes.cut(tmp_path), menu_names=["bmd"])
    assert "resolve" not in process.menu_globals(bench) and "bmd" in process.menu_globals(bench)
    with pytest.raises(TypeError):
        Knobs.from_dict({"no_such_knob": 1})


FORBIDDEN = """
import contextlib
from fakes.resolve import Bench, Broken, Scene
from resolves import no_forbidden_calls

def test_it(tmp_path):
    bench = Bench(Scene(tmp_path).data)
    with contextlib.suppress(Broken):
        bench.resolve.Quit()

def test_another(tmp_path):
    Bench(Scene(tmp_path).data).resolve.GetCurrentPage()
"""


def test_a_forbidden_call_fails_the_test_that_made_it_even_when_it_was_caught(tmp_path: Path) -> None:
    (tmp_path / "test_forbidden.py").write_text(FORBIDDEN)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": tests}, capture_output=True, text=True)
    assert "2 passed, 1 error" in done.stdout, done.stdout
    assert "never to be called: Resolve.Quit" in done.stdout
