"""`ServerJob`: one request through the configured server, or through a private one, as a stream of events.

A thread does the work and puts the events into a queue, so that whoever takes them can be interrupted at any time. That
thread loads gRPC, because a private server loads meanwhile.
"""

import queue
import threading
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from void_plugin.config import Config, state_folder
from void_plugin.errors import Cancelled, RequestError, VoidError
from void_plugin.events import Event, Stopped, Warned, is_last
from void_plugin.gate import Gate
from void_plugin.localfiles import write_whole
from void_plugin.patience import Patience
from void_plugin.private import STOP_SECONDS, PrivateServer
from void_plugin.removal import Client
from void_plugin.request import RemovalRequest

if TYPE_CHECKING:
    from void_plugin.client import VoidClient

RECONNECT_SECONDS = 300.0
"""How long a job waits for a server that has gone away."""
_POLL_SECONDS = 0.5


class ServerJob(Client):
    """Runs a request on the configured server, else on a private one that lives as long as the job."""

    def __init__(self, config: Config, environment: Mapping[str, str], workers: int = 0, kind: str = "remove") -> None:
        self._config, self._environment, self._workers, self._kind = config, environment, workers, kind
        # Simple ones, because a signal handler puts into them while its own thread may be taking from them.
        self._inbox: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self._cancels: list[None] = []
        self._gate = Gate()
        self._lock = threading.Lock()
        self._left = False
        self._client: VoidClient | None = None
        self._private: PrivateServer | None = None

    def cancel(self) -> None:
        """Ask the server to stop the job; a second call ends the events without waiting for it."""
        self._cancels.append(None)
        self._inbox.put(None)

    def leave(self) -> None:
        """End the events at once, with Cancelled, as closing them would; from any thread."""
        self._inbox.put(Cancelled())

    def submit(self, request: RemovalRequest) -> Generator[Event, None, None]:
        """The events of the job, closed by a last event.

        Closing the generator early leaves the job to a configured server, where the same command finds it again, and
        stops a private one, whose finished work is kept.
        """
        request = request.rooted()
        if not self._config.server:
            log = Path(request.job_folder()) / "log.txt"
            self._private = PrivateServer(self._config, self._environment, log, self._workers)
        worker = threading.Thread(target=self._work, args=(request,), name="server job", daemon=True)
        worker.start()
        try:
            yield from self._events()
        finally:
            self._leave()
            worker.join(1.0)

    # -- for whoever takes the events ------------------------------------------------------------------------

    def _events(self) -> Generator[Event, None, None]:
        asked = False
        while True:
            if self._cancels and not asked:
                asked = True
                self._ask_to_stop()
            if len(self._cancels) > 1:
                if self._gate.job_id and self._private is None:
                    yield self._unconfirmed()
                yield Stopped()
                return
            try:
                item = self._inbox.get(timeout=_POLL_SECONDS)
            except queue.Empty:  # on Windows a signal cannot interrupt the wait
                continue
            if isinstance(item, BaseException):
                raise item
            if item is not None:
                yield item
                if is_last(item):
                    return

    def _ask_to_stop(self) -> None:
        if self._gate.stop():
            # In a thread, because a server that has gone away would hold up whoever wants to leave.
            threading.Thread(target=self._tell_to_stop, name="cancel", daemon=True).start()
            return
        with self._lock:
            if self._client is not None:
                self._client.close()  # ends what is under way before the submit
        if self._private is not None:
            self._private.stop(0.0)

    def _tell_to_stop(self) -> None:
        self._gate.decided.wait()
        if not self._gate.job_id or self._client is None:
            return
        try:
            self._client.cancel(self._gate.job_id)
        except Cancelled:  # whoever takes the events has left
            return
        except VoidError as error:
            text = f"The job {self._gate.job_id} was not told to stop: {error.message}"
            self._inbox.put(Warned(code=error.code, text=text))

    def _unconfirmed(self) -> Event:
        job = self._gate.job_id
        text = f"Left before the server said that it has stopped; `void status {job}` tells."
        return Warned(code="server.unavailable", text=text)

    def _leave(self) -> None:
        self._gate.stop()
        if self._private is not None:
            self._private.stop(STOP_SECONDS, lambda: len(self._cancels) > 1)
        with self._lock:
            self._left = True
            if self._client is not None:
                self._client.close()

    # -- in the thread that works ----------------------------------------------------------------------------

    def _work(self, request: RemovalRequest) -> None:
        try:
            if self._private is not None:
                self._work_privately(request, self._private)
            else:
                self._work_remotely(request)
        except BaseException as error:  # the end of this thread: raised again where the events are taken
            self._inbox.put(error)
        finally:
            self._gate.decided.set()

    def _work_privately(self, request: RemovalRequest, private: PrivateServer) -> None:
        write_whole(Path(request.job_folder()) / "request.json", request.to_json())
        private.launch()
        from void_plugin.jobrun import JobRun

        config = private.ready()
        patience = Patience(config.server, RECONNECT_SECONDS, self._warn, private.check)
        patience.succeeded()  # it has said that it listens
        with self._connected(config, patience) as client:
            JobRun(client, request, self._kind, self._gate, self._inbox.put).once()

    def _work_remotely(self, request: RemovalRequest) -> None:
        from void_plugin.attachment import Attachments
        from void_plugin.channel import server_address
        from void_plugin.jobrun import JobRun
        from void_plugin.transfer import why_not_by_path

        address = server_address(self._config.server)
        with self._connected(self._config, Patience(address, RECONNECT_SECONDS, self._warn)) as client:
            why_not = why_not_by_path(request, self._config, client.engines().server)
            only_paths = self._config.transfer == "paths"
            if only_paths and why_not:
                raise RequestError(f"The server {address} cannot work by path: {why_not}", "request.path")
            run = JobRun(client, request, self._kind, self._gate, self._inbox.put)
            attachments = Attachments(Path(state_folder(self._environment)))
            if self._config.transfer == "upload" or why_not:
                run.by_upload(attachments)
                return
            try:
                run.by_path(attachments)
            except RequestError as error:
                # The server knows better than its client which files are the same on both sides.
                if error.code != "request.path" or only_paths:
                    raise
                self._warn(f"The files are uploaded: {error.message}", error.code)
                run.by_upload(attachments)

    def _connected(self, config: Config, patience: Patience) -> "VoidClient":
        from void_plugin.client import VoidClient

        client = VoidClient.connect(config, self._environment, patience.address, patience)
        with self._lock:
            self._client = client
            if self._left or self._gate.stopped():
                client.close()
        return client

    def _warn(self, text: str, code: str = "server.unavailable") -> None:
        self._inbox.put(Warned(code=code, text=text))
