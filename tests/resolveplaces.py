"""What the tests of placing in Resolve share: results on the disk, the arguments of `place`, and every way to fail.

scene, shot = cut(tmp_path)
args = wanted(scene, shot, files(tmp_path, "sh010_VOID_v001"))
bench = Bench(scene.data)
answer = place(Resolve(bench.resolve), args)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.resolve import Bench, Knobs, Scene, difference, pictures, scenes

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_api import Resolve

FRAMES = 24
"""Frames of every result here, as many as its plate has."""


def cut(folder: Path, **more: Any) -> tuple[Scene, dict[str, Any]]:
    """The scene with something of everything, the Color page open, and its first shot: record 86400, 12 frames."""
    scene = scenes.cut(folder, **more)
    scene.data["page"] = "color"
    return scene, scene.timeline["tracks"]["video"][0]["items"][0]


def files(folder: Path, name: str, count: int = FRAMES, first: int = 1001) -> dict[str, Any]:
    """A result on the disk as `place` wants it named; all of one name are the same."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    pattern = f"{folder}/{name}/{name}.%04d.exr"
    for number in range(first, first + count):
        pictures.save(pattern % number, np.zeros((36, 64, 3), np.float32))
    return {"pattern": pattern, "first": first, "last": first + count - 1}


def wanted(scene: Scene, shot: dict[str, Any], found: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The arguments of `place` for a shot whose plate was used from the frame that it starts with."""
    timeline = next(one for one in scene.project["timelines"] if any(shot in track["items"] for track in video(one)))
    return {
        "project": scene.project["id"],
        "timeline": timeline["id"],
        "shot": shot["id"],
        "record": [shot["start"], shot["start"] + shot["duration"]],
        "left": shot["offset"],
        "files": found,
        "offset": shot["offset"],
        "name": "sh010_VOID_v001",
        "version": 1,
        "job": "job-1",
        "fps": float(scene.rate),
        "input_colour": "ARRI LogC4",
        "data_level": "Full",
        "alpha_mode": "None",
        "reel": "A001",
        "copy_transform": True,
        "copy_grade": False,
        **more,
    }


def video(timeline: dict[str, Any]) -> list[dict[str, Any]]:
    """The video tracks of a timeline in a state."""
    return timeline["tracks"]["video"]


def track(bench: Bench, name: str, timeline: int = 0) -> list[dict[str, Any]]:
    """The items on the only track of a name; none where there is no such track."""
    found = [one["items"] for one in video(bench.state()["project"]["timelines"][timeline]) if one["name"] == name]
    assert len(found) <= 1
    return found[0] if found else []


def theirs(state: dict[str, Any]) -> dict[str, Any]:
    """A state without what is ours by its tag: items, clips, markers, and the tracks and bins left empty by that."""
    found = copy.deepcopy(state)
    project = found["project"]
    ours = {key for key, clip in project["clips"].items() if is_tagged(clip["third_party"].get("VOID"))}
    project["clips"] = {key: clip for key, clip in project["clips"].items() if key not in ours}
    for timeline in project["timelines"]:
        for row in video(timeline):
            row["items"] = [item for item in row["items"] if item["media"] not in ours]
            for item in row["items"]:
                item["markers"] = [marker for marker in item["markers"] if not is_tagged(marker["customData"])]
        timeline["tracks"]["video"] = [row for row in video(timeline) if row["items"] or not is_our_track(row["name"])]
    _strip(project["root"], ours)
    return found


def _strip(folder: dict[str, Any], ours: set[str]) -> None:
    folder["clips"] = [clip for clip in folder["clips"] if clip not in ours]
    for inner in folder["folders"]:
        _strip(inner, ours)
    empty = [inner for inner in folder["folders"] if not inner["clips"] and not inner["folders"]]
    if folder["name"] in ("Master", "VOID"):
        names = ("VOID",) if folder["name"] == "Master" else tuple(inner["name"] for inner in empty)
        folder["folders"] = [inner for inner in folder["folders"] if inner not in empty or inner["name"] not in names]


def is_tagged(text: str | None) -> bool:
    return str(text).startswith("void:")


def is_our_track(name: str) -> bool:
    return name in ("VOID", "VOID 2", "VOID 3", "VOID SCRATCH")


def changed(before: dict[str, Any], bench: Bench) -> list[str]:
    """What differs from a state, all that is ours aside; also what no script may do."""
    bench.verify()
    return difference(theirs(before), theirs(bench.state()))


def every_failure(
    scene: dict[str, Any], work: Callable[[Resolve], Any], knobs: Knobs | None = None
) -> Iterator[tuple[Bench, HostError | None, str]]:
    """Run the work once for each call of it, with the connection breaking there: before the call's work, then after it.

    Gives the bench, the error and the name of the call that broke. A break that does no harm has no error.
    """
    whole = Bench(scene, copy.deepcopy(knobs))
    work(Resolve(whole.resolve))
    for after in (False, True):
        for index, call in enumerate(whole.calls):
            if after and not changes(call["call"]):
                continue  # the same as before it
            broken = copy.deepcopy(knobs) if knobs is not None else Knobs()
            broken.raises_at, broken.raises_after = index, after
            bench = Bench(scene, broken)
            error = None
            try:
                work(Resolve(bench.resolve))
            except HostError as raised:
                error = raised
            yield bench, error, call["call"]


def changes(call: str) -> bool:
    """True for a call that does something rather than tell something."""
    return not call.partition(".")[2].startswith(("Get", "Is"))


def refused(work: Callable[[], Any], *words: str) -> str:
    """Checks that it raises HostError with these words, and gives the sentence."""
    with pytest.raises(HostError) as caught:
        work()
    for word in words:
        assert word in caught.value.message, caught.value.message
    assert caught.value.code == "host.resolve"
    return caught.value.message
