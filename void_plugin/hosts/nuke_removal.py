"""`NukeRemoval`: what one press of a button on a VoidRemove node needs from Nuke."""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from void_plugin.errors import HostError, VoidError
from void_plugin.frames import FrameRange
from void_plugin.hosts import Host, Problem, Wanted, nuke_inputs
from void_plugin.hosts import nuke_api as api
from void_plugin.hosts.nuke_bar import Bar
from void_plugin.hosts.nuke_inputs import HALF, Image
from void_plugin.hosts.nuke_knobs import INPUTS
from void_plugin.hosts.nuke_node import Found, VoidNode, facts_of, values_of
from void_plugin.hosts.nuke_settings import (
    Place,
    Span,
    file_name,
    output_folder,
    render_settings,
    request,
    script_stem,
    span,
)
from void_plugin.hosts.states import NodeState
from void_plugin.hosts.turns import Turns
from void_plugin.request import ImageInput
from void_plugin.settings import RenderSettings

NEEDED = ("plate", "matte")
"""Inputs without which nothing can be removed."""
BUSY_WITH_A_BAR = ("uploading", "queued", "running", "cancelling")
"""Kinds of state in which a bar of Nuke's own shows how far it is."""


class _Plan(NamedTuple):
    """What the node asked for when the button was pressed."""

    values: Dict[str, Any]
    output: str
    name: str
    views: Tuple[str, ...]
    span: Span
    settings: RenderSettings
    images: Tuple[str, ...]


class NukeRemoval(Host):
    """One action on one node: `remove`, `farm`, `test`, `preview`, or `attach` to what was begun before."""

    def __init__(
        self,
        node: VoidNode,
        action: str,
        turns: Turns,
        shown: Callable[[NodeState], None],
        cancel: Callable[[], None],
        overrides: Mapping[str, Any],
    ) -> None:
        """`shown` hears of each state, `cancel` is for the bar's own button, `overrides` go before the knobs."""
        self._node, self._turns = node, turns
        # A farm is asked for the same as a server.
        self._on_farm, self._action = action == "farm", "remove" if action == "farm" else action
        self._shown, self._cancel, self._overrides = shown, cancel, overrides
        self._plan: Optional[_Plan] = None
        self._bar: Optional[Bar] = None
        self.hashes: Tuple[int, List[List[int]]] = (0, [])
        """The frame and the hashes of all inputs there, when they were rendered."""

    def post(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run a function on the main thread soon."""
        self._turns.post(function, *arguments)

    def tell(self, text: str) -> None:
        """A message box, or a line on the terminal where there are no windows."""
        if api.has_gui():
            api.message(text)
        else:
            api.say(text)

    # -- what is asked for -----------------------------------------------------------------------------------

    def gather(self) -> Wanted:
        """Read the node, and say all that is wrong with it at once."""
        found = self._node.needed()
        values = dict(values_of(found), **self._overrides)
        problems: List[Problem] = []

        def attempt(part: Callable[[], Any]) -> Any:
            try:
                return part()
            except VoidError as error:
                problems.append(Problem("error", error.message))
                return None

        sizes: Dict[str, Tuple[int, int]] = {}
        problems += _connections(found, values, sizes)
        connected = [name for index, name in enumerate(INPUTS) if found.node.input(index) is not None]
        output = output_folder(values["output_dir"], api.script(), self._node.name)
        if not output:
            problems.append(Problem("error", "Save the script, or give a folder on the Output tab: versions go there."))
        views = attempt(lambda: _views(str(values["views"])))
        settings = attempt(lambda: render_settings(values, self._action, api.project_fps()))
        wanted = attempt(lambda: _span(found, values, self._action)) if "plate" in connected else None
        if views is None or settings is None or wanted is None or not output:
            return Wanted(problems, {})
        name = "{}_{}".format(script_stem(api.script()) or "shot", file_name(self._node.name))
        self._plan = _Plan(values, output, name, views, wanted, settings, tuple(connected))
        needed = nuke_inputs.largest_bytes(len(connected), len(wanted.rendered), *sizes["plate"], len(views))
        return Wanted(problems, self._questions(needed))

    def _questions(self, needed: int) -> Dict[str, Any]:
        plan = self._needed_plan()
        return {
            "output": plan.output,
            "name": plan.name,
            "uuid": self._node.uuid,
            "script": api.script(),
            "frames": str(plan.span.frames),
            "bytes": needed,
            "engine": str(plan.values["engine"]),
            "server": str(plan.values["server"]).strip(),
            "views": list(plan.views),
            "test": self._action == "test",
            "kind": "preview" if self._action == "preview" else "remove",
            "on_farm": self._on_farm,
            "farm": str(plan.values["farm"]).strip(),
        }

    def _needed_plan(self) -> _Plan:
        assert self._plan is not None, "gather comes first"
        return self._plan

    # -- the inputs ------------------------------------------------------------------------------------------

    def render(self, folder: str) -> Dict[str, Any]:
        """Render the inputs, and say where they are and what to do with them."""
        plan, found = self._needed_plan(), self._node.needed()
        place = Place(folder, plan.name, plan.views, len(api.project_views()) > 1)
        files = ""
        if len(plan.views) == 1:
            files = nuke_inputs.plain_files(found.node.input(0), plan.span.rendered)
        images = [_image(name, place, plan.values) for name in plan.images if not (name == "plate" and files)]
        self.hashes = hashes_of(found.node)
        with self._turns.render():
            nuke_inputs.render(found.node, images, plan.span.rendered, plan.views)
        requests = {}
        for view in plan.views:
            inputs = {name: ImageInput(place.inputs(view, name)) for name in plan.images}
            if files:
                inputs["plate"] = ImageInput(files)
            requests[view] = request(plan.values, self._action, place, view, plan.span, inputs, plan.settings)
        plate = api.source(found.node, 0)
        space, config = api.colour_facts()
        return {
            "folder": folder,
            "kind": "preview" if self._action == "preview" else "remove",
            "requests": requests,
            "node": facts_of(found.node, plan.values, self._node.uuid),
            "facts": {
                "format": [int(plate.width()), int(plate.height())],
                "pixel_aspect": float(plate.pixelAspect()),
                "working_space": space,
                "ocio": config,
            },
            "server": str(plan.values["server"]).strip(),
            "farm": str(plan.values["farm"]).strip(),
        }

    # -- the node --------------------------------------------------------------------------------------------

    def remember(self, folder: str) -> None:
        """Note the version folder that is being worked on in the node."""
        self._node.remember(folder)

    def apply(self, folder: str, manifest: Mapping[str, Any]) -> None:
        """Show the result, or the overlay of a preview, in the node."""
        self._node.apply(folder, manifest)

    def show(self, state: NodeState) -> None:
        """Show a state on the node and on a bar of Nuke's own."""
        has_bar = state.kind in BUSY_WITH_A_BAR and api.has_gui()
        if self._bar is not None and not has_bar:  # before anything can fail: it would stay for ever
            self._bar.close()
            self._bar = None
        self._shown(state)
        self._node.show(state)
        if has_bar:
            self._bar = self._bar or Bar(self._turns, self._cancel)
            self._bar.show("{}: {}".format(self._node.name, state.text), state.fraction)


def _image(name: str, place: Place, values: Mapping[str, Any]) -> Image:
    view = "%V" if len(place.views) > 1 else place.views[0]
    if name == "plate":
        return Image(name, "rgb", str(values["datatype"]), place.inputs(view, name))
    return Image(name, str(values[name + "_channel"]), HALF, place.inputs(view, name))


def hashes_of(node: api.Node) -> Tuple[int, List[List[int]]]:
    """The current frame and the hashes of all inputs at it: they change with whatever is done upstream."""
    sources = [node.input(index) for index in range(len(INPUTS))]
    return api.frame(), [list(source.opHashes()) for source in sources if source is not None]


# -- what can be wrong -----------------------------------------------------------------------------------------


def _connections(found: Found, values: Mapping[str, Any], sizes: Dict[str, Tuple[int, int]]) -> List[Problem]:
    """What is wrong with the inputs; `sizes` gets width and height of those that are connected."""
    problems = []
    for index, name in enumerate(INPUTS):
        source = found.node.input(index)
        if source is None:
            if name in NEEDED:
                problems.append(Problem("error", "Nothing is connected to {}; connect the {}.".format(name, _is(name))))
            continue
        sizes[name] = (int(source.width()), int(source.height()))
        channels = [str(channel) for channel in source.channels()]
        wanted = ["rgba.red", "rgba.green", "rgba.blue"] if name == "plate" else [str(values[name + "_channel"])]
        lacking = [channel for channel in wanted if channel not in channels]
        if lacking:
            text = "The input {} ({}) has no {}; it has {}.".format(
                name, source.name(), " or ".join(lacking), ", ".join(channels) or "no channels at all"
            )
            problems.append(Problem("error", text))
    for name, size in sizes.items():
        if "plate" in sizes and size != sizes["plate"]:
            text = "The input {} is {}x{}, but the plate is {}x{}; reformat one to the other's size.".format(
                name, size[0], size[1], *sizes["plate"]
            )
            problems.append(Problem("error", text))
    return problems


def _is(name: str) -> str:
    return {"plate": "photographed frames", "matte": "roto of what is to be removed"}[name]


def _views(text: str) -> Tuple[str, ...]:
    known = api.project_views()
    wanted = text.replace(",", " ").split() or known
    unknown = [view for view in wanted if view not in known]
    if unknown:
        raise HostError(
            "The project has no view {}; it has {}. Correct views on the Output tab.".format(
                ", ".join(unknown), ", ".join(known)
            )
        )
    return tuple(dict.fromkeys(wanted))


def _span(found: Found, values: Mapping[str, Any], action: str) -> Span:
    plate = api.source(found.node, 0).frameRange()
    first, last = api.project_range()
    return span(values, action, FrameRange(int(plate.first()), int(plate.last())), FrameRange(first, last), api.frame())
