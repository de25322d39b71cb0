"""The curves between scene light and code values: sRGB, and sRGB with a logarithmic shoulder.

Each is defined by two functions in double precision and looked up in tables: a cell of a table is a straight line, and
the lookup uses only shifts, products and sums, so the same light has the same code on every processor, with any
number of threads. The lines are closer to the curve than a thousandth of what tells two half values apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

KNEE = 0.8
"""Code at which the shoulder begins; 0.8 keeps 18 % grey and skin on the plain sRGB curve (image.md 2.4)."""
LIGHT_BITS = 10
"""Cells to a doubling of light, as a power of two: those of half values, whose codes are therefore not interpolated."""
CODE_BITS = 15
"""Cells to a code of 1, as a power of two: above the knee light grows by a thousandth within one at most."""
CODES = (-1, 2)
"""Codes that the table holds, the brightest half of every peak among them; others are computed."""
LINEAR = -9
"""Light below this power of two lies on the straight part of the sRGB curve."""
BLOCK = 1 << 15
"""Values looked up at once: their indices and lines stay in a processor's own cache."""

Pixels = NDArray[np.float32]
Doubles = NDArray[np.float64]
Lines = NDArray[np.complex64]
"""Straight lines, start as real and slope as imaginary part: one fetch brings both."""


def srgb_encode(x: NDArray[Any]) -> NDArray[Any]:
    """The sRGB curve (IEC 61966-2-1), mirrored for negatives."""
    size = np.abs(x)
    code = np.where(size <= 0.0031308, 12.92 * size, 1.055 * np.maximum(size, 1e-9) ** (1 / 2.4) - 0.055)
    return np.asarray(np.copysign(code, x))


def srgb_decode(y: NDArray[Any]) -> NDArray[Any]:
    """The inverse of `srgb_encode`."""
    size = np.abs(y)
    return np.asarray(np.copysign(np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4), y))


class Curve(ABC):
    """Finite light to code values and back, exactly enough for every half value to return."""

    @abstractmethod
    def code(self, light: Doubles) -> Doubles:
        """Code values, computed; below 2 ** LINEAR this is 12.92 times the light."""

    @abstractmethod
    def light(self, code: Doubles) -> Doubles:
        """Linear light, computed."""

    def encode(self, light: Pixels) -> Pixels:
        """Linear to code values; above the peak past 1, below 0 negative (clamp for a model, not here)."""
        values = np.array(light, np.float32, order="C")
        self.encode_in_place(values)
        return values

    def decode(self, code: Pixels) -> Pixels:
        """Code values to linear."""
        values = np.array(code, np.float32, order="C")
        self.decode_in_place(values)
        return values

    def encode_in_place(self, values: Pixels) -> None:
        """`encode` of a contiguous array."""
        flat = values.reshape(-1)
        for first in range(0, flat.size, BLOCK):
            block = flat[first : first + BLOCK]
            lines = self._light_table.take((block.view(np.uint32) >> (23 - LIGHT_BITS)).astype(np.intp))
            block *= lines.imag
            block += lines.real

    def decode_in_place(self, values: Pixels) -> None:
        """`decode` of a contiguous array."""
        flat = values.reshape(-1)
        for first in range(0, flat.size, BLOCK):
            block = flat[first : first + BLOCK]
            beyond, computed = self._beyond(block)
            block[beyond] = 0
            block *= np.float32(1 << CODE_BITS)
            cell = np.trunc(block)
            cell += np.float32(0)  # -0.0 becomes 0.0, and so -0.0 stays what it is in the next line
            block -= cell
            cell -= np.float32(CODES[0] << CODE_BITS)
            lines = self._code_table.take(cell.astype(np.intp))
            block *= lines.imag
            block += lines.real
            block[beyond] = computed

    def _beyond(self, block: Pixels) -> tuple[NDArray[np.intp], Pixels]:
        """Where codes lie that the table does not hold, and their light."""
        if block.min() >= CODES[0] and block.max() <= CODES[1]:
            return np.zeros(0, np.intp), np.zeros(0, np.float32)
        beyond = np.flatnonzero(~((block >= CODES[0]) & (block <= CODES[1])))
        return beyond, _single(self.light(block[beyond].astype(np.float64)))

    @cached_property
    def _light_table(self) -> Lines:
        """Code = start + slope * light, by the leading bits of light as float32: sign, exponent, LIGHT_BITS more."""
        # Beginning with the straight part; -0.0 is the number that leaves the sign of a zero alone.
        table = np.full((2, 256, 1 << LIGHT_BITS), complex(-0.0, 12.92), np.complex64)
        exponents, parts = np.arange(LINEAR, 128), 1 + np.arange((1 << LIGHT_BITS) + 1) / (1 << LIGHT_BITS)
        size = np.ldexp(parts, exponents[:, None])
        for index, sign in enumerate((1.0, -1.0)):
            light = sign * size
            code = self.code(light)
            slope = np.diff(code) / np.diff(light)
            table[index, exponents + 127] = code[:, :-1] - slope * light[:, :-1] + 1j * slope
        return table.reshape(-1)

    @cached_property
    def _code_table(self) -> Lines:
        """Light = start + slope * the share of the cell that lies between the code and the cell's end nearer to 0."""
        cell = np.arange((CODES[0] << CODE_BITS) - 1, (CODES[1] << CODE_BITS) + 2)
        light = _single(self.light(cell / (1 << CODE_BITS))).astype(np.float64)
        ahead, behind = light[2:] - light[1:-1], light[1:-1] - light[:-2]
        table: Lines = np.empty(cell.size - 2, np.complex64)
        table.real = np.where(cell[1:-1] == 0, -0.0, light[1:-1])
        table.imag = np.where(cell[1:-1] < 0, behind, ahead)
        return table


@dataclass(frozen=True)
class Srgb(Curve):
    """The sRGB curve alone."""

    def code(self, light: Doubles) -> Doubles:
        return srgb_encode(light)

    def light(self, code: Doubles) -> Doubles:
        return srgb_decode(code)


@dataclass(frozen=True)
class Knee(Curve):
    """sRGB below the knee, a logarithm with matching slope above, `peak` at code 1."""

    peak: float

    @cached_property
    def _numbers(self) -> tuple[float, float, float]:
        """Knee position in linear, scale s and gain A of y = KNEE + A ln(1 + (x - knee) / s)."""
        knee = ((KNEE + 0.055) / 1.055) ** 2.4
        slope = 1.055 / 2.4 * knee ** (1 / 2.4 - 1)
        low, high = 1e-9, 1e3
        for _ in range(200):  # bisection in the logarithm; y(peak) grows with s
            middle = float(np.sqrt(low * high))
            if slope * middle * np.log1p((self.peak - knee) / middle) > 1 - KNEE:
                high = middle
            else:
                low = middle
        return knee, low, slope * low

    def code(self, light: Doubles) -> Doubles:
        knee, scale, gain = self._numbers
        shoulder = KNEE + gain * np.log1p(np.maximum(light - knee, 0) / scale)
        return np.where(light <= knee, srgb_encode(np.minimum(light, knee)), shoulder)

    def light(self, code: Doubles) -> Doubles:
        knee, scale, gain = self._numbers
        # As far as float32 reaches: e ** 700 is more, and less than what float64 holds.
        shoulder = knee + scale * np.expm1(np.clip((code - KNEE) / gain, 0, 700))
        return np.where(code <= KNEE, srgb_decode(np.minimum(code, KNEE)), shoulder)


def _single(light: Doubles) -> Pixels:
    """As float32, ending where that ends."""
    most = float(np.finfo(np.float32).max)
    return np.clip(light, -most, most).astype(np.float32)
