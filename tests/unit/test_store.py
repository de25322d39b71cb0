"""Files by SHA-256: what comes in whole or not at all, who finds it, and what goes when room is needed."""

import errno
import hashlib
import itertools
import os
import resource
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from void_plugin.errors import FrameError, ServerError, VoidError
from void_plugin.frames import Digest
from void_server.intake import MAGIC
from void_server.store import FrameStore

GB = 1 << 30


def frame(content: bytes | str, size: int = 0) -> bytes:
    """What looks like an EXR, filled up to a size."""
    data = MAGIC + (content.encode() if isinstance(content, str) else content)
    return data.ljust(size, b".")


def digest_of(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).hexdigest(), len(data))


def upload(store: FrameStore, data: bytes, namespace: str = "ann", chunk: int = 1000, **limits: int) -> Digest:
    digest = digest_of(data)
    with store.writer(namespace, digest, **{"max_file_bytes": GB, **limits}) as writer:
        for at in range(0, len(data), chunk):
            writer.write(at, data[at : at + chunk])
        writer.commit()
    return digest


def content(store: FrameStore, digest: Digest, namespace: str = "ann") -> bytes:
    with store.open(namespace, digest) as stream:
        return stream.read()


def has(store: FrameStore, digest: Digest, namespace: str = "ann") -> bool:
    return not store.missing(namespace, [digest])


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class Place(NamedTuple):
    """A folder for stores; `open` starts one as a server does at its start."""

    folder: Path
    pins: set[tuple[str, str]]
    opened: list[FrameStore]

    def open(self, quota: int = GB) -> FrameStore:
        store = FrameStore(self.folder, quota, lambda: set(self.pins))
        self.opened.append(store)
        return store


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path / "store", set(), [])
    yield found
    for store in found.opened:
        store.close()


@pytest.fixture
def store(place: Place) -> FrameStore:
    return place.open()


# -- one file ---------------------------------------------------------------------------------------------------


def test_a_file_comes_back_as_it_was_sent(store: FrameStore, place: Place) -> None:
    data = frame(os.urandom(2500))
    digest = upload(store, data)
    assert content(store, digest) == data and store.used_bytes() == store.used_bytes("ann") == len(data)
    assert files_in(place.folder) == [f"ann/{digest.sha256[:2]}/{digest.sha256}"]


def test_only_this_user_can_read_what_is_stored(store: FrameStore, place: Place) -> None:
    upload(store, frame("x"))
    store.close()
    for path in place.folder.rglob("*"):
        assert not path.stat().st_mode & 0o077
    assert [path.stat().st_mode & 0o777 for path in place.folder.rglob("*") if path.is_file()] == [0o400]


def test_missing_files_are_told_in_order_and_each_once(store: FrameStore) -> None:
    here = upload(store, frame("here"))
    others = [digest_of(frame(name)) for name in "cabd"]
    assert store.missing("ann", [others[0], here, others[1], others[0], *others]) == others
    assert store.missing("ann", [here, here]) == []
    assert store.missing("ann", []) == []


def test_a_digest_with_another_size_is_another_file(store: FrameStore, tmp_path: Path) -> None:
    here = upload(store, frame("here"))
    lie = Digest(here.sha256, here.size + 1)
    assert store.missing("ann", [lie]) == [lie]
    with pytest.raises(FrameError):
        store.link("ann", lie, tmp_path / "x.exr")


def test_an_unknown_file_cannot_be_opened(store: FrameStore) -> None:
    with pytest.raises(FrameError, match="not on this server") as caught:
        store.open("ann", digest_of(b"none"))
    assert caught.value.code == "frame.unknown"


def test_a_file_removed_by_hand_is_missing(store: FrameStore, place: Place) -> None:
    digests = [upload(store, frame(name)) for name in "ab"]
    for digest in digests:
        (place.folder / "ann" / digest.sha256[:2] / digest.sha256).unlink()
    with pytest.raises(FrameError):
        store.open("ann", digests[0])
    assert store.missing("ann", digests) == digests and store.used_bytes() == 0
    assert has(store, upload(store, frame("a")))


# -- namespaces ---------------------------------------------------------------------------------------------------


def test_a_namespace_never_sees_the_files_of_another(store: FrameStore, tmp_path: Path) -> None:
    data = frame("secret plate")
    digest = upload(store, data, "ann")
    assert store.missing("bob", [digest]) == [digest] and store.used_bytes("bob") == 0
    for refused in (lambda: store.open("bob", digest), lambda: store.link("bob", digest, tmp_path / "x.exr")):
        with pytest.raises(FrameError):
            refused()
    assert not (tmp_path / "x.exr").exists()
    upload(store, data, "bob")
    store.discard("bob", [digest.sha256])
    assert has(store, digest, "ann") and not has(store, digest, "bob")


# -- uploads that end badly ---------------------------------------------------------------------------------------

Sent = list[tuple[int, bytes]]
DATA = frame("0123456789")


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ([(0, DATA[:5]), (6, DATA[6:])], "out of order: byte 6 was sent where byte 5"),
        ([(0, DATA[:5]), (0, DATA[:5])], "out of order: byte 0"),
        ([(1, DATA[1:])], "out of order"),
        ([(-1, DATA)], "out of order"),
        ([(0, DATA + b"x")], "more than the 14 bytes"),
        ([(0, DATA), (14, b"x")], "more than the 14 bytes"),
        ([(0, DATA[:9])], "ended after 9 of 14 bytes"),
        ([], "ended after 0 of 14 bytes"),
        ([(0, frame("012345678x"))], "other bytes"),
        ([(0, b"GIF8" + DATA[4:])], "no EXR"),
        ([(0, DATA[:2]), (2, b"xx"), (4, DATA[4:])], "no EXR"),
    ],
)
def test_nothing_is_kept_of_an_upload_that_goes_wrong(store: FrameStore, place: Place, sent: Sent, named: str) -> None:
    digest = digest_of(DATA)
    with pytest.raises(FrameError, match=digest.sha256) as caught, store.writer("ann", digest, GB) as writer:
        for at, data in sent:
            writer.write(at, data)
        writer.commit()
    assert caught.value.code == "frame.transfer" and named in caught.value.message
    assert files_in(place.folder) == [] and not has(store, digest) and store.used_bytes() == 0
    assert content(store, upload(store, DATA)) == DATA


@pytest.mark.parametrize("data", [b"", b"\x76\x2f", b"hello, I am no picture"])
def test_what_is_no_exr_is_refused_even_with_the_right_digest(store: FrameStore, place: Place, data: bytes) -> None:
    with pytest.raises(FrameError, match="no EXR"):
        upload(store, data)
    assert files_in(place.folder) == []


def test_an_upload_that_is_left_without_commit_leaves_nothing(store: FrameStore, place: Place) -> None:
    with store.writer("ann", digest_of(DATA), GB) as writer:
        writer.write(0, DATA)
        assert len(files_in(place.folder)) == 1
    with pytest.raises(KeyboardInterrupt), store.writer("ann", digest_of(DATA), GB) as writer:
        writer.write(0, DATA[:3])
        raise KeyboardInterrupt
    assert files_in(place.folder) == [] and not has(store, digest_of(DATA))


chunks = st.lists(st.tuples(st.integers(-3, 40), st.binary(max_size=12)), max_size=6)


@given(st.binary(max_size=30), st.lists(st.integers(0, 34), max_size=5), st.none() | chunks)
def test_any_sequence_of_chunks_stores_the_file_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, cuts: list[int], other: Sent | None
) -> None:
    folder = tmp_path_factory.getbasetemp() / "chunks"
    shutil.rmtree(folder, ignore_errors=True)
    store, data = FrameStore(folder, GB, set), frame(body)
    at = [0, *sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]
    sent = [(start, data[start:end]) for start, end in itertools.pairwise(at)] if other is None else other
    failed = None
    try:
        with store.writer("ann", digest_of(data), GB) as writer:
            for offset, piece in sent:
                writer.write(offset, piece)
            writer.commit()
    except VoidError as error:
        failed = error
    store.close()
    whole = b"".join(piece for _, piece in sent) == data and all(
        offset == sum(len(piece) for _, piece in sent[:index]) for index, (offset, _) in enumerate(sent)
    )
    assert (failed is None) == whole
    if whole:
        assert content(store, digest_of(data)) == data
    else:
        assert failed is not None and failed.code == "frame.transfer" and files_in(folder) == []


def test_two_uploads_of_one_file_at_once_both_succeed(store: FrameStore, place: Place) -> None:
    data = frame(os.urandom(5000))
    digest, start = digest_of(data), threading.Barrier(4)

    def send() -> None:
        with store.writer("ann", digest, GB) as writer:
            start.wait(30)
            writer.write(0, data)
            start.wait(30)
            writer.commit()

    with ThreadPoolExecutor(4) as pool:
        for sending in [pool.submit(send) for _ in range(4)]:
            sending.result()
    assert content(store, digest) == data and store.used_bytes() == len(data) and len(files_in(place.folder)) == 1


def test_many_threads_store_and_read_at_once(store: FrameStore) -> None:
    def work(number: int) -> bool:
        data = frame(str(number % 7) * 3000)
        return content(store, upload(store, data, f"user{number % 3}"), f"user{number % 3}") == data

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(60)))
    assert store.used_bytes() == 21 * len(frame("0" * 3000))


# -- room ---------------------------------------------------------------------------------------------------------


def test_files_unused_for_longest_make_room(place: Place) -> None:
    store = place.open(quota=1000)
    first, second, third = (upload(store, frame(name, 300)) for name in "abc")
    assert has(store, first)  # which uses it
    fourth = upload(store, frame("d", 300))
    assert [has(store, digest) for digest in (second, first, third, fourth)] == [False, True, True, True]
    with store.open("ann", first):
        pass
    upload(store, frame("e", 500))
    assert [has(store, digest) for digest in (first, third, fourth)] == [True, False, False]
    assert store.used_bytes() == 800


def test_a_file_that_a_job_needs_is_never_evicted(place: Place) -> None:
    store = place.open(quota=1000)
    needed, other = (upload(store, frame(name, 400)) for name in "ab")
    place.pins.add(("ann", needed.sha256))
    upload(store, frame("c", 500), "bob")
    assert has(store, needed) and not has(store, other)
    with pytest.raises(ServerError) as caught:
        upload(store, frame("d", 601))
    assert caught.value.code == "server.limit" and has(store, needed) and store.used_bytes("bob") == 500


def test_the_same_file_in_another_namespace_is_not_pinned(place: Place) -> None:
    store = place.open(quota=900)
    data = frame("a", 400)
    digest = upload(store, data, "bob")
    upload(store, data, "ann")
    place.pins.add(("ann", digest.sha256))
    upload(store, frame("b", 500))
    assert has(store, digest, "ann") and not has(store, digest, "bob")


def test_a_quota_that_is_used_up_is_told_with_figures_and_evicts_nothing(place: Place) -> None:
    store = place.open(quota=10_000_000)
    needed = upload(store, frame("a", 6_000_000), chunk=1 << 20)
    other = upload(store, frame("b", 1_000_000), chunk=1 << 20)
    place.pins.add(("ann", needed.sha256))
    with pytest.raises(ServerError) as caught:
        upload(store, frame("c", 5_000_000))
    assert caught.value.code == "server.limit" and not caught.value.retryable
    for figure in ("5.00 MB", "10.00 MB", "6.00 MB", "store_bytes"):
        assert figure in caught.value.message
    assert has(store, other) and files_in(place.folder / "incoming") == []


def test_a_namespace_has_a_quota_of_its_own_and_makes_its_own_room(place: Place) -> None:
    store = place.open(quota=10_000)
    bobs = upload(store, frame("b", 900), "bob")
    first, second = (upload(store, frame(name, 400), max_bytes=1000) for name in "ac")
    third = upload(store, frame("d", 400), max_bytes=1000)
    assert [has(store, digest) for digest in (first, second, third)] == [False, True, True]
    assert has(store, bobs, "bob")
    place.pins.update({("ann", second.sha256), ("ann", third.sha256)})
    with pytest.raises(ServerError, match=r"ann in the store may have 0\.00 MB") as caught:
        upload(store, frame("e", 400), max_bytes=1000)
    assert "max_bytes" in caught.value.message


def test_uploads_under_way_count(place: Place) -> None:
    store = place.open(quota=1000)
    with store.writer("ann", digest_of(frame("a", 700)), GB) as writer:
        with pytest.raises(ServerError, match="no room"), store.writer("bob", digest_of(frame("b", 700)), GB):
            pytest.fail("there was room for two")
        writer.write(0, frame("a", 700))
        writer.commit()
    assert store.used_bytes() == 700
    upload(store, frame("b", 700), "bob")


def test_an_upload_counts_once_as_soon_as_it_is_kept(place: Place) -> None:
    store = place.open(quota=1000)
    first, second = frame("a", 600), frame("b", 400)
    place.pins.add(("ann", digest_of(first).sha256))
    with store.writer("ann", digest_of(first), GB) as writer:
        writer.write(0, first)
        writer.commit()
        upload(store, second)
    assert store.used_bytes() == 1000


def test_a_file_larger_than_allowed_is_refused_before_a_byte_is_sent(store: FrameStore) -> None:
    with (
        pytest.raises(ServerError, match=r"has 3\.00 GB.* at most 2\.00 GB") as caught,
        store.writer("ann", Digest("0" * 64, 3_000_000_000), 2_000_000_000),
    ):
        pytest.fail("it was let in")
    assert caught.value.code == "server.limit"


def test_a_file_larger_than_the_disk_is_refused_with_the_free_space(place: Place) -> None:
    store, size = place.open(quota=1 << 62), 1 << 60
    with pytest.raises(ServerError, match="are free") as caught, store.writer("ann", Digest("0" * 64, size), 1 << 62):
        pytest.fail("it was let in")
    assert caught.value.code == "server.disk_full" and caught.value.retryable
    assert f"{size / 1e9:.2f} GB" in caught.value.message


def test_a_disk_that_fills_up_on_the_way_leaves_nothing_and_is_told_with_figures(
    store: FrameStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def short_of_space(descriptor: int, data: Any, offset: int) -> int:
        if offset >= 3000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data[:700], offset)

    monkeypatch.setattr(os, "pwrite", short_of_space)
    with pytest.raises(ServerError, match=r"needs 0\.01 MB and .* are free") as caught:
        upload(store, frame("x", 10_000))
    assert caught.value.code == "server.disk_full" and files_in(place.folder) == [] and store.used_bytes() == 0
    monkeypatch.undo()
    assert content(store, upload(store, frame("x", 10_000))) == frame("x", 10_000)


def test_a_write_that_the_system_refuses_leaves_nothing(store: FrameStore, place: Place) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(ServerError, match="cannot store") as caught:
            upload(store, frame("x", 10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "server.unwritable" and files_in(place.folder) == []


def test_a_write_taken_in_pieces_is_whole(store: FrameStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda descriptor, data, offset: real(descriptor, data[:7], offset))
    data = frame(os.urandom(300))
    assert content(store, upload(store, data)) == data


# -- jobs ---------------------------------------------------------------------------------------------------------


def test_a_job_keeps_its_frames_whatever_happens_in_the_store(place: Place, tmp_path: Path) -> None:
    store = place.open(quota=1000)
    digest = upload(store, frame("a", 600))
    target = tmp_path / "work" / "in" / "plate" / "plate.1001.exr"
    store.link("ann", digest, target)
    upload(store, frame("b", 600))
    assert not has(store, digest) and target.read_bytes() == frame("a", 600)
    assert os.listdir(target.parent) == [target.name]


def test_what_a_job_was_given_is_on_the_disk_itself(
    store: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, mine, linked = os.fsync, [], threading.Event()

    def sync(descriptor: int) -> None:
        if threading.current_thread() is threading.main_thread():
            mine.append(os.fstat(descriptor).st_ino)
        else:  # the store's own thread comes too late
            linked.wait(30)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    digest = upload(store, frame("a"))
    store.link("ann", digest, tmp_path / "a.exr")
    assert mine == [(tmp_path / "a.exr").stat().st_ino]
    linked.set()
    store.close()
    store.link("ann", digest, tmp_path / "b.exr")
    assert len(mine) == 1, "what is there need not be written again"


def test_linking_again_or_over_something_else_gives_the_right_file(store: FrameStore, tmp_path: Path) -> None:
    digest, target = upload(store, frame("a")), tmp_path / "a.exr"
    target.write_bytes(b"something else")
    for _ in range(2):
        store.link("ann", digest, target)
        assert target.read_bytes() == frame("a") and os.listdir(tmp_path).count("a.exr") == 1


def test_a_frame_that_was_not_uploaded_is_named(store: FrameStore, tmp_path: Path) -> None:
    digest = digest_of(frame("none"))
    with pytest.raises(FrameError, match=digest.sha256) as caught:
        store.link("ann", digest, tmp_path / "x.exr")
    assert caught.value.code == "frame.not_uploaded" and caught.value.retryable


def test_where_no_second_name_can_be_given_the_file_is_copied(
    store: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    digest = upload(store, frame("a"))
    monkeypatch.setattr(os, "link", elsewhere)
    store.link("ann", digest, tmp_path / "a.exr")
    (tmp_path / "result.exr").write_bytes(frame("result"))
    store.adopt("ann", tmp_path / "result.exr", digest_of(frame("result")))
    assert (tmp_path / "a.exr").read_bytes() == frame("a")
    assert content(store, digest_of(frame("result"))) == frame("result")


def result(folder: Path, data: bytes, name: str = "result.exr") -> tuple[Path, Digest]:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name, digest_of(data)


def test_a_result_is_adopted_without_copying_it(store: FrameStore, tmp_path: Path) -> None:
    path, digest = result(tmp_path / "out", frame("result"))
    before = path.stat()
    store.adopt("ann", path, digest)
    assert content(store, digest) == frame("result") and path.stat().st_nlink == 2
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size)
    store.adopt("ann", str(path), digest)
    assert store.used_bytes() == digest.size
    path.unlink()
    assert content(store, digest) == frame("result")


def test_a_result_need_not_be_an_exr(store: FrameStore, tmp_path: Path) -> None:
    path, digest = result(tmp_path / "out", b"{}\n", "result.json")
    store.adopt("ann", path, digest)
    assert content(store, digest) == b"{}\n"


def test_a_result_is_taken_in_even_where_the_quota_is_used_up(place: Place, tmp_path: Path) -> None:
    store = place.open(quota=1000)
    needed, other = (upload(store, frame(name, 450)) for name in "ab")
    place.pins.add(("ann", needed.sha256))
    path, digest = result(tmp_path / "out", frame("result", 900))
    store.adopt("ann", path, digest)
    assert has(store, digest) and has(store, needed) and not has(store, other)


def test_a_result_that_changed_meanwhile_is_refused(store: FrameStore, place: Place, tmp_path: Path) -> None:
    path, digest = result(tmp_path / "out", frame("result"))
    path.write_bytes(frame("longer result"))
    with pytest.raises(FrameError, match=r"result\.exr has 17 bytes, not 10"):
        store.adopt("ann", path, digest)
    path.unlink()
    with pytest.raises(ServerError):
        store.adopt("ann", path, digest)
    assert files_in(place.folder) == []


def test_results_of_a_deleted_job_go_unless_another_job_has_them_too(place: Place, tmp_path: Path) -> None:
    store = place.open()
    digests = []
    for name in "ab":
        path, digest = result(tmp_path / "out", frame(name), name)
        store.adopt("ann", path, digest)
        digests.append(digest)
    place.pins.add(("ann", digests[1].sha256))
    store.discard("ann", [digest.sha256 for digest in digests] + ["0" * 64])
    assert [has(store, digest) for digest in digests] == [False, True] and store.used_bytes() == digests[1].size


# -- restarts -----------------------------------------------------------------------------------------------------


def test_a_restart_finds_the_files_again_and_wipes_what_came_in_half(place: Place) -> None:
    store = place.open()
    first, second = upload(store, frame("a")), upload(store, frame("b"), "bob")
    store.close()
    (place.folder / "incoming" / "half").write_bytes(b"half a file")
    again = place.open()
    assert content(again, first) == frame("a") and content(again, second, "bob") == frame("b")
    assert (again.used_bytes(), again.used_bytes("bob")) == (first.size + second.size, second.size)
    assert files_in(place.folder / "incoming") == []


def test_a_restart_remembers_what_was_unused_for_longest(place: Place) -> None:
    store = place.open(quota=1000)
    digests = [upload(store, frame(name, 300)) for name in "abc"]
    assert has(store, digests[0])
    store.close()
    again = place.open(quota=1000)
    upload(again, frame("d", 300))
    assert [has(again, digest) for digest in digests] == [True, False, True]


def test_a_smaller_quota_after_a_restart_holds_from_the_next_upload(place: Place) -> None:
    store = place.open(quota=1000)
    for name in "abc":
        upload(store, frame(name, 300))
    store.close()
    again = place.open(quota=500)
    upload(again, frame("d", 300))
    assert again.used_bytes() == 300


def stored(place: Place, digest: Digest) -> Path:
    return place.folder / "ann" / digest.sha256[:2] / digest.sha256


def test_bytes_lost_with_the_power_are_never_served(place: Place, tmp_path: Path) -> None:
    store = place.open()
    digests = [upload(store, frame(name, 5000)) for name in "abcd"]
    store.close()
    for digest in digests:  # as they are before they are on the disk itself
        stored(place, digest).chmod(0o600)
    for digest in digests[:3]:
        stored(place, digest).write_bytes(frame("", 4000) + bytes(1000))
    again = place.open()
    assert again.missing("ann", [digests[0], digests[3]]) == [digests[0]]
    with pytest.raises(FrameError):
        again.open("ann", digests[1])
    with pytest.raises(FrameError):
        again.link("ann", digests[2], tmp_path / "x.exr")
    assert content(again, digests[3]) == frame("d", 5000) and again.used_bytes() == 5000
    again.close()
    assert stored(place, digests[3]).stat().st_mode & 0o777 == 0o400
    assert content(again, upload(again, frame("a", 5000))) == frame("a", 5000)


def test_a_file_that_is_on_the_disk_is_not_read_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    store = place.open()
    digest = upload(store, frame("a"))
    store.close()
    again = place.open()
    monkeypatch.setattr(Digest, "of_file", lambda path: pytest.fail(f"{path} was read"))
    assert has(again, digest)


def test_a_file_that_cannot_be_written_to_the_disk_is_forgotten(
    store: FrameStore, place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", broken)
    digest = upload(store, frame("a"))
    store.close()
    monkeypatch.undo()
    assert not has(store, digest) and files_in(place.folder) == [] and digest.sha256 in caplog.text


def test_a_file_uploaded_anew_while_the_old_one_is_written_to_the_disk_is_written_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, data = place.open(quota=1000), frame("a", 600)
    real, started, go_on = os.fsync, threading.Event(), threading.Event()
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        started.set()
        go_on.wait(30)
        synced.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    digest = upload(store, data)
    assert started.wait(30)
    upload(store, frame("b", 600))
    upload(store, data)
    go_on.set()
    store.close()
    assert stored(place, digest).stat().st_ino in synced
    assert stored(place, digest).stat().st_mode & 0o777 == 0o400


def test_other_files_in_the_folder_are_left_alone(place: Place) -> None:
    (place.folder / "ann" / "ab").mkdir(parents=True)
    (place.folder / "ann" / "ab" / "notes.txt").write_text("x")
    (place.folder / "ann" / "ab" / ("ab" + "0" * 62)).symlink_to("notes.txt")
    assert place.open(quota=1).used_bytes() == 0
    assert files_in(place.folder / "ann") == ["ab/ab" + "0" * 62, "ab/notes.txt"]


def read_only(folder: Path) -> None:
    folder.mkdir()
    (folder / "incoming").write_text("not a folder")


@pytest.mark.parametrize("spoil", [lambda folder: folder.write_text("a file"), read_only])
def test_a_folder_that_cannot_be_used_is_named(place: Place, spoil: Callable[[Path], object]) -> None:
    spoil(place.folder)
    with pytest.raises(ServerError, match=str(place.folder)) as caught:
        place.open()
    assert caught.value.code == "server.start"


def test_a_store_can_be_asked_while_files_go_and_come(place: Place) -> None:
    store = place.open(quota=3000)
    payloads = [frame(str(number) * 900) for number in range(8)]
    wrong: list[object] = []

    def churn(seed: int) -> None:
        for step in range(40):
            data = payloads[(seed * 3 + step) % 8]
            try:
                upload(store, data)
                if content(store, digest_of(data)) != data:
                    wrong.append(data)
            except FrameError:  # evicted between the two
                pass
            except ServerError as error:  # others' uploads have all the room
                if error.code != "server.limit":
                    wrong.append(error)

    threads = [threading.Thread(target=churn, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    with suppress(FileNotFoundError):
        assert sum(path.stat().st_size for path in place.folder.rglob("*") if path.is_file()) == store.used_bytes()
    assert not wrong and store.used_bytes() <= 3000 and files_in(place.folder / "incoming") == []
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o400 for path in place.folder.rglob("*") if path.is_file())
