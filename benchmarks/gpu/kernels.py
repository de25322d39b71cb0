"""Stages A to C: what the device can do at most, one call of the transformer, the VAE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import CogVideoXAttnProcessor2_0
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from torch.nn.attention import SDPBackend, sdpa_kernel

from gpu.measure import Row, Size, median_seconds, once, tflop
from gpu.upstream import Upstream
from void_server.engines.void import attention, parts, vae
from void_server.engines.void.memory import VAE, Memory

KERNELS = {
    "FlashAttention 2": SDPBackend.FLASH_ATTENTION,
    "cuDNN": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}
NOT_HERE = (RuntimeError, NotImplementedError, ImportError, ValueError)
"""What a kernel, a compiler or a package raises that this machine lacks."""


def ignore(code: str, frame: int | None, text: str) -> None:
    """Hears no warning."""


def ceilings(size: Size, device: torch.device, dtype: torch.dtype) -> tuple[list[Row], float]:
    """Stage A, and the rate of a large matrix product in TFLOP/s."""
    rows = []
    side = 8192 if size.name == "full" else 256
    tokens = int((size.short - 1) // 4 + 1) // 2 * (size.raster[0] // 16) * (size.raster[1] // 16) + 226
    shapes = [(side, side, side)] + [(tokens, size.width, size.width * n) for n in (1, 3, 4)]
    shapes.append((tokens, size.width * 4, size.width))
    for m, k, n in shapes:
        left, right = torch.randn(m, k, device=device, dtype=dtype), torch.randn(k, n, device=device, dtype=dtype)
        seconds = median_seconds(lambda a=left, b=right: a @ b, device, size)  # type: ignore[misc]
        rows.append(Row("A", f"matrix product {m} x {k} x {n}", seconds, 2 * m * k * n / 1e12))
    gemm = rows[0].tflop / rows[0].seconds
    source = torch.empty((1 << 30) if size.name == "full" else (1 << 20), dtype=torch.uint8, device=device)
    seconds = median_seconds(source.clone, device, size)
    rows.append(Row("A", "copy", seconds, note=f"{2 * source.numel() / seconds / 1e9:.0f} GB/s"))
    del source
    heads = size.width // 64 or 2
    query = torch.randn(1, heads, tokens, size.width // heads, device=device, dtype=dtype)
    for name, kernel in KERNELS.items():
        if name == "math" and size.name == "full":
            continue  # it would write out a matrix of 11,314 x 11,314 for each head
        try:
            with sdpa_kernel([kernel]):
                seconds = median_seconds(lambda: F.scaled_dot_product_attention(query, query, query), device, size)
        except NOT_HERE as error:
            rows.append(Row("A", f"attention, {name}", note=_reason(error)))
            continue
        rows.append(Row("A", f"attention, {name}", seconds, 4 * tokens**2 * size.width / 1e12))
    return rows, gemm


def forwards(size: Size, memory: Memory, upstream: Upstream | None, dtype: torch.dtype) -> list[Row]:
    """Stage B: one call of the transformer for a window and for the last one of a long clip."""
    device, rows = memory.device, []
    network: Any = memory.run("pass1", lambda found: found, ignore)
    cases = [(22, 1), (22, 2), (14, 1), (14, 2)] if size.name == "full" else [(22, 1), (4, 2)]
    for latents, batch in cases:
        inputs = _inputs(network, size, latents, batch, device, dtype)
        label = f"T={latents} batch {batch}"
        work = tflop(size, latents, batch)
        network.set_attn_processor(CogVideoXAttnProcessor2_0())
        eager, seconds = _forward(network, inputs, device, size)
        base = Row("B", f"{label}, diffusers eager", seconds, work)
        rows.append(base)
        theirs = 0.0
        if upstream is not None:
            other = upstream.transformer(1, device)
            found, theirs = _forward(other, inputs, device, size)
            rows.append(Row("B", f"{label}, upstream", theirs, work, error=_difference(found, eager)))
            del other
        attention.use(network, device)
        ours = {**inputs, "image_rotary_emb": attention.halves(*inputs["image_rotary_emb"])}
        found, seconds = _forward(network, ours, device, size)
        rows.append(Row("B", f"{label}, ours", seconds, work, 0, theirs / seconds, _difference(found, eager)))
    rows += _variants(size, network, device, dtype)
    return rows


def _variants(size: Size, network: Any, device: torch.device, dtype: torch.dtype) -> list[Row]:
    """One window with the blocks compiled, and then with their matrices in float8."""
    inputs = _inputs(network, size, 22, 1, device, dtype)
    inputs["image_rotary_emb"] = attention.halves(*inputs["image_rotary_emb"])
    eager, _ = _forward(network, inputs, device, size)
    rows, work = [], tflop(size, 22, 1)
    changes: dict[str, Callable[[], Any]] = {
        "compiled": lambda: parts.compile_blocks(network),
        "compiled, float8": lambda: parts.in_float8(network),
    }
    for name, change in changes.items():
        problem = parts.float8_problem(device) if "float8" in name else None
        if problem is not None:
            rows.append(Row("B", f"T=22 batch 1, ours {name}", note=problem))
            continue
        try:
            change()
            first, _ = once(lambda: _call(network, inputs), device)
            found, seconds = _forward(network, inputs, device, size)
        except NOT_HERE as error:
            rows.append(Row("B", f"T=22 batch 1, ours {name}", note=_reason(error)))
            continue
        note = f"first call {first:.1f} s"
        rows.append(Row("B", f"T=22 batch 1, ours {name}", seconds, work, error=_difference(found, eager), note=note))
    return rows


def codec(size: Size, memory: Memory, upstream: Upstream | None) -> list[Row]:
    """Stage C: encoding and decoding one window's frames."""
    device, rows = memory.device, []
    ours: Any = memory.run(VAE, lambda found: found, ignore)
    dtype = next(ours.parameters()).dtype
    pixels = torch.rand(1, 3, size.short, *size.raster, device=device) * 2 - 1
    with torch.no_grad():
        latents = vae.encode(ours, pixels)
    theirs: dict[str, float] = {}
    if upstream is not None:
        other = upstream.vae(device)
        scaled = (latents / ours.config.scaling_factor).to(dtype)
        for name, work in (
            ("encode", lambda: other.encode(pixels.to(dtype))),
            ("decode", lambda: other.decode(scaled)),
        ):
            with torch.no_grad():
                theirs[name], peak = once(work, device)
            rows.append(Row("C", f"{name} {size.short} frames, upstream", theirs[name], peak_gib=peak))
        del other
    for layout in ("as it is loaded", "channels last"):
        if layout == "channels last":
            vae.channels_last(ours)
        for name, work in (
            ("encode", lambda: vae.encode(ours, pixels)),
            ("decode", lambda: vae.decode(ours, latents)),
        ):
            with torch.no_grad():
                once(work, device)
                seconds, peak = once(work, device)
            against = theirs[name] / seconds if theirs else 0.0
            note = f"{1000 * seconds / size.short:.1f} ms a frame"
            rows.append(Row("C", f"{name} {size.short} frames, ours, {layout}", seconds, 0, peak, against, note=note))
    return rows


def _inputs(
    network: Any, size: Size, latents: int, batch: int, device: torch.device, dtype: torch.dtype
) -> dict[str, Any]:
    height, width = size.raster[0] // 8, size.raster[1] // 8
    config = network.config
    rotary = get_3d_rotary_pos_embed(
        config.attention_head_dim, None, (height // 2, width // 2), latents // 2, grid_type="slice",
        max_size=(config.sample_height // 2, config.sample_width // 2),
    )  # fmt: skip
    torch.manual_seed(3)
    return {
        "hidden_states": torch.randn(batch, latents, 48, height, width, device=device, dtype=dtype),
        "encoder_hidden_states": torch.randn(batch, 226, config.text_embed_dim, device=device, dtype=dtype),
        "timestep": torch.full((batch,), 500, device=device),
        "image_rotary_emb": tuple(table.to(device) for table in rotary),
    }


def _call(network: Any, inputs: dict[str, Any]) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = network(**inputs, return_dict=False)[0]
    return found


def _forward(network: Any, inputs: dict[str, Any], device: torch.device, size: Size) -> tuple[torch.Tensor, float]:
    return _call(network, inputs).float(), median_seconds(lambda: _call(network, inputs), device, size)


def _difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def _reason(error: Exception) -> str:
    return f"not here: {str(error).strip().partition(chr(10))[0][:80]}"
