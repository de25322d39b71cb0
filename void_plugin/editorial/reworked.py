"""What the panel has made of the request of a shot: numbered versions beside the request's own results."""

import json
from pathlib import Path

from void_plugin.errors import VoidError
from void_plugin.request import RemovalRequest

MANIFEST, JOB = "manifest.json", "job.json"
"""What makes a folder a finished version, and what it was asked for."""


def reworked(request: RemovalRequest) -> RemovalRequest | None:
    """The request of the newest version that was made by hand in the panel; None where there is none."""
    beside = Path(request.output_sequence(request.outputs[0]).pattern).parent
    folders = [folder for folder in beside.glob("v[0-9]*") if folder.name[1:].isdecimal()]
    for folder in sorted(folders, key=lambda folder: int(folder.name[1:]), reverse=True):
        if (folder / MANIFEST).is_file():
            made = _asked(folder)
            if made is not None and made.plate == request.plate:
                return made
    return None


def _asked(folder: Path) -> RemovalRequest | None:
    try:
        requests = json.loads((folder / JOB).read_text(encoding="utf-8"))["requests"]
        return RemovalRequest.from_json(json.dumps(next(iter(requests.values()))), str(folder / JOB))
    except (OSError, ValueError, KeyError, AttributeError, StopIteration, VoidError):
        return None  # another's folder, or a newer program's: the shot has what it had before
