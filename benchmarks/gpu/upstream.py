"""Netflix's own code with the same weights, from a checkout that the user names; nothing of it is part of ours."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler
from safetensors.torch import load_file
from transformers import T5EncoderModel, T5Tokenizer

from void_server.engines.void.weights import Weights

NEGATIVE = ""


class Upstream:
    """Upstream's classes, and a pipeline of them."""

    def __init__(self, checkout: Path, weights: Weights, device: torch.device, dtype: torch.dtype) -> None:
        """Raises ImportError where the checkout or a package that it needs is not there."""
        if str(checkout) not in sys.path:
            sys.path.insert(0, str(checkout))
        self.models = importlib.import_module("videox_fun.models")
        self.pipelines = importlib.import_module("videox_fun.pipeline")
        self.casts = importlib.import_module("videox_fun.utils.fp8_optimization")
        self.weights, self.device, self.dtype = weights, device, dtype

    def transformer(self, number: int, place: torch.device) -> Any:
        """Its transformer with the checkpoint of a pass, as its script loads it."""
        config = json.loads(self.weights.transformer_config.read_text())
        with torch.device("meta"):
            network = self.models.CogVideoXTransformer3DModel.from_config({**config, "in_channels": 48})
        network.load_state_dict(load_file(self.weights.checkpoint(number), device=str(place)), assign=True)
        return network.eval().requires_grad_(False)

    def vae(self, place: torch.device) -> Any:
        """Its VAE."""
        network = self.models.AutoencoderKLCogVideoX.from_pretrained(self.weights.vae, torch_dtype=self.dtype)
        return network.to(self.dtype).eval().requires_grad_(False).to(place)

    def pipeline(self, number: int, resident: bool) -> Any:
        """Its pipeline for a pass: everything on the device, or in the mode that its configuration comes with."""
        place = self.device if resident else torch.device("cpu")
        text = T5EncoderModel.from_pretrained(self.weights.text_encoder, dtype=self.dtype)
        transformer = self.transformer(number, place)
        transformer.sp_world_size = 1
        made = self.pipelines.CogVideoXFunInpaintPipeline(
            vae=self.vae(place),
            tokenizer=T5Tokenizer.from_pretrained(self.weights.tokenizer),
            text_encoder=text.to(place),
            transformer=transformer,
            scheduler=DDIMScheduler.from_pretrained(self.weights.scheduler),
        )
        made.set_progress_bar_config(disable=True)
        if not resident:
            self.casts.convert_weight_dtype_wrapper(transformer, self.dtype)
            made.enable_model_cpu_offload(device=self.device)
        return made

    def run(self, pipeline: Any, number: int, frames: int, raster: tuple[int, int], steps: int) -> Callable[[], Any]:
        """One clip through a pipeline, as its scripts for the passes do it."""
        height, width = raster
        video = torch.rand(1, 3, frames, height, width, generator=torch.Generator().manual_seed(1))
        mask = torch.zeros(1, 1, frames, height, width)
        mask[..., height // 4 : height // 2, width // 4 : width // 2] = 1
        more: dict[str, Any] = {}
        if number == 2:
            shape = (1, (frames - 1) // 4 + 1, 16, height // 8, width // 8)
            more["latents"] = torch.randn(shape, generator=torch.Generator().manual_seed(2)).to(self.device, self.dtype)

        def work() -> Any:
            with torch.no_grad():
                return pipeline(
                    "an empty street at dusk",
                    num_frames=85,
                    negative_prompt=NEGATIVE,
                    height=height,
                    width=width,
                    generator=torch.Generator(self.device).manual_seed(42),
                    guidance_scale=1.0 if number == 1 else 6.0,
                    num_inference_steps=steps,
                    video=video,
                    mask_video=1 - mask,
                    strength=1.0,
                    use_trimask=True,
                    zero_out_mask_region=False,
                    use_vae_mask=True,
                    stack_mask=False,
                    **more,
                ).videos

        return work
