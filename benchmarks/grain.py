"""Does new grain match the plate's, and what does it cost? Known grain on known scenes, measured and made again.

    python benchmarks/grain.py [--quick] [--rounds 3] [--width 960] [--json FILE] [--results FILE]

Every round is another seed, every row the worst over rounds and channels. `sigma` is the error of deviation at six
lumas, `lags` of autocorrelation at (0,1), (1,0) and (1,1), `psd` the greatest log2 ratio of radial power in bins of
0.05 cycles/px above 0.05, `lowest` that of the bin below, `cross` the error of correlation between channels, `frames`
the correlation of two frames' grain. Power below a thousandth of the peak is not compared. Seconds are processor time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from benching.command import answer, build_parser
from benching.figures import Figure
from benching.tables import Table, Verdict
from numpy.typing import NDArray

from void_server.engines import KEEP, Picture
from void_server.grain import GrainModel, analyse
from void_server.regrain import add, synthesise
from void_server.scatter import can_scatter, scatter
from void_server.scenes import MemoryFrames
from void_server.tiles import Box

LIMITS = {"sigma": 0.10, "lags": 0.05, "psd": 0.3, "cross": 0.05, "frames": 0.02}
"""What image.md 4 asks for."""
FIELDS = {"sharp": ((0.55, 0.55, 0.95), 0.3), "soft": ((1.4, 1.4, 1.4), 0.3), "white": ((0.0, 0.0, 0.0), 0.0)}
"""Blur in pixels of R, G and B, and what the channels share: the reference's own field, a softer one, plain noise."""
LEVELS = {"light": 2.5e-5, "medium": 2.5e-4, "heavy": 2.5e-3}
"""Slope of variance against luma; the reference's is the medium."""
RESPONSE = np.array([1.0, 0.8, 1.6])
SCENES = ("flat", "textured", "pan", "still")
"""Locked off without and with texture, a pan of 3.3 x 0.7 px a frame, and a single textured frame."""
FRAMES = 6
SYNTH_BOX = Box(-7, 3, 993, 603)
SYNTH_MS = 60.0
"""Milliseconds that 600 x 1000 px may take on one core."""


@dataclass
class Row:
    """What one grain on one scene came to."""

    sigma: float = 0.0
    lags: float = 0.0
    psd: float = 0.0
    lowest: float = 0.0
    cross: float = 0.0
    frames: float = 0.0
    repeats: bool = True
    kernel: int = 0
    analyse_s: float = 0.0
    synth_ms: float = 0.0


def blurred(plane: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma)) if sigma else plane


def field(name: str, size: tuple[int, int], seed: object) -> NDArray[np.float64]:
    """Grain of unit variance whose nature is known."""
    blurs, shared = FIELDS[name]
    random = np.random.default_rng(seed)  # type: ignore[arg-type]
    own, common = random.standard_normal((*size, 3)), random.standard_normal((*size, 1))
    white = own * np.sqrt(1 - shared) + common * np.sqrt(shared)
    planes = np.stack([blurred(white[..., i], blur) for i, blur in enumerate(blurs)], axis=-1)
    return np.asarray(planes / planes.std(axis=(0, 1)))


def clean_frame(scene: str, size: tuple[int, int], index: int, seed: int) -> NDArray[np.float64]:
    """The scene without grain: a ramp of light, and texture of many sizes."""
    high, wide = size
    y, x = np.mgrid[0:high, 0:wide].astype(np.float64)
    ramp = 0.02 + 0.6 * x[..., None] / wide * (0.6 + 0.4 * np.sin(y / 70))[..., None] * np.array([1, 0.9, 0.7])
    if scene == "flat":
        return np.asarray(ramp)
    margin = 64
    random = np.random.default_rng((seed, 99))
    texture = np.zeros((high + 2 * margin, wide + 2 * margin))
    # Texture covers half the picture, as things in a set do.
    coarse = random.standard_normal((high // 64 + 3, wide // 64 + 3))
    cover = np.clip(cv2.resize(coarse, texture.shape[::-1], interpolation=cv2.INTER_CUBIC) * 4, 0, 1)
    for blur, strength in ((2.0, 0.12), (6.0, 0.3), (20.0, 0.4)):
        part = blurred(random.standard_normal(texture.shape), blur)
        texture += strength * part / part.std() * cover
    shift = np.array([[1, 0, margin], [0, 1, margin]], np.float64)
    if scene == "pan":
        shift[:, 2] += np.array([3.3, 0.7]) * index
    moved = cv2.warpAffine(texture, shift, (wide, high), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return np.asarray(ramp * np.exp(np.asarray(moved))[..., None])


def deviation(level: str, light: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(4e-6 + LEVELS[level] * np.maximum(light, 0) * RESPONSE))


def shot(grain: str, level: str, scene: str, size: tuple[int, int], seed: int) -> MemoryFrames:
    """A few frames of half-float values, with a hole in the middle."""
    plates = []
    for index in range(1 if scene == "still" else FRAMES):
        clean = clean_frame(scene, size, index, seed)
        if level != "none":
            clean = clean + field(grain, size, (seed, index)) * deviation(level, clean)
        plates.append(clean.astype(np.float16).astype(np.float32))
    labels = np.full(size, KEEP, np.uint8)
    labels[size[0] // 3 : 2 * size[0] // 3, size[1] // 3 : size[1] // 2] = 0
    return MemoryFrames(plates, [labels] * len(plates))


def correlation(grain: NDArray[np.floating], dy: int, dx: int) -> NDArray[np.float64]:
    high, wide = grain.shape[:2]
    product = grain[: high - dy, : wide - dx] * grain[dy:, dx:]
    return np.asarray(product.mean(axis=(0, 1)) / np.square(grain).mean(axis=(0, 1)))


def radial(plane: NDArray[np.floating]) -> NDArray[np.float64]:
    power = np.abs(np.fft.fft2(plane)) ** 2 / plane.size
    y, x = (np.fft.fftfreq(side) for side in plane.shape)
    ring = (np.hypot(y[:, None], x) * 20).astype(int)
    return np.asarray([power[ring == n].mean() for n in range(10)])


def compare(row: Row, made: Picture, truth: NDArray[np.float64]) -> None:
    """Worsen a row by how the second-order statistics of unit grain differ from the truth's."""
    for lag in (0, 1), (1, 0), (1, 1):
        row.lags = max(row.lags, float(np.abs(correlation(made, *lag) - correlation(truth, *lag)).max()))
    both = (np.corrcoef(part.reshape(-1, 3).T) for part in (made, truth))
    row.cross = max(row.cross, float(np.abs(next(both) - next(both)).max()))
    for channel in range(3):
        wanted = radial(truth[..., channel])
        ratio = np.log2(radial(made[..., channel]) / wanted)
        heard = wanted > 1e-3 * wanted.max()
        row.psd = max(row.psd, float(np.abs(ratio[1:][heard[1:]]).max()))
        row.lowest = max(row.lowest, float(abs(ratio[0])))


def timed(work: Callable[[], Picture]) -> tuple[Picture, float]:
    best, result = np.inf, work()
    for _ in range(2):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return result, best * 1e3


def judge(grain: str, level: str, scene: str, size: tuple[int, int], seeds: int) -> tuple[Row, Row | None]:
    """Synthesised grain and, where there is enough clean area, scattered grain."""
    synth, moved = Row(), Row()
    scattered = False
    truth = field(grain, (1080, 1920), 4242)
    area = Box(0, 0, size[1], size[0])
    for seed in range(seeds):
        frames = shot(grain, level, scene, size, seed)
        start = time.process_time()
        model = analyse(frames, frames.numbers, area, 1, lambda: False)
        synth.analyse_s = max(synth.analyse_s, time.process_time() - start)
        again = analyse(frames, frames.numbers, area, 1, lambda: False)
        synth.repeats &= all(np.array_equal(a, again.to_arrays()[n]) for n, a in model.to_arrays().items())
        synth.kernel = max(synth.kernel, model.kernel.shape[-1])
        lumas = np.quantile(clean_frame(scene, size, 0, seed), (np.arange(6) + 0.5) / 6)
        for luma in lumas:
            pixel = np.full((1, 1, 3), luma)
            error = model.sigma(pixel.astype(np.float32)) / deviation(level, pixel) - 1
            synth.sigma = max(synth.sigma, float(np.abs(error).max()))
        number = frames.numbers[0]
        makers: list[tuple[Row, Callable[[int], Picture]]] = [
            (synth, lambda n, model=model: synthesise(model, 5, n, SYNTH_BOX))  # type: ignore[misc]
        ]
        if can_scatter(frames, number, area):
            scattered = True
            makers.append((moved, lambda n, model=model, frames=frames: scatter(model, frames, area, 5, n, SYNTH_BOX)))  # type: ignore[misc]
        for row, make in makers:
            made, milliseconds = timed(lambda make=make, number=number: make(number))  # type: ignore[misc]
            row.synth_ms = max(row.synth_ms, milliseconds)
            compare(row, made, truth)
            other = make(number + 1)
            together = [np.corrcoef(made[..., i].ravel(), other[..., i].ravel())[0, 1] for i in range(3)]
            row.frames = max(row.frames, float(np.abs(together).max()))
            row.repeats &= bool(np.array_equal(made, make(number)))
    return synth, moved if scattered else None


def added_to_nothing(scene: str, size: tuple[int, int]) -> tuple[GrainModel, float]:
    """The model of a plate without grain, and the greatest grain that it adds."""
    frames = shot("sharp", "none", scene, size, 0)
    model = analyse(frames, frames.numbers, Box(0, 0, size[1], size[0]), 1, lambda: False)
    plate = frames.plate(frames.numbers[0], Box(0, 0, size[1], size[0]))
    made = synthesise(model, 5, 1001, Box(0, 0, size[1], size[0]))
    return model, float(np.abs(add(plate, model, made, np.ones(size, np.float32)) - plate).max())


def measure(options: argparse.Namespace) -> Iterator[Table]:
    cv2.setNumThreads(1)
    size = options.width * 9 // 16, options.width
    box = f"{SYNTH_BOX.width}x{SYNTH_BOX.height}"
    columns = ("grain", *LIMITS, "lowest", "repeats", "kernel", "analyse over making", f"{box}, ms")
    table = Table("grain", f"Grain made again, {size[1]}x{size[0]}, {FRAMES} frames", columns)
    worst = dict.fromkeys(LIMITS, 0.0)
    for grain in FIELDS:
        for level in ("medium",) if options.quick else LEVELS:
            for scene in SCENES:
                rows = dict(zip(("synth", "scatter"), judge(grain, level, scene, size, options.rounds), strict=True))
                for method, row in rows.items():
                    if row is None:
                        continue
                    values = {key: float(getattr(row, key)) for key in LIMITS}
                    if scene != "still":  # a single textured frame can tell less
                        worst = {key: max(worst[key], value) for key, value in values.items()}
                    cells = [f"{value:.3f}{'*' if value > LIMITS[key] else ''}" for key, value in values.items()]
                    costs = (1000 * row.analyse_s / row.synth_ms if row.analyse_s else "", row.synth_ms)
                    repeats = "yes" if row.repeats else "NO"
                    table.add(
                        f"{grain} {level} {scene} {method}", *cells, f"{row.lowest:.3f}", repeats, row.kernel, *costs
                    )
    table.verdicts += [Verdict(f"{key}, worst of several frames", Figure((worst[key],)), LIMITS[key]) for key in LIMITS]
    table.notes.append(f"{options.rounds} rounds; * marks what is over its limit.")
    yield table
    silent = Table("grain.none", "Grain added where the plate has none", ("scene", "silent", "most added"))
    for scene in SCENES:
        model, most = added_to_nothing(scene, size)
        silent.add(scene, "yes" if model.is_silent else "NO", f"{most:.1e}")
    yield silent


def main(arguments: Sequence[str] | None = None) -> int:
    parser = build_parser(__doc__, rounds=3)
    parser.add_argument("--width", type=int, default=960)
    return answer(parser, measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
