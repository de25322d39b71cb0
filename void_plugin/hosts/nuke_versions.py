"""The buttons about versions that are there already: which is shown, what made it, what may go."""

from typing import Any, Callable, Dict, List, Mapping, Optional

from void_plugin.bridge import Sidecar
from void_plugin.errors import HostError, VoidError
from void_plugin.hosts import nuke_api as api
from void_plugin.hosts import nuke_group, qt, states
from void_plugin.hosts import nuke_trace as trace
from void_plugin.hosts.nuke_knobs import KNOBS
from void_plugin.hosts.nuke_node import VoidNode, all_of_ours, evaluated, values_of
from void_plugin.hosts.nuke_settings import output_folder
from void_plugin.hosts.states import NodeState

SECONDS = 60.0
"""How long the sidecar may look at a folder on a slow share."""

Version = Mapping[str, Any]


class Versions:
    """Those buttons, for one node; each asks the sidecar and goes on when it has answered."""

    def __init__(
        self, node: VoidNode, sidecar: Sidecar, post: Callable[..., None], show: Callable[[NodeState], None]
    ) -> None:
        """`show` makes a state that of the node."""
        self._node, self._sidecar, self._post, self._show = node, sidecar, post, show

    # -- which one is shown ----------------------------------------------------------------------------------

    def previous(self) -> None:
        """Show the next lower finished version."""
        self._step(lambda shown, numbers: max([number for number in numbers if number < shown], default=None))

    def next(self) -> None:
        """Show the next higher finished version."""
        self._step(lambda shown, numbers: min([number for number in numbers if number > shown], default=None))

    def latest(self) -> None:
        """Show the highest finished version; farms are asked about those that they make."""
        self._step(lambda shown, numbers: max(numbers, default=None), look=True)

    def _step(self, choose: Callable[[int, List[int]], Optional[int]], look: bool = False) -> None:
        def listed(versions: List[Version]) -> None:
            found = self._node.needed()
            done = {int(version["version"]): version for version in versions if version.get("state") == "done"}
            name = states.version_name(evaluated(found.knobs["void_folder"]))
            shown = int(name[1:]) if name[:1] == "v" and name[1:].isdigit() else 0
            number = choose(shown, sorted(done))
            if number is None:
                api.message(_nothing_there(versions))
                return
            folder = str(done[number]["folder"])
            self._ask("manifest", {"folder": folder}, lambda answer: self._apply(folder, answer, max(done)))

        self._list(listed, look)

    def _apply(self, folder: str, answer: Mapping[str, Any], latest: int) -> None:
        manifest = answer["manifest"]
        self._node.apply(folder, manifest)
        line = states.result_line(folder, manifest)
        state = states.done(line, states.details_of(folder, manifest), states.warnings_of(manifest))
        if int(manifest.get("version") or 0) < latest:
            state = states.older(line, latest)
        self._post(self._show, state)

    # -- what made it ----------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Set the knobs to what the shown version was made with."""
        self._ask("manifest", {"folder": self._shown_folder()}, self._restore)

    def _restore(self, answer: Mapping[str, Any]) -> None:
        settings = answer["manifest"].get("settings") or {}
        found = self._node.needed()
        kinds = {item.name: item.kind for item in KNOBS if item.is_setting}
        with trace.one_undo("Restore settings"):
            for name in sorted(set(settings) & set(kinds)):
                if kinds[name] == "enum":
                    set_choice(found.knobs[name], str(settings[name]))
                else:
                    found.knobs[name].setValue(settings[name])
        unknown = sorted(set(settings) - set(kinds))
        if unknown:
            api.message(
                "These settings of the version are not known here and were left out: {}.".format(", ".join(unknown))
            )

    def read(self) -> None:
        """Put an ordinary Read of the shown patch beside the node."""
        found = self._node.needed()
        file = str(found.knobs["void_result"].value() or "")
        if not file:
            raise HostError("There is no result to read yet; press Remove first.")
        inner = api.inner(found.node, nuke_group.RESULT)
        first, last = int(api.knob(inner, "first").value()), int(api.knob(inner, "last").value())
        with trace.one_undo("Make Read"), trace.inside(found.node.parent()):
            made = api.make("Read")
            nuke_group.set_up_read(made)
            api.put(made, "file", file)
            nuke_group.set_range(made, first, last)
            made.setXYpos(int(found.node.xpos()) + 120, int(found.node.ypos()))

    def reveal(self) -> None:
        """Open the folder of the shown version."""
        folder = self._shown_folder()
        if not qt.open_folder(folder):
            api.message("The folder is {}".format(folder))

    # -- what may go -----------------------------------------------------------------------------------------

    def clean(self) -> None:
        """Delete versions that no node of this script shows, after asking."""
        output = self._output()

        def listed(versions: List[Version]) -> None:
            used = {evaluated(api.knob(node, name)) for node in all_of_ours() for name in ("void_folder", "void_job")}
            spare = [
                version
                for version in versions
                if version.get("state") in ("done", "failed", "broken") and str(version["folder"]) not in used
            ]
            if not spare:
                api.message("There is nothing to delete: every version in {} is shown by a node.".format(output))
                return
            lines = ["{}  {}".format(states.version_name(str(item["folder"])), size(item)) for item in spare]
            if api.ask("Delete these versions for good? Other scripts may show them.\n\n" + "\n".join(lines)):
                folders = [str(item["folder"]) for item in spare]
                self._ask("delete", {"folders": folders, "output": output}, _deleted)

        self._list(listed)

    # -- the sidecar -----------------------------------------------------------------------------------------

    def _list(self, then: Callable[[List[Version]], None], look: bool = False) -> None:
        asked = {"output": self._output(), "look": look}
        self._ask("versions", asked, lambda answer: then(list(answer.get("versions") or ())))

    def _ask(self, call: str, args: Dict[str, Any], then: Callable[[Mapping[str, Any]], None]) -> None:
        def go_on(result: Optional[Mapping[str, Any]], error: Optional[VoidError]) -> None:
            try:
                if error is not None:
                    raise error
                then(result or {})
            except VoidError as failure:
                api.message(failure.message)

        self._sidecar.call(call, args, done=lambda result, error: self._post(go_on, result, error), timeout=SECONDS)

    def _shown_folder(self) -> str:
        folder = evaluated(self._node.needed().knobs["void_folder"])
        if not folder:
            raise HostError("There is no version yet; press Remove first.")
        return folder

    def _output(self) -> str:
        """The folder with the versions: that of the one shown, also where the node was renamed since."""
        found = self._node.needed()
        folder = evaluated(found.knobs["void_folder"]).rpartition("/")[0]
        if folder:
            return folder
        folder = output_folder(values_of(found)["output_dir"], api.script(), self._node.name)
        if not folder:
            raise HostError(
                "The script is not saved and no folder is given on the Output tab, so there are no versions."
            )
        return folder


def set_choice(knob: api.Knob, value: str) -> None:
    """Set a choice, which is added where the knob does not have it, so that no value is ever lost."""
    has = [str(item) for item in knob.values()]  # type: ignore[attr-defined]
    if value not in has:
        knob.setValues([*has, value])  # type: ignore[attr-defined]
    knob.setValue(value)


def offer_choices(knob: api.Knob, values: List[str]) -> None:
    """Change what a choice offers and keep what it says."""
    value = str(knob.value())
    knob.setValues(values if value in values else [*values, value])  # type: ignore[attr-defined]
    knob.setValue(value)


def size(version: Version) -> str:
    """The size of a version as people say it."""
    return "{:.1f} MB".format(int(version.get("bytes") or 0) / 1e6)


def _deleted(answer: Mapping[str, Any]) -> None:
    deleted, freed = len(answer.get("deleted") or ()), int(answer.get("bytes") or 0)
    lines = ["{} version{} deleted, {:.1f} MB freed.".format(deleted, "" if deleted == 1 else "s", freed / 1e6)]
    lines += ["Not deleted: {}".format(item.get("text")) for item in answer.get("kept") or ()]
    api.message("\n".join(lines))


def _said(version: Version) -> str:
    name, farm = states.version_name(str(version["folder"])), version.get("farm")
    if isinstance(farm, dict):
        return "{} ({})".format(name, states.farm_line("", farm))
    return "{} is {}".format(name, "on the farm" if version.get("state") == "farm" else version.get("state"))


def _nothing_there(versions: List[Version]) -> str:
    others = [_said(item) for item in versions]
    text = "There is no such finished version."
    return "{} In the folder: {}.".format(text, ", ".join(others)) if others else text
