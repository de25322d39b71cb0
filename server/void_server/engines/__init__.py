"""What an engine is: it looks at the frames of a shot and yields a fill for each.

Engines never read files, never feather, never decode colour and never write: `plan` gives them a view of the
frames, `compose` takes their fills. They are named in a short table, or as `module:Class` in the machine's
own configuration; a name that arrives in a request is only ever looked up.
"""

from __future__ import annotations

import pkgutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from void_plugin.config import Config
from void_plugin.errors import JobError, RequestError
from void_plugin.settings import RenderSettings
from void_server.pixelmath import NumpyMath, PixelMath
from void_server.tiles import Box
from void_server.windows import ClipLengths

T = TypeVar("T")
Picture = NDArray[np.float32]
"""(height, width, 3) RGB."""
Mask = NDArray[np.bool_]
"""(height, width)."""

Tell = Callable[[float, str], None]
"""Told a fraction in 0..1 of the present call and a short text."""
IsCancelled = Callable[[], bool]
Warn = Callable[[str, int | None, str], None]
"""Called with a code, a frame or None, and a sentence."""
Arrays = Mapping[str, NDArray[Any]]


class Progress(Protocol):
    """Told how far a unit is; also where only `Tell` is asked for."""

    def __call__(self, fraction: float, text: str, /, *, window: int = 0, pass_number: int = 0) -> None:
        """Tell a fraction in 0..1, a short text and, where there are any, window and pass, both from 1."""


ASSUMED_FPS = 24.0
"""Frames a second of a shot where neither the request nor the plate says."""
REMOVE, OVERLAP, AFFECTED, KEEP = 0, 63, 127, 255
"""The four values of a quadmask: remove, remove inside affected, affected only, untouched."""


@dataclass(frozen=True)
class EngineLimits:
    """What an engine needs and can do; `plan` prepares its frames accordingly."""

    raster: tuple[int, int] | None = None
    """(height, width) it works at; None means plate pixels."""
    lengths: ClipLengths | None = None
    """Legal clip lengths in frames of the shot; None takes any."""
    encoding: Literal["linear", "encoded"] = "linear"
    """`linear`: scene-linear light, unbounded. `encoded`: the shot's chosen curve, 0..1."""
    snaps_grid: bool = False
    """True where affected pixels are snapped to VOID's 8-cell grid."""
    needs_prompt: bool = False
    devices: tuple[str, ...] = ("cpu",)
    overlap: int = 0
    """Frames that a unit shares with the one whose result it continues; 0 where units are independent."""
    stride: int = 1
    """From one frame that it looks at to the next, from the shot's first; units end and leads begin on one."""
    generates: bool = False
    """True where a fill is invented as a whole, so that its coverage says nothing."""


@dataclass(frozen=True)
class Readiness:
    """Whether an engine can run on this machine as it is now."""

    problem: str | None = None
    """A sentence that says why it cannot; None where it can."""
    memory: str = ""
    """How it would use the memory of its device, for example `swap`."""


@dataclass(frozen=True)
class Unit:
    """One solve: a run of frames (segment) on one ROI. Its key names everything that decides its pixels."""

    index: int
    key: str
    frames: tuple[int, ...]
    """Frame numbers to deliver, in order."""
    roi: Box
    """Plate pixels the unit works on, in the coordinates of `Frames`."""
    engine: str = ""
    """Name of the engine that solves it."""
    lead: tuple[int, ...] = ()
    """Frames before the first that the unit looks at and another delivers."""
    follows: str = ""
    """Key of the unit whose result this one continues; empty where nothing is to be removed in the lead."""


@dataclass(frozen=True)
class Fill:
    """What an engine puts in place of the object in one frame."""

    frame: int
    box: Box
    """Where `pixels` lie, in the coordinates of `Frames`."""
    pixels: Picture
    """In the engine's encoding; finite. Only pixels that the labels ask for are ever used."""
    confidence: NDArray[np.float32]
    """(height, width), 0..1: the share that came from real pixels of other frames."""
    facts: Mapping[str, float]
    """Numbers about this frame for result.json, such as sources used or the ring error."""
    scale: int = 1
    """Samples of `pixels` and `confidence` to a pixel of `box`, along each side: a picture finer than was shown."""


class Frames(ABC):
    """The frames of a shot as an engine sees them, in picture coordinates: (0, 0) is the top left pixel.

    Every box lies inside (0, 0, width, height). Arrays are the caller's to read, not to change.
    Safe to call from several threads.
    """

    numbers: Sequence[int]
    """Frame numbers of the whole shot range, in order."""
    size: tuple[int, int]
    """(height, width) of every picture."""
    enlargement: float
    """Plate pixels to a pixel of the picture along a side, where they are fewest; 1 where it is the plate."""
    analysis: Mapping[str, NDArray[Any]]
    """What the engine's own `analyse` returned for this shot."""

    @abstractmethod
    def plate(self, frame: int, box: Box) -> Picture:
        """Pixels in the engine's encoding; NaN and Inf are replaced, nothing else is clipped in linear."""

    @abstractmethod
    def labels(self, frame: int, box: Box) -> NDArray[np.uint8]:
        """The quadmask, (height, width), values 0, 63, 127, 255. Every pixel that can be written is 0, 63 or 127."""

    @abstractmethod
    def usable(self, frame: int, box: Box) -> Mask:
        """True where a pixel shows real background and may be sampled: label 255, under no holdout or exclude
        matte, inside the frame's data window, finite in the file."""

    @abstractmethod
    def hole(self, frame: int) -> Box | None:
        """The smallest box around the pixels to fill, or None where this frame has none."""

    @abstractmethod
    def reduced(self, frame: int, factor: int) -> tuple[Picture, Mask]:
        """The whole picture scaled down by an integer factor (area mean of finite pixels), and where every pixel
        of the block is usable. Both are (ceil(height / factor), ceil(width / factor)); the last row and column
        may average fewer pixels. Block (i, j) covers pixels from (factor * i, factor * j)."""

    @abstractmethod
    def clean_plate(self, frame: int, box: Box) -> Picture | None:
        """The artist's own clean pixels of this frame, or None where there is no such frame."""

    @abstractmethod
    def enlarged(self, factor: int) -> Frames:
        """The same view with `factor` times the pixels along each side. Raises ValueError beyond `enlargement`."""


class Shelf(ABC):
    """Where arrays of a unit's solve outlive a kill, and where units hand on what the next continues."""

    @abstractmethod
    def checkpoint(self) -> Arrays | None:
        """What was saved last of a solve that did not come to its end; None where there is nothing."""

    @abstractmethod
    def save_checkpoint(self, arrays: Arrays) -> None:
        """Keep arrays until the unit is solved, in place of those before."""

    @abstractmethod
    def left_before(self) -> Arrays:
        """What the unit that this one follows has left."""

    @abstractmethod
    def leave(self, arrays: Arrays) -> None:
        """Keep arrays for the unit that follows."""


class Kept:
    """What a process keeps between jobs, such as loaded weights. Safe to use from several threads."""

    def __init__(self) -> None:
        self._things: dict[str, Any] = {}
        self._lock = threading.Lock()

    def get(self, name: str, make: Callable[[], T]) -> T:
        """The thing of a name, made the first time."""
        with self._lock:
            if name not in self._things:
                self._things[name] = make()
            return cast("T", self._things[name])


def unheard(code: str, frame: int | None, text: str) -> None:
    """Hears a warning that nobody asked for."""


@dataclass(frozen=True)
class Setup:
    """What an engine is made from. Making one is cheap: weights are loaded when it first works."""

    settings: RenderSettings
    prompt: str = ""
    workers: int = 1
    machine: Config = field(default_factory=Config)
    kept: Kept = field(default_factory=Kept)
    warn: Warn = unheard
    invents: bool = True
    """False leaves what no frame shows to another engine."""


class Engine(ABC):
    """One way of filling; made per job by `open_engine` and used from several threads at once."""

    name: str

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.settings = setup.settings

    @abstractmethod
    def limits(self) -> EngineLimits:
        """What this engine needs with these settings; the same on every machine."""

    def readiness(self) -> Readiness:
        """Whether this engine can run on this machine; may take seconds."""
        return Readiness()

    def digest(self) -> str:
        """Names the version of the engine's results (and its weights); part of every unit's key."""
        return "1"

    def fills(self) -> tuple[int, ...]:
        """Labels whose pixels this engine replaces."""
        return (REMOVE, OVERLAP, AFFECTED)

    def advice(self) -> Iterator[tuple[str, str]]:
        """Codes and sentences that the user should read before this request runs."""
        yield from ()

    def maths(self) -> PixelMath:
        """What the pictures of this engine are stitched with on this machine.

        The same on all machines but for the last bits of a float.
        """
        return NumpyMath()

    def analyse(self, frames: Frames, progress: Tell, cancelled: IsCancelled) -> dict[str, NDArray[Any]]:
        """Estimate once a shot whatever every unit must agree on; the arrays come back as `Frames.analysis`."""
        return {}

    @abstractmethod
    def solve(
        self, unit: Unit, frames: Frames, progress: Progress, cancelled: IsCancelled, shelf: Shelf
    ) -> Iterator[Fill]:
        """Yield a fill for each frame of the unit that has a hole, in order.

        Depends only on the unit, the frames, the analysis, the settings and what the unit before has left: not on
        other units, threads or time. Raises `void_plugin.errors.Cancelled` soon after `cancelled()` turns true.
        """


ENGINES: Mapping[str, str] = {
    "void": "void_server.engines.void:VoidEngine",
    "recover": "void_server.engines.recover:RecoverEngine",
    "identity": "void_server.engines.identity:IdentityEngine",
    "identity-raster": "void_server.engines.identity:RasterIdentityEngine",
}


def engine_class(name: str, more: Mapping[str, str] | None = None) -> type[Engine]:
    """The class of a configured engine.

    Raises RequestError for a name that is not configured and JobError where its part is not installed.
    """
    table = {**ENGINES, **(more or {})}
    if name not in table:
        have = ", ".join(sorted(table))
        raise RequestError(f"There is no engine {name!r}; this server has {have}.", "request.engine")
    try:
        found = pkgutil.resolve_name(table[name])
    except ModuleNotFoundError as error:
        raise JobError(
            f"The engine {name} is not part of this installation (no module {error.name}).",
            "job.engine_unavailable",
        ) from error
    return cast("type[Engine]", found)


def readiness(name: str, machine: Config, settings: RenderSettings | None = None) -> Readiness:
    """Whether an engine can run on this machine, with these settings or the defaults."""
    try:
        return open_engine(name, Setup(settings or RenderSettings(), machine=machine)).readiness()
    except JobError as error:
        return Readiness(error.message)


def choose_engine(name: str, machine: Config, settings: RenderSettings | None = None) -> tuple[str, str]:
    """The engine that really runs for a request, and why where the request said `auto`.

    Raises JobError where the engine asked for cannot run here.
    """
    if settings is not None and settings.source == "recovered" and name in ("auto", "void"):
        return "recover", "Only real pixels were asked for."
    if name != "auto":
        problem = readiness(name, machine, settings).problem
        if problem is not None:
            raise JobError(f"{problem} The engine recover always can.", "job.engine_unavailable")
        return name, ""
    problem = readiness("void", machine, settings).problem
    if problem is None:
        return "void", "A GPU and the VOID weights are here."
    return "recover", f"VOID cannot run here. {problem}"


def open_engine(name: str, setup: Setup) -> Engine:
    """An engine ready to analyse and solve."""
    return engine_class(name, setup.machine.engines)(setup)


@dataclass(frozen=True)
class Engines:
    """Who fills a shot: the engine asked for and, beside one that generates, one that finds real pixels."""

    main: Engine
    real: Engine | None = None

    def __iter__(self) -> Iterator[Engine]:
        """The real one first: what it finds decides what is left to the other."""
        yield from (self.main,) if self.real is None else (self.real, self.main)

    def named(self, name: str) -> Engine:
        """The one of a name."""
        return next(engine for engine in self if engine.name == name)


def open_engines(name: str, setup: Setup) -> Engines:
    """The engines of a request, ready to analyse and solve.

    Real pixels are averaged over frames, as they get the grain of the shot like everything else that is new.
    """
    main = open_engine(name, setup)
    if setup.settings.source != "hybrid" or not main.limits().generates:
        return Engines(main)
    settings = replace(setup.settings, recover_affected="keep", recover_grain="clean")
    return Engines(main, open_engine("recover", replace(setup, settings=settings, invents=False)))
