"""A whole removal in Resolve, as its sidecar asks for it, with the connection breaking at every single call.

Whatever breaks: the project, the queue, the presets, the marks and the page are what they were, all that is ours by
its tag aside; no temporary preset stays; the sentence names the call and says what to do; and a second try goes well.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, Scene, difference
from resolveplaces import changed, changes, files, refused, track, wanted

from void_plugin.errors import HostError
from void_plugin.hosts.resolve_api import Resolve
from void_plugin.hosts.resolve_host import ResolveHost
from void_plugin.hosts.resolve_memory import Memory

PARTS = 8
"""So many tests share the calls, so that they can run side by side."""


class Show:
    """A timeline with a shot of four frames under a title, its matte on a track, the user's own queue and markers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "out").mkdir()
        self.scene = scene = Scene(folder)
        plate = scene.sequence("sh010", 8)
        self.shot = scene.place(plate, 86400, 4, offset=2)
        scene.generator("Text", 86400, 4, track=2, kind="title")
        matte = scene.add_track("VOID MATTE")
        scene.track(matte, enabled=False)
        scene.place(scene.matte("roto", 8), 86400, 4, offset=2, track=matte)
        scene.select(self.shot)
        scene.mark(self.shot, 2, "VOID", note="prompt: the boom")
        scene.preset()
        scene.user_jobs(2)
        other = scene.add_timeline("Reel 4")
        scene.place(plate, 86400, 4, timeline=other)
        scene.data["page"] = "fusion"
        self.versions = [
            wanted(scene, self.shot, files(folder, name, 8), job=name, version=number, name=name)
            for number, name in ((1, "v001"), (2, "v002"))
        ]
        self.before = Bench(scene.data).state()

    def host(self, bench: Bench, name: str = "memory") -> ResolveHost:
        return ResolveHost(Resolve(bench.resolve), Memory(str(self.folder / name)), lambda text: None)

    def remove(self, host: ResolveHost) -> None:
        """The session that a sidecar drives: export, send, place two versions, and a round trip on a scratch track."""
        ask = host.answer
        ask("context", {})
        ask("shots", {"pick": "selected"})
        for what, number in (("plate", 1), ("matte", 3)):
            self.export(host, what, number)
        for args in self.versions:
            job = {"shot": self.shot["id"], "job": args["job"], "folder": "/f"}
            ask("mark", {**job, "state": "sent", "note": ""})
            ask("jobs", {})
            ask("place", args)
            ask("mark", {**job, "state": "done", "note": ""})
        scratch = ask("place", {**self.versions[0], "scratch": True, "job": "round-trip"})
        ask("unplace", {"item": scratch["item"]})

    def export(self, host: ResolveHost, what: str, number: int) -> None:
        args: dict[str, Any] = {"shot": self.shot["id"], "what": what, "track": number}
        args["folder"] = str(self.folder / "out")
        begun = host.answer(
            "export_begin", {**args, "name": what, "first": 86400, "last": 86400, "preset": "VOID Plate"}
        )
        try:
            while host.answer("export_poll", {"job": begun["job"]})["state"] == "rendering":
                pass
        finally:
            ended = host.answer("export_end", {"job": begun["job"]})
        assert ended["failed"] == []


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Show:
    return Show(tmp_path_factory.mktemp("show"))


def as_it_was(show: Show, bench: Bench) -> None:
    assert changed(show.before, bench) == []
    assert not [name for name in bench.state()["presets"] if name.startswith("VOID_restore_")]
    assert [job["id"] for job in bench.state()["project"]["render"]["jobs"]] == [
        job["id"] for job in show.before["project"]["render"]["jobs"]
    ]


def test_a_whole_removal_leaves_the_result_and_its_marker_and_cleaning_leaves_nothing(show: Show) -> None:
    bench = Bench(show.scene.data)
    host = show.host(bench)
    show.remove(host)
    as_it_was(show, bench)
    (item,) = track(bench, "VOID")
    assert (item["start"], item["duration"], item["offset"], item["take"]) == (86400, 4, 2, 2)
    assert [job["state"] for job in host.answer("jobs", {})["jobs"]] == ["done"]
    assert host.answer("clean", {})["left"] == []
    assert difference(show.before, bench.state()) == []


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before its work", "after its work"])
@pytest.mark.parametrize("part", range(PARTS))
def test_wherever_the_connection_breaks_all_of_the_users_is_as_it_was(show: Show, part: int, after: bool) -> None:
    whole = Bench(show.scene.data)
    show.remove(show.host(whole, f"whole {part} {after}"))
    for index in range(part, len(whole.calls), PARTS):
        call = whole.calls[index]["call"]
        if after and not changes(call):
            continue  # the same as before it
        bench = Bench(show.scene.data, Knobs(raises_at=index, raises_after=after))
        host = show.host(bench, f"memory {index} {after}")
        try:
            show.remove(host)
        except HostError as error:
            assert call in error.message, index
            assert ";" in error.message, index
        assert bench.calls[index]["result"] == "raised"
        bench.knobs.raises_at = None
        host.answer("leftovers", {})
        as_it_was(show, bench)
        if index % 16 == part:
            show.remove(host)
            as_it_was(show, bench)
            host.answer("clean", {})
            assert difference(show.before, bench.state()) == [], index


@pytest.mark.parametrize(
    "knobs",
    [
        {"end_inclusive": True},
        {"append_returns_ghost": True},
        {"append_moves_playhead": True},
        {"take_selects": True},
        {"frames_from_file": True},
        {"exr_never_complete": True},
        {"delete_job_ignored": True},
        {"delete_flaky_once": True},
        {"source_start_slip": True},
        {"source_unknown": True},
        {"settings_inherit_audio_only": True},
        {"enable_needs_edit_page": True},
        {"preset_forgets_codec": True},
        {"set_property_true_not_stored": ["Reel Name", "Clip Color", "Data Level"]},
        {"import_fps": 30.0},
        {"rate_as_number": True},
    ],
    ids=lambda knobs: next(iter(knobs)),
)
def test_the_known_faults_of_resolve_are_coped_with(show: Show, knobs: dict[str, Any]) -> None:
    bench = Bench(show.scene.data, Knobs(**copy.deepcopy(knobs)))
    before = bench.state()
    host = show.host(bench, f"memory {next(iter(knobs))}")
    show.remove(host)
    assert changed(before, bench) == []
    (item,) = track(bench, "VOID")
    assert (item["start"], item["duration"], item["offset"], item["take"]) == (86400, 4, 2, 2)
    host.answer("clean", {})
    assert difference(before, bench.state()) == []


@pytest.mark.parametrize("knobs", [{"append_refuses": True}, {"append_shift": 1}, {"import_individual_frames": True}])
def test_the_faults_that_stop_a_result_leave_nothing_of_it(show: Show, knobs: dict[str, Any]) -> None:
    bench = Bench(show.scene.data, Knobs(**knobs))
    host = show.host(bench)
    refused(lambda: host.answer("place", show.versions[0]), "Resolve's MediaPool.")
    assert difference(show.before, bench.state()) == []
