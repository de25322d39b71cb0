"""Nuke's numeric expressions, as far as a comp needs them: arithmetic, comparison, logic, `a ? b : c`, knobs.

Grammar and operators are those of C, as Foundry's user guide lists them. Names are looked up by the caller.
"""

import math
import re

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|(?P<name>[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)*)"
    r"|(?P<operator>==|!=|<=|>=|&&|\|\||[-+*/%<>!?:(),]))"
)
_FUNCTIONS = {
    "abs": abs,
    "ceil": math.ceil,
    "clamp": lambda x, low=0.0, high=1.0: max(low, min(high, x)),
    "floor": math.floor,
    "int": int,
    "max": max,
    "min": min,
    "rint": lambda x: math.floor(x + 0.5),
}
_LEVELS = (("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%"))
_BINARY = {
    "||": lambda a, b: float(bool(a) or bool(b)),
    "&&": lambda a, b: float(bool(a) and bool(b)),
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<": lambda a, b: float(a < b),
    ">": lambda a, b: float(a > b),
    "<=": lambda a, b: float(a <= b),
    ">=": lambda a, b: float(a >= b),
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": math.fmod,
}


def evaluate(text, lookup):
    """The value of an expression; `lookup(name)` gives a number. ValueError when it cannot be read."""
    parser = _Parser(text, lookup)
    value = parser.choice()
    parser.expect("")
    return float(value)


class _Parser(object):
    def __init__(self, text, lookup):
        self._text, self._lookup = text, lookup
        self._tokens = self._split(text)
        self._at = 0

    def _split(self, text):
        tokens, at = [], 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if not match:
                raise ValueError("nothing is known to begin with {!r} in the expression {!r}".format(text[at:], text))
            tokens.append((match.lastgroup, match.group(match.lastgroup)))
            at = match.end()
        return tokens + [("end", "")]

    def _take(self, *operators):
        kind, text = self._tokens[self._at]
        if kind == "operator" and text in operators:
            self._at += 1
            return text
        return ""

    def expect(self, operator):
        kind, text = self._tokens[self._at]
        if text != operator or (not operator and kind != "end"):
            raise ValueError("{!r} is not expected in the expression {!r}".format(text, self._text))
        self._at += 1

    def choice(self):
        condition = self._binary(0)
        if not self._take("?"):
            return condition
        first = self.choice()
        self.expect(":")
        second = self.choice()
        return first if condition else second

    def _binary(self, level):
        if level == len(_LEVELS):
            return self._unary()
        value = self._binary(level + 1)
        while True:
            operator = self._take(*_LEVELS[level])
            if not operator:
                return value
            value = _BINARY[operator](value, self._binary(level + 1))

    def _unary(self):
        operator = self._take("-", "!", "+")
        if operator == "-":
            return -self._unary()
        if operator == "!":
            return float(not self._unary())
        if operator == "+":
            return self._unary()
        return self._primary()

    def _primary(self):
        if self._take("("):
            value = self.choice()
            self.expect(")")
            return value
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return float(text)
        if kind != "name":
            raise ValueError("{!r} is not expected in the expression {!r}".format(text, self._text))
        if not self._take("("):
            return self._lookup(text)
        if text not in _FUNCTIONS:
            raise ValueError("the fake models no function {!r} in expressions".format(text))
        arguments = [self.choice()]
        while self._take(","):
            arguments.append(self.choice())
        self.expect(")")
        return float(_FUNCTIONS[text](*arguments))
