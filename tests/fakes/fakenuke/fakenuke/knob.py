"""The base of all knobs: name, label, flags, value, expressions, and what is written of it into a script.

A value that changes goes through the graph, which calls `knobChanged`, marks the script modified and counts undos.
"""

from . import expressions, tcl
from .bench import BENCH, NotModelled
from .constants import FLAGS
from .strict import Handle, handle

GONE = "A PythonObject is not attached to a node"
"""The text of the ValueError that public tracebacks show for a handle of something deleted."""


@handle
class Knob(Handle):
    """One control of a node, or one that is not part of any node yet."""

    _zero = ""
    """Value of a fresh knob of this class."""
    _starts_line = True

    def __init__(self, name, label=""):
        self._name, self._label, self._tooltip = name, label or "", ""
        self._flags = FLAGS["STARTLINE"] if self._starts_line else 0
        self._node = None
        self._dead = False
        self._user = True
        self._value = self._default = self._copy(self._zero)
        self._expressions = {}

    # -- for the fake itself

    def _copy(self, value):
        return list(value) if isinstance(value, list) else value

    def _alive(self):
        if self._dead or (self._node is not None and self._node._dead):
            raise ValueError(GONE)

    def _checked(self, value):
        """The value as it is kept; TypeError or ValueError when this knob cannot hold it."""
        if not isinstance(value, str):
            raise TypeError("{}.setValue() takes a str, not {!r}".format(type(self).__name__, value))
        return value

    def _assign(self, value, expressions=None):
        """Takes a checked value; tells the graph when that changes anything."""
        self._alive()
        expressions = expressions or {}
        if value == self._value and expressions == self._expressions:
            return True
        before = self._value, self._expressions
        self._value, self._expressions = value, expressions
        if self._node is not None:
            self._node._graph.knob_changed(self, lambda: self._restore(*before))
        return True

    def _restore(self, value, expressions):
        self._value, self._expressions = value, expressions
        if self._name == "file_type" and self._node is not None:
            self._node._sync_file_type()

    def _alter(self, attribute, value):
        """Takes a label, tooltip, flags or entries, which are part of the script too."""
        self._alive()
        before = getattr(self, attribute)
        if value != before:
            setattr(self, attribute, value)
            if self._node is not None:
                what = "{} of {}".format(attribute[1:], self._name)
                self._node._graph.touch(what, lambda: setattr(self, attribute, before))

    def _has(self, flag):
        return bool(self._flags & FLAGS[flag])

    def _is_default(self):
        return self._value == self._default and not self._expressions

    def _word(self):
        """The value as one word of script text."""
        return tcl.word(self._plain())

    def _plain(self):
        return self._value

    def _read(self, text):
        """Takes what `_word` wrote, once unquoted."""
        self._assign(self._checked(text))

    def _resolve(self, name, frame):
        """The number behind a name in an expression of this knob."""
        if name in ("frame", "t", "x"):
            return float(frame)
        knob = self._node._graph.find_knob(name, self._node)
        return float(knob._number(0, frame))

    def _number(self, index, frame):
        """The value as expressions see it."""
        raise NotModelled("a {} has no number".format(type(self).__name__))

    def _expression_value(self, index, frame):
        text = self._expressions[index]
        if "[" in text:
            text = self._node._graph.substitute(text, self._node, frame)
        return expressions.evaluate(text, lambda name: self._resolve(name, frame))

    def _frame(self):
        return self._node._graph.frame if self._node is not None else 1

    # -- what Nuke shows of it

    def Class(self):
        self._alive()
        return type(self).__name__

    def name(self):
        self._alive()
        return self._name

    def setName(self, name):
        self._alive()
        if self._node is not None:
            self._node._rename_knob(self, name)
        self._name = name

    def label(self):
        self._alive()
        return self._label

    def setLabel(self, label):
        self._alter("_label", label)

    def tooltip(self):
        self._alive()
        return self._tooltip

    def setTooltip(self, tooltip):
        self._alter("_tooltip", tooltip)

    def node(self):
        self._alive()
        return self._node

    def fullyQualifiedName(self, channel=0):
        self._alive()
        return "{}.{}".format(self._node._full_name(), self._name) if self._node else self._name

    def setFlag(self, flag):
        self._alter("_flags", self._flags | flag)

    def clearFlag(self, flag):
        self._alter("_flags", self._flags & ~flag)

    def getFlag(self, flag):
        self._alive()
        return bool(self._flags & flag)

    def enabled(self):
        self._alive()
        return not self._has("DISABLED")

    def setEnabled(self, enabled):
        self.clearFlag(FLAGS["DISABLED"]) if enabled else self.setFlag(FLAGS["DISABLED"])

    def visible(self):
        self._alive()
        return not self._has("INVISIBLE")

    def setVisible(self, visible):
        self.clearFlag(FLAGS["INVISIBLE"]) if visible else self.setFlag(FLAGS["INVISIBLE"])

    # -- values

    def value(self):
        self._alive()
        return self._value

    def getValue(self):
        self._alive()
        return self._value

    def setValue(self, val):
        return self._assign(self._checked(val))

    def toScript(self, quote=True, context=None):
        self._alive()
        return self._word() if quote else self._plain()

    def fromScript(self, script):
        parts = tcl.split(script) if script[:1] in ('"', "{") else [script]
        self._read(parts[0] if len(parts) == 1 else script)

    # -- expressions and animation

    def hasExpression(self, index=-1):
        self._alive()
        return bool(self._expressions) if index == -1 else index in self._expressions

    def isAnimated(self, channel=-1):
        # Nuke counts an expression as animation.
        return self.hasExpression(channel)

    def setExpression(self, expression, channel=-1, view=None):
        raise NotModelled("expressions in a {}".format(type(self).__name__))

    def clearAnimated(self, channel=-1):
        if self._expressions:
            self._assign(self._value, {})
        return True


def run_python(text, name):
    """Runs Python text of a knob as Nuke does, in `__main__`; errors are kept as printed."""
    import __main__
    import nuke

    with BENCH.event(name):
        try:
            vars(__main__).setdefault("nuke", nuke)
            exec(compile(text, "<string>", "exec"), vars(__main__))
        except Exception:
            BENCH.printed()
