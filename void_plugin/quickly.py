"""A question to a server for somebody who waits no longer than some seconds, whatever hangs on the way."""

import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from void_plugin.client import VoidClient
from void_plugin.config import Config
from void_plugin.errors import Cancelled, ServerError

T = TypeVar("T")


def ask_within(
    seconds: float, config: Config, environment: Mapping[str, str], address: str, act: Callable[[VoidClient], T]
) -> T:
    """What a function finds out from a server. Raises VoidError: what it raises, or that it took too long."""
    with VoidClient.connect(config, environment, address) as client:
        timer = threading.Timer(seconds, client.close)
        timer.daemon = True
        timer.start()
        try:
            return act(client)
        except Cancelled as error:
            raise ServerError(
                f"The server {address} has not answered within {seconds:g} seconds; look whether it runs and can be "
                "reached from here.",
                "server.timeout",
            ) from error
        finally:
            timer.cancel()
