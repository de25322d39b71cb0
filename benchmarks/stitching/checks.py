"""One figure held to a limit."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """A measured value and what it must be; without limits it is for information."""

    block: str
    case: str
    what: str
    value: float
    least: float = -math.inf
    most: float = math.inf

    @property
    def limited(self) -> bool:
        """True where there is a limit to meet."""
        return not (math.isinf(self.least) and math.isinf(self.most))

    @property
    def met(self) -> bool:
        """True where the value lies within the limits; NaN never does."""
        return self.least <= self.value <= self.most

    @property
    def wanted(self) -> str:
        """The limits in words."""
        if math.isinf(self.most):
            return "" if math.isinf(self.least) else f">= {self.least:g}"
        return f"<= {self.most:g}" if math.isinf(self.least) else f"{self.least:g} to {self.most:g}"

    def line(self) -> str:
        """For a table."""
        verdict = ("met" if self.met else "MISSED") if self.limited else ""
        return f"{self.case:34} {self.what:38} {self.value:10.4f}  {self.wanted:14} {verdict}".rstrip()
