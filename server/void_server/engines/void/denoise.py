"""Denoising: the steps of one pass over the windows of one clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.embeddings import get_3d_rotary_pos_embed

from void_plugin.errors import JobError, RequestError
from void_server.engines.void.attention import Rotary, halves
from void_server.engines.void.latents import Window, blend_weights
from void_server.engines.void.tiling import tile_weights
from void_server.tiles import Box

Step = Callable[[int, torch.Tensor], None]
"""Called after every step with the steps done and the latents; raises to stop."""
AtWindow = Callable[[int, int], None]
"""Called before every call of the transformer with the step (from 1) and the part (from 1); raises to stop.

Parts are the windows; where there are tiles, every tile of the first window, then of the next."""
Place = tuple[slice, ...]
"""Where in latents (1, frames, 16, h, w) a part lies."""
Call = Callable[..., torch.Tensor]
"""Calls the transformer with the keyword arguments of its `forward`, wherever its weights are now."""


class RotaryTables:
    """Rotary tables of a transformer, built once for every length and size of a window."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """`config` is that of the transformer."""
        self._config = config
        self._known: dict[tuple[int, int, int, torch.device], Rotary] = {}

    def of(self, latents: torch.Tensor) -> Rotary:
        """The tables for latents (batch, frames, channels, height, width); positions begin at 0 in every window."""
        patch, deep = self._config["patch_size"], self._config["patch_size_t"]
        _, count, _, height, width = latents.shape
        key = (count, height, width, latents.device)
        if key not in self._known:
            self._check(height, width)
            cosine, sine = get_3d_rotary_pos_embed(
                self._config["attention_head_dim"],
                None,
                (height // patch, width // patch),
                -(-count // deep),
                grid_type="slice",
                max_size=(self._config["sample_height"] // patch, self._config["sample_width"] // patch),
            )
            self._known[key] = tuple(table.to(latents.device) for table in halves(cosine, sine))  # type: ignore[assignment]
        return self._known[key]

    def _check(self, height: int, width: int) -> None:
        tallest, widest = self._config["sample_height"], self._config["sample_width"]
        if height > tallest or width > widest:
            raise RequestError(
                f"The raster {width * 8}x{height * 8} is larger than these weights of VOID can place "
                f"({widest * 8}x{tallest * 8}); give a smaller --void-raster."
            )


@dataclass(frozen=True)
class Held:
    """Latents at the beginning of a clip that are known, because the segment before ends with them."""

    latents: torch.Tensor
    """(1, known, 16, h, w)."""
    noise: torch.Tensor
    """The clip's own starting noise over them."""


@dataclass(frozen=True)
class Denoiser:
    """One pass over one clip. Latents are (1, frames, 16, h, w), float32 all along; only the transformer rounds."""

    call: Call
    scheduler: Any
    """One of diffusers' DDIM schedulers, its steps set."""
    tables: RotaryTables
    text: torch.Tensor
    """(1, 226, width), or the negative's and the prompt's, one after the other, with guidance."""
    guidance: float
    condition: torch.Tensor
    """(1, frames, 32, h, w): mask latents, then video latents."""
    windows: Sequence[Window]
    active: Sequence[bool]
    """Which parts are run; latents that no active one holds stay those of the plate."""
    held: Held | None = None
    at_window: AtWindow = lambda step, window: None
    tiles: Sequence[Box] = ()
    """Boxes of latents that the transformer sees one at a time in every window; none shows it the whole picture."""

    def run(self, latents: torch.Tensor, each: Step, start: int = 0) -> torch.Tensor:
        """The clean latents behind starting noise, or behind latents as they are after `start` steps.

        Raises JobError naming step, window and tile where a number is not finite.
        """
        parts = list(self._parts(latents))
        steps = [int(step) for step in self.scheduler.timesteps]
        for index in range(start, len(steps)):
            latents = self._held_at(latents, steps[index])
            total, share = torch.zeros_like(latents), torch.zeros_like(latents[:, :, :1])
            for number, (place, weight) in enumerate(parts):
                if not self.active[number]:
                    continue
                self.at_window(index + 1, number + 1)
                moved = self._step(latents[place], self.condition[place], steps[index])
                if not bool(torch.isfinite(moved).all()):
                    raise JobError(
                        f"VOID computed a number that is not finite in step {index + 1} of {len(steps)}, "
                        f"{self._named(number)}; check the weights with `void-server models check`, and report this "
                        "where they are sound."
                    )
                total[place] += moved * weight
                share[place] += weight
            latents = torch.where(share > 0, total / share.clamp_min(1e-6), latents)
            each(index + 1, latents)
        return self._finished(latents)

    def _parts(self, latents: torch.Tensor) -> Iterator[tuple[Place, torch.Tensor]]:
        """Where each part lies and how much it says of each of its latents, (1, frames, 1, h, w) or less."""
        tiles = self.tiles or (Box(0, 0, latents.shape[4], latents.shape[3]),)
        for window, ramps in zip(self.windows, blend_weights(self.windows), strict=True):
            in_time = torch.from_numpy(ramps).to(latents).reshape(1, -1, 1, 1, 1)
            for tile in tiles:
                place = (slice(None), slice(window.first, window.last), slice(None), tile.rows, tile.columns)
                in_space = torch.from_numpy(tile_weights(tile.size)).to(latents)
                yield place, in_time * in_space if self.tiles else in_time

    def _named(self, part: int) -> str:
        """A part, counted from 0, as errors name it."""
        many = len(self.tiles) or 1
        window = f"window {part // many + 1} of {len(self.windows)}"
        return f"{window}, tile {part % many + 1} of {many}" if self.tiles else window

    def _step(self, latents: torch.Tensor, condition: torch.Tensor, step: int) -> torch.Tensor:
        batch = self.text.shape[0]
        seen = torch.cat([latents, condition], dim=2).to(self.text.dtype).expand(batch, -1, -1, -1, -1)
        velocity = self.call(
            hidden_states=seen,
            encoder_hidden_states=self.text,
            timestep=torch.full((batch,), step, device=seen.device),
            image_rotary_emb=self.tables.of(seen),
        ).float()
        if batch == 2:
            without, told = velocity.chunk(2)
            velocity = without + self.guidance * (told - without)
        moved: torch.Tensor = self.scheduler.step(velocity, step, latents, return_dict=False)[0]
        return moved

    def _held_at(self, latents: torch.Tensor, step: int) -> torch.Tensor:
        """Latents with the known ones as noisy as all are at this step."""
        if self.held is None:
            return latents
        known = self.held.latents.shape[1]
        noisy = self.scheduler.add_noise(self.held.latents, self.held.noise[:, :known], torch.tensor([step]))
        return torch.cat([noisy, latents[:, known:]], dim=1)

    def _finished(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents with the known ones as they are, and the plate's where nothing was to be removed."""
        covered = torch.zeros_like(latents[:, :, :1], dtype=torch.bool)
        for (place, _), active in zip(self._parts(latents), self.active, strict=True):
            covered[place] |= active
        channels = latents.shape[2]
        out = torch.where(covered, latents, self.condition[:, :, channels:])
        if self.held is not None:
            out = torch.cat([self.held.latents, out[:, self.held.latents.shape[1] :]], dim=1)
        return out
