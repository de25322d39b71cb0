"""What a panel asks its sidecar besides what every host asks: requests on disk, and how colour can be shown."""

import json
from pathlib import Path
from typing import Any

from void_plugin.config import state_folder
from void_plugin.desk import Desk
from void_plugin.errors import RequestError, VoidError
from void_plugin.frames import ImageSequence, contiguous
from void_plugin.hostcall import HostCall
from void_plugin.localfiles import write_whole
from void_plugin.request import INPUTS, RemovalRequest
from void_plugin.versions import listing

RECENT = 12
"""How many requests are remembered."""


def open_request(desk: Desk, call: HostCall) -> dict[str, Any]:
    """A request with what of it lies on disk.

    The result holds the `request`, its `frames`, `sequences` (pattern by input), what is `missing` of each, in words,
    the `output` folder of its versions and those that are there. Raises RequestError where it cannot be read.
    """
    path = Path(call.text("path")).absolute()
    request = RemovalRequest.load(str(path))
    plate = request.sequence("plate")
    whole, _ = contiguous(plate.on_disk())
    frames = request.frames or request.shot_range or whole
    if frames is None:
        raise RequestError(f"The plate {plate.pattern} of {path} has no file; render it, or correct the request.")
    sequences = {name: request.sequence(name).pattern for name in INPUTS if request.input(name) is not None}
    missing = {}
    for name, pattern in sequences.items():
        sequence = ImageSequence(pattern)
        lost = [] if sequence.is_still else sequence.missing(frames)
        if lost:
            missing[name] = lost
    output = Path(request.output_sequence(request.outputs[0]).pattern).absolute().parent
    _remember(desk, path)
    return {
        "path": path.as_posix(), "request": request.to_dict(), "frames": str(frames), "sequences": sequences,
        "missing": missing, "output": output.as_posix(), "versions": listing(output) if output.is_dir() else [],
    }  # fmt: skip


def save_request(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Write a request beside others, whole or not at all. Raises RequestError or ServerError."""
    path = Path(call.text("path")).absolute()
    request = RemovalRequest.from_json(_json(call.mapping("request")), str(path))
    write_whole(path, request.to_json())
    return {"path": path.as_posix()}


def recent(desk: Desk, call: HostCall) -> dict[str, Any]:
    """The requests that were opened of late and are still there, the newest first."""
    return {"paths": [path for path in _recent(desk) if Path(path).is_file()]}


def presets(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Settings that were saved by name."""
    found = {}
    for path in sorted(_presets(desk).glob("*.json")):
        try:
            found[path.stem] = _object(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, VoidError):
            continue  # somebody else's file, or a half one of long ago
    return {"presets": found}


def save_preset(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Save settings by name, in place of those of the same name."""
    write_whole(_preset(desk, call.text("name")), _json(call.mapping("values")) + "\n")
    return {}


def delete_preset(desk: Desk, call: HostCall) -> dict[str, Any]:
    """Forget the settings of a name."""
    _preset(desk, call.text("name")).unlink(missing_ok=True)
    return {}


def _presets(desk: Desk) -> Path:
    return Path(state_folder(desk.environment)) / "presets"


def _preset(desk: Desk, name: str) -> Path:
    kept = "".join(letter for letter in name if letter.isalnum() or letter in " -_").strip()
    if not kept:
        raise RequestError(f"The name {name!r} has no letter or digit; choose another for the preset.")
    return _presets(desk) / f"{kept}.json"


def _remember(desk: Desk, path: Path) -> None:
    """Put a request before the others that were opened."""
    known = [path.as_posix(), *(other for other in _recent(desk) if other != path.as_posix())]
    write_whole(Path(state_folder(desk.environment)) / "recent.json", _json({"paths": known[:RECENT]}) + "\n")


def _recent(desk: Desk) -> list[str]:
    try:
        data = _object((Path(state_folder(desk.environment)) / "recent.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, VoidError):
        return []
    paths = data.get("paths")
    return [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2, sort_keys=True)


def _object(text: str) -> dict[str, Any]:
    data = json.loads(text)
    if not isinstance(data, dict):
        raise RequestError("It is no JSON object.")
    return data


CALLS = {
    "open_request": open_request,
    "save_request": save_request,
    "recent": recent,
    "presets": presets,
    "save_preset": save_preset,
    "delete_preset": delete_preset,
}
