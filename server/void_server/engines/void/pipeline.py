"""One clip through VOID: its conditioning is encoded once, then any of its passes is run and decoded.

A clip with tiles may be larger than the networks know, and lie on the CPU: only tiles of it are on the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from void_server.engines import KEEP, Warn
from void_server.engines.void import conditioning, latents, vae
from void_server.engines.void.denoise import AtWindow, Denoiser, Held, RotaryTables, Step
from void_server.engines.void.latents import Window
from void_server.engines.void.memory import VAE, Memory, transformer
from void_server.engines.void.options import Pass
from void_server.engines.void.tiling import latent_box, tile_weights
from void_server.tiles import Box

Encode = Callable[[Any, torch.Tensor], torch.Tensor]
"""Latents (1, 16, k+1, h, w) that a VAE makes of pixels (1, 3, 4k+1, H, W)."""


@dataclass(frozen=True)
class Networks:
    """VOID's networks and what goes with them; stays between jobs."""

    memory: Memory
    scheduler: Callable[[], Any]
    """Makes a DDIM scheduler of the base model's configuration."""
    tables: RotaryTables
    noises_plate: bool
    """Whether the base model was trained with noise on the plate (`add_noise_in_inpaint_model`)."""


@dataclass
class Clip:
    """A clip of 4k+1 frames with k odd, and everything that is encoded of it."""

    networks: Networks
    frames: torch.Tensor
    """(T, H, W, 3) float32 in 0..1, encoded as the model expects."""
    quadmask: torch.Tensor
    """(T, H, W) uint8: 0, 63, 127, 255."""
    windows: Sequence[Window]
    all_windows: bool
    """Runs windows without a matte as well, as upstream does."""
    plate_noise: torch.Tensor | None
    """(1, 3, T, H, W) unit Gaussian, or None for none."""
    warn: Warn
    known: torch.Tensor | None = None
    """The first 4j+1 frames as the segment before delivers them; their latents are held."""
    tiles: Sequence[Box] = ()
    """Boxes of pixels on whole latents that the networks see one at a time; none shows them whole frames."""
    before_tile: Callable[[], None] = lambda: None
    """Called before the VAE runs on a tile; raises to stop."""
    _video: torch.Tensor | None = field(default=None, init=False)
    _masks: dict[bool, torch.Tensor] = field(default_factory=dict, init=False)
    _known: torch.Tensor | None = field(default=None, init=False)

    @property
    def latent_shape(self) -> tuple[int, int, int, int, int]:
        """(1, k+1, 16, H/8, W/8)."""
        count, height, width, _ = self.frames.shape
        scale = latents.PIXELS_A_LATENT
        return 1, latents.latent_count(count), 16, height // scale, width // scale

    @property
    def active(self) -> list[bool]:
        """Which parts hold a matte, or are run all the same: of every window each tile."""
        changed = self.quadmask != KEEP
        return [
            self.all_windows or bool(changed[latents.frames_of(window)][:, box.rows, box.columns].any())
            for window in self.windows
            for box in self._boxes
        ]

    def mask_pixels(self, binary: bool) -> torch.Tensor:
        """What the VAE is given for the mask: (T, H, W) float32 in 0..1."""
        return conditioning.mask_pixels(self.quadmask, binary=binary)

    def mask_latents(self, binary: bool) -> torch.Tensor:
        """(1, 16, k+1, h, w), encoded once for each way of reading the mask."""
        if binary not in self._masks:
            self._masks[binary] = self._encoded(partial(self._mask_video, binary), vae.encode_mask)
        return self._masks[binary]

    def video_latents(self) -> torch.Tensor:
        """(1, 16, k+1, h, w), encoded once."""
        if self._video is None:
            self._video = self.encode(self.frames, self.plate_noise)
        return self._video

    def _mask_video(self, binary: bool, box: Box) -> torch.Tensor:
        here = self.quadmask[:, box.rows, box.columns]
        return conditioning.as_video(conditioning.mask_pixels(here, binary=binary))

    def encode(self, frames: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Latents (1, 16, k+1, h, w) of frames (4k+1, H, W, 3) in 0..1, with unit noise (1, 3, 4k+1, H, W) on them."""

        def pixels(box: Box) -> torch.Tensor:
            here = noise[..., box.rows, box.columns] if noise is not None else None
            return conditioning.video_pixels(frames[:, box.rows, box.columns], here)

        return self._encoded(pixels, vae.encode)

    def denoise(
        self,
        run: Pass,
        scheduler: Any,
        text: torch.Tensor,
        noise: torch.Tensor,
        each: Step,
        resumed: tuple[int, torch.Tensor] | None = None,
        at_window: AtWindow = lambda step, window: None,
    ) -> torch.Tensor:
        """The latents (1, k+1, 16, h, w) that a pass makes of starting noise of that shape.

        `text` is the prompt's embedding, with the negative one before it where the pass has guidance; `resumed` are
        the steps done before, or left out, and the latents after them.
        """
        condition = torch.cat([self.mask_latents(run.binary_mask), self.video_latents()], dim=1).transpose(1, 2)
        name, memory = transformer(run.checkpoint), self.networks.memory

        def call(**inputs: Any) -> torch.Tensor:
            velocity: torch.Tensor = memory.run(
                name, lambda network: network(**inputs, return_dict=False)[0], self.warn
            )
            return velocity

        scheduler.set_timesteps(run.steps)
        denoiser = Denoiser(
            call=call,
            scheduler=scheduler,
            tables=self.networks.tables,
            text=text,
            guidance=run.guidance,
            condition=condition,
            windows=self.windows,
            active=self.active,
            held=self._held(noise),
            at_window=at_window,
            tiles=[latent_box(box) for box in self.tiles],
        )
        if resumed is None:
            return denoiser.run(noise * scheduler.init_noise_sigma, each)
        return denoiser.run(resumed[1], each, start=resumed[0])

    def decode(self, clean: torch.Tensor, each: Callable[[int, int], None] = lambda done, count: None) -> torch.Tensor:
        """Frames (T, H, W, 3) in 0..1 on the CPU of latents (1, k+1, 16, h, w)."""
        return self._run_vae(lambda network: vae.decode(network, clean.transpose(1, 2), each))

    @property
    def _boxes(self) -> Sequence[Box]:
        _, height, width, _ = self.frames.shape
        return self.tiles or (Box(0, 0, width, height),)

    def _held(self, noise: torch.Tensor) -> Held | None:
        if self.known is None:
            return None
        if self._known is None:
            self._known = self.encode(self.known)
        return Held(self._known.transpose(1, 2), noise)

    def _encoded(self, pixels: Callable[[Box], torch.Tensor], encode: Encode) -> torch.Tensor:
        """Latents of what `pixels` gives for a box, of every tile its own where there are tiles, mixed."""
        if not self.tiles:
            return self._encoded_box(pixels, encode, *self._boxes)
        found = []
        for box in self.tiles:
            self.before_tile()
            found.append(self._encoded_box(pixels, encode, box))
        return _mixed(found, [latent_box(box) for box in self.tiles], self.latent_shape[3:])

    def _encoded_box(self, pixels: Callable[[Box], torch.Tensor], encode: Encode, box: Box) -> torch.Tensor:
        return self._run_vae(lambda network: encode(network, pixels(box)))

    def _run_vae(self, work: Callable[[Any], torch.Tensor]) -> torch.Tensor:
        return self.networks.memory.run(VAE, work, self.warn)


def _mixed(parts: Sequence[torch.Tensor], boxes: Sequence[Box], size: tuple[int, int]) -> torch.Tensor:
    """One field (..., h, w) of what tiles say of their boxes, which are latents of the field."""
    total = parts[0].new_zeros(*parts[0].shape[:-2], *size)
    share = total.new_zeros(size)
    for part, box in zip(parts, boxes, strict=True):
        weight = torch.from_numpy(tile_weights(box.size)).to(part)
        total[..., box.rows, box.columns] += part * weight
        share[box.rows, box.columns] += weight
    return total / share
