"""What holds for every test that starts programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from farmtasks import RUNNING
from nukescenes import awkward_shot
from servers import Server
from shots import Shot


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Ends what a failing test left running."""
    yield
    while RUNNING:
        RUNNING.pop().close()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests of a module, that works by path in the folders of all of them."""
    root = tmp_path_factory.getbasetemp()
    with Server(tmp_path_factory.mktemp("lasting") / "state", "--allow-root", str(root)) as server:
        yield server


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    """Two frames of next to nothing."""
    return awkward_shot(tmp_path_factory.mktemp("tiny"), 2, (24, 40))
