"""What a monitor asks about a server's queue: its jobs, an end to some of them, one of them once more."""

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from void_plugin.answers import JobInfo
from void_plugin.channel import find_server
from void_plugin.client import VoidClient
from void_plugin.config import Config
from void_plugin.desk import Desk
from void_plugin.errors import Cancelled, HostError, ServerError, VoidError, from_code
from void_plugin.events import Failed, Stopped, to_dict
from void_plugin.hostcall import HostCall
from void_plugin.jobbook import Noted
from void_plugin.quickly import ask_within
from void_plugin.removal import remove
from void_plugin.serverfacts import config_for
from void_plugin.serverjob import ServerJob
from void_plugin.versionjob import attach

T = TypeVar("T")

LIST_SECONDS = 2.5
"""How long a server may take to list its jobs: whoever looks every two seconds knows within five that it is away."""
ACT_SECONDS = 20.0
"""How long it may take to act on jobs."""
MOST = 1000
"""Jobs that are listed where nothing else is said, the newest."""


def jobs(desk: Desk, call: HostCall) -> dict[str, Any]:
    """The newest jobs of a server as `jobs`, at most `most`, the newest first.

    Each is what JobInfo holds with its `device`, its `folder` on this machine and whether it can be run `again` from
    here, as far as that is known. Those of everyone where this user may see them, else their own; `everyone` says
    which. Raises ServerError where there is no server or it does not answer in time.
    """
    config, address = _server(desk, call)
    most, own = call.whole("most", MOST), call.flag("own")
    until = time.monotonic() + LIST_SECONDS

    def look(client: VoidClient) -> tuple[list[JobInfo], bool]:
        if own:
            return client.jobs((), False, most), False
        try:
            return client.jobs((), True, most), True
        except ServerError as error:
            if error.code != "server.forbidden":
                raise
            return client.jobs((), False, most), False

    found, everyone = ask_within(LIST_SECONDS, config, desk.environment, address, look)
    devices: Mapping[str, str] = {}
    if any(job.state == "running" for job in found):
        devices = _devices(until - time.monotonic(), config, desk.environment, address)
    rows = [_row(job, devices.get(job.job_id, ""), desk.book.find(job.job_id)) for job in found]
    return {"jobs": rows, "address": address, "everyone": everyone, "complete": len(found) < most}


def job_cancel(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Ask a server to stop some `jobs`; the result holds the `states` of those and why others were `refused`."""
    return _each(desk, call, lambda client, job: client.cancel(job).state)


def job_retry(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Run a `job` of this user once more, to its end, with the same request; what is finished is not done again.

    A version of a host is taken up, and committed once it is complete. The events are those of any job. Raises
    JobError where the request is not known here, HostError where the version folder is gone.
    """
    _, address = _server(desk, call)
    noted = desk.book.needed(call.text("job"))
    if noted.version:
        if not Path(noted.version).is_dir():
            raise HostError(
                f"{noted.version} was removed when its job was cancelled; run the shot again where it came from.",
                "host.folder",
            )
        return attach(desk, call.instead({"folder": noted.version, "again": True}))
    job = ServerJob(config_for(desk.environment, address), desk.environment, 0, noted.kind)
    with call.running(job), contextlib.closing(remove(noted.request, job)) as events:
        for event in events:
            if isinstance(event, Failed):
                raise from_code(event.code, event.text)
            if isinstance(event, Stopped):
                raise Cancelled
            call.tell(to_dict(event))
    return {}


def _each(desk: Desk, call: HostCall, act: Callable[[VoidClient, str], str]) -> dict[str, Any]:
    """Do something to each job; what fails for one is told and does not keep the others from it."""
    config, address = _server(desk, call)
    states: dict[str, str] = {}
    refused: dict[str, str] = {}

    def run(client: VoidClient) -> None:
        for job in call.texts("jobs"):
            try:
                states[job] = act(client, job)
            except VoidError as error:
                if error.code.startswith("server.") and error.code != "server.forbidden":
                    raise  # it would be no different for the others
                refused[job] = error.message

    ask_within(ACT_SECONDS, config, desk.environment, address, run)
    return {"states": states, "refused": refused}


def _row(job: JobInfo, device: str, noted: Noted | None) -> dict[str, Any]:
    return {
        **job.to_dict(),
        "device": device,
        "folder": noted.folder if noted else "",
        "again": noted is not None and job.state in ("failed", "cancelled"),
    }


def _devices(seconds: float, config: Config, environment: Mapping[str, str], address: str) -> Mapping[str, str]:
    """Which device works on which job; nothing where the server is too busy to say."""
    try:
        found = ask_within(max(0.1, seconds), config, environment, address, lambda client: client.engines())
    except VoidError:  # the jobs are what was asked for
        return {}
    return {device.job_id: device.name for device in found.devices if device.job_id}


def _server(desk: Desk, call: HostCall) -> tuple[Config, str]:
    config = config_for(desk.environment, call.text("server", ""))
    return config, find_server(config, desk.environment)


CALLS = {"jobs": jobs, "job_cancel": job_cancel, "job_retry": job_retry}
