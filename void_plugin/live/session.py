"""The call `timeline` of the sidecar: one action on the timeline that is open in the host.

Its arguments are the `action` and the `options` of `choices`. While it runs it asks the host back (`hostside`) and
tells events: those of the jobs with the name of their clip as `shot`, and `Exporting` for renders of the host. The
result of every action has `ok`, a `text` and `rows`, one a clip.
"""

from typing import Any

from void_plugin.desk import Desk
from void_plugin.errors import HostError
from void_plugin.hostcall import HostCall
from void_plugin.live.choices import Choices
from void_plugin.live.collect import Collection, clean, jobs
from void_plugin.live.hostside import HostSide
from void_plugin.live.remove import Removal
from void_plugin.live.results import lines_of
from void_plugin.live.roundtrip import RoundTrip

ACTIONS = ("remove", "collect", "jobs", "check", "clean")
"""`check` is the round trip."""


def timeline(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Run one action. Raises VoidError with what is in the way, or Cancelled."""
    action, choices = call.text("action"), Choices.of(call.mapping("options", {}))
    if action not in ACTIONS:
        raise HostError(f"There is no action {action!r}; there are {', '.join(ACTIONS)}.", "host.call")
    host = HostSide(call)
    failed = [f"An interrupted run could not be undone: {text}" for text in host.leftovers()]
    result = {**_run(action, desk, call, host, choices), "warnings": failed}
    host.tell("\n".join(lines_of(result)))
    return result


def _run(action: str, desk: Desk, call: HostCall, host: HostSide, choices: Choices) -> dict[str, Any]:
    if action == "remove":
        return Removal(desk, call, host, choices).run()
    if action == "collect":
        return Collection(desk, call, host, choices).run()
    if action == "check":
        return RoundTrip(desk, call, host, choices).run()
    return jobs(host) if action == "jobs" else clean(host)
