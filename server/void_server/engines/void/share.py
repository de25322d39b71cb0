"""How far a unit is: the work done as a share of all its work, told at every call of the transformer."""

from __future__ import annotations

from collections.abc import Sequence

from void_server.engines import Progress
from void_server.engines.void.options import DETAIL, Pass

ENCODE, WARP, DECODE = 6.0, 20.0, 8.0
"""Work of encoding, of warping noise and of decoding, in steps without guidance; all grow with the clip alike
(performance.md 1.3 and 3; rough, for the progress bar alone)."""


class Share:
    """Adds up the parts of a unit's work and tells the progress."""

    def __init__(self, passes: Sequence[Pass], progress: Progress, tiles: int = 1) -> None:
        """`tiles` is how many tiles the detail stage has, where it is one of the passes."""
        self._progress, self._tiles = progress, tiles
        self._starts: dict[int, float] = {}
        at = ENCODE
        for run in passes:
            at += self._before(run)
            self._starts[run.number] = at
            at += self._steps(run) + self._many(run) * DECODE
        self._total, self._told = at, 0.0

    def reading(self) -> None:
        """Tell that frames are read."""
        self._tell(0.0, "reading frames")

    def encoding(self, run: Pass) -> None:
        """Tell that text, masks and plates of a pass are encoded."""
        self._tell(0.0, "encoding", run)

    def at_window(self, run: Pass, step: int, part: int, count: int) -> None:
        """Tell that a part, from 1, of `count` in a step, from 1, is about to be run: a window, or a tile of one."""
        done = (step - 1 - run.skipped + (part - 1) / count) / run.run_steps
        many = self._many(run)
        tile = f", tile {(part - 1) % many + 1} of {many}" if many > 1 else ""
        text = f"{_name(run)}, step {step} of {run.steps}{tile}"
        self._tell(self._starts[run.number] + done * self._steps(run), text, run, (part - 1) // many + 1)

    def warped(self, run: Pass, done: float) -> None:
        """Tell which share of the frames the noise of a pass has been moved along."""
        self._tell(self._starts[run.number] - WARP * (1 - done), f"{_name(run)}, moving noise", run)

    def decoded(self, run: Pass, done: int, count: int) -> None:
        """Tell how many of a clip's latents are decoded."""
        at = self._starts[run.number] + self._steps(run) + self._many(run) * DECODE * done / count
        self._tell(at, f"{_name(run)}, decoding", run)

    def _tell(self, done: float, text: str, run: Pass | None = None, window: int = 0) -> None:
        self._told = max(self._told, min(done / self._total, 1.0))
        self._progress(self._told, text, window=window, pass_number=run.number if run is not None else 0)

    def _many(self, run: Pass) -> int:
        return self._tiles if run.number == DETAIL else 1

    def _before(self, run: Pass) -> float:
        """Work between the pass before and the first step; the detail stage also encodes the result it begins with."""
        if run.number == DETAIL:
            return 1.5 * ENCODE * self._tiles
        return WARP if run.number > 1 else 0.0

    def _steps(self, run: Pass) -> float:
        return run.run_steps * (2.0 if run.guidance > 1 else 1.0) * self._many(run)


def _name(run: Pass) -> str:
    return "detail" if run.number == DETAIL else f"pass {run.number}"
