"""`void-server models`: fetches the weights of VOID and checks them."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from void_plugin.config import Config
from void_plugin.errors import JobError, RequestError, VoidError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from void_server.engines.void.fetch import Offer
    from void_server.engines.void.weights import Weights


@dataclass(frozen=True)
class FileFacts:
    """What a check found out about one file."""

    name: str
    size: int
    sha256: str
    problem: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `fetch` and `check` with their options."""
    actions = parser.add_subparsers(dest="action", required=True)
    fetching = actions.add_parser("fetch", help="fetch the weights of VOID from the Hugging Face Hub; can be resumed")
    fetching.add_argument("--yes", action="store_true", help="accept both licences without being asked")
    fetching.add_argument("--base-revision", default="main", help="revision of the base model (main)")
    fetching.add_argument("--void-revision", default="main", help="revision of VOID's own checkpoints (main)")
    checking = actions.add_parser("check", help="check that the weights of VOID are whole and what they should be")
    checking.add_argument("--json", action="store_true")
    for action in (fetching, checking):
        action.add_argument("--passes", type=int, choices=(1, 2), default=2, help="1 leaves out the second pass (2)")
        action.add_argument("--weights", type=os.path.abspath, metavar="FOLDER", help="folder of the weights")


def run(options: argparse.Namespace, machine: Config) -> int:
    """Do what the options say; 0 where the weights are complete in the end. Raises VoidError."""
    from void_server.engines.void.weights import Weights, default_folder

    weights = Weights(Path(machine.weights) if machine.weights else default_folder(os.environ))
    if options.action == "fetch":
        _fetch(options, weights)
        return _tell(weights, check(weights, options.passes), options.passes, as_json=False)
    return _tell(weights, check(weights, options.passes), options.passes, options.json)


def check(weights: Weights, passes: int) -> list[FileFacts]:
    """Everything that can be said of every file that so many passes need."""
    found = [_facts(weights, path) for path in weights.files(passes)]
    if weights.raft.is_file():
        found.append(_facts(weights, weights.raft))
    return found


def _facts(weights: Weights, path: Path) -> FileFacts:
    name = os.fspath(path.relative_to(weights.folder))
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = os.fstat(stream.fileno()).st_size
    except FileNotFoundError:
        return FileFacts(name, 0, "", "missing")
    except OSError as error:
        return FileFacts(name, 0, "", error.strerror or str(error))
    try:
        _look_inside(weights, path)
    except VoidError as error:
        return FileFacts(name, size, digest, error.message)
    return FileFacts(name, size, digest, "")


def _look_inside(weights: Weights, path: Path) -> None:
    from void_server.engines.void.checkpoint import check_checkpoint, expected_tensors, header

    if path.suffix == ".json":
        _json(path)
    elif path.parent == weights.folder and path.suffix == ".safetensors":
        if weights.transformer_config.is_file():
            check_checkpoint(path, expected_tensors(_json(weights.transformer_config)))
    elif path.suffix == ".safetensors":
        header(path)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise JobError(f"{path} is no JSON ({error}); fetch it again.", "job.weights") from error
    return found


def _tell(weights: Weights, files: Sequence[FileFacts], passes: int, as_json: bool) -> int:
    complete = not any(file.problem for file in files)
    digest = weights.digest(passes) if complete else ""
    if as_json:
        told = {"folder": str(weights.folder), "complete": complete, "digest": digest}
        print(json.dumps({**told, "files": [asdict(file) for file in files]}, indent=1))
        return 0 if complete else JobError("", "job.weights").exit_code
    for file in files:
        print(
            f"{file.size:>15,}  {file.sha256[:16]:16}  {file.name}" + (f"\n    {file.problem}" if file.problem else "")
        )
    if not weights.raft.is_file():
        print(f"{'':>15}  {'':16}  {weights.raft.name} is not here; it is only needed for --void-flow raft")
    if complete:
        print(f"The weights in {weights.folder} are complete; their digest is {digest}.")
        return 0
    broken = [file.name for file in files if file.problem]
    print(f"{len(broken)} of {len(files)} files are missing or broken: {', '.join(broken)}.", file=sys.stderr)
    return JobError("", "job.weights").exit_code


def _fetch(options: argparse.Namespace, weights: Weights) -> None:
    from void_server.engines.void import fetch

    offers = [
        fetch.look(source) for source in fetch.sources(options.passes, options.base_revision, options.void_revision)
    ]
    print(f"Into {weights.folder}, {fetch.missing_bytes(offers, weights.folder) / 1e9:.2f} GB to fetch:")
    for offer in offers:
        print(f"  {offer.source.repository}, revision {offer.commit[:12]}, {offer.size / 1e9:.2f} GB")
        print(f"    licence: {offer.licence}, to be read at {offer.licence_link}")
    fetch.check_space(offers, weights.folder)
    _agree(options.yes, offers)
    weights.folder.mkdir(parents=True, exist_ok=True)
    for offer in offers:
        fetch.fetch(offer, weights.folder)


def _agree(yes: bool, offers: Sequence[Offer]) -> None:
    """Raise RequestError where the licences were not accepted."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise RequestError("Both licences must be accepted; read them, then run this again with --yes.")
    names = " and ".join(offer.licence for offer in offers)
    if input(f"Do you accept the licences {names}? [y/N] ").strip().lower() not in ("y", "yes"):
        raise RequestError("The licences were not accepted; nothing was fetched.")
