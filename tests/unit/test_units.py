"""A shot cut into units, as a farm spreads them: together they deliver everything once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from void_plugin.settings import RenderSettings
from void_server.engines import Engine, EngineLimits, Setup
from void_server.engines.identity import IdentityEngine
from void_server.tiles import Box
from void_server.units import units_of
from void_server.windows import ClipLengths

ROI = Box(10, 20, 1354, 788)
KEY = "0" * 32


class PlateEngine(IdentityEngine):
    """Takes frames as they come."""

    name = "plate"


class ClipEngine(IdentityEngine):
    """Takes runs of frames that share some."""

    name = "clip"
    overlap = 0

    def limits(self) -> EngineLimits:
        return EngineLimits(raster=(384, 672), lengths=ClipLengths(5, 8, 29), overlap=self.overlap)


class ChainEngine(ClipEngine):
    """Each run goes on from the one before."""

    name = "chain"
    overlap = 4


def engine(kind: type[Engine]) -> Engine:
    return kind(Setup(RenderSettings()))


holes = st.lists(st.booleans(), min_size=1, max_size=150)
kinds = st.sampled_from([PlateEngine, ClipEngine, ChainEngine])


def boxes_of(seen: list[bool]) -> dict[int, Box | None]:
    return {1001 + index: Box(50, 60, 90, 100) if hole else None for index, hole in enumerate(seen)}


@settings(deadline=None)
@given(kinds, holes)
def test_every_frame_with_a_hole_is_delivered_by_one_unit_with_the_whole_roi(
    kind: type[Engine], seen: list[bool]
) -> None:
    boxes = boxes_of(seen)
    units = units_of(KEY, engine(kind), boxes, ROI)
    delivered = [frame for unit in units for frame in unit.frames]
    assert len(delivered) == len(set(delivered)), "units share a frame"
    assert {frame for frame, box in boxes.items() if box is not None} <= set(delivered) <= set(boxes)
    assert all(unit.roi == ROI and list(unit.frames) == sorted(unit.frames) for unit in units)


@settings(deadline=None)
@given(kinds, holes, st.integers(0, 9))
def test_the_same_shot_has_the_same_keys_and_no_two_units_share_one(
    kind: type[Engine], seen: list[bool], first: int
) -> None:
    units = units_of(KEY, engine(kind), boxes_of(seen), ROI)
    again = units_of(KEY, engine(kind), boxes_of(seen), ROI, first)
    assert [unit.key for unit in again] == [unit.key for unit in units]
    assert [unit.index for unit in again] == [first + unit.index for unit in units]
    assert len({unit.key for unit in units}) == len(units)


@settings(deadline=None)
@given(kinds, holes)
def test_another_plan_or_roi_has_other_keys(kind: type[Engine], seen: list[bool]) -> None:
    keys = {unit.key for unit in units_of(KEY, engine(kind), boxes_of(seen), ROI)}
    for plan, roi in (("1" * 32, ROI), (KEY, ROI.moved(1, 0))):
        assert keys.isdisjoint(unit.key for unit in units_of(plan, engine(kind), boxes_of(seen), roi))


@settings(deadline=None)
@given(holes)
def test_what_a_unit_goes_on_from_stands_before_it_and_delivers_what_it_looks_at(seen: list[bool]) -> None:
    units = units_of(KEY, engine(ChainEngine), boxes_of(seen), ROI)
    known: dict[str, tuple[int, ...]] = {}
    for unit in units:
        if unit.follows:
            assert set(unit.lead) <= set(known[unit.follows]) | {frame for frames in known.values() for frame in frames}
            assert unit.lead[-1] == known[unit.follows][-1] == unit.frames[0] - 1
        known[unit.key] = unit.frames
