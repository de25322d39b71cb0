"""One VoidRemove node of the script: found again whenever it is needed, read, and shown a state or a version.

A handle of a deleted node raises in Nuke, so none is kept: a node is looked up by its name, its uuid says that it is
the one, and where the name has changed all Groups are searched once.
"""

import uuid as uuids
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from void_plugin.errors import HostError
from void_plugin.frames import FrameRange
from void_plugin.hosts import nuke_api as api
from void_plugin.hosts import nuke_group, states
from void_plugin.hosts import nuke_trace as trace
from void_plugin.hosts.nuke_knobs import KNOBS, NODE_VERSION
from void_plugin.hosts.nuke_settings import file_name, for_script
from void_plugin.hosts.states import NodeState

Knobs = Dict[str, api.Knob]


class Found(NamedTuple):
    """A node that is there now, with its knobs by name; not to be kept."""

    node: api.Node
    knobs: Knobs


def all_of_ours() -> List[api.Node]:
    """Every VoidRemove of the script, also inside Groups."""
    return [node for node in api.all_groups() if nuke_group.is_ours(node)]


def uuid_of(node: api.Node) -> str:
    """The uuid of a VoidRemove; empty before its first run."""
    return str(api.knob(node, "void_uuid").value() or "")


def own_uuid(node: api.Node) -> str:
    """The uuid of a node that is about to run: a new one where it has none or shares it with another node.

    A copy so keeps showing the old result and gets a life of its own with its first run.
    """
    has, name = uuid_of(node), node.fullName()
    if has and not any(uuid_of(other) == has for other in all_of_ours() if other.fullName() != name):
        return has
    made = uuids.uuid4().hex
    with trace.without_trace():
        api.put(node, "void_uuid", made)
    return made


def notes_its_own_job(node: api.Node) -> bool:
    """True where the job that a node notes lies in the folder of its name: it is the one that began it, not a copy."""
    job = node.knob("void_job")
    folder = evaluated(job) if job is not None else ""
    return folder.split("/")[-2:-1] == [file_name(str(node.fullName()))]


class VoidNode:
    """A VoidRemove by its uuid."""

    def __init__(self, node: api.Node, script: str = "") -> None:
        """`script` is the path of the script that it is in, where somebody may want to know."""
        self.script = script
        self.uuid = uuid_of(node)
        self.name = str(node.fullName())
        """Its name with the Groups around it, as it was when last seen."""
        self._is_lost = self._is_away = False
        self._shown: Dict[str, Any] = {}

    def leave(self) -> None:
        """Its script was closed: a node of another one is not the same, whatever its uuid."""
        self._is_away = True

    def look_again(self) -> None:
        """Its script was opened again."""
        self._is_lost, self._is_away, self._shown = False, False, {}

    def found(self) -> Optional[Found]:
        """The node, or None while it is not in the script."""
        if self._is_lost or self._is_away:
            return None
        node = api.find(self.name)
        found = self._checked(node)
        if found is not None:
            return found
        for other in api.all_groups():
            found = self._checked(other)
            if found is not None:
                self.name = str(other.fullName())
                return found
        self._is_lost = True  # else each event would search the whole script
        return None

    def needed(self) -> Found:
        """The node. Raises HostError where it is not in the script."""
        self._is_lost = False  # the artist may have undone its deletion
        found = self.found()
        if found is None:
            raise HostError("The node {} is no longer in this script.".format(self.name))
        return found

    def _checked(self, node: Optional[api.Node]) -> Optional[Found]:
        if node is None:
            return None
        knobs = node.knobs()
        mark = knobs.get("void_uuid")
        return Found(node, knobs) if mark is not None and str(mark.value()) == self.uuid else None

    # -- showing ---------------------------------------------------------------------------------------------

    def show(self, state: NodeState) -> None:
        """Show a state on the node: status line, Info tab, tile and buttons, each only where it changes."""
        found = self.found()
        if found is None:
            return
        wanted = {
            "status": state.text,
            "details": state.full_text(),
            "tile_color": state.colour,
            "cancel_void": state.can_be_cancelled,
            "render_void": "Re-run" if state.shows_result else "Remove",
        }
        changed = {name: value for name, value in wanted.items() if self._shown.get(name) != value}
        if not changed:
            return
        with trace.without_trace():
            for name, value in changed.items():
                if name == "cancel_void":
                    found.knobs[name].setEnabled(bool(value))
                elif name == "render_void":
                    found.knobs[name].setLabel(str(value))
                else:
                    found.knobs[name].setValue(value)
                self._shown[name] = value

    # -- versions --------------------------------------------------------------------------------------------

    def remember(self, folder: str) -> None:
        """Note which version folder is being worked on, so that it is taken up after the script was opened again."""
        found = self.needed()
        with trace.without_trace():
            found.knobs["void_job"].setValue(for_script(folder, api.script()) if folder else "")

    def apply(self, folder: str, manifest: Mapping[str, Any]) -> None:
        """Show the result of a version, or the overlay of a preview, as one step of undo."""
        pattern, frames = result_of(folder, manifest)
        script = api.script()
        if manifest.get("kind") == "preview":
            shown = {"void_preview": for_script(pattern, script), "void_has_preview": True, "output": "mask"}
            self._set(shown, nuke_group.PREVIEW, frames, "Show the mask")
            return
        values: Dict[str, Any] = {
            "void_result": for_script(pattern, script),
            "void_folder": for_script(folder, script),
            "void_summary": states.result_line(folder, manifest),
            "void_has_result": True,
        }
        if int(manifest.get("version") or 0) > 0:
            values["version"] = int(manifest["version"])
        self._set(values, nuke_group.RESULT, frames, "Show {}".format(states.version_name(folder)))

    def _set(self, values: Mapping[str, Any], read: str, frames: FrameRange, name: str) -> None:
        found = self.needed()
        with trace.one_undo(name):
            for key, value in values.items():
                found.knobs[key].setValue(value)
            nuke_group.set_range(api.inner(found.node, read), frames.first, frames.last)


def result_of(folder: str, manifest: Mapping[str, Any]) -> Tuple[str, FrameRange]:
    """Pattern and frames of what a version shows, with %V in a project of several views.

    Raises HostError where the manifest names no result.
    """
    views = manifest.get("views")
    entries = views if isinstance(views, dict) else {}
    kind = "overlay" if manifest.get("kind") == "preview" else "patch"
    patterns = [str(entry.get(kind) or "") for entry in entries.values() if isinstance(entry, dict)]
    if not patterns or not all(patterns):
        raise HostError("The version {} names no result in its manifest; remove again.".format(folder))
    first = min(entries)
    # A folder of its own is that of a view, also where there is only one: others must not show its patch.
    pattern = str(entries[first][kind]).replace("/{}/".format(first), "/%V/", 1)
    return "{}/{}".format(folder, pattern), FrameRange.parse(str(manifest.get("frames")))


def values_of(found: Found) -> Dict[str, Any]:
    """Values of all knobs that the artist sets, by name; file knobs with their Tcl worked out."""
    values: Dict[str, Any] = {}
    for item in KNOBS:
        if item.has_value:
            knob = found.knobs[item.name]
            values[item.name] = evaluated(knob) if item.kind == "file" else knob.value()
    return values


def evaluated(knob: api.Knob) -> str:
    """Text of a file knob with its Tcl worked out, with forward slashes."""
    return str(knob.evaluate() or "").replace("\\", "/")  # type: ignore[attr-defined]


def facts_of(node: api.Node, values: Mapping[str, Any], uuid: str) -> Dict[str, Any]:
    """What a version records of the node that made it."""
    settings = {item.name: values[item.name] for item in KNOBS if item.is_setting}
    return {
        "uuid": uuid,
        "name": str(node.fullName()),
        "script": api.script(),
        "settings": settings,
        "version": NODE_VERSION,
    }
