"""Nuke's signatures, enforced: names that do not exist, wrong arguments and wrong types are errors at once.

The stubs decide what exists. A function or method of the fake that they do not know stops its import, so that the
fake cannot become looser than they are; what they know and the fake does not have raises NotModelled.
"""

import functools
import inspect
import json
import os

from .bench import BENCH, NotModelled

VARIABLE = "FAKE_NUKE_SIGNATURES"
_KINDS = {
    "plain": inspect.Parameter.POSITIONAL_OR_KEYWORD,
    "star": inspect.Parameter.VAR_POSITIONAL,
    "keyword": inspect.Parameter.KEYWORD_ONLY,
    "stars": inspect.Parameter.VAR_KEYWORD,
}
_COUNTED_OPERATORS = ("__init__", "__getitem__", "__enter__", "__exit__")


def _load():
    path = os.environ.get(VARIABLE)
    if not path:
        raise ImportError("set {} to the file that signatures.py writes".format(VARIABLE))
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _signature(parameters):
    made = []
    for name, kind, optional, annotation in parameters:
        default = None if optional and kind in ("plain", "keyword") else inspect.Parameter.empty
        made.append(inspect.Parameter(name, _KINDS[kind], default=default, annotation=annotation))
    return inspect.Signature(made)


STUBS = _load()
FUNCTIONS = {}
"""The functions of the fake by name, each already guarded."""


@functools.lru_cache(maxsize=None)
def function_signatures(name):
    """The signatures of a function of `nuke`; none when the stubs do not know it."""
    return tuple(_signature(parameters) for parameters in STUBS["functions"].get(name, ()))


@functools.lru_cache(maxsize=None)
def method_signatures(owner, name):
    """The signatures of a method of a class or of its nearest base in the stubs that has one."""
    entry = STUBS["classes"].get(owner)
    if entry is None:
        return ()
    if name in entry["methods"]:
        return tuple(_signature(parameters) for parameters in entry["methods"][name])
    for base in entry["bases"]:
        found = method_signatures(base, name)
        if found:
            return found
    return ()


def bind(label, signatures, args, kwargs):
    """Checks arguments against each of several signatures; TypeError when none takes them."""
    wrong_count = wrong_type = ""
    for signature in signatures:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            wrong_count = wrong_count or str(error)
            continue
        reason = _mistyped(signature, bound.arguments)
        if not reason:
            return
        wrong_type = wrong_type or reason
    raise TypeError("{}(): {}".format(label, wrong_type or wrong_count))


def _mistyped(signature, arguments):
    for name, value in arguments.items():
        annotation = signature.parameters[name].annotation
        if annotation and not fits(annotation, value):
            return "{} is {!r}, which is no {}".format(name, value, annotation)
    return ""


def fits(annotation, value):
    """Whether a value may be passed for an annotation; those not named here take anything."""
    if annotation.startswith("Optional["):
        return value is None or fits(annotation[9:-1], value)
    if annotation.startswith("Union["):
        return any(fits(part.strip(), value) for part in annotation[6:-1].split(","))
    if annotation == "str":
        return isinstance(value, str)
    if annotation == "int":
        return isinstance(value, int)
    if annotation == "float":
        return isinstance(value, (int, float))
    if annotation == "bool":
        return isinstance(value, bool) or (isinstance(value, int) and value in (0, 1))
    if annotation == "List[str]":
        return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
    if annotation in _HANDLES:
        return isinstance(value, _HANDLES[annotation])
    return True


_HANDLES = {}


class Handle(object):
    """Base of everything that Nuke hands out: no attribute may be invented, none is missing in silence."""

    def __setattr__(self, name, value):
        if not name.startswith("_"):
            raise AttributeError("{!r} object has no attribute {!r}".format(type(self).__name__, name))
        object.__setattr__(self, name, value)

    def __getattr__(self, name):
        if not name.startswith("_"):
            for owner in type(self).__mro__:
                if method_signatures(owner.__name__, name):
                    raise NotModelled("nuke.{}.{} is not modelled by the fake".format(owner.__name__, name))
        raise AttributeError("{!r} object has no attribute {!r}".format(type(self).__name__, name))


def handle(cls):
    """Guards the public methods of a class that Nuke hands out; a class decorator."""
    _HANDLES[cls.__name__] = cls
    return part_of(cls.__name__)(cls)


def part_of(owner):
    """Guards the methods of a class that is only a part of one of Nuke's; a class decorator."""
    return lambda cls: _guard(cls, owner)


def _guard(cls, owner):
    for name, value in list(vars(cls).items()):
        static = isinstance(value, staticmethod)
        implementation = value.__func__ if static else value
        if not inspect.isfunction(implementation) or (name.startswith("_") and name not in _COUNTED_OPERATORS):
            continue
        if name not in _COUNTED_OPERATORS and not method_signatures(owner, name):
            raise ImportError("the stubs know no nuke.{}.{}".format(owner, name))
        if static:
            setattr(cls, name, staticmethod(_guarded_static(owner, name, implementation)))
        else:
            setattr(cls, name, _guarded_method(name, implementation))
    return cls


def _guarded_method(name, implementation):
    @functools.wraps(implementation)
    def method(self, *args, **kwargs):
        if BENCH.inside:
            return implementation(self, *args, **kwargs)
        owner = type(self).__name__
        label = "{}.{}".format(owner, name)
        with BENCH.call(label):
            if name not in ("__enter__", "__exit__"):
                for base in type(self).__mro__:
                    signatures = method_signatures(base.__name__, name)
                    if signatures:
                        bind(label, signatures, args, kwargs)
                        break
            return implementation(self, *args, **kwargs)

    return method


def _guarded_static(owner, name, implementation):
    label = "{}.{}".format(owner, name)

    @functools.wraps(implementation)
    def method(*args, **kwargs):
        if BENCH.inside:
            return implementation(*args, **kwargs)
        with BENCH.call(label):
            bind(label, method_signatures(owner, name), args, kwargs)
            return implementation(*args, **kwargs)

    return method


def function(any_thread=False, name=""):
    """Makes a function part of `nuke`; a decorator. `any_thread` lifts the main-thread rule."""

    def take(implementation):
        public = name or implementation.__name__
        signatures = function_signatures(public)
        if not signatures:
            raise ImportError("the stubs know no nuke.{}".format(public))
        label = "nuke." + public

        @functools.wraps(implementation)
        def guarded(*args, **kwargs):
            if BENCH.inside and not any_thread:
                return implementation(*args, **kwargs)
            with BENCH.call(label, any_thread):
                bind(label, signatures, args, kwargs)
                return implementation(*args, **kwargs)

        FUNCTIONS[public] = guarded
        return implementation

    return take
