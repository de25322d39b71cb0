"""What does VOID's engine cost beside plain diffusers doing the same steps, at tiny size on a CPU?

    python benchmarks/tiny_void.py [--quick] [--rounds 5] [--steps 4] [--json FILE] [--results FILE]

Both passes on 45 frames of 96x64 in two windows, with the same tiny random weights, noise and text. Plain is what one
writes with diffusers' own classes: encode mask and plate and denoise window by window, then decode with the stock VAE,
and the same again for the second pass. Counters are exact and decide (performance.md 5.1): the work in FLOPs, the
operations launched, the bytes that they wrote. Time is that of a CPU and says little about a GPU. The latents of both
are compared; the stock decoder takes other pieces and gives other frames, so pictures are not.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from benching.command import answer, build_parser, scratch
from benching.figures import Figure, in_turn, seconds
from benching.machine import PACKAGES
from benching.tables import Table, Verdict
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel, DDIMScheduler
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from safetensors.torch import load_file
from tinyvoid import build_weights, tiny_spec
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from void_plugin.config import Config
from void_server.engines import AFFECTED, KEEP, REMOVE
from void_server.engines.void import conditioning
from void_server.engines.void.latents import Window, blend_weights, latent_windows
from void_server.engines.void.options import Pass
from void_server.engines.void.parts import open_models
from void_server.engines.void.pipeline import Clip, Networks
from void_server.engines.void.weights import Weights

RASTER, FRAMES, LATENTS = (64, 96), 45, 12
WINDOW, OVERLAP = 8, 2
GUIDANCE = 6.0


@dataclass(frozen=True)
class Inputs:
    """What both are given."""

    frames: torch.Tensor
    quadmask: torch.Tensor
    noise: torch.Tensor
    text: torch.Tensor
    """(2, 226, width): the negative's and the prompt's."""
    passes: tuple[Pass, Pass]
    windows: list[Window]


class Plain:
    """diffusers' classes as they are."""

    def __init__(self, weights: Weights) -> None:
        self.vae = AutoencoderKLCogVideoX.from_pretrained(weights.vae).eval()
        self.spec = {**tiny_spec()["transformer"], "in_channels": 48}
        self.transformers = {}
        for number in (1, 2):
            network = CogVideoXTransformer3DModel(**self.spec).eval()
            network.load_state_dict(load_file(weights.checkpoint(number)))
            self.transformers[number] = network
        self.scheduler = DDIMScheduler.from_pretrained(weights.scheduler)

    def run(self, inputs: Inputs) -> list[torch.Tensor]:
        """The clean latents of both passes, each decoded."""
        found = []
        for one in inputs.passes:
            mask = conditioning.mask_pixels(inputs.quadmask, binary=one.binary_mask)
            known = [self._encode(conditioning.as_video(mask)), self._encode(conditioning.video_pixels(inputs.frames))]
            found.append(self._denoise(one, inputs, torch.cat(known, dim=1).transpose(1, 2)))
            self.vae.decode(found[-1].transpose(1, 2) / self.vae.config.scaling_factor)
        return found

    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        latents: torch.Tensor = self.vae.encode(pixels).latent_dist.mode() * self.vae.config.scaling_factor
        return latents

    def _denoise(self, one: Pass, inputs: Inputs, condition: torch.Tensor) -> torch.Tensor:
        network, guided = self.transformers[one.checkpoint], one.guidance > 1
        text = inputs.text if guided else inputs.text[1:]
        self.scheduler.set_timesteps(one.steps)
        latents = inputs.noise * self.scheduler.init_noise_sigma
        rotary = [self._rotary(window.length) for window in inputs.windows]
        weights = [torch.from_numpy(ramp).reshape(1, -1, 1, 1, 1) for ramp in blend_weights(inputs.windows)]
        for step in self.scheduler.timesteps:
            total, share = torch.zeros_like(latents), torch.zeros_like(latents[:, :, :1])
            for window, table, weight in zip(inputs.windows, rotary, weights, strict=True):
                place = slice(window.first, window.last)
                seen = torch.cat([latents[:, place], condition[:, place]], dim=2)
                velocity = network(
                    hidden_states=torch.cat([seen, seen]) if guided else seen,
                    encoder_hidden_states=text,
                    timestep=step.expand(len(text)),
                    image_rotary_emb=table,
                    return_dict=False,
                )[0]
                if guided:
                    without, told = velocity.chunk(2)
                    velocity = without + one.guidance * (told - without)
                moved = self.scheduler.step(velocity, step, latents[:, place], return_dict=False)[0]
                total[:, place] += moved * weight
                share[:, place] += weight
            latents = total / share
        return latents

    def _rotary(self, count: int) -> Any:
        patch = self.spec["patch_size"]
        height, width = (side // 8 // patch for side in RASTER)
        most = self.spec["sample_height"] // patch, self.spec["sample_width"] // patch
        deep = -(-count // self.spec["patch_size_t"])
        head = self.spec["attention_head_dim"]
        return get_3d_rotary_pos_embed(head, None, (height, width), deep, grid_type="slice", max_size=most)


def ours(networks: Networks, inputs: Inputs) -> list[torch.Tensor]:
    """The same through the engine's own clip."""
    clip = Clip(
        networks=networks,
        frames=inputs.frames,
        quadmask=inputs.quadmask,
        windows=inputs.windows,
        all_windows=True,
        plate_noise=None,
        warn=lambda code, frame, text: None,
    )
    found = []
    for one in inputs.passes:
        text = inputs.text if one.guidance > 1 else inputs.text[1:]
        found.append(clip.denoise(one, networks.scheduler(), text, inputs.noise, lambda step, latents: None))
        clip.decode(found[-1])
    return found


class Counted(TorchDispatchMode):
    """Counts operations that compute something, and the bytes that they write."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.found["operations"] += 1
            for tensor in out if isinstance(out, tuple | list) else [out]:
                if isinstance(tensor, torch.Tensor):
                    self.found["bytes"] += tensor.numel() * tensor.element_size()
        return out


def counted(work: Callable[[], object]) -> dict[str, float]:
    """Work, operations and bytes; one after the other, because a count of FLOPs takes operations apart."""
    with FlopCounterMode(display=False) as flops:
        work()
    with Counted() as counts:
        work()
    return {
        "work, GFLOP": flops.get_total_flops() / 1e9,
        "operations": float(counts.found["operations"]),
        "written, MB": counts.found["bytes"] / 1e6,
    }


def make_inputs(networks: Networks, steps: int) -> Inputs:
    """Noise behind a square that moves, with something affected below it."""
    random = torch.Generator().manual_seed(1)
    quadmask = torch.full((FRAMES, *RASTER), KEEP, dtype=torch.uint8)
    for index in range(FRAMES):
        quadmask[index, 16:32, index : index + 24] = REMOVE
        quadmask[index, 32:44, index : index + 24] = AFFECTED
    return Inputs(
        frames=torch.rand(FRAMES, *RASTER, 3, generator=random),
        quadmask=quadmask,
        noise=torch.randn(1, LATENTS, 16, RASTER[0] // 8, RASTER[1] // 8, generator=random),
        text=torch.randn(2, 226, tiny_spec()["transformer"]["text_embed_dim"], generator=random),
        passes=(Pass(1, steps, 1.0, binary_mask=False), Pass(2, steps, GUIDANCE, binary_mask=True)),
        windows=latent_windows(LATENTS, size=WINDOW, overlap=OVERLAP),
    )


def measure(options: argparse.Namespace) -> Iterator[Table]:
    torch.set_num_threads(1)
    steps = 2 if options.quick else options.steps
    title = f"VOID at tiny size, both passes of {steps} steps, {FRAMES} frames of {RASTER[1]}x{RASTER[0]}"
    table = Table("tiny_void", title, ("what", "plain diffusers", "ours", "ratio"))
    with scratch(options) as folder, torch.no_grad():
        weights = Weights(build_weights(Path(folder) / "weights"))
        plain = Plain(weights)
        networks = open_models(
            Config(weights=str(weights.folder), device="cpu", memory="full"), weights, RASTER
        ).networks
        inputs = make_inputs(networks, steps)
        theirs, mine = plain.run(inputs), ours(networks, inputs)
        differ = max(float((one - other).abs().max()) for one, other in zip(theirs, mine, strict=True))
        counts = counted(lambda: plain.run(inputs)), counted(lambda: ours(networks, inputs))
        ways = {
            "plain": lambda: seconds(lambda: plain.run(inputs)),
            "ours": lambda: seconds(lambda: ours(networks, inputs)),
        }
        found = in_turn(ways, options.rounds)
    for name, value in counts[0].items():
        table.add(name, value, counts[1][name], counts[1][name] / value)
        if name != "operations":  # at full size none waits for its launch
            table.verdicts.append(Verdict(f"{name} over plain", Figure((counts[1][name] / value,)), 1.0))
    ratio = found["ours"].over(found["plain"])
    table.add("seconds, one thread", found["plain"], found["ours"], ratio)
    table.verdicts.append(Verdict("time over plain", ratio, 1.0))
    table.notes.append(f"Clean latents differ by {differ:.1e} at most; {options.rounds} rounds of time in turn.")
    yield table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=5)
    parser.add_argument("--steps", type=int, default=4)
    return answer(parser, measure, arguments, PACKAGES[:1] + PACKAGES[4:6])


if __name__ == "__main__":
    sys.exit(main())
