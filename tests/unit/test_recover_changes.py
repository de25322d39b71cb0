"""What was moved for good while a locked-off camera did not see it is filled as it is now; what only passes is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from void_plugin.settings import RenderSettings
from void_server.engines import Setup, Unit
from void_server.engines.recover import RecoverEngine
from void_server.engines.recover.changes import FEWEST_STEPS, Cells, out_of_date
from void_server.scenes import MemoryFrames, MemoryShelf, Scene, quadmask
from void_server.tiles import Box

CELLS = 500
SPOT = np.s_[100:120, 250:270]
"""Hidden by the figure of SIZE and COUNT in frames 16 and 17, and touched by it from 14 to 19."""
SIZE, COUNT, BEHIND = (216, 384), 24, 18


def seen_through(light: float, since: int, until: int, grain: str) -> float:
    """What the fill of frame BEHIND shows of a spot that is lighter from one frame until before another."""
    scene = Scene("static", SIZE, COUNT)
    shots = [scene.frame(number) for number in scene.numbers]
    for index in range(since, until):
        shots[index].plate[SPOT] += np.float32(light) * (1 - shots[index].object_matte[SPOT][..., None])
    engine = RecoverEngine(Setup(RenderSettings(recover_affected="fill", recover_grain=grain)))
    labels = [quadmask(shot.object_matte, shot.affected_matte, 2) for shot in shots]
    frames = MemoryFrames([shot.plate for shot in shots], labels, fills=engine.fills())
    frames.analysis = engine.analyse(frames, lambda *_, **__: None, lambda: False)
    assert frames.analysis["locked"].all()
    unit = Unit(0, "key", (frames.numbers[BEHIND],), Box(0, 0, 1, 1))
    (fill,) = engine.solve(unit, frames, lambda *_, **__: None, lambda: False, MemoryShelf())
    assert fill.facts["coverage"] == 1.0
    whole = np.full((*SIZE, 3), np.nan, np.float32)
    whole[fill.box.rows, fill.box.columns] = fill.pixels
    hidden = labels[BEHIND][SPOT] < 255
    assert hidden.mean() > 0.2
    return float((whole[SPOT] - shots[BEHIND].truth[SPOT])[hidden].mean())


@pytest.mark.parametrize("grain", ["clean", "source"])
def test_what_was_put_down_while_hidden_is_there_afterwards(grain: str) -> None:
    assert seen_through(0.3, 17, COUNT, grain) == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("grain", ["clean", "source"])
def test_what_only_passes_is_not_filled_in(grain: str) -> None:
    assert seen_through(0.3, 19, 22, grain) == pytest.approx(0.0, abs=0.02)


def samples(count: int, seed: int = 3) -> NDArray[np.float32]:
    """Cells of grain around one half, as (sources, 3, cells)."""
    return np.random.default_rng(seed).normal(0.5, 0.01, (count, 3, CELLS)).astype(np.float32)


def test_grain_puts_hardly_a_source_out_of_date() -> None:
    assert out_of_date(samples(24), range(24), 11).mean() < 0.01


def test_a_change_puts_the_sources_beyond_it_out_of_date_on_either_side() -> None:
    light = samples(24)
    light[12:] += np.float32(0.2)
    for target, old in ((14, slice(0, 12)), (9, slice(12, 24))):
        stale = out_of_date(light, range(24), target)
        assert stale[old].mean() > 0.99 and stale.mean() < 0.52


def test_sources_need_not_come_in_the_order_of_time() -> None:
    light, order = samples(24), np.random.default_rng(1).permutation(24)
    light[12:] += np.float32(0.2)
    mixed = out_of_date(light[order], order.tolist(), 14)
    assert np.array_equal(mixed, out_of_date(light, range(24), 14)[order])


def test_a_source_that_shows_nothing_is_never_out_of_date_and_no_end_of_time() -> None:
    light = samples(24)
    light[12:] += np.float32(0.2)
    light[[0, 1, 13, 14, 23]] = np.inf
    stale = out_of_date(light, range(24), 15)
    assert stale[2:12].mean() > 0.99 and not stale[[0, 1, 13, 14, 23]].any()
    assert not out_of_date(np.full_like(light, np.inf), range(24), 15).any()


@pytest.mark.parametrize("missing", [[], [4]])
@pytest.mark.parametrize("count", [1, 2, FEWEST_STEPS])
def test_few_sources_do_not_tell_grain_from_change(count: int, missing: list[int]) -> None:
    light = samples(count + len(missing))
    light[count // 2 :] += np.float32(0.2)
    light[[index for index in missing if index < count]] = np.inf
    assert not out_of_date(light, range(len(light)), 1).any()


def test_cells_are_means_of_what_may_be_used_wherever_the_box_ends() -> None:
    random = np.random.default_rng(2)
    light, usable = random.random((11, 14, 3), np.float32), np.ones((11, 14), bool)
    usable[5, 6] = False
    hole = np.zeros((11, 14), bool)
    hole[4:11, 4:14] = True
    places = np.flatnonzero(hole)
    cells = Cells.around(places, hole.shape)
    means = cells.means(light.reshape(-1, 3), usable.ravel())
    assert means.shape == (3, 6)
    by_pixel = np.zeros((11, 14), int)
    by_pixel.ravel()[places] = cells.of
    assert np.isinf(means[:, by_pixel[4, 4]]).all() and np.isinf(means[:, by_pixel[7, 7]]).all()
    assert np.allclose(means[:, by_pixel[4, 8]], light[5:7, 9:11].mean(axis=(0, 1)))
    assert np.allclose(means[:, by_pixel[10, 13]], light[9:11, 13].mean(axis=0))
