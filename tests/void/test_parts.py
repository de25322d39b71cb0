"""Networks as they are loaded: types, layers in float8, compiled blocks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from tinyvoid import BASE, build_weights, full_spec, tiny_spec

from void_plugin.config import Config
from void_plugin.errors import JobError
from void_server.engines.void import attention, parts
from void_server.engines.void.memory import TEXT, VAE
from void_server.engines.void.weights import Weights

CPU = torch.device("cpu")
RASTER = (32, 48)


def ignore(code: str, frame: int | None, text: str) -> None:
    """Hears no warning."""


def test_every_network_runs_in_the_type_of_the_checkpoint(tmp_path: Path, machine: Config) -> None:
    weights = Weights(build_weights(tmp_path / "bf16", dtype="bfloat16"))
    memory = parts.open_models(replace(machine, weights=str(weights.folder)), weights, RASTER).networks.memory
    for name in (TEXT, VAE, "pass1", "pass2"):
        kinds = memory.run(name, lambda network: {value.dtype for value in network.parameters()}, ignore)
        assert kinds == {torch.bfloat16}, name


def test_float8_leaves_the_outer_blocks_norms_and_embeddings_alone() -> None:
    with torch.device("meta"):
        network = CogVideoXTransformer3DModel(**{**full_spec()["transformer"], "in_channels": 48})
    layers = parts.float8_layers(network)
    assert len(layers) == 40 * 6  # to_q, to_k, to_v, to_out and two of the feed-forward
    assert not any(name.startswith(("transformer_blocks.0.", "transformer_blocks.41.")) for name in layers)
    assert not any("norm" in name or not name.startswith("transformer_blocks.") for name in layers)
    share = sum(network.get_submodule(name).weight.numel() for name in layers) / 5571.46e6
    assert 0.8 < share < 0.86


def test_float8_is_refused_where_it_cannot_run(machine: Config, weights: Path) -> None:
    problem = parts.device_problem(replace(machine, memory="fp8"))
    assert problem is not None and "fp8" in problem and "another mode" in problem
    assert parts.device_problem(machine) is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_torch_without_cuda_is_named(machine: Config) -> None:
    problem = parts.device_problem(replace(machine, device="cuda"))
    assert problem is not None and "CUDA" in problem


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_compiling_the_blocks_changes_no_output() -> None:
    torch.manual_seed(1)
    network = CogVideoXTransformer3DModel(**{**tiny_spec()["transformer"], "in_channels": 48})
    network.eval().requires_grad_(False)
    attention.use(network, CPU)
    rotary = get_3d_rotary_pos_embed(16, None, (2, 3), 2, grid_type="slice", max_size=(20, 20))
    inputs: dict[str, Any] = {
        "hidden_states": torch.randn(1, 4, 48, 4, 6),
        "encoder_hidden_states": torch.randn(1, 226, 24),
        "timestep": torch.tensor([500]),
        "image_rotary_emb": attention.halves(*rotary),
        "return_dict": False,
    }
    with torch.no_grad():
        eager = network(**inputs)[0]
        parts.compile_blocks(network)
        compiled = network(**inputs)[0]
    assert float((compiled - eager).abs().max() / eager.abs().max()) <= 1e-4


@pytest.mark.parametrize("spoiled", ["vae/config.json", "text_encoder/config.json", "transformer/config.json"])
def test_a_broken_configuration_is_named(tmp_path: Path, machine: Config, spoiled: str) -> None:
    weights = Weights(build_weights(tmp_path / "mine", passes=1))
    (weights.folder / BASE / spoiled).write_text("{")
    with pytest.raises(JobError) as raised:
        models = parts.open_models(replace(machine, weights=str(weights.folder)), weights, RASTER)
        models.text.embedding("", ignore)
        models.networks.memory.run(VAE, lambda network: network, ignore)
    assert raised.value.code == "job.weights" and spoiled.split("/")[0] in raised.value.message


def test_configurations_are_read_and_not_assumed(tmp_path: Path, machine: Config) -> None:
    weights = Weights(build_weights(tmp_path / "mine", passes=1))
    config = json.loads(weights.transformer_config.read_text())
    weights.transformer_config.write_text(json.dumps({**config, "add_noise_in_inpaint_model": False}))
    scheduler = weights.scheduler / "scheduler_config.json"
    scheduler.write_text(json.dumps({**json.loads(scheduler.read_text()), "num_train_timesteps": 500}))
    networks = parts.open_models(replace(machine, weights=str(weights.folder)), weights, RASTER).networks
    assert networks.noises_plate is False and networks.scheduler().config.num_train_timesteps == 500
