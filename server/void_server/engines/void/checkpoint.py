"""VOID's transformer from its checkpoint: checked by the file's header, then read once into a model without weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import CogVideoXTransformer3DModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from void_plugin.errors import JobError

CHANNELS = 48
"""Input channels of VOID: 16 each of latents, mask and video (void_model.md 2); the base model has 33."""
NAMED = 5
"""Keys that a sentence names."""
DTYPES: Mapping[str, torch.dtype] = {"BF16": torch.bfloat16, "F32": torch.float32}
"""Types that VOID runs in, by their name in a safetensors header."""
PATCH = "patch_embed.proj.weight"
"""Tensor whose second size says how many channels go in; a linear layer over patches where `patch_size_t` is set."""

_LONGEST_HEADER = 100 << 20


def expected_tensors(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor by its key, of the transformer that a base model's configuration gives at 48 channels."""
    return {name: tuple(value.shape) for name, value in _empty(config).state_dict().items()}


def header(path: Path) -> dict[str, Any]:
    """Type, shape and place of every tensor in a safetensors file.

    Raises JobError where it is missing, cut short or not what its header says.
    """
    again = "fetch it again with `void-server models fetch`."
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(_LONGEST_HEADER, size - 8):
                raise _wrong(path, f"is no safetensors file, or cut short at {size:,} bytes; {again}")
            found = json.loads(stream.read(length))
            found.pop("__metadata__", None)
            whole = 8 + length + max((entry["data_offsets"][1] for entry in found.values()), default=0)
    except FileNotFoundError as error:
        raise _wrong(path, f"is not there; {again}") from error
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise _wrong(path, f"is no safetensors file ({error}); {again}") from error
    if size < whole:
        raise _wrong(path, f"is cut short: it has {size:,} of {whole:,} bytes; {again}")
    try:
        # The library's own judgement, so that nothing passes here that loading would refuse: places, shapes, types.
        with safe_open(path, framework="pt"):
            pass
    except (SafetensorError, OSError) as error:
        raise _wrong(path, f"is no safetensors file ({error}); {again}") from error
    return {str(name): entry for name, entry in found.items()}


def check_checkpoint(path: Path, expected: Mapping[str, tuple[int, ...]]) -> torch.dtype:
    """The type of a checkpoint whose header says that it is VOID's; reads nothing else of it.

    Raises JobError naming the first kind of thing that is wrong, with up to five keys.
    """
    found = header(path)
    channels = _channels(found[PATCH]["shape"], expected[PATCH]) if PATCH in found else CHANNELS
    if channels != CHANNELS:
        raise _wrong(
            path,
            f"takes {channels} channels and VOID takes {CHANNELS}: it is the base model or another one, not VOID; name "
            "the folder of VOID's own checkpoints.",
        )
    missing, unexpected = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or unexpected:
        parts = [
            f"{word} {len(keys)} keys ({', '.join(keys[:NAMED])}{' …' if len(keys) > NAMED else ''})"
            for word, keys in (("lacks", missing), ("has besides", unexpected))
            if keys
        ]
        raise _wrong(path, f"is not a checkpoint of VOID: it {' and '.join(parts)}.")
    other = [name for name in sorted(found) if tuple(found[name]["shape"]) != expected[name]]
    if other:
        named = ", ".join(f"{name} {found[name]['shape']}" for name in other[:NAMED])
        raise _wrong(path, f"does not fit the base model's configuration: {len(other)} tensors differ ({named}).")
    return _dtype(path, found)


def checkpoint_dtype(path: Path) -> torch.dtype:
    """The one type of a checkpoint's tensors, in which text encoder and VAE run too; raises JobError for another."""
    return _dtype(path, header(path))


def load_transformer(path: Path, config: Mapping[str, Any], device: torch.device) -> Any:
    """A `CogVideoXTransformer3DModel` with a checked checkpoint's weights on a device, in the file's own type.

    The file is read once, straight to the device. Raises JobError where it is not what it should be.
    """
    network = _empty(config)
    check_checkpoint(path, {name: tuple(value.shape) for name, value in network.state_dict().items()})
    try:
        network.load_state_dict(load_file(path, device=str(device)), strict=True, assign=True)
    except (SafetensorError, OSError) as error:
        raise _wrong(path, f"cannot be read ({error}); run `void-server models check`.") from error
    left = [name for name, value in (*network.named_parameters(), *network.named_buffers()) if value.is_meta]
    if left:
        raise _wrong(
            path, f"gives no values for {', '.join(left[:NAMED])}; this version of diffusers is not supported."
        )
    return network.eval().requires_grad_(False)


def _empty(config: Mapping[str, Any]) -> Any:
    with torch.device("meta"):
        return CogVideoXTransformer3DModel.from_config({**config, "in_channels": CHANNELS})


def _channels(shape: Sequence[int], expected: Sequence[int]) -> int:
    """Channels that a patch embedding takes; VOID's own number where its shape does not say."""
    if len(shape) == 4:
        # A convolution, as in models older than the 1.5 that VOID was trained from.
        return shape[1]
    taps = expected[1] // CHANNELS
    return shape[1] // taps if len(shape) == len(expected) and shape[1] % taps == 0 else CHANNELS


def _dtype(path: Path, found: Mapping[str, Any]) -> torch.dtype:
    kinds = sorted({entry["dtype"] for entry in found.values()})
    if "F16" in kinds:
        raise _wrong(
            path,
            "holds float16; VOID runs in bfloat16, and in float16 its activations overflow to NaN. Fetch the released "
            "file instead of a converted one.",
        )
    if len(kinds) != 1 or kinds[0] not in DTYPES:
        raise _wrong(path, f"holds {', '.join(kinds) or 'no tensors'}; VOID's checkpoints are all BF16.")
    return DTYPES[kinds[0]]


def _wrong(path: Path, what: str) -> JobError:
    return JobError(f"The checkpoint {path} {what}", "job.weights")
