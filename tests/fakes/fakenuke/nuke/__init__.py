"""The strict stand-in for Nuke's module; see the package `fakenuke`. `nuke.fake` is the test's side of it."""

from fakenuke import facade as _facade

globals().update(_facade.namespace())


def __getattr__(name):
    return _facade.missing(name)
