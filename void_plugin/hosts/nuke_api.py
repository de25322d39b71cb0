"""The only module that imports `nuke`: each call that the rest needs, with exact types.

Nuke 17.1 checks types strictly: integers for frames, lists of text for views, tuples where tuples are due.
"""

from typing import Any, Callable, List, Optional, Sequence, Tuple, cast

import nuke
from void_plugin.errors import Cancelled, HostError

Node = nuke.Node
Group = nuke.Group
Knob = nuke.Knob
Undo = nuke.Undo

CANCELLED = "Cancelled"
"""How the RuntimeError begins that Nuke raises where the artist stops a render."""


# -- Nuke itself -----------------------------------------------------------------------------------------------


def has_gui() -> bool:
    """True with Nuke's own windows; False under -t and -x."""
    return bool(nuke.GUI)


def name_and_version() -> str:
    """Such as `nuke 15.1v2`."""
    return "nuke {}".format(nuke.NUKE_VERSION_STRING)


def post(function: Callable[..., None], *arguments: Any) -> None:
    """Run a function on the main thread soon; safe from any thread, and never waits."""
    surely(lambda: nuke.executeInMainThread(function, arguments))  # what is lost here would be waited for for ever


def message(text: str) -> None:
    """A box with a sentence, until it is closed."""
    nuke.message(text)


def ask(text: str) -> bool:
    """A box with a question; True for yes."""
    return bool(nuke.ask(text))


def say(text: str) -> None:
    """A line on the terminal."""
    nuke.tprint(text)


# -- the script ------------------------------------------------------------------------------------------------


def root() -> nuke.Root:
    """The Group around everything, which is also the script's own settings."""
    return nuke.root()


def go_to(number: int) -> None:
    """Make a frame the current one."""
    nuke.frame(int(number))


def script() -> str:
    """Path of the script with forward slashes; empty before it is saved."""
    return str(knob(nuke.root(), "name").value() or "").replace("\\", "/")


def open_script(path: str) -> None:
    """Open a script in place of the present one. Raises HostError where Nuke cannot."""
    try:
        nuke.scriptOpen(path)
    except RuntimeError as error:
        raise HostError("Nuke cannot open {}: {}".format(path, error)) from error


def save(path: str) -> None:
    """Save the script under its path. Raises HostError where Nuke cannot."""
    try:
        nuke.scriptSave(path)
    except RuntimeError as error:
        raise HostError("Nuke cannot save {}: {}".format(path, error)) from error


def project_range() -> Tuple[int, int]:
    """First and last frame of the project."""
    root = nuke.root()
    return int(root.firstFrame()), int(root.lastFrame())


def project_fps() -> float:
    """Frames a second of the project."""
    return float(knob(nuke.root(), "fps").value())


def colour_facts() -> Tuple[str, str]:
    """The working space and the OCIO config of the project, by the names that Nuke shows; empty where unknown."""
    root = nuke.root()
    found = []
    for name in ("workingSpaceLUT", "OCIO_config"):
        item = root.knob(name)
        found.append(str(item.value()) if item is not None else "")
    return found[0], found[1]


def manages_colour_itself() -> bool:
    """True where the project uses Nuke's own colour management rather than OCIO."""
    item = nuke.root().knob("colorManagement")
    return item is not None and str(item.value()) == "Nuke"


def project_views() -> List[str]:
    """Names of the views of the project."""
    return [str(name) for name in nuke.views()]


def frame() -> int:
    """The current frame."""
    return int(nuke.frame())


# -- nodes -----------------------------------------------------------------------------------------------------


def knob(node: Node, name: str) -> Knob:
    """A knob that must be there. Raises HostError where it is not."""
    found = node.knob(name)
    if found is None:
        raise HostError(
            "The node {} has no knob {}; make a new VoidRemove and copy its settings.".format(node.name(), name)
        )
    return found


def put(node: Node, name: str, value: Any) -> None:
    """Set a knob that must be there. Raises HostError where it is not."""
    knob(node, name).setValue(value)


def source(node: Node, index: int) -> Node:
    """What is connected to an input. Raises HostError where nothing is."""
    found = node.input(index)
    if found is None:
        raise HostError("Nothing is connected to input {} of {}.".format(index, node.name()))
    return found


def this_node() -> Node:
    """The node whose button or callback runs."""
    return nuke.thisNode()


def this_knob() -> str:
    """Name of the knob whose change runs a callback."""
    return str(nuke.thisKnob().name())


def find(full_name: str) -> Optional[Node]:
    """The node of this name, with the Groups around it."""
    return nuke.toNode(full_name)


def all_groups() -> List[Node]:
    """Every Group of the script, also inside Groups."""
    return list(nuke.allNodes("Group", group=nuke.root(), recurseGroups=True))


def selected() -> List[Node]:
    """Selected nodes of the group in view, the one selected last first."""
    return list(nuke.selectedNodes())


def make(kind: str, **knobs: Any) -> Node:
    """A new node of a class in the current group; the selection stays."""
    return cast(Node, getattr(nuke.nodes, kind)(**knobs))


def make_selected(kind: str) -> Node:
    """A new node of a class as the menu makes it: placed below the selection, and selected."""
    return nuke.createNode(kind, "", False)


def delete(node: Node) -> None:
    """Take a node away."""
    nuke.delete(node)


def group_of(node: Node) -> Group:
    """A node that is a Group, as one."""
    return cast(Group, node)


def inner(node: Node, name: str) -> Node:
    """A node inside a Group that must be there. Raises HostError where it is not."""
    found = group_of(node).node(name)
    if found is None:
        raise HostError(
            "{} has lost its inner node {}; make a new VoidRemove and copy its settings.".format(node.name(), name)
        )
    return found


def make_knob(kind: str, *arguments: Any) -> Knob:
    """A new knob of a class such as `Int_Knob`."""
    return cast(Knob, getattr(nuke, kind)(*arguments))


def flag(name: str) -> int:
    """Value of a knob flag such as `STARTLINE`."""
    return int(getattr(nuke, name))


# -- whatever fails ------------------------------------------------------------------------------------------


def surely(*steps: Callable[[], Any]) -> None:
    """Run every step, each once more where it fails, and raise the first failure after all have been tried.

    For putting things back: one call that fails must not leave the rest undone.
    """
    failure: Optional[Exception] = None
    for step in steps:
        try:
            step()
        except Exception:  # whatever it was, the second try decides
            try:
                step()
            except Exception as error:
                failure = failure or error
    if failure is not None:
        raise failure


# -- rendering -------------------------------------------------------------------------------------------------


def render(writes: Sequence[Node], first: int, last: int, views: Sequence[str]) -> None:
    """Render Write nodes together on the main thread, under Nuke's own progress bar.

    Raises Cancelled where the artist stops it, HostError with Nuke's own words where it fails.
    """
    try:
        nuke.executeMultiple(tuple(writes), ([first, last, 1],), list(views), continueOnError=False)
    except Exception as error:
        if str(error).startswith(CANCELLED) or type(error).__name__ == "CancelledError":
            raise Cancelled from error
        if not isinstance(error, RuntimeError):
            raise
        raise HostError(
            "Nuke could not render the inputs of frames {}-{}: {}".format(
                first, last, str(error).strip() or "no reason"
            )
        ) from error


# -- being called ----------------------------------------------------------------------------------------------


def on_load(function: Callable[[], None]) -> None:
    """Call a function whenever a script has been opened."""
    nuke.addOnScriptLoad(function)


def on_autolabel(function: Callable[[], Optional[str]]) -> None:
    """Ask a function for the label of every Group; None leaves it to Nuke."""
    nuke.addAutolabel(function, nodeClass="Group")


def on_update(function: Callable[[], None]) -> None:
    """Call a function whenever a Group has to be redrawn after a change."""
    nuke.addUpdateUI(function, nodeClass="Group")


def add_commands(menu: str, name: str, commands: Sequence[Tuple[str, str]]) -> None:
    """Add a submenu to one of Nuke's menus; each command is a name and the Python it runs."""
    below = nuke.menu(menu).addMenu(name)
    for label, code in commands:
        below.addCommand(label, code)


def progress(title: str) -> Any:
    """A progress bar of Nuke's that is there as long as it is held."""
    return nuke.ProgressTask(title)
