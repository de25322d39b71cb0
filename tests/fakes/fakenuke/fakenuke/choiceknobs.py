"""Knobs that hold one of several: entries of a list, channels, views, formats; and two that only some nodes have."""

from . import tcl
from .knob import Knob
from .numberknobs import Array_Knob, Unsigned_Knob
from .strict import handle
from .values import Format, format_from_text


@handle
class Enumeration_Knob(Unsigned_Knob):
    """One entry of a list. An entry `token<TAB>label` has the token as its value."""

    _zero = [0.0]

    def __init__(self, name, label, items):
        Unsigned_Knob.__init__(self, name, label)
        self._entries = [str(item) for item in items]

    def _tokens(self):
        return [entry.split("\t")[0] for entry in self._entries]

    def _checked(self, value):
        if isinstance(value, str):
            if value not in self._tokens():
                raise ValueError("{!r} is no entry of {}: {}".format(value, self._name, ", ".join(self._tokens())))
            return [float(self._tokens().index(value))]
        if not 0 <= value < len(self._entries):
            raise ValueError("{} has {} entries, so no number {}".format(self._name, len(self._entries), value))
        return [float(value)]

    def _entry_at(self, frame):
        index = int(self._number(0, frame))
        return self._tokens()[index] if index < len(self._entries) else ""

    def value(self):
        self._alive()
        return self._entry_at(self._frame())

    def setValue(self, item):
        return self._assign(self._checked(item))

    def values(self):
        self._alive()
        return list(self._entries)

    def setValues(self, items):
        """Takes new entries; keeps the value where it is among them, else falls to the first."""
        kept = self.value()
        self._alter("_entries", list(items))
        self._value = [float(self._tokens().index(kept))] if kept in self._tokens() else [0.0]

    def numValues(self):
        self._alive()
        return len(self._entries)

    def enumName(self, n):
        self._alive()
        return self._tokens()[n]

    def _plain(self):
        return self._texts()[0] if self._expressions else self._tokens()[int(self._value[0])]

    def _word(self):
        return "{{{}}}".format(self._plain()) if self._expressions else tcl.word(self._plain())

    def _read(self, text):
        if text in self._tokens():
            self._assign(self._checked(text))
        elif text.startswith("{"):
            Array_Knob._read(self, text)
        elif text.isdigit():
            self._assign(self._checked(int(text)))
        else:
            self._assign(self._checked(text))


@handle
class OneView_Knob(Enumeration_Knob):
    """One view of the script."""

    def __init__(self, name, label=""):
        Enumeration_Knob.__init__(self, name, label, ["main"])


@handle
class Channel_Knob(Knob):
    """A channel or layer by name."""

    _zero = "none"

    def __init__(self, name, label="", depth=0, input=0):
        Knob.__init__(self, name, label)
        self._input = input

    def setValue(self, name):
        self._assign(self._checked(name))

    def inputNumber(self):
        self._alive()
        return self._input


@handle
class ChannelMask_Knob(Channel_Knob):
    """A set of channels: a layer, channels, `all` or `none`."""


@handle
class MultiView_Knob(Knob):
    """Some views of the script, their names parted by blanks; `all` stands for every view."""

    _zero = "all"

    def value(self):
        self._alive()
        if self._value == "all" and self._node is not None:
            return " ".join(self._node._graph.views)
        return self._value

    def _names(self, views):
        return list(views) if self._value == "all" else [name for name in self._value.split() if name in views]


@handle
class Format_Knob(Knob):
    """A format: one of the script's, or the script's own (`root`)."""

    _zero = "root"

    def _checked(self, value):
        if isinstance(value, Format):
            return value._text()
        return value

    def setValue(self, format):
        graph = self._node._graph if self._node is not None else None
        if isinstance(format, str) and graph and format not in graph.formats and format_from_text(format) is None:
            raise ValueError("there is no format {!r}".format(format))
        return self._assign(self._checked(format))

    def _format(self):
        graph = self._node._graph
        if self._value in graph.formats:
            return graph.formats[self._value]
        made = format_from_text(self._value)
        return made if made is not None else graph.root._knobs["format"]._format()

    def value(self):
        self._alive()
        return self._format()

    def actualValue(self):
        self._alive()
        return self._format()

    def notDefault(self):
        self._alive()
        return not self._is_default()

    def _plain(self):
        return self._format()._text()


@handle
class Mapping_Knob(Knob):
    """Which channels go where in a Shuffle2; the class's real name is not public, its script text is."""


@handle
class Metadata_Knob(Knob):
    """Changes of metadata, as script text."""


@handle
class Views_Knob(Knob):
    """The views of the script, as the root keeps them."""
