"""What is spread over units, windows and tiles is one picture: no pixel of the ROI is left out or counts twice.

Everything but the networks is VOID's own. They are replaced by an answer of 1 everywhere, so that what comes out at a
pixel is the sum of all weights that it was blended with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from void_plugin.config import Config
from void_plugin.settings import RenderSettings
from void_server.engines import Setup, Unit
from void_server.engines.void import VoidEngine
from void_server.engines.void.denoise import Denoiser
from void_server.engines.void.latents import PIXELS_A_LATENT, Window, frames_of, latent_count, latent_windows
from void_server.engines.void.options import DETAIL_FACTOR, Options
from void_server.engines.void.tiling import latent_box
from void_server.tiles import Box, plan_roi, unfit
from void_server.units import units_of
from void_server.windows import mirrored, padded_length

RASTERS = ((48, 80), (64, 64), (96, 48))
"""(height, width); small, as nothing here depends on more."""
Counted = NDArray[np.float32]


class Ones:
    """Stands in for the scheduler and the transformer's tables: whatever is asked, the answer is 1."""

    timesteps = (999, 499)

    def of(self, latents: torch.Tensor) -> None:
        """No table."""

    def step(self, velocity: torch.Tensor, step: int, latents: torch.Tensor, return_dict: bool) -> list[torch.Tensor]:
        return [torch.ones_like(latents)]


class Planned(NamedTuple):
    canvas: Box
    roi: Box
    boxes: dict[int, Box | None]
    options: Options
    units: tuple[Unit, ...]


@st.composite
def plans(draw: st.DrawFn) -> Planned:
    """A shot of any size and length, what changes in it, and its units."""
    raster = draw(st.sampled_from(RASTERS))
    rendered = RenderSettings(
        void_raster=f"{raster[1]}x{raster[0]}",
        void_short_clips=draw(st.sampled_from(("pad", "short"))),
        void_last_window=draw(st.sampled_from(("short", "full"))),
    )
    width, height = draw(st.integers(20, 160)), draw(st.integers(20, 160))
    canvas = Box(0, 0, width, height).moved(draw(st.integers(-9, 9)), draw(st.integers(-9, 9)))
    x, y = draw(st.integers(canvas.x0, canvas.x1 - 1)), draw(st.integers(canvas.y0, canvas.y1 - 1))
    changed = Box(x, y, draw(st.integers(x + 1, canvas.x1)), draw(st.integers(y + 1, canvas.y1)))
    roi = plan_roi(changed, canvas, raster, draw(st.sampled_from((1.0, 2.0))))
    runs = draw(st.lists(st.tuples(st.booleans(), st.integers(1, 150)), min_size=1, max_size=4))
    holes = [hole for hole, length in runs for _ in range(length)]
    boxes = {1001 + index: changed if hole else None for index, hole in enumerate(holes)}
    engine = VoidEngine(Setup(rendered, machine=Config(device="cpu")))
    return Planned(canvas, roi, boxes, Options.of(rendered), units_of("0" * 32, engine, boxes, roi))


def blended(plan: Planned, unit: Unit, tiled: bool, active: Callable[[int], list[bool]]) -> list[Counted]:
    """What each frame of a unit is at the size of the raster, lead and padding first put on and then taken off."""
    options, factor = plan.options, DETAIL_FACTOR if tiled else 1
    height, width = (side * factor // PIXELS_A_LATENT for side in options.raster)
    shown = [*unit.lead, *unit.frames]
    clip = mirrored(len(shown), padded_length(len(shown), options.lengths))
    count = latent_count(len(clip))
    windows = latent_windows(count, whole_last=options.whole_last_window)
    tiles = [latent_box(box) for box in options.tiles] if tiled else []
    run = active(len(windows) * max(1, len(tiles)))
    stand_in: Any = Ones()
    denoiser = Denoiser(
        call=lambda **inputs: inputs["hidden_states"],
        scheduler=stand_in,
        tables=stand_in,
        text=torch.zeros(1, 1, 1),
        guidance=1.0,
        # The plate stays where nothing is run, and only there.
        condition=torch.full((1, count, 3, height, width), 0.0 if all(run) else 1.0),
        windows=windows,
        active=run,
        tiles=tiles,
    )
    found = denoiser.run(torch.zeros(1, count, 1, height, width), lambda step, latents: None)[0, :, 0].numpy()
    pictures = np.full((len(clip), height, width), np.nan, np.float32)
    for index in range(count):
        pictures[frames_of(Window(index, index + 1))] = found[index]
    sized = pictures.repeat(PIXELS_A_LATENT, 1).repeat(PIXELS_A_LATENT, 2)
    return list(sized[len(unit.lead) : len(shown)])


@settings(deadline=None, max_examples=30)
@given(plans(), st.booleans(), st.data())
def test_every_pixel_of_the_roi_on_every_frame_is_made_once_and_nothing_outside(
    plan: Planned, tiled: bool, data: st.DataObject
) -> None:
    def active(count: int) -> list[bool]:
        some = st.lists(st.booleans(), min_size=count, max_size=count).filter(any)
        return data.draw(st.one_of(st.just([True] * count), some))

    total = {frame: np.zeros(plan.canvas.size, np.float32) for frame in plan.boxes}
    roi = plan.roi.moved(-plan.canvas.x0, -plan.canvas.y0)
    for unit in plan.units:
        assert unit.roi == plan.roi
        pictures = blended(plan, unit, tiled, active)
        for frame, picture in zip(unit.frames, pictures, strict=True):
            total[frame][roi.rows, roi.columns] += unfit(picture, roi.size)
    once = np.zeros(plan.canvas.size, np.float32)
    once[roi.rows, roi.columns] = 1
    delivered = {frame for unit in plan.units for frame in unit.frames}
    for frame, found in total.items():
        assert plan.boxes[frame] is None or frame in delivered
        np.testing.assert_allclose(found, once if frame in delivered else 0, atol=1e-5)
