"""A matte out of a clip's Fusion composition: one Saver writes it into a folder of ours, and is as before afterwards.

While it renders, Resolve does nothing else and shows the user its own progress, with a button that stops it.
"""

import time
import uuid
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from void_plugin.errors import HostError
from void_plugin.hosts import resolve_snapshot as snapshot
from void_plugin.hosts.resolve_api import CODE, Item, Project, Resolve, Timeline, find_item
from void_plugin.hosts.resolve_saver import Comp, Saver
from void_plugin.hosts.resolve_shots import Placed, shot_of

KEY = "saver"
"""What only the state of such a render has."""
CLIP, FOLDER = "Clip", "CreateDir"
KEPT = (CLIP, FOLDER, "OutputFormat")
"""Inputs of a Saver that setting its file may change."""


class Wanted:
    """A Saver and the frames that it is to write, checked against the timeline."""

    def __init__(self, project: Project, timeline: Timeline, args: Mapping[str, Any]) -> None:
        """Changes nothing. Raises HostError where the composition is not what it is taken for."""
        self._comp_name, self._name = (str(part) for part in args["saver"])
        self.folder = str(args["folder"])
        self.file = "{}/{}.0000.exr".format(self.folder.replace("\\", "/").rstrip("/"), args["name"])
        self._project, self._timeline = project, timeline
        self._shot: Placed = shot_of(project, timeline, str(args["shot"]))
        if timeline.is_track_locked(self._shot.track):
            text = "{} is on a locked track, so the Saver {} of its composition is not touched; unlock the track, or "
            raise HostError((text + "name files of the matte.").format(self._shot.item.label(), self._name), CODE)
        self.comp = self._found()
        self.savers = self.comp.savers()
        if self._name not in self.savers:
            text = "The composition {} of {} has no Saver {}; it has {}."
            there = ", ".join(self.savers) or "none"
            raise HostError(text.format(self._comp_name, self._shot.item.label(), self._name, there), CODE)
        self.frames = self._frames(int(args["first"]), int(args["last"]))

    def _found(self) -> Comp:
        item = self._shot.item
        if self._comp_name not in item.fusion_comps():
            text = "{} has no Fusion composition {}; pick the clip again."
            raise HostError(text.format(item.label(), self._comp_name), CODE)
        return item.fusion_comp(self._comp_name)

    def _frames(self, first: int, last: int) -> Tuple[int, int]:
        """The composition's own numbers of frames of the timeline."""
        own, length = self.comp.frames(), self._shot.end - self._shot.start
        if own is None or own[1] - own[0] + 1 != length:
            count = "an unknown number of" if own is None else own[1] - own[0] + 1
            text = "The composition {} has {} frames and {} shows {}, so nothing says which belongs to which "
            text += "(FusionComp.GetAttrs); lay the matte over the clip on a track VOID MATTE."
            raise HostError(text.format(self._comp_name, count, self._shot.item.label(), length), CODE)
        if not self._shot.start <= first <= last < self._shot.end:
            raise HostError("Frames {}-{} are not of the clip.".format(first, last), "host.call")
        return own[0] + first - self._shot.start, own[0] + last - self._shot.start

    def state(self) -> snapshot.State:
        """All that is changed, as plain values that outlive this process. Changes nothing."""
        unique = "saver_" + uuid.uuid4().hex
        return {
            "since": time.time(),
            "preset": unique,  # by which its record is kept; there is no such preset
            "job": unique,
            "project": {"id": self._project.id(), "name": self._project.name()},
            "timeline": {"id": self._timeline.id(), "name": self._timeline.name()},
            "shot": self._shot.item.id(),
            "comp": self._comp_name,
            KEY: self._name,
            "file": self.file,
            "inputs": {key: self.savers[self._name].input(key) for key in KEPT},
            "passed": {name: saver.is_passed() for name, saver in self.savers.items()},
            "time": self.comp.time(),
            "done": [],
        }

    def prepare(self) -> None:
        """Let the Saver, and no other, write into our folder. Raises HostError."""
        for name, saver in self.savers.items():
            if saver.is_passed() != (name != self._name):
                saver.pass_through(name != self._name)
        saver = self.savers[self._name]
        saver.set_input(CLIP, self.file)
        saver.set_input(FOLDER, 1)

    def render(self) -> None:
        """Write the frames. Raises HostError; also where the Saver was led elsewhere meanwhile."""
        if self.savers[self._name].input(CLIP) != self.file:
            text = "The Saver {} writes to another place by now (FusionTool.GetInput); run VOID again."
            raise HostError(text.format(self._name), CODE)
        self.comp.render(*self.frames)


def restore(resolve: Resolve, state: snapshot.State) -> snapshot.Restored:
    """Put back all that is not yet, each part on its own. Never raises for what Resolve refuses.

    A clip, a composition or a Saver that the user has deleted meanwhile has nothing to put back.
    """
    found: List[Optional[Comp]] = []
    wrong = snapshot.tried(lambda: found.append(_comp_of(resolve, state)))
    if wrong:
        return [], ["The Saver {} could not be restored: {}".format(state[KEY], wrong)]
    comp = found[-1]
    restored, failed = [], []
    for name, step in _steps(comp, state) if comp is not None else ():
        if name in state["done"]:
            continue
        wrong = snapshot.tried(step)
        if wrong:
            failed.append("The {} could not be restored: {}".format(name, wrong))
        else:
            state["done"].append(name)
            restored.append(name)
    return restored, failed


def _comp_of(resolve: Resolve, state: snapshot.State) -> Optional[Comp]:
    project = snapshot.project_of(resolve, state)
    timeline = project.find_timeline(state["timeline"]["id"])
    found = find_item(timeline, state["shot"]) if timeline is not None else None
    item: Optional[Item] = found[1] if found is not None else None
    return item.fusion_comp(state["comp"]) if item is not None and state["comp"] in item.fusion_comps() else None


def _steps(comp: Comp, state: snapshot.State) -> List[Tuple[str, Callable[[], None]]]:
    """The parts, each of which looks for what it belongs to."""
    found: List[Tuple[str, Callable[[], None]]] = []
    for key in KEPT:
        value = state["inputs"][key]
        found.append(("{} of the Saver {}".format(key, state[KEY]), partial(_set_back, comp, state[KEY], key, value)))
    for name, passed in state["passed"].items():
        found.append(("switch of the Saver {}".format(name), partial(_switch_back, comp, name, passed)))
    if state["time"] is not None:
        found.append(("frame of the composition", partial(_go_back, comp, state["time"])))
    return found


def _set_back(comp: Comp, name: str, key: str, value: Any) -> None:
    saver: Optional[Saver] = comp.savers().get(name)
    if saver is not None and (saver.input(key) or "") != (value or ""):
        saver.set_input(key, value)


def _switch_back(comp: Comp, name: str, passed: bool) -> None:
    saver = comp.savers().get(name)
    if saver is not None and saver.is_passed() != passed:
        saver.pass_through(passed)


def _go_back(comp: Comp, time: float) -> None:
    if comp.time() != time:
        comp.go(time)


def begun(state: snapshot.State) -> Dict[str, Any]:
    """What an export answers that has begun."""
    text = "The Saver {} of the composition {} writes the matte.".format(state[KEY], state["comp"])
    return {"job": state["job"], "codec": "", "baked": False, "text": text}
