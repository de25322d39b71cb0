"""VOID's networks from a weights folder: the real classes, their configurations read from disk."""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel, DDIMScheduler
from safetensors import SafetensorError
from torch import nn
from transformers import AutoTokenizer, T5EncoderModel

from void_plugin.config import Config
from void_plugin.errors import JobError
from void_server.engines.void import attention, vae
from void_server.engines.void.checkpoint import checkpoint_dtype, load_transformer
from void_server.engines.void.denoise import RotaryTables
from void_server.engines.void.memory import TEXT, VAE, Load, Memory, choose_mode, transformer
from void_server.engines.void.pipeline import Networks
from void_server.engines.void.text import TextEncoder
from void_server.engines.void.weights import Weights

BLOCK = "CogVideoXBlock"
"""The layer that regional compilation compiles once for all 42 places."""


@dataclass(frozen=True)
class Models:
    """Everything of VOID that stays loaded between the jobs of a process."""

    networks: Networks
    text: TextEncoder
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    """A device has room for one clip."""


def open_models(machine: Config, weights: Weights, raster: tuple[int, int]) -> Models:
    """The models of a weights folder; each network is loaded when it is first used.

    Raises JobError where a file is missing or cannot be what it should be.
    """
    device = torch.device(machine.device)
    config = _config(weights.transformer_config)
    mode = memory_mode(machine, weights, raster)
    loads: dict[str, Load] = {
        TEXT: lambda where: _load_text(weights, where),
        VAE: lambda where: _load_vae(weights, where),
    }
    for number in (1, 2):
        loads[transformer(number)] = _transformer_load(weights, number, config, machine, mode)
    memory = Memory(mode, device, loads)
    networks = Networks(
        memory=memory,
        scheduler=lambda: DDIMScheduler.from_pretrained(weights.scheduler, local_files_only=True),
        tables=RotaryTables(config),
        noises_plate=bool(config.get("add_noise_in_inpaint_model", False)),
    )
    tokenizer = AutoTokenizer.from_pretrained(weights.tokenizer, local_files_only=True)
    return Models(networks, TextEncoder(tokenizer, memory))


def network_bytes(weights: Weights) -> dict[str, int]:
    """Bytes of the weights of each network that is there."""
    found = {
        TEXT: sum(path.stat().st_size for path in weights.text_encoder.glob("*.safetensors")),
        VAE: sum(path.stat().st_size for path in weights.vae.glob("*.safetensors")),
    }
    for number in (1, 2):
        path = weights.checkpoint(number)
        if path.exists():
            found[transformer(number)] = path.stat().st_size
    return found


def free_bytes(device: torch.device) -> int:
    """Memory that this process can take on a device; without limit on a CPU."""
    if device.type != "cuda":
        return 1 << 62
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device)


def memory_mode(machine: Config, weights: Weights, raster: tuple[int, int]) -> str:
    """The memory mode that VOID starts in on this machine as it is now."""
    return choose_mode(machine.memory, network_bytes(weights), raster, free_bytes(torch.device(machine.device)))


def device_problem(machine: Config) -> str | None:
    """Why torch cannot run VOID on the machine's device, as a sentence; None where it can."""
    device = torch.device(machine.device)
    problem = _cuda_problem() if device.type == "cuda" else None
    if problem is None and machine.memory == "fp8":
        return float8_problem(device)
    return problem


def _cuda_problem() -> str | None:
    if torch.cuda.is_available():
        return None
    if torch.version.cuda is None:
        return "The torch installed here has no CUDA in it; install a CUDA build of torch."
    return "torch finds no CUDA device; check nvidia-smi and the driver."


def float8_problem(device: torch.device) -> str | None:
    """Why a transformer cannot run in float8 here, as a sentence; None where it can."""
    if importlib.util.find_spec("torchao") is None:
        return "The memory mode fp8 needs torchao; install it, or take another mode."
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 9):
        return "The memory mode fp8 needs an NVIDIA GPU of the Ada or Hopper generation or newer; take another mode."
    return None


def compile_blocks(network: Any) -> None:
    """Compile the layer that a transformer repeats, once for all of its places."""
    # diffusers leaves the list of this model's repeated blocks empty, and would refuse.
    network._repeated_blocks = [BLOCK]
    network.compile_repeated_blocks(fullgraph=True)


def float8_layers(network: nn.Module) -> set[str]:
    """Names of the layers whose weights go into float8: the matrices of all blocks but the first and the last.

    What is small or sensitive stays as it is: embeddings, norms and the output.
    """
    blocks = [name for name, _ in network.named_modules() if re.fullmatch(r"transformer_blocks\.\d+", name)]
    inner = tuple(f"{name}." for name in blocks[1:-1])
    return {
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and name.startswith(inner) and "norm" not in name
    }


def in_float8(network: nn.Module) -> None:
    """Put weights into float8; activations are scaled row by row as they come."""
    from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, PerRow, quantize_

    chosen = float8_layers(network)
    config = Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())
    quantize_(network, config, filter_fn=lambda module, name: name in chosen)


def _transformer_load(weights: Weights, number: int, config: Mapping[str, Any], machine: Config, mode: str) -> Load:
    def load(device: torch.device) -> nn.Module:
        network: Any = load_transformer(weights.checkpoint(number), config, device)
        attention.use(network, device)
        if mode == "fp8":
            in_float8(network)
        if machine.compile:
            compile_blocks(network)
        loaded: nn.Module = network
        return loaded

    return load


def _load_text(weights: Weights, device: torch.device) -> nn.Module:
    try:
        network = T5EncoderModel.from_pretrained(
            weights.text_encoder,
            dtype=checkpoint_dtype(weights.checkpoint(1)),
            local_files_only=True,
            use_safetensors=True,
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise _broken(weights.text_encoder, error) from error
    loaded: nn.Module = network.eval().requires_grad_(False).to(device)
    return loaded


def _load_vae(weights: Weights, device: torch.device) -> nn.Module:
    try:
        network = AutoencoderKLCogVideoX.from_pretrained(
            weights.vae,
            torch_dtype=checkpoint_dtype(weights.checkpoint(1)),
            local_files_only=True,
            use_safetensors=True,
            low_cpu_mem_usage=False,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _broken(weights.vae, error) from error
    prepared: nn.Module = vae.prepared(network.eval().requires_grad_(False)).to(device)
    return vae.channels_last(prepared) if device.type == "cuda" else prepared


def _config(path: Path) -> dict[str, Any]:
    """A transformer's configuration, with the defaults of its class for what it does not say."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(path, error) from error
    stock = inspect.signature(CogVideoXTransformer3DModel.__init__).parameters
    return {**{name: known.default for name, known in stock.items() if known.default is not known.empty}, **said}


def _broken(path: Path, error: Exception) -> JobError:
    reason = str(error).partition("\n")[0]
    return JobError(f"VOID cannot read {path} ({reason}); run `void-server models check`.", "job.weights")
