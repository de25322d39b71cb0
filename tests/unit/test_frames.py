import hashlib
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin.errors import RequestError
from void_plugin.frames import Digest, FrameRange, ImageSequence, contiguous, describe, spans

numbers = st.integers(-100_000, 1_000_000)
ranges = st.tuples(numbers, st.integers(0, 300)).map(lambda pair: FrameRange(pair[0], pair[0] + pair[1]))
widths = st.integers(0, 8)


@given(ranges)
def test_a_range_is_read_back_from_its_own_text(frames: FrameRange) -> None:
    assert FrameRange.parse(str(frames)) == frames


@given(ranges)
def test_a_range_includes_both_ends(frames: FrameRange) -> None:
    listed = list(frames)
    assert listed[0] == frames.first and listed[-1] == frames.last
    assert len(listed) == len(frames)
    assert frames.first in frames and frames.last in frames and frames.last + 1 not in frames


@given(ranges, st.integers(0, 50))
def test_a_grown_range_holds_the_first_and_clips_back_to_it(frames: FrameRange, count: int) -> None:
    grown = frames.grown(count)
    assert grown.holds(frames)
    assert len(grown) == len(frames) + 2 * count
    assert grown.clipped(frames) == frames


@pytest.mark.parametrize("text", ["", "a", "1-", "1001-1002-1003", "1,2", "1.5", "x1001-1004", "1001:1004"])
def test_text_that_is_no_range_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RequestError, match="1001-1024") as caught:
        FrameRange.parse(text)
    assert caught.value.code == "request.range"


def test_a_range_that_runs_backwards_says_so() -> None:
    with pytest.raises(RequestError, match="1024-1001 runs backwards"):
        FrameRange.parse("1024-1001")


def test_negative_frames_are_read() -> None:
    assert FrameRange.parse("-5--1") == FrameRange(-5, -1)
    assert FrameRange.parse(" -5 - 3 ") == FrameRange(-5, 3)


@given(st.lists(numbers, max_size=60))
def test_spans_hold_exactly_the_given_frames_in_order_and_never_touch(frames: list[int]) -> None:
    runs = spans(frames)
    assert [frame for run in runs for frame in run] == sorted(set(frames))
    assert all(before.last + 1 < after.first for before, after in itertools.pairwise(runs))


def test_frames_are_described_as_people_write_them() -> None:
    assert describe([1007, 1001, 1002, 1003, 1004, 1002]) == "1001-1004, 1007"
    assert describe([]) == ""


@given(st.sets(numbers, min_size=1, max_size=30))
def test_the_range_and_its_gaps_add_up(frames: set[int]) -> None:
    # A span of a million frames is nobody's shot and would only slow the test.
    frames = {min(frames) + (frame - min(frames)) % 500 for frame in frames}
    whole, gaps = contiguous(sorted(frames))
    assert whole is not None
    assert frames.isdisjoint(gaps) and frames.union(gaps) == set(whole)


def test_no_frames_span_no_range() -> None:
    assert contiguous([]) == (None, [])


@given(numbers, widths)
def test_a_frame_number_is_written_as_printf_writes_it(frame: int, width: int) -> None:
    token = f"%0{width}d" if width else "%d"
    assert ImageSequence(f"a.{token}.exr").path(frame) == f"a.{token % frame}.exr"


@given(frames=st.sets(numbers, max_size=12), width=widths)
def test_what_is_written_is_found_again(tmp_path_factory: pytest.TempPathFactory, frames: set[int], width: int) -> None:
    folder = tmp_path_factory.mktemp("sequence")
    sequence = ImageSequence(str(folder / (f"plate[v1].%0{width}d.exr" if width else "plate[v1].%d.exr")))
    for frame in frames:
        Path(sequence.path(frame)).touch()
    assert sequence.on_disk() == sorted(frames)
    assert sequence.missing(frames) == []


def test_files_that_the_pattern_would_not_write_are_no_frames(tmp_path: Path) -> None:
    for name in ("p.12.exr", "p.0013.exr", "p.00014.exr", "p.0015.exr.tmp", "xp.0016.exr", "p.12345.exr", "p.-001.exr"):
        (tmp_path / name).touch()
    assert ImageSequence(str(tmp_path / "p.%04d.exr")).on_disk() == [-1, 13, 12345]


def test_missing_frames_are_told_and_a_folder_is_no_frame(tmp_path: Path) -> None:
    (tmp_path / "p.1001.exr").touch()
    (tmp_path / "p.1002.exr").mkdir()
    assert ImageSequence(str(tmp_path / "p.%04d.exr")).missing(FrameRange(1001, 1003)) == [1002, 1003]


def test_a_folder_that_is_not_there_holds_no_frames(tmp_path: Path) -> None:
    assert ImageSequence(str(tmp_path / "nowhere" / "p.%04d.exr")).on_disk() == []


def test_a_still_is_the_same_file_on_every_frame() -> None:
    still = ImageSequence("clean.exr")
    assert still.is_still and still.folder == "."
    assert still.path(1001) == still.path(7) == "clean.exr"
    assert still.on_disk() == []


@pytest.mark.parametrize("pattern", ["a.%04d.%04d.exr", "shot%02d/a.%04d.exr", "shot%02d/a.exr"])
def test_a_pattern_with_a_second_or_misplaced_token_is_refused(pattern: str) -> None:
    with pytest.raises(RequestError) as caught:
        ImageSequence(pattern)
    assert caught.value.code == "request.pattern"
    assert pattern in caught.value.message


@given(st.binary(max_size=4096))
def test_the_digest_of_a_file_is_its_sha256_and_size(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("digest") / "file"
    path.write_bytes(data)
    assert Digest.of_file(str(path)) == Digest(hashlib.sha256(data).hexdigest(), len(data))


def test_the_digest_of_text_counts_its_bytes() -> None:
    assert Digest.of_text("é") == Digest(hashlib.sha256("é".encode()).hexdigest(), 2)


@given(st.integers(-20, 20), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.sets(st.integers(-40, 60)))
def test_a_widened_range_goes_as_far_as_frames_are_there_and_no_further_than_it_may(
    first: int, length: int, before: int, after: int, present: set[int]
) -> None:
    inner = FrameRange(first, first + length)
    outer = FrameRange(inner.first - before, inner.last + after)
    found = inner.widened(outer, present)
    assert outer.holds(found) and found.holds(inner)
    assert all(frame in present for frame in found if frame not in inner)
    for beyond in (found.first - 1, found.last + 1):
        assert beyond not in outer or beyond not in present
