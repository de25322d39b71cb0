"""The fake in another process: the external `scriptapp`, the globals of a menu script, and what is left at the end.

The world lies in a JSON file that every call is written to at once, so it outlives a script that is killed, as
Resolve does; the next process starts from it. Beside it, `.calls` holds a line for each call and each breach.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import threading
from pathlib import Path

from . import pictures, signatures
from .bench import Bench
from .knobs import Knobs

WORLD = "VOID_FAKE_RESOLVE_WORLD"
"""Names the JSON file to a process."""
SCRIPTING = Path(__file__).resolve().parent / "Scripting"


def save(path, bench):
    """Writes the world of a bench into a world file."""
    part = str(path) + ".part"
    values = {"scene": bench.world.data, "knobs": bench.knobs.to_dict()}
    Path(part).write_text(json.dumps(values), encoding="utf-8")
    os.replace(part, str(path))


def load(path):
    """The bench of a world file, with the calls and breaches of the processes that used it."""
    values = json.loads(Path(path).read_text(encoding="utf-8"))
    bench = Bench(values["scene"], Knobs.from_dict(values.get("knobs", {})))
    record = Path(str(path) + ".calls")
    # What stands behind the last line end is still being written.
    for line in record.read_text(encoding="utf-8").split("\n")[:-1] if record.exists() else []:
        entry = json.loads(line)
        (bench.breaches if isinstance(entry, str) else bench.calls).append(entry)
    for call in bench.calls:
        bench.counts[call["call"]] = bench.counts.get(call["call"], 0) + 1
    return bench


def environment(path):
    """What a process needs besides its own environment to find the fake as it would find Resolve."""
    return {
        WORLD: str(path),
        "RESOLVE_SCRIPT_API": str(SCRIPTING),
        "RESOLVE_SCRIPT_LIB": str(SCRIPTING / "fusionscript.so"),
        pictures.PYTHON: sys.executable,
        signatures.STUBS: str(signatures.stub_file()),
    }


@functools.lru_cache(maxsize=1)
def running():
    """The bench of this process, written back after each call; None where no Resolve runs: no world is named."""
    path = os.environ.get(WORLD)
    if not path or not os.path.exists(path):
        return None
    bench = load(path)
    bench.witness = functools.partial(_note, path, bench)
    bench.thread = threading.main_thread().ident
    return bench


def _note(path, bench, entry):
    save(path, bench)
    with open(path + ".calls", "a", encoding="utf-8") as record:
        record.write(json.dumps(entry) + "\n")


def scriptapp(name, address=None):
    """As of `DaVinciResolveScript`: None when nothing runs, on the free edition, and when it is not allowed."""
    bench = running()
    if bench is None or name not in ("Resolve", "Fusion") or bench.world.data["product"] == "DaVinci Resolve":
        return None
    if not bench.knobs.external or (bench.knobs.external_address and address != bench.knobs.external_address):
        return None
    return bench.resolve if name == "Resolve" else bench.handle("Fusion", "fusion")


class Names:
    """What a menu script's `bmd` and `app` offer of Resolve."""

    def __init__(self, bench):
        self._bench = bench

    def scriptapp(self, name):
        return self._bench.resolve if name == "Resolve" else self._bench.handle("Fusion", "fusion")

    def GetResolve(self):
        return self._bench.resolve


def menu_globals(bench):
    """The globals that a script finds when it is started from Workspace > Scripts; `__file__` is not among them."""
    names = Names(bench)
    fusion = bench.handle("Fusion", "fusion")
    offered = {"resolve": bench.resolve, "fusion": fusion, "fu": fusion, "bmd": names, "app": names}
    found = {name: value for name, value in offered.items() if name in bench.knobs.menu_names}
    return dict(found, __name__="__main__", __builtins__=__builtins__)


def run_menu(script, bench):
    """Runs a script as the menu does, in this process; returns its globals."""
    found = menu_globals(bench)
    exec(compile(Path(script).read_text(encoding="utf-8"), str(script), "exec"), found)
    return found
