"""The detail stage: its geometry, its bands, and what it costs, delivers and survives."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tinyvoid import tiny_spec
from voidruns import WHOLE, Watched, count_calls, same, solve, unit_of
from voidshots import RASTER, MakeEngine, moving_square

from void_plugin.errors import Cancelled, JobError
from void_server.engines import KEEP, REMOVE
from void_server.engines.void import detail
from void_server.engines.void.denoise import Denoiser, Held, RotaryTables
from void_server.engines.void.latents import latent_windows
from void_server.engines.void.tiling import latent_box, tile_weights, tiles_over
from void_server.scenes import MemoryFrames, MemoryShelf
from void_server.tiles import Box

FINE = (2 * RASTER[0], 2 * RASTER[1])
TILED: dict[str, Any] = {"detail": "tiled", "void_steps": 6}
"""Two steps of the detail stage: 35 % of six."""


# -- geometry -----------------------------------------------------------------------------------------------------


@given(st.integers(2, 24), st.integers(2, 24), st.integers(1, 4))
def test_tiles_cover_everything_and_share_a_quarter_of_their_side(high: int, wide: int, factor: int) -> None:
    tile = (high * 16, wide * 16)
    size = (tile[0] * factor, tile[1] * factor)
    boxes = tiles_over(size, tile)
    covered = np.zeros(size, bool)
    for box in boxes:
        assert box.size == tile and Box(0, 0, size[1], size[0]).holds(box)
        assert box.x0 % 8 == 0 and box.y0 % 8 == 0
        covered[box.rows, box.columns] = True
    assert covered.all() and len(set(boxes)) == len(boxes)
    for edges, side in ((sorted({box.x0 for box in boxes}), tile[1]), (sorted({box.y0 for box in boxes}), tile[0])):
        assert all(other - one <= 0.75 * side for one, other in pairwise(edges))


def test_voids_raster_takes_nine_tiles() -> None:
    boxes = tiles_over((768, 1344), (384, 672))
    assert [(box.y0, box.x0) for box in boxes] == [(y, x) for y in (0, 192, 384) for x in (0, 336, 672)]


def test_tile_weights_fall_smoothly_from_the_middle_and_stay_above_nothing() -> None:
    weights = tile_weights((48, 84))
    assert weights.max() <= 1 and weights[24, 42] > 0.99 and weights.min() > 1e-4
    assert np.abs(np.diff(weights, axis=0)).max() < 0.07 and (weights == weights[::-1, ::-1]).all()


@given(st.integers(0, 1000))
def test_the_low_band_is_the_others_and_what_lies_above_stays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    fine, coarse = rng.random((*FINE, 3), np.float32), rng.random((*FINE, 3), np.float32)
    mixed = detail.with_low_band(fine, coarse)
    np.testing.assert_allclose(detail.low_band(mixed), detail.low_band(coarse), rtol=0, atol=2e-6)
    np.testing.assert_allclose(mixed - detail.low_band(mixed), fine - detail.low_band(fine), rtol=0, atol=2e-6)


def test_the_low_band_holds_what_a_sixteenth_of_the_size_can_show() -> None:
    x = (np.arange(96) + 0.5) / 96
    waves = [np.tile(np.cos(np.pi * k * x)[None, :, None], (64, 1, 3)).astype(np.float32) for k in (5, 6)]
    np.testing.assert_allclose(detail.low_band(waves[0]), waves[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(detail.low_band(waves[1]), 0, rtol=0, atol=1e-5)


# -- denoising in tiles -------------------------------------------------------------------------------------------


def tiled(call: Any, count: int = 26, **changes: Any) -> Denoiser:
    """A denoiser over four times the area of its tiles, in two windows and nine tiles."""
    scheduler = DDIMScheduler(**tiny_spec()["scheduler"])
    scheduler.set_timesteps(4)
    windows = latent_windows(count)
    given: dict[str, Any] = {
        "call": call,
        "scheduler": scheduler,
        "tables": RotaryTables(tiny_spec()["transformer"]),
        "text": torch.zeros(1, 226, 24),
        "guidance": 1.0,
        "condition": torch.randn(1, count, 32, 8, 12, generator=torch.Generator().manual_seed(1)),
        "windows": windows,
        "active": [True] * (len(windows) * 9),
        "tiles": [latent_box(box) for box in tiles_over(FINE, RASTER)],
    }
    return Denoiser(**{**given, **changes})


def pointwise(**inputs: Any) -> torch.Tensor:
    """A transformer that looks at every place by itself, and so cannot tell tiles from the whole."""
    seen: torch.Tensor = inputs["hidden_states"]
    return 0.3 * seen[:, :, :16] + 0.1 * seen[:, :, 16:32] - 0.2 * seen[:, :, 32:]


def noise(count: int = 26) -> torch.Tensor:
    return torch.randn(1, count, 16, 8, 12, generator=torch.Generator().manual_seed(2))


def nothing(step: int, latents: torch.Tensor) -> None:
    """Watches no step."""


def test_tiles_that_agree_give_what_the_whole_gives() -> None:
    whole = tiled(pointwise, tiles=(), active=[True, True]).run(noise(), nothing)
    torch.testing.assert_close(tiled(pointwise).run(noise(), nothing), whole, rtol=1e-4, atol=1e-4)


def test_every_tile_of_every_window_is_run_and_sees_its_own_crop_from_zero() -> None:
    calls: list[dict[str, Any]] = []

    def call(**inputs: Any) -> torch.Tensor:
        calls.append(inputs)
        return pointwise(**inputs)

    told: list[tuple[int, int]] = []
    start = noise()
    tiled(call, at_window=lambda step, part: told.append((step, part))).run(start, nothing, start=2)
    assert len(calls) == 2 * 2 * 9 and told[:18] == [(3, part) for part in range(1, 19)]
    assert (calls[4]["hidden_states"][:, :, :16] == start[:, :22, :, 2:6, 3:9]).all()
    assert all(call["image_rotary_emb"] is calls[0]["image_rotary_emb"] for call in calls[:9])


def test_latents_that_no_active_tile_holds_stay_those_of_the_plate() -> None:
    active = [True] + [False] * 8 + [False] * 9
    one = tiled(pointwise, active=active)
    found = one.run(noise(), nothing)
    plate = one.condition[:, :, 16:]
    assert (found[:, 22:] == plate[:, 22:]).all() and (found[..., 4:, :] == plate[..., 4:, :]).all()
    assert not (found[:, :22, :, :4, :6] == plate[:, :22, :, :4, :6]).any()


def test_held_latents_are_held_in_tiles_too() -> None:
    known, start = torch.randn(1, 5, 16, 8, 12, generator=torch.Generator().manual_seed(3)), noise()
    assert (tiled(pointwise, held=Held(known, start)).run(start, nothing)[:, :5] == known).all()


def test_a_number_that_is_not_finite_names_step_window_and_tile() -> None:
    calls: list[int] = []

    def broken(**inputs: Any) -> torch.Tensor:
        calls.append(1)
        return pointwise(**inputs) * (float("nan") if len(calls) == 18 + 9 + 4 else 1)

    with pytest.raises(JobError, match=r"step 2 of 4, window 2 of 2, tile 4 of 9"):
        tiled(broken).run(noise(), nothing)


# -- the stage ----------------------------------------------------------------------------------------------------


def test_it_delivers_twice_the_raster_in_the_same_boxes(make_engine: MakeEngine) -> None:
    frames = moving_square(5, enlargement=3)
    fills = solve(make_engine(**TILED), frames)
    assert list(fills) == list(frames.numbers)
    for fill in fills.values():
        assert fill.scale == 2 and fill.box == WHOLE and fill.pixels.shape == (*FINE, 3)
        assert fill.confidence.shape == FINE and fill.pixels.dtype == np.float32
        assert fill.pixels.min() >= 0 and fill.pixels.max() <= 1


def test_its_low_band_is_that_of_the_result_of_the_passes(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = moving_square(5, enlargement=3)
    coarse = solve(make_engine(void_steps=6), frames)
    made: list[NDArray[np.float32]] = []
    with_low_band = detail.with_low_band

    def noted(picture: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
        made.append(with_low_band(picture, other))
        return made[-1]

    monkeypatch.setattr(detail, "with_low_band", noted)
    fine = solve(make_engine(**TILED), frames)
    for (number, fill), before_clipping in zip(fine.items(), made, strict=True):
        base = detail.enlarged(coarse[number].pixels)
        np.testing.assert_allclose(detail.low_band(before_clipping), detail.low_band(base), rtol=0, atol=2e-6)
        assert (fill.pixels == np.clip(before_clipping, 0, 1)).all()
        assert np.abs(fill.pixels - base).max() > 0.02


def still_square(count: int, enlargement: float = 3.0) -> MemoryFrames:
    """Frames with a small matte in the top left corner, which only one tile of nine sees."""
    moving = moving_square(count)
    label = np.full(RASTER, KEEP, np.uint8)
    label[1:6, 1:8] = REMOVE
    return MemoryFrames([moving.plate(n, WHOLE) for n in moving.numbers], [label] * count, enlargement=enlargement)


@pytest.mark.parametrize(
    ("frames", "passes", "windows", "run"),
    [(still_square(93), 1, 2, 1), (moving_square(5, enlargement=3), 2, 1, 6)],
    ids=["two windows", "both passes"],
)
def test_it_runs_a_third_of_the_steps_of_pass_1_on_every_tile_with_a_matte(
    make_engine: MakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    frames: MemoryFrames,
    passes: int,
    windows: int,
    run: int,
) -> None:
    called = count_calls(monkeypatch)
    solve(make_engine(**TILED, void_passes=passes), frames)
    assert called["pass1"] == 6 * windows + 2 * windows * run and called["pass2"] == 2 * windows * (passes - 1)
    # Mask and plate, of every tile mask, result and plate; then what was run is decoded.
    assert called["vae"] == 2 + passes + 9 * 3 + run


def test_tiles_without_matte_are_left_out_and_show_the_result(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = still_square(5)
    coarse = solve(make_engine(void_steps=6), frames)
    called = count_calls(monkeypatch)
    fine = solve(make_engine(**TILED), frames)
    assert called["pass1"] == 6 + 2 * 1
    for number, fill in fine.items():
        moved = np.abs(fill.pixels - detail.enlarged(coarse[number].pixels))
        # What is taken out of the low band of the tile fades out beyond it.
        assert moved[40:, 60:].max() < 0.02 < moved[:24, :36].max()


def test_the_same_request_gives_the_same_bytes_and_another_seed_others(make_engine: MakeEngine) -> None:
    frames = moving_square(5, enlargement=3)
    first = solve(make_engine(**TILED), frames)
    assert same(first, solve(make_engine(**TILED, fresh=True), frames))
    assert not same(first, solve(make_engine(**TILED, seed=8), frames))


@pytest.mark.parametrize("enlargement", [1.0, 2.5])
def test_where_the_plate_is_hardly_finer_it_is_left_out_and_said_so(
    make_engine: MakeEngine, enlargement: float
) -> None:
    told: list[tuple[str, str]] = []
    frames = moving_square(5, enlargement=enlargement)
    engine = make_engine(**TILED, warn=lambda code, frame, text: told.append((code, text)))
    assert same(solve(engine, frames), solve(make_engine(void_steps=6), frames))
    [(code, text)] = told
    assert code == "detail_skipped" and f"{enlargement:.2f}" in text and "2.5" in text


@pytest.mark.parametrize("at", ["detail, step 5", "tile 4", "detail, decoding"])
def test_it_stops_soon_after_a_cancel(make_engine: MakeEngine, at: str) -> None:
    frames, told = moving_square(5, enlargement=3), [""]

    def progress(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
        told.append(text)

    with pytest.raises(Cancelled):
        list(make_engine(**TILED).solve(unit_of(frames), frames, progress, lambda: at in told[-1], MemoryShelf()))
    assert at in told[-1] and sum(at in text for text in told) == 1


@pytest.mark.parametrize(("kill_at", "left"), [(2, 2 * 6), (3, 1 * 6), (4, 0)])
def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_bytes(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, kill_at: int, left: int
) -> None:
    frames = moving_square(5, enlargement=3)
    whole = solve(make_engine(**TILED), frames)
    shelf = Watched(kill_at)  # after steps 5 and 6 of pass 1, 5 and 6 of the detail stage
    with pytest.raises(KeyboardInterrupt):
        solve(make_engine(**TILED), frames, shelf=shelf)
    called = count_calls(monkeypatch)
    assert same(solve(make_engine(**TILED), frames, shelf=shelf), whole)
    assert called["pass1"] == left


def test_a_segment_goes_on_from_the_detail_of_the_one_before(make_engine: MakeEngine) -> None:
    frames, settings = still_square(21), {**TILED, "void_steps": 3}
    numbers = tuple(frames.numbers)
    first = MemoryShelf()
    one = solve(make_engine(**settings), frames, unit_of(frames, frames=numbers[:18]), first)
    finer, whole = frames.enlarged(2), Box(0, 0, FINE[1], FINE[0])
    assert first.left["frames"].shape == (17, *RASTER, 3) and first.left["detail"].shape == (17, *FINE, 3)
    for at, number in enumerate(numbers[1:18]):
        hole = finer.labels(number, whole) != KEEP
        assert (first.left["detail"][at][hole] == one[number].pixels[hole]).all()
        assert (first.left["detail"][at][~hole] == finer.plate(number, whole)[~hole]).all()
    unit = unit_of(frames, index=1, frames=numbers[18:], lead=numbers[1:18], follows="k" * 32)
    second = solve(make_engine(**settings), frames, unit, MemoryShelf(before=first.left))
    assert list(second) == list(numbers[18:])
    other = {**first.left, "detail": np.zeros_like(first.left["detail"])}
    assert not same(second, solve(make_engine(**settings), frames, unit, MemoryShelf(before=other)))
