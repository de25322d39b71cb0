"""Knobs that hold numbers: one or several, with expressions; whole, yes or no, points, sizes, colours."""

from . import tcl
from .knob import Knob
from .strict import handle


@handle
class Array_Knob(Knob):
    """One or several numbers."""

    _zero = [0.0]
    _whole = False
    _single = True
    """Whether equal numbers are given as one, as a colour's are."""

    def __init__(self, name, label=""):
        Knob.__init__(self, name, label)
        self._range = (0.0, 1.0)

    def _one(self, value):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError("{} {!r} takes a number, not {!r}".format(type(self).__name__, self._name, value))
        if self._whole and not isinstance(value, int):
            raise TypeError("{} {!r} takes an int, not {!r}".format(type(self).__name__, self._name, value))
        return float(value)

    def _checked(self, value):
        if isinstance(value, (list, tuple)):
            # A colour shown as one slider holds four equal numbers, so fewer than all may be given.
            if len(value) != len(self._value):
                raise TypeError("{} holds {} numbers, not {}".format(self._name, len(self._value), len(value)))
            return [self._one(item) for item in value]
        return [self._one(value)] * len(self._value)

    def _number(self, index, frame):
        index = max(index, 0)
        if index in self._expressions:
            return self._expression_value(index, frame)
        return self._value[index]

    def _numbers(self, frame):
        return [self._number(index, frame) for index in range(len(self._value))]

    def _shown(self, number):
        return int(number) if self._whole else number

    def value(self, index=None):
        return self._get(index, self._frame(), self._shown)

    def getValue(self, index=None):
        return self._get(index, self._frame(), float)

    def getValueAt(self, time, index=None):
        return self._get(index, time, float)

    def valueAt(self, time, index=None):
        return self._get(index, time, self._shown)

    def _get(self, index, frame, shown):
        self._alive()
        if index is None or index < 0:
            numbers = [shown(number) for number in self._numbers(frame)]
            return numbers[0] if len(numbers) == 1 or (self._single and len(set(numbers)) == 1) else numbers
        if index >= len(self._value):
            raise IndexError("{} has {} numbers".format(self._name, len(self._value)))
        return shown(self._number(index, frame))

    def setValue(self, value, index=None):
        if index is None or index < 0:
            return self._assign(self._checked(value))
        numbers = list(self._value)
        numbers[index] = self._one(value)
        left = {place: text for place, text in self._expressions.items() if place != index}
        return self._assign(numbers, left)

    def setExpression(self, expression, channel=-1, view=None):
        self._alive()
        found = dict(self._expressions)
        for place in range(len(self._value)) if channel == -1 else [channel]:
            found[place] = expression
        return self._assign(list(self._value), found)

    def setRange(self, f1, f2):
        self._alive()
        self._range = (float(f1), float(f2))

    def min(self):
        self._alive()
        return self._range[0]

    def max(self):
        self._alive()
        return self._range[1]

    def minimum(self):
        return self.min()

    def maximum(self):
        return self.max()

    def arraySize(self):
        self._alive()
        return len(self._value)

    def singleValue(self):
        self._alive()
        return len(set(self._value)) == 1

    def setDefaultValue(self, value):
        self._alive()
        # Not written into scripts: there a user knob's default is always the class's own.
        self._offered = self._checked(value)

    def defaultValue(self):
        self._alive()
        return self._shown(getattr(self, "_offered", self._default)[0])

    def notDefault(self):
        self._alive()
        return not self._is_default()

    def _texts(self):
        return [
            "{{{}}}".format(tcl.word(self._expressions[index])) if index in self._expressions else self._text(number)
            for index, number in enumerate(self._value)
        ]

    def _text(self, number):
        if number == int(number) and abs(number) < 1e9:
            return str(int(number))
        return repr(number)

    def _plain(self):
        texts = self._texts()
        return texts[0] if len(set(texts)) == 1 and not self._expressions else " ".join(texts)

    def _word(self):
        plain = self._plain()
        return plain if len(plain.split()) == 1 and not self._expressions else "{{{}}}".format(plain)

    def _read(self, text):
        parts = tcl.split(text)
        if len(parts) == 1:
            parts = parts * len(self._value)
        if len(parts) != len(self._value):
            raise ValueError("{} holds {} numbers, not {!r}".format(self._name, len(self._value), text))
        numbers, found = list(self._value), {}
        for index, part in enumerate(parts):
            try:
                numbers[index] = self._parsed(part)
            except ValueError:
                found[index] = tcl.split(part)[0] if part[:1] in ('"', "{") else part
        self._assign(numbers, found)

    def _parsed(self, text):
        return float(text)


@handle
class Double_Knob(Array_Knob):
    """A number."""


@handle
class Int_Knob(Array_Knob):
    """A whole number; floats are refused, even whole ones."""

    _whole = True

    def value(self):
        return Array_Knob.value(self)


@handle
class Boolean_Knob(Array_Knob):
    """Yes or no."""

    _starts_line = False

    def __init__(self, name, label="", value=False):
        Array_Knob.__init__(self, name, label)
        self._value = [float(value)]

    def _one(self, value):
        return float(bool(value))

    def _shown(self, number):
        return bool(number)

    def value(self):
        return Array_Knob.value(self)

    def setValue(self, b):
        return Array_Knob.setValue(self, b)

    def _text(self, number):
        return "true" if number else "false"

    def _parsed(self, text):
        words = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
        if text not in words:
            raise ValueError(text)
        return words[text]


@handle
class Disable_Knob(Boolean_Knob):
    """Whether a node passes its first input through."""


@handle
class Unsigned_Knob(Array_Knob):
    """A whole number from 0."""

    _whole = True

    def value(self):
        return Array_Knob.value(self)

    def setValue(self, val):
        if not 0 <= val < 1 << 32:
            raise TypeError("{!r} does not fit {}".format(val, self._name))
        return Array_Knob.setValue(self, val)

    def _text(self, number):
        return "0x{:x}".format(int(number))

    def _parsed(self, text):
        return float(int(text, 0))


@handle
class ColorChip_Knob(Unsigned_Knob):
    """A colour as 0xRRGGBBAA; 0 is the preference's."""


@handle
class XY_Knob(Array_Knob):
    """A point."""

    _zero = [0.0, 0.0]
    _single = False


@handle
class XYZ_Knob(Array_Knob):
    """A point in space."""

    _zero = [0.0, 0.0, 0.0]
    _single = False


@handle
class WH_Knob(Array_Knob):
    """A size."""

    _zero = [0.0, 0.0]


@handle
class Scale_Knob(Array_Knob):
    """A scale of each axis."""

    _zero = [1.0, 1.0]


@handle
class BBox_Knob(Array_Knob):
    """A box: left, bottom, right, top."""

    _zero = [0.0, 0.0, 0.0, 0.0]
    _single = False


@handle
class Color_Knob(Array_Knob):
    """A colour."""

    _zero = [0.0, 0.0, 0.0]


@handle
class AColor_Knob(Color_Knob):
    """A colour with alpha."""

    _zero = [0.0, 0.0, 0.0, 0.0]
