"""Fixtures that every test may ask for."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from pythons import sidecar_python
from resolves import no_forbidden_calls, outside, resolves
from shots import Shot, build_shot
from slurmfarm import slurm_farm

__all__ = ["no_forbidden_calls", "outside", "resolves", "slurm_farm"]
ROOT = Path(__file__).parents[1]


def pytest_configure() -> None:
    """Let what the tests start hear Ctrl-C and end with its session, as it does save under `nohup` or `&`."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def shot(tmp_path: Path) -> Shot:
    """A locked-off shot of eight frames."""
    return build_shot(tmp_path / "shot")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real clips and EXRs that lies beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared data folder is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def void_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python in which this checkout is installed, and the fakes; its folder has a name that is hard to quote."""
    return sidecar_python(tmp_path_factory.mktemp("my pythons ü") / "venv", ROOT / "tests" / "fakes")


@pytest.fixture(autouse=True)
def pinned_ocio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without $OCIO, whatever the machine has set."""
    monkeypatch.delenv("OCIO", raising=False)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """What `-n auto` means: one process more than there are cores, as one of them mostly waits for Slurm."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Spread tests one by one, but keep those that share a farm in one process: all of Slurm, contracts by farm.

    The mark `xdist_group` does not do that: xdist 3.8 writes it into an attribute that pytest 9.2 no longer reads.
    """
    from xdist.scheduler import LoadScopeScheduling

    class OneFarm(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if "slurm" in nodeid:
                return "slurm"
            return nodeid.rpartition("[")[2] if "test_farm_contract" in nodeid else nodeid

    return OneFarm(config, log)
