"""Stages A to C: what the device can do at most, one call of the transformer, the VAE."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import CogVideoXAttnProcessor2_0
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from torch.nn.attention import SDPBackend, sdpa_kernel

from gpu.measure import Rates, Row, Size, judged, median_seconds, once, tflop
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
STEADY_SECONDS = 2.0
MOST_FLOORS = 1.5
"""How many times its floor a step may take."""


def ignore(code: str, frame: int | None, text: str) -> None:
    """Hears no warning."""


def ceilings(size: Size, device: torch.device, dtype: torch.dtype) -> Iterator[Row]:
    """Stage A; the first two rows are the rates of `rates_of`."""
    side = 8192 if size.name == "full" else 256
    tokens = int((size.short - 1) // 4 + 1) // 2 * (size.raster[0] // 16) * (size.raster[1] // 16) + 226
    shapes = [(side, side, side)] + [(tokens, size.width, size.width * n) for n in (1, 3, 4)]
    shapes.append((tokens, size.width * 4, size.width))
    for number, (m, k, n) in enumerate(shapes):
        left, right = torch.randn(m, k, device=device, dtype=dtype), torch.randn(k, n, device=device, dtype=dtype)
        work, label = partial(torch.matmul, left, right), f"matrix product {m} x {k} x {n}"
        seconds = median_seconds(work, device, size)
        yield Row(label, seconds, 2 * m * k * n / 1e12)
        if number == 0:
            yield Row(f"{label}, {STEADY_SECONDS:g} s on end", _lasting(work, seconds, device), 2 * m * k * n / 1e12)
    source = torch.empty((1 << 30) if size.name == "full" else (1 << 20), dtype=torch.uint8, device=device)
    seconds = median_seconds(source.clone, device, size)
    yield Row("copy", seconds, note=f"{2 * source.numel() / seconds / 1e9:.0f} GB/s")
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
            yield Row(f"attention, {name}", note=_reason(error))
            continue
        yield Row(f"attention, {name}", seconds, 4 * tokens**2 * size.width / 1e12)


def rates_of(rows: Sequence[Row]) -> Rates:
    """The rates that stage A found."""
    return Rates(*(row.rate for row in rows[:2]))


def _lasting(work: Callable[[], Any], about: float, device: torch.device) -> float:
    """Seconds of one call among those that fill seconds without a pause."""
    calls = max(1, int(STEADY_SECONDS / about))

    def all_of_them() -> None:
        for _ in range(calls):
            work()

    all_of_them()
    return once(all_of_them, device)[0] / calls


def forwards(size: Size, memory: Memory, upstream: Upstream | None, dtype: torch.dtype, rates: Rates) -> Iterator[Row]:
    """Stage B: one call of the transformer for a window and for the last one of a long clip."""
    device = memory.device
    network: Any = memory.run("pass1", lambda found: found, ignore)
    other = upstream.transformer(1, device) if upstream is not None else None
    for latents, batch in [(22, 1), (14, 1), (22, 2)] if size.name == "full" else [(22, 1), (4, 2)]:
        inputs = _inputs(network, size, latents, batch, device, dtype)
        label = f"T={latents} batch {batch}"
        work = tflop(size, latents, batch)
        network.set_attn_processor(CogVideoXAttnProcessor2_0())
        eager, seconds = _forward(network, inputs, device, size)
        yield Row(f"{label}, diffusers eager", seconds, work)
        theirs = 0.0
        if other is not None:
            found, theirs = _forward(other, inputs, device, size)
            yield Row(f"{label}, upstream", theirs, work, error=_difference(found, eager))
        attention.use(network, device)
        ours = {**inputs, "image_rotary_emb": attention.halves(*inputs["image_rotary_emb"])}
        found, seconds = _forward(network, ours, device, size)
        yield Row(f"{label}, ours", seconds, work, 0, theirs / seconds, _difference(found, eager))
        if (latents, batch) == (22, 1):
            upstream_step = theirs
    del other
    yield from _variants(size, network, device, dtype, rates, upstream_step)


def _variants(
    size: Size, network: Any, device: torch.device, dtype: torch.dtype, rates: Rates, theirs: float
) -> Iterator[Row]:
    """One window with the blocks compiled, and then with their matrices in float8."""
    inputs = _inputs(network, size, 22, 1, device, dtype)
    inputs["image_rotary_emb"] = attention.halves(*inputs["image_rotary_emb"])
    eager, _ = _forward(network, inputs, device, size)
    work = tflop(size, 22, 1)
    changes: dict[str, Callable[[], Any]] = {
        "compiled": lambda: parts.compile_blocks(network),
        "compiled, float8": lambda: parts.in_float8(network),
    }
    for name, change in changes.items():
        label, problem = f"T=22 batch 1, ours {name}", parts.float8_problem(device) if "float8" in name else None
        if problem is not None:
            yield Row(label, note=problem)
            continue
        try:
            change()
            first, _ = once(lambda: _call(network, inputs), device)
            found, seconds = _forward(network, inputs, device, size)
        except NOT_HERE as error:
            yield Row(label, note=_reason(error))
            continue
        row = Row(label, seconds, work, 0, theirs / seconds, _difference(found, eager), f"first call {first:.1f} s")
        if size.name == "full" and name == "compiled":
            for kind, rate in (("steady", rates.steady), ("burst", rates.burst)):
                what = f"a step over its floor at the {kind} rate"
                row.verdicts += judged(what, rate * seconds / work, MOST_FLOORS)
        yield row


def codec(size: Size, memory: Memory, upstream: Upstream | None) -> Iterator[Row]:
    """Stage C: encoding and decoding one window's frames, as jobs do it."""
    device = memory.device
    pixels = torch.rand(1, 3, size.short, *size.raster, device=device) * 2 - 1
    latents = memory.run(VAE, lambda network: vae.encode(network, pixels), ignore)
    theirs: dict[str, float] = {}
    if upstream is not None:
        other = upstream.vae(device)
        kind = next(other.parameters()).dtype
        scaled = (latents / other.config.scaling_factor).to(kind)
        for name, work in (
            ("encode", lambda: other.encode(pixels.to(kind))),
            ("decode", lambda: other.decode(scaled)),
        ):
            with torch.no_grad():
                once(work, device)
                theirs[name], peak = once(work, device)
            yield Row(f"{name} {size.short} frames, upstream", theirs[name], peak_gib=peak)
        del other
    for name, run in (
        ("encode", lambda network: vae.encode(network, pixels)),
        ("decode", lambda network: vae.decode(network, latents)),
    ):
        once(lambda: memory.run(VAE, run, ignore), device)  # noqa: B023
        seconds, peak = once(lambda: memory.run(VAE, run, ignore), device)  # noqa: B023
        against = theirs[name] / seconds if theirs else 0.0
        note = f"{1000 * seconds / size.short:.1f} ms a frame"
        yield Row(f"{name} {size.short} frames, ours", seconds, 0, peak, against, note=note)


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
