"""Our attention against diffusers' own."""

from __future__ import annotations

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from tinyvoid import tiny_spec
from torch.nn.attention import SDPBackend

from void_server.engines.void.attention import VoidAttention, halves


@pytest.fixture
def transformer() -> CogVideoXTransformer3DModel:
    torch.manual_seed(3)
    network = CogVideoXTransformer3DModel(**{**tiny_spec()["transformer"], "in_channels": 48})
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("kernels", [(), (SDPBackend.MATH,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_our_attention_gives_what_that_of_diffusers_gives(
    transformer: CogVideoXTransformer3DModel, kernels: tuple[SDPBackend, ...], dtype: torch.dtype
) -> None:
    transformer.to(dtype)
    width = transformer.config.attention_head_dim
    cosine, sine = get_3d_rotary_pos_embed(width, None, (2, 3), 2, grid_type="slice", max_size=(20, 20))
    inputs = {
        "hidden_states": torch.randn(2, 4, 48, 4, 6).to(dtype),
        "encoder_hidden_states": torch.randn(2, 226, transformer.config.text_embed_dim).to(dtype),
        "timestep": torch.tensor([999, 999]),
        "return_dict": False,
    }
    stock = transformer(**inputs, image_rotary_emb=(cosine, sine))[0].float()
    transformer.set_attn_processor(VoidAttention(kernels))
    ours = transformer(**inputs, image_rotary_emb=halves(cosine, sine))[0].float()
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    assert float((ours - stock).abs().max()) <= tolerance * float(stock.abs().max())
    assert float(stock.std()) > 1e-4


def test_tables_of_diffusers_hold_every_number_twice() -> None:
    cosine, sine = get_3d_rotary_pos_embed(16, None, (2, 3), 2, grid_type="slice", max_size=(20, 20))
    for table, half in zip((cosine, sine), halves(cosine, sine), strict=True):
        assert half.shape[-1] * 2 == table.shape[-1]
        assert (half.repeat_interleave(2, dim=-1) == table).all()
