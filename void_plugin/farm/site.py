"""What a site says about its farm: one TOML file, read on the machine that submits and nowhere else.

    [farm]
    default = "slurm"
    command = ["void-server"]
    shared_roots = ["/shows"]

    [farm.slurm]
    partition = "gpu"

What stands in a table of its own belongs to the backend of that name, which checks it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath
from typing import Any

from void_plugin import config
from void_plugin.errors import FarmError


@dataclass(frozen=True)
class Rates:
    """Seconds that work takes on the site's GPUs; measured by the site, else what we state."""

    load: float = 60.0
    """Loading the model."""
    step: float = 0.5
    """One denoising step over one window of 85 frames at 672x384, without guidance, with its share of encoding and
    decoding: an H200 takes 15.2 s for 30 steps (benchmarks/gpu_void.py)."""
    recover_frame: float = 2.0
    """Finding real pixels for one frame."""
    compose_frame: float = 2.0
    """Composing one frame."""


@dataclass(frozen=True)
class PathMapping:
    """A folder that workers know by another name."""

    here: str
    there: str


@dataclass(frozen=True)
class Site:
    """One site's farm; none of it changes pixels."""

    path: str = ""
    """The file this was read from; empty for the defaults."""
    default: str = "local"
    """Farm that `void submit` uses where none is named."""
    engine: str = ""
    """What `auto` in a request means on this farm: `void` or `recover`; empty takes what this machine can run."""
    memory: str = "auto"
    """How workers use the memory of a GPU: `auto`, `full`, `swap`, `offload` or `fp8`."""
    command: tuple[str, ...] = ()
    """How a worker starts void-server; none takes it from the worker's PATH, and on this machine what is configured."""
    openjd: tuple[str, ...] = ("openjd",)
    """How a worker starts the openjd command, where the queue manager does not speak OpenJD itself."""
    conda_packages: str = "void-server"
    rez_packages: str = "void_server"
    """What queue environments install before a job runs."""
    shared_roots: tuple[str, ...] = ()
    """Folders that workers see; others are warned about. None means that nothing is known."""
    path_mapping: tuple[PathMapping, ...] = ()
    gpu_memory_mib: int = 0
    """Memory of the largest GPU that there is; 0 means that nothing is known."""
    units_per_task: int = 0
    """Units in one task; 0 takes what makes a task five model loads long where the model is not kept warm."""
    frames_per_task: int = 24
    """Frames that one task composes."""
    rates: Rates = Rates()
    rates_measured: bool = False
    """True where the site has given rates of its own."""
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The tables of the backends, as they stand in the file."""

    def section(self, farm: str, known: Sequence[str]) -> Mapping[str, Any]:
        """The table of one backend. Raises FarmError where it has a key that is not among the known ones."""
        table = self.sections.get(farm, {})
        for key in table:
            if key not in known:
                raise FarmError(
                    f"The site file {self.path} has the unknown key {key!r} in [farm.{farm}]; known are "
                    f"{', '.join(known)}.",
                    "farm.site",
                )
        return table

    def there(self, path: str) -> str:
        """A path as workers know it; of several folders that hold it the deepest decides, as in OpenJD."""
        for mapping in sorted(self.path_mapping, key=lambda each: -len(PurePosixPath(each.here).parts)):
            if PurePosixPath(path).is_relative_to(mapping.here):
                return str(PurePosixPath(mapping.there) / PurePosixPath(path).relative_to(mapping.here))
        return path


_LISTS = ("command", "openjd", "shared_roots")
_COUNTS = ("gpu_memory_mib", "units_per_task", "frames_per_task")
_CHOICES = {"memory": config.CHOICES["memory"], "engine": ("", "void", "recover")}
_INSIDE = ("path", "rates_measured", "sections")


def load_site(path: str) -> Site:
    """Read a site file; no path gives the defaults. Raises FarmError naming what cannot be used."""
    if not path:
        return Site()
    try:
        with open(path, "rb") as stream:
            data = tomllib.load(stream)
    except OSError as error:
        raise FarmError(f"The site file {path} cannot be read: {error.strerror or error}.", "farm.site") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FarmError(f"The site file {path} is not TOML ({error}).", "farm.site") from error
    table = data.get("farm", {})
    if not isinstance(table, dict):
        raise FarmError(f"The site file {path} must hold a table [farm].", "farm.site")
    known = [item.name for item in fields(Site) if item.name not in _INSIDE]
    values: dict[str, Any] = {"path": path, "rates_measured": "rates" in table}
    sections: dict[str, Mapping[str, Any]] = {}
    for key, value in table.items():
        if key in known:
            values[key] = _value(path, key, value)
        elif isinstance(value, dict):
            sections[key] = value
        else:
            raise FarmError(
                f"The site file {path} has the unknown key {key!r} in [farm]; known are {', '.join(known)}, and a "
                "table for each backend.",
                "farm.site",
            )
    return Site(**values, sections=sections)


def _value(path: str, key: str, value: Any) -> Any:
    if key in _LISTS:
        if isinstance(value, list) and value and all(isinstance(part, str) and part for part in value):
            return tuple(value)
    elif key in _COUNTS:
        if type(value) is int and value >= (key == "frames_per_task"):
            return value
    elif key == "rates":
        return _rates(path, value)
    elif key == "path_mapping":
        if isinstance(value, list) and all(_is_mapping(item) for item in value):
            return tuple(PathMapping(item["here"], item["there"]) for item in value)
    elif key in _CHOICES:
        if value in _CHOICES[key]:
            return value
    elif isinstance(value, str):
        return value
    raise FarmError(f"The site file {path} has the unusable value {value!r} for {key} in [farm].", "farm.site")


def _is_mapping(item: Any) -> bool:
    return isinstance(item, dict) and set(item) == {"here", "there"} and all(isinstance(x, str) for x in item.values())


def _rates(path: str, value: Any) -> Rates:
    known = [item.name for item in fields(Rates)]
    if not isinstance(value, dict) or not all(
        key in known and type(seconds) in (int, float) and seconds > 0 for key, seconds in value.items()
    ):
        raise FarmError(
            f"The site file {path} needs seconds above 0 in [farm.rates], by the names {', '.join(known)}.", "farm.site"
        )
    return Rates(**{key: float(seconds) for key, seconds in value.items()})
