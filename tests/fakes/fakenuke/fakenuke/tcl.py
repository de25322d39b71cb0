"""Tcl as Nuke uses it: lists and quoting of script text, and the bracketed commands in file names and labels.

Both run in real Tcl interpreters (from tkinter), safe ones whose commands are taken away but for a few.
"""

import functools
import os
import re

_BARE = re.compile(r"^[A-Za-z0-9_./:%+@-]+$")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "[": "\\[", "$": "\\$", "{": "\\{", "}": "\\}", "\n": "\\n", "\t": "\\t"}
_FILE_PARTS = {
    "dirname": lambda path: os.path.dirname(path) or ".",
    "tail": os.path.basename,
    "rootname": lambda path: os.path.splitext(path)[0],
    "extension": lambda path: os.path.splitext(path)[1],
    "join": lambda *parts: "/".join(parts),
}


def word(text):
    """A text as one word of a Tcl list, the way Nuke writes it: bare, or in double quotes with escapes."""
    if _BARE.match(text):
        return text
    return '"{}"'.format("".join(_ESCAPES.get(character, character) for character in text))


def interpreter():
    """A new Tcl interpreter; RuntimeError in a Python that was built without one."""
    try:
        import tkinter
    except ImportError:
        raise RuntimeError("this Python has no tkinter, which the fake needs to read Nuke's script text") from None
    return tkinter.Tcl()


@functools.lru_cache(maxsize=1)
def _lists():
    return interpreter()


def split(text):
    """The elements of a Tcl list; ValueError when it is none."""
    tcl = _lists()
    import tkinter

    try:
        return [str(item) for item in tcl.splitlist(text)]
    except tkinter.TclError as error:
        raise ValueError("{}: {!r}".format(error, text)) from None


class Commands(object):
    """A safe interpreter in which named commands, and no others but plain Tcl's harmless ones, can be called."""

    def __init__(self, commands, hide_all=False):
        self._tcl = interpreter()
        self._error = None
        self._tcl.eval("interp create -safe inner")
        if hide_all:
            for name in self._tcl.splitlist(self._tcl.eval("inner eval {info commands}")):
                if name not in ("set", "unknown"):
                    self._tcl.eval("interp hide inner {}".format(name))
        for name, function in commands.items():
            self._tcl.createcommand("outer_" + name, self._caught(function))
            self._tcl.eval("interp alias inner {0} {{}} outer_{0}".format(name))

    def _caught(self, function):
        def command(*arguments):
            try:
                return function(*[str(argument) for argument in arguments])
            except Exception as error:
                # Tcl would keep only the text; `run` raises it again.
                self._error = error
                raise

        return command

    def run(self, script):
        """The result of a script; the error that a command raised, or ValueError with Tcl's own words."""
        self._tcl.call("set", "script", script)
        return self._eval("interp eval inner $script")

    def substitute(self, text):
        """A text with its bracketed commands run."""
        self._tcl.call("set", "text", text)
        return self._eval("interp eval inner [list subst $text]")

    def _eval(self, command):
        import tkinter

        self._error = None
        try:
            return str(self._tcl.eval(command))
        except tkinter.TclError as error:
            if self._error is not None:
                raise self._error from None
            raise ValueError(str(error)) from None


def file_command(part, *paths):
    """Tcl's `file`, as far as it looks only at names."""
    if part not in _FILE_PARTS:
        raise ValueError("the fake models no [file {}]".format(part))
    return _FILE_PARTS[part](*paths)
