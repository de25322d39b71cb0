"""What every RPC shares: who calls, how errors become statuses, and what the services delegate to.

Every refusal is a VoidError that becomes a status here; anything else is a fault of ours, which is logged and told as
INTERNAL without its words.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, NoReturn, TypeVar

import grpc

from void_plugin import wire
from void_plugin.errors import ServerError, VoidError
from void_server.access import Access
from void_server.devices import Devices
from void_server.jobs import JobQueue
from void_server.settings import Identity
from void_server.store import FrameStore
from void_server.submission import Submissions

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0
"""What a client is told to wait where something will be free again soon."""

C = TypeVar("C", bound=Callable[..., Any])


@dataclass(frozen=True)
class Serving:
    """What the services delegate to."""

    access: Access
    store: FrameStore
    queue: JobQueue
    devices: Devices
    submissions: Submissions
    stopping: threading.Event
    refused: Callable[[str], None]
    """Told the code of every refusal."""

    def identity(self, context: grpc.ServicerContext) -> Identity:
        """Who calls. Raises ServerError for a missing or wrong token."""
        return self.access.identify(context.invocation_metadata())

    def refuse(self, context: grpc.ServicerContext, error: VoidError) -> NoReturn:
        """End a call with an error."""
        self.refused(error.code)
        context.abort_with_status(wire.status_of(error, RETRY_SECONDS if error.retryable else None))
        raise AssertionError("abort returned")

    def fault(self, context: grpc.ServicerContext, error: Exception) -> NoReturn:
        """End a call with what should not have happened."""
        logger.error("a call failed", exc_info=error)
        self.refuse(context, ServerError(
            f"The server failed unexpectedly ({type(error).__name__}); its log has the details.", "server.internal"
        ))  # fmt: skip


def told(call: C) -> C:
    """Makes a unary method of a service answer errors as statuses."""

    @wraps(call)
    def guarded(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return call(self, request, context)
        except VoidError as error:
            self.serving.refuse(context, error)
        except grpc.RpcError:
            context.cancel()  # the caller has gone: nobody to answer
        except Exception as error:  # the process boundary: one bad call must not end the server
            self.serving.fault(context, error)

    return guarded  # type: ignore[return-value]


def told_each(call: C) -> C:
    """Makes a streaming method of a service answer errors as statuses."""

    @wraps(call)
    def guarded(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            yield from call(self, request, context)
        except VoidError as error:
            self.serving.refuse(context, error)
        except grpc.RpcError:
            context.cancel()
        except Exception as error:  # the process boundary
            self.serving.fault(context, error)

    return guarded  # type: ignore[return-value]
