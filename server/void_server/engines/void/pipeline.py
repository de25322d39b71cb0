"""One clip through VOID: its conditioning is encoded once, then any of its passes is run and decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from void_server.engines import KEEP, Warn
from void_server.engines.void import conditioning, latents, vae
from void_server.engines.void.denoise import AtWindow, Denoiser, Held, RotaryTables, Step
from void_server.engines.void.latents import Window
from void_server.engines.void.memory import VAE, Memory, transformer
from void_server.engines.void.options import Pass


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
        """Which windows hold a matte, or are run all the same."""
        touched = (self.quadmask != KEEP).flatten(1).any(dim=1)
        return [self.all_windows or bool(touched[latents.frames_of(window)].any()) for window in self.windows]

    def mask_pixels(self, binary: bool) -> torch.Tensor:
        """What the VAE is given for the mask: (T, H, W) float32 in 0..1."""
        return conditioning.mask_pixels(self.quadmask, binary=binary)

    def mask_latents(self, binary: bool) -> torch.Tensor:
        """(1, 16, k+1, h, w), encoded once for each way of reading the mask."""
        if binary not in self._masks:
            pixels = conditioning.as_video(self.mask_pixels(binary))
            self._masks[binary] = self._run_vae(lambda network: vae.encode_mask(network, pixels))
        return self._masks[binary]

    def video_latents(self) -> torch.Tensor:
        """(1, 16, k+1, h, w), encoded once."""
        if self._video is None:
            pixels = conditioning.video_pixels(self.frames, self.plate_noise)
            self._video = self._run_vae(lambda network: vae.encode(network, pixels))
        return self._video

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
        the steps done before and the latents after them.
        """
        condition = torch.cat([self.mask_latents(run.binary_mask), self.video_latents()], dim=1).transpose(1, 2)
        name, memory = transformer(run.number), self.networks.memory

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
        )
        if resumed is None:
            return denoiser.run(noise * scheduler.init_noise_sigma, each)
        return denoiser.run(resumed[1], each, start=resumed[0])

    def decode(self, clean: torch.Tensor, each: Callable[[int, int], None] = lambda done, count: None) -> torch.Tensor:
        """Frames (T, H, W, 3) in 0..1 on the CPU of latents (1, k+1, 16, h, w)."""
        return self._run_vae(lambda network: vae.decode(network, clean.transpose(1, 2), each))

    def _held(self, noise: torch.Tensor) -> Held | None:
        if self.known is None:
            return None
        if self._known is None:
            pixels = conditioning.video_pixels(self.known)
            self._known = self._run_vae(lambda network: vae.encode(network, pixels))
        return Held(self._known.transpose(1, 2), noise)

    def _run_vae(self, work: Callable[[Any], torch.Tensor]) -> torch.Tensor:
        return self.networks.memory.run(VAE, work, self.warn)
