"""What the window and the decoder say to each other: one JSON object a line; pixels lie in a shared file.

The window sends `Show`, `Probe` and `DROP`; the decoder answers each ticket once: with `Shown`, `Probed`, `Failed`, or
as one of those in `Dropped`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

DROP = {"say": "drop"}
"""Forget everything that was asked and not begun."""


@dataclass(frozen=True)
class Look:
    """How scene colour is shown."""

    exposure: float = 0.0
    """Stops."""
    gamma: float = 1.0
    """Of the display value; above 1 lifts the mid-tones."""
    view: str = ""
    """A view of the configuration's default display; empty takes the default one."""
    colour: str = ""
    """Colour space of the plate; empty reads the file's tag, and takes `scene_linear` where there is none."""


@dataclass(frozen=True)
class Wish:
    """One frame as a picture of at most `size` (height, width); equal ones give equal pictures while the files stay."""

    pattern: str
    frame: int
    size: tuple[int, int]
    role: str = "colour"
    """`colour` goes through the display transform, `data` is grey 0..1, `plain` as it is (8-bit pictures), `difference`
    of two sequences, `merged` a patch over its plate, then as colour."""
    other: str = ""
    """Pattern of the second sequence: what is compared with, or the plate below a patch."""
    channels: tuple[str, ...] = ()
    """Exact names; empty takes R, G, B, or of `data` alpha and else the first."""
    look: Look = field(default_factory=Look)
    region: tuple[int, int, int, int] | None = None
    """x0, y0, x1, y1 of the display window that is seen, y down, ends excluded; None shows all of it."""
    draft: bool = False
    """Takes every n-th pixel and averages none: for playback and while a slider moves."""


@dataclass(frozen=True)
class Show:
    """Make a picture; `slot` is the part of the shared file that takes its pixels."""

    ticket: int
    slot: int
    wish: Wish


@dataclass(frozen=True)
class Probe:
    """The values of one pixel as they stand in the file."""

    ticket: int
    pattern: str
    frame: int
    x: int
    """Pixel of the display window, y down."""
    y: int
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """A picture: `height` x `width` pixels of RGBA, 8 bits each, at the beginning of a slot."""

    ticket: int
    slot: int
    height: int
    width: int
    full: tuple[int, int] = (0, 0)
    """(height, width) of the display window."""
    pixel_aspect: float = 1.0
    missing: bool = False
    """True where there is no such file; then nothing was written."""


@dataclass(frozen=True)
class Probed:
    """Values by channel name; empty where the pixel has none."""

    ticket: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Failed:
    """Why a ticket has no answer, as a sentence."""

    ticket: int
    text: str


@dataclass(frozen=True)
class Dropped:
    """Tickets that were forgotten before their turn."""

    tickets: tuple[int, ...]


@dataclass(frozen=True)
class Views:
    """Said once at the start: the views of the display, the default one first."""

    names: tuple[str, ...]


Ask = Show | Probe
Answer = Shown | Probed | Failed | Dropped | Views
_KINDS: dict[str, type[Any]] = {
    kind.__name__.lower(): kind for kind in (Show, Probe, Shown, Probed, Failed, Dropped, Views)
}


def to_message(value: Ask | Answer) -> dict[str, Any]:
    """A value as plain JSON."""
    return {"say": type(value).__name__.lower(), **asdict(value)}


def from_message(message: Mapping[str, Any]) -> Any:
    """The value behind plain JSON. Raises KeyError or TypeError where it is none of ours."""
    kind = _KINDS[str(message["say"])]
    values = _tuples(message, "say")
    if kind is Show:
        wish = _tuples(message["wish"], "look")
        values["wish"] = Wish(**wish, look=Look(**message["wish"]["look"]))
    return kind(**values)


def _tuples(message: Mapping[str, Any], left_out: str) -> dict[str, Any]:
    """The values of a message but one; JSON knows lists only."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in message.items() if name != left_out
    }
