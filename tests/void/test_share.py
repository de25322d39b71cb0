"""Progress of a unit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from void_server.engines.void.options import DETAIL, Pass
from void_server.engines.void.share import Share

PASSES = st.lists(st.tuples(st.integers(1, 5), st.sampled_from([1.0, 6.0])), min_size=1, max_size=2)


@given(PASSES, st.integers(1, 4), st.integers(1, 9), st.booleans())
def test_progress_grows_from_nothing_to_all(
    passes: list[tuple[int, float]], windows: int, latents: int, detail: bool
) -> None:
    runs = [Pass(index + 1, steps, guidance, False) for index, (steps, guidance) in enumerate(passes)]
    runs += [Pass(DETAIL, 9, 1.0, False, skipped=6)] if detail else []
    told: list[tuple[float, int, int]] = []

    def progress(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
        told.append((done, window, pass_number))

    share = Share(runs, progress, tiles=9)
    share.reading()
    for run in runs:
        share.encoding(run)
        if run.number == 2:
            share.warped(run, 0.0)
            share.warped(run, 1.0)
        parts = windows * (9 if run.number == DETAIL else 1)
        for step in range(run.skipped + 1, run.steps + 1):
            for part in range(1, parts + 1):
                share.at_window(run, step, part, parts)
        for done in range(1, latents + 1):
            share.decoded(run, done, latents)
    shares = [done for done, _, _ in told]
    assert shares == sorted(shares) and shares[0] == 0 and abs(shares[-1] - 1) < 1e-9
    assert {number for _, _, number in told} == {0, *(run.number for run in runs)}
    assert {window for _, window, _ in told} == set(range(windows + 1))


def test_steps_of_the_detail_stage_are_told_with_their_tile() -> None:
    told: list[tuple[str, int, int]] = []

    def progress(done: float, text: str, *, window: int = 0, pass_number: int = 0) -> None:
        told.append((text, window, pass_number))

    run = Pass(DETAIL, 30, 1.0, False, skipped=20)
    Share([Pass(1, 30, 1.0, False), run], progress, tiles=9).at_window(run, 21, 9 + 4, 2 * 9)
    assert told == [("detail, step 21 of 30, tile 4 of 9", 2, 3)]
