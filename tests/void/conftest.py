"""A tiny VOID: real classes, random weights, small frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tinyvoid import build_weights
from voidshots import SMALL, MakeEngine

from void_plugin.config import Config
from void_server.engines import Kept, Setup
from void_server.engines.void import VoidEngine


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny random weights of both passes."""
    return build_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def kept() -> Kept:
    """Networks loaded once for many tests."""
    return Kept()


@pytest.fixture
def machine(weights: Path) -> Config:
    """A machine that runs VOID on its CPU."""
    return Config(weights=str(weights), device="cpu", memory="full")


@pytest.fixture
def make_engine(machine: Config, kept: Kept) -> MakeEngine:
    """Makes engines; changes of settings are given by name."""

    def make(*, prompt: str = "", fresh: bool = False, warn: Any = None, **changes: Any) -> VoidEngine:
        setup = Setup(
            settings=replace(SMALL, **changes), prompt=prompt, machine=machine, kept=Kept() if fresh else kept
        )
        return VoidEngine(replace(setup, warn=warn) if warn is not None else setup)

    return make


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Small products are slower on many threads, and tests run side by side."""
    torch.set_num_threads(1)
