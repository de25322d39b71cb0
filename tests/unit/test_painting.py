"""Painting on mattes: what a brush leaves, and that every step can be taken back bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from void_plugin.errors import FrameError, RequestError
from void_plugin.pictures.brush import Brush
from void_plugin.pictures.painting import LABELS, Painting
from void_plugin.pictures.planes import TILE, Plane, places
from void_plugin.pictures.tinting import part_of, tinted

SIZE = (200, 300)
FRAMES = (1, 2, 3)


def given_matte(frame: int, label: str) -> Any:
    """Odd values in two types on two frames, no file on the third; NaN and values beyond 1 are an artist's own."""
    if frame == 3:
        return None
    values = np.random.default_rng((frame, len(label))).normal(0.5, 0.5, SIZE)
    values[0, 0], values[10, 20] = np.nan, 7.0
    return values.astype(np.float16 if label == "remove" else np.float32)


def painting(**more: Any) -> Painting:
    return Painting(SIZE, given_matte, **more)


def all_bits(model: Painting) -> list[bytes]:
    return [model.matte(frame, label).tobytes() for frame in FRAMES for label in LABELS]


points = st.tuples(st.floats(-50, 350), st.floats(-50, 250))
strokes = st.tuples(
    st.just("stroke"), st.sampled_from(FRAMES), st.sampled_from(LABELS), st.lists(points, min_size=1, max_size=4),
    st.floats(0.1, 90), st.floats(0, 1), st.booleans(),
)  # fmt: skip
copies = st.tuples(st.just("copy"), st.sampled_from(FRAMES), st.sampled_from(FRAMES), st.sampled_from(LABELS))
wholes = st.tuples(st.just("whole"), st.sampled_from(FRAMES), st.sampled_from(LABELS), st.integers(0, 99))


def do(model: Painting, step: tuple[Any, ...]) -> None:
    if step[0] == "stroke":
        _, frame, label, way, radius, hardness, erase = step
        model.begin(frame, label, way[0], Brush(radius, hardness), erase)
        for at in way[1:]:
            model.to(at)
        model.end()
    elif step[0] == "copy":
        model.copy(*step[1:])
    else:
        pixels = np.random.default_rng(step[3]).random(SIZE).astype(np.float16)
        model.replace("Matte from keyframes", {(step[1], step[2]): Plane.of_pixels(pixels)})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(strokes, copies, wholes), max_size=6), st.randoms(use_true_random=False))
def test_undo_and_redo_return_every_matte_bit_for_bit(steps: list[Any], random: Any) -> None:
    model = painting()
    stages = [all_bits(model)]
    for step in steps:
        do(model, step)
        if step[0] == "whole" or all_bits(model) != stages[-1]:
            stages.append(all_bits(model))
    at = len(stages) - 1
    for _ in range(3 * len(stages)):
        if random.random() < 0.6:
            assert bool(model.undo()) == (at > 0)
            at = max(0, at - 1)
        else:
            assert bool(model.redo()) == (at < len(stages) - 1)
            at = min(len(stages) - 1, at + 1)
        assert all_bits(model) == stages[at]


def test_a_new_stroke_ends_what_could_be_done_again() -> None:
    model = painting()
    do(model, ("stroke", 3, "remove", [(50, 50)], 10.0, 1.0, False))
    model.undo()
    assert model.can_redo == "Paint"
    do(model, ("stroke", 3, "remove", [(90, 50)], 10.0, 1.0, False))
    assert model.can_redo == "" and not model.redo()


def test_steps_that_are_forgotten_free_memory_and_the_others_can_still_be_undone() -> None:
    model = painting(history_bytes=40 * TILE * TILE * 2)
    stages = []
    for number in range(30):
        stages.append(model.matte(3, "remove").tobytes())
        do(model, ("stroke", 3, "remove", [(10 * number, 0), (10 * number, 200)], 4.0, 1.0, False))
    undone = 0
    while model.undo():
        undone += 1
        assert model.matte(3, "remove").tobytes() == stages[30 - undone]
    assert 5 < undone < 30


def test_a_hard_brush_is_full_inside_and_leaves_the_outside_alone() -> None:
    model = painting()
    do(model, ("stroke", 3, "remove", [(60, 80), (140, 80)], 20.0, 1.0, False))
    matte = model.matte(3, "remove")
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    far = np.hypot(x - np.clip(x, 60, 140), y - 80)
    assert (matte[far < 19] == 1).all() and (matte[far > 21] == 0).all()
    assert matte.dtype == np.float16


def test_a_soft_brush_falls_off_evenly_and_never_takes_away() -> None:
    model = painting()
    before = model.matte(1, "affected")
    do(model, ("stroke", 1, "affected", [(150, 100)], 60.0, 0.0, False))
    after = model.matte(1, "affected")
    known = np.isfinite(before)
    assert (after[known] >= before[known]).all() and after.dtype == np.float32
    mark = Brush(60.0, 0.0).mark((150, 100), (150, 100), (0, 0, SIZE[1], SIZE[0]))
    assert (np.diff(mark[100, 150:220]) <= 0).all() and mark[100, 150] > 0.999 and mark[100, 215] == 0


def test_painting_and_erasing_over_each_other_leaves_nothing() -> None:
    model = painting()
    do(model, ("stroke", 3, "remove", [(60, 80), (140, 80)], 20.0, 0.5, False))
    do(model, ("stroke", 3, "remove", [(0, 80), (300, 80)], 90.0, 1.0, True))
    assert not model.matte(3, "remove").any()


def test_a_stroke_across_tiles_has_no_seam() -> None:
    model = painting()
    do(model, ("stroke", 3, "remove", [(TILE - 5, TILE), (TILE + 5, TILE + 3)], 30.0, 0.3, False))
    whole = Brush(30.0, 0.3).mark((TILE - 5, TILE), (TILE + 5, TILE + 3), (0, 0, SIZE[1], SIZE[0]))
    one = Brush(30.0, 0.3).mark((TILE - 5, TILE), (TILE - 5, TILE), (0, 0, SIZE[1], SIZE[0]))
    assert np.array_equal(model.matte(3, "remove"), np.maximum(whole, one).astype(np.float16))


def test_a_stroke_that_changes_nothing_is_no_step() -> None:
    model = painting()
    do(model, ("stroke", 3, "remove", [(50, 50)], 10.0, 1.0, True))
    do(model, ("stroke", 3, "remove", [(-400, 50)], 10.0, 1.0, False))
    assert model.can_undo == "" and model.touched() == {}


def test_copying_takes_the_very_values_of_the_other_frame() -> None:
    model = painting()
    assert model.copy(1, 3, "remove")
    assert model.matte(3, "remove").tobytes() == model.matte(1, "remove").tobytes()
    assert not model.copy(1, 3, "remove"), "it is the same already"
    assert model.undo() == {3} and not model.matte(3, "remove").any()


def test_a_broken_file_is_told_and_the_other_frames_can_be_painted() -> None:
    def read(frame: int, label: str) -> Any:
        if frame == 2:
            raise FrameError("Frame 2 (matte.0002.exr) cannot be read.")
        return None

    model = Painting(SIZE, read)
    with pytest.raises(FrameError, match=r"matte\.0002"):
        model.begin(2, "remove", (5, 5), Brush())
    do(model, ("stroke", 1, "remove", [(50, 50)], 10.0, 1.0, False))
    assert list(model.touched()) == [(1, "remove")]
    with pytest.raises(RequestError, match="no label"):
        model.begin(1, "quadmask", (5, 5), Brush())


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_part_of_the_picture_is_that_of_the_whole(data: st.DataObject) -> None:
    model = painting()
    do(model, ("stroke", 1, "remove", [(60, 80), (240, 180)], 40.0, 0.5, False))
    x0, y0 = data.draw(st.integers(0, 250)), data.draw(st.integers(0, 150))
    seen = (x0, y0, data.draw(st.integers(x0 + 1, 300)), data.draw(st.integers(y0 + 1, 200)))
    size = (data.draw(st.integers(1, seen[3] - seen[1])), data.draw(st.integers(1, seen[2] - seen[0])))
    whole = tinted(model, 1, seen, size, 0.5)
    assert whole.shape == size
    left, top = data.draw(st.integers(0, 299)), data.draw(st.integers(0, 199))
    changed = (left, top, data.draw(st.integers(left + 1, 300)), data.draw(st.integers(top + 1, 200)))
    part = part_of(changed, seen, size)
    if part is not None:
        a, b, c, d = part
        assert np.array_equal(tinted(model, 1, seen, size, 0.5, part), whole[b:d, a:c])
    if seen == changed:
        assert part == (0, 0, size[1], size[0])


def test_the_tints_are_those_of_the_servers_overlay() -> None:
    model = Painting((64, 64), lambda frame, label: None)
    do(model, ("stroke", 1, "remove", [(0, 16), (64, 16)], 20.0, 1.0, False))
    do(model, ("stroke", 1, "affected", [(16, 0), (16, 64)], 20.0, 1.0, False))
    picture = tinted(model, 1, (0, 0, 64, 64), (64, 64), 1.0)
    assert [hex(picture[y, x]) for y, x in ((2, 60), (2, 2), (60, 2), (60, 60))] == [
        "0xffff0000", "0xffffff00", "0xff00ff00", "0x0",
    ]  # fmt: skip
    assert hex(tinted(model, 1, (0, 0, 64, 64), (64, 64), 0.5)[2, 60]) == "0x80800000"


def test_tiles_cover_a_box_and_no_more() -> None:
    assert list(places((0, 0, 1, 1), SIZE)) == [(0, 0)]
    assert list(places((TILE - 1, 0, TILE + 1, 1), SIZE)) == [(0, 0), (0, 1)]
    assert list(places((-9, -9, 0, 5), SIZE)) == [] and list(places((299, 199, 900, 900), SIZE)) == [(1, 2)]
