"""The seam table: the product beside hard paste, feather, ring gain and multiband on every scene and stand-in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from benching.tables import Table

from void_plugin.settings import RenderSettings

from . import metrics
from .checks import Check
from .jobs import Ran
from .scenes import Scene
from .shots import COLOURS_RIGHT, GENERATED, Shot
from .standin import Kind

OTHER_GRAIN = "truth, other grain"
"""The truth itself with grain of its own: what two grains differ by is no fault of the stitching, and adds to the
limits of results that are grained."""
GRAINED = "ours, grain synth"
OURS: Mapping[str, RenderSettings] = {
    "ours, grain off": GENERATED,
    GRAINED: RenderSettings(source="generated", grain="synth"),
}
SEAM, FLICKER, LOW = 0.6, 1.05, 0.75
"""Codes; a hard paste has about 1.6, 2.0 and 2.0 (image.md 3.1)."""
BESIDE_RIGHT = 1.25
"""Times what is left with the right colours, where that alone is past a limit: a nasty model puts edges elsewhere."""
SHADOW_PSNR, SHADOW_DETAIL = 37.0, (0.9, 1.15)
REACH = 12.0
"""Pixels at 1920 wide beyond which nothing may change (architecture, section 5)."""


@dataclass(frozen=True)
class Row:
    """One method on one scene, stand-in and seed."""

    scene: str
    standin: Kind
    seed: int
    method: str
    score: metrics.Score
    exact: float
    """Share of samples beyond the reach that are the plate's, bit for bit; NaN where it was not looked at."""
    seconds: float = math.nan

    def record(self) -> dict[str, object]:
        """For JSON."""
        values = {**asdict(self), **asdict(self.score)}
        values.pop("score")
        return {name: None if isinstance(v, float) and math.isnan(v) else v for name, v in values.items()}


def measure(shot: Shot, kind: Kind, *, comp: bool) -> Iterator[Row]:
    """All methods on one shot; `comp` has the product write whole frames too and holds them to the plate."""
    judge = shot.judge(kind)

    def row(method: str, pictures: Sequence[metrics.Picture], exact: float = math.nan, took: float = math.nan) -> Row:
        return Row(shot.name, kind, shot.seed, method, judge.score(pictures), exact, took)

    plain: Ran | None = None
    ours = []
    for name, settings in OURS.items():
        ran = shot.ours(kind, settings, comp=comp)
        plain = plain or ran
        ours.append(row(name, shot.pictures(ran), exactness(shot, ran), ran.seconds))
    assert plain is not None
    yield row("plate untouched", [frame.plate for frame in shot.frames])
    yield row(OTHER_GRAIN, [frame.regrained for frame in shot.frames])
    for name, pictures in shot.others(kind, plain.plan).items():
        yield row(name, pictures)
    yield from ours


def exactness(shot: Shot, ran: Ran) -> float:
    """The share of samples beyond the reach with the plate's own bits, of the merged patch and of the comp."""
    shares: list[float] = []
    for frame, plate in zip(shot.frames, shot.plate_bits, strict=True):
        far = metrics.far_from(frame.object_matte, frame.affected_matte, REACH * shot.unit)
        results = [ran.pictures[frame.number], *([ran.comps[frame.number]] if ran.comps else [])]
        shares.extend(metrics.same_bits(result, plate, far) for result in results)
    return float(np.min(shares))


def checks(rows: Sequence[Row], scenes: Mapping[str, Scene]) -> Iterator[Check]:
    """The limits of the issue, held by the mean of the seeds; exactness by each."""
    groups = _grouped(rows)
    for (name, kind, method), group in groups.items():
        if method not in OURS:
            continue
        case = f"{name}, {kind}, {method.removeprefix('ours, ')}"
        yield Check("seam", case, "exact outside, share", min(row.exact for row in group), least=1.0)
        if not scenes[name].judged:
            continue
        score, right = _mean(group), _mean(groups[name, kind, COLOURS_RIGHT])
        grain = _mean(groups[name, kind, OTHER_GRAIN])
        for field, what, limit in (
            ("seam", "seam, codes", SEAM),
            ("low", "low-frequency error, codes", LOW),
            ("flicker", "flicker, codes", FLICKER),
        ):
            if kind == "nasty":
                limit = max(limit, BESIDE_RIGHT * right[field])
            if method == GRAINED:
                limit = math.hypot(limit, grain[field])
            yield Check("seam", case, what, score[field], most=limit)
        if math.isnan(score["shadow_psnr"]):
            continue
        floor = min(SHADOW_PSNR, right["shadow_psnr"]) if kind == "nasty" else SHADOW_PSNR
        if method == GRAINED:
            floor = metrics.decibel(10 ** (-floor / 10) + 10 ** (-grain["shadow_psnr"] / 10))
        yield Check("seam", case, "shadow area, dB", score["shadow_psnr"], least=floor)
        least, most = SHADOW_DETAIL
        if method == GRAINED:  # the finest of a plate is grain, so without it there is less by intent
            yield Check("seam", case, "shadow area, fine detail ratio", score["shadow_detail"], least=least, most=most)


def _mean(rows: Sequence[Row]) -> dict[str, float]:
    return {
        item.name: float(np.mean([getattr(row.score, item.name) for row in rows])) for item in fields(metrics.Score)
    }


def as_table(rows: Sequence[Row]) -> Table:
    """Means over the seeds, a row a method."""
    columns = (
        "scene, stand-in, method", "PSNR", "SSIM", "seam", "low", "flicker", "shadow dB", "detail", "exact outside",
    )  # fmt: skip
    table = Table("stitch.seam", "Stitching: a generated picture put back into the plate", columns)
    grouped = _grouped(rows)
    for (name, kind, method), group in grouped.items():
        mean = _mean(group)
        exact = min(row.exact for row in group)
        values = [mean[key] for key in ("psnr", "ssim", "seam", "low", "flicker", "shadow_psnr", "shadow_detail")]
        table.add(f"{name}, {kind}, {method}", *values, "–" if math.isnan(exact) else f"{exact:.2%}")
    table.notes.append(f"Mean of {len({row.seed for row in rows})} seeds; codes of 1/255 of the model's encoding.")
    return table


def _grouped(rows: Sequence[Row]) -> dict[tuple[str, Kind, str], list[Row]]:
    groups: dict[tuple[str, Kind, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.scene, row.standin, row.method), []).append(row)
    return groups
