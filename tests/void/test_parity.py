"""The product's pipeline against recordings of upstream, and against a plain reading of its steps."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import parity
import pytest
import torch

KEYS = ("mask_pixels", "mask_latents", "video_latents", "latents_after_first_step", "final_latents", "frames")


@pytest.fixture(scope="module")
def suite(data: Path) -> Path:
    folder = data / "void_parity"
    if not folder.is_dir():
        pytest.skip("the parity suite is not beside this checkout")
    return folder


@pytest.fixture(scope="module")
def compare(suite: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("void_parity_compare", suite / "compare.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_recordings_of_upstream_are_met(suite: Path) -> None:
    tests = Path(__file__).parents[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent), str(tests.parent / "server")]),
    }
    done = subprocess.run(
        [sys.executable, "compare.py", "--runner", "parity:run"],
        cwd=suite, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.strip().endswith("PASS"), done.stdout + done.stderr


@pytest.mark.parametrize(
    "case",
    [
        pytest.param({"frames": 101}, id="two windows"),
        pytest.param({"frames": 93, "noise_aug": True}, id="two windows with noise on the plate"),
        pytest.param({"frames": 197, "steps": 2}, id="197 frames in three windows"),
        pytest.param({"frames": 21, "guidance": 6.0, "use_trimask": False, "scheduler": "cogvideox"}, id="pass 2"),
        pytest.param({"frames": 101, "guidance": 6.0, "scheduler": "cogvideox"}, id="pass 2 in two windows"),
        pytest.param({"frames": 5, "noise_aug": True}, id="five frames"),
    ],
)
def test_other_cases_equal_a_plain_reading_of_the_steps(suite: Path, compare: ModuleType, case: dict[str, Any]) -> None:
    spec = {**json.loads((suite / "goldens" / "spec.json").read_text()), "height": 32, "width": 48}
    weights = {name: suite / "goldens" / f"{name}.safetensors" for name in ("transformer", "vae")}
    case = {"steps": 3, "guidance": 1.0, "scheduler": "ddim", "use_trimask": True, "noise_aug": False, **case}
    torch.manual_seed(11)
    count, height, width = case["frames"], spec["height"], spec["width"]
    inputs = {
        "video_u8": torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8),
        "quadmask_u8": torch.tensor([0, 63, 127, 255], dtype=torch.uint8)[torch.randint(0, 4, (count, height, width))],
        "prompt_embeds": torch.randn(1, 226, 24),
        "negative_prompt_embeds": torch.randn(1, 226, 24) if case["guidance"] > 1 else None,
        "init_latents": torch.randn(1, (count - 1) // 4 + 1, 16, height // 8, width // 8),
        "noise_aug": torch.randn(1, 3, count, height, width) if case["noise_aug"] else None,
    }
    with torch.no_grad():
        expected = compare.reference_run(case, spec, inputs, weights)
        found = parity.run(case, spec, inputs, weights)
    for key in KEYS:
        want = expected[key].float()
        assert found[key].shape == want.shape
        assert float((found[key] - want).abs().max()) <= 1e-4 * max(1.0, float(want.abs().max())), key
    assert float(expected["frames"].std()) > 0.01
