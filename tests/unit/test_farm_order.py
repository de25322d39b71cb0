"""What a farm task is asked: units and roots as words, plans read without their pixels, files waited for."""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path

import pytest

from void_plugin.errors import Cancelled, FarmError, RequestError
from void_plugin.request import ImageInput, Output, RemovalRequest
from void_server.farmorder import Order, check_folders, given_frames, is_done, read_plan, used_roots
from void_server.farmworker import unit_numbers
from void_server.jobfolder import JobFolder, write_json
from void_server.planfile import PIXELS_VERSION, PLAN_VERSION, PlanFile
from void_server.visibility import Patience

PLAN = {
    "plan_version": PLAN_VERSION,
    "pixels_version": PIXELS_VERSION,
    "key": "plan",
    "engine": "recover",
    "units": [{"index": 0, "key": "a"}, {"index": 1, "key": "b"}],
}


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    made = JobFolder(tmp_path / "job")
    request = RemovalRequest(
        plate=ImageInput("<plate>/p.%04d.exr"),
        object_matte=ImageInput("<mattes>/m.%04d.exr"),
        outputs=(Output("patch", "<out>/r.%04d.exr"),),
        roots={"plate": "/show/plates", "mattes": "/show/mattes", "out": "/show/out", "unused": "/show/else"},
        frames=None,
    )
    made.create()
    made.request.write_text(request.to_json())
    write_json(made.plan, PLAN)
    return made


def patience(seconds: float = 0.0, said: list[str] | None = None, stop: threading.Event | None = None) -> Patience:
    told = [] if said is None else said
    return Patience(seconds, (stop or threading.Event()).is_set, told.append)


def order(folder: JobFolder, **changes: object) -> Order:
    return Order(**{"step": "solve", "job": str(folder.path), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "units"), [("3", (3,)), ("0-3,7", (0, 1, 2, 3, 7)), ("2,1,1-2", (1, 2)), ("5-5", (5,))]
)
def test_units_are_written_as_numbers_and_ranges(text: str, units: tuple[int, ...]) -> None:
    assert unit_numbers(text) == units


@pytest.mark.parametrize("text", ["", "a", "-1", "3-1", "1,,2", "1-", "0-99999999999", "1 2", "²"])
def test_what_is_no_number_of_a_unit_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="0-3,7"):
        unit_numbers(text)


def test_an_order_survives_the_way_to_a_daemon(folder: JobFolder) -> None:
    given = order(folder, units=(1, 0), frames="1001-1004", key="k", roots={"plate": "/x"}, wait_seconds=3.5)
    assert Order.from_dict(json.loads(json.dumps(given.to_dict()))) == given


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ({"units": (0, 1, 2, 7)}, "solve-0-2,7"),
        ({}, "solve"),
        ({"step": "compose", "frames": "1001-1004"}, "compose-1001-1004"),
        ({"step": "verify"}, "verify"),
    ],
)
def test_tasks_of_a_job_have_names_of_their_own(folder: JobFolder, given: dict[str, object], label: str) -> None:
    assert order(folder, **given).label == label


def test_a_task_of_many_scattered_units_has_a_short_name_too(folder: JobFolder) -> None:
    labels = {order(folder, units=tuple(range(first, 2000, 2))).label for first in (0, 1)}
    assert len(labels) == 2 and all(len(label) < 40 for label in labels)


def test_roots_are_replaced_by_name_and_the_request_stays_as_it_is(folder: JobFolder) -> None:
    before = folder.request.read_bytes()
    request = order(folder, roots={"plate": "/mnt/plates"}).request()
    assert request.sequence("plate").pattern == "/mnt/plates/p.%04d.exr"
    assert request.sequence("object_matte").pattern == "/show/mattes/m.%04d.exr"
    assert folder.request.read_bytes() == before
    with pytest.raises(RequestError, match=r"has no root plates; it has .*plate"):
        order(folder, roots={"plates": "/mnt"}).request()


def test_only_folders_that_are_used_have_to_be_there(folder: JobFolder, tmp_path: Path) -> None:
    roots = {name: str(tmp_path) for name in ("plate", "mattes", "out")}
    request = order(folder, roots=roots).request()
    assert used_roots(request) == dict(sorted(roots.items()))
    check_folders(request, patience())
    request = order(folder, roots={**roots, "mattes": "/nowhere/mattes"}).request()
    with pytest.raises(FarmError, match=r"no folder /nowhere/mattes, which is <mattes>") as caught:
        check_folders(request, patience())
    assert caught.value.exit_code == 69


def test_a_plan_tells_its_units(folder: JobFolder) -> None:
    plan = read_plan(order(folder, units=(1,), key="plan"), patience())
    assert plan == PlanFile("plan", "recover", {0: "a", 1: "b"})
    assert read_plan(order(folder, units=(1,), key="b"), patience()) == plan
    with pytest.raises(RequestError, match="submitted for"):
        read_plan(order(folder, units=(1,), key="a"), patience())


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", json.dumps({**PLAN, "units": [{}]}), json.dumps({**PLAN, "units": 3})],
)
def test_a_plan_that_is_none_is_refused(folder: JobFolder, content: str) -> None:
    folder.plan.write_text(content)
    with pytest.raises(RequestError) as caught:
        read_plan(order(folder), patience())
    assert caught.value.code == "request.plan" and caught.value.exit_code == 65


def test_a_solve_is_done_when_all_its_units_are(folder: JobFolder) -> None:
    plan = PlanFile.load(folder)
    write_json(folder.unit_manifest("a"), {})
    assert is_done(order(folder, units=(0,)), plan)
    assert not is_done(order(folder, units=(0, 1)), plan) and not is_done(order(folder), plan)
    assert not is_done(order(folder, step="compose"), plan)
    write_json(folder.unit_manifest("b"), {})
    assert is_done(order(folder), plan)


def test_frames_are_those_of_the_job(folder: JobFolder) -> None:
    from dataclasses import replace

    from void_plugin.frames import FrameRange

    request = replace(order(folder).request(), frames=FrameRange(1001, 1010))
    assert given_frames("", request) == FrameRange(1001, 1010)
    assert given_frames("1003", request) == FrameRange(1003, 1003)
    with pytest.raises(RequestError, match="1001-1010"):
        given_frames("1009-1011", request)


# -- waiting for files --------------------------------------------------------------------------------------------


def test_what_is_there_is_not_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    assert patience(60, said).wait_for([str(tmp_path)], "a folder") == [] and not said


def test_what_comes_late_is_found(tmp_path: Path) -> None:
    said: list[str] = []
    path = tmp_path / "late"
    threading.Timer(0.3, path.touch).start()
    assert patience(60, said).wait_for([str(path)], "a file") == []
    assert said == [f"Waiting for a file: {path}"]


def test_what_never_comes_is_named_and_patience_is_shared_by_all_waits(tmp_path: Path) -> None:
    said: list[str] = []
    paths = [str(tmp_path / "a"), str(tmp_path), str(tmp_path / "b")]
    given = patience(0.4, said)
    begun = time.monotonic()
    for _ in range(5):
        assert given.wait_for(paths, "files") == [paths[0], paths[2]]
    assert 0.4 <= time.monotonic() - begun < 5 * 0.4
    assert said == [f"Waiting for files: {paths[0]} and 1 more"]


def test_waiting_is_given_up_when_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        patience(3600, stop=stop).wait_for([str(tmp_path / "a")], "a file")
