"""What a host can ask its sidecar, by name; `ping` and `cancel` are answered by the loop itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from void_plugin.completion import completed
from void_plugin.desk import Desk
from void_plugin.errors import HostError, VoidError
from void_plugin.farmcalls import CALLS as FARM_CALLS
from void_plugin.farmsubmit import submit
from void_plugin.farmversion import FarmVersion, glance
from void_plugin.frames import FrameRange
from void_plugin.hostcall import HostCall
from void_plugin.inputfiles import check_sequences
from void_plugin.jobcalls import CALLS as JOB_CALLS
from void_plugin.jobrecord import JobRecord
from void_plugin.live.session import timeline
from void_plugin.manifest import is_finished, read_manifest
from void_plugin.panelcalls import CALLS as PANEL_CALLS
from void_plugin.preparation import prepare
from void_plugin.serverfacts import facts_of
from void_plugin.timelinecalls import CALLS as TIMELINE_CALLS
from void_plugin.versionjob import attach, start
from void_plugin.versionorder import refuse_others
from void_plugin.versions import delete, give_back, listing
from void_plugin.windowcalls import CALLS as WINDOW_CALLS

QUICK_SECONDS = 5.0
"""How long somebody waits who only looks what there is."""
SOON_SECONDS = 2.5
"""How long who asks again and again waits for a server that has answered before: one that hangs is away, too."""


def capabilities(desk: Desk, call: HostCall) -> dict[str, Any]:
    """What the server, by default the configured one, can run; `stale` where it is what it said last time."""
    seconds = SOON_SECONDS if call.flag("soon") else QUICK_SECONDS
    return facts_of(desk.environment, call.text("server", ""), seconds)


def release(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Give a reserved folder back in which nothing was started."""
    folder = Path(call.text("folder"))
    give_back(folder)
    desk.begun(folder)
    return {}


def check_inputs(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Look whether every frame of every input is there; the error names the first that is not."""
    files: dict[str, tuple[str, FrameRange]] = {}
    for name, value in call.mapping("files").items():
        if not (isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)):
            raise HostError(f"The input {name} must be a pattern and a frame range, not {value!r}.", "host.call")
        files[name] = (value[0], FrameRange.parse(value[1]))
    check_sequences(files, call.check)
    return {}


def versions(desk: Desk, call: HostCall) -> dict[str, Any]:
    """The version folders of an output folder; with `look` farms are asked about those that they make."""
    output = Path(call.text("output"))
    rows = listing(output)
    asked = [row for row in rows if call.flag("look") and _may_be_on_farm(row)]
    if not asked:
        return {"versions": rows}
    stands = {row["folder"]: _stands(desk, call, row) for row in asked}
    rows = listing(output)  # some are finished now
    return {"versions": [row if row["state"] == "done" else {**row, **stands.get(row["folder"], {})} for row in rows]}


def _may_be_on_farm(row: Mapping[str, Any]) -> bool:
    """True for what a farm makes, also where it has failed there: somebody may have submitted it again."""
    return row["state"] == "farm" or (row["state"] == "failed" and bool(JobRecord.load(Path(row["folder"])).farm))


def _stands(desk: Desk, call: HostCall, row: Mapping[str, Any]) -> dict[str, Any]:
    """What a farm says of a version, for its row."""
    try:
        standing = glance(Path(row["folder"]), desk.environment, call.check, QUICK_SECONDS)
    except VoidError as error:  # that it has failed stands in the folder now; all else loses nothing
        return {"text": error.message}
    return {"state": "farm", **standing.to_dict()}


def manifest(desk: Desk, call: HostCall) -> dict[str, Any]:
    """The manifest of a finished version."""
    return {"manifest": read_manifest(Path(call.text("folder")))}


def delete_versions(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Remove version folders; those that cannot go are told as `kept`."""
    return delete(Path(call.text("output")), [Path(folder) for folder in call.texts("folders")])


def cancel_farm(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Cancel what a farm makes and remove its folder, by raising Cancelled; how it stands where that cannot be."""
    folder = Path(call.text("folder"))
    if is_finished(folder):
        return {"manifest": completed(folder)}
    version = FarmVersion(folder, desk.environment, call.check)
    refuse_others(folder, version.record)
    return version.withdraw().to_dict()


CALLS = {
    "prepare": prepare,
    "release": release,
    "check_inputs": check_inputs,
    "start": start,
    "attach": attach,
    "submit": submit,
    "cancel_farm": cancel_farm,
    "capabilities": capabilities,
    "versions": versions,
    "manifest": manifest,
    "delete": delete_versions,
    "timeline": timeline,
    **PANEL_CALLS,
    **JOB_CALLS,
    **FARM_CALLS,
    **TIMELINE_CALLS,
    **WINDOW_CALLS,
}
