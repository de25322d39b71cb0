"""`void-server models`: fetching from a Hub of our own, and checking what is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fakes.fake_hub import COMMIT, FakeHub
from safetensors.torch import save_file

from void_server.engines.void.weights import BASE, Weights

BASE_REPOSITORY, VOID_REPOSITORY = f"alibaba-pai/{BASE}", "netflix/void-model"
CARDS = {
    BASE_REPOSITORY: {"license": "other", "license_name": "cogvideox-licence", "license_link": "https://example.com/base"},
    VOID_REPOSITORY: {"license": "apache-2.0"},
}  # fmt: skip


@pytest.fixture
def hub(weights: Path, tmp_path: Path) -> Iterator[FakeHub]:
    published = tmp_path / "published"
    shutil.copytree(weights / BASE, published / "base")
    (published / "base" / "transformer" / "diffusion_pytorch_model.safetensors").write_bytes(b"33 channels")
    (published / "base" / "LICENSE").write_text("The base licence.")
    (published / "void").mkdir()
    for name in ("void_pass1.safetensors", "void_pass2.safetensors"):
        shutil.copy(weights / name, published / "void" / name)
    (published / "void" / "sample.mp4").write_bytes(b"film")
    with FakeHub({BASE_REPOSITORY: published / "base", VOID_REPOSITORY: published / "void"}, CARDS) as made:
        yield made


def models(*arguments: str, hub: FakeHub | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command as a user does, without a terminal."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "VOID_"))}
    variables = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    variables["HF_ENDPOINT"] = hub.address if hub is not None else "http://127.0.0.1:9"
    command = [sys.executable, "-m", "void_server", "models", *arguments]
    return subprocess.run(
        command, env={**outside, **variables, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_everything_that_is_needed_is_fetched_and_nothing_else(hub: FakeHub, weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    done = models("fetch", "--yes", "--weights", str(folder), hub=hub)
    assert done.returncode == 0, done.stdout + done.stderr
    for named in ("cogvideox-licence", "https://example.com/base", "apache-2.0", COMMIT[:12], "GB to fetch"):
        assert named in done.stdout
    assert "are complete" in done.stdout and Weights(weights).digest(2) in done.stdout
    for path in Weights(folder).files(2):
        assert path.read_bytes() == (weights / path.relative_to(folder)).read_bytes()
    assert not (folder / BASE / "transformer" / "diffusion_pytorch_model.safetensors").exists()
    assert not (folder / "sample.mp4").exists() and (folder / BASE / "LICENSE").exists()
    record = json.loads((folder / "fetched.json").read_text())
    assert record[VOID_REPOSITORY] == {"revision": COMMIT, "licence": "apache-2.0"}
    assert not hub.unknown


def test_without_consent_nothing_is_fetched(hub: FakeHub, tmp_path: Path) -> None:
    done = models("fetch", "--weights", str(tmp_path / "mine"), hub=hub)
    assert done.returncode != 0 and "--yes" in done.stderr and "cogvideox-licence" in done.stdout
    assert not (tmp_path / "mine").exists()
    assert not [path for _, path, _ in hub.requests if "/resolve/" in path]


def test_a_broken_connection_is_resumed_where_it_broke(hub: FakeHub, tmp_path: Path) -> None:
    folder, name = tmp_path / "mine", "text_encoder/model.safetensors"
    # Longer than what is written to disk at once.
    published = hub.repositories[BASE_REPOSITORY] / name
    save_file({"weight": torch.arange(8 << 20, dtype=torch.float32)}, published)
    hub.breaks["model.safetensors"] = 1
    done = models("fetch", "--yes", "--weights", str(folder), "--passes", "1", hub=hub)
    if done.returncode:  # whether the library tries again by itself is its own affair
        done = models("fetch", "--yes", "--weights", str(folder), "--passes", "1", hub=hub)
    assert done.returncode == 0, done.stdout + done.stderr
    resumed = [asked for _, path, asked in hub.requests if path.endswith(name) and asked]
    assert any(int(asked.removeprefix("bytes=").rstrip("-")) > 1 << 20 for asked in resumed), hub.requests
    assert (folder / BASE / name).read_bytes() == published.read_bytes()


def test_fetching_again_fetches_nothing(hub: FakeHub, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert models("fetch", "--yes", "--weights", str(folder), hub=hub).returncode == 0
    hub.requests.clear()
    done = models("fetch", "--yes", "--weights", str(folder), hub=hub)
    assert done.returncode == 0 and "0.00 GB to fetch" in done.stdout
    assert not [path for method, path, _ in hub.requests if method == "GET" and "/resolve/" in path]


@pytest.mark.parametrize(
    ("status", "headers", "named"),
    [
        (401, {"X-Error-Code": "RepoNotFound"}, "knows no such repository"),
        (403, {"X-Error-Code": "GatedRepo"}, "asks for consent"),
        (500, {}, "answered 500"),
    ],
)
def test_refusals_are_said_in_a_sentence(
    hub: FakeHub, tmp_path: Path, status: int, headers: dict[str, str], named: str
) -> None:
    hub.status[VOID_REPOSITORY] = (status, headers)
    done = models("fetch", "--yes", "--weights", str(tmp_path / "mine"), hub=hub)
    assert done.returncode == 69 and named in done.stderr and VOID_REPOSITORY in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_revision_is_named(hub: FakeHub, tmp_path: Path) -> None:
    done = models("fetch", "--yes", "--weights", str(tmp_path / "mine"), "--void-revision", "v9", hub=hub)
    assert done.returncode == 69 and "no revision v9" in done.stderr


def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    done = models("fetch", "--yes", "--weights", str(tmp_path / "mine"))
    assert done.returncode == 69 and "cannot be reached" in done.stderr and "Traceback" not in done.stderr
    done = models("fetch", "--yes", "--weights", str(tmp_path / "mine"), HF_HUB_OFFLINE="1")
    assert done.returncode == 69 and "HF_HUB_OFFLINE" in done.stderr


def test_a_full_disk_is_found_before_anything_is_fetched(weights: Path, tmp_path: Path) -> None:
    from void_plugin.errors import JobError
    from void_server.engines.void.fetch import Offer, Source, check_space

    offer = Offer(Source(VOID_REPOSITORY, "", ()), COMMIT, "", "", (("void_pass1.safetensors", 1 << 60),))
    with pytest.raises(JobError, match="GB are free"):
        check_space([offer], tmp_path / "not" / "there")


def test_check_finds_everything_wrong_at_once(weights: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(weights, tmp_path / "mine"))
    done = models("check", "--weights", str(folder), "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0 and told["complete"] and told["digest"] == Weights(weights).digest(2)
    assert all(len(file["sha256"]) == 64 and file["size"] for file in told["files"])
    one = Weights(folder).checkpoint(1)
    one.write_bytes(one.read_bytes()[:-10])
    Weights(folder).checkpoint(2).unlink()
    (folder / BASE / "vae" / "config.json").write_text("{")
    done = models("check", VOID_WEIGHTS=str(folder))
    assert done.returncode == 69
    assert "cut short" in done.stdout and "missing" in done.stdout and "is no JSON" in done.stdout
    assert "3 of 10 files" in done.stderr and "void_pass2.safetensors" in done.stderr
