"""Attention of VOID's transformer with the kernel chosen by us.

diffusers' `set_attention_backend` is accepted by this model and does nothing, because its processor calls torch
directly; so the choice is made in a processor of our own (performance.md 2.3).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.attention_processor import Attention
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

Rotary = tuple[torch.Tensor, torch.Tensor]
"""Cosine and sine (tokens, head dim / 2), float32, of the rotation of each pair of channels."""

HOPPER = (9, 0)
"""Capability from which cuDNN's attention is faster than FlashAttention 2, the default of torch; below it is slower
(performance.md 2.2)."""


class VoidAttention:
    """Joint attention over text and video tokens; only video tokens are rotated."""

    def __init__(self, kernels: Sequence[SDPBackend] = ()) -> None:
        """`kernels` in order of preference; none leaves the choice to torch."""
        self._kernels = list(kernels)

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        image_rotary_emb: Rotary | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        words = encoder_hidden_states.shape[1]
        tokens = torch.cat([encoder_hidden_states, hidden_states], dim=1)
        query = _turned(_heads(attn.to_q(tokens), attn.heads), attn.norm_q, words, image_rotary_emb)
        key = _turned(_heads(attn.to_k(tokens), attn.heads), attn.norm_k, words, image_rotary_emb)
        value = _heads(attn.to_v(tokens), attn.heads)
        query, key, value = (part.transpose(1, 2) for part in (query, key, value))
        if self._kernels:
            with sdpa_kernel(self._kernels, set_priority=True):
                mixed = F.scaled_dot_product_attention(query, key, value)
        else:
            mixed = F.scaled_dot_product_attention(query, key, value)
        out = attn.to_out[0](mixed.transpose(1, 2).flatten(2))
        return out[:, words:], out[:, :words]


def use(transformer: CogVideoXTransformer3DModel, device: torch.device) -> None:
    """Give a transformer our attention, with the kernel that suits the device."""
    kernels: list[SDPBackend] = []
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= HOPPER:
        kernels = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION,
                   SDPBackend.MATH]  # fmt: skip
    transformer.set_attn_processor(VoidAttention(kernels))


def halves(cosine: torch.Tensor, sine: torch.Tensor) -> Rotary:
    """diffusers' tables, which hold every number twice, as ours."""
    return cosine[:, ::2].contiguous(), sine[:, ::2].contiguous()


def _heads(tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """Tokens (batch, tokens, width) as (batch, tokens, heads, head dim): as they lie, so that nothing is copied."""
    return tokens.reshape(*tokens.shape[:2], heads, -1)


def _turned(tokens: torch.Tensor, norm: nn.LayerNorm, words: int, rotary: Rotary | None) -> torch.Tensor:
    """Tokens (batch, tokens, heads, head dim) normed, and those after the words rotated."""
    normed: torch.Tensor = norm(tokens)
    if rotary is not None:
        normed[:, words:] = _rotated(normed[:, words:], rotary)
    return normed


def _rotated(tokens: torch.Tensor, rotary: Rotary) -> torch.Tensor:
    """Tokens with their pairs of channels rotated, in float32."""
    cosine, sine = (table[:, None] for table in rotary)
    pairs = tokens.float().unflatten(-1, (-1, 2))
    if tokens.is_cuda and not torch.compiler.is_compiling():
        # The same product as below in a third of the memory traffic. torch's compiler has no code for it, and on a
        # CPU its last bits depend on how threads share the numbers.
        return torch.view_as_real(torch.view_as_complex(pairs) * torch.complex(cosine, sine)).flatten(-2)
    first, second = pairs.unbind(-1)
    return torch.stack([first * cosine - second * sine, second * cosine + first * sine], dim=-1).flatten(-2)
