"""How units become tasks and frames become chunks."""

from __future__ import annotations

import math
from dataclasses import replace

from farms import recover_units, request_of, void_units
from hypothesis import given, settings
from hypothesis import strategies as st
from openjd.model._step_param_space_iter import divide_int_interval_into_chunks

from void_plugin.farm.packing import LOADS, MOST_TASKS, SHORTEST_SECONDS, chained, chunks, numbers, pack, seconds_of
from void_plugin.farm.planning import Unit
from void_plugin.farm.site import Rates
from void_plugin.frames import FrameRange
from void_plugin.settings import RenderSettings

RATES = Rates()
REQUEST = request_of(engine="void")


@st.composite
def some_units(draw: st.DrawFn) -> list[Unit]:
    """Units of which each may need some before it."""
    count = draw(st.integers(1, 40))
    device = draw(st.sampled_from(["cpu", "cuda"]))
    units = []
    for index in range(count):
        needs = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        units.append(Unit(index, f"{index:032x}", "void", device, draw(st.integers(1, 200)), tuple(sorted(needs))))
    return units


@settings(deadline=None)
@given(some_units(), st.integers(0, 9), st.booleans())
def test_every_unit_is_in_one_task_after_all_it_needs(units: list[Unit], per_task: int, loads_each: bool) -> None:
    packed = pack(units, REQUEST, RATES, per_task, loads_each)
    assert sorted(unit.index for task in packed.tasks for unit in task) == [unit.index for unit in units]
    for task in packed.tasks:
        done: set[int] = set()
        for unit in task:
            assert set(unit.needs) <= done
            done.add(unit.index)


@settings(deadline=None)
@given(some_units(), st.integers(0, 9), st.booleans())
def test_packing_the_same_gives_the_same(units: list[Unit], per_task: int, loads_each: bool) -> None:
    assert pack(units, REQUEST, RATES, per_task, loads_each) == pack(units, REQUEST, RATES, per_task, loads_each)


@settings(deadline=None)
@given(some_units(), st.integers(1, 9))
def test_no_task_has_more_units_than_asked_but_for_a_chain(units: list[Unit], per_task: int) -> None:
    chains = {chain for chain in chained(units)}
    for task in pack(units, REQUEST, RATES, per_task, loads_each=True).tasks:
        assert len(task) <= per_task or task in chains


@settings(deadline=None)
@given(some_units())
def test_a_task_that_loads_the_model_is_worth_it(units: list[Unit]) -> None:
    units = [replace(unit, device="cuda") for unit in units]
    tasks = pack(units, REQUEST, RATES, 0, loads_each=True).tasks
    for task in tasks[:-1]:  # the last takes what is left
        assert sum(seconds_of(unit, REQUEST, RATES) for unit in task) >= LOADS * RATES.load


@settings(deadline=None)
@given(some_units())
def test_chains_share_no_unit_and_nothing_needs_another_chain(units: list[Unit]) -> None:
    chains = chained(units)
    assert sorted(unit.index for chain in chains for unit in chain) == [unit.index for unit in units]
    for chain in chains:
        assert {need for unit in chain for need in unit.needs} <= {unit.index for unit in chain}


@settings(deadline=None)
@given(st.integers(-200, 2000), st.integers(1, 2000), st.integers(1, 400))
def test_chunks_are_contiguous_and_cover_the_range_once(first: int, count: int, size: int) -> None:
    frames = FrameRange(first, first + count - 1)
    found = chunks(frames, size)
    assert [frame for chunk in found for frame in chunk] == list(frames)
    lengths = {len(chunk) for chunk in found}
    assert max(lengths) <= size and max(lengths) - min(lengths) <= 1
    assert len(found) == math.ceil(count / size)


@settings(deadline=None)
@given(st.integers(-200, 2000), st.integers(1, 2000), st.integers(1, 400))
def test_chunks_are_those_that_openjd_makes(first: int, count: int, size: int) -> None:
    found = [f"{chunk.first}-{chunk.last}" for chunk in chunks(FrameRange(first, first + count - 1), size)]
    assert found == divide_int_interval_into_chunks(size, first, first + count - 1)


@settings(deadline=None)
@given(st.sets(st.integers(0, 300), min_size=1))
def test_numbers_can_be_read_back(wanted: set[int]) -> None:
    read = [number for part in numbers(sorted(wanted)).split(",") for number in FrameRange.parse(part)]
    assert read == sorted(wanted)


def test_a_long_shot_of_void_is_one_task_because_its_segments_go_on_from_one_another() -> None:
    units = void_units(FrameRange(1, 500))
    assert [unit.needs for unit in units] == [(), (0,), (1,)]
    assert len(pack(units, REQUEST, RATES, 1, loads_each=False).tasks) == 1


def test_short_units_share_a_task() -> None:
    packed = pack(recover_units(FrameRange(1, 200)), REQUEST, RATES, 0, loads_each=False)
    least = SHORTEST_SECONDS / (4 * RATES.recover_frame)
    assert {len(task) for task in packed.tasks[:-1]} == {math.ceil(least)}


def test_no_step_has_more_tasks_than_a_queue_takes() -> None:
    units = [replace(unit, device="cuda", count=4000) for unit in recover_units(FrameRange(1, 20_000))]
    assert len(units) > MOST_TASKS
    assert len(pack(units, REQUEST, RATES, 0, loads_each=False).tasks) <= MOST_TASKS
    assert len(pack(units, REQUEST, RATES, 1, loads_each=False).tasks) <= MOST_TASKS


def test_the_time_of_a_unit_follows_its_windows_passes_and_raster() -> None:
    def seconds(count: int, **settings: object) -> float:
        request = replace(REQUEST, prompt="a street", settings=RenderSettings(**settings))  # type: ignore[arg-type]
        return seconds_of(Unit(0, "", "void", "cuda", count), request, RATES)

    one = seconds(85)
    assert math.isclose(one, 30 * RATES.step)
    assert seconds(10) == one and [round(seconds(count) / one, 6) for count in (86, 154, 197)] == [2, 2, 3]
    assert math.isclose(seconds(85, void_passes=2), (30 + 2 * 50) * RATES.step)
    assert math.isclose(seconds(85, void_raster="1344x768"), 4 * one)


def test_what_is_solved_costs_nothing_again() -> None:
    units = recover_units(FrameRange(1, 40))
    half = [replace(unit, solved=unit.index < 5) for unit in units]
    whole = pack(units, REQUEST, RATES, 0, loads_each=False)
    assert pack(half, REQUEST, RATES, 0, loads_each=False).seconds == whole.seconds / 2
