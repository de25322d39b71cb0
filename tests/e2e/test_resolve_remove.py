"""An editor runs the scripts: fake Resolve, our host in it, a real sidecar, real servers, the timeline afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, difference, void
from resolveruns import FIRST, LEFT, LENGTH, Moving, Runs, same_far_away

from void_plugin.frames import ImageSequence


@pytest.fixture
def runs(tmp_path: Path, void_python: str) -> Runs:
    return Runs(tmp_path, void_python)


def bench_of(moving: Moving, **knobs: Any) -> Bench:
    return Bench(moving.scene.data, Knobs(**knobs))


def placed(bench: Bench, track: str = "VOID") -> list[dict[str, Any]]:
    """The items on a track of results."""
    tracks = bench.state()["project"]["timelines"][0]["tracks"]["video"]
    return [item for one in tracks if one["name"] == track for item in one["items"]]


def media(bench: Bench, item: dict[str, Any]) -> dict[str, Any]:
    """What the media pool says of an item's clip."""
    found = bench.state()["project"]["clips"][item["media"]]
    assert isinstance(found, dict)
    return found


def test_a_clip_goes_out_and_its_result_comes_back_over_it(tmp_path: Path, runs: Runs) -> None:
    moving = Moving(tmp_path)
    bench = bench_of(moving)
    before = bench.state()
    result = runs("remove", bench, matte=moving.matte["path"], handles=1, place=True)
    assert result["ok"] and [row["state"] for row in result["rows"]] == ["placed"], result
    # Nothing is rendered where the files are what the timeline shows.
    assert bench.called("Project.AddRenderJob") == []
    (item,) = placed(bench)
    assert (item["start"], item["duration"]) == (moving.start, LENGTH)
    clip = media(bench, item)
    assert clip["first"] + item["offset"] == FIRST + LEFT
    assert clip["first"] == FIRST + LEFT - 1 and clip["last"] == FIRST + LEFT + LENGTH
    plate, matte = ImageSequence(moving.plate["path"]), ImageSequence(moving.matte["path"])
    for number in range(clip["first"], clip["last"] + 1):
        assert same_far_away(*(Path(path) for path in (plate.path(number), clip["path"] % number, matte.path(number))))
    assert difference(before, bench.state(), void) == []
    bench.verify()
