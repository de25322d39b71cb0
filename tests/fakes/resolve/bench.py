"""The test's side of the fake: the world, its knobs, the record of every call, and what was done wrong.

bench = Bench(scenes.cut(tmp_path))
before = bench.state()
... host code with bench.resolve ...
assert difference(before, bench.state(), ours=bench.ours) == []
bench.verify()
"""

from __future__ import annotations

import contextvars
import copy
import functools
import json
import threading

from . import overrides, signatures, strict
from .knobs import Knobs
from .models import MODELS
from .world import World

WATCHED = contextvars.ContextVar("WATCHED", default=None)
"""Where it is a list, every bench that is made joins it."""


class Bench:
    """One Resolve. `scene` is what `state()` gave or a builder of `scenes` made."""

    def __init__(self, scene, knobs=None):
        self.world = World(copy.deepcopy(scene))
        self.knobs = knobs if knobs is not None else Knobs()
        if self.knobs.settings_inherit_audio_only:
            self.world.project["render"]["hidden"]["audio_only"] = True
        self.calls = []
        """Every call in order: `{"call": "Project.GetName", "args": [...], "result": ...}`."""
        self.breaches = []
        """Sentences on what no script may do: names, arguments and keys that there are not, forbidden calls."""
        self.counts = {}
        self.thread = None
        """The only thread that may call, by its ident; None allows every one."""
        self.actions = {}
        self.witness = None
        """Called with the record of each call when it is over, and with the sentence of each breach."""
        self.table = _table()
        watched = WATCHED.get()
        if watched is not None:
            watched.append(self)

    @property
    def resolve(self):
        """The object that a menu script finds as `resolve`."""
        return self.handle("Resolve", "resolve")

    def handle(self, kind, key, ghost=False):
        return strict.Handle(self, kind, key, ghost)

    # -- what the world looks like
    def state(self):
        """All that a user could see or lose, as plain values that compare and go through JSON."""
        return json.loads(json.dumps(self.world.state()))

    def called(self, name):
        """The arguments of each call of that name, in order."""
        return [call["args"] for call in self.calls if call["call"] == name]

    def before(self, name, count, action):
        """Lets a user do something just before the call of that name and count: `action(world data)`."""
        self.actions[name, count] = action

    def forbidden(self):
        """The forbidden calls that were made, none of which did anything."""
        return [call["call"] for call in self.calls if call["call"] in overrides.FORBIDDEN]

    def verify(self):
        """AssertionError lists what was done that no script may do."""
        assert not self.breaches, "\n".join(self.breaches)

    def breach(self, error):
        """Notes an exception that the script brought upon itself, and gives it back to be raised."""
        self.breaches.append(str(error.args[0]) if error.args else repr(error))
        if self.witness is not None:
            self.witness(self.breaches[-1])
        return error

    # -- what the API looks like in this version
    def methods(self, kind):
        return _methods(kind, tuple(self.world.data["version"][:3]))

    def constants(self):
        """Those that the live object lists: not the markers' (resolve-mcp's ledger, Studio 21.0.2)."""
        return dict(_constants(tuple(self.world.data["version"][:3])))

    # -- the gate
    def call(self, handle, method, arguments, keywords):
        """One call of the script's: checked, recorded, broken where a knob says so, answered by the model."""
        name = handle._kind + "." + method
        record = {"call": name, "args": [plain(value) for value in arguments], "result": "raised"}
        self.calls.append(record)
        try:
            result = self._judged(handle, method, arguments, keywords)
            record["result"] = plain(result)
        finally:
            if self.witness is not None:
                self.witness(record)
        return result

    def _judged(self, handle, method, arguments, keywords):
        kind, index = handle._kind, len(self.calls) - 1
        name = kind + "." + method
        error = strict.check(self.table, kind, method, arguments, keywords)
        if error is None and self.thread not in (None, threading.get_ident()):
            error = RuntimeError(name + " is called from another thread than the script's own")
        if error is not None:
            raise self.breach(error)
        if name in overrides.FORBIDDEN:
            raise self.breach(strict.Broken(name + " must never be called: " + overrides.FORBIDDEN[name]))
        count = self.counts[name] = self.counts.get(name, 0) + 1
        if (name, count) in self.actions:
            self.actions[name, count](self.world.data)
        knobs, returns = self.knobs, self.table["classes"][kind][method]["returns"]
        breaks = knobs.raises_at == index or knobs.raises_midway.get(name) == count
        if breaks and not knobs.raises_after:
            raise strict.Broken("the connection to Resolve broke in " + name)
        if knobs.refuses.get(name) in (0, count):
            return strict.refusal(returns)
        if knobs.lies.get(name) in (0, count):
            return True if "bool" in returns else strict.refusal(returns)
        result = self._answer(handle, method, arguments, returns)
        if breaks:
            raise strict.Broken("the connection to Resolve broke after " + name)
        return result

    def _answer(self, handle, method, arguments, returns):
        kind = handle._kind
        refused = strict.refusal(returns)
        data = None if handle._ghost else self.world.find(kind, handle._key)
        if data is None:
            return None  # a ghost, or an object that is gone: resolve-mcp's ledger, AYON
        if self.world.data["product"] == "DaVinci Resolve" and self.table["classes"][kind][method]["studio"]:
            self.knobs.modal_blocks = True
            return False
        changes = not method.startswith(("Get", "Is"))
        if self.knobs.modal_blocks and changes:
            return refused
        model = MODELS[kind](self, data)
        function = getattr(model, method, None)
        if function is None:
            raise self.breach(NotImplementedError(kind + "." + method + " is real, but this fake does not model it"))
        result = function(*arguments)
        return refused if result is None else result


@functools.lru_cache(maxsize=1)
def _table():
    return signatures.read()


@functools.lru_cache(maxsize=None)
def _methods(kind, since):
    return frozenset(name for name in _table()["classes"][kind] if since >= strict.known_since(kind + "." + name))


@functools.lru_cache(maxsize=None)
def _constants(since):
    return {
        name: float(index)
        for index, name in enumerate(_table()["constants"])
        if not name.startswith("MARKER_") and since >= strict.known_since("Resolve." + name)
    }


def plain(value):
    """A value as it is recorded: handles by kind and id."""
    if isinstance(value, strict.Handle):
        return repr(value)
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value
