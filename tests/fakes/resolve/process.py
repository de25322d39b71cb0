"""The fake in another process: the external `scriptapp`, the globals of a menu script, and what is left at the end.

The world lies in a JSON file that every change is written to at once, so it outlives a script that is killed, as
Resolve does. The file holds `scene`, `knobs`, `calls` and `breaches`; the next process starts from it.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from pathlib import Path

from . import pictures, signatures
from .bench import Bench
from .knobs import Knobs

WORLD = "VOID_FAKE_RESOLVE_WORLD"
"""Names the JSON file to a process."""
SCRIPTING = Path(__file__).resolve().parent / "Scripting"


def save(path, bench):
    """Writes a bench into a world file."""
    values = {"scene": bench.world.data, "knobs": bench.knobs.to_dict()}
    values.update(calls=bench.calls, breaches=bench.breaches)
    part = str(path) + ".part"
    Path(part).write_text(json.dumps(values), encoding="utf-8")
    os.replace(part, str(path))


def load(path):
    """The bench of a world file, with the calls and breaches of the processes that wrote it."""
    values = json.loads(Path(path).read_text(encoding="utf-8"))
    bench = Bench(values["scene"], Knobs.from_dict(values.get("knobs", {})))
    bench.calls.extend(values.get("calls", []))
    bench.breaches.extend(values.get("breaches", []))
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
    bench.after_call = functools.partial(save, path, bench)
    return bench


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
