"""What is measured: figures over several rounds, taken in turn, their ratios and how they grow."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Way = Callable[[], float]
"""One way to do a thing; returns what it cost."""


@dataclass(frozen=True)
class Figure:
    """What one quantity came to, round by round."""

    values: tuple[float, ...]

    @property
    def middle(self) -> float:
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        return min(self.values)

    @property
    def most(self) -> float:
        return max(self.values)

    def over(self, other: Figure) -> Figure:
        """Round by round the ratio to another figure of the same rounds, so that a slow minute slows both."""
        return Figure(tuple(mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)))

    def plus(self, other: Figure) -> Figure:
        """Round by round the sum."""
        return Figure(tuple(mine + theirs for mine, theirs in zip(self.values, other.values, strict=True)))

    def times(self, factor: float) -> Figure:
        """In another unit."""
        return Figure(tuple(value * factor for value in self.values))

    def __str__(self) -> str:
        if len(self.values) == 1:
            return short(self.middle)
        return f"{short(self.middle)} ({short(self.least)}–{short(self.most)})"


def short(value: float) -> str:
    """A number with about three digits that count."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 or size == 0 else 4
    return f"{value:,.{digits}f}"


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes by the clock."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def in_turn(ways: Mapping[str, Way], rounds: int) -> dict[str, Figure]:
    """Every way once a round, in an order that turns round each time: what drifts on a machine meets all alike."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name in list(ways) if number % 2 == 0 else reversed(list(ways)):
            found[name].append(ways[name]())
    return {name: Figure(tuple(values)) for name, values in found.items()}


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The e of cost = a * size ** e that fits best, by least squares of the logarithms."""
    return statistics.linear_regression([math.log(size) for size in sizes], [math.log(cost) for cost in costs]).slope


def growth(sizes: Sequence[float], costs: Sequence[Figure]) -> Figure:
    """The exponent of every round."""
    rounds = zip(*(cost.values for cost in costs), strict=True)
    return Figure(tuple(exponent(sizes, found) for found in rounds))
