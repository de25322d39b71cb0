"""The tasks that a daemon was given and that are not settled, in order."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from void_server.daemonsocket import Client


class Tasks:
    """Who gave which task; the first is at work, the others wait."""

    def __init__(self) -> None:
        self.count = 0
        """All that were ever given."""
        self.settled_at = time.monotonic()
        self._clients: dict[str, Client] = {}
        self._cancelled: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._clients)

    def give(self, client: Client) -> str:
        """Take a task from a client, who has no other; its name."""
        self.count += 1
        client.job = f"task-{self.count}"
        self._clients[client.job] = client
        return client.job

    def tell(self, job: str, message: Mapping[str, Any]) -> None:
        """Tell whoever gave a task."""
        if job in self._clients:
            self._clients[job].send(message)

    def cancel(self, client: Client) -> bool:
        """Note that a client wants its task no more; True for the first time."""
        if client.job not in self._clients or client.job in self._cancelled:
            return False
        self._cancelled[client.job] = time.monotonic()
        return True

    def is_overdue(self, seconds: float) -> bool:
        """True where a task was cancelled so long ago."""
        now = time.monotonic()
        return any(now - since > seconds for since in self._cancelled.values())

    def settle(self, job: str, message: Mapping[str, Any]) -> None:
        """Tell how a task came to its end, which is the last of it."""
        self.settled_at = time.monotonic()
        self._cancelled.pop(job, None)
        client = self._clients.pop(job, None)
        if client is not None:
            client.job = ""
            client.send(message)

    def settle_all(self, first: Mapping[str, Any], others: Mapping[str, Any]) -> None:
        """The same for all of them, where a cancelled one is just cancelled."""
        for index, job in enumerate(list(self._clients)):
            lost = first if index == 0 else others
            self.settle(job, {"say": "done", "outcome": "cancelled"} if job in self._cancelled else lost)
