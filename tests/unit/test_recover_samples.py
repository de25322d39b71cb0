"""Sources of `recover`: what is compared coarsely is taken finely, from the same places and in the same light."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from void_plugin.settings import RenderSettings
from void_server.engines import Setup, Unit
from void_server.engines.recover import RecoverEngine
from void_server.engines.recover.merge import match_light, put_sharply
from void_server.engines.recover.sample import NO_ERROR, Sample
from void_server.engines.recover.tone import encode
from void_server.scenes import Camera, MemoryFrames, MemoryShelf, Scene, quadmask
from void_server.tiles import Box

RANDOM = np.random.default_rng(11)
SIZE, KNEE = (216, 384), 0.1


def quiet(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
    """Hears no progress."""


def samples_of(camera: Camera, grain: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Sample], list[Sample]]:
    """What two frames of a scene are filled from: other frames, and what was invented in some."""
    found: dict[str, list[Sample]] = {"sample": [], "sample_key": []}
    for name, way in (("reveal", "sample"), ("again", "sample"), ("reveal", "sample_key")):
        module = import_module(f"void_server.engines.recover.{name}")
        plainly = getattr(module, way)

        def noting(*given: Any, way: str = way, real: Any = plainly) -> Any:
            made = real(*given)
            found[way].append(made if isinstance(made, Sample) else made[0])
            return made

        monkeypatch.setattr(module, way, noting)
    engine = RecoverEngine(Setup(RenderSettings(recover_grain=grain, recover_affected="fill"), workers=1))
    scene = Scene(camera, SIZE, 16)
    shots = [scene.frame(number) for number in scene.numbers]
    labels = [quadmask(shot.object_matte, shot.affected_matte, 2) for shot in shots]
    frames = MemoryFrames([shot.plate for shot in shots], labels, fills=engine.fills())
    frames.analysis = engine.analyse(frames, quiet, lambda: False)
    unit = Unit(0, "key", frames.numbers[6:8], Box(0, 0, 1, 1))
    assert len(list(engine.solve(unit, frames, quiet, lambda: False, MemoryShelf()))) == 2
    return found["sample"], found["sample_key"]


@pytest.mark.parametrize("camera", ["pan", "handheld", "dolly", "parallax"])
def test_pixels_that_are_taken_are_those_that_were_compared(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    samples, keys = samples_of(camera, "source", monkeypatch)
    assert samples and bool(keys) == (camera == "parallax"), "only there is something that no frame shows"
    grain = np.zeros(2)
    for sample in [sample for sample in samples + keys if sample.seen.any()]:
        assert sample.finely is not None
        picked = np.flatnonzero(sample.seen)
        compared, taken = sample.colour.reshape(-1, 3)[picked], sample.finely(picked)
        beside = np.roll(sample.colour, 1, axis=1).reshape(-1, 3)[picked]
        assert np.abs(taken - compared).mean() < 0.3 * np.abs(beside - compared).mean()
        assert np.allclose(sample.finely(picked[5::17]), taken[5::17], atol=1e-5), "each pixel stands for itself"
        neighbours = np.flatnonzero(np.diff(picked) == 1)
        grain += [np.abs(pixels[neighbours + 1] - pixels[neighbours]).sum() for pixels in (compared, taken)]
    assert grain[1] > 1.003 * grain[0], "the kernel of what is taken keeps more of it"


def test_a_mean_takes_what_was_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(sample.finely is None for sample in samples_of("pan", "clean", monkeypatch)[0])


def test_what_is_taken_has_the_light_that_was_matched() -> None:
    plate = encode(RANDOM.uniform(0.1, 0.9, (64, 96, 3)).astype(np.float32), KNEE)
    there = plate - np.linspace(0.05, 0.15, 96, dtype=np.float32)[:, None]
    ring = np.ones((64, 96), bool)
    ring[20:40, 30:60] = False
    coarse = Sample(3, there, np.ones_like(ring), NO_ERROR)
    fine = replace(coarse, finely=lambda picked: there.reshape(-1, 3)[picked])
    matched = [match_light(sample, plate, ring, KNEE)[0] for sample in (coarse, fine)]
    assert np.array_equal(matched[0].colour, matched[1].colour) and np.abs(matched[0].colour - there).max() > 0.05
    onto = [np.zeros((80, 96, 3), np.float32) for _ in matched]
    for picture, sample in zip(onto, matched, strict=True):
        put_sharply(picture[8:72], sample, ~ring, KNEE)
        put_sharply(picture[8:72], sample, np.zeros_like(ring), KNEE)
    assert np.allclose(onto[0], onto[1], atol=1e-5) and np.array_equal(onto[0][8:72][~ring], matched[0].colour[~ring])
    assert not onto[1][8:72][ring].any() and not onto[1][:8].any()
