"""The steps of one pass, with a transformer that is a formula."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from tinyvoid import tiny_spec

from void_plugin.errors import JobError, RequestError
from void_server.engines.void.denoise import Denoiser, Held, RotaryTables
from void_server.engines.void.latents import latent_windows

STEPS = 4


class Formula:
    """Stands in for the transformer: a velocity that is easy to follow, and a note of every call."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, **inputs: Any) -> torch.Tensor:
        self.calls.append(inputs)
        seen: torch.Tensor = inputs["hidden_states"]
        told = inputs["encoder_hidden_states"].mean(dim=(1, 2)).reshape(-1, 1, 1, 1, 1)
        return 0.3 * seen[:, :, :16] + 0.1 * seen[:, :, 16:32] - 0.2 * seen[:, :, 32:] + told


def denoiser(count: int = 26, **changes: Any) -> Denoiser:
    scheduler = DDIMScheduler(**tiny_spec()["scheduler"])
    scheduler.set_timesteps(STEPS)
    torch.manual_seed(1)
    windows = latent_windows(count)
    given: dict[str, Any] = {
        "call": Formula(),
        "scheduler": scheduler,
        "tables": RotaryTables(tiny_spec()["transformer"]),
        "text": torch.zeros(1, 226, 24),
        "guidance": 1.0,
        "condition": torch.randn(1, count, 32, 4, 6),
        "windows": windows,
        "active": [True] * len(windows),
    }
    return Denoiser(**{**given, **changes})


def noise(count: int = 26) -> torch.Tensor:
    return torch.randn(1, count, 16, 4, 6, generator=torch.Generator().manual_seed(2))


def nothing(step: int, latents: torch.Tensor) -> None:
    """Watches no step."""


def test_every_window_is_run_at_every_step() -> None:
    one = denoiser()
    one.run(noise(), nothing)
    assert len(one.call.calls) == STEPS * 2  # type: ignore[attr-defined]
    assert [call["hidden_states"].shape[1] for call in one.call.calls[:2]] == [22, 8]  # type: ignore[attr-defined]


def test_latents_mask_and_video_lie_in_this_order() -> None:
    one = denoiser(count=6)
    start = noise(6)
    one.run(start, nothing)
    seen = one.call.calls[0]["hidden_states"]  # type: ignore[attr-defined]
    assert seen.shape[2] == 48
    assert (seen[:, :, :16] == start).all() and (seen[:, :, 16:] == one.condition).all()


def test_guidance_runs_both_texts_in_one_call() -> None:
    negative, positive = torch.zeros(1, 226, 24), torch.ones(1, 226, 24)
    guided = denoiser(count=6, text=torch.cat([negative, positive]), guidance=6.0)
    guided.run(noise(6), nothing)
    assert len(guided.call.calls) == STEPS  # type: ignore[attr-defined]
    seen = guided.call.calls[0]["hidden_states"]  # type: ignore[attr-defined]
    assert seen.shape[0] == 2 and (seen[0] == seen[1]).all()
    # The formula adds the text's mean: without 0, with 1; guidance 6 makes 6 of it.
    plain = denoiser(count=6, text=torch.full((1, 226, 24), 6.0))
    torch.testing.assert_close(guided.run(noise(6), nothing), plain.run(noise(6), nothing), rtol=1e-4, atol=1e-4)


def test_going_on_after_some_steps_gives_the_same_bits() -> None:
    after: dict[int, torch.Tensor] = {}
    whole = denoiser().run(noise(), after.__setitem__)
    for start, latents in after.items():
        assert (denoiser().run(latents, nothing, start=start) == whole).all()


def test_windows_without_matte_are_not_run_and_show_the_plate() -> None:
    one = denoiser(active=[True, False])
    found = one.run(noise(), nothing)
    assert len(one.call.calls) == STEPS  # type: ignore[attr-defined]
    assert (found[:, 22:] == one.condition[:, 22:, 16:]).all()
    assert not (found[:, 18:22] == one.condition[:, 18:22, 16:]).any()


def test_held_latents_come_out_as_they_are_and_are_as_noisy_as_the_rest_on_the_way() -> None:
    known = torch.randn(1, 5, 16, 4, 6)
    start = noise()
    one = denoiser(held=Held(known, start))
    found = one.run(start, nothing)
    assert (found[:, :5] == known).all()
    calls = one.call.calls  # type: ignore[attr-defined]
    scheduler = one.scheduler
    for index, step in enumerate(scheduler.timesteps):
        seen = calls[2 * index]["hidden_states"][:, :5, :16]
        torch.testing.assert_close(seen, scheduler.add_noise(known, start[:, :5], step[None]))
    assert (calls[0]["hidden_states"][:, :5, :16] - start[:, :5]).abs().max() < 1e-4


def test_a_number_that_is_not_finite_names_step_and_window() -> None:
    class Broken(Formula):
        def __call__(self, **inputs: Any) -> torch.Tensor:
            velocity = super().__call__(**inputs)
            if len(self.calls) == 6:
                velocity[0, 0, 0, 0, 0] = float("nan")
            return velocity

    with pytest.raises(JobError, match=r"step 3 of 4, window 2 of 2"):
        denoiser(call=Broken()).run(noise(), nothing)


def test_every_window_can_stop_the_run() -> None:
    told: list[tuple[int, int]] = []

    def at_window(step: int, window: int) -> None:
        told.append((step, window))
        if len(told) == 4:
            raise KeyboardInterrupt

    one = denoiser(at_window=at_window)
    with pytest.raises(KeyboardInterrupt):
        one.run(noise(), nothing)
    assert told == [(1, 1), (1, 2), (2, 1), (2, 2)] and len(one.call.calls) == 3  # type: ignore[attr-defined]


def test_rotary_tables_are_built_once_a_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    from void_server.engines.void import denoise

    built: list[int] = []
    make = denoise.get_3d_rotary_pos_embed

    def counted(*arguments: Any, **named: Any) -> Any:
        built.append(arguments[3])
        return make(*arguments, **named)

    monkeypatch.setattr(denoise, "get_3d_rotary_pos_embed", counted)
    one = denoiser()
    one.run(noise(), nothing)
    one.run(noise(), nothing)
    assert built == [11, 4]


def test_positions_begin_anew_in_every_window() -> None:
    one = denoiser(count=50)
    one.run(noise(50), nothing)
    first, second, third = (call["image_rotary_emb"][0] for call in one.call.calls[:3])  # type: ignore[attr-defined]
    assert first is second and (third == first[: len(third)]).all()


def test_a_raster_beyond_the_tables_is_refused() -> None:
    tables = RotaryTables({**tiny_spec()["transformer"], "sample_height": 4, "sample_width": 8})
    with pytest.raises(RequestError, match="80x32 is larger"):
        tables.of(torch.zeros(1, 2, 48, 4, 10))
