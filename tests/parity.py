"""Runs the product's own VOID pipeline on the cases of a parity suite: `compare.py --runner parity:run`.

Nothing is computed here: networks are made from the case's weights, and the steps of `pipeline.Clip` are taken one by
one, with the noise that the case gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXTransformer3DModel,
    DDIMScheduler,
)
from safetensors.torch import load_file

from void_server.engines.void import attention, vae
from void_server.engines.void.denoise import RotaryTables
from void_server.engines.void.latents import FRAMES_A_LATENT, latent_count, latent_windows
from void_server.engines.void.memory import VAE, Memory, transformer
from void_server.engines.void.options import Pass
from void_server.engines.void.pipeline import Clip, Networks

CPU = torch.device("cpu")


def networks(spec: Mapping[str, Any], weights: Mapping[str, Path], scheduler: str) -> Networks:
    """The networks of a suite, as the loader would hand them to the pipeline."""

    def load_vae(device: torch.device) -> AutoencoderKLCogVideoX:
        sizes = {key: tuple(value) if isinstance(value, list) else value for key, value in spec["vae"].items()}
        network = AutoencoderKLCogVideoX(**sizes).eval()
        network.load_state_dict(load_file(weights["vae"]))
        return vae.prepared(network)

    def load_transformer(device: torch.device) -> CogVideoXTransformer3DModel:
        network = CogVideoXTransformer3DModel(**spec["transformer"]).eval()
        network.load_state_dict(load_file(weights["transformer"]))
        attention.use(network, device)
        return network

    make = partial(DDIMScheduler, **spec["scheduler"])
    if scheduler != "ddim":
        make = partial(CogVideoXDDIMScheduler, snr_shift_scale=spec["snr_shift_scale"], **spec["scheduler"])
    return Networks(
        memory=Memory("full", CPU, {VAE: load_vae, transformer(1): load_transformer}),
        scheduler=make,
        tables=RotaryTables(spec["transformer"]),
        noises_plate=True,
    )


def run(
    case: Mapping[str, Any], spec: Mapping[str, Any], inputs: Mapping[str, Any], weights: Mapping[str, Path]
) -> dict[str, torch.Tensor]:
    """One case, in the contract of compare.py."""
    parts = networks(spec, weights, case["scheduler"])
    quadmask = inputs["quadmask_u8"]
    clip = Clip(
        networks=parts,
        frames=inputs["video_u8"].float() / 255,
        quadmask=quadmask,
        windows=latent_windows(
            latent_count(len(quadmask)),
            size=latent_count(spec["window_frames"]),
            overlap=spec["temporal_multidiffusion_stride"] // FRAMES_A_LATENT,
        ),
        all_windows=True,
        plate_noise=inputs["noise_aug"],
        warn=lambda code, frame, text: None,
    )
    one = Pass(1, case["steps"], case["guidance"], binary_mask=not case["use_trimask"])
    text = inputs["prompt_embeds"]
    if case["guidance"] > 1:
        text = torch.cat([inputs["negative_prompt_embeds"], text])
    after: dict[int, torch.Tensor] = {}
    final = clip.denoise(one, parts.scheduler(), text, inputs["init_latents"], after.__setitem__)
    return {
        "mask_pixels": clip.mask_pixels(one.binary_mask),
        "mask_latents": clip.mask_latents(one.binary_mask),
        "video_latents": clip.video_latents(),
        "latents_after_first_step": after[1],
        "final_latents": final,
        "frames": clip.decode(final),
    }
