"""A whole removal in Resolve, as its sidecar asks for it, with the connection breaking at every single call.

Whatever breaks: the project, the queue, the presets, the marks and the page are what they were, all that is ours by
its tag aside; no temporary preset stays; the sentence names the call and says what to do; and a second try goes well.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from fakes.resolve import Bench, Knobs, difference
from resolveplaces import changed, changes, refused, track
from resolveshows import Show, Step, as_it_was

from void_plugin.errors import HostError


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Show:
    return Show(tmp_path_factory.mktemp("show"))


def test_a_whole_removal_leaves_the_result_and_its_marker_and_cleaning_leaves_nothing(show: Show) -> None:
    bench = Bench(show.scene.data)
    host = show.host(bench)
    show.remove(host)
    as_it_was(show.before, bench)
    (item,) = track(bench, "VOID")
    assert (item["start"], item["duration"], item["offset"], item["take"]) == (86400, 4, 2, 2)
    assert [job["state"] for job in host.answer("jobs", {})["jobs"]] == ["done"]
    assert host.answer("clean", {})["left"] == []
    assert difference(show.before, bench.state()) == []


STEPS = (
    *("context", "shots", "plate", "matte", "saver"),
    *(f"{what} {version}" for version in ("v001", "v002") for what in ("send", "jobs", "place", "done")),
    "round trip",
)


@pytest.fixture(scope="module")
def reached(show: Show) -> dict[str, tuple[Step, dict[str, Any], list[str]]]:
    """Each step of a whole removal, with the Resolve that it finds, and the calls that it makes."""
    bench = Bench(show.scene.data)
    host = show.host(bench, "reached")
    found = {}
    for name, step in show.steps():
        world, count = copy.deepcopy(bench.world.data), len(bench.calls)
        step(host)
        found[name] = step, world, [call["call"] for call in bench.calls[count:]]
    assert tuple(found) == STEPS
    return found


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before its work", "after its work"])
@pytest.mark.parametrize("name", STEPS)
def test_wherever_the_connection_breaks_all_of_the_users_is_as_it_was(
    show: Show, reached: dict[str, Any], name: str, after: bool
) -> None:
    """Every call of the whole removal, each from where the removal has come to by then."""
    step, world, calls = reached[name]
    for index, call in enumerate(calls):
        if after and not changes(call):
            continue  # the same as before it
        bench = Bench(world, Knobs(raises_at=index, raises_after=after))
        host = show.host(bench, f"memory {name} {index} {after}")
        try:
            step(host)
        except HostError as error:
            assert call in error.message, index
            assert ";" in error.message, index
        assert (bench.calls[index]["call"], bench.calls[index]["result"]) == (call, "raised")
        bench.knobs.raises_at = None
        host.answer("leftovers", {})
        as_it_was(show.before, bench)
        if index % 16 == 0:
            show.remove(host)
            as_it_was(show.before, bench)
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
