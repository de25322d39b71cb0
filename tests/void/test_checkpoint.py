"""VOID's checkpoint: what is taken, what is refused and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tinyvoid import build_weights

from void_plugin.errors import JobError
from void_server.engines.void.checkpoint import check_checkpoint, checkpoint_dtype, expected_tensors, load_transformer
from void_server.engines.void.weights import Weights

CPU = torch.device("cpu")
FULL_SIZE = {
    "num_attention_heads": 48, "attention_head_dim": 64, "in_channels": 33, "out_channels": 16, "time_embed_dim": 512,
    "text_embed_dim": 4096, "num_layers": 42, "sample_width": 680, "sample_height": 384, "sample_frames": 85,
    "patch_size": 2, "patch_size_t": 2, "attention_bias": True, "patch_bias": False, "max_text_seq_length": 226,
    "use_rotary_positional_embeddings": True, "add_noise_in_inpaint_model": True,
}  # fmt: skip
"""Sizes of the real transformer (void_model.md 2)."""


@pytest.fixture
def config(weights: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Weights(weights).transformer_config.read_text())
    return found


@pytest.fixture
def spoiled(weights: Path, tmp_path: Path) -> Callable[[Callable[[dict[str, torch.Tensor]], None]], Path]:
    """Writes the checkpoint of pass 1 after a change of its tensors."""

    def write(change: Callable[[dict[str, torch.Tensor]], None]) -> Path:
        tensors = load_file(Weights(weights).checkpoint(1))
        change(tensors)
        path = tmp_path / "void_pass1.safetensors"
        save_file(tensors, path)
        return path

    return write


def refused(path: Path, config: dict[str, Any]) -> str:
    with pytest.raises(JobError) as raised:
        load_transformer(path, config, CPU)
    assert raised.value.code == "job.weights" and str(path) in raised.value.message
    return raised.value.message


def test_the_real_transformer_has_1024_tensors_and_5571_million_parameters() -> None:
    shapes = expected_tensors(FULL_SIZE)
    count = sum(int(torch.tensor(shape).prod()) for shape in shapes.values())
    assert len(shapes) == 1024 and round(count / 1e6, 2) == 5571.46


def test_weights_are_those_of_the_file(weights: Path, config: dict[str, Any]) -> None:
    path = Weights(weights).checkpoint(1)
    network = load_transformer(path, config, CPU)
    tensors = load_file(path)
    assert network.config.in_channels == 48 and not network.training
    assert not any(value.requires_grad for value in network.parameters())
    for name, value in network.state_dict().items():
        assert (value == tensors[name]).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_type_is_that_of_the_file(config: dict[str, Any], tmp_path: Path, dtype: str) -> None:
    path = Weights(build_weights(tmp_path, dtype=dtype, passes=1)).checkpoint(1)
    kind = getattr(torch, dtype)
    assert checkpoint_dtype(path) == kind
    assert {value.dtype for value in load_transformer(path, config, CPU).parameters()} == {kind}


def test_a_missing_file_says_what_to_do(config: dict[str, Any], tmp_path: Path) -> None:
    assert "is not there" in refused(tmp_path / "void_pass1.safetensors", config)


@pytest.mark.parametrize("keep", [0, 4, 5000, -1])
def test_a_file_that_is_cut_short_is_refused(weights: Path, config: dict[str, Any], tmp_path: Path, keep: int) -> None:
    path = tmp_path / "void_pass1.safetensors"
    data = Weights(weights).checkpoint(1).read_bytes()
    path.write_bytes(data[:keep])
    assert "cut short" in refused(path, config)
    if keep == -1:
        assert f"{len(data) - 1:,} of {len(data):,} bytes" in refused(path, config)


@pytest.mark.parametrize(
    "content",
    [
        b"PK\3\4" + bytes(100),
        b"\x20" + bytes(7) + b"x" * 100,
        b"\x02" + bytes(7) + b"[]",
        b"version https://git-lfs.github.com/spec/v1\nsize 11143000000\n",
        (90_000).to_bytes(8, "little") + b"[" * 90_000,
    ],
)
def test_another_kind_of_file_is_refused(config: dict[str, Any], tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "void_pass1.safetensors"
    path.write_bytes(content)
    assert "no safetensors file" in refused(path, config)


def test_the_base_models_width_is_told_from_voids(config: dict[str, Any], spoiled: Callable[..., Path]) -> None:
    def narrow(tensors: dict[str, torch.Tensor]) -> None:
        key = "patch_embed.proj.weight"
        tensors[key] = tensors[key][:, : 8 * 33].contiguous()

    assert "takes 33 channels and VOID takes 48" in refused(spoiled(narrow), config)


def test_a_model_of_an_older_family_is_told_by_its_channels(
    config: dict[str, Any], spoiled: Callable[..., Path]
) -> None:
    def older(tensors: dict[str, torch.Tensor]) -> None:
        tensors["patch_embed.proj.weight"] = torch.zeros(32, 33, 2, 2)

    assert "takes 33 channels and VOID takes 48" in refused(spoiled(older), config)


@pytest.mark.parametrize("shape", [(64, 384), (5,), (32, 383)])
def test_another_patch_embedding_of_unknown_channels_is_another_shape(
    config: dict[str, Any], spoiled: Callable[..., Path], shape: tuple[int, ...]
) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["patch_embed.proj.weight"] = torch.zeros(shape)

    assert f"patch_embed.proj.weight {list(shape)}" in refused(spoiled(change), config)


def test_the_first_five_missing_and_unexpected_keys_are_named(
    config: dict[str, Any], spoiled: Callable[..., Path]
) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        for name in sorted(tensors)[:7]:
            del tensors[name]
        tensors["ema.decay"] = torch.zeros(1)

    names = sorted(expected_tensors(config))
    sentence = refused(spoiled(change), config)
    assert "lacks 7 keys" in sentence and ", ".join(names[:5]) in sentence and names[5] not in sentence
    assert "has besides 1 keys (ema.decay)" in sentence


def test_other_shapes_are_named(config: dict[str, Any], spoiled: Callable[..., Path]) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["proj_out.bias"] = torch.zeros(3)

    assert "proj_out.bias [3]" in refused(spoiled(change), config)


def test_float16_is_refused_for_its_nans(config: dict[str, Any], spoiled: Callable[..., Path]) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        for name in tensors:
            tensors[name] = tensors[name].half()

    sentence = refused(spoiled(change), config)
    assert "bfloat16" in sentence and "NaN" in sentence


def test_mixed_types_are_refused(config: dict[str, Any], spoiled: Callable[..., Path]) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["proj_out.bias"] = tensors["proj_out.bias"].bfloat16()

    assert "BF16, F32" in refused(spoiled(change), config)


def test_a_file_without_tensors_has_no_type(tmp_path: Path) -> None:
    path = tmp_path / "void_pass1.safetensors"
    save_file({}, path)
    with pytest.raises(JobError, match="no tensors"):
        checkpoint_dtype(path)


def test_what_loading_would_refuse_does_not_pass_the_check(
    weights: Path, config: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "void_pass1.safetensors"
    path.write_bytes(Weights(weights).checkpoint(1).read_bytes() + b"more")
    with pytest.raises(JobError, match="no safetensors file"):
        check_checkpoint(path, expected_tensors(config))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 6000), value=st.integers(0, 255))
def test_a_spoiled_header_is_refused_in_a_sentence_or_harmless(
    weights: Path, config: dict[str, Any], tmp_path: Path, place: int, value: int
) -> None:
    path = tmp_path / "void_pass1.safetensors"
    data = bytearray(Weights(weights).checkpoint(1).read_bytes())
    data[place] = value
    path.write_bytes(data)
    try:
        check_checkpoint(path, expected_tensors(config))
    except JobError as error:
        assert error.code == "job.weights" and str(path) in error.message
    else:
        load_transformer(path, config, CPU)


def test_a_network_with_tables_outside_its_checkpoint_is_refused(weights: Path, config: dict[str, Any]) -> None:
    path = Weights(weights).checkpoint(1)
    assert "patch_embed.pos_embedding" in refused(path, {**config, "use_rotary_positional_embeddings": False})


def test_checking_reads_only_the_header(weights: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from void_server.engines.void import checkpoint

    monkeypatch.setattr(checkpoint, "load_file", None)
    assert check_checkpoint(Weights(weights).checkpoint(1), expected_tensors(config)) == torch.float32
