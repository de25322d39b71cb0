"""Knobs that hold text: plain, evaluated, file names, Python, buttons, dividers."""

import re

from . import tcl
from .bench import BENCH
from .knob import Knob, run_python
from .strict import handle


@handle
class String_Knob(Knob):
    """A line of text."""

    def __init__(self, name, label="", value=""):
        Knob.__init__(self, name, label)
        self._value = value

    def setValue(self, val, view=""):
        self._assign(self._checked(val))

    def setText(self, val, view=""):
        self._assign(self._checked(val))

    def value(self, oc=None):
        self._alive()
        return self._value

    def getText(self, oc=None):
        self._alive()
        return self._value


@handle
class EvalString_Knob(String_Knob):
    """Text in which Tcl's brackets are evaluated."""

    def evaluate(self, frame=None):
        self._alive()
        return self._evaluated(self._frame() if frame is None else frame)

    def _evaluated(self, frame):
        if "[" not in self._value or self._node is None:
            return self._value
        return self._node._graph.substitute(self._value, self._node, frame)


@handle
class Multiline_Eval_String_Knob(EvalString_Knob):
    """Several lines of evaluated text."""


@handle
class File_Knob(EvalString_Knob):
    """A file name, with frame and view tokens."""

    def __init__(self, name, label=""):
        EvalString_Knob.__init__(self, name, label)

    def evaluate(self, frame=None):
        self._alive()
        frame = self._frame() if frame is None else frame
        return with_frame(self._evaluated(frame), int(frame), self._node._graph.view if self._node else "main")

    def getEvaluatedValue(self, oc=None):
        return self.evaluate()

    def fromUserText(self, s):
        """Takes a name as a user types it: with a frame range behind it, that goes to first and last."""
        match = re.match(r"^(.*?)\s+(-?\d+)(?:-(-?\d+))?$", s)
        self._assign(self._checked(match.group(1) if match else s))
        if match and self._node is not None and "origfirst" in self._node._knobs:
            first, last = int(match.group(2)), int(match.group(3) or match.group(2))
            for knob, frame in (("first", first), ("last", last), ("origfirst", first), ("origlast", last)):
                self._node._knobs[knob].setValue(frame)
            self._node._knobs["origset"].setValue(True)


def with_frame(text, frame, view):
    """A file name with its tokens filled: `%04d` or `####` by the frame, `%V` and `%v` by the view."""
    text = re.sub(r"%(0?\d*)d", lambda match: ("%" + match.group(1) + "d") % frame, text)
    text = re.sub(r"#+", lambda match: str(frame).zfill(len(match.group(0))), text)
    return text.replace("%V", view).replace("%v", view[:1])


@handle
class PythonKnob(String_Knob):
    """Python that Nuke runs at some event."""


@handle
class Script_Knob(String_Knob):
    """A button that runs a command."""

    _starts_line = False

    def __init__(self, name, label="", command=""):
        String_Knob.__init__(self, name, label, command)

    def command(self):
        self._alive()
        return self._value

    def setCommand(self, cmd):
        self._assign(self._checked(cmd))

    def setValue(self, cmd):
        self._assign(self._checked(cmd))

    def value(self):
        self._alive()
        return self._value


@handle
class PyScript_Knob(Script_Knob):
    """A button that runs Python."""

    def execute(self):
        self._alive()
        graph = self._node._graph
        with graph.this_is(self._node, self, button=True):
            run_python(self._value, "button {}".format(self._name))


@handle
class Text_Knob(Knob):
    """Text between the controls, or a divider."""

    _starts_line = False

    def __init__(self, name, label="", value=""):
        Knob.__init__(self, name, label)
        self._value = value

    def setValue(self, val):
        self._assign(self._checked(val))


@handle
class Font_Knob(Knob):
    """The name of a font."""


@handle
class Obsolete_Knob(Knob):
    """A name that old scripts know; it holds nothing."""

    def setValue(self, val=None):
        raise BENCH.fault("{} is obsolete: setting it does nothing".format(self._name))


@handle
class Tab_Knob(Knob):
    """The beginning of a tab, or the beginning or end of a group of knobs."""

    def __init__(self, name, label="", type=0):
        Knob.__init__(self, name, label)
        self._type = type

    def setValue(self, val):
        raise BENCH.fault("a tab holds no value")


@handle
class BeginTabGroup_Knob(Tab_Knob):
    """The beginning of a group of knobs."""

    def __init__(self, name, label=""):
        Tab_Knob.__init__(self, name, label, 1)


@handle
class EndTabGroup_Knob(Tab_Knob):
    """The end of a group of knobs."""

    def __init__(self, name, label=""):
        Tab_Knob.__init__(self, name, label, -1)


@handle
class Link_Knob(Knob):
    """A knob that shows another one, by its name seen from the node."""

    def _linked(self):
        self._alive()
        if not self._value or self._node is None:
            return None
        return self._node._graph.find_knob(self._value, self._node)

    def makeLink(self, s, t):
        self._assign("{}.{}".format(s, t))

    def setLink(self, s):
        self._assign(self._checked(s))

    def getLink(self):
        self._alive()
        return self._value

    def getLinkedKnob(self):
        return self._linked()

    def value(self):
        linked = self._linked()
        return linked.value() if linked is not None else ""

    def setValue(self, value):
        linked = self._linked()
        if linked is None:
            raise BENCH.fault("{} links to nothing".format(self._name))
        linked.setValue(value)

    def _word(self):
        return tcl.word(self._value)
