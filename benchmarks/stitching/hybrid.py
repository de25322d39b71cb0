"""Real pixels before invented ones: the hybrid beside `recover` and beside the stand-in alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from void_plugin.settings import RenderSettings

from . import metrics
from .checks import Check
from .jobs import Ran
from .shots import GENERATED, Shot
from .standin import Kind

WORSE, BETTER = 0.3, 6.0
"""dB that the hybrid may lie below either source, and must lie above the stand-in where most is revealed."""
HYBRID_SETTINGS = replace(GENERATED, source="hybrid", coverage_channel=True, source_channel=True)
RECOVER = RenderSettings(recover_affected="fill", recover_grain="clean", coverage_channel=True)
REVEALED = ("revealed", "revealed_pan")
ONLY = (*REVEALED, "falls")
"""Scenes that the seam table does without: they are longer, or their truth is not all around the hole."""


def measure(shot: Shot, kind: Kind) -> Iterator[Check]:
    """PSNR against the truth free of grain, pooled over the object's pixels; and where recovered pixels went."""
    hybrid, alone = shot.ours(kind, HYBRID_SETTINGS), shot.ours(kind)
    recovered = shot.studio.run(shot.plates, "recover", RECOVER)
    pictures = {name: shot.pictures(ran) for name, ran in
                (("hybrid", hybrid), ("recover", recovered), ("alone", alone))}  # fmt: skip
    pictures["plain"] = [
        np.where(recovered.extra[number]["void.coverage"][..., None] > 0.5, real, made)
        for number, real, made in zip(shot.plates.numbers, pictures["recover"], pictures["alone"], strict=True)
    ]
    scores = {name: in_hole(shot, results, kind) for name, results in pictures.items()}
    case = f"{shot.name}, {kind}"
    yield Check("hybrid", case, "stand-in alone, dB in the hole", scores["alone"])
    yield Check("hybrid", case, "recover, dB in the hole", scores["recover"])
    yield Check("hybrid", case, "recover where it saw, else stand-in, dB", scores["plain"])
    yield Check("hybrid", case, "hybrid, dB in the hole", scores["hybrid"])
    over_recover, over_alone = scores["hybrid"] - scores["recover"], scores["hybrid"] - scores["alone"]
    if shot.name in REVEALED:
        yield Check("hybrid", case, "hybrid over recover, dB", over_recover, least=-WORSE)
        yield Check("hybrid", case, "hybrid over the stand-in, dB", over_alone, least=BETTER)
    else:
        yield Check("hybrid", case, "hybrid over the stand-in, dB", over_alone, least=-WORSE)
    if shot.plates.has_affected:
        share = recovered_where_it_must_change(shot, hybrid)
        yield Check("hybrid", case, "recovered in the affected area, share", share, most=0.0)
    yield Check("hybrid", case, "recovered in the hole, share", recovered_in_hole(shot, hybrid))


def in_hole(shot: Shot, pictures: Sequence[metrics.Picture], kind: Kind) -> float:
    """PSNR in dB, codes of the model's encoding, of a result under the object and in what must change."""
    squares = []
    for frame, picture in zip(shot.frames, pictures, strict=True):
        hole = (frame.object_matte > metrics.OBJECT_EDGE) | _must_change(shot, frame.affected_matte)
        wrong = shot.wrong(frame, kind)
        error = shot.curve(picture[hole & ~wrong]) - shot.curve(frame.clean[hole & ~wrong])
        squares.append(np.square(error, dtype=np.float64).ravel())
    return metrics.decibel(float(np.concatenate(squares).mean()))


def recovered_where_it_must_change(shot: Shot, ran: Ran) -> float:
    """The share of affected pixels that came from other frames: by the channel of sources, else by coverage."""
    return _share(ran, shot, [frame.affected_matte > 0.5 for frame in shot.frames])


def recovered_in_hole(shot: Shot, ran: Ran) -> float:
    """The share of the object's unaffected pixels that came from other frames."""
    return _share(ran, shot, [(frame.object_matte > 0.5) & (frame.affected_matte <= 0) for frame in shot.frames])


def _share(ran: Ran, shot: Shot, masks: Sequence[metrics.Mask]) -> float:
    taken = []
    for number, mask in zip(shot.plates.numbers, masks, strict=True):
        planes = ran.extra[number]
        source = planes.get("void.source")
        real = planes["void.coverage"] > 0.01 if source is None else (source > 0.1) & (source < 0.9)
        taken.append(real[mask])
    return float(np.concatenate(taken).mean())


def _must_change(shot: Shot, affected: metrics.Picture) -> metrics.Mask:
    """In scenes where something falls, all of the area; a shadow is judged by the seam table."""
    return affected > 0.5 if shot.name == "falls" else np.zeros(affected.shape, bool)
