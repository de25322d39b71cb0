"""VOID's weights from the Hugging Face Hub: what there is, under which licence, and fetching it.

Only what runs is fetched: of the base model everything but its transformer, whose place VOID's own checkpoints take.
"""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from void_plugin.errors import JobError
from void_server.engines.void.weights import BASE

RECORD = "fetched.json"
"""Says of which revision of which repository the files are."""


@dataclass(frozen=True)
class Source:
    """A repository and which of its files are needed."""

    repository: str
    folder: str
    """Where its files go in the weights folder; empty for the folder itself."""
    patterns: tuple[str, ...]
    revision: str = "main"


@dataclass(frozen=True)
class Offer:
    """What a repository has to offer."""

    source: Source
    commit: str
    licence: str
    licence_link: str
    files: tuple[tuple[str, int], ...]
    """Names and bytes of what is needed."""

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return sum(size for _, size in self.files)


def sources(passes: int, base_revision: str = "main", void_revision: str = "main") -> list[Source]:
    """The repositories that so many passes need."""
    needed = ("tokenizer/*", "text_encoder/*", "vae/*", "scheduler/*", "transformer/config.json", "LICENSE*")
    checkpoints = tuple(f"void_pass{number}.safetensors" for number in range(1, passes + 1))
    return [
        Source(f"alibaba-pai/{BASE}", BASE, needed, base_revision),
        Source("netflix/void-model", "", (*checkpoints, "LICENSE*"), void_revision),
    ]


def look(source: Source) -> Offer:
    """What a repository offers now. Raises JobError where that cannot be found out."""
    try:
        info = HfApi().model_info(source.repository, revision=source.revision, files_metadata=True)
    except (httpx2.HTTPError, OSError, EntryNotFoundError) as error:
        raise _failed(source, error) from error
    card = info.card_data
    licence = (card.get("license_name") or card.get("license") if card is not None else None) or "not stated"
    link = (card.get("license_link") if card is not None else None) or f"{HfApi().endpoint}/{source.repository}"
    files = tuple(
        (item.rfilename, item.size or 0)
        for item in info.siblings or ()
        if any(fnmatch.fnmatchcase(item.rfilename, pattern) for pattern in source.patterns)
    )
    lacking = [pattern for pattern in source.patterns if pattern != "LICENSE*" and not _any(files, pattern)]
    if lacking:
        raise JobError(
            f"{source.repository} at revision {source.revision} has no {', '.join(lacking)}; name another revision.",
            "job.weights",
        )
    return Offer(source, info.sha or source.revision, str(licence), str(link), files)


def missing_bytes(offers: Sequence[Offer], folder: Path) -> int:
    """Bytes that are still to be fetched: files of their full size count as there."""
    missing = 0
    for offer in offers:
        for name, size in offer.files:
            path = folder / offer.source.folder / name
            missing += 0 if path.is_file() and path.stat().st_size == size else size
    return missing


def check_space(offers: Sequence[Offer], folder: Path) -> None:
    """Raise JobError where the disk has no room for what is still to be fetched."""
    there = folder
    while not there.exists():
        there = there.parent
    needed, free = missing_bytes(offers, folder), shutil.disk_usage(there).free
    if needed > free:
        raise JobError(
            f"The weights need {needed / 1e9:.1f} GB more in {folder} and {free / 1e9:.1f} GB are free; free some "
            "space, or name another folder with --weights.",
            "job.weights",
        )


def fetch(offer: Offer, folder: Path) -> None:
    """Fetch the files of an offer into a weights folder; what is there whole is kept, what was begun goes on.

    Raises JobError where the connection or the disk fails; then running it again goes on.
    """
    into = folder / offer.source.folder
    for name, _ in offer.files:
        try:
            hf_hub_download(offer.source.repository, name, revision=offer.commit, local_dir=into)
        except (httpx2.HTTPError, OSError, EntryNotFoundError) as error:
            raise _failed(replace(offer.source, revision=offer.commit), error, name) from error
    _record(offer, folder)


def _record(offer: Offer, folder: Path) -> None:
    path = folder / RECORD
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    known[offer.source.repository] = {"revision": offer.commit, "licence": offer.licence}
    temporary = path.with_name(f".{RECORD}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
    temporary.replace(path)


def _any(files: Sequence[tuple[str, int]], pattern: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for name, _ in files)


def _failed(source: Source, error: Exception, name: str = "") -> JobError:
    what = f"{source.repository}/{name}" if name else source.repository
    hub = HfApi().endpoint
    if isinstance(error, OfflineModeIsEnabled):
        reason = "HF_HUB_OFFLINE is set; unset it, or copy a complete folder from another machine"
    elif isinstance(error, GatedRepoError):
        reason = f"its owner asks for consent; give it on {hub}/{source.repository} and log in with `hf auth login`"
    elif isinstance(error, RepositoryNotFoundError):
        reason = f"{hub} knows no such repository, or it needs a login (`hf auth login`)"
    elif isinstance(error, RevisionNotFoundError):
        reason = f"it has no revision {source.revision}"
    elif isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
        reason = f"revision {source.revision} has no such file"
    elif isinstance(error, HfHubHTTPError):
        reason = f"{hub} answered {error.response.status_code}; try again later"
    elif isinstance(error, OSError) and not isinstance(error, (LocalEntryNotFoundError, ConnectionError)):
        reason = f"{error.strerror or error}; what was fetched is kept"
    else:
        reason = f"{hub} cannot be reached; look at the network and run this again, what was fetched is kept"
    return JobError(f"{what} cannot be fetched: {reason}.", "job.weights")
