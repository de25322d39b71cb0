"""Remove everything VOID added to a project of Resolve: all of it goes, and nothing else changes in any part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, difference
from resolveplaces import changed, cut, every_failure, files, refused, track, video, wanted

from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_clean import clean
from void_plugin.hosts.resolve_marks import mark
from void_plugin.hosts.resolve_place import place


class Used:
    """A project with two timelines on which VOID was used, and its state before that."""

    def __init__(self, folder: Path) -> None:
        self.scene, self.shot = cut(folder)
        self.second = video(self.scene.timeline)[0]["items"][1]
        self.second["speed"] = 1.0
        other = self.scene.add_timeline("Reel 4", start=90000)
        plate = self.scene.project["clips"][self.shot["media"]]
        self.third = self.scene.place(plate, 90010, 12, offset=4, timeline=other)
        # What looks like ours and is not.
        self.scene.mark(self.shot, 5, "VOID", "Yellow", note="prompt: the boom")
        self.scene.mark(self.scene.timeline, 9, "VOID", "Green")
        self.scene.bin("VOID extras")
        self.scene.add_track("VOID plates")
        self.before = Bench(self.scene.data).state()
        self.bench = Bench(self.scene.data)
        resolve = Resolve(self.bench.resolve)
        first, again = files(folder, "v001"), files(folder, "v002")
        for shot in (self.shot, self.second, self.third):
            job = "job-" + shot["id"]
            place(resolve, wanted(self.scene, shot, first, job=job, name="VOID_v001"))
            mark(resolve, {"shot": shot["id"], "job": job, "folder": "/f", "state": "done", "note": ""})
        place(resolve, wanted(self.scene, self.shot, again, job="job-2", version=2, name="VOID_v002"))
        place(resolve, wanted(self.scene, self.shot, first, job="round-trip", scratch=True))

    @property
    def data(self) -> dict[str, Any]:
        return self.bench.world.data

    def track(self, name: str) -> dict[str, Any]:
        return next(row for row in video(self.data["project"]["timelines"][0]) if row["name"] == name)


@pytest.fixture
def used(tmp_path: Path) -> Used:
    return Used(tmp_path)


def test_all_that_void_added_goes_and_the_project_is_what_it_was(used: Used) -> None:
    answer = clean(Resolve(used.bench.resolve))
    assert difference(used.before, used.bench.state()) == []
    # Two items of results and a scratch on one timeline, a result on the other; two bins in one.
    assert answer == {"removed": {"items": 4, "tracks": 3, "markers": 3, "bins": 3}, "left": []}
    used.bench.verify()


def test_cleaning_twice_changes_nothing_more(used: Used) -> None:
    clean(Resolve(used.bench.resolve))
    answer = clean(Resolve(used.bench.resolve))
    assert answer == {"removed": {"items": 0, "tracks": 0, "markers": 0, "bins": 0}, "left": []}
    assert difference(used.before, used.bench.state()) == []


@pytest.mark.parametrize("page", ["fusion", "fairlight", "media", "deliver"])
def test_it_works_from_every_page_and_while_another_timeline_is_current(used: Used, page: str) -> None:
    used.data["page"] = used.before["page"] = page
    used.data["project"]["timeline"] = used.before["project"]["timeline"] = used.data["project"]["timelines"][1]["id"]
    clean(Resolve(used.bench.resolve))
    assert difference(used.before, used.bench.state()) == []


def test_results_that_the_user_has_moved_are_found(used: Used) -> None:
    rows = video(used.data["project"]["timelines"][0])
    moved = used.track("VOID")["items"].pop()
    rows[1]["items"].append(moved)
    root = used.data["project"]["root"]
    around = next(folder for folder in root["folders"] if folder["name"] == "VOID")
    root["clips"].append(around["folders"][0]["clips"].pop())
    clean(Resolve(used.bench.resolve))
    assert difference(used.before, used.bench.state()) == []


def test_what_the_user_has_put_on_our_track_and_into_our_bin_stays_there(used: Used) -> None:
    own = dict(used.shot, id="item-own", start=86700, markers=[])
    used.track("VOID")["items"].append(own)
    root = used.data["project"]["root"]
    around = next(folder for folder in root["folders"] if folder["name"] == "VOID")
    around["folders"][0]["folders"].append(
        {"id": "folder-own", "name": "Selects", "clips": [], "folders": [], "stale": False}
    )
    clean(Resolve(used.bench.resolve))
    assert [item["id"] for item in track(used.bench, "VOID")] == ["item-own"]
    assert around["folders"][0]["folders"][0]["name"] == "Selects"
    assert len(around["folders"]) == 1
    assert not [clip for clip in used.data["project"]["clips"].values() if clip["third_party"]]


def test_a_locked_track_keeps_its_results_and_they_their_media(used: Used) -> None:
    lock = used.track("VOID")
    lock["locked"] = True
    items = [dict(item) for item in lock["items"]]
    answer = clean(Resolve(used.bench.resolve))
    assert lock["items"] == items
    needed = {take["media"] for item in items for take in item["takes"]} | {item["media"] for item in items}
    assert needed <= set(used.data["project"]["clips"])
    assert answer["removed"]["items"] == 2
    assert "locked" in answer["left"][0]
    assert "kept in the media pool" in answer["left"][1]
    lock["locked"] = False
    clean(Resolve(used.bench.resolve))
    assert difference(used.before, used.bench.state()) == []


def test_a_locked_track_of_the_users_keeps_our_markers(used: Used) -> None:
    row = video(used.data["project"]["timelines"][0])[0]
    row["locked"] = used.before["project"]["timelines"][0]["tracks"]["video"][0]["locked"] = True
    answer = clean(Resolve(used.bench.resolve))
    assert answer["removed"]["markers"] == 1
    assert "Video 1" in answer["left"][0]
    row["locked"] = used.before["project"]["timelines"][0]["tracks"]["video"][0]["locked"] = False
    clean(Resolve(used.bench.resolve))
    assert difference(used.before, used.bench.state()) == []


def test_an_item_with_a_take_of_the_users_is_left_to_the_user(used: Used) -> None:
    item = next(item for item in used.track("VOID")["items"] if item["takes"])
    item["takes"].append({"media": used.shot["media"], "start": 0, "end": 12})
    answer = clean(Resolve(used.bench.resolve))
    assert [found["id"] for found in track(used.bench, "VOID")] == [item["id"]]
    assert "takes" in answer["left"][0]
    assert len(item["takes"]) == 3


def test_the_bin_that_is_open_may_be_one_of_ours(used: Used) -> None:
    around = next(folder for folder in used.data["project"]["root"]["folders"] if folder["name"] == "VOID")
    used.data["project"]["folder"] = around["folders"][0]["id"]
    answer = clean(Resolve(used.bench.resolve))
    assert answer["left"] == []
    used.before["project"]["folder"] = used.data["project"]["folder"]
    assert difference(used.before, used.bench.state()) == []


@pytest.mark.slow
def test_where_the_connection_breaks_nothing_of_the_users_changes_and_cleaning_again_ends_it(used: Used) -> None:
    for number, (broken, error, call) in enumerate(every_failure(used.data, clean)):
        assert changed(used.before, broken) == [], call
        assert error is None or (call in error.message and ";" in error.message)
        if number % 5 == 0 or error is None:
            broken.knobs.raises_at = None
            clean(Resolve(broken.resolve))
            assert difference(used.before, broken.state()) == [], call


@pytest.mark.parametrize(
    "call",
    ["Timeline.DeleteClips", "Timeline.DeleteTrack", "MediaPool.DeleteClips", "MediaPool.DeleteFolders"],
)
@pytest.mark.parametrize("how", ["refuses", "lies"])
def test_what_resolve_does_not_delete_is_said(used: Used, how: str, call: str) -> None:
    bench = Bench(used.data, Knobs(**{how: {call: 0}}))
    refused(lambda: clean(Resolve(bench.resolve)), call)
    assert changed(used.before, bench) == []


def test_without_a_project_there_is_nothing_to_clean(used: Used) -> None:
    used.data["project"] = None
    refused(lambda: clean(Resolve(used.bench.resolve)), "no project open")
