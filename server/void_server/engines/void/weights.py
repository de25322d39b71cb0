"""Where the files of VOID lie in a weights folder, which are missing, and what names them. Needs no torch.

The layout is that of Netflix/void-model's README, so a folder made for it serves as it is:

    CogVideoX-Fun-V1.5-5b-InP/{tokenizer,text_encoder,vae,scheduler}/ and transformer/config.json
    void_pass1.safetensors
    void_pass2.safetensors
    raft_large_C_T_SKHT_V2-ff5fadd5.pth     (only for --void-flow raft)
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from void_plugin.errors import JobError

BASE = "CogVideoX-Fun-V1.5-5b-InP"
RAFT = "raft_large_C_T_SKHT_V2-ff5fadd5.pth"
VAE_FILE = "diffusion_pytorch_model.safetensors"
TEXT_FILE = "model.safetensors"
TOKENIZER_EXTRAS = ("added_tokens.json", "special_tokens_map.json", "tokenizer.json")
"""Files that a tokenizer works without, and that decide what it makes of a text where they are there."""

WHOLE_BYTES = 1 << 20
"""Files up to this size are digested whole."""
SAMPLES, SAMPLE_BYTES = 64, 64 << 10
"""Larger ones by their size, their beginning and this many places: 20 GB are named in a fraction of a second."""
NAMED = 3
"""Missing files that a sentence names."""


@dataclass(frozen=True)
class Weights:
    """The files of one weights folder."""

    folder: Path

    @property
    def base(self) -> Path:
        """Folder of the model that VOID was trained from."""
        return self.folder / BASE

    @property
    def tokenizer(self) -> Path:
        return self.base / "tokenizer"

    @property
    def text_encoder(self) -> Path:
        return self.base / "text_encoder"

    @property
    def vae(self) -> Path:
        return self.base / "vae"

    @property
    def scheduler(self) -> Path:
        return self.base / "scheduler"

    @property
    def transformer_config(self) -> Path:
        """Configuration of the base's transformer; its weights are not needed."""
        return self.base / "transformer" / "config.json"

    @property
    def raft(self) -> Path:
        """Weights of the optical flow, which are only needed where it is asked for."""
        return self.folder / RAFT

    def checkpoint(self, number: int) -> Path:
        """VOID's own transformer of pass 1 or 2."""
        return self.folder / f"void_pass{number}.safetensors"

    def files(self, passes: int) -> list[Path]:
        """Every file that so many passes need, in the order of the layout; those that a broken index names too."""
        return [
            self.tokenizer / "spiece.model",
            self.tokenizer / "tokenizer_config.json",
            self.text_encoder / "config.json",
            *self._text_shards(),
            self.vae / "config.json",
            self.vae / VAE_FILE,
            self.scheduler / "scheduler_config.json",
            self.transformer_config,
            *(self.checkpoint(number) for number in range(1, passes + 1)),
        ]

    def problem(self, passes: int) -> str | None:
        """Which files are missing and what to do, as a sentence; None where all are there."""
        try:
            missing = [path for path in self.files(passes) if not path.is_file()]
        except JobError as error:
            return error.message
        except OSError as error:
            return (
                f"The weights of VOID in {self.folder} cannot be read ({error.strerror or error}); see to the "
                "rights of that folder, or name another one with --weights or $VOID_WEIGHTS."
            )
        if not missing:
            return None
        names = ", ".join(os.fspath(path.relative_to(self.folder)) for path in missing[:NAMED])
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        return (
            f"The weights of VOID are not complete: {self.folder} lacks {names}{more}. Run `void-server models fetch`, "
            "or name a folder that has them with --weights or $VOID_WEIGHTS."
        )

    def digest(self, passes: int) -> str:
        """Names what the files hold, whatever the folder is called and whenever they were written.

        Raises JobError where a file cannot be read.
        """
        found = hashlib.sha256()
        try:
            extras = [path for name in TOKENIZER_EXTRAS if (path := self.tokenizer / name).is_file()]
            for path in [*self.files(passes), *extras]:
                found.update(os.fspath(path.relative_to(self.folder)).encode())
                for piece in _samples(path):
                    found.update(piece)
        except OSError as error:
            raise JobError(
                f"VOID cannot read {error.filename or self.folder}: {error.strerror or error}; "
                "run `void-server models check`.",
                "job.weights",
            ) from error
        return found.hexdigest()[:16]

    def _text_shards(self) -> list[Path]:
        whole, index = self.text_encoder / TEXT_FILE, self.text_encoder / f"{TEXT_FILE}.index.json"
        # Where both are there, transformers takes the whole one.
        if whole.is_file() or not index.is_file():
            return [whole]
        try:
            names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
            if not names or any(os.path.basename(name) != name for name in names):
                raise ValueError("it names no files of its folder")
        except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            raise JobError(
                f"The index {index} cannot be read ({error}); run `void-server models fetch` again.", "job.weights"
            ) from error
        return [index, *(self.text_encoder / name for name in names)]


def default_folder(environment: Mapping[str, str]) -> Path:
    """Where weights lie when nothing says otherwise: among the user's data."""
    base = environment.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(base) / "void_plugin" / "weights"


def _samples(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        yield str(size).encode()
        if size <= WHOLE_BYTES:
            yield stream.read()
            return
        # The first piece holds the header of a safetensors file: names, shapes and types.
        yield stream.read(WHOLE_BYTES)
        for index in range(1, SAMPLES + 1):
            stream.seek((size - SAMPLE_BYTES) * index // SAMPLES)
            yield stream.read(SAMPLE_BYTES)
