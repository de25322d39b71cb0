"""What a panel asks about an editor's timeline: which shots it has, what stands in their way, their requests."""

from typing import Any

from void_plugin.desk import Desk
from void_plugin.errors import RequestError
from void_plugin.hostcall import HostCall

RATE = 24
"""Frames a second of an EDL, which says none, where the call says nothing."""
HANDLES, CONTEXT = 8, 48
"""As `void otio submit` has them where nothing is said."""


def timeline_shots(desk: Desk, call: HostCall) -> dict[str, Any]:
    """The shots of the timeline `path`, read through OpenTimelineIO, and with `chosen` the requests of those.

    Without `everything`, those are shots that a marker or a track called VOID picks; `matte_root` and `plate_root` are
    folders, `timeline` one of several timelines, `version` the number that the requests are written under, by default
    the newest there is. The result holds `shots`, each with its `problems` and `warnings`, as sentences, what was
    `skipped`, `warnings` about the file, the `version`, and `requests`, a file for each removal of the chosen shots,
    as `void otio submit` writes it; events are sentences about movies that are decoded for them. Raises RequestError
    where the timeline cannot be read.
    """
    try:
        from void_plugin.editorial.choosing import Choice
        from void_plugin.editorial.jobs import Making
        from void_plugin.editorial.picks import Wanted
        from void_plugin.editorial.shots import Wishes
    except ModuleNotFoundError as error:
        if error.name != "opentimelineio":
            raise
        raise RequestError(
            "Timelines need OpenTimelineIO, which the Python of the panel does not have: pip install "
            "'void_plugin[otio]'."
        ) from error
    wanted = Wanted(everything=True) if call.flag("everything") else Wanted.usual()
    roots = call.text("matte_root", ""), call.text("plate_root", "")
    wishes = Wishes(call.whole("handles", HANDLES), call.whole("context", CONTEXT), *roots)
    rate = float(call.whole("rate", RATE))
    out, number = call.text("out", ""), call.whole("version", 0)
    choice = Choice.of(call.text("path"), call.text("timeline", ""), rate, wanted, wishes, out, number)
    requests: list[str] = []
    if call.has("chosen"):
        making = Making(call.text("output", "comp"), call.text("engine", "auto"), call.text("prompt", ""))
        written = choice.write(call.texts("chosen"), making, lambda text: call.tell({"kind": "Said", "text": text}))
        requests = [path.as_posix() for path in written]
    return {**choice.to_dict(), "requests": requests}


CALLS = {"timeline_shots": timeline_shots}
