"""VoidRemove in Nuke: what its buttons, its menu and Nuke's own callbacks run.

One `Session` a Nuke process holds the sidecar and the stories that are under way. Everything is on the main thread:
what the sidecar says is posted there. Nothing here is needed to open or render a script.
"""

import traceback
from functools import lru_cache, partial
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from void_plugin.bridge import Sidecar
from void_plugin.errors import HostError, VoidError
from void_plugin.hosts import nuke_api as api
from void_plugin.hosts import nuke_group, states
from void_plugin.hosts import nuke_trace as trace
from void_plugin.hosts.nuke_node import VoidNode, all_of_ours, evaluated, notes_its_own_job, own_uuid, uuid_of
from void_plugin.hosts.nuke_removal import NukeRemoval, hashes_of
from void_plugin.hosts.nuke_report import connection_report, node_report
from void_plugin.hosts.nuke_versions import Versions, offer_choices
from void_plugin.hosts.states import SHOWING, NodeState
from void_plugin.hosts.story import Story
from void_plugin.hosts.turns import Turns

RUNS = ("remove", "farm", "test", "preview")
"""Buttons that begin a story."""
TRIALS = ("test", "preview")
"""Those that make no version."""
CONNECT_SECONDS = 30.0
PANEL_SECONDS = 60.0
PREVIEW = "preview"
"""How the line of a preview begins, which is about no version."""


class _Away(NamedTuple):
    """What still runs for a node whose script was closed."""

    story: Story
    node: VoidNode


class Session:
    """The nodes of one Nuke process and what is under way on them."""

    def __init__(
        self,
        sidecar: Sidecar,
        post: Callable[..., None] = api.post,
        told: Callable[[NodeState], None] = lambda state: None,
    ) -> None:
        """`post` runs a function on the main thread soon; `told` hears of each state of a run."""
        self.sidecar, self._turns, self._told = sidecar, Turns(post), told
        # Of the nodes of the open script, by uuid; a copy in another script may have the same one.
        self._stories: Dict[str, Story] = {}
        self._nodes: Dict[str, VoidNode] = {}
        self._states: Dict[str, NodeState] = {}
        self._away: List[_Away] = []
        self._hashes: Dict[str, Any] = {}

    # -- runs ------------------------------------------------------------------------------------------------

    def run(self, node: api.Node, action: str, overrides: Optional[Mapping[str, Any]] = None) -> Story:
        """Begin an action on a node: `remove`, `farm`, `test` or `preview`. Raises HostError where it is busy."""
        running = self._running(node)
        if running is not None:
            raise HostError("{} is busy: {}. Press Cancel first.".format(node.name(), running.state.text))
        had, before, job = uuid_of(node), self.state_of(node), self._on_farm(node)
        own_uuid(node)
        known = VoidNode(node, api.script())

        def then(story: Story) -> None:
            if job and action in TRIALS and known.uuid == had:  # a copy has got a uuid of its own, and no job
                self._turns.post(_quietly, partial(self._back_to_the_farm, known, job, before, story.state))

        story = self._story(known, known.uuid, action, overrides or {}, then)
        if action == "farm":
            story.submit()
        else:
            story.begin()
        return story

    def cancel(self, node: api.Node) -> None:
        """Stop what runs on a node, or what a farm makes for it."""
        story, folder = self._running(node), self._on_farm(node)
        if story is not None:
            story.cancel()
        elif folder:
            self._story(VoidNode(node), uuid_of(node), "attach", {}).withdraw(folder)

    def _on_farm(self, node: api.Node) -> str:
        """The version folder that a farm makes for a node, as far as is known here; empty for none."""
        return evaluated(api.knob(node, "void_job")) if self.state_of(node).kind == "farm" else ""

    def _back_to_the_farm(self, known: VoidNode, job: str, before: NodeState, ended: NodeState) -> None:
        """After a trial on a node for which a farm makes a version: that is still the job of the node."""
        if known.found() is None:
            return
        known.remember(job)
        if ended.kind != "failed":
            self.show(known, before._replace(details="{}\n{}".format(ended.full_text(), before.details)))

    def take_up(self) -> None:
        """After a script was opened: go on with what still runs in it, and look for jobs that were begun before."""
        for uuid, story in self._stories.items():
            self._nodes[uuid].leave()
            self._away.append(_Away(story, self._nodes[uuid]))
        self._stories, self._nodes, self._states = {}, {}, {}
        # Of a node and its copy, which notes the same job, the node itself comes first. Each has a turn of its own: one
        # that is broken does not keep the others waiting, and a script with many does not hold Nuke up.
        for node in sorted(all_of_ours(), key=notes_its_own_job, reverse=True):
            self._turns.post(_quietly, partial(self._take_up, str(node.fullName())))

    def _take_up(self, name: str) -> None:
        node = api.find(name)
        if node is None or self._running(node) is not None:  # deleted, or pressed, since the script was opened
            return
        uuid, folder = uuid_of(node), evaluated(api.knob(node, "void_job"))
        away = self._away_from(uuid, folder) if self._away else None
        if uuid in self._stories:
            own_uuid(node)
            copy = VoidNode(node)
            copy.remember("")
            self._turns.post(_quietly, partial(copy.show, self.state_of(node)))
        elif away is not None:
            self._away.remove(away)
            away.node.look_again()
            self._stories[uuid], self._nodes[uuid] = away.story, away.node
            self._states[uuid] = away.story.state
            self._turns.post(_quietly, lambda: away.node.show(away.story.state))
        elif uuid and folder:
            self._turns.post(self._story(VoidNode(node), uuid, "attach", {}).attach, folder)
        else:
            self._turns.post(_quietly, partial(VoidNode(node).show, self.state_of(node)))

    def _away_from(self, uuid: str, folder: str) -> Optional[_Away]:
        """What runs for a node: what it notes, or, in a script that was not saved since, what began in that script."""
        script = api.script()
        for away in self._away:
            its_own = away.story.folder == folder if folder else bool(script) and away.node.script == script
            if away.node.uuid == uuid and its_own:
                return away
        return None

    def is_busy(self, node: api.Node) -> bool:
        """True while something is under way on a node."""
        return self._running(node) is not None

    def _running(self, node: api.Node) -> Optional[Story]:
        """The story on this very node; a copy that still has its uuid is none of its business."""
        uuid = uuid_of(node)
        known, story = self._nodes.get(uuid), self._stories.get(uuid)
        if known is None or story is None:
            return None
        known.found()  # it may have another name by now
        return story if known.name == str(node.fullName()) else None

    def _story(
        self,
        node: VoidNode,
        uuid: str,
        action: str,
        overrides: Mapping[str, Any],
        then: Callable[[Story], None] = lambda story: None,
    ) -> Story:
        def ended(story: Story) -> None:
            if self._stories.get(uuid) is story:
                del self._stories[uuid]
            self._away = [away for away in self._away if away.story is not story]
            if story.state.kind in ("done", "farm") and host.hashes[1]:
                self._hashes[story.folder] = host.hashes
            then(story)

        def note(state: NodeState) -> None:
            if self._stories.get(uuid) is story:
                self._states[uuid] = state
            self._told(state)

        host = NukeRemoval(node, action, self._turns, note, lambda: story.cancel(), overrides)
        story = Story(host, self.sidecar, uuid, ended)
        self._stories[uuid], self._nodes[uuid] = story, node
        return story

    # -- what a node says ------------------------------------------------------------------------------------

    def state_of(self, node: api.Node) -> NodeState:
        """The state of a node: what was seen of it in this session, else what the script says.

        The script also wins where it shows another version than was seen, because the artist has undone a step.
        """
        state = self._states.get(uuid_of(node))
        if state is not None and (state.kind not in SHOWING or state.text.startswith(PREVIEW)):
            return state
        if not bool(api.knob(node, "void_has_result").value()):
            return NodeState()
        line = str(api.knob(node, "void_summary").value())
        return state if state is not None and line in state.text else states.done(line)

    def show(self, node: VoidNode, state: NodeState) -> None:
        """Make a state that of a node."""
        self._nodes.setdefault(node.uuid, node)
        self._states[node.uuid] = state
        node.show(state)

    def look_upstream(self, node: api.Node) -> None:
        """Say where the inputs have changed since they were rendered, as far as the hashes of that frame tell."""
        uuid = uuid_of(node)
        seen, state = self._states.get(uuid), self.state_of(node)
        if seen is None:
            return
        then = self._hashes.get(evaluated(api.knob(node, "void_folder")))
        if then is not None and state.kind in ("done", "stale") and not state.text.startswith(PREVIEW):
            now = hashes_of(node)
            wanted = "done" if now[1] == then[1] else "stale"
            if now[0] == then[0] and wanted != state.kind:
                line = str(api.knob(node, "void_summary").value())
                state = states.done(line) if wanted == "done" else states.stale(line)
        if state != seen:
            self.show(self._nodes.get(uuid) or VoidNode(node), state)

    # -- buttons ---------------------------------------------------------------------------------------------

    def press(self, node: api.Node, action: str) -> None:
        """Do what a button says."""
        told = nuke_group.upgrade(node)
        if told:
            api.message(told)
        if action in RUNS:
            self.run(node, action)
        elif action == "cancel":
            self.cancel(node)
        elif action == "latest" and self._on_farm(node) and not self.is_busy(node):
            self._ask_the_farm(node)
        elif action == "connect":
            self._connect(node)
        elif action == "report":
            node_report(node, self.state_of(node), self.sidecar.log)
        else:
            self._press_about_versions(node, action)

    def _ask_the_farm(self, node: api.Node) -> None:
        """Take the version up that a farm makes; while it is not there, show the highest that is."""
        known, folder = self._known(node), self._on_farm(node)

        def answered(story: Story) -> None:
            if story.state.kind == "farm":
                self._post(lambda: self._press_about_versions(known.needed().node, "latest"))

        self._story(known, known.uuid, "attach", {}, answered).attach(folder)

    def _press_about_versions(self, node: api.Node, action: str) -> None:
        known = self._known(node)
        versions = Versions(known, self.sidecar, self._post, partial(self._show_version, known))
        buttons: Dict[str, Callable[[], None]] = {
            "previous": versions.previous,
            "next": versions.next,
            "latest": versions.latest,
            "restore": versions.restore,
            "read": versions.read,
            "reveal": versions.reveal,
            "clean": versions.clean,
        }
        buttons[action]()

    def _show_version(self, known: VoidNode, state: NodeState) -> None:
        """Show what is said of a version, unless something runs or is on the farm: that can be cancelled."""
        now = self._states.get(known.uuid)
        self.show(known, now if now is not None and now.can_be_cancelled else state)

    def _post(self, function: Callable[..., None], *arguments: Any) -> None:
        """Go on with a button on the main thread soon; what goes wrong then is told as at the press."""
        self._turns.post(_telling, partial(function, *arguments))

    def _known(self, node: api.Node) -> VoidNode:
        uuid = uuid_of(node) or own_uuid(node)
        known = self._nodes.get(uuid)
        return known if known is not None and known.name == str(node.fullName()) else VoidNode(node)

    def _connect(self, node: api.Node) -> None:
        known = self._known(node)

        def answered(result: Optional[Mapping[str, Any]], error: Optional[VoidError]) -> None:
            found = known.found()
            if found is None:
                return
            if error is None and result is not None:
                names = [str(engine.get("name")) for engine in result.get("engines") or ()]
                offer_choices(found.knobs["engine"], ["auto"] + [name for name in names if name != "auto"])
            text = connection_report(result, error, self.sidecar.log)
            self.show(known, self.state_of(found.node)._replace(details=text))
            api.message(text)

        server = str(api.knob(node, "server").value()).strip()
        self.sidecar.call(
            "capabilities",
            {"server": server},
            done=lambda result, error: self._post(answered, result, error),
            timeout=CONNECT_SECONDS,
        )

    # -- the menu --------------------------------------------------------------------------------------------

    def run_all(self, nodes: List[api.Node]) -> None:
        """Remove on several nodes, one after the other; each then goes its own way, or says why it cannot."""
        for node in nodes:
            if not self.is_busy(node):
                _guarded(partial(self.press, node, "remove"))

    def cancel_all(self) -> None:
        """Stop everything that runs."""
        for story in [*self._stories.values(), *(away.story for away in self._away)]:
            story.cancel()

    def open_panel(self) -> None:
        """Open the panel beside Nuke, in a process of its own that goes on when Nuke ends."""

        def answered(result: Optional[Mapping[str, Any]], error: Optional[VoidError]) -> None:
            if error is not None:
                api.message(error.message)

        self.sidecar.call(
            "panel",
            {"requests": []},
            done=lambda result, error: self._post(answered, result, error),
            timeout=PANEL_SECONDS,
        )

    def stale_nodes(self) -> List[api.Node]:
        """Nodes whose inputs are known to have changed."""
        return [node for node in all_of_ours() if self.state_of(node).kind == "stale"]


@lru_cache(maxsize=None)
def session() -> Session:
    """The session of this Nuke, made when first needed: the scripts of buttons have nowhere else to find it."""
    return Session(Sidecar(host=api.name_and_version()))


# -- called by Nuke: the top of everything, so whatever is raised becomes a sentence ---------------------------


def _guarded(step: Callable[[], None]) -> None:
    def at_the_root() -> None:
        with trace.inside(api.root()):  # a button may run inside its own Group, where names mean other nodes
            step()

    _telling(at_the_root)


def _telling(step: Callable[[], None]) -> None:
    try:
        step()
    except VoidError as error:
        api.message(error.message)
    except Exception as error:  # whatever Nuke raises: a sentence for the artist, the rest for the terminal
        api.say(traceback.format_exc())
        api.message("VoidRemove met a fault: {}: {}. The terminal has the details.".format(type(error).__name__, error))


def press(action: str) -> None:
    """A button of the node was pressed."""
    _guarded(lambda: session().press(api.this_node(), action))


def loaded() -> None:
    """A script was opened: look for its jobs once Nuke is done with it, and never stop it from opening."""
    api.post(lambda: _quietly(session().take_up))


def label() -> Optional[str]:
    """The label of a VoidRemove: its name, its state, and the artist's own label; None for all other Groups."""
    node = api.this_node()
    if not nuke_group.is_ours(node):
        return None
    own = str(api.knob(node, "label").evaluate() or "")  # type: ignore[attr-defined]
    lines = [str(node.name()), session().state_of(node).text, own]
    return "\n".join(line for line in lines if line)


def updated() -> None:
    """A Group is redrawn after a change somewhere."""
    node = api.this_node()
    if nuke_group.is_ours(node):
        _quietly(lambda: session().look_upstream(node))


def _quietly(step: Callable[[], None]) -> None:
    """For what nobody pressed: no box may come up by itself."""
    try:
        step()
    except Exception:  # the top of a callback of Nuke; it goes on whatever happens to us
        api.say(traceback.format_exc())


def create() -> None:
    """Make a new node."""
    _guarded(lambda: nuke_group.create().showControlPanel())


def run_selected() -> None:
    """Remove on all selected nodes."""
    _guarded(lambda: session().run_all([node for node in api.selected() if nuke_group.is_ours(node)]))


def run_stale() -> None:
    """Remove on all nodes whose inputs have changed."""
    _guarded(lambda: session().run_all(session().stale_nodes()))


def cancel_all() -> None:
    """Stop all runs."""
    _guarded(session().cancel_all)


def panel() -> None:
    """Open the panel."""
    _guarded(session().open_panel)


def install() -> None:
    """Add the menu and the callbacks; called once by menu.py, in a Nuke with windows."""
    code = "from void_plugin.hosts import nuke_host; nuke_host.{}()"
    commands = [("VoidRemove", code.format("create"))]
    api.add_commands("Nodes", "VOID", commands)
    commands += [
        ("Run selected", code.format("run_selected")),
        ("Run all stale", code.format("run_stale")),
        ("Cancel all", code.format("cancel_all")),
        ("Panel", code.format("panel")),
    ]
    api.add_commands("Nuke", "VOID", commands)
    api.on_load(loaded)
    api.on_autolabel(label)
    api.on_update(updated)
