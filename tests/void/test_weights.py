"""The files of a weights folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from void_plugin.errors import JobError
from void_server.engines.void.weights import SAMPLES, TOKENIZER_EXTRAS, WHOLE_BYTES, Weights, default_folder


@pytest.fixture
def copied(weights: Path, tmp_path: Path) -> Weights:
    """A copy that a test may spoil."""
    return Weights(Path(shutil.copytree(weights, tmp_path / "copy")))


def test_a_complete_folder_has_no_problem(weights: Path) -> None:
    assert Weights(weights).problem(2) is None


def test_what_is_missing_is_named_with_what_to_do(copied: Weights) -> None:
    copied.checkpoint(2).unlink()
    assert copied.problem(1) is None
    shutil.rmtree(copied.vae)
    copied.transformer_config.unlink()
    problem = copied.problem(2)
    assert problem is not None and "vae/config.json" in problem and " and 1 more" in problem
    assert "void-server models fetch" in problem and "--weights" in problem and str(copied.folder) in problem


def test_every_shard_that_the_index_names_must_be_there(copied: Weights) -> None:
    one = copied.text_encoder / "model.safetensors"
    one.rename(copied.text_encoder / "model-00001-of-00002.safetensors")
    index = copied.text_encoder / "model.safetensors.index.json"
    index.write_text(
        json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}})
    )
    problem = copied.problem(1)
    assert problem is not None and "model-00002-of-00002.safetensors" in problem and "00001" not in problem
    index.write_text("{")
    problem = copied.problem(1)
    assert problem is not None and "index" in problem


def test_a_digest_names_content_and_nothing_else(weights: Path, copied: Weights) -> None:
    digest = Weights(weights).digest(2)
    assert copied.digest(2) == digest != copied.digest(1)
    data = bytearray(copied.checkpoint(2).read_bytes())
    data[len(data) // 2] ^= 1
    copied.checkpoint(2).write_bytes(data)
    assert copied.digest(2) != digest and copied.digest(1) == Weights(weights).digest(1)


def test_large_files_are_told_apart_by_their_samples(copied: Weights) -> None:
    size = WHOLE_BYTES * 40
    with copied.checkpoint(1).open("wb") as stream:
        stream.truncate(size)
    seen = {copied.digest(1)}
    for place in (0, WHOLE_BYTES // 2, size - 1, size * 3 // SAMPLES):
        with copied.checkpoint(1).open("r+b") as stream:
            stream.seek(place)
            stream.write(b"\1")
        seen.add(copied.digest(1))
    assert len(seen) == 5
    with copied.checkpoint(1).open("r+b") as stream:
        stream.truncate(size - 1)
    assert copied.digest(1) not in seen


@pytest.mark.parametrize("content", ["[]", "{}", '{"weight_map": {}}', '{"weight_map": {"a": 1}}',
                                     '{"weight_map": {"a": []}}', '{"weight_map": {"a": "/etc/hosts"}}'])  # fmt: skip
def test_an_index_that_names_no_shards_is_a_problem(copied: Weights, content: str) -> None:
    (copied.text_encoder / "model.safetensors").unlink()
    (copied.text_encoder / "model.safetensors.index.json").write_text(content)
    problem = copied.problem(1)
    assert problem is not None and "index" in problem and "models fetch" in problem
    with pytest.raises(JobError, match="index"):
        copied.digest(1)


def test_a_whole_text_encoder_goes_before_an_index_as_it_does_when_loaded(copied: Weights) -> None:
    digest = copied.digest(1)
    (copied.text_encoder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "gone.safetensors"}}')
    assert copied.problem(1) is None and copied.digest(1) == digest


@pytest.mark.parametrize("name", TOKENIZER_EXTRAS)
def test_whatever_changes_the_tokens_changes_the_digest(copied: Weights, name: str) -> None:
    digest = copied.digest(1)
    (copied.tokenizer / name).write_text("{}")
    assert copied.problem(1) is None and copied.digest(1) != digest


def test_a_folder_that_cannot_be_looked_into_is_a_problem(tmp_path: Path) -> None:
    # A name that no file system takes fails as a folder without rights does, also for root.
    weights = Weights(tmp_path / ("x" * 300))
    problem = weights.problem(1)
    assert problem is not None and "cannot be read" in problem and "--weights" in problem
    with pytest.raises(JobError, match="models check"):
        weights.digest(1)


def test_a_file_that_cannot_be_read_is_named(copied: Weights) -> None:
    copied.checkpoint(1).unlink()
    with pytest.raises(JobError, match=r"void_pass1\.safetensors"):
        copied.digest(1)


def test_weights_lie_among_the_users_data_by_default(tmp_path: Path) -> None:
    assert default_folder({"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "void_plugin" / "weights"


def test_asking_for_the_engine_loads_no_torch() -> None:
    code = (
        "import sys\nfrom void_server.engines import readiness\nfrom void_plugin.config import Config\n"
        "print(readiness('void', Config(weights='/nowhere', device='cpu')).problem)\n"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "not complete" in done.stdout, done.stderr
