"""One unit through VOID: its frames become a clip, the clip goes through the passes, its frames come out as fills.

A unit that continues another begins with frames that the other delivers. They are shown as that one left them, with
nothing to remove, and their latents are held: so the two are one take and not two answers dissolved into each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray

from void_plugin.errors import Cancelled
from void_server.engines import KEEP, Fill, Frames, IsCancelled, Shelf, Unit, Warn
from void_server.engines.void import latents
from void_server.engines.void.flow import Flow
from void_server.engines.void.options import OVERLAP_FRAMES, Options, Pass
from void_server.engines.void.parts import Models
from void_server.engines.void.pipeline import Clip
from void_server.engines.void.share import Share
from void_server.engines.void.warp import warped_noise
from void_server.tiles import Box
from void_server.windows import mirrored, padded_length

CHECKPOINT_STEPS = 5
"""Steps between two checkpoints: a kill loses seconds, and writing them takes a thousandth of that."""


@dataclass(frozen=True)
class Solver:
    """What goes into a unit's result, and who is told how it goes."""

    unit: Unit
    frames: Frames
    options: Options
    prompt: str
    models: Models
    flow: Callable[[], Flow]
    shelf: Shelf
    share: Share
    cancelled: IsCancelled
    warn: Warn

    def fills(self) -> Iterator[Fill]:
        """The unit's fills, in order, all with a confidence of 0: every pixel is invented."""
        result = self._result()
        self._leave(result)
        nothing = np.zeros(self.frames.size, np.float32)
        for frame, pixels in zip(self.unit.frames, result[len(self.unit.lead) :], strict=True):
            if self.frames.hole(frame) is not None:
                yield Fill(frame, self._whole, pixels, nothing, {"coverage": 0.0})

    def _result(self) -> NDArray[np.float32]:
        """What VOID makes of lead and frames, (frames, H, W, 3) in 0..1."""
        clip, begun = self._clip(), self._resumed()
        decoded = None
        for run in self.options.passes:
            if begun is not None and run.number < begun.run:
                continue
            if begun is not None and run.number == begun.run:
                noise, resumed = begun.noise, (begun.step, begun.latents)
            else:
                noise = self._noise(run, clip, decoded)
                resumed = None
            final = self._denoise(clip, run, noise, resumed)
            decoded = clip.decode(final, partial(self._decoded, run))
        if decoded is None:
            raise ValueError("VOID has no pass to run")
        return decoded[: len(self._numbers)].numpy()

    def _clip(self) -> Clip:
        networks = self.models.networks
        device = networks.memory.device
        self.share.reading()
        picked = mirrored(len(self._numbers), padded_length(len(self._numbers), self.options.lengths))
        plates = torch.from_numpy(self._plates).to(device)[picked]
        noise = None
        if networks.noises_plate:
            source = torch.Generator(device).manual_seed(self._seed(0, "plate"))
            noise = torch.randn(1, 3, *plates.shape[:3], generator=source, device=device)
        known = None
        if self.unit.follows:
            known = plates[: len(self.unit.lead)]
        return Clip(
            networks=networks,
            frames=plates,
            quadmask=torch.from_numpy(self._labels).to(device)[picked],
            windows=latents.latent_windows(
                latents.latent_count(len(picked)), whole_last=self.options.whole_last_window
            ),
            all_windows=self.options.all_windows,
            plate_noise=noise,
            warn=self.warn,
            known=known,
        )

    def _denoise(
        self, clip: Clip, run: Pass, noise: torch.Tensor, resumed: tuple[int, torch.Tensor] | None
    ) -> torch.Tensor:
        self._stop_if_cancelled()
        self.share.encoding(run)
        text = self.models.text.embedding(self.prompt, self.warn)
        if run.guidance > 1:
            text = torch.cat([self.models.text.embedding("", self.warn), text])
        clip.mask_latents(run.binary_mask)
        clip.video_latents()

        def stepped(step: int, values: torch.Tensor) -> None:
            if step % CHECKPOINT_STEPS == 0 or step == run.steps:
                state = {"pass": np.asarray(run.number), "step": np.asarray(step)}
                arrays = {"noise": noise.cpu().numpy(), "latents": values.cpu().numpy()}
                self.shelf.save_checkpoint({**state, **arrays})

        def at_window(step: int, window: int) -> None:
            self._stop_if_cancelled()
            self.share.at_window(run, step, window, len(clip.windows))

        return clip.denoise(run, clip.networks.scheduler(), text, noise, stepped, resumed, at_window)

    def _noise(self, run: Pass, clip: Clip, decoded: torch.Tensor | None) -> torch.Tensor:
        """Where denoising starts: noise for pass 1, noise that moves with its result for pass 2."""
        seed, device = self._seed(run.number, "start"), clip.networks.memory.device
        if decoded is None:
            return torch.randn(clip.latent_shape, generator=torch.Generator().manual_seed(seed)).to(device)
        moved = warped_noise(
            decoded.numpy(),
            self.flow(),
            np.random.default_rng(seed),
            clip.latent_shape[2],
            partial(self.share.warped, run),
            self.cancelled,
        )
        return torch.from_numpy(moved)[None].to(device)

    def _resumed(self) -> _Begun | None:
        arrays = self.shelf.checkpoint()
        if arrays is None:
            return None
        device = self.models.networks.memory.device
        return _Begun(
            run=int(arrays["pass"]),
            step=int(arrays["step"]),
            noise=torch.from_numpy(arrays["noise"]).to(device),
            latents=torch.from_numpy(arrays["latents"]).to(device),
        )

    def _decoded(self, run: Pass, done: int, count: int) -> None:
        self._stop_if_cancelled()
        self.share.decoded(run, done, count)

    def _leave(self, result: NDArray[np.float32]) -> None:
        """Keep what a unit that continues this one has to see: the last frames as they will be delivered."""
        if self.unit.frames[-1] == self.frames.numbers[-1]:
            return
        last = slice(-OVERLAP_FRAMES, None)
        changed = (self._labels[last] != KEEP)[..., None]
        self.shelf.leave({"frames": np.where(changed, result[last], self._plates[last])})

    @property
    def _numbers(self) -> tuple[int, ...]:
        return (*self.unit.lead, *self.unit.frames)

    @property
    def _whole(self) -> Box:
        height, width = self.frames.size
        return Box(0, 0, width, height)

    @cached_property
    def _plates(self) -> NDArray[np.float32]:
        plates = np.stack([self._read(frame) for frame in self._numbers])
        if self.unit.follows:
            plates[: len(self.unit.lead)] = self.shelf.left_before()["frames"]
        return plates

    @cached_property
    def _labels(self) -> NDArray[np.uint8]:
        labels = np.stack([self.frames.labels(frame, self._whole) for frame in self._numbers])
        if self.unit.follows:
            labels[: len(self.unit.lead)] = KEEP
        return labels

    def _read(self, frame: int) -> NDArray[np.float32]:
        self._stop_if_cancelled()
        return self.frames.plate(frame, self._whole)

    def _seed(self, number: int, purpose: str) -> int:
        """A seed of its own for each thing drawn, so that a run that goes on draws what it would have drawn."""
        text = f"{self.options.seed} {self.unit.frames[0]} {number} {purpose}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1

    def _stop_if_cancelled(self) -> None:
        if self.cancelled():
            raise Cancelled


@dataclass(frozen=True)
class _Begun:
    """Where a run that was killed had got to."""

    run: int
    step: int
    noise: torch.Tensor
    latents: torch.Tensor
