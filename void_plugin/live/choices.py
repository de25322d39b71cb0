"""What the user wants: the options of an action, and what the note on a clip's marker says otherwise.

A panel will take the place of this module; nothing else knows where choices come from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from void_plugin.editorial.notes import Note, parse
from void_plugin.errors import HostError
from void_plugin.live.timelinefacts import LiveShot

PICKS = ("auto", "selected", "playhead", "markers", "all")
PLATES = ("auto", "files", "render")
HANDLES, CONTEXT = 8, 48
"""Frames delivered beyond the cut, and frames around those that are looked at, where nothing else is said."""


@dataclass(frozen=True)
class Choices:
    """The options of an action on a timeline; all have a default."""

    pick: str = "auto"
    """`auto` takes the selected clips, else the one at the playhead, else those with a marker VOID."""
    names: tuple[str, ...] = ()
    """Only clips of these names; empty takes all that are picked."""
    plate: str = "auto"
    """`files` never lets the editor render, `render` always does."""
    preset: str = "VOID Plate"
    """Render preset that is loaded where the editor has it."""
    matte: str = ""
    """Files of the object matte; `{shot}` stands for the name of the clip."""
    matte_root: str = ""
    """Folder of mattes by clip."""
    output: str = ""
    """Folder of all results; empty is `VOID` beside the media."""
    engine: str = "auto"
    prompt: str = ""
    colour: str = ""
    """Colour space of the plate; empty is what the project says."""
    handles: int = HANDLES
    context: int = CONTEXT
    """-1 looks at all of the media."""
    priority: int = 50
    settings: Mapping[str, Any] = field(default_factory=dict)
    """RenderSettings that differ from their defaults."""
    server: str = ""
    farm: str = ""
    """The farm that does the jobs; `default` is the site's own, empty the server."""
    panel: bool = False
    """Show the clips in a panel before they are sent, where it can be shown."""
    dry_run: bool = False
    """Say what would be done, and do nothing."""
    wait: bool = True
    """Stay until the jobs have ended; without, jobs on a server are left there."""
    place: bool = False
    """Place results as soon as they are there, also while the user works."""
    retry: bool = False
    """Go on with jobs that have failed, with what they have already exported."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Read options. Raises HostError for one that is unknown or of the wrong kind."""
        known = {item.name: item for item in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in options.items():
            if key not in known:
                raise HostError(f"There is no option {key!r}; there are {', '.join(known)}.", "host.call")
            if key == "names" and isinstance(value, list) and all(isinstance(name, str) for name in value):
                value = tuple(value)
            elif key == "names" or not isinstance(value, _KINDS.get(key, str)) or _is_flag(value, key):
                raise HostError(f"The option {key} cannot be {value!r}.", "host.call")
            values[key] = value
        choices = cls(**values)
        for key, allowed in (("pick", PICKS), ("plate", PLATES)):
            if getattr(choices, key) not in allowed:
                raise HostError(f"The option {key} is {getattr(choices, key)!r}; it can be {', '.join(allowed)}.")
        if choices.handles < 0 or choices.context < -1:
            raise HostError("Handles and context cannot be negative.", "host.call")
        return choices

    def takes(self, shot: LiveShot) -> bool:
        """True where a clip is among the names that are wanted."""
        return not self.names or shot.clip in self.names or shot.name in self.names

    def note(self, shot: LiveShot) -> Note:
        """What is wanted of one clip: its note, and what that leaves open. Raises RequestError for a bad note."""
        said = parse(shot.note)
        matte = (("object_matte", self.matte.replace("{shot}", shot.name)),) if self.matte else ()
        return said.over(Note(self.prompt, self.engine, self.colour, "", self.handles, matte))


_KINDS: Mapping[str, type] = {
    **dict.fromkeys(("handles", "context", "priority"), int),
    **dict.fromkeys(("dry_run", "panel", "place", "retry", "wait"), bool),
    "settings": dict,
}


def _is_flag(value: object, key: str) -> bool:
    """True for true and false where a number is due."""
    return isinstance(value, bool) and _KINDS.get(key) is int
