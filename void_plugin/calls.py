"""How every call to a server is made: closed from any thread, repeated while patience lasts, refused as a VoidError."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc

from void_plugin.errors import Cancelled, VoidError
from void_plugin.patience import SHORTEST_WAIT, Patience
from void_plugin.wire import error_from_call, retry_seconds

T = TypeVar("T")


class Calls:
    """The calls over one channel; safe to use from many threads."""

    def __init__(self, channel: grpc.Channel, patience: Patience) -> None:
        self.patience = patience
        self._channel = channel
        self._closed = threading.Event()

    def close(self) -> None:
        """End all calls with Cancelled, and the connection."""
        self._closed.set()
        self._channel.close()

    def ask(self, method: Callable[..., T], request: Any, seconds: float) -> T:
        """The answer of a unary call that can be repeated without harm; `seconds` is the deadline of each attempt."""
        return self.patiently(lambda: method(request, timeout=seconds))

    def patiently(self, attempt: Callable[[], T], own: Callable[[], VoidError | None] = lambda: None) -> T:
        """The answer of an attempt, repeated while patience lasts; `own` tells of a failure on this side instead."""
        while True:
            try:
                self._refuse_closed()
                answer = attempt()
            except grpc.RpcError as error:
                failure = own()
                if failure is not None:
                    raise failure from error
                self.wait_after(error)
            except ValueError as error:  # gRPC's word for a channel that was closed a moment ago
                self._refuse_closed()
                raise error
            else:
                self.patience.succeeded()
                return answer

    def stream(self, method: Callable[..., Any], request: Any, seconds: float) -> Iterator[Any]:
        """The answers of one streaming call, which ends with whoever takes them. Raises grpc.RpcError."""
        try:
            self._refuse_closed()
            call = method(request, timeout=seconds)
        except ValueError as error:
            self._refuse_closed()
            raise error
        try:
            for answer in call:
                self.patience.succeeded()
                yield answer
        finally:
            call.cancel()

    def pause(self) -> None:
        """Wait a moment, so that a loop around an odd server does not spin."""
        self._closed.wait(SHORTEST_WAIT)

    def wait_after(self, error: grpc.RpcError) -> None:
        """Wait until the failed call is worth another try; raises its VoidError where it is not."""
        self._refuse_closed()
        found = error_from_call(error, self.patience.address)
        self._closed.wait(self.patience.failed(found, retry_seconds(error)))

    def _refuse_closed(self) -> None:
        if self._closed.is_set():
            raise Cancelled


def ran_out(error: grpc.RpcError) -> bool:
    """True where a call ended because its time was up."""
    return isinstance(error, grpc.Call) and error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
