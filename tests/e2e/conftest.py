"""What holds for every test that starts programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from farmtasks import RUNNING


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Ends what a failing test left running."""
    yield
    while RUNNING:
        RUNNING.pop().close()
