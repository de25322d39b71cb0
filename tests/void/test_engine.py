"""The engine as the server sees it: what it asks for, what it delivers, what it counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tinyvoid import build_weights
from voidruns import WHOLE, Watched, count_calls, count_encodes, same, solve, unit_of
from voidshots import RASTER, SMALL, MakeEngine, moving_square

from void_plugin.config import Config
from void_plugin.errors import Cancelled, JobError, RequestError
from void_server.engines import KEEP, Kept, Setup
from void_server.engines.void import VoidEngine
from void_server.engines.void.memory import Memory
from void_server.engines.void.options import Options
from void_server.scenes import MemoryFrames, MemoryShelf
from void_server.windows import VOID_LENGTHS, VOID_SHORT_LENGTHS

# -- what it says of itself ---------------------------------------------------------------------------------------


def test_it_asks_for_clips_as_settings_say(make_engine: MakeEngine) -> None:
    limits = make_engine().limits()
    assert limits.raster == RASTER and limits.lengths == VOID_SHORT_LENGTHS and limits.overlap == 17
    assert limits.encoding == "encoded" and limits.snaps_grid and limits.generates and limits.devices == ("cpu",)
    assert make_engine(void_short_clips="pad").limits().lengths == VOID_LENGTHS


def test_it_is_ready_where_packages_weights_and_device_are(make_engine: MakeEngine) -> None:
    ready = make_engine().readiness()
    assert ready.problem is None and ready.memory == "full"


def test_without_a_gpu_it_says_so(machine: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    ready = VoidEngine(Setup(SMALL, machine=replace(machine, device="cuda"))).readiness()
    assert ready.problem == "VOID needs an NVIDIA GPU, and there is none here."


def test_without_weights_it_says_what_to_do(machine: Config, tmp_path: Path) -> None:
    ready = VoidEngine(Setup(SMALL, machine=replace(machine, weights=str(tmp_path)))).readiness()
    assert ready.problem is not None and "void-server models fetch" in ready.problem


def test_pass_1_alone_needs_no_weights_of_pass_2(machine: Config, weights: Path, tmp_path: Path) -> None:
    for file in weights.iterdir():
        if "pass2" not in file.name:
            (tmp_path / file.name).symlink_to(file)
    here = replace(machine, weights=str(tmp_path))
    assert VoidEngine(Setup(SMALL, machine=here)).readiness().problem is None
    problem = VoidEngine(Setup(replace(SMALL, void_passes=2), machine=here)).readiness().problem
    assert problem is not None and "void_pass2.safetensors" in problem


def test_its_digest_names_weights_and_what_changes_pixels(make_engine: MakeEngine, machine: Config) -> None:
    plain = make_engine().digest()
    assert plain == make_engine(void_steps=9).digest() != make_engine(void_passes=2).digest()
    for changed in (replace(machine, memory="fp8"), replace(machine, compile=True)):
        assert VoidEngine(Setup(SMALL, machine=changed)).digest() != plain
    assert VoidEngine(Setup(SMALL, machine=replace(machine, memory="offload"))).digest() == plain


def test_a_raster_it_cannot_work_at_is_refused(make_engine: MakeEngine) -> None:
    with pytest.raises(RequestError, match="multiples of 16"):
        make_engine(void_raster="100x64").limits()


def test_it_advises_about_the_prompt(make_engine: MakeEngine) -> None:
    assert [code for code, _ in make_engine(prompt="remove the man").advice()] == ["prompt_describes_removal"]
    assert list(make_engine().advice()) == []


# -- what it delivers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 5, 12, 13])
def test_as_many_frames_come_out_as_went_in(make_engine: MakeEngine, count: int) -> None:
    frames = moving_square(count)
    fills = solve(make_engine(), frames)
    assert list(fills) == list(frames.numbers)
    for fill in fills.values():
        assert fill.box == WHOLE and fill.pixels.shape == (*RASTER, 3) and fill.pixels.dtype == np.float32
        assert fill.pixels.min() >= 0 and fill.pixels.max() <= 1 and fill.pixels.std() > 1e-3
        assert (fill.confidence == 0).all() and fill.facts["coverage"] == 0


def test_short_clips_are_padded_to_a_window_by_default(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = count_encodes(monkeypatch)
    solve(make_engine(void_short_clips="pad", void_steps=1), moving_square(3))
    assert seen == [85, 85]


def test_frames_without_a_matte_get_no_fill(make_engine: MakeEngine) -> None:
    frames = moving_square(13, empty=(0, 1, 7))
    assert list(solve(make_engine(), frames)) == [n for i, n in enumerate(frames.numbers) if i not in (0, 1, 7)]


def test_the_same_request_gives_the_same_bytes(make_engine: MakeEngine) -> None:
    frames = moving_square(13)
    first = solve(make_engine(void_passes=2), frames)
    assert same(first, solve(make_engine(void_passes=2, fresh=True), frames))
    assert not same(first, solve(make_engine(void_passes=2, seed=8), frames))
    assert not same(first, solve(make_engine(void_passes=1), frames))


def test_bfloat16_gives_the_same_picture_to_its_accuracy(
    make_engine: MakeEngine, machine: Config, tmp_path: Path
) -> None:
    frames = moving_square(13)
    half = replace(machine, weights=str(build_weights(tmp_path / "half", dtype="bfloat16")))
    fills, exact = solve(VoidEngine(Setup(SMALL, machine=half)), frames), solve(make_engine(), frames)
    for number, fill in fills.items():
        assert float(np.abs(fill.pixels - exact[number].pixels).mean()) < 2e-2


def test_memory_modes_give_the_same_bytes(machine: Config) -> None:
    frames = moving_square(13)
    settings = replace(SMALL, void_passes=2)
    found = [
        solve(VoidEngine(Setup(settings, machine=replace(machine, memory=mode))), frames)
        for mode in ("full", "swap", "offload")
    ]
    assert same(found[0], found[1]) and same(found[0], found[2])


def test_settings_change_what_is_computed(make_engine: MakeEngine) -> None:
    frames = moving_square(13)
    plain = solve(make_engine(void_passes=2, prompt="waves"), frames)
    for changes in (
        {"void_mask_levels": "binary"},
        {"void_guidance": 3.0},
        {"void_pass2_steps": 3},
        {"prompt": "a lawn"},
    ):
        assert not same(plain, solve(make_engine(**{"void_passes": 2, "prompt": "waves", **changes}), frames))


# -- what it counts -----------------------------------------------------------------------------------------------


def test_everything_is_encoded_once_a_clip(make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded, called = count_encodes(monkeypatch), count_calls(monkeypatch)
    engine = make_engine(void_passes=2, fresh=True, prompt="a lawn")
    frames = moving_square(101)
    solve(engine, frames)
    assert encoded == [101, 101]  # mask, plate: both passes read the same
    # Two windows; pass 2 runs both texts in one call. Prompt and negative; mask, plate, and two decodings.
    assert called == {"pass1": 3 * 2, "pass2": 2 * 2, "text": 2, "vae": 4}
    called.clear()
    solve(engine, frames)
    assert "text" not in called


def test_guidance_by_an_empty_prompt_changes_nothing_and_is_left_out(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, called = moving_square(13), count_calls(monkeypatch)
    left_out = solve(make_engine(void_passes=2, fresh=True), frames)
    assert called["text"] == 1
    of = Options.of
    monkeypatch.setattr(Options, "of", lambda settings, prompt: of(settings, "as if there were a prompt"))
    run = solve(make_engine(void_passes=2, fresh=True), frames)
    for number, fill in run.items():
        np.testing.assert_allclose(fill.pixels, left_out[number].pixels, rtol=0, atol=1e-4)


def test_a_still_mask_is_encoded_from_one_frame(make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = count_encodes(monkeypatch)
    frames = moving_square(13)
    still = MemoryFrames(
        [frames.plate(n, WHOLE) for n in frames.numbers], [frames.labels(frames.numbers[0], WHOLE)] * 13
    )
    solve(make_engine(), still)
    assert encoded == [1, 13]


def test_a_window_without_matte_is_not_run(make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    called = count_calls(monkeypatch)
    frames = moving_square(101, empty=tuple(range(60, 101)))
    fills = solve(make_engine(), frames)
    assert called["pass1"] == 3 and len(fills) == 60
    called.clear()
    solve(make_engine(void_all_windows=True), frames)
    assert called["pass1"] == 3 * 2


def test_weights_stay_loaded_between_jobs(make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    from void_server.engines.void import parts

    opened: list[str] = []
    load = parts.load_transformer

    def counted(path: Path, *rest: Any) -> Any:
        opened.append(path.name)
        return load(path, *rest)

    monkeypatch.setattr(parts, "load_transformer", counted)
    kept = Kept()
    for seed in (1, 2):
        setup = make_engine(seed=seed).setup
        solve(VoidEngine(replace(setup, kept=kept)), moving_square(5))
    assert opened == ["void_pass1.safetensors"]


# -- what can go wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["reading", "step 2", "decoding"])
def test_it_stops_soon_after_a_cancel(make_engine: MakeEngine, at: str) -> None:
    frames, told = moving_square(13), [""]

    def progress(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
        told.append(text)

    engine = make_engine()
    with pytest.raises(Cancelled):
        list(engine.solve(unit_of(frames), frames, progress, lambda: at in told[-1], MemoryShelf()))
    assert at in told[-1]
    assert len(solve(engine, frames)) == 13


def test_a_number_that_is_not_finite_fails_the_job(
    make_engine: MakeEngine, machine: Config, weights: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    for file in weights.iterdir():
        (tmp_path / file.name).symlink_to(file)
    broken = load_file(weights / "void_pass1.safetensors")
    broken["proj_out.bias"][0] = float("nan")
    (tmp_path / "void_pass1.safetensors").unlink()
    save_file(broken, tmp_path / "void_pass1.safetensors")
    engine = VoidEngine(Setup(SMALL, machine=replace(machine, weights=str(tmp_path))))
    with pytest.raises(JobError, match=r"not finite in step 1 of 3, window 1 of 1"):
        solve(engine, moving_square(5))


def test_running_out_of_memory_is_told_and_the_job_goes_on(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, told = moving_square(13), []
    plain = solve(make_engine(), frames)
    place, failures = Memory._placed, ["pass1"]

    def placed(self: Memory, name: str) -> Any:
        if name in failures:
            failures.remove(name)
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return place(self, name)

    monkeypatch.setattr(Memory, "_placed", placed)
    engine = make_engine(fresh=True, warn=lambda code, frame, text: told.append(code))
    assert same(solve(engine, frames), plain) and told == ["memory_mode"]


def test_a_prompt_that_is_too_long_is_said_to_be_cut(make_engine: MakeEngine) -> None:
    told: list[tuple[str, str]] = []
    prompt = "a lawn in the sun " * 60 + "and a purple ending"
    engine = make_engine(fresh=True, prompt=prompt, warn=lambda code, frame, text: told.append((code, text)))
    solve(engine, moving_square(5))
    [(code, text)] = told
    assert code == "prompt_cut" and "226" in text


# -- what outlives a kill, and what goes on from it ---------------------------------------------------------------


@pytest.mark.parametrize("kill_at", [1, 2, 3, 4])
def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_bytes(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch, kill_at: int
) -> None:
    frames = moving_square(13)
    settings: dict[str, Any] = {"void_passes": 2, "void_steps": 7, "void_pass2_steps": 6}
    whole = solve(make_engine(**settings), frames)
    shelf = Watched(kill_at)  # after steps 5 and 7 of pass 1, 5 and 6 of pass 2
    with pytest.raises(KeyboardInterrupt):
        solve(make_engine(**settings), frames, shelf=shelf)
    called = count_calls(monkeypatch)
    assert same(solve(make_engine(**settings), frames, shelf=shelf), whole)
    left = {1: (2, 6), 2: (0, 6), 3: (0, 1), 4: (0, 0)}[kill_at]
    assert (called["pass1"], called["pass2"]) == left


def test_a_segment_goes_on_from_the_result_of_the_one_before(make_engine: MakeEngine) -> None:
    frames = moving_square(37)
    numbers = tuple(frames.numbers)
    first = MemoryShelf()
    one = solve(make_engine(), frames, unit_of(frames, frames=numbers[:21]), first)
    left = first.left
    assert left["frames"].shape == (17, *RASTER, 3)
    for at, number in enumerate(numbers[4:21]):
        hole = frames.labels(number, WHOLE) != KEEP
        assert (left["frames"][at][hole] == one[number].pixels[hole]).all()
        assert (left["frames"][at][~hole] == frames.plate(number, WHOLE)[~hole]).all()
    unit = unit_of(frames, index=1, frames=numbers[21:], lead=numbers[4:21], follows="k" * 32)
    second = solve(make_engine(), frames, unit, MemoryShelf(before=left))
    assert list(second) == list(numbers[21:])
    other = {"frames": np.zeros_like(left["frames"])}
    assert not same(second, solve(make_engine(), frames, unit, MemoryShelf(before=other)))
    alone = unit_of(frames, index=1, frames=numbers[21:], lead=numbers[4:21])
    assert not same(second, solve(make_engine(), frames, alone))


def test_the_last_segment_leaves_nothing(make_engine: MakeEngine) -> None:
    shelf = MemoryShelf()
    solve(make_engine(), moving_square(5), shelf=shelf)
    assert shelf.left == {}
