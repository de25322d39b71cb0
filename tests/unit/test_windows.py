"""Clip lengths, mirrored padding and segments."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_server.windows import (
    VOID_LENGTHS,
    VOID_SHORT_LENGTHS,
    ClipLengths,
    looked_at,
    mirrored,
    pad,
    padded_length,
    segments,
)


@given(st.integers(1, 197))
def test_a_padded_clip_is_legal_and_begins_with_the_real_frames(count: int) -> None:
    clip = pad(range(count), VOID_LENGTHS)
    assert len(clip) >= 85 and len(clip) % 8 == 5 and len(clip) <= 197
    assert clip[:count] == list(range(count))
    assert len(clip) - count < 8 or len(clip) == 85


@given(st.integers(1, 50), st.integers(1, 200))
def test_padding_moves_by_at_most_one_frame_at_a_time(count: int, length: int) -> None:
    order = mirrored(count, length)
    assert all(abs(one - other) <= 1 for one, other in pairwise(order))


def test_clips_beyond_the_maximum_are_refused() -> None:
    with pytest.raises(ValueError, match="198"):
        padded_length(198, VOID_LENGTHS)


@pytest.mark.parametrize(
    ("name", "lengths"), [("min85_max197", VOID_LENGTHS), ("min5_max197", VOID_SHORT_LENGTHS)], ids=["padded", "short"]
)
def test_padding_agrees_with_upstream(data: Path, name: str, lengths: ClipLengths) -> None:
    golden = json.loads((data / "void_parity/goldens/temporal_padding.json").read_text())[name]
    counts = [int(count) for count in golden if int(count) <= 197]
    assert counts
    for count in counts:
        assert pad(range(count), lengths) == golden[str(count)], count


@given(st.integers(1, 1000), st.integers(1, 200))
def test_segments_cover_every_frame_once_and_are_even(count: int, longest: int) -> None:
    runs = segments(range(1001, 1001 + count), longest)
    assert [frame for run in runs for frame in run.frames] == list(range(1001, 1001 + count))
    assert not any(run.lead for run in runs)
    lengths = [len(run.frames) for run in runs]
    assert max(lengths) <= longest and max(lengths) - min(lengths) <= 1


@given(st.integers(1, 1000), st.integers(2, 200), st.data())
def test_segments_that_overlap_begin_with_what_the_one_before_ends_with(
    count: int, longest: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, longest - 1))
    frames = list(range(1001, 1001 + count))
    runs = segments(frames, longest, overlap)
    assert [frame for run in runs for frame in run.frames] == frames
    assert not runs[0].lead and all(run.frames for run in runs)
    for before, run in pairwise(runs):
        assert run.lead == (*before.lead, *before.frames)[len(before.lead + before.frames) - overlap :]
    lengths = [len(run.lead + run.frames) for run in runs]
    assert max(lengths) <= longest and max(lengths) - min(lengths) <= 1
    # One run fewer would not hold them all.
    assert len(runs) == 1 or (len(runs) - 1) * (longest - overlap) + overlap < count


@given(st.integers(1, 600), st.integers(1, 6), st.integers(2, 60), st.data())
def test_segments_of_every_so_many_frames_meet_on_one_that_is_looked_at(
    count: int, stride: int, most: int, data: st.DataObject
) -> None:
    longest, overlap = (most - 1) * stride + 1, (data.draw(st.integers(1, most - 1)) - 1) * stride + 1
    frames = range(1001, 1001 + count)
    runs = segments(frames, longest, overlap, stride)
    assert [frame for run in runs for frame in run.frames] == list(frames)
    for run in runs:
        assert len(run.lead) in (0, overlap) and len(run.lead + run.frames) <= longest
        assert (run.frames[-1] - 1001) % stride == 0 or run is runs[-1]
    for before, run in pairwise(runs):
        assert run.lead == (*before.lead, *before.frames)[-overlap:] and (run.lead[0] - 1001) % stride == 0


@given(st.integers(1, 400), st.integers(1, 8))
def test_the_last_frame_is_looked_at_whatever_the_stride(count: int, stride: int) -> None:
    seen = looked_at(count, stride)
    assert seen[0] == 0 and seen[-1] == count - 1
    assert all(other - one == stride for one, other in pairwise(seen[:-1]))
    assert looked_at(count, 1) == list(range(count))


def test_segments_that_would_never_end_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot overlap"):
        segments(range(30), 17, 17)
    with pytest.raises(ValueError, match="cannot overlap"):
        segments(range(30), 10, 9, stride=4)
