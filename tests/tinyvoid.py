"""A complete weights folder of a tiny VOID: the real classes with random weights, made in a second or two."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel, DDIMScheduler
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel, T5Tokenizer

BASE = "CogVideoX-Fun-V1.5-5b-InP"
SENTENCES = (
    "a lawn in the sun with long shadows", "an empty street at dusk, wet asphalt", "grass moves in the wind",
    "the camera pans over a quiet beach", "a table with two glasses and a purple ending", "remove the man in the car",
    "waves roll onto the sand", "a kitchen with white walls", "snow falls on a wooden bridge", "light through trees",
)  # fmt: skip


def tiny_spec() -> dict[str, Any]:
    """Configurations of the tiny networks, by name; those of the real ones except for their sizes."""
    return {
        "transformer": {
            "num_attention_heads": 2,
            "attention_head_dim": 16,
            "in_channels": 33,
            "out_channels": 16,
            "flip_sin_to_cos": True,
            "freq_shift": 0,
            "time_embed_dim": 32,
            "text_embed_dim": 24,
            "num_layers": 2,
            "dropout": 0.0,
            "attention_bias": True,
            "sample_width": 84,
            "sample_height": 48,
            "sample_frames": 85,
            "patch_size": 2,
            "patch_size_t": 2,
            "temporal_compression_ratio": 4,
            "max_text_seq_length": 226,
            "activation_fn": "gelu-approximate",
            "timestep_activation_fn": "silu",
            "norm_elementwise_affine": True,
            "norm_eps": 1e-5,
            "spatial_interpolation_scale": 1.875,
            "temporal_interpolation_scale": 1.0,
            "use_rotary_positional_embeddings": True,
            "use_learned_positional_embeddings": False,
            "patch_bias": False,
        },
        "vae": {
            "in_channels": 3,
            "out_channels": 3,
            "down_block_types": ["CogVideoXDownBlock3D"] * 4,
            "up_block_types": ["CogVideoXUpBlock3D"] * 4,
            "block_out_channels": [8, 8, 16, 16],
            "layers_per_block": 1,
            "latent_channels": 16,
            "norm_num_groups": 4,
            "sample_height": 48,
            "sample_width": 80,
            "scaling_factor": 0.7,
            "temporal_compression_ratio": 4,
        },
        "scheduler": {
            "num_train_timesteps": 1000,
            "beta_start": 0.00085,
            "beta_end": 0.012,
            "beta_schedule": "scaled_linear",
            "clip_sample": False,
            "set_alpha_to_one": True,
            "steps_offset": 0,
            "prediction_type": "v_prediction",
            "timestep_spacing": "trailing",
            "rescale_betas_zero_snr": True,
        },
        "text_encoder": {"vocab_size": 128, "d_model": 24, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 2},
    }


def full_spec() -> dict[str, Any]:
    """Configurations of the real sizes (void_model.md 1, 2 and 5)."""
    tiny = tiny_spec()
    transformer = {"num_attention_heads": 48, "attention_head_dim": 64, "time_embed_dim": 512, "text_embed_dim": 4096}
    text = {"vocab_size": 32128, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64}
    sizes = {"block_out_channels": [128, 256, 256, 512], "layers_per_block": 3, "norm_num_groups": 32}
    return {
        **tiny,
        "transformer": {
            **tiny["transformer"],
            **transformer,
            "num_layers": 42,
            "sample_width": 300,
            "sample_height": 300,
        },
        "vae": {**tiny["vae"], **sizes},
        "text_encoder": text,
    }


def build_weights(
    folder: Path,
    *,
    seed: int = 0,
    dtype: str = "float32",
    passes: int = 2,
    spec: dict[str, Any] | None = None,
    device: str = "cpu",
) -> Path:
    """Write a weights folder as `void-server models fetch` would; equal seeds give equal weights."""
    spec, kind, base = spec or tiny_spec(), getattr(torch, dtype), folder / BASE
    torch.manual_seed(seed)
    _tokenizer(base / "tokenizer", spec["text_encoder"]["vocab_size"])
    with torch.device(device):
        text = T5EncoderModel(T5Config(**spec["text_encoder"], feed_forward_proj="gated-gelu"))
        text.to(kind).save_pretrained(base / "text_encoder")
        del text
        AutoencoderKLCogVideoX(**spec["vae"]).to(kind).save_pretrained(base / "vae")
    DDIMScheduler(**spec["scheduler"]).save_pretrained(base / "scheduler")
    # The real base model has a patch embedding for one mask channel, and says that it was trained with noise.
    config = {"_class_name": "CogVideoXTransformer3DModel", "add_noise_in_inpaint_model": True, **spec["transformer"]}
    (base / "transformer").mkdir(parents=True)
    (base / "transformer" / "config.json").write_text(json.dumps(config))
    for number in range(1, passes + 1):
        torch.manual_seed(seed * 100 + number)
        with torch.device(device):
            network = CogVideoXTransformer3DModel(**{**spec["transformer"], "in_channels": 48})
        with torch.no_grad():
            for value in network.parameters():
                # Fresh networks have norms of 1 and biases of 0, which would hide a forgotten one. At full size the
                # same noise in the matrices would let activations grow without end.
                value.add_(torch.randn_like(value) * (0.05 if spec == tiny_spec() or value.dim() == 1 else 0.001))
        state = {name: value.to(kind).contiguous().cpu() for name, value in network.state_dict().items()}
        del network
        save_file(state, folder / f"void_pass{number}.safetensors")
    return folder


def _tokenizer(folder: Path, size: int) -> None:
    folder.mkdir(parents=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_writer=model, vocab_size=size - 28, model_type="unigram",
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    (folder / "spiece.model").write_bytes(model.getvalue())
    T5Tokenizer.from_pretrained(folder, extra_ids=0).save_pretrained(folder)
    (folder / "tokenizer.json").unlink()  # newer than the files of the real one
