"""All devices of a server: starts their threads, wakes them, and stops them in order."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from functools import partial

from void_server.device import Device
from void_server.devicefacts import (
    BUSY,
    DOWN,
    IDLE,
    LOADING,
    DeviceStatus,
    EngineFacts,
    Observer,
    merged,
    places,
)
from void_server.jobs import JobQueue
from void_server.settings import ServerSettings
from void_server.store import FrameStore

__all__ = ["BUSY", "DOWN", "IDLE", "LOADING", "DeviceStatus", "Devices", "EngineFacts", "Observer"]

GRACE_SECONDS = 10.0
"""What a killed process and its thread get to be gone."""
_WAKE_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Devices:
    """One worker process a device. Raises ServerError for a device that is not there."""

    def __init__(
        self,
        settings: ServerSettings,
        queue: JobQueue,
        store: FrameStore,
        observer: Observer,
        environment: Mapping[str, str],
    ) -> None:
        self._queue, self._observer = queue, observer
        self._telling = threading.Lock()
        found = places(settings.devices, environment)
        on_cpu = any(place.name.startswith("cpu") for place in found)
        workers = settings.workers or max(1, (os.cpu_count() or 1) // len(found))

        def takes(name: str, facts: EngineFacts) -> bool:
            # A GPU is too dear for what a CPU device of this server can do.
            return name.startswith("cpu") or not on_cpu or "cuda" in facts.kinds

        self._devices = [
            Device(
                place,
                settings,
                queue,
                store,
                observer,
                environment,
                workers,
                partial(takes, place.name),
                self.tell,
            )
            for place in found
        ]
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the workers; returns at once."""
        for device in self._devices:
            # Daemons: a server that fails goes away, and its workers with it.
            self._threads.append(threading.Thread(target=device.run, name=f"device-{device.name}", daemon=True))
        self._threads.append(threading.Thread(target=self._wake_all, name="device-alarm", daemon=True))
        for thread in self._threads:
            thread.start()

    def drain(self, seconds: float) -> None:
        """Stop everything: jobs write a checkpoint and go back to the queue. Returns when all processes are gone."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        deadline = time.monotonic() + seconds + GRACE_SECONDS
        for device in self._devices:
            device.stop(seconds)
        self._queue.stop_waiting()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                logger.error("The thread %s does not end", thread.name)
        self._threads.clear()
        for device in self._devices:
            device.close()

    def status(self) -> list[DeviceStatus]:
        """Where every device stands."""
        return [device.status for device in self._devices]

    def engines(self) -> list[EngineFacts]:
        """Every configured engine; none before a worker has reported."""
        return merged([facts for device in self._devices for facts in device.engines])

    def wait_ready(self, seconds: float) -> bool:
        """Wait until every worker has reported or died once; True where the engines are known."""
        deadline = time.monotonic() + seconds
        for device in self._devices:
            device.reported.wait(max(0.0, deadline - time.monotonic()))
        return bool(self.engines())

    def tell(self) -> None:
        """Tell the observer where every device stands; what is told last is how they stand."""
        with self._telling:
            self._observer.devices_changed(self.status())

    def _wake_all(self) -> None:
        """Make every device look at the queue whenever there is something new."""
        seen = -1
        while not self._stopping.is_set():
            version = self._queue.wait_for_work(seen, _WAKE_SECONDS)
            if version != seen:
                seen = version
                for device in self._devices:
                    device.alarm()
