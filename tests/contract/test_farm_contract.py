"""What every farm does alike, whatever queue manager is behind it. Backends add their bench to tests/farmbenches.py."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from farmbenches import BENCHES, Bench

from void_plugin.errors import FarmError
from void_plugin.farm import FARMS, Farm, JobRef, JobStatus, Options, errors_in, open_farm
from void_plugin.farm.jobs import LEVELS, STATES


@pytest.fixture(params=sorted(BENCHES), scope="module")
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    kind = BENCHES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    with kind(folder, *map(request.getfixturevalue, kind.uses)) as bench:
        yield bench


class Done(NamedTuple):
    """A job that was waited for until it had succeeded."""

    farm: Farm
    ref: JobRef
    told: list[JobStatus]
    last: JobStatus
    calls: list[dict[str, str]]


@pytest.fixture(scope="module")
def done(bench: Bench) -> Done:
    """One for all tests that change nothing about it: a job takes seconds, whatever its tasks do."""
    farm, ref = bench.submit(seconds=0.1)
    told: list[JobStatus] = []
    last = farm.wait(ref, told.append)
    return Done(farm, ref, told, last, bench.calls())


def test_a_farm_is_called_what_the_table_calls_it(bench: Bench) -> None:
    assert bench.name in FARMS and bench.farm().name == bench.name


def test_a_translation_is_pure(bench: Bench) -> None:
    bundle = bench.bundle()
    before = sorted(bench.folder.rglob("*"))
    first = bench.farm().translate(bundle, Options())
    assert first == bench.farm().translate(bundle, Options())
    assert sorted(bench.folder.rglob("*")) == before


def test_a_sound_bundle_is_not_objected_to(bench: Bench) -> None:
    findings = bench.farm().check(bench.bundle(), Options())
    assert not errors_in(findings) and all(finding.level in LEVELS for finding in findings)


def test_a_job_runs_every_task_in_the_order_of_its_steps(done: Done) -> None:
    status = done.last
    assert (status.state, status.fraction) == ("succeeded", 1.0), (status, list(done.farm.logs(done.ref)))
    assert Path(status.result).name == "result.json" and Path(status.result).is_file()
    assert [(step.name, step.state, step.done, step.failed) for step in status.steps] == [
        ("Solve", "succeeded", 2, 0), ("Compose", "succeeded", 2, 0), ("Verify", "succeeded", 1, 0),
    ]  # fmt: skip
    calls = [call for call in done.calls if call["what"] == "done"]
    assert [call["step"] for call in calls] == ["solve", "solve", "compose", "compose", "verify"]
    assert sorted(call.get("unit", "") for call in calls)[3:] == ["0", "1"]
    assert sorted(call.get("frames", "") for call in calls)[3:] == ["1001-1004", "1005-1008"]


def test_a_job_is_named_and_kept(bench: Bench, done: Done) -> None:
    assert done.ref.farm == bench.name and JobRef.parse(str(done.ref)) == done.ref
    record = bench.farm().records.find(done.ref)
    assert record.shot == "sh010" and Path(record.bundle, "template.json").is_file()
    assert [kept.ref for kept in done.farm.records.all()].count(done.ref) == 1


def test_a_status_can_be_told_as_json(done: Done) -> None:
    for status in (*done.told, done.farm.status(done.ref)):
        told = json.loads(json.dumps(status.to_dict()))
        assert told["ref"] == str(done.ref) and told["state"] in STATES and 0 <= told["fraction"] <= 1


def test_what_follows_a_failed_task_is_not_run(bench: Bench) -> None:
    farm = bench.farm()
    ref = farm.submit(bench.bundle(fail="compose"), Options(retries=0))
    status = bench.ended(farm, ref)
    assert status.state == "failed" and status.text and not status.result
    assert not [call for call in bench.calls() if call.get("step") == "verify"]
    assert any("The fake cannot compose" in line for line in farm.logs(ref))


def test_a_cancelled_job_stops_at_a_checkpoint_and_stays_cancelled(bench: Bench) -> None:
    farm, ref = bench.submit(seconds=600)
    bench.until(farm, ref, lambda status: any(call["what"] == "begun" for call in bench.calls()))
    farm.cancel(ref)
    farm.cancel(ref)
    assert bench.ended(farm, ref).state == "cancelled"
    assert "done" not in {call["what"] for call in bench.calls()}
    farm.cancel(ref)
    assert farm.status(ref).state == "cancelled"


def test_cancelling_what_has_ended_changes_nothing(done: Done) -> None:
    done.farm.cancel(done.ref)
    assert done.farm.status(done.ref).state == "succeeded"


def test_the_log_holds_what_the_tasks_wrote(done: Done) -> None:
    lines = list(done.farm.logs(done.ref))
    for said in ("did solve", "did compose", "did verify"):
        assert any(said in line for line in lines), lines


def test_waiting_tells_each_state_once_and_returns_the_last(done: Done) -> None:
    assert done.last.state == "succeeded" and done.told[-1] == done.last
    assert all(before != after for before, after in itertools.pairwise(done.told))


def test_a_job_that_nobody_knows_is_told_so(bench: Bench) -> None:
    farm = bench.farm()
    for ask in (farm.status, farm.cancel, lambda ref: list(farm.logs(ref))):
        with pytest.raises(FarmError) as error:
            ask(JobRef(bench.name, "999999999"))
        assert error.value.code == "farm.job_unknown"


def test_the_doctor_finds_nothing_wrong_with_what_works(bench: Bench) -> None:
    findings = bench.farm().doctor()
    assert findings and not errors_in(findings), findings


def test_an_absent_program_is_told_before_and_at_submit(bench: Bench) -> None:
    farm = bench.absent()
    if farm is None:
        pytest.skip("this farm needs no program")
    bundle, before = bench.bundle(), farm.records.all()
    assert errors_in(farm.check(bundle, Options())) and errors_in(farm.doctor())
    with pytest.raises(FarmError) as error:
        farm.submit(bundle, Options())
    assert error.value.code == "farm.program" and farm.records.all() == before


def test_a_site_key_that_does_not_exist_is_named(bench: Bench) -> None:
    from dataclasses import replace

    site = replace(bench.site, path="site.toml", sections={bench.name: {"colour_of_the_cable": "red"}})
    farm = open_farm(bench.name, site, bench.environment)
    assert any("colour_of_the_cable" in finding.text for finding in errors_in(farm.doctor()))
