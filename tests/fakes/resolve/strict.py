"""The handles that a script holds, and the gate that every call goes through before the model answers.

`dir` tells the truth, as in Resolve; a name that there is not raises where Resolve answers None. Every breach is also
noted in the bench's `breaches`, so that code that swallows the exception still fails its test.
"""

from __future__ import annotations

from . import overrides


class Broken(RuntimeError):
    """What a call raises that a test broke: the connection to Resolve is gone."""


class Handle:
    """One object of Resolve's as a script sees it; each call gives a new handle, and handles do not compare."""

    __slots__ = ("_bench", "_ghost", "_key", "_kind")

    def __init__(self, bench, kind, key, ghost=False):
        for name, value in (("_bench", bench), ("_kind", kind), ("_key", key), ("_ghost", ghost)):
            object.__setattr__(self, name, value)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        bench = self._bench
        if self._kind == "Resolve" and name in bench.constants():
            return bench.constants()[name]
        if self._kind == "Resolve" and name in bench.table["constants"]:
            return None  # of a later version: what Resolve answers to any name that it has not
        if name not in bench.methods(self._kind):
            message = self._kind + " has no " + name + " in this version; Resolve answers None"
            raise bench.breach(AttributeError(message))
        return Call(self, name)

    def __setattr__(self, name, value):
        if self._kind + "." + name in overrides.ASSIGNED:
            self._bench.call(self, name, (value,), {})
            return
        raise self._bench.breach(AttributeError(self._kind + "." + name + " cannot be set"))

    def __dir__(self):
        names = sorted(self._bench.methods(self._kind))
        return names + (sorted(self._bench.constants()) if self._kind == "Resolve" else [])

    def __eq__(self, other):
        raise self._bench.breach(TypeError("handles do not compare: use GetUniqueId"))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self):
        return self._kind + " (" + str(self._key) + ")"


class Call:
    """A method of a handle, ready to be called."""

    __slots__ = ("handle", "method")

    def __init__(self, handle, method):
        self.handle, self.method = handle, method

    def __call__(self, *arguments, **keywords):
        return self.handle._bench.call(self.handle, self.method, arguments, keywords)


def check(table, kind, method, arguments, keywords):
    """None when a call is as Resolve wants it, otherwise the exception that says what is wrong."""
    name = kind + "." + method
    entry = table["classes"][kind][method]
    if entry["deprecated"]:
        return TypeError(name + " is deprecated")
    if keywords:
        return TypeError(name + " takes no keyword arguments: " + ", ".join(sorted(keywords)))
    found = [_mismatch(table, name, overload, arguments) for overload in entry["overloads"]]
    if not found or None in found:
        return None
    # The overload that a call came closest to says what is wrong with it.
    return max(found, key=lambda error: (isinstance(error, KeyError), error.args[1] if len(error.args) > 1 else 0))


def _mismatch(table, name, overload, arguments):
    parameters = overload["parameters"]
    required = sum(not parameter["optional"] for parameter in parameters)
    if len(arguments) < required or (len(arguments) > len(parameters) and not overload["star"]):
        most = "more" if overload["star"] else str(len(parameters))
        return TypeError("{} takes {} to {} arguments, not {}".format(name, required, most, len(arguments)))
    for index, value in enumerate(arguments):
        if index < len(parameters):
            kinds, label = parameters[index]["kinds"], parameters[index]["name"]
        else:
            kinds, label = overload["star"], "argument " + str(index + 1)
        error = _value(table, name + ": " + label, kinds, value)
        if error is not None:
            return error
    return None


def _value(table, label, kinds, value):
    best = None
    for kind in kinds:
        error = _one(table, label, kind, value)
        if error is None:
            return None
        best = error if best is None or isinstance(error, KeyError) else best
    return best


def _one(table, label, kind, value):
    if kind == "any" or (kind == "none" and value is None):
        return None
    if kind.startswith("list"):
        if isinstance(value, (list, tuple)):
            errors = [_one(table, label, kind[5:-1], part) for part in value] if "[" in kind else []
            return next((error for error in errors if error is not None), None)
    elif kind.startswith("dict:"):
        if isinstance(value, dict):
            return _settings(table, label, table["dicts"][kind[5:]], value)
    elif kind in ("int", "float"):
        allowed = (int,) if kind == "int" else (int, float)
        if isinstance(value, allowed) and not isinstance(value, bool):
            return None
    elif kind in ("str", "bool", "dict"):
        if isinstance(value, {"str": str, "bool": bool, "dict": dict}[kind]):
            return None
    elif isinstance(value, Handle) and value._kind == kind:
        return None
    return TypeError("{} must be {}, not {!r}".format(label, kind, value))


def _settings(table, label, keys, value):
    for key, part in value.items():
        if key not in keys:
            return KeyError(label + " has no key " + repr(key))
        error = _value(table, label + "." + key, keys[key]["kinds"], part)
        if error is not None:
            return error
    for key, entry in keys.items():
        if entry["required"] and key not in value:
            return KeyError(label + " lacks the key " + repr(key))
    return None


def refusal(returns):
    """What a call of this return type answers when it does nothing: Resolve gives no reason."""
    if "none" in returns:
        return None
    if "bool" in returns:
        return False
    if any(kind.startswith("list") for kind in returns):
        return []
    return {} if any(kind.startswith("dict") for kind in returns) else None


def known_since(name):
    """The first version that has a call or a constant; () for one that always was there."""
    if name in overrides.SINCE:
        return overrides.SINCE[name][0]
    return overrides.NEWER[name][1] if name in overrides.NEWER else ()
