"""What a host orders for a reserved folder: whose it is, which requests, and the job.json that says so."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from void_plugin.errors import HostError
from void_plugin.hostcall import HostCall
from void_plugin.jobrecord import JobRecord, user_name
from void_plugin.outcomes import relative
from void_plugin.request import RemovalRequest


def ordered(call: HostCall, folder: Path, before: JobRecord) -> JobRecord:
    """The job that a call asks for, in the hands of this process. Raises VoidError where it cannot be as asked."""
    refuse_others(folder, before)
    kind, requests = call.text("kind", "remove"), call.mapping("requests")
    known = parsed(folder, kind, requests)
    return replace(
        before,
        kind=kind,
        frames=next((str(request.frames) for request in known.values() if request.frames), before.frames),
        node={**before.node, **call.mapping("node")},
        requests=requests,
        facts=call.mapping("facts", {}),
        views={},
        began=time.time(),
        error={},
        farm={},
    ).ours()


def refuse_others(folder: Path, record: JobRecord) -> None:
    """Raise HostError for a job of somebody else's."""
    if record.user != user_name():
        raise HostError(f"{folder} is a job of {record.whose}; only they can take it up.", "host.taken")


def parsed(folder: Path, kind: str, requests: Mapping[str, Any]) -> dict[str, RemovalRequest]:
    """The requests by view. Raises VoidError for the first that cannot be met as it is written."""
    if kind not in ("remove", "preview"):
        raise HostError(f"There is no kind of job called {kind!r}; it is remove or preview.", "host.call")
    if not requests:
        raise HostError("There is no view to work on; choose at least one.", "host.call")
    found: dict[str, RemovalRequest] = {}
    for view, data in requests.items():
        request = RemovalRequest.from_json(json.dumps(data), f"The request of the view {view}")
        if kind == "remove":
            request.check_results()
        for output in request.outputs:
            relative(folder, request.output_sequence(output).pattern)
        found[view] = request
    return found
