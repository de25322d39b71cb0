"""The states of a node, and how events and results of the sidecar lead from one to the next. Pure functions."""

from typing import Any, Dict, Mapping, NamedTuple, Tuple

from void_plugin.events import KINDS

RESTING = ("empty", "done", "stale", "older", "cancelled", "failed", "offline", "detached", "farm")
"""Kinds in which nothing is under way, so that the button can be pressed."""
SHOWING = ("done", "stale", "older")
"""Kinds in which a version is shown and nothing else is to be said."""
COLOURS: Dict[str, int] = {
    "empty": 0,
    "preflight": 0x3C5A8CFF,
    "rendering": 0x3C5A8CFF,
    "uploading": 0x3C5A8CFF,
    "queued": 0x3C5A8CFF,
    "running": 0x3C5A8CFF,
    "cancelling": 0x3C5A8CFF,
    "done": 0x5C7A64FF,
    "stale": 0xC08A2EFF,
    "older": 0xC08A2EFF,
    "cancelled": 0,
    "failed": 0xA03A32FF,
    "detached": 0x3C5A8CFF,
    "farm": 0x3C5A8CFF,
    "offline": 0,
}
"""Tile colour of each kind as 0xRRGGBBAA; 0 is the host's own."""

_MINUTE, _HOUR = 60, 3600


class NodeState(NamedTuple):
    """What a node is doing, in one line for the node and in more for its Info tab."""

    kind: str = "empty"
    text: str = "No result yet"
    details: str = ""
    fraction: float = 0.0
    """Of the job, 0..1, while it runs."""
    warnings: Tuple[str, ...] = ()
    """What the job warned of so far."""

    @property
    def colour(self) -> int:
        """Tile colour, 0xRRGGBBAA; 0 is the host's own."""
        return COLOURS[self.kind]

    @property
    def is_busy(self) -> bool:
        """True while something is under way that can be cancelled."""
        return self.kind not in RESTING

    @property
    def can_be_cancelled(self) -> bool:
        """True while something is under way here, or a farm makes a version."""
        return self.is_busy or self.kind == "farm"

    @property
    def shows_result(self) -> bool:
        """True where a result is there and pressing the button makes another."""
        return self.kind in SHOWING

    def full_text(self) -> str:
        """Everything there is to say, one thing a line."""
        lines = [self.text]
        lines += ["Warning: " + text for text in self.warnings]
        if self.details:
            lines.append(self.details)
        return "\n".join(lines)


def preparing() -> NodeState:
    """The button was pressed and what it needs is being checked."""
    return NodeState("preflight", "Checking")


def rendering() -> NodeState:
    """The host renders the inputs."""
    return NodeState("rendering", "Rendering the inputs")


def starting(warnings: Tuple[str, ...] = ()) -> NodeState:
    """The inputs are there and the sidecar takes over."""
    return NodeState("running", "Starting", warnings=warnings)


def submitting(warnings: Tuple[str, ...] = ()) -> NodeState:
    """The inputs are there and are handed to a farm."""
    return NodeState("running", "Submitting to the farm", warnings=warnings)


def on_farm(folder: str, farm: Mapping[str, Any], warnings: Tuple[str, ...] = ()) -> NodeState:
    """A farm makes a version, and the node is free for other things; `farm` is what the sidecar says of it."""
    fraction = min(1.0, max(0.0, float(farm.get("fraction") or 0.0)))
    jobs = farm_jobs(farm)
    details = ["Folder: " + folder, str(farm.get("text") or "")]
    details += ["How it stands: void farm status {0}\nIts log: void farm logs {0}".format(job) for job in jobs]
    text = "\n".join(line for line in details if line)
    return NodeState("farm", farm_line(folder, farm), text, fraction, warnings)


def farm_line(folder: str, farm: Mapping[str, Any]) -> str:
    """How a version stands on a farm, in one line: `On the farm: slurm:1234, v004, running 40 %`."""
    parts = farm_jobs(farm) + (version_name(folder),)
    state = str(farm.get("state") or "")
    if state == "running":
        parts += ("running {:.0f} %".format(100 * min(1.0, max(0.0, float(farm.get("fraction") or 0.0)))),)
    elif state != "queued":
        parts += ({"unknown": "no word from it", "succeeded": "finished, not here yet"}.get(state, state),)
    return "On the farm: {}".format(", ".join(part for part in parts if part))


def farm_jobs(farm: Mapping[str, Any]) -> Tuple[str, ...]:
    """Names of the jobs that make a version."""
    jobs = farm.get("jobs")
    return tuple(str(job) for job in jobs) if isinstance(jobs, list) else ()


def attaching(folder: str) -> NodeState:
    """A job that was begun earlier is looked for."""
    return NodeState("detached", "Looking for the job that makes {}".format(version_name(folder)), folder)


def cancelling(state: NodeState) -> NodeState:
    """A stop was asked for and is not confirmed yet."""
    return state._replace(kind="cancelling", text="Cancelling")


def cancelled(details: str = "") -> NodeState:
    """The user stopped it."""
    return NodeState("cancelled", "Cancelled", details)


def failed(text: str, details: str = "", warnings: Tuple[str, ...] = ()) -> NodeState:
    """It went wrong; the sentence says what to do."""
    return NodeState("failed", text, details, warnings=warnings)


def refused(texts: Tuple[str, ...]) -> NodeState:
    """Nothing began, for all these reasons."""
    first = texts[0] if len(texts) == 1 else "{} (and {} more)".format(texts[0], len(texts) - 1)
    return NodeState("failed", first, "\n".join(texts))


def after_event(state: NodeState, event: Mapping[str, Any]) -> NodeState:
    """The state after an event of a running job; an unknown kind changes nothing.

    Progress of one of several views is named after it: two of them run as one action.
    """
    kind, view = event.get("kind"), str(event.get("view") or "")
    if kind not in KINDS or state.kind == "cancelling":
        return state
    if kind == "Warned":
        text = _of_view(str(event.get("text") or ""), view)
        if not text or text in state.warnings:
            return state
        return state._replace(warnings=state.warnings + (text,))
    if kind == "Queued":
        return state._replace(kind="queued", text=_of_view(_queue(event), view), fraction=0.0)
    if kind == "Uploading":
        done, total = int(event.get("done") or 0), max(1, int(event.get("total") or 0))
        text = "Uploading {} %".format(100 * done // total)
        return state._replace(kind="uploading", text=_of_view(text, view), fraction=0.0)
    if kind == "Started":
        text = "Running on {}".format(event.get("engine") or "the server")
        return state._replace(kind="running", text=_of_view(text, view))
    if kind == "Progressed":
        fraction = min(1.0, max(0.0, float(event.get("fraction") or 0.0)))
        return state._replace(kind="running", text=_of_view(_progress(event, fraction), view), fraction=fraction)
    return state


def _of_view(text: str, view: str) -> str:
    return text if view in ("", "main") or not text else "{}: {}".format(view, text)


def _queue(event: Mapping[str, Any]) -> str:
    position, eta = int(event.get("position") or 0), float(event.get("eta_seconds", -1.0))
    text = "Queued, next" if position == 0 else "Queued, {} before it".format(position)
    return text if eta < 0 else "{}, about {}".format(text, duration(eta))


def _progress(event: Mapping[str, Any], fraction: float) -> str:
    parts = [str(event.get("step") or "")]
    if event.get("pass_number"):
        parts.append("pass {}".format(event["pass_number"]))
    if event.get("window"):
        parts.append("window {}".format(event["window"]))
    where = ", ".join(part for part in parts if part)
    text = "Running {:.0f} %".format(100 * fraction)
    return "{} ({})".format(text, where) if where else text


def duration(seconds: float) -> str:
    """Seconds as people say them: `40 s`, `6 min`, `1 h 20 min`."""
    if seconds < 100:
        return "{:.0f} s".format(seconds)
    if seconds < _HOUR:
        return "{:.0f} min".format(seconds / _MINUTE)
    hours, rest = divmod(int(seconds), _HOUR)
    return "{} h {} min".format(hours, rest // _MINUTE)


def version_name(folder: str) -> str:
    """How people call a version folder: its last part, such as `v004` or `test`."""
    return folder.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def result_line(folder: str, manifest: Mapping[str, Any]) -> str:
    """A finished version in one line: `v004 · 1001-1048 · 6 min · 81 % recovered, 19 % generated`."""
    shares = _mapping(manifest.get("summary")).get("shares")
    parts = [version_name(folder), manifest.get("frames")]
    if isinstance(manifest.get("seconds"), (int, float)):
        parts.append(duration(manifest["seconds"]))
    parts.append(shares)
    return " · ".join(str(part) for part in parts if part)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def done(line: str, details: str = "", warnings: Tuple[str, ...] = ()) -> NodeState:
    """A version is there and shown; `line` is what `result_line` made of it."""
    return NodeState("done", line, details, 1.0, warnings)


def older(line: str, latest: int) -> NodeState:
    """A version is shown, and there is a later one."""
    return NodeState("older", "{} (latest v{:03d})".format(line, latest), "", 1.0)


def stale(line: str) -> NodeState:
    """A version is shown whose inputs have changed since."""
    return NodeState("stale", "Upstream changed since {}".format(line), "", 1.0)


def details_of(folder: str, manifest: Mapping[str, Any]) -> str:
    """What the Info tab says of a finished version."""
    lines = ["Folder: " + folder]
    for name, label in (("engine", "Engine"), ("frames", "Frames"), ("made", "Made"), ("plugin", "void_plugin")):
        if manifest.get(name):
            lines.append("{}: {}".format(label, manifest[name]))
    summary = _mapping(manifest.get("summary"))
    for key in sorted(summary):
        lines.append("{}: {}".format(key.replace("_", " "), summary[key]))
    return "\n".join(lines)


def warnings_of(manifest: Mapping[str, Any]) -> Tuple[str, ...]:
    """The warnings that a version was made with."""
    found = manifest.get("warnings")
    items = found if isinstance(found, list) else []
    return tuple(_of_view(str(item.get("text")), str(item.get("view") or "")) for item in items if _mapping(item))
