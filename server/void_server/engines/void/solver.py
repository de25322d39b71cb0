"""One unit through VOID: its frames become a clip, the clip goes through the passes, its frames come out as fills.

A unit that continues another begins with frames that the other delivers. They are shown as that one left them, with
nothing to remove, and their latents are held: so the two are one take and not two answers dissolved into each other.
That goes for each size by itself: the passes go on from what the passes made, the detail stage from what the detail
stage made of it, and frames in between from the last picture that was delivered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch

from void_plugin.errors import Cancelled
from void_server.engines import Arrays, Fill, Frames, IsCancelled, Picture, Shelf, Unit, Warn
from void_server.engines.void import detail, latents, retime
from void_server.engines.void.flow import DisFlow, Flow
from void_server.engines.void.options import DETAIL_FACTOR, Options, Pass
from void_server.engines.void.parts import Models
from void_server.engines.void.pipeline import Clip
from void_server.engines.void.seen import Pictures, Seen
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
    workers: int
    """Processors that flow may take."""
    shelf: Shelf
    share: Share
    cancelled: IsCancelled
    warn: Warn

    def fills(self) -> Iterator[Fill]:
        """The unit's fills, in order, all with a confidence of 0: every pixel is invented."""
        begun = self._resumed()
        result, before = self._passes(begun)
        final = result
        for run in self.options.detail:
            final = self._detailed(run, result, before, begun)
        self._leave(result, final)
        height, width = self.frames.size
        for number, pixels, interpolated in self._pictures(final):
            facts = {"coverage": 0.0, "interpolated": float(interpolated)}
            nothing = np.zeros(pixels.shape[:2], np.float32)
            yield Fill(number, Box(0, 0, width, height), pixels, nothing, facts, len(pixels) // height)

    def _passes(self, begun: _Begun | None) -> tuple[Pictures, torch.Tensor]:
        """What VOID makes of lead and frames, (frames, H, W, 3) in 0..1, and the latents of the clip behind it."""
        clip, decoded = self._clip(self._seen), None
        final = begun.before if begun is not None else torch.zeros(0)
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
            decoded = clip.decode(final, partial(self._decoded, self.options.passes[-1]))
        return decoded[: len(self._numbers)].numpy(), final

    def _detailed(self, run: Pass, result: Pictures, before: torch.Tensor, begun: _Begun | None) -> Pictures:
        """A result of the passes and its latents, made finer: (frames, 2H, 2W, 3)."""
        clip = self._clip(self._finer, run.number, self.options.tiles)
        if begun is not None and begun.run == run.number:
            noise, resumed = begun.noise, (begun.step, begun.latents)
        else:
            self.share.encoding(run)
            noise = self._noise(run, clip, None)
            scheduler = clip.networks.scheduler()
            scheduler.set_timesteps(run.steps)
            padded = np.stack([detail.enlarged(result[index]) for index in self._padding])
            clean = clip.encode(torch.from_numpy(padded)).transpose(1, 2)
            resumed = run.skipped, detail.noised(clean, noise, scheduler, run.skipped)
        final = self._denoise(clip, run, noise, resumed, before)
        return detail.decoded(clip, final, result, partial(self._decoded, run))

    def _pictures(self, final: Pictures) -> Iterator[tuple[int, Picture, bool]]:
        """Every frame of the unit that has a hole, in order: its picture, and whether it lies between two shown."""
        wanted = [number for number in self.unit.frames if self.frames.hole(number) is not None]
        flow = DisFlow()
        for index, number in enumerate(self._numbers):
            previous = self._numbers[index - 1] if index else number
            gap = [other for other in wanted if previous < other < number]
            if gap:
                self._stop_if_cancelled()
                times = [(other - previous) / (number - previous) for other in gap]
                continues = self.unit.follows and index == self._lead
                before = self._left_before["last"] if continues else final[index - 1]
                for other, picture in zip(gap, retime.between(before, final[index], times, flow), strict=True):
                    yield other, picture, True
            if number in wanted:
                yield number, final[index], False

    def _clip(self, seen: Seen, number: int = 0, tiles: Sequence[Box] = ()) -> Clip:
        networks = self.models.networks
        # Tiles alone go to the device: a clip of several times their size need not fit there.
        device = torch.device("cpu") if tiles else networks.memory.device
        self.share.reading()
        picked = self._padding
        plates = torch.from_numpy(seen.plates).to(device)[picked]
        noise = None
        if networks.noises_plate:
            source = torch.Generator(device).manual_seed(self._seed(number, "plate"))
            noise = torch.randn(1, 3, *plates.shape[:3], generator=source, device=device)
        return Clip(
            networks=networks,
            frames=plates,
            quadmask=torch.from_numpy(seen.labels).to(device)[picked],
            windows=latents.latent_windows(
                latents.latent_count(len(picked)), whole_last=self.options.whole_last_window
            ),
            all_windows=self.options.all_windows and not tiles,
            plate_noise=noise,
            warn=self.warn,
            known=plates[: self._lead] if seen.known is not None else None,
            tiles=tiles,
            before_tile=self._stop_if_cancelled,
        )

    def _denoise(
        self,
        clip: Clip,
        run: Pass,
        noise: torch.Tensor,
        resumed: tuple[int, torch.Tensor] | None,
        before: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The latents that a pass makes of a clip; checkpoints keep `before`, what the pass before ended with."""
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
                if before is not None:
                    arrays["before"] = before.cpu().numpy()
                self.shelf.save_checkpoint({**state, **arrays})

        def at_window(step: int, part: int) -> None:
            self._stop_if_cancelled()
            self.share.at_window(run, step, part, len(clip.windows) * max(1, len(clip.tiles)))

        return clip.denoise(run, clip.networks.scheduler(), text, noise, stepped, resumed, at_window)

    def _noise(self, run: Pass, clip: Clip, decoded: torch.Tensor | None) -> torch.Tensor:
        """Where denoising starts: noise that moves with what was decoded for pass 2, else noise that lies still."""
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
            self.workers,
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
            before=torch.from_numpy(arrays.get("before", np.zeros(0, np.float32))).to(device),
        )

    def _decoded(self, run: Pass, done: int, count: int) -> None:
        self._stop_if_cancelled()
        self.share.decoded(run, done, count)

    def _leave(self, result: Pictures, final: Pictures) -> None:
        """Keep what a unit that continues this one has to see: the last frames shown, at each size, as delivered."""
        if self.unit.frames[-1] == self.frames.numbers[-1]:
            return
        arrays = {"frames": self._seen.left(result)}
        if self.options.detail:
            arrays["detail"] = self._finer.left(final)
        if self.options.stride > 1:
            arrays["last"] = final[-1]
        self.shelf.leave(arrays)

    @cached_property
    def _numbers(self) -> tuple[int, ...]:
        """The frames shown, those of the lead first."""
        return retime.shown((*self.unit.lead, *self.unit.frames), self.frames.numbers[0], self.options.stride)

    @property
    def _lead(self) -> int:
        """How many of the frames shown another unit delivers."""
        return sum(number < self.unit.frames[0] for number in self._numbers)

    @cached_property
    def _padding(self) -> list[int]:
        """Indices of the frames shown that make a clip of a legal length."""
        return mirrored(len(self._numbers), padded_length(len(self._numbers), self.options.lengths))

    @cached_property
    def _seen(self) -> Seen:
        return self._look(self.frames, "frames")

    @cached_property
    def _finer(self) -> Seen:
        return self._look(self.frames.enlarged(DETAIL_FACTOR), "detail")

    def _look(self, frames: Frames, left: str) -> Seen:
        known = self._left_before[left] if self.unit.follows else None
        return Seen(frames, self._numbers, self._lead, known, self._stop_if_cancelled)

    @cached_property
    def _left_before(self) -> Arrays:
        return self.shelf.left_before()

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
    before: torch.Tensor
    """In the detail stage, the latents that the last pass ended with."""
