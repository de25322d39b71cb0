"""Windows without a screen, unless the run has one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6.QtWidgets", reason="PySide6 is not here, or not what it needs of the system")

from void_plugin.ui.decoderclient import DecoderClient
from void_plugin.ui.garbage import Garbage


@pytest.fixture(autouse=True)
def garbage(qapp: Any) -> Iterator[Garbage]:
    """As in a program with windows: no thread but theirs takes apart what Qt holds."""
    collector = Garbage()
    collector.start()
    yield collector
    collector.stop()


@pytest.fixture
def decoder(qapp: Any) -> Iterator[DecoderClient]:
    """A real decoder process."""
    client = DecoderClient()
    yield client
    client.close()
