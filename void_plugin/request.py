"""The removal request: one JSON file from which every part of the tool starts.

A request names the plate, the mattes and the outputs by file patterns, says which frames are asked for, and
holds the settings. Unknown keys and newer schemas are errors that name the key, so that a typing mistake
never renders silently with a default.
"""

import json
import os
import re
import uuid
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar

from void_plugin.errors import RequestError
from void_plugin.frames import Digest, FrameRange, ImageSequence
from void_plugin.settings import RenderSettings

SCHEMA = 1
"""Version of request.json that this package writes and the newest it reads."""

OUTPUT_KINDS = ("patch", "comp")
RESULT_ENDING, PREVIEW_ENDINGS = ".exr", (".exr", ".png")
"""How the files of a result end, and those of a preview, whose output is of the kind comp."""
INPUTS = ("plate", "object_matte", "affected_matte", "holdout_matte", "exclude_matte", "quadmask", "clean_plate")
"""Names of the inputs, in the order in which they are read and reported."""

_ROOT = re.compile(r"^<([A-Za-z0-9_]+)>[/\\]?")
T = TypeVar("T")


@dataclass(frozen=True)
class ImageInput:
    """One image sequence and, where the default is not wanted, which of its channels to use."""

    pattern: str
    """File pattern with a `%04d` token; may begin with `<root>/` for a root named in the request."""
    channels: Tuple[str, ...] = ()
    """Exact channel names, or one layer name; empty takes R,G,B of a plate and the best guess of a matte."""


@dataclass(frozen=True)
class Output:
    """Where results go and of which kind: `patch` (only what changed) or `comp` (the whole frame)."""

    kind: str
    pattern: str


@dataclass(frozen=True)
class RemovalRequest:
    """What to remove from which frames, and where to put the result."""

    plate: ImageInput
    object_matte: Optional[ImageInput] = None
    outputs: Tuple[Output, ...] = ()
    affected_matte: Optional[ImageInput] = None
    holdout_matte: Optional[ImageInput] = None
    """What stands in front and is never written."""
    exclude_matte: Optional[ImageInput] = None
    """What is never sampled from."""
    quadmask: Optional[ImageInput] = None
    """A ready quadmask (0, 63, 127, 255 as 0..1 or 0..255 values) in place of the object and affected mattes."""
    clean_plate: Optional[ImageInput] = None
    """An artist's own fill, for any of the frames; used as a source before anything is invented."""
    shot: str = ""
    frames: Optional[FrameRange] = None
    """Frames asked for; None means the whole shot range."""
    shot_range: Optional[FrameRange] = None
    """Frames that feed every estimate; None means the contiguous range of the plate on disk."""
    handles: int = 0
    context: int = 0
    """Frames around `frames` that the engine may look at when no shot range is given; 0 means all on disk."""
    view: str = ""
    colour: str = ""
    """Colour space of the plate; empty reads it from the files."""
    prompt: str = ""
    engine: str = "auto"
    settings: RenderSettings = field(default_factory=RenderSettings)
    priority: int = 50
    roots: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    schema: int = SCHEMA

    # -- reading and writing -------------------------------------------------------------------------------

    @classmethod
    def from_json(cls, text: str, path: str = "request.json") -> "RemovalRequest":
        """Read a request; `path` is only named in errors."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise RequestError("{} is not valid JSON ({}).".format(path, error), "request.schema") from error
        if not isinstance(data, dict):
            raise RequestError("{} must hold one JSON object.".format(path), "request.schema")
        schema = data.get("schema", 0)
        if not isinstance(schema, int) or schema > SCHEMA or schema < 1:
            raise RequestError(
                "{} has request schema {!r}, but this version reads schema {}; update void_plugin on this "
                "machine.".format(path, schema, SCHEMA),
                "request.schema",
            )
        request = _build(cls, data, path, "")
        request.check()
        return request

    @classmethod
    def load(cls, path: str) -> "RemovalRequest":
        """Read a request file."""
        try:
            with open(path, encoding="utf-8") as stream:
                text = stream.read()
        except OSError as error:
            raise RequestError("Cannot read the request {}: {}.".format(path, error.strerror or error)) from error
        except UnicodeDecodeError as error:
            raise RequestError("The request {} is not UTF-8 text.".format(path), "request.schema") from error
        return cls.from_json(text, path)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, two spaces, a final newline."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def to_dict(self) -> Dict[str, Any]:
        """Plain values as they stand in request.json; empty optional inputs are left out."""
        data = asdict(self)
        for name in ("frames", "shot_range"):
            value = getattr(self, name)
            data[name] = None if value is None else str(value)
        for name in INPUTS:
            if getattr(self, name) is None:
                del data[name]
        data["roots"] = dict(self.roots)
        return data

    # -- checking ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise RequestError for the first thing that is wrong without looking at any file."""
        if self.object_matte is None and self.quadmask is None:
            raise RequestError("The request has no object matte and no quadmask; one of them says what to remove.")
        if self.quadmask is not None and (self.object_matte is not None or self.affected_matte is not None):
            raise RequestError(
                "The request has a quadmask and also an object or affected matte; give the quadmask or the mattes."
            )
        if not self.outputs:
            raise RequestError("The request names no output; add a pattern for a patch or a comp.")
        for output in self.outputs:
            if output.kind not in OUTPUT_KINDS:
                raise RequestError("The output kind {!r} does not exist; use patch or comp.".format(output.kind))
        if self.context < 0 or self.handles < 0:
            raise RequestError("Handles and context cannot be negative.", "request.range")
        if self.frames is not None and self.shot_range is not None and not self.shot_range.holds(self.frames):
            raise RequestError(
                "Frames {} were asked for, but the shot range is {}; widen the shot range.".format(
                    self.frames, self.shot_range
                ),
                "request.range",
            )
        self.settings.check()
        self._check_patterns()

    def _check_patterns(self) -> None:
        taken = [(name, self.sequence(name).pattern) for name in INPUTS if self.input(name) is not None]
        for output in self.outputs:
            sequence = self.output_sequence(output)
            if output.kind != "comp":
                _refuse_ending(sequence.pattern)
            elif not sequence.pattern.lower().endswith(PREVIEW_ENDINGS):
                raise RequestError(
                    "The output {} is not an EXR; end the pattern with .exr, or that of a preview with .png.".format(
                        sequence.pattern
                    ),
                    "request.output",
                )
            if sequence.is_still and self.frames is not None and len(self.frames) > 1:
                raise RequestError(
                    "The output {} has no frame token, but {} frames are asked for; write it like "
                    "result.%04d.exr.".format(sequence.pattern, len(self.frames)),
                    "request.output",
                )
            for name, pattern in taken:
                if _same_files(sequence.pattern, pattern):
                    raise RequestError(
                        "The output {} would overwrite files of the {}; choose another name, inputs are never "
                        "overwritten.".format(sequence.pattern, name.replace("_", " ")),
                        "request.output",
                    )
            taken.append(("other output", sequence.pattern))

    def check_results(self) -> None:
        """Raise RequestError where an output cannot hold a result, though it can hold a preview."""
        for output in self.outputs:
            _refuse_ending(self.output_sequence(output).pattern)

    # -- what the patterns mean ----------------------------------------------------------------------------

    def resolve(self, pattern: str) -> str:
        """A pattern with its `<root>` replaced by that root's folder."""
        match = _ROOT.match(pattern)
        if match is None:
            return pattern
        root = self.roots.get(match.group(1))
        if root is None:
            raise RequestError(
                "The pattern {!r} uses the root <{}>, which the request does not define.".format(
                    pattern, match.group(1)
                ),
                "request.pattern",
            )
        return os.path.join(root, pattern[match.end() :])

    def input(self, name: str) -> Optional[ImageInput]:
        """One of the inputs by its name in `INPUTS`."""
        value: Optional[ImageInput] = getattr(self, name)
        return value

    def sequence(self, name: str) -> ImageSequence:
        """The image sequence of an input that is there."""
        value = self.input(name)
        if value is None:
            raise RequestError("The request has no {}.".format(name.replace("_", " ")))
        return ImageSequence(self.resolve(value.pattern))

    def output_sequence(self, output: Output) -> ImageSequence:
        """The image sequence an output is written to."""
        return ImageSequence(self.resolve(output.pattern))

    def rooted(self) -> "RemovalRequest":
        """The same request with every folder moved into `roots`, so that paths can be remapped on another machine."""
        roots = {name: os.path.abspath(path) for name, path in self.roots.items()}
        changes: Dict[str, Any] = {}

        def move(wanted: str, pattern: str) -> str:
            if _ROOT.match(pattern):
                return pattern
            folder = os.path.abspath(os.path.dirname(pattern) or ".")
            name = next((known for known, path in roots.items() if path == folder), wanted)
            # The user's own root of that name may lead elsewhere, and other patterns count on it.
            while roots.get(name, folder) != folder:
                name += "_"
            roots[name] = folder
            return "<{}>/{}".format(name, os.path.basename(pattern))

        for name in INPUTS:
            value = self.input(name)
            if value is not None:
                changes[name] = replace(value, pattern=move(name, value.pattern))
        changes["outputs"] = tuple(
            replace(output, pattern=move("output" if index == 0 else "output{}".format(index), output.pattern))
            for index, output in enumerate(self.outputs)
        )
        return replace(self, roots=roots, request_id=self.request_id or uuid.uuid4().hex, **changes)

    def job_folder(self) -> str:
        """`<output folder>/.void/<stem>-<digest12>`, the same for every range and run of the same shot and settings."""
        stable = self.rooted().to_dict()
        for volatile in ("request_id", "priority", "schema"):
            stable.pop(volatile)
        if self.shot_range is not None or not self.context:
            stable.pop("frames")  # with context the frames asked for decide which others are looked at
        first = self.output_sequence(self.outputs[0])
        name = re.sub(r"%0?\d*d", "", os.path.basename(first.pattern))
        stem = re.sub(r"[^A-Za-z0-9_-]+", "_", os.path.splitext(name)[0]).strip("_") or "shot"
        digest = Digest.of_text(json.dumps(stable, sort_keys=True)).sha256[:12]
        return os.path.join(os.path.abspath(first.folder), ".void", "{}-{}".format(stem, digest))


def _refuse_ending(pattern: str) -> None:
    if not pattern.lower().endswith(RESULT_ENDING):
        raise RequestError(
            "The output {} is not an EXR; end the pattern with {}.".format(pattern, RESULT_ENDING), "request.output"
        )


def _same_files(first: str, second: str) -> bool:
    """True where two patterns can name the same file."""
    left, right = _spelled(first), _spelled(second)
    if left == right:
        return True
    # A still such as plate.1001.exr is one frame of plate.%04d.exr.
    for pattern, still in ((left, right), (right, left)):
        if "%d" in pattern and re.match(re.escape(pattern).replace(re.escape("%d"), r"-?\d+") + r"\Z", still):
            return True
    return False


def _spelled(pattern: str) -> str:
    # Two spellings of one place (relative, symlinked, other case on Windows) must compare equal.
    folder = os.path.realpath(os.path.dirname(pattern) or ".")
    return os.path.normcase(os.path.join(folder, re.sub(r"%0?\d*d", "%d", os.path.basename(pattern))))


def _build(kind: Type[T], data: Mapping[str, Any], path: str, where: str) -> T:
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    for key in data:
        if key not in known:
            raise RequestError(
                "{} has the unknown key {!r}; known are {}.".format(path, where + key, ", ".join(sorted(known))),
                "request.schema",
            )
    values: Dict[str, Any] = {}
    for key, value in data.items():
        place = where + key
        if kind is RemovalRequest:
            values[key] = _request_value(key, value, path, place)
        elif key == "channels":
            values[key] = tuple(_strings(value, path, place))
        elif type(value) is int and isinstance(known[key].default, float) and abs(value) < 1 << 53:
            values[key] = float(value)  # JSON does not tell 6 from 6.0
        else:
            values[key] = value
    for name, item in known.items():
        if name not in values and item.default is MISSING and item.default_factory is MISSING:
            raise RequestError("{} lacks {!r}.".format(path, where + name), "request.schema")
    built = kind(**values)
    for item in fields(built):  # type: ignore[arg-type]
        if item.name in ("pattern", "kind") and not isinstance(getattr(built, item.name), str):
            raise RequestError("{}: {} must be text.".format(path, where + item.name), "request.schema")
    return built


def _request_value(key: str, value: Any, path: str, place: str) -> Any:
    if value is None and key in INPUTS + ("frames", "shot_range"):
        return None
    if key in INPUTS:
        return _build(ImageInput, _mapping(value, path, place), path, place + ".")
    if key in ("frames", "shot_range"):
        if not isinstance(value, str):
            raise RequestError("{}: {} must be text such as 1001-1024.".format(path, place), "request.range")
        return FrameRange.parse(value)
    if key == "settings":
        return _build(RenderSettings, _mapping(value, path, place), path, place + ".")
    if key == "outputs":
        if not isinstance(value, list):
            raise RequestError("{}: {} must be a list.".format(path, place), "request.schema")
        return tuple(
            _build(Output, _mapping(item, path, place), path, "{}[{}].".format(place, index))
            for index, item in enumerate(value)
        )
    if key == "roots":
        roots = _mapping(value, path, place)
        for name, folder in roots.items():
            if not isinstance(folder, str):
                raise RequestError("{}: the root {} must be a folder path.".format(path, name), "request.schema")
        return dict(roots)
    expected = int if key in ("handles", "context", "priority", "schema") else str
    if not isinstance(value, expected) or isinstance(value, bool):
        raise RequestError("{}: {} must be {}.".format(path, place, expected.__name__), "request.schema")
    return value


def _mapping(value: Any, path: str, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RequestError("{}: {} must be a JSON object.".format(path, place), "request.schema")
    return value


def _strings(value: Any, path: str, place: str) -> Sequence[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RequestError("{}: {} must be a list of names.".format(path, place), "request.schema")
    names: List[str] = value
    return names
