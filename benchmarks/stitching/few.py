"""Grain of recovered pixels where a locked-off camera has few frames, so that all take them from the same ones.

The same set is shot three times, each time with other grain. Whatever of a result is not the same in two of them is
grain, and whatever is the same is not: errors of the picture, which stand still as well, do not count as grain.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from void_plugin.settings import RenderSettings

from .checks import Check
from .jobs import Studio
from .metrics import Mask
from .scenes import Picture, Scene, has_photo
from .shots import Shot

SHOTS = 3
MADE, TRUE = 0, 1
MOST_REPEATED = 0.02
"""Correlation of two frames' grain (image.md 4)."""
NEAR_TRUTH = (0.9, 1.1)
"""Deviation of grain over the truth's."""
MOST_APART = 0.05
"""Difference in the correlation of neighbouring pixels."""
FEWEST = 300
"""Pixels below which two frames are not compared."""
SETTINGS = RenderSettings(source="hybrid", source_channel=True)
LOCKED: dict[str, Any] = {
    "size": (432, 768), "count": 12, "camera": "locked", "centre": (160, 560), "radii": (112, 240), "step": (136, 0),
    "shadow": False,
}  # fmt: skip
"""Ten of twelve frames show each pixel."""
HIDING: dict[str, Any] = {**LOCKED, "centre": (700, 600), "radii": (200, 300), "step": (31.8, 0)}
"""Two or three of twelve do."""

SCENES: tuple[Scene, ...] = (
    Scene("few", background="dots", **LOCKED),
    Scene("few, textured", **LOCKED),
    Scene("few, mostly hidden", background="dots", **HIDING),
)
"""Only the first is held to the limit. A mean of ten frames has a tenth of the grain's power left, and that is the same
in all frames. Nothing but its lack of shape tells it from the set: in a photograph it goes only as far as texture as
weak and as fine would go with it. A mean of two or three frames has a third to half of the power left."""


def scenes() -> list[Scene]:
    """Those that can be shot here: the wall that stands in for a photograph is another one in every take."""
    return [scene for scene in SCENES if scene.background != "photo" or has_photo()]


def measure(scene: Scene, studio: Studio) -> Iterator[Check]:
    """What recovered pixels' grain is like beside the truth's, all channels and frames together."""
    shots = [_shot(replace(scene, seed=scene.seed + index), studio) for index in range(SHOTS)]
    recovered = [np.logical_and.reduce(masks) for masks in zip(*(shot[2] for shot in shots), strict=True)]
    pairs = [
        tuple(
            [one - other for one, other in zip(shots[first][which], shots[second][which], strict=True)]
            for which in (0, 1)
        )
        for first, second in itertools.combinations(range(SHOTS), 2)
    ]

    def mean(figure: Callable[[Sequence[Picture], Sequence[Mask]], float], which: int) -> float:
        return float(np.mean([figure(pair[which], recovered) for pair in pairs]))

    most = MOST_REPEATED if scene.name == SCENES[0].name else math.inf
    yield Check("few", scene.name, "correlation of two frames' grain", mean(repeated, MADE), most=most)
    strength = math.sqrt(mean(power, MADE) / mean(power, TRUE))
    yield Check("few", scene.name, "deviation over the truth's", strength, *NEAR_TRUTH)
    apart = abs(mean(neighbours, MADE) - mean(neighbours, TRUE))
    yield Check("few", scene.name, "correlation of neighbours, off by", apart, most=MOST_APART)


def repeated(grain: Sequence[Picture], where: Sequence[Mask]) -> float:
    """Correlation of each frame's grain with the next one's, over what is recovered in both."""
    found = []
    for index in range(len(grain) - 1):
        both = where[index] & where[index + 1]
        if both.sum() >= FEWEST:
            one, other = (part[both].astype(np.float64) for part in grain[index : index + 2])
            found.append((one * other).sum() / np.sqrt((one * one).sum() * (other * other).sum()))
    return float(np.mean(found)) if found else float("nan")


def neighbours(grain: Sequence[Picture], where: Sequence[Mask]) -> float:
    """Correlation of each pixel with the one to its right."""
    together, alone = 0.0, 0.0
    for picture, mask in zip(grain, where, strict=True):
        both = mask[:, 1:] & mask[:, :-1]
        one, other = picture[:, 1:][both].astype(np.float64), picture[:, :-1][both].astype(np.float64)
        together += float((one * other).sum())
        alone += float((one * one).sum() + (other * other).sum()) / 2
    return together / alone if alone else float("nan")


def power(grain: Sequence[Picture], where: Sequence[Mask]) -> float:
    """Mean square of what is recovered."""
    return float(np.mean(np.concatenate([picture[mask] for picture, mask in zip(grain, where, strict=True)]) ** 2))


def _shot(scene: Scene, studio: Studio) -> tuple[list[Picture], list[Picture], list[Mask]]:
    """The grained result, the truth with its grain, and where pixels are recovered alone."""
    shot = Shot.of_scene(scene, studio)
    # Its own grain must differ as well, or it would not show.
    ran = shot.ours("soft", replace(SETTINGS, seed=scene.seed))
    where = [(ran.extra[number]["void.source"] == 0.5) & (ran.weights[number] > 0.99) for number in shot.plates.numbers]
    truths = [frame.truth for frame in shot.frames]
    studio.forget(shot.plates)
    return shot.pictures(ran), truths, where
